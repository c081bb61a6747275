//! The keys that tokens are verified with, each with its algorithm.

use std::fmt;

use schemas::Tenant;
use serde::de::DeserializeOwned;

use crate::{
    algorithm::Algorithm,
    header::Header,
    issuer::{Begun, Fetch, Issuer, Standing, Wanted},
    jwk::JwksError,
    key_config::{Configured, EntryConfig},
    material::Material,
    refusal::{Flaw, Refusal},
    signing_key::SigningKey,
};

/// A mistake in a secret: where, and what would be right. Never quotes the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct KeyError {
    pub path: String,
    pub message: String,
}

impl KeyError {
    pub(crate) fn at(index: usize, field: &str, message: impl Into<String>) -> KeyError {
        KeyError { path: format!("[{index}].{field}"), message: message.into() }
    }
}

/// One trusted key, and what tokens under it must say.
#[derive(Clone)]
pub(crate) struct Key {
    /// `None` only for the one key of a fetched set that has no name.
    pub(crate) kid: Option<String>,
    pub(crate) material: Material,
    pub(crate) tenant: Option<Tenant>,
    pub(crate) iss: Option<String>,
    pub(crate) aud: Option<String>,
    /// Whether it is of an issuer's set, which ages.
    pub(crate) fetched: bool,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("algorithm", &self.material.algorithm())
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// Every key that tokens may be signed with: those of `ROOMCAST_KEYS`, those that its issuers publish, and the
/// gateway's own.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    configured: Vec<Key>,
    issuers: Vec<Issuer>,
    own: Option<Key>,
}

impl Keys {
    /// Parses a list of keys and issuers:
    ///
    /// * `{"kid": "a", "alg": "HS256", "secret": "…base64url…"}`, likewise HS384 and HS512;
    /// * `{"kid": "b", "alg": "RS256", "public_key": "-----BEGIN PUBLIC KEY-----…"}`, likewise ES256 and EdDSA, which
    ///   also takes base64url of the 32 bytes;
    /// * `{"jwk": {…}}`, whose `kid` and `alg` may stand in it or beside it;
    /// * `{"jwks_url": "https://…", "iss": "…"}`, with `algs` where not every algorithm of a public key is welcome.
    ///
    /// Each may have `tenant`, `iss` and `aud`, which its tokens must then say. A `kid` may stand several times under
    /// different `iss`.
    ///
    /// # Errors
    /// The first mistake, with its path.
    pub fn parse(json: &str) -> Result<Keys, KeyError> {
        let mut keys = Keys::default();
        for (index, config) in parse_list::<EntryConfig>(json)?.into_iter().enumerate() {
            match config.check(index)? {
                Configured::Key(key) => {
                    if keys.configured.iter().any(|other| other.kid == key.kid && other.iss == key.iss) {
                        return Err(KeyError::at(index, "kid", "stands twice"));
                    }
                    keys.configured.push(*key);
                }
                Configured::Issuer(issuer) => {
                    if keys.issuers.iter().any(|other| other.iss == issuer.iss) {
                        return Err(KeyError::at(index, "iss", "stands twice beside a jwks_url"));
                    }
                    keys.issuers.push(*issuer);
                }
            }
        }
        Ok(keys)
    }

    /// Trusts what the gateway itself mints.
    ///
    /// # Errors
    /// When a configured key has the same `kid`, and is another key.
    pub fn trust(&mut self, signing_key: &SigningKey) -> Result<(), KeyError> {
        let kid = Some(signing_key.kid());
        if let Some(index) = self.configured.iter().position(|key| key.kid.as_deref() == kid) {
            return Err(KeyError::at(index, "kid", "is that of ROOMCAST_SIGNING_KEY"));
        }
        let material = signing_key.material();
        let kid = kid.map(Into::into);
        self.own = Some(Key { kid, material, tenant: None, iss: None, aud: None, fetched: false });
        Ok(())
    }

