//! What `cargo xtask dev` alone serves.

use schemas::Tenant;
use worker::Response;

use super::tokens;
use crate::{exchange::Exchange, failure::Failure};

/// `POST /dev/token`: a token for the asking, as `POST /v1/tokens` makes them.
pub(crate) async fn token(exchange: &mut Exchange<'_>) -> Result<Response, Failure> {
    if !exchange.settings.dev {
        return Err(Failure::NotFound);
    }
    tokens::minted(exchange, &Tenant::default_tenant()).await
}

/// `POST /dev/fault/{room}`: arms a fault in the isolate of that room, in the module that tests build.
#[cfg(feature = "faults")]
pub(crate) async fn fault(exchange: &mut Exchange<'_>, room: &str) -> Result<Response, Failure> {
    let is_dev = exchange.settings.dev;
    let room = schemas::RoomName::parse(room).filter(|_| is_dev).ok_or(Failure::NotFound)?;
    let body = exchange.body(tokens::BODY_BYTES_MAX).await?;
    crate::forward::fault(exchange.env, &room, &body).await
}
