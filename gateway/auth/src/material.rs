//! Keys as their libraries have them, each for one algorithm.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use rsa::{
    RsaPublicKey, pkcs1v15, pkcs8::DecodePublicKey as _, signature::Verifier as _,
    traits::PublicKeyParts as _,
};
use sha2::{Sha256, Sha384, Sha512};

use crate::algorithm::Algorithm;

/// Below it RS256 is not to be trusted (RFC 7518 §3.3); above 4,096 the library refuses.
const RSA_BITS_MIN: usize = 2048;

#[derive(Clone)]
pub(crate) enum Material {
    Hs256(Hmac<Sha256>),
    Hs384(Hmac<Sha384>),
    Hs512(Hmac<Sha512>),
    Rs256(Box<pkcs1v15::VerifyingKey<Sha256>>),
    Es256(Box<p256::ecdsa::VerifyingKey>),
    EdDsa(Box<ed25519_dalek::VerifyingKey>),
}

impl Material {
    /// `None` for an algorithm without secrets, and for a secret shorter than its hash.
    pub(crate) fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Option<Material> {
        if secret.len() < algorithm.secret_bytes_min()? {
            return None;
        }
        match algorithm {
            Algorithm::Hs256 => Hmac::new_from_slice(secret).ok().map(Material::Hs256),
            Algorithm::Hs384 => Hmac::new_from_slice(secret).ok().map(Material::Hs384),
            Algorithm::Hs512 => Hmac::new_from_slice(secret).ok().map(Material::Hs512),
            Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa => None,
        }
    }

    /// From a SubjectPublicKeyInfo in PEM (`-----BEGIN PUBLIC KEY-----`).
    pub(crate) fn from_pem(algorithm: Algorithm, pem: &str) -> Option<Material> {
        match algorithm {
            Algorithm::Rs256 => Material::rsa(RsaPublicKey::from_public_key_pem(pem).ok()?),
            Algorithm::Es256 => {
                let key = p256::PublicKey::from_public_key_pem(pem).ok()?;
                Some(Material::Es256(Box::new(key.into())))
            }
            Algorithm::EdDsa => {
                Material::ed25519(ed25519_dalek::VerifyingKey::from_public_key_pem(pem).ok()?)
            }
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => None,
        }
    }

    /// From base64url of an Ed25519 public key's 32 bytes.
    pub(crate) fn from_ed25519(x: &str) -> Option<Material> {
        Material::ed25519(ed25519_dalek::VerifyingKey::from_bytes(&decode_32(x)?).ok()?)
    }

    /// From base64url of modulus and exponent.
    pub(crate) fn from_rsa(n: &str, e: &str) -> Option<Material> {
        let integer = |text: &str| Some(rsa::BigUint::from_bytes_be(&decode(text)?));
        Material::rsa(RsaPublicKey::new(integer(n)?, integer(e)?).ok()?)
    }

    /// From base64url of the coordinates of a point on P-256.
    pub(crate) fn from_p256(x: &str, y: &str) -> Option<Material> {
        let (x, y) = (decode_32(x)?, decode_32(y)?);
        let point = p256::EncodedPoint::from_affine_coordinates(&x.into(), &y.into(), false);
        let key = p256::ecdsa::VerifyingKey::from_encoded_point(&point).ok()?;
        Some(Material::Es256(Box::new(key)))
    }

    fn rsa(key: RsaPublicKey) -> Option<Material> {
        (key.n().bits() >= RSA_BITS_MIN).then(|| Material::Rs256(Box::new(pkcs1v15::VerifyingKey::new(key))))
    }

    pub(crate) fn ed25519(key: ed25519_dalek::VerifyingKey) -> Option<Material> {
        (!key.is_weak()).then(|| Material::EdDsa(Box::new(key)))
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Material::Hs256(_) => Algorithm::Hs256,
            Material::Hs384(_) => Algorithm::Hs384,
            Material::Hs512(_) => Algorithm::Hs512,
            Material::Rs256(_) => Algorithm::Rs256,
            Material::Es256(_) => Algorithm::Es256,
            Material::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    /// Tags are compared in constant time. An ES256 signature is r and s, 64 bytes, never DER (RFC 7518 §3.4).
    pub(crate) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Material::Hs256(mac) => mac.clone().chain_update(signed).verify_slice(signature).is_ok(),
            Material::Hs384(mac) => mac.clone().chain_update(signed).verify_slice(signature).is_ok(),
            Material::Hs512(mac) => mac.clone().chain_update(signed).verify_slice(signature).is_ok(),
            Material::Rs256(key) => pkcs1v15::Signature::try_from(signature)
                .is_ok_and(|signature| key.verify(signed, &signature).is_ok()),
            Material::Es256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(signed, &signature).is_ok()),
            Material::EdDsa(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(signed, &signature).is_ok()),
        }
    }
}

/// Base64url, with or without padding, as people paste it.
pub(crate) fn decode(base64url: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(base64url.trim_end_matches('=')).ok()
}

pub(crate) fn decode_32(base64url: &str) -> Option<[u8; 32]> {
    decode(base64url)?.try_into().ok()
}
