//! JSON Web Keys and sets of them: RFC 7517, 7518 §6, 8037 §2.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{algorithm::Algorithm, material::Material};

/// A set's text, in bytes.
pub const JWKS_BYTES_MAX: usize = 64 * 1024;
pub const JWKS_KEYS_MAX: usize = 100;
pub(crate) const KID_BYTES_MAX: usize = 128;

/// One key as it is written; members that it may have beside these (RFC 7517 §4) are ignored.
#[derive(Deserialize)]
pub(crate) struct Jwk {
    kty: String,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    used_for: Option<String>,
    #[serde(default)]
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) kid: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
    /// Its private half, which is nobody's to publish.
    #[serde(default)]
    d: Option<serde::de::IgnoredAny>,
}

impl Jwk {
    /// `None` for a key that no token may be signed with: a secret, a private key, one of another use, of an unknown
    /// type or curve, or whose `alg` is not that of its type.
    pub(crate) fn material(&self) -> Option<Material> {
        let for_signatures = self.used_for.as_ref().is_none_or(|used_for| used_for == "sig");
        let for_verifying = self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if self.d.is_some() || !for_signatures || !for_verifying {
            return None;
        }
        let material = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", None) => Material::from_rsa(self.n.as_deref()?, self.e.as_deref()?)?,
            ("EC", Some("P-256")) => Material::from_p256(self.x.as_deref()?, self.y.as_deref()?)?,
            ("OKP", Some("Ed25519")) => Material::from_ed25519(self.x.as_deref()?)?,
            _ => return None,
        };
        let algorithm = material.algorithm();
        self.alg.as_ref().is_none_or(|alg| alg == algorithm.as_str()).then_some(material)
    }
}

/// Why a set could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwksError {
    TooLong,
    /// No object with a list of `keys`.
    NoSet,
    TooManyKeys,
}

impl fmt::Display for JwksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JwksError::TooLong => write!(f, "the set is longer than {JWKS_BYTES_MAX} bytes"),
            JwksError::NoSet => f.write_str("the answer is no JSON Web Key Set"),
            JwksError::TooManyKeys => write!(f, "the set has more than {JWKS_KEYS_MAX} keys"),
        }
    }
}

/// The keys of a set that tokens may be signed with, by `kid`. Others are skipped, as RFC 7517 §5 asks: an issuer has
/// keys for more than us. Without a `kid` is only one that is alone.
pub(crate) fn read_set(
    json: &[u8],
    algorithms: &[Algorithm],
) -> Result<Vec<(Option<String>, Material)>, JwksError> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Box<RawValue>>,
    }

    if json.len() > JWKS_BYTES_MAX {
        return Err(JwksError::TooLong);
    }
    let set: Set = serde_json::from_slice(json).map_err(|_| JwksError::NoSet)?;
    if set.keys.len() > JWKS_KEYS_MAX {
        return Err(JwksError::TooManyKeys);
    }
    let mut keys: Vec<(Option<String>, Material)> = set
        .keys
        .iter()
        .filter_map(|key| serde_json::from_str::<Jwk>(key.get()).ok())
        .filter(|jwk| jwk.kid.as_ref().is_none_or(|kid| (1..=KID_BYTES_MAX).contains(&kid.len())))
        .filter_map(|jwk| Some((jwk.kid.clone(), jwk.material()?)))
        .filter(|(_, material)| algorithms.contains(&material.algorithm()))
        .collect();
    if keys.len() > 1 {
        keys.retain(|(kid, _)| kid.is_some());
    }
    Ok(keys)
}
