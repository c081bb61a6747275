//! An issuer whose keys are fetched: what is kept of them, and when they are fetched again. Time is an argument; the
//! fetch is the shell's.

use std::fmt;

use schemas::Tenant;

use crate::{
    algorithm::Algorithm,
    jwk::{JwksError, read_set},
    keys::Key,
};

/// A set is believed for so long; then it is fetched again, by whoever needs it next.
pub const JWKS_FRESH_MS: u64 = 10 * 60 * 1000;
/// Tokens with a `kid` that is not in the set make it fetched again at most so often.
pub const JWKS_UNKNOWN_KID_MS: u64 = 60_000;
/// An issuer that is down is asked again for a set that is no longer fresh at most so often.
pub const JWKS_STALE_RETRY_MS: u64 = 30_000;
/// The same where there never was a set, so that nobody gets in.
pub const JWKS_FIRST_RETRY_MS: u64 = 5_000;
/// A fetch takes at most so long.
pub const JWKS_FETCH_MS: u64 = 5_000;
/// A fetch that nobody has heard of for so long has died with the request that made it.
const FETCH_DEAD_MS: u64 = JWKS_FETCH_MS + 1_000;

/// A fetch that a token waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub(crate) issuer: usize,
    /// For a `kid` that the set does not have.
    pub(crate) unknown: bool,
}

/// What to do about a fetch that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetch {
    /// Get this address, and tell [`Keys::fetched`](crate::Keys::fetched) or [`Keys::failed`](crate::Keys::failed).
    Get {
        url: String,
        /// Whether the operator allows plain HTTP, and with it a private network.
        private: bool,
    },
    /// Another request is fetching it.
    Wait,
    /// It is there, or is not to be asked for again yet.
    Done,
}

/// How far a token gets with a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// With what is there.
    Good,
    /// A fetch first.
    Wanted { unknown: bool },
    /// What is needed is not there, and the last fetch failed: the issuer's word is missing.
    Unavailable,
}

/// What was configured of an issuer, and its set.
#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) allow_http: bool,
    pub(crate) iss: String,
    pub(crate) aud: Option<String>,
    pub(crate) tenant: Option<Tenant>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) set: KeySet,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("iss", &self.iss).field("set", &self.set).finish_non_exhaustive()
    }
}

/// Times are milliseconds since 1970.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeySet {
    pub(crate) keys: Vec<Key>,
    /// When `keys` came; `None` before the first time.
    fetched_at: Option<u64>,
    /// When a fetch last began.
    tried_at: Option<u64>,
    /// When one last began for an unknown `kid`.
    tried_unknown_at: Option<u64>,
    in_flight: bool,
    failed: bool,
}

impl Issuer {
    /// Reads a fetched set; where that fails, what was there stays.
    pub(crate) fn take(&mut self, json: &[u8], now_ms: u64) -> Result<(), JwksError> {
        self.set.fail();
        let keys = read_set(json, &self.algorithms)?;
        self.set.failed = false;
        self.set.fetched_at = Some(now_ms);
        self.set.keys = keys
            .into_iter()
            .map(|(kid, material)| Key {
                kid,
                material,
                tenant: self.tenant.clone(),
                iss: Some(self.iss.clone()),
                aud: self.aud.clone(),
                fetched: true,
            })
            .collect();
        Ok(())
    }
}

impl KeySet {
    pub(crate) fn is_there(&self) -> bool {
        self.fetched_at.is_some()
    }

    /// How far a token gets whose key is `known` to be in the set, or is not.
    pub(crate) fn standing(&self, known: bool, now_ms: u64) -> Standing {
        let unknown = self.fetched_at.is_some() && !known;
        let wanted = match self.fetched_at {
            _ if self.is_in_flight(now_ms) => !known,
            None => has_passed(self.tried_at, JWKS_FIRST_RETRY_MS, now_ms),
            Some(_) if unknown => has_passed(self.tried_unknown_at, JWKS_UNKNOWN_KID_MS, now_ms),
            fetched_at => {
                has_passed(fetched_at, JWKS_FRESH_MS, now_ms)
                    && has_passed(self.tried_at, JWKS_STALE_RETRY_MS, now_ms)
            }
        };
        match (wanted, known) {
            (true, _) => Standing::Wanted { unknown },
            (false, false) if self.failed => Standing::Unavailable,
            (false, _) => Standing::Good,
        }
    }

    /// Whether whoever wants the set fetches it. It is then in flight.
    pub(crate) fn begin(&mut self, unknown: bool, now_ms: u64) -> Begun {
        if self.is_in_flight(now_ms) {
            return Begun::Waits;
        }
        let known = self.fetched_at.is_some() && !unknown;
        if !matches!(self.standing(known, now_ms), Standing::Wanted { .. }) {
            return Begun::No;
        }
        self.in_flight = true;
        self.tried_at = Some(now_ms);
        if unknown {
            self.tried_unknown_at = Some(now_ms);
        }
        Begun::Fetches
    }

    pub(crate) fn fail(&mut self) {
        self.in_flight = false;
        self.failed = true;
    }

    fn is_in_flight(&self, now_ms: u64) -> bool {
        self.in_flight && !has_passed(self.tried_at, FETCH_DEAD_MS, now_ms)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begun {
    Fetches,
    Waits,
    No,
}

/// Whether so long has passed since. A clock that stepped back counts as if it had.
fn has_passed(since: Option<u64>, interval_ms: u64, now_ms: u64) -> bool {
    since.and_then(|since| now_ms.checked_sub(since)).is_none_or(|passed| passed >= interval_ms)
}
