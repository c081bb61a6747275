//! `/healthz`, which says what is wrong, and `/.well-known/jwks.json`.

use deployment::{
    Settings, SettingsError,
    objects::{DIRECTORY, LIMITER},
};
use schemas::{ErrorCode, http::Problem, server_message::Detail};
use serde_json::json;
use worker::{Env, Response};

use crate::{failure::Failure, response};

/// The classes of objects that nothing is served without.
const NAMESPACES: [&str; 3] = ["ROOMS", DIRECTORY, LIMITER];

/// Looks at what is bound, and touches nothing: a room that is asked for its health would be a room that is woken.
pub(crate) fn health(env: &Env) -> Result<Response, Failure> {
    let unbound: Vec<&str> =
        NAMESPACES.into_iter().filter(|name| env.durable_object(name).is_err()).collect();
    if !unbound.is_empty() {
        let mut problem = Problem::from_code(ErrorCode::Unavailable, "a class of objects is not bound");
        let missing =
            |name: &str| Detail { path: name.into(), message: "is not bound in wrangler.toml".into() };
        problem.details = unbound.into_iter().map(missing).collect();
        return response::with_problem(&problem).map_err(Failure::platform("write the answer"));
    }
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
