//! Rates of users, API keys and addresses, across all gateways. Pure: the clock is an argument.
//!
//! A [`Limiter`] object holds a bucket for each [`Subject`] that belongs to its shard. A gateway does not ask it for each
//! request: it takes a *lease* of several tokens for a second ([`Leases`]), as many as it lately had use for, and spends
//! them by itself. What it does not spend in that time is gone, so that many gateways together never let through more
//! than the rate; a caller that uses many at once gets a little less.

mod lease;
mod limiter;

pub use lease::{Leases, Spent};
pub use limiter::Limiter;

use schemas::{Tenant, UserId, config::Rate};
use serde::{Deserialize, Serialize};

/// The limiter is so many objects.
pub const SHARDS: u32 = 16;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Subject {
    User(Tenant, UserId),
    /// The id of an API key, which is no secret.
    Key(String),
    /// A client's network address, as text.
    Address(String),
}

impl Subject {
    /// The name of the object that holds its bucket: FNV-1a over all of it.
    #[must_use]
    pub fn shard_name(&self) -> String {
        let parts: [&str; 3] = match self {
            Subject::User(tenant, user) => ["user", tenant.as_str(), user.as_str()],
            Subject::Key(id) => ["key", id, ""],
            Subject::Address(address) => ["address", address, ""],
        };
        let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
        let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        (bytes.fold(0x811c_9dc5, mix) % SHARDS).to_string()
    }
}

/// What a gateway asks of a limiter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    pub subject: Subject,
    pub per_second: u32,
    pub burst: u32,
    /// Tokens; at least one.
    pub wanted: u32,
}

impl Ask {
    #[must_use]
    pub fn rate(&self) -> Rate {
        Rate { per_second: self.per_second.max(1), burst: self.burst.max(1) }
    }
}

/// What a limiter answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grant {
    /// So many tokens, at least one.
    Tokens(u32),
    /// There will be one in so many milliseconds.
    Refused { retry_after_ms: u64 },
}
