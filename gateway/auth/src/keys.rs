//! The keys that tokens are verified with, each with its algorithm.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer as _, VerifyingKey};
use jwt_simple::algorithms::{HS256Key, MACLike as _};
use schemas::Tenant;
use serde::{Deserialize, Deserializer, de, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{header::Header, refusal::Flaw};

/// RFC 7518 §3.2: a key of the same size as the hash output or larger.
const HS256_SECRET_BYTES_MIN: usize = 32;
const KID_BYTES_MAX: usize = 128;

/// A mistake in a secret: where, and what would be right. Never quotes the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct KeyError {
    pub path: String,
    pub message: String,
}

impl KeyError {
    pub(crate) fn at(index: usize, field: &str, message: &str) -> KeyError {
        KeyError { path: format!("[{index}].{field}"), message: message.into() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Hs256,
    EdDsa,
}

impl Algorithm {
    pub(crate) fn parse(name: &str) -> Option<Algorithm> {
        match name {
            "HS256" => Some(Algorithm::Hs256),
            "EdDSA" => Some(Algorithm::EdDsa),
            _ => None,
        }
    }
}

#[derive(Clone)]
enum Material {
    Hs256(HS256Key),
    EdDsa(Box<VerifyingKey>),
}

/// One trusted key, and what tokens under it must say.
#[derive(Clone)]
pub(crate) struct Key {
    kid: String,
    material: Material,
    pub(crate) tenant: Option<Tenant>,
    pub(crate) iss: Option<String>,
    pub(crate) aud: Option<String>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm())
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

impl Key {
    pub(crate) fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Hs256(_) => Algorithm::Hs256,
            Material::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    pub(crate) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Hs256(key) => key.authentication_tag(signed).ct_eq(signature).into(),
            Material::EdDsa(key) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(signed, &signature).is_ok()),
        }
    }
}

/// Every key that tokens may be signed with: those of `ROOMCAST_KEYS`, and the gateway's own.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    configured: Vec<Key>,
    own: Option<Key>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyConfig {
    kid: String,
    alg: String,
    #[serde(default)]
    secret: Option<SecretText>,
    #[serde(default)]
    public_key: Option<String>,
    #[serde(default)]
    tenant: Option<Tenant>,
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    aud: Option<String>,
}

/// A string that no error message quotes.
struct SecretText(String);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer) {
            Ok(serde_json::Value::String(text)) => Ok(SecretText(text)),
            Ok(_) => Err(de::Error::custom("is a string")),
            Err(error) => Err(error),
        }
    }
}

impl Keys {
    /// Parses `[{"kid": "a", "alg": "HS256", "secret": "…base64url…"}, {"kid": "b", "alg": "EdDSA", "public_key":
    /// "…base64url…"}]`; each may have `tenant`, `iss` and `aud`.
    ///
    /// # Errors
    /// The first mistake, with its path.
    pub fn parse(json: &str) -> Result<Keys, KeyError> {
        let mut configured = Vec::<Key>::new();
        for (index, config) in parse_list::<KeyConfig>(json)?.into_iter().enumerate() {
            let key = config.check(index)?;
            if configured.iter().any(|other| other.kid == key.kid) {
                return Err(KeyError::at(index, "kid", "stands twice"));
            }
            configured.push(key);
        }
        Ok(Keys { configured, own: None })
    }

    /// Trusts what the gateway itself mints.
    ///
    /// # Errors
    /// When a configured key has the same `kid`, and is another key.
    pub fn trust(&mut self, signing_key: &SigningKey) -> Result<(), KeyError> {
        let kid = signing_key.kid();
        if let Some(index) = self.configured.iter().position(|key| key.kid == kid) {
            return Err(KeyError::at(index, "kid", "is that of ROOMCAST_SIGNING_KEY"));
        }
        let material = Material::EdDsa(Box::new(signing_key.key.verifying_key()));
        self.own = Some(Key { kid: kid.into(), material, tenant: None, iss: None, aud: None });
        Ok(())
    }

