//! `POST /dev/token`: a token for the asking, under `cargo xtask dev` alone.

use auth::{MintError, mint};
use schemas::{Tenant, http::TokenBody, limits};
use worker::{Date, Request, Response};

use crate::{body, config::Settings, failure::Failure, response};

/// A body cannot ask for more than a token holds.
const BODY_BYTES_MAX: usize = 2 * limits::TOKEN_BYTES_MAX;

pub(crate) async fn token(settings: &Settings, request: &mut Request) -> Result<Response, Failure> {
    let signing_key = settings.signing_key.as_ref().filter(|_| settings.dev).ok_or(Failure::NotFound)?;
    let body: TokenBody = body::parse_object(&body::read(request, BODY_BYTES_MAX).await?, &["rooms"])?;
    let wrong = |error: MintError| Failure::invalid(error.path, error.message);
    let now_ms = Date::now().as_millis();
    response::json(&mint(signing_key, &Tenant::default_tenant(), &body, now_ms).map_err(wrong)?)
}

/// `POST /dev/fault/{room}`: arms a fault in the isolate of that room, in the module that tests build.
#[cfg(feature = "faults")]
pub(crate) async fn fault(
    env: &worker::Env,
    settings: &Settings,
    request: &mut Request,
    room: &str,
) -> Result<Response, Failure> {
    let room = schemas::RoomName::parse(room).filter(|_| settings.dev).ok_or(Failure::NotFound)?;
    let body = body::read(request, BODY_BYTES_MAX).await?;
    crate::forward::fault(env, &room, &body).await
}
