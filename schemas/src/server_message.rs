//! Server → client.

#[cfg(feature = "ts")]
use alloc::collections::BTreeMap;
use alloc::{boxed::Box, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

pub use crate::{
    codes::NoticeCode,
    named::Named,
    request_error::{Detail, RequestError},
};
use crate::{
    ids::{ConnectionId, PublicSession, RoomName, UserId},
    payload::Payload,
    position::{Epoch, Offset},
};

/// What a server says. Reading one is [`crate::codec::decode_server`]'s.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ServerMessage {
    Welcome(Box<Welcome>),
    Publication(Publication),
    Ephemeral(Ephemeral),
    Position {
        offset: Offset,
    },
    Presence(PresenceDiff),
    Occupancy(Occupancy),
    State(StateChange),
    Reply(Reply),
    /// What a method returned; with `more` there is more to come.
    #[serde(rename = "reply")]
    Returned(Returned),
    Error(RequestError),
    Expiring {
        expires_at: u64,
    },
    Notice {
        code: NoticeCode,
        message: String,
    },
}

/// The answer to hello. What is at or below `offset` is in `publications` or is not sent; what is above comes live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Welcome {
    pub connection: ConnectionId,
    pub session: PublicSession,
    pub user: UserId,
    pub room: RoomName,
    pub kind: String,
    pub epoch: Epoch,
    pub offset: Offset,
    pub recovered: bool,
    /// Why a `recover` was not served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub reason: Option<RecoveryFailure>,
    #[serde(default)]
    pub publications: Vec<Publication>,
    /// The first page of members; absent for those who see none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub members: Option<Vec<Member>>,
    /// The cursor of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub members_next: Option<String>,
    pub occupancy: Occupancy,
    #[serde(default)]
    pub state: StateSnapshot,
    /// The whole subscription: the token's tags and those asked for.
    #[serde(default)]
    pub tags: Vec<String>,
    pub limits: WelcomeLimits,
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub server_time: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional, type = "number"))]
    pub expires_at: Option<u64>,
}

/// The bounds that a client should know of, so that it need not run into them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct WelcomeLimits {
    pub payload_bytes: u32,
    pub presence_bytes: u32,
    pub tags: u32,
    pub frame_bytes: u32,
    /// How long a publish may be repeated under its `key`, in milliseconds.
    #[serde(default)]
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub key_window_ms: u64,
    /// The server cannot see what is unsent: it wants `ack` every 64 frames or 256 KiB.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ack: bool,
}

/// Why a client was not given what it missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum RecoveryFailure {
    TooFarBehind,
    Trimmed,
    EpochChanged,
    Ahead,
    Forbidden,
    NoLog,
}

/// One entry of the log. In history it is folded: publications that refer to it are applied to it, and not listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Publication {
    pub offset: Offset,
    /// When the room took it, in milliseconds since 1970.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub time: u64,
    /// Absent for what a backend published without naming anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub from: Option<Author>,
    /// `message`, `edit`, `remove`, `react`, or the application's own.
    #[serde(rename = "type")]
    pub kind: String,
    /// Absent where it was erased. Of a `remove` it is `null`, of a `react` `{name, on}`.
    #[serde(default, deserialize_with = "crate::payload::present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional, type = "unknown"))]
    pub data: Option<Payload>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "ts", ts(optional, as = "Option<Vec<String>>"))]
    pub tags: Vec<String>,
    /// The publication that an `edit`, `remove` or `react` is about.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub refers: Option<Offset>,
    /// What it said was taken back and erased.
    #[serde(default, skip_serializing_if = "is_false")]
    #[cfg_attr(feature = "ts", ts(optional, as = "Option<bool>"))]
    pub removed: bool,
    /// In history: `data` is what this edit made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub edited: Option<Edited>,
    /// In history: who reacted, by the reaction's name.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    #[cfg_attr(feature = "ts", ts(optional, as = "Option<BTreeMap<String, Reaction>>"))]
    pub reactions: Named<Reaction>,
}

/// The last edit of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Edited {
    pub offset: Offset,
    /// Milliseconds since 1970.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub time: u64,
}

/// One reaction to a publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Reaction {
    /// How many users.
    pub count: u32,
    /// The first of them, ≤ 20.
    pub users: Vec<UserId>,
}

/// Shared state as it stands: one counter a room, which every write moves; a key's version is the counter after its
/// last write.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct StateSnapshot {
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub version: u64,
    #[serde(default)]
    pub entries: Named<StateEntry>,
}

/// A key of the shared state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct StateEntry {
    #[cfg_attr(feature = "ts", ts(type = "unknown"))]
    pub value: Payload,
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub version: u64,
    /// The session whose membership the key goes with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub owner: Option<PublicSession>,
}

/// What became of shared state: the last write of each key since the snapshot or change before, by version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct StateChange {
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub version: u64,
    pub ops: Vec<StateWrite>,
}

/// What became of a key of the shared state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(untagged))]
#[serde(untagged, try_from = "WriteFields")]
pub enum StateWrite {
    Set {
        #[serde(rename = "set")]
        key: String,
        #[cfg_attr(feature = "ts", ts(type = "unknown"))]
        value: Payload,
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        version: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional))]
        owner: Option<PublicSession>,
    },
    Delete {
        #[serde(rename = "delete")]
        key: String,
    },
}

/// Serde reads untagged enums by way of a buffer that holds no raw JSON.
#[derive(Deserialize)]
struct WriteFields {
    set: Option<String>,
    delete: Option<String>,
    #[serde(default, deserialize_with = "crate::payload::present")]
    value: Option<Payload>,
    version: Option<u64>,
    owner: Option<PublicSession>,
}

