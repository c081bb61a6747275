//! The shell of a tenant's directory: one Durable Object a shard.
//!
//! What it makes of what it is told is in `directory-core`, natively testable. Here:
//!
//! * [`object`]: the class `Directory` that the platform constructs: reports and calls in, answers out, and its alarm.
//! * [`shard`]: what a shard knows, on its SQLite.
//! * [`rooms`]: calls to rooms: news for all that are occupied, and questions to those that are overdue.
//!
//! No publish waits for any of this.

mod object;
mod rooms;
mod shard;
mod sql;

pub use object::DirectoryObject;
