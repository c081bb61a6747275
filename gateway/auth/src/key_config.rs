//! One entry of `ROOMCAST_KEYS`, checked.

use schemas::Tenant;
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use crate::{
    algorithm::Algorithm,
    issuer::{Issuer, KeySet},
    jwk::{Jwk, KID_BYTES_MAX},
    keys::{Key, KeyError},
    material::{Material, decode},
};

const URL_BYTES_MAX: usize = 2048;

/// What sets may hold where `algs` does not say.
const PUBLIC: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntryConfig {
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    secret: Option<SecretText>,
    #[serde(default)]
    public_key: Option<SecretText>,
    #[serde(default)]
    jwk: Option<Box<RawValue>>,
    #[serde(default)]
    jwks_url: Option<String>,
    /// Of what is fetched.
    #[serde(default)]
    algs: Option<Vec<String>>,
    /// Whether `jwks_url` may be plain HTTP, and in a private network where the deployment has one.
    #[serde(default)]
    allow_http: Option<bool>,
    #[serde(default)]
    tenant: Option<Tenant>,
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    aud: Option<String>,
}

/// A string that no error message quotes: a private key is easily pasted for a public one.
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

pub(crate) enum Configured {
    Key(Box<Key>),
    Issuer(Box<Issuer>),
}

impl EntryConfig {
    pub(crate) fn check(self, index: usize) -> Result<Configured, KeyError> {
        match self.jwks_url {
            Some(_) => Ok(Configured::Issuer(Box::new(self.issuer(index)?))),
            None => Ok(Configured::Key(Box::new(self.key(index)?))),
        }
    }

    fn issuer(self, index: usize) -> Result<Issuer, KeyError> {
        let wrong = |field: &str, message: &str| Err(KeyError::at(index, field, message));
        let of_one_key = [
            ("kid", self.kid.is_some()),
            ("alg", self.alg.is_some()),
            ("secret", self.secret.is_some()),
            ("public_key", self.public_key.is_some()),
            ("jwk", self.jwk.is_some()),
        ];
        if let Some((field, _)) = of_one_key.iter().find(|(_, given)| *given) {
            return wrong(field, "does not stand beside jwks_url, which tells of keys itself");
        }
        let url = self.jwks_url.unwrap_or_default();
        let allow_http = self.allow_http.unwrap_or_default();
        if !is_address(&url, allow_http) {
            return wrong("jwks_url", "is an https address (or http, where allow_http is true)");
        }
        let Some(iss) = self.iss else { return wrong("iss", "is needed beside jwks_url") };
        let algorithms = match self.algs {
            None => PUBLIC.to_vec(),
            Some(algs) if algs.is_empty() => return wrong("algs", "names one at least"),
            Some(algs) => read_algorithms(index, &algs)?,
        };
        let set = KeySet::default();
        Ok(Issuer { url, allow_http, iss, aud: self.aud, tenant: self.tenant, algorithms, set })
    }

    fn key(self, index: usize) -> Result<Key, KeyError> {
        for (field, given) in [("algs", self.algs.is_some()), ("allow_http", self.allow_http.is_some())] {
            if given {
                return Err(KeyError::at(index, field, "stands beside jwks_url alone"));
            }
        }
        let jwk = self.jwk.as_deref().map(|jwk| read_jwk(index, jwk)).transpose()?;
        let (named, jwk) = jwk.unzip();
        let kid = match (self.kid, named.flatten()) {
            (Some(kid), Some(named)) if kid != named => {
                return Err(KeyError::at(index, "kid", "is not that of the jwk"));
            }
            (kid, named) => kid.or(named).ok_or_else(|| KeyError::at(index, "kid", "is needed"))?,
        };
        if !(1..=KID_BYTES_MAX).contains(&kid.len()) {
            return Err(KeyError::at(index, "kid", format!("is 1 to {KID_BYTES_MAX} bytes")));
        }
        let algorithm = match (&self.alg, &jwk) {
            (Some(alg), _) => Algorithm::parse(alg).ok_or_else(|| KeyError::at(index, "alg", one_of()))?,
            (None, Some(jwk)) => jwk.algorithm(),
            (None, None) => return Err(KeyError::at(index, "alg", format!("is needed: it {}", one_of()))),
        };
        let material = material(index, algorithm, self.secret, self.public_key, jwk)?;
        let (tenant, iss, aud) = (self.tenant, self.iss, self.aud);
        Ok(Key { kid: Some(kid), material, tenant, iss, aud, fetched: false })
    }
}

