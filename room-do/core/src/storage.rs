//! What a room keeps, and what it asks of whoever keeps it.

use schemas::{
    Epoch, Offset, Payload, PublicSession, UserId,
    client_message::To,
    http::ScopedKey,
    server_message::{Author, Publication, Reaction, StateEntry},
};
use serde::{Deserialize, Serialize};

use crate::{
    lifecycle::Lifecycle,
    outbox::{LoadedOutbox, OutboxWrites},
    presence::MemberRow,
};

mod memory;

pub use memory::MemoryStorage;

/// One row of the log: a publication and who may see it besides its tags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub publication: Publication,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<To>,
}

/// A record as it is written: its data stands apart, so that it can be erased.
#[derive(Serialize)]
struct Body<'a> {
    publication: BodyPublication<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a To>,
}

#[derive(Serialize)]
struct BodyPublication<'a> {
    offset: Offset,
    time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a Author>,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    refers: Option<Offset>,
}

impl Record {
    /// All of it but the data.
    #[must_use]
    pub fn encode_body(&self) -> Vec<u8> {
        let Publication { offset, time, from, kind, tags, refers, .. } = &self.publication;
        let publication = BodyPublication {
            offset: *offset,
            time: *time,
            from: from.as_ref(),
            kind,
            tags,
            refers: *refers,
        };
        let body = Body { publication, to: self.to.as_ref() };
        rmp_serde::to_vec_named(&body).expect("a record is plain data")
    }

    /// The author's user, who belongs to the audience of its own `to`. Of what refers to another publication it is
    /// that one's author, whom `to` names.
    #[must_use]
    pub(crate) fn author_in_audience(&self) -> Option<&UserId> {
        let from = self.publication.from.as_ref().filter(|_| self.publication.refers.is_none());
        from.map(|from| &from.user)
    }

    /// # Errors
    /// When these bytes are no record.
    pub fn decode(row: &Row) -> Result<Record, StorageError> {
        let mut record: Record = rmp_serde::from_slice(&row.body)
            .map_err(|error| StorageError(format!("a log row cannot be read: {error}")))?;
        // Rows of the first layout hold their data in the body.
        if let Some(data) = &row.data {
            record.publication.data = Some(data.clone());
        }
        record.publication.removed = record.publication.data.is_none();
        Ok(record)
    }
}

/// A row of the log as it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub body: Vec<u8>,
    /// `None` where it was erased.
    pub data: Option<Payload>,
}

impl Row {
    /// Bytes of body and data.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len() + self.data.as_ref().map_or(0, Payload::len)
    }
}

/// A record as it is appended.
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    pub offset: Offset,
    /// Milliseconds since 1970; never less than that of the record before.
    pub time: u64,
    /// Bytes of all bodies and data from the epoch's first to this one: the difference of two rows is what lies
    /// between.
    pub bytes_total: u64,
    /// The [`Record`] without its data, encoded.
    pub body: Vec<u8>,
    /// `None` for an edit that was removed in the same flush.
    pub data: Option<Payload>,
    /// Of an edit, a removal or a reaction: what it is about.
    pub refers: Option<Refers>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refers {
    pub target: Offset,
    pub verb: Verb,
}

/// How a publication refers to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Edit,
    Remove,
    React,
}

impl Verb {
    /// The type of such a publication.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Edit => "edit",
            Verb::Remove => "remove",
            Verb::React => "react",
        }
    }
}

/// One user's reaction to one publication.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReactionKey {
    pub target: Offset,
    pub name: String,
    pub user: UserId,
}

/// Reactions of one name to one publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reactions {
    pub target: Offset,
    pub name: String,
    pub reaction: Reaction,
}

/// A publish that may come again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    pub key: ScopedKey,
    pub offset: Offset,
    /// When it was published, in milliseconds since 1970.
    pub at: u64,
    /// Of what was published: the same key with another body is a conflict.
    pub hash: Vec<u8>,
}

