//! Calls to rooms.

use deployment::objects::{self, CallError, Object};
use directory_core::push::News;
use futures_util::future::join_all;
use schemas::{
    Tenant,
    http::{DisconnectCall, RoomCall, Who},
    server_message::{Closed, RoomInfo},
};
use serde::de::DeserializeOwned;
use worker::Env;

/// Tells rooms the news, all at once. Returns how many connections they closed, and whether each was reached.
pub(crate) async fn tell(env: &Env, tenant: &Tenant, rooms: &[String], news: &News) -> (u64, bool) {
    let call = match news {
        News::Revoked(revocation) => RoomCall::Revoke(vec![revocation.clone()]),
        News::Disconnect { user, reason } => RoomCall::Disconnect(DisconnectCall {
            who: Who::User(user.clone()),
            reason: reason.clone(),
            block_ms: None,
        }),
    };
    let told = join_all(rooms.iter().map(|room| ask::<Closed>(env, tenant, room, &call))).await;
    let closed = told.iter().flatten().map(|answer| u64::from(answer.closed)).sum();
    (closed, told.iter().all(Result::is_ok))
}

/// Where a room says it stands. This wakes it.
pub(crate) async fn info(env: &Env, tenant: &Tenant, room: &str) -> Result<RoomInfo, CallError> {
    ask(env, tenant, room, &RoomCall::Info).await
}

async fn ask<T: DeserializeOwned>(
    env: &Env,
    tenant: &Tenant,
    room: &str,
    call: &RoomCall,
) -> Result<T, CallError> {
    let name = format!("{tenant}/{room}");
    let object = Object { namespace: objects::ROOMS, name: &name };
    let mut response = objects::ask(env, object, "/call", call, "").await?;
    if response.status_code() != 200 {
        return Err(CallError::Status(response.status_code()));
    }
    Ok(response.json().await?)
}
