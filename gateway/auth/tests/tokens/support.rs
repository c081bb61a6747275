//! Tokens made by hand, right and wrong.

use auth::Keys;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, Mac as _};
use rsa::signature::SignatureEncoding as _;
use schemas::RoomName;
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

use crate::rfc7515;

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
    let tag = Hmac::<Sha256>::new_from_slice(secret)
        .expect("a secret")
        .chain_update(&signed)
        .finalize()
        .into_bytes();
    format!("{signed}.{}", base64url(tag))
}

pub(crate) const ED_HEADER: &str = r#"{"alg":"EdDSA","kid":"ed"}"#;
pub(crate) const HS_HEADER: &str = r#"{"alg":"HS256","kid":"hs"}"#;

/// A token that is right in every way, for these claims.
pub(crate) fn token(claims: &Value) -> String {
    signed_by_ed(ED_HEADER, &claims.to_string())
}

/// What signs a token, right or wrong for its header.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signer<'a> {
    Hs256(&'a [u8]),
    Hs384(&'a [u8]),
    Hs512(&'a [u8]),
    Rs256,
    Es256,
    /// ES256 in DER, as OpenSSL signs.
    Es256Der,
    Ed,
}

impl Signer<'_> {
    pub(crate) fn sign(self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        format!("{signed}.{}", base64url(self.signature(signed.as_bytes())))
    }

    fn signature(self, signed: &[u8]) -> Vec<u8> {
        match self {
            Signer::Hs256(secret) => Hmac::<Sha256>::new_from_slice(secret)
                .expect("a secret")
                .chain_update(signed)
                .finalize()
                .into_bytes()
                .to_vec(),
            Signer::Hs384(secret) => Hmac::<Sha384>::new_from_slice(secret)
                .expect("a secret")
                .chain_update(signed)
                .finalize()
                .into_bytes()
                .to_vec(),
            Signer::Hs512(secret) => Hmac::<Sha512>::new_from_slice(secret)
                .expect("a secret")
                .chain_update(signed)
                .finalize()
                .into_bytes()
                .to_vec(),
            Signer::Rs256 => {
                rsa::pkcs1v15::SigningKey::<Sha256>::new(rfc7515::rsa_private()).sign(signed).to_vec()
            }
            Signer::Es256 => {
                let signature: p256::ecdsa::Signature = rfc7515::p256_private().sign(signed);
                signature.to_vec()
            }
            Signer::Es256Der => {
                let signature: p256::ecdsa::DerSignature = rfc7515::p256_private().sign(signed);
                signature.to_vec()
            }
            Signer::Ed => ed_key().sign(signed).to_bytes().to_vec(),
        }
    }
}
