//! Keys for backends: `rk_<id>_<secret>`, of which only the SHA-256 is configured.

use std::fmt;

use schemas::Tenant;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{
    keys::{KeyError, parse_list},
    refusal::{Flaw, Refusal},
    scope::{Scope, Scopes},
};

pub const API_KEY_PREFIX: &str = "rk_";

/// One backend's key, its text unknown to us.
#[derive(Clone)]
pub struct ApiKey {
    pub id: String,
    pub tenant: Tenant,
    scopes: Scopes,
    /// Milliseconds since 1970.
    expires_at: Option<u64>,
    sha256: [u8; 32],
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .field("scopes", &self.scopes)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl ApiKey {
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.has(scope)
    }
}

/// The keys of `ROOMCAST_API_KEYS`.
#[derive(Debug, Clone, Default)]
pub struct ApiKeys(Vec<ApiKey>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiKeyConfig {
    id: String,
    /// Of the whole key, `rk_` included, in hex.
    sha256: String,
    #[serde(default)]
    tenant: Option<Tenant>,
    /// Absent: all.
    #[serde(default)]
    scopes: Option<Vec<Scope>>,
    /// Milliseconds since 1970. Absent: never.
    #[serde(default)]
    expires_at: Option<u64>,
}

impl ApiKeys {
    /// Parses `[{"id": "ci", "sha256": "…64 hex digits…", "tenant": "acme", "scopes": ["publish"], "expires_at":
    /// 1800000000000}]`, of which `id` and `sha256` are needed.
    ///
    /// # Errors
    /// The first mistake, with its path.
    pub fn parse(json: &str) -> Result<ApiKeys, KeyError> {
        let mut keys = Vec::<ApiKey>::new();
        for (index, config) in parse_list::<ApiKeyConfig>(json)?.into_iter().enumerate() {
            let id_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            if !(1..=64).contains(&config.id.len()) || !config.id.bytes().all(id_byte) {
                return Err(KeyError::at(index, "id", "is 1 to 64 of [A-Za-z0-9-]"));
            }
            if keys.iter().any(|key| key.id == config.id) {
                return Err(KeyError::at(index, "id", "stands twice"));
            }
            let sha256 = digest_from_hex(&config.sha256)
                .ok_or_else(|| KeyError::at(index, "sha256", "is the key's SHA-256 in 64 hex digits"))?;
            let tenant = config.tenant.unwrap_or_else(Tenant::default_tenant);
            let scopes = config.scopes.map_or_else(Scopes::all, |scopes| scopes.into_iter().collect());
            keys.push(ApiKey { id: config.id, tenant, scopes, expires_at: config.expires_at, sha256 });
        }
        Ok(ApiKeys(keys))
    }

    /// Whose key `text` is. The comparison of digests takes the same time wherever they differ.
    ///
    /// # Errors
    /// `unauthorized` for any text that is no configured key, and for one that has expired.
    pub fn authorize(&self, text: &str, now_ms: u64) -> Result<&ApiKey, Refusal> {
        let id = text
            .strip_prefix(API_KEY_PREFIX)
            .and_then(|rest| rest.split_once('_'))
            .map(|(id, _)| id)
            .ok_or(Flaw::ApiKey)?;
        let key = self.0.iter().find(|key| key.id == id).ok_or(Flaw::ApiKey)?;
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        if !bool::from(digest.ct_eq(&key.sha256)) {
            return Err(Flaw::ApiKey.into());
        }
        if key.expires_at.is_some_and(|expires_at| now_ms >= expires_at) {
            return Err(Flaw::ApiKeyExpired.into());
        }
        Ok(key)
    }
}

fn digest_from_hex(hex: &str) -> Option<[u8; 32]> {
    let digits = hex.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(digest)
}