    /// The key that a token with this header was signed with, if it was.
    pub(crate) fn select(&self, header: &Header) -> Result<&Key, Flaw> {
        let key = match &header.kid {
            Some(kid) => {
                self.configured.iter().chain(&self.own).find(|key| key.kid == *kid).ok_or(Flaw::UnknownKey)?
            }
            None => self.only(header.algorithm).ok_or(Flaw::NoKey)?,
        };
        if header.algorithm == Some(key.algorithm()) { Ok(key) } else { Err(Flaw::Algorithm) }
    }

    /// The one configured key of that algorithm; where none is configured, the gateway's own.
    fn only(&self, algorithm: Option<Algorithm>) -> Option<&Key> {
        let mut candidates = self.configured.iter().filter(|key| Some(key.algorithm()) == algorithm);
        match (candidates.next(), candidates.next()) {
            (Some(key), None) => Some(key),
            (Some(_), Some(_)) => None,
            (None, _) => self.own.as_ref().filter(|key| Some(key.algorithm()) == algorithm),
        }
    }
}

impl KeyConfig {
    fn check(self, index: usize) -> Result<Key, KeyError> {
        if !(1..=KID_BYTES_MAX).contains(&self.kid.len()) {
            return Err(KeyError::at(index, "kid", "is 1 to 128 bytes"));
        }
        let algorithm = Algorithm::parse(&self.alg)
            .ok_or_else(|| KeyError::at(index, "alg", "is \"HS256\" or \"EdDSA\""))?;
        let material = match (algorithm, self.secret, self.public_key) {
            (Algorithm::Hs256, Some(secret), None) => hs256(index, &secret.0)?,
            (Algorithm::EdDsa, None, Some(public_key)) => eddsa(index, &public_key)?,
            (Algorithm::Hs256, _, Some(_)) => {
                return Err(KeyError::at(index, "public_key", "is not for HS256, which has a secret"));
            }
            (Algorithm::Hs256, None, None) => {
                return Err(KeyError::at(index, "secret", "is needed for HS256"));
            }
            (Algorithm::EdDsa, Some(_), _) => {
                return Err(KeyError::at(index, "secret", "is not for EdDSA, which has a public_key"));
            }
            (Algorithm::EdDsa, None, None) => {
                return Err(KeyError::at(index, "public_key", "is needed for EdDSA"));
            }
        };
        Ok(Key { kid: self.kid, material, tenant: self.tenant, iss: self.iss, aud: self.aud })
    }
}

fn hs256(index: usize, secret: &str) -> Result<Material, KeyError> {
    let secret = URL_SAFE_NO_PAD
        .decode(secret.trim_end_matches('='))
        .ok()
        .filter(|secret| secret.len() >= HS256_SECRET_BYTES_MIN)
        .ok_or_else(|| KeyError::at(index, "secret", "is base64url of at least 32 bytes"))?;
    Ok(Material::Hs256(HS256Key::from_bytes(&secret)))
}

fn eddsa(index: usize, public_key: &str) -> Result<Material, KeyError> {
    decode_32(public_key)
        .and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok())
        .filter(|key| !key.is_weak())
        .map(|key| Material::EdDsa(Box::new(key)))
        .ok_or_else(|| KeyError::at(index, "public_key", "is base64url of an Ed25519 public key's 32 bytes"))
}

/// A list from JSON, where a mistake has a path.
pub(crate) fn parse_list<T: DeserializeOwned>(json: &str) -> Result<Vec<T>, KeyError> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let list = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| KeyError { path: error.path().to_string(), message: error.inner().to_string() })?;
    match deserializer.end() {
        Ok(()) => Ok(list),
        Err(error) => Err(KeyError { path: ".".into(), message: error.to_string() }),
    }
}

fn decode_32(base64url: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(base64url.trim_end_matches('=')).ok()?.try_into().ok()
}

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

    pub(crate) fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.key.sign(bytes).to_bytes()
    }
}

/// RFC 7638, on the members that RFC 8037 §2 requires in the order that it requires.
fn thumbprint(x: &str) -> String {
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical.as_bytes()))
}
