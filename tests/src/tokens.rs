//! Tokens made by hand, right and wrong: a library for JWTs refuses to make most of what an attacker would.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};

/// What signs a token.
#[derive(Clone, Debug)]
pub enum Signature {
    Hs256(Vec<u8>),
    EdDsa(Box<SigningKey>),
    /// An empty third part, as `alg: none` wants it.
    Empty,
    /// Any bytes.
    Bytes(Vec<u8>),
}

/// The compact form of a JWT with exactly this header and these claims.
#[must_use]
pub fn jwt(header: &Value, claims: &Value, signature: &Signature) -> String {
    jwt_of_texts(&header.to_string(), &claims.to_string(), signature)
}

/// As [`jwt`], for what is no JSON, or says something twice.
#[must_use]
pub fn jwt_of_texts(header: &str, claims: &str, signature: &Signature) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = match signature {
        Signature::Hs256(secret) => {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
            mac.update(signed.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }
        Signature::EdDsa(key) => key.sign(signed.as_bytes()).to_bytes().to_vec(),
        Signature::Empty => Vec::new(),
        Signature::Bytes(bytes) => bytes.clone(),
    };
    format!("{signed}.{}", encode(signature))
}

/// Claims of a user with `rights` in `room`, for an hour.
#[must_use]
pub fn claims(sub: &str, room: &str, rights: &Value) -> Value {
    json!({ "sub": sub, "rooms": { room: rights }, "exp": now_s() + 3600 })
}

/// The JSON of a token's header (part 0) or claims (part 1).
#[must_use]
pub fn part(token: &str, index: usize) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(index)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// What others see of a session.
#[must_use]
pub fn public_session(session: &str) -> String {
    encode(Sha256::digest(session.as_bytes())).chars().take(16).collect()
}

#[must_use]
pub fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(since.as_secs()).expect("the clock is before the year 292 billion")
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
