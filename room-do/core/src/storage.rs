//! What a room keeps, and what it asks of whoever keeps it.

use schemas::{Epoch, Offset, PublicSession, UserId, client_message::To, server_message::Publication};
use serde::{Deserialize, Serialize};

use crate::presence::MemberRow;

mod memory;

pub use memory::MemoryStorage;

/// One row of the log: a publication and who may see it besides its tags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub publication: Publication,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<To>,
}

impl Record {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self).expect("a record is plain data")
    }

    /// # Errors
    /// When these bytes are no record.
    pub fn decode(body: &[u8]) -> Result<Record, StorageError> {
        rmp_serde::from_slice(body)
            .map_err(|error| StorageError(format!("a log row cannot be read: {error}")))
    }
}

/// A record as it is appended.
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    pub offset: Offset,
    /// Milliseconds since 1970; never less than that of the record before.
    pub time: u64,
    /// Bytes of all bodies from the epoch's first to this one: the difference of two rows is what lies between.
    pub bytes_total: u64,
    /// The [`Record`], encoded.
    pub body: Vec<u8>,
}

/// Everything that one flush changes: all of it is kept, or nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Writes {
    pub meta: Option<Meta>,
    pub appends: Vec<Append>,
    pub members_put: Vec<MemberRow>,
    pub members_removed: Vec<(UserId, PublicSession)>,
    /// Records at or below it go. Comes with `meta`, since the head must outlive the records.
    pub trim_through: Option<Offset>,
}

impl Writes {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.meta.is_none()
            && self.appends.is_empty()
            && self.members_put.is_empty()
            && self.members_removed.is_empty()
            && self.trim_through.is_none()
    }
}

/// The log's identity, and its head as of the last trim. (Later appends tell the head themselves.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    pub epoch: Epoch,
    pub head: Offset,
    pub bytes_total: u64,
}

/// What a log row tells without its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub offset: Offset,
    pub time: u64,
    pub bytes_total: u64,
}

/// All that a room is rebuilt from, but for the log's records and the sockets' attachments.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// `None`: the room was never used.
    pub meta: Option<Meta>,
    /// The oldest and the newest record.
    pub log: Option<(Mark, Mark)>,
    pub members: Vec<MemberRow>,
}

/// A statement failed; what it belonged to was rolled back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("storage failed: {0}")]
pub struct StorageError(pub String);

/// Where a room keeps what must outlive it. Synchronous, as Durable Objects' SQLite is.
pub trait Storage {
    /// Applies all of it or nothing.
    ///
    /// # Errors
    /// When any of it failed; nothing is kept then.
    fn commit(&mut self, writes: &Writes) -> Result<(), StorageError>;

    /// At most `limit` bodies above `after`, ascending.
    ///
    /// # Errors
    /// When reading fails.
    fn read_after(&self, after: Offset, limit: usize) -> Result<Vec<Vec<u8>>, StorageError>;

    /// At most `limit` bodies below `before`, descending.
    ///
    /// # Errors
    /// When reading fails.
    fn read_before(&self, before: Offset, limit: usize) -> Result<Vec<Vec<u8>>, StorageError>;

    /// The oldest record above `after` that is no older than `time_min` and above `bytes_total_min`.
    ///
    /// # Errors
    /// When reading fails.
    fn first_kept(
        &self,
        after: Offset,
        time_min: u64,
        bytes_total_min: u64,
    ) -> Result<Option<Mark>, StorageError>;
}