    /// Who fetches what [`Refusal::Unready`] wants. What is to be got is then on its way, for others too.
    #[must_use]
    pub fn fetch(&mut self, wanted: Wanted, now_ms: u64) -> Fetch {
        let Some(issuer) = self.issuers.get_mut(wanted.issuer) else { return Fetch::Done };
        match issuer.set.begin(wanted.unknown, now_ms) {
            Begun::Fetches => Fetch::Get { url: issuer.url.clone(), private: issuer.allow_http },
            Begun::Waits => Fetch::Wait,
            Begun::No => Fetch::Done,
        }
    }

    /// Takes what was fetched. What cannot be read changes nothing: the last good set stays.
    ///
    /// # Errors
    /// What is wrong with it, for the log.
    pub fn fetched(&mut self, wanted: Wanted, json: &[u8], now_ms: u64) -> Result<(), JwksError> {
        self.issuers.get_mut(wanted.issuer).map_or(Ok(()), |issuer| issuer.take(json, now_ms))
    }

    /// The fetch brought nothing.
    pub fn failed(&mut self, wanted: Wanted) {
        if let Some(issuer) = self.issuers.get_mut(wanted.issuer) {
            issuer.set.fail();
        }
    }

    /// The `iss` of the issuer whose keys are wanted, for the log.
    #[must_use]
    pub fn issuer(&self, wanted: Wanted) -> &str {
        self.issuers.get(wanted.issuer).map_or("", |issuer| &issuer.iss)
    }

    /// The key that a token with this header, which says that it is from `iss`, was signed with, if it was. Nothing
    /// of it is believed yet: a token that lies about its issuer finds a key that did not sign it.
    pub(crate) fn select(&self, header: &Header, iss: Option<&str>, now_ms: u64) -> Result<&Key, Refusal> {
        let found = match &header.kid {
            Some(kid) => self.named(kid, header.algorithm, iss),
            None => self.only(header.algorithm, iss),
        };
        let mut issuers = self.issuers.iter().enumerate();
        let Some((index, issuer)) = issuers.find(|(_, issuer)| Some(issuer.iss.as_str()) == iss) else {
            return Ok(found?);
        };
        let known = match found {
            Ok(key) if header.kid.is_some() && !key.fetched => return Ok(key),
            // Without a `kid` it must be the only one, which shows once the set is there.
            Ok(_) => issuer.set.is_there(),
            Err(_) => false,
        };
        match issuer.set.standing(known, now_ms) {
            Standing::Good => Ok(found?),
            Standing::Wanted { unknown } => Err(Refusal::Unready(Wanted { issuer: index, unknown })),
            Standing::Unavailable => Err(Refusal::KeysUnavailable),
        }
    }

    /// Keys for tokens of that issuer, those that name it first.
    fn candidates<'a, 'b>(&'a self, iss: Option<&'b str>) -> impl Iterator<Item = &'a Key> + use<'a, 'b> {
        let of_issuer = move |key: &&Key| key.iss.is_some() && key.iss.as_deref() == iss;
        let fetched = self.issuers.iter().flat_map(|issuer| &issuer.set.keys);
        let of_any = self.configured.iter().filter(|key| key.iss.is_none());
        self.configured.iter().chain(fetched).filter(of_issuer).chain(of_any)
    }

    fn named(&self, kid: &str, algorithm: Option<Algorithm>, iss: Option<&str>) -> Result<&Key, Flaw> {
        let mut named =
            self.candidates(iss).chain(&self.own).filter(|key| key.kid.as_deref() == Some(kid)).peekable();
        if named.peek().is_none() {
            let under_another = self.configured.iter().any(|key| key.kid.as_deref() == Some(kid));
            return Err(if under_another { Flaw::Issuer } else { Flaw::UnknownKey });
        }
        named.find(|key| Some(key.material.algorithm()) == algorithm).ok_or(Flaw::Algorithm)
    }

    /// The one key of that algorithm; where there is none but the gateway's own, that.
    fn only(&self, algorithm: Option<Algorithm>, iss: Option<&str>) -> Result<&Key, Flaw> {
        let is_of = |key: &&Key| Some(key.material.algorithm()) == algorithm;
        let mut candidates = self.candidates(iss).filter(is_of);
        match (candidates.next(), candidates.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(Flaw::NoKey),
            (None, _) => self.own.as_ref().filter(is_of).ok_or(Flaw::NoKey),
        }
    }
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
