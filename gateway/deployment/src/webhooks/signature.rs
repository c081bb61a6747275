//! The Standard Webhooks scheme: what is signed is `id.timestamp.body`.

use auth::SigningKey;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The value of `webhook-signature`: `v1a,` and the gateway's Ed25519 signature in base64; where the endpoint has a
/// secret, `v1,` and the HMAC-SHA256 besides. `timestamp` is in seconds since 1970.
#[must_use]
pub fn signatures(key: &SigningKey, secret: Option<&[u8]>, id: &str, timestamp: u64, body: &str) -> String {
    let signed = format!("{id}.{timestamp}.{body}");
    let asymmetric = format!("v1a,{}", STANDARD.encode(key.sign(signed.as_bytes())));
    let Some(mut mac) = secret.and_then(|secret| Hmac::<Sha256>::new_from_slice(secret).ok()) else {
        return asymmetric;
    };
    mac.update(signed.as_bytes());
    format!("{asymmetric} v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}
