//! `GET` and `DELETE /v1/rooms/{room}`: a backend looks at a room, or ends it.

use schemas::http::RoomCall;
use worker::{Date, Env, Response};

use crate::{
    access::{self, Presented},
    config::Settings,
    failure::Failure,
    forward,
};

pub(crate) async fn info(
    env: &Env,
    settings: &Settings,
    presented: &Presented,
    room: &str,
    request_id: &str,
) -> Result<Response, Failure> {
    ask(env, settings, presented, room, request_id, &RoomCall::Info).await
}

pub(crate) async fn delete(
    env: &Env,
    settings: &Settings,
    presented: &Presented,
    room: &str,
    request_id: &str,
) -> Result<Response, Failure> {
    ask(env, settings, presented, room, request_id, &RoomCall::Delete).await
}

async fn ask(
    env: &Env,
    settings: &Settings,
    presented: &Presented,
    room: &str,
    request_id: &str,
    call: &RoomCall,
) -> Result<Response, Failure> {
    let allowed = access::service_call(settings, room, presented, Date::now().as_millis())?;
    forward::call(env, &allowed.room, &allowed.tenant, call, request_id).await
}
