//! Tokens that count no longer, though they have not expired: told by the directory to gateways and rooms.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::ids::{TokenId, UserId};

/// Whose tokens are revoked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revoked {
    /// Everyone's in the tenant.
    All,
    /// This user's.
    User(UserId),
    /// The one with this `jti`.
    Jti(TokenId),
}

/// Tokens of one tenant, revoked for a while. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    pub tokens: Revoked,
    /// Only those issued before this; a token that does not say when (`iat`) was issued before any time. `None`: all
    /// of them, also those that are issued later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<u64>,
    /// The revocation ends then, and need not be kept longer: what it was for has expired.
    pub until: u64,
}

/// What a revocation asks about a token, wherever its claims are kept.
#[derive(Debug, Clone, Copy)]
pub struct Bearer<'a> {
    pub user: &'a UserId,
    pub jti: Option<&'a TokenId>,
    /// Milliseconds since 1970.
    pub issued_at: Option<u64>,
}

impl Revocation {
    /// Whether it has not ended at `now_ms`.
    #[must_use]
    pub fn lasts(&self, now_ms: u64) -> bool {
        now_ms < self.until
    }

    /// Whether it revokes that token, as long as it lasts. Who came without a token (a `public` kind) has none to lose.
    #[must_use]
    pub fn covers(&self, bearer: Bearer<'_>) -> bool {
        let meant = match &self.tokens {
            Revoked::All => true,
            Revoked::User(user) => user == bearer.user,
            Revoked::Jti(jti) => bearer.jti == Some(jti),
        };
        meant && self.issued_before.is_none_or(|before| bearer.issued_at.is_none_or(|at| at < before))
    }
}

/// The body of `POST /v1/revocations`: `user` or `jti`, or `issued_before` alone for the whole tenant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", schemars(extend("oneOf" = crate::openapi::ways(&[
    (&["user"], &["jti"]),
    (&["jti"], &["user", "issued_before"]),
    (&["issued_before"], &["user", "jti"]),
]))))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
#[serde(deny_unknown_fields)]
pub struct RevocationBody {
    #[serde(default)]
    pub user: Option<UserId>,
    /// At most 256 bytes.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schemars(length(min = 1, max = crate::limits::JTI_BYTES_MAX)))]
    pub jti: Option<String>,
    /// Milliseconds since 1970. With `user`, now where it is absent.
    #[serde(default)]
    pub issued_before: Option<u64>,
    /// Seconds, at most a year: as long as the tokens would live.
    #[cfg_attr(
        feature = "openapi",
        schemars(range(min = 1, max = crate::limits::REVOCATION_TTL_SECONDS_MAX))
    )]
    pub ttl: u64,
}
