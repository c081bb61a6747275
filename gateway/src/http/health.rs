//! `/healthz`, which says what is wrong, and `/.well-known/jwks.json`.

use deployment::{Settings, SettingsError};
use schemas::{ErrorCode, http::Problem, server_message::Detail};
use serde_json::json;
use worker::Response;

use crate::{failure::Failure, response};

pub(crate) fn health() -> Result<Response, Failure> {
    response::json(&json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

pub(crate) fn misconfigured(error: &SettingsError) -> Result<Response, Failure> {
    let mut problem = Problem::from_code(ErrorCode::Unavailable, "the configuration is wrong");
    let path = format!("{}: {}", error.binding, error.path);
    problem.details.push(Detail { path, message: error.message.clone() });
    response::with_problem(&problem).map_err(Failure::platform("write the answer"))
}

/// The public half of the key that the gateway signs with; an empty set where it has none.
pub(crate) fn jwks(settings: &Settings) -> Result<Response, Failure> {
    let keys: Vec<_> = settings.signing_key.iter().map(auth::SigningKey::jwk).collect();
    response::json(&json!({ "keys": keys }))
}
