//! Webhook endpoints as they are configured, and the one POST that tells them something.
//!
//! * [`Endpoints`]: `ROOMCAST_WEBHOOKS`, read and checked.
//! * [`address`]: where an endpoint may be.
//! * [`signature`]: the Standard Webhooks scheme.
//! * [`post`]: one try.

pub mod address;
mod post;
mod signature;

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemas::{
    config::Config,
    ids::KindName,
    webhook::{ENDPOINTS_MAX, EventKind, EventSet},
};
use serde::Deserialize;

pub use post::{Answer, post};
pub use signature::signatures;

/// What a secret of the standard's symmetric scheme begins with.
const SECRET_PREFIX: &str = "whsec_";
/// The standard asks for 24 to 64 bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
const URL_BYTES_MAX: usize = 2_048;

/// Where rooms tell what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// 1 to 32 of `[a-z0-9-]`; part of what it is sent.
    pub id: String,
    pub url: String,
    /// Of what a room's kind tells, it is told these.
    pub events: EventSet,
    /// Of which kinds of rooms; `None` is all.
    pub kinds: Option<Vec<KindName>>,
    /// For receivers whose library knows the symmetric scheme only.
    pub secret: Option<Secret>,
    /// Whether it may be in a private network, and be spoken to without TLS.
    pub allow_private: bool,
}

/// A secret of an endpoint, which nothing prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Every endpoint, by its id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints(BTreeMap<String, Endpoint>);

/// A mistake: where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct EndpointError {
    pub path: String,
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    url: String,
    #[serde(default = "EventSet::all")]
    events: EventSet,
    #[serde(default)]
    kinds: Option<Vec<KindName>>,
    #[serde(default)]
    secret: Option<String>,
    #[serde(default)]
    allow_private: bool,
}

impl Endpoints {
    /// Parses `[{"id": "billing", "url": "https://…", "events": […], "kinds": […], "secret": "whsec_…",
    /// "allow_private": false}]`, all but `id` and `url` optional.
    ///
    /// # Errors
    /// The first mistake, with its path.
    pub fn parse(json: &str, config: &Config) -> Result<Endpoints, EndpointError> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let written: Vec<Written> = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            EndpointError { path: error.path().to_string(), message: unquoted(error.inner()) }
        })?;
        deserializer.end().map_err(|error| EndpointError { path: ".".into(), message: error.to_string() })?;
        if written.len() > ENDPOINTS_MAX {
            let message = format!("names more than {ENDPOINTS_MAX} endpoints");
            return Err(EndpointError { path: ".".into(), message });
        }
        let mut endpoints = BTreeMap::new();
        for (index, written) in written.into_iter().enumerate() {
            let endpoint = written
                .check(config)
                .map_err(|(field, message)| EndpointError { path: format!("[{index}].{field}"), message })?;
            if endpoints.contains_key(&endpoint.id) {
                let path = format!("[{index}].id");
                return Err(EndpointError { path, message: "stands twice".into() });
            }
            endpoints.insert(endpoint.id.clone(), endpoint);
        }
        Ok(Endpoints(endpoints))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Endpoint> {
        self.0.get(id)
    }

    /// Those that are told of rooms of this kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Endpoint> {
        self.0.values().filter(move |endpoint| {
            let kinds = endpoint.kinds.as_deref();
            kinds.is_none_or(|kinds| kinds.iter().any(|name| name.as_str() == kind))
        })
    }
}

/// serde quotes what it found in the place of a list or a boolean, which could be a secret.
fn unquoted(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.split_once("invalid type: ") {
        Some((before, rest)) => {
            let expected = rest.split_once("expected ").map_or("something else", |(_, expected)| expected);
            format!("{before}expected {expected}")
        }
        None => message,
    }
}

impl Written {
    fn check(self, config: &Config) -> Result<Endpoint, (&'static str, String)> {
        let Written { id, url, events, kinds, secret, allow_private } = self;
        let is_id_byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=32).contains(&id.len()) || !id.bytes().all(is_id_byte) {
            return Err(("id", "is 1 to 32 of [a-z0-9-]".into()));
        }
        if url.len() > URL_BYTES_MAX {
            return Err(("url", format!("is at most {URL_BYTES_MAX} bytes")));
        }
        address::check(&url, allow_private).map_err(|error| ("url", error.to_string()))?;
        if events.without(EventKind::WebhookDropped).is_empty() {
            return Err(("events", "names nothing to be told of".into()));
        }
        if let Some(unknown) = kinds.iter().flatten().find(|kind| !config.kinds.contains_key(kind)) {
            return Err(("kinds", format!("no kind is called {unknown:?}", unknown = unknown.as_str())));
        }
        let secret = secret.as_deref().map(parse_secret).transpose().map_err(|error| ("secret", error))?;
        Ok(Endpoint { id, url, events, kinds, secret, allow_private })
    }
}

fn parse_secret(text: &str) -> Result<Secret, String> {
    let bytes = text.strip_prefix(SECRET_PREFIX).and_then(|base64| STANDARD.decode(base64).ok());
    let bytes = bytes.filter(|bytes| SECRET_BYTES.contains(&bytes.len()));
    bytes.map(Secret).ok_or_else(|| {
        let (min, max) = (SECRET_BYTES.start(), SECRET_BYTES.end());
        format!("is {SECRET_PREFIX} and base64 of {min} to {max} bytes")
    })
}

#[cfg(test)]
mod tests;
