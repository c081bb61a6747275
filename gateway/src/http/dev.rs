//! `POST /dev/token`: a token for the asking, under `cargo xtask dev` alone.

use auth::{MintError, mint};
use schemas::{Tenant, http::TokenBody, limits};
use worker::Response;

use crate::{body, exchange::Exchange, failure::Failure, response};

/// A body cannot ask for more than a token holds.
const BODY_BYTES_MAX: usize = 2 * limits::TOKEN_BYTES_MAX;

pub(crate) async fn token(exchange: &mut Exchange<'_>) -> Result<Response, Failure> {
    let settings = exchange.settings;
    let signing_key = settings.signing_key.as_ref().filter(|_| settings.dev).ok_or(Failure::NotFound)?;
    let body: TokenBody = body::parse_object(&exchange.body(BODY_BYTES_MAX).await?, &["rooms"])?;
    let wrong = |error: MintError| Failure::invalid(error.path, error.message);
    let now_ms = exchange.now_ms();
    response::json(&mint(signing_key, &Tenant::default_tenant(), &body, now_ms).map_err(wrong)?)
}

/// `POST /dev/fault/{room}`: arms a fault in the isolate of that room, in the module that tests build.
#[cfg(feature = "faults")]
pub(crate) async fn fault(exchange: &mut Exchange<'_>, room: &str) -> Result<Response, Failure> {
    let is_dev = exchange.settings.dev;
    let room = schemas::RoomName::parse(room).filter(|_| is_dev).ok_or(Failure::NotFound)?;
    let body = exchange.body(BODY_BYTES_MAX).await?;
    crate::forward::fault(exchange.env, &room, &body).await
}
