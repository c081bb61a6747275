//! Tokens made by hand, right and wrong.

use auth::Keys;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use jwt_simple::algorithms::{HS256Key, MACLike as _};
use schemas::RoomName;
use serde_json::{Value, json};

pub(crate) const NOW_S: u64 = 1_800_000_000;
pub(crate) const NOW_MS: u64 = NOW_S * 1000;

pub(crate) const HS_SECRET: &[u8; 32] = b"a secret of thirty-two bytes ...";
const ED_SEED: &[u8; 32] = b"a seed for Ed25519, also 32 long";

pub(crate) fn ed_key() -> SigningKey {
    SigningKey::from_bytes(ED_SEED)
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn hs_config() -> Value {
    json!({ "kid": "hs", "alg": "HS256", "secret": base64url(HS_SECRET) })
}

pub(crate) fn ed_config() -> Value {
    json!({ "kid": "ed", "alg": "EdDSA", "public_key": base64url(ed_key().verifying_key().as_bytes()) })
}

/// One key of each algorithm, without tenant, issuer or audience.
pub(crate) fn keys() -> Keys {
    keys_of(&json!([hs_config(), ed_config()]))
}

pub(crate) fn keys_of(config: &Value) -> Keys {
    Keys::parse(&config.to_string()).expect("keys")
}

/// `config` with more fields.
pub(crate) fn with(mut config: Value, changes: &Value) -> Value {
    for (name, change) in changes.as_object().expect("an object") {
        config[name] = change.clone();
    }
    config
}

pub(crate) fn room(name: &str) -> RoomName {
    RoomName::parse(name).expect("a room")
}

/// Claims that are right in every way.
pub(crate) fn claims() -> Value {
    json!({ "sub": "ann", "rooms": { "chat:a": ["join", "publish"] }, "exp": NOW_S + 60 })
}

/// The text of a token whose parts are exactly these.
pub(crate) fn signed_by_ed(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", base64url(header), base64url(claims));
    let signature = ed_key().sign(signed.as_bytes()).to_bytes();
    format!("{signed}.{}", base64url(signature))
}

pub(crate) fn signed_by_hs(secret: &[u8], header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", base64url(header), base64url(claims));
    let tag = HS256Key::from_bytes(secret).authentication_tag(signed.as_bytes());
    format!("{signed}.{}", base64url(tag))
}

pub(crate) const ED_HEADER: &str = r#"{"alg":"EdDSA","kid":"ed"}"#;
pub(crate) const HS_HEADER: &str = r#"{"alg":"HS256","kid":"hs"}"#;

/// A token that is right in every way, for these claims.
pub(crate) fn token(claims: &Value) -> String {
    signed_by_ed(ED_HEADER, &claims.to_string())
}