/// Exactly one of them is given, and is the algorithm's.
fn material(
    index: usize,
    algorithm: Algorithm,
    secret: Option<SecretText>,
    public_key: Option<SecretText>,
    jwk: Option<Material>,
) -> Result<Material, KeyError> {
    let wrong = |field: &str, message: String| Err(KeyError::at(index, field, message));
    let name = algorithm.as_str();
    match (algorithm.secret_bytes_min(), secret, public_key, jwk) {
        (Some(bytes_min), Some(secret), None, None) => {
            decode(&secret.0).and_then(|secret| Material::from_secret(algorithm, &secret)).ok_or_else(|| {
                KeyError::at(index, "secret", format!("is base64url of at least {bytes_min} bytes"))
            })
        }
        (Some(_), _, Some(_), _) => wrong("public_key", format!("is not for {name}, which has a secret")),
        (Some(_), _, _, Some(_)) => wrong("jwk", format!("is not for {name}, which has a secret")),
        (Some(_), None, None, None) => wrong("secret", format!("is needed for {name}")),
        (None, Some(_), _, _) => wrong("secret", format!("is not for {name}, which has a public key")),
        (None, None, Some(_), Some(_)) => wrong("jwk", "does not stand beside public_key".into()),
        (None, None, Some(public_key), None) => read_public_key(index, algorithm, &public_key.0),
        (None, None, None, Some(jwk)) if jwk.algorithm() == algorithm => Ok(jwk),
        (None, None, None, Some(_)) => wrong("alg", "is not that of the jwk".into()),
        (None, None, None, None) => wrong("public_key", format!("is needed for {name}, or a jwk")),
    }
}

fn read_public_key(index: usize, algorithm: Algorithm, text: &str) -> Result<Material, KeyError> {
    let text = text.trim();
    let material = match algorithm {
        Algorithm::EdDsa if !text.starts_with('-') => Material::from_ed25519(text),
        _ => Material::from_pem(algorithm, text),
    };
    let shape = match algorithm {
        Algorithm::EdDsa => {
            "is base64url of an Ed25519 public key's 32 bytes, or the key in PEM (BEGIN PUBLIC KEY)"
        }
        Algorithm::Es256 => "is a P-256 public key in PEM (BEGIN PUBLIC KEY)",
        _ => "is an RSA public key of 2048 to 4096 bits in PEM (BEGIN PUBLIC KEY)",
    };
    material.ok_or_else(|| KeyError::at(index, "public_key", shape))
}

/// Its name, where it has one, and the key. Errors quote nothing of it.
fn read_jwk(index: usize, json: &RawValue) -> Result<(Option<String>, Material), KeyError> {
    let jwk = serde_json::from_str::<Jwk>(json.get()).ok();
    jwk.and_then(|jwk| Some((jwk.kid.clone(), jwk.material()?))).ok_or_else(|| {
        let shape =
            "is a public JSON Web Key for signatures: RSA of 2048 to 4096 bits, EC on P-256, or OKP Ed25519";
        KeyError::at(index, "jwk", shape)
    })
}

fn one_of() -> String {
    format!("is one of {}", Algorithm::ALL.map(Algorithm::as_str).join(", "))
}

/// Of public keys alone: a set holds no secrets.
fn read_algorithms(index: usize, names: &[String]) -> Result<Vec<Algorithm>, KeyError> {
    let read = |(at, name): (usize, &String)| {
        Algorithm::parse(name).filter(|algorithm| PUBLIC.contains(algorithm)).ok_or_else(|| {
            let shape = format!("is one of {}", PUBLIC.map(Algorithm::as_str).join(", "));
            KeyError::at(index, &format!("algs[{at}]"), shape)
        })
    };
    names.iter().enumerate().map(read).collect()
}

/// An absolute address without a user, a password or a fragment.
fn is_address(url: &str, allow_http: bool) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://").filter(|_| allow_http));
    let host = rest.map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    url.len() <= URL_BYTES_MAX
        && url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#' && byte != b'\\')
        && host.is_some_and(|host| !host.is_empty() && !host.contains('@'))
}
