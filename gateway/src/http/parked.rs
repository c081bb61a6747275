//! What webhook endpoints did not take: `GET /v1/webhooks/parked`, `POST /v1/webhooks/parked/{id}/replay`,
//! `DELETE /v1/webhooks/parked/{id}`.

use deployment::{
    objects::{self, DIRECTORY, Object},
    webhooks,
};
use schemas::{
    Tenant,
    directory::{DirectoryCall, PARKING_SHARD, ParkedEntry, ParkedPage, ReplayAnswer, shard_name},
    webhook::Parked,
};
use serde::de::DeserializeOwned;
use serde_json::json;
use worker::Response;

use crate::{exchange::Exchange, failure::Failure, response};

const PAGE_DEFAULT: u32 = 50;
const PAGE_MAX: u32 = 200;

pub(crate) async fn list(exchange: &Exchange<'_>) -> Result<Response, Failure> {
    let key = exchange.service().await?;
    let query = exchange.query();
    let limit = query.limit(PAGE_DEFAULT, PAGE_MAX)?;
    let cursor = query.one("cursor")?.map(str::parse::<u32>).transpose();
    let after = cursor.map_err(|_| Failure::invalid("cursor", "is what an answer's `next` gave"))?;
    let call = DirectoryCall::ParkedAfter { after: after.map(u64::from), limit };
    let found: Vec<(u64, ParkedEntry)> = ask(exchange, &key.tenant, &call).await?;
    let is_full = found.len() == limit as usize;
    let next = found.last().filter(|_| is_full).map(|(place, _)| place.to_string());
    response::json(&ParkedPage { parked: found.into_iter().map(|(_, entry)| entry).collect(), next })
}

/// Posts a batch once more, as the room would, and forgets it where the endpoint took it.
pub(crate) async fn replay(exchange: &Exchange<'_>, id: &str) -> Result<Response, Failure> {
    let tenant = &exchange.service().await?.tenant;
    let found: Option<Parked> = ask(exchange, tenant, &DirectoryCall::Parked { id: id.to_owned() }).await?;
    let parked = found.ok_or(Failure::NotFound)?;
    let endpoint = exchange.settings.webhooks.get(&parked.endpoint).ok_or(Failure::NoEndpoint)?;
    let key = exchange.settings.signing_key.as_ref().ok_or(Failure::NoSigningKey)?;
    let answer = webhooks::post(exchange.env, key, endpoint, &parked.id, &parked.body).await;
    let delivered = answer.status.is_some_and(|status| (200..300).contains(&status));
    if delivered {
        let _was_there: bool = ask(exchange, tenant, &DirectoryCall::Unpark { id: parked.id }).await?;
    }
    response::json(&ReplayAnswer { delivered, status: answer.status })
}

pub(crate) async fn forget(exchange: &Exchange<'_>, id: &str) -> Result<Response, Failure> {
    let tenant = &exchange.service().await?.tenant;
    let was_there: bool = ask(exchange, tenant, &DirectoryCall::Unpark { id: id.to_owned() }).await?;
    if was_there { response::json(&json!({})) } else { Err(Failure::NotFound) }
}

/// One shard keeps what is parked.
async fn ask<A: DeserializeOwned>(
    exchange: &Exchange<'_>,
    tenant: &Tenant,
    call: &DirectoryCall,
) -> Result<A, Failure> {
    let name = shard_name(tenant, PARKING_SHARD);
    let object = Object { namespace: DIRECTORY, name: &name };
    Ok(objects::ask_for(exchange.env, object, "/call", call, &exchange.request_id).await?)
}
