//! What is said, asked and told, as clients have it.

use std::collections::BTreeMap;

use garde::Validate;
use room_core::behavior::Payload;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A message of the log. Text and attachments are not both empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate, TS)]
#[garde(custom(says_something))]
pub struct Said {
    /// Up to 4,000 characters; as people write it, and shown as text.
    #[garde(length(chars, max = 4_000))]
    pub text: String,
    /// The author's own name for it, by which a notice tells of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(bytes, min = 1, max = 64)))]
    #[ts(optional)]
    pub id: Option<String>,
    /// The offset of the message that it answers; that one answers none itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    #[ts(optional)]
    pub thread: Option<u64>,
    /// Users who are to be told of it: at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[garde(length(max = 20), inner(length(bytes, min = 1, max = 128)))]
    #[ts(optional, as = "Option<Vec<String>>")]
    pub mentions: Vec<String>,
    /// At most 4.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[garde(length(max = 4), dive)]
    #[ts(optional, as = "Option<Vec<Attachment>>")]
    pub attachments: Vec<Attachment>,
}

/// Something on the web, by its address alone: the room never asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate, TS)]
pub struct Attachment {
    /// Begins with `https://`.
    #[garde(length(bytes, max = 2_000), prefix("https://"))]
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(chars, min = 1, max = 120)))]
    #[ts(optional)]
    pub name: Option<String>,
}

fn says_something(said: &Said, (): &()) -> garde::Result {
    if said.text.trim().is_empty() && said.attachments.is_empty() {
        return Err(garde::Error::new("says nothing"));
    }
    Ok(())
}

/// Ephemeral: somebody begins, goes on or stops to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Typing {
    pub on: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub thread: Option<u64>,
}

/// Logged, and for the mentioned users alone. The message is at the next offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Mention {
    /// Who mentions; empty for a backend.
    pub by: String,
    /// How the message begins.
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub thread: Option<u64>,
}

/// What a user has not read; also told, as an ephemeral, to their other sessions when they read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Unread {
    /// The offset up to which they read.
    pub read: u64,
    /// Messages of others behind it.
    pub unread: u64,
    /// Notices behind it.
    pub mentions: u64,
}

/// Ephemeral, to the user in question: 0 where they may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct MutedUntil {
    pub until: u64,
}

/// Shared state: the pace of the room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Policy {
    /// Between two messages of one user; 0: any pace.
    pub slow_ms: u64,
}

/// Presence data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Doing {
    /// Nobody sits in front of it.
    pub away: bool,
}

/// Somebody who was here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Profile {
    pub user: String,
    /// As their last token had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "unknown")]
    pub info: Option<Payload>,
    /// When they came last, in milliseconds since 1970.
    pub seen: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Entered {
    pub unread: Unread,
    /// 0 where they may speak.
    pub muted_until: u64,
    pub moderator: bool,
    /// Who was seen last, at most 200.
    pub people: Vec<Profile>,
}

/// An offset of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Validate, TS)]
#[serde(deny_unknown_fields)]
pub struct Place {
    #[garde(skip)]
    pub offset: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Validate, TS)]
#[serde(deny_unknown_fields)]
pub struct ThreadOf {
    /// The offset of the message that began it.
    #[garde(skip)]
    pub parent: u64,
    /// Only answers before this offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    #[ts(optional)]
    pub before: Option<u64>,
    /// At most so many answers, 50 unless given.
    #[serde(default = "fifty")]
    #[garde(range(min = 1, max = 200))]
    #[ts(optional, as = "Option<u32>")]
    pub limit: u32,
}

fn fifty() -> u32 {
    50
}

/// A message of a thread, as edits left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Reply {
    pub offset: u64,
    pub time: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "unknown")]
    pub info: Option<Payload>,
    #[ts(type = "unknown")]
    pub data: Payload,
    /// When it was changed last, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub edited: Option<u64>,
    /// Who reacted, by the reaction's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[ts(optional, as = "Option<BTreeMap<String, Reacted>>")]
    pub reactions: BTreeMap<String, Reacted>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Reacted {
    /// How many users.
    pub count: u32,
    /// The first of them, at most 20.
    pub users: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Thread {
    /// Absent where it is not kept any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub parent: Option<Reply>,
    /// Ascending.
    pub replies: Vec<Reply>,
    /// Of all the answers that are kept.
    pub total: u64,
    /// The `before` of the page ahead of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub next: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate, TS)]
#[serde(deny_unknown_fields)]
pub struct Mute {
    #[garde(length(bytes, min = 1, max = 128))]
    pub user: String,
    /// Up to 30 days.
    #[garde(range(min = 1, max = 43_200))]
    pub minutes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate, TS)]
#[serde(deny_unknown_fields)]
pub struct Whom {
    #[garde(length(bytes, min = 1, max = 128))]
    pub user: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Muted {
    pub user: String,
    pub until: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate, TS)]
#[serde(deny_unknown_fields)]
pub struct Block {
    #[garde(length(bytes, min = 1, max = 128))]
    pub user: String,
    /// Up to 30 days.
    #[garde(range(min = 1, max = 43_200))]
    pub minutes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(bytes, max = 123)))]
    #[ts(optional)]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Validate, TS)]
#[serde(deny_unknown_fields)]
pub struct SlowMode {
    /// Up to an hour; 0 ends it.
    #[garde(range(max = 3_600))]
    pub seconds: u64,
}
