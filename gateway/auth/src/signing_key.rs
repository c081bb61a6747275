//! The key that the gateway signs with.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256};

use crate::{
    keys::KeyError,
    material::{Material, decode_32},
};

/// The gateway's own key: it mints tokens, and is named by its RFC 7638 thumbprint, so that a new key is a new name.
#[derive(Clone)]
pub struct SigningKey {
    key: ed25519_dalek::SigningKey,
    kid: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Reads `ROOMCAST_SIGNING_KEY`: base64url of an Ed25519 seed.
    ///
    /// # Errors
    /// For anything but 32 bytes.
    pub fn parse(seed: &str) -> Result<SigningKey, KeyError> {
        let seed = decode_32(seed.trim()).ok_or_else(|| KeyError {
            path: ".".into(),
            message: "is base64url of an Ed25519 seed's 32 bytes".into(),
        })?;
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        let kid = thumbprint(&URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes()));
        Ok(SigningKey { key, kid })
    }

    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half as a JSON Web Key (RFC 8037), for `/.well-known/jwks.json`.
    #[must_use]
    pub fn jwk(&self) -> serde_json::Value {
        let x = URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes());
        serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "alg": "EdDSA", "use": "sig" })
    }

    /// For verifying what it signed.
    pub(crate) fn material(&self) -> Material {
        Material::EdDsa(Box::new(self.key.verifying_key()))
    }

    /// An Ed25519 signature of `bytes`.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.key.sign(bytes).to_bytes()
    }
}

/// RFC 7638, on the members that RFC 8037 §2 requires in the order that it requires.
fn thumbprint(x: &str) -> String {
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical.as_bytes()))
}
