//! `GET` and `DELETE /v1/rooms/{room}`: a backend looks at a room, or ends it.

use schemas::http::RoomCall;
use worker::Response;

use crate::{exchange::Exchange, failure::Failure};

pub(crate) async fn info(exchange: &Exchange<'_>, room: &str) -> Result<Response, Failure> {
    let call = exchange.allow_service(room).await?;
    exchange.ask(&call.room, &call.tenant, &RoomCall::Info).await
}

pub(crate) async fn delete(exchange: &Exchange<'_>, room: &str) -> Result<Response, Failure> {
    let call = exchange.allow_service(room).await?;
    exchange.ask(&call.room, &call.tenant, &RoomCall::Delete).await
}