impl TryFrom<WriteFields> for StateWrite {
    type Error = &'static str;

    fn try_from(fields: WriteFields) -> Result<StateWrite, Self::Error> {
        match fields {
            WriteFields { set: Some(key), value: Some(value), version: Some(version), owner, .. } => {
                Ok(StateWrite::Set { key, value, version, owner })
            }
            WriteFields { delete: Some(key), .. } => Ok(StateWrite::Delete { key }),
            _ => Err("a write of state has set, value and version, or delete"),
        }
    }
}

/// Fanned out, never logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Ephemeral {
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub time: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub from: Option<Author>,
    #[serde(rename = "type")]
    pub kind: String,
    #[cfg_attr(feature = "ts", ts(type = "unknown"))]
    pub data: Payload,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "ts", ts(optional, as = "Option<Vec<String>>"))]
    pub tags: Vec<String>,
}

/// Who published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Author {
    pub user: UserId,
    /// Absent for what a backend published in a user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub session: Option<PublicSession>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional, type = "unknown"))]
    pub info: Option<Payload>,
}

/// A session in the presence set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Member {
    pub session: PublicSession,
    pub user: UserId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional, type = "unknown"))]
    pub info: Option<Payload>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional, type = "unknown"))]
    pub data: Option<Payload>,
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub since: u64,
}

/// What changed in the presence set since the snapshot or diff before.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct PresenceDiff {
    #[serde(default)]
    pub joined: Vec<Member>,
    #[serde(default)]
    pub left: Vec<Left>,
    #[serde(default)]
    pub updated: Vec<Member>,
}

impl PresenceDiff {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.joined.is_empty() && self.left.is_empty() && self.updated.is_empty()
    }
}

/// A membership that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Left {
    pub session: PublicSession,
    pub user: UserId,
    pub reason: LeaveReason,
}

/// How a membership ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    /// It said `leave`, or closed with 1000.
    Left,
    /// Its connection was lost, and the grace ran out.
    Lost,
}

/// How many are in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Occupancy {
    pub members: u32,
    pub users: u32,
}

/// The one final answer to a request that succeeded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reply {
    pub id: u32,
    pub result: RequestResult,
}

/// A chunk of what a method streams (`more`), or the end of a call: its result, or null behind chunks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Returned {
    pub id: u32,
    pub result: Payload,
    pub more: bool,
}

/// What a request returns; its shape follows from the request.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum RequestResult {
    Published(Published),
    Amended(Amended),
    State(StateVersion),
    StateSnapshot(StateSnapshot),
    Refreshed(Refreshed),
    Closed(Closed),
    Batch(BatchResults),
    Room(Box<RoomInfo>),
    History(HistoryPage),
    Members(MembersPage),
    Tags(Tags),
    /// What a method returned.
    Called(Payload),
    /// `presence`, `leave` and ephemerals return an empty object.
    Done {},
}

/// A publication's place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Published {
    pub epoch: Epoch,
    pub offset: Offset,
    pub duplicate: bool,
}

/// What `edit`, `remove` and `react` return: the offset of the publication that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Amended {
    pub offset: Offset,
}

/// What `state` returns: the room's counter after the request's last operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct StateVersion {
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub version: u64,
}

/// What `auth` returns: when the new token expires, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Refreshed {
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub expires_at: u64,
}

/// How many connections a backend's `disconnect` closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct Closed {
    pub closed: u32,
}

/// What became of the publishes of one batch, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchResults {
    pub results: Vec<BatchItem>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BatchItem {
    Refused {
        error: RequestError,
    },
    Published(Published),
    /// An ephemeral.
    Done {},
}

/// Where a room stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum LifecycleState {
    /// Nothing is stored.
    Fresh,
    /// It has members.
    Occupied,
    /// The last member left.
    Vacant,
    /// Vacant, and untouched for the kind's `idle_after`.
    Idle,
}

/// A room as a backend sees it. Times in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct RoomInfo {
    pub room: RoomName,
    pub kind: String,
    pub lifecycle: LifecycleState,
    /// When that state began; absent while fresh, as are the two below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<u64>,
    /// When it was last written to while vacant, or last vacated: to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_at: Option<u64>,
    pub occupancy: Occupancy,
    pub connections: u32,
    /// Absent where no log is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogInfo>,
    pub state: StateInfo,
    /// What the room waits for, and when.
    pub timers: Vec<TimerInfo>,
}

/// The log of a room: its bounds and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct LogInfo {
    /// Absent until the room is first used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// Recovery and history reach back to what is above it.
    pub floor: Offset,
    pub head: Offset,
    pub bytes: u64,
}

/// The shared state of a room: its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct StateInfo {
    pub version: u64,
    pub keys: u32,
    pub bytes: u64,
}

/// What a room waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct TimerInfo {
    pub name: String,
    pub at: u64,
}

/// Ascending, whichever way it was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct HistoryPage {
    pub epoch: Epoch,
    pub messages: Vec<Publication>,
    /// The value for the same parameter that brings the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub next: Option<Offset>,
}

/// A page of the presence set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct MembersPage {
    pub members: Vec<Member>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub next: Option<String>,
    pub users: u32,
    /// Open connections, of members and others.
    pub connections: u32,
}

/// A connection's whole subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Tags {
    /// The whole subscription after the change.
    pub tags: Vec<String>,
    /// Publications above it are filtered by that subscription.
    pub offset: Offset,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` passes a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}