/// One key of shared state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateRow {
    pub entry: StateEntry,
    /// The user of the owning session: together they name the member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_user: Option<UserId>,
}

/// Takes away what a removed publication and its edits said, and the reactions to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    pub target: Offset,
    /// The row's body, without any data.
    pub body: Vec<u8>,
}

/// A named timer of the room's behavior.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerRow {
    pub name: String,
    /// For when it was scheduled, in milliseconds since 1970.
    pub due: u64,
    /// When it is tried next: `due`, or later after tries that failed.
    pub at: u64,
    /// Of the next try: 1 for the first.
    pub attempt: u32,
    pub payload: Payload,
}

/// Keys of stored values that are the room's own, and not its behavior's, begin with it.
pub const OWN_KEYS: char = '$';

/// Keys of stored values, in the order of their bytes. Those of the room's own are not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key that is in it.
    pub from: String,
    /// The first key behind it; `None` for no end.
    pub until: Option<String>,
    /// From its end.
    pub reverse: bool,
    pub limit: usize,
}

/// What SQLite takes and gives.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlValue {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

/// What a statement returned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SqlRows {
    pub columns: Vec<String>,
    /// Each with a value a column.
    pub rows: Vec<Vec<SqlValue>>,
    /// Rows that it wrote; more than were meant where there are indexes.
    pub written: u64,
}

/// SQLite refused a behavior's statement: a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("SQL: {0}")]
pub struct SqlError(pub String);

/// Everything that one flush changes: all of it is kept, or nothing. Applied in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Writes {
    pub meta: Option<Meta>,
    pub appends: Vec<Append>,
    pub erasures: Vec<Erasure>,
    /// With the offset of the publication that says so.
    pub reactions_put: Vec<(ReactionKey, Offset)>,
    pub reactions_removed: Vec<ReactionKey>,
    pub keys_put: Vec<KeyRow>,
    /// Keys published before it go: milliseconds since 1970.
    pub keys_expired: Option<u64>,
    /// So many of the oldest keys go.
    pub keys_dropped: u64,
    pub state_put: Vec<(String, StateRow)>,
    pub state_removed: Vec<String>,
    pub members_put: Vec<MemberRow>,
    pub members_removed: Vec<(UserId, PublicSession)>,
    /// Who is kept out, and until when, in milliseconds since 1970.
    pub blocks_put: Vec<(UserId, u64)>,
    /// Never one that is put besides.
    pub blocks_removed: Vec<UserId>,
    /// Values of the room's behavior.
    pub values_put: Vec<(String, Vec<u8>)>,
    /// Never one that is put besides.
    pub values_removed: Vec<String>,
    pub timers_put: Vec<TimerRow>,
    /// Never one that is put besides.
    pub timers_removed: Vec<String>,
    /// Records at or below it go, and reactions to them. Comes with `meta`, since the head must outlive the records.
    pub trim_through: Option<Offset>,
    /// Events for webhooks, and how far their endpoints are.
    pub outbox: Option<OutboxWrites>,
}

impl Writes {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Writes::default()
    }
}

/// The log's identity, its head as of the last time this was written (later appends tell the head themselves), and
/// where the room stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    pub epoch: Epoch,
    pub head: Offset,
    pub bytes_total: u64,
    /// The time of the newest publication there was, in milliseconds since 1970.
    pub time: u64,
    /// The counter of shared state.
    pub state_version: u64,
    pub lifecycle: Lifecycle,
}

/// What a log row tells without its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub offset: Offset,
    pub time: u64,
    pub bytes_total: u64,
}

/// How many keys are remembered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyCount {
    pub count: u64,
    /// When the oldest was published.
    pub oldest_at: Option<u64>,
}

