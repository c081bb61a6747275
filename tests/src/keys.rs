//! The token keys that test servers are configured with, so that a test can sign what no issuer would.

use crate::tokens::{Signature, jwt};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use xtask::secrets::DEV_API_KEY;

pub const HS_KID: &str = "test-hs";
pub const ED_KID: &str = "test-ed";
const HS_SECRET: &[u8; 32] = b"a secret of thirty-two bytes ...";
const ED_SEED: &[u8; 32] = b"a seed for Ed25519, also 32 long";

/// What `ROOMCAST_KEYS` holds.
#[must_use]
pub fn configured() -> String {
    let keys = json!([
        { "kid": HS_KID, "alg": "HS256", "secret": URL_SAFE_NO_PAD.encode(HS_SECRET) },
        { "kid": ED_KID, "alg": "EdDSA", "public_key": URL_SAFE_NO_PAD.encode(ed_public()) },
    ]);
    keys.to_string()
}

/// The API keys of one scope each, by which a test asks for [`api_key`].
const SCOPES: [&str; 9] =
    ["publish", "read", "edit", "moderate", "admin", "tokens", "revoke", "metrics", "call"];

/// What `ROOMCAST_API_KEYS` holds: the development key, one a scope, and `none`, which is for nothing.
#[must_use]
pub fn api_keys() -> String {
    let entry = |id: &str, key: &str, scopes: Option<&[&str]>| {
        let sha256: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut entry = json!({ "id": id, "sha256": sha256 });
        if let Some(scopes) = scopes {
            entry["scopes"] = json!(scopes);
        }
        entry
    };
    let mut keys = vec![entry("dev", DEV_API_KEY, None), entry("none", &api_key("none"), Some(&[]))];
    keys.extend(SCOPES.map(|scope| entry(scope, &api_key(scope), Some(&[scope]))));
    Value::Array(keys).to_string()
}

/// An API key with this scope and no other.
#[must_use]
pub fn api_key(scope: &str) -> String {
    format!("rk_{scope}_only")
}

/// The right HS256 key.
#[must_use]
pub fn hs() -> Signature {
    Signature::Hs256(HS_SECRET.to_vec())
}

/// The right EdDSA key.
#[must_use]
pub fn ed() -> Signature {
    Signature::EdDsa(Box::new(ed_key()))
}

/// The EdDSA key's public half, which an attacker knows.
#[must_use]
pub fn ed_public() -> [u8; 32] {
    ed_key().verifying_key().to_bytes()
}

fn ed_key() -> SigningKey {
    SigningKey::from_bytes(ED_SEED)
}

#[must_use]
pub fn hs_header() -> Value {
    json!({ "alg": "HS256", "typ": "JWT", "kid": HS_KID })
}

#[must_use]
pub fn ed_header() -> Value {
    json!({ "alg": "EdDSA", "typ": "JWT", "kid": ED_KID })
}

/// A token that is right in every way, for these claims.
#[must_use]
pub fn good(claims: &Value) -> String {
    jwt(&ed_header(), claims, &ed())
}
