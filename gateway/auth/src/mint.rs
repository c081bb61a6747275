//! Tokens of the gateway's own making, for teams that have no issuer.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use schemas::{
    Capabilities, Payload, Tenant, UserId,
    http::{TokenAnswer, TokenBody},
    ids, limits,
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::signing_key::SigningKey;

pub const TTL_SECONDS_MAX: u64 = 24 * 60 * 60;

/// What is wrong with a request for a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct MintError {
    pub path: &'static str,
    pub message: String,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

#[derive(Serialize)]
struct MintedClaims<'a> {
    sub: &'a UserId,
    tenant: &'a Tenant,
    rooms: &'a BTreeMap<String, Capabilities>,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [String],
}

/// Makes a token for `tenant`, issued at `now_ms`, that [`verify`](crate::verify) will accept.
///
/// # Errors
/// Where a bound is passed, and where the token would be longer than one may be.
pub fn mint(
    key: &SigningKey,
    tenant: &Tenant,
    body: &TokenBody,
    now_ms: u64,
) -> Result<TokenAnswer, MintError> {
    check(body)?;
    let iat = now_ms / 1000;
    let exp = iat + body.ttl;
    let claims = MintedClaims {
        sub: &body.sub,
        tenant,
        rooms: &body.rooms,
        iat,
        exp,
        info: body.info.as_deref(),
        tags: &body.tags,
    };
    let header = Header { alg: "EdDSA", typ: "JWT", kid: key.kid() };
    let signed = format!("{}.{}", part(&header)?, part(&claims)?);
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())));
    if token.len() > limits::TOKEN_BYTES_MAX {
        return Err(wrong("rooms", "make the token longer than 8 KiB"));
    }
    Ok(TokenAnswer { token, expires_at: exp * 1000 })
}

fn check(body: &TokenBody) -> Result<(), MintError> {
    if !(1..=TTL_SECONDS_MAX).contains(&body.ttl) {
        return Err(wrong("ttl", format!("is 1 to {TTL_SECONDS_MAX} seconds")));
    }
    if body.tags.len() > limits::TAGS_TOKEN_MAX || !body.tags.iter().all(|tag| ids::is_tag(tag)) {
        let message =
            format!("are at most {}, each 1 to {} bytes", limits::TAGS_TOKEN_MAX, limits::TAG_BYTES_MAX);
        return Err(wrong("tags", message));
    }
    if let Some(info) = &body.info {
        let info = Payload::from_json(info.get().into()).map_err(|error| wrong("info", error.to_string()))?;
        if info.len() > limits::INFO_BYTES_MAX {
            return Err(wrong("info", format!("is at most {} bytes", limits::INFO_BYTES_MAX)));
        }
    }
    Ok(())
}

fn part<T: Serialize>(value: &T) -> Result<String, MintError> {
    let json = serde_json::to_vec(value).map_err(|error| wrong("rooms", error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

fn wrong(path: &'static str, message: impl Into<String>) -> MintError {
    MintError { path, message: message.into() }
}