/// All that a room is rebuilt from, but for the log's records, its keys and the sockets' attachments.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// `None`: the room was never used.
    pub meta: Option<Meta>,
    /// The oldest and the newest record.
    pub log: Option<(Mark, Mark)>,
    pub members: Vec<MemberRow>,
    pub state: Vec<(String, StateRow)>,
    pub keys: KeyCount,
    /// Who is kept out, and until when, in milliseconds since 1970.
    pub blocks: Vec<(UserId, u64)>,
    pub outbox: LoadedOutbox,
    pub timers: Vec<TimerRow>,
}

/// A statement failed; what it belonged to was rolled back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("storage failed: {0}")]
pub struct StorageError(pub String);

/// Which rows of the log are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    All,
    /// Those that refer to no other.
    Messages,
}

/// Where a room keeps what must outlive it. Synchronous, as Durable Objects' SQLite is. Reading fails where a
/// statement does.
#[expect(clippy::missing_errors_doc, reason = "each fails where a statement does, and keeps nothing then")]
pub trait Storage {
    /// Applies all of it or nothing.
    fn commit(&mut self, writes: &Writes) -> Result<(), StorageError>;

    /// Deletes everything: the room is as if it had never been. With `outbox`, events that wait for their endpoints
    /// stay, refer to no offset any more, and these changes of them are kept in the same transaction.
    fn wipe(&mut self, outbox: Option<&OutboxWrites>) -> Result<(), StorageError>;

    /// At most `limit` rows above `after`, ascending.
    fn read_after(&self, after: Offset, limit: usize, rows: Rows) -> Result<Vec<Row>, StorageError>;

    /// At most `limit` rows below `before`, descending.
    fn read_before(&self, before: Offset, limit: usize, rows: Rows) -> Result<Vec<Row>, StorageError>;

    /// The oldest record above `after` that is no older than `time_min` and above `bytes_total_min`.
    fn first_kept(
        &self,
        after: Offset,
        time_min: u64,
        bytes_total_min: u64,
    ) -> Result<Option<Mark>, StorageError>;

    /// The last edit of each record in the range that was edited.
    fn last_edits(&self, from: Offset, through: Offset) -> Result<Vec<Row>, StorageError>;

    /// The reactions to each record in the range, with at most `users_max` users, those who reacted first.
    fn reactions(
        &self,
        from: Offset,
        through: Offset,
        users_max: u32,
    ) -> Result<Vec<Reactions>, StorageError>;

    /// Whether this user's reaction of this name stands.
    fn reacted(&self, key: &ReactionKey) -> Result<bool, StorageError>;

    /// The names of the reactions to a record, and how many users each has.
    fn reaction_names(&self, target: Offset) -> Result<Vec<(String, u32)>, StorageError>;

    /// Those of the keys that are remembered.
    fn key_count(&self) -> Result<KeyCount, StorageError>;

    fn read_keys(&self, keys: &[ScopedKey]) -> Result<Vec<KeyRow>, StorageError>;

    /// Those of the behavior's values that there are.
    fn read_values(&self, keys: &[&str]) -> Result<Vec<(String, Vec<u8>)>, StorageError>;

    /// The behavior's values in a range.
    fn list_values(&self, range: &KeyRange) -> Result<Vec<(String, Vec<u8>)>, StorageError>;

    /// Runs one statement of the behavior. Within [`Storage::transact`] alone.
    fn sql(&self, query: &str, bindings: &[SqlValue]) -> Result<SqlRows, SqlError> {
        Err(SqlError(format!("this storage has no SQLite for {query:?} and its {} bindings", bindings.len())))
    }

    /// What `work` does is kept if it returns `Ok`, with what it commits; else nothing of it is.
    fn transact(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Storage) -> Result<(), StorageError>,
    ) -> Result<(), StorageError>;

    /// Within [`Storage::transact`]: the statements of `work` stay if it returns true, else none of them.
    fn savepoint(&self, work: &mut dyn FnMut() -> bool) -> Result<(), StorageError> {
        work();
        Ok(())
    }

    /// Events as they are sent, in the order of these numbers; those that are not there are left out.
    fn read_outbox(&self, numbers: &[u64]) -> Result<Vec<String>, StorageError>;
}
