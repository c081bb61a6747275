//! Client → server.

use alloc::{string::String, vec::Vec};
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ConnectionId, PublicSession, Session, UserId},
    payload::Payload,
    position::{Offset, Position},
};

/// What a client says. `id` names the request in its one final `reply` or `error`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ClientMessage {
    Hello(Hello),
    Publish(Publish),
    Presence {
        id: u32,
        data: Payload,
    },
    Subscribe {
        id: u32,
        tags: Vec<String>,
    },
    Unsubscribe {
        id: u32,
        tags: Vec<String>,
    },
    History(History),
    Members(Members),
    /// Replaces what the publication at `offset` says.
    Edit {
        id: u32,
        offset: Offset,
        data: Payload,
    },
    /// Takes back the publication at `offset`; what it said is erased.
    Remove {
        id: u32,
        offset: Offset,
    },
    /// Adds (`on`) or takes back a reaction of this user to the publication at `offset`.
    React {
        id: u32,
        offset: Offset,
        name: String,
        on: bool,
    },
    /// Writes shared state: all of the operations, in order, or none.
    State {
        id: u32,
        ops: Vec<StateOp>,
    },
    /// Calls a method of the room's behavior.
    Call {
        id: u32,
        method: String,
        args: Payload,
    },
    /// What the call of that id would return is not waited for any more.
    Cancel {
        id: u32,
    },
    /// A newer token of the same user: its claims replace those of the connection.
    Auth {
        id: u32,
        token: TokenText,
    },
    /// So many WebSocket messages with protocol messages were handled since the upgrade; `pong` is none.
    Ack {
        frames: u64,
    },
    Leave {
        id: u32,
    },
}

impl ClientMessage {
    /// The id that its reply or error carries.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        match self {
            ClientMessage::Hello(_) | ClientMessage::Ack { .. } => None,
            ClientMessage::Publish(publish) => publish.id,
            ClientMessage::History(history) => Some(history.id),
            ClientMessage::Members(members) => Some(members.id),
            ClientMessage::Presence { id, .. }
            | ClientMessage::Subscribe { id, .. }
            | ClientMessage::Unsubscribe { id, .. }
            | ClientMessage::Edit { id, .. }
            | ClientMessage::Remove { id, .. }
            | ClientMessage::React { id, .. }
            | ClientMessage::State { id, .. }
            | ClientMessage::Auth { id, .. }
            | ClientMessage::Call { id, .. }
            | ClientMessage::Cancel { id }
            | ClientMessage::Leave { id } => Some(*id),
        }
    }
}

/// A token as it was sent: nothing prints it.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TokenText(pub String);

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenText({} bytes)", self.0.len())
    }
}

/// First, within 10 s of the upgrade; a second one closes 3500.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hello {
    pub session: Session,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recover: Option<Position>,
    /// So many newest publications where there is nothing to recover, or recovery fails; ≤ 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewind: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence: Option<Payload>,
    /// `false`: no member list in the welcome, and no diffs.
    pub members: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Publish {
    /// `None` is for ephemerals alone, which then get no reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    pub data: Payload,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<To>,
    /// Fanned out, never logged.
    #[serde(skip_serializing_if = "is_false")]
    pub ephemeral: bool,
    /// Whether the sending connection gets it too.
    #[serde(skip_serializing_if = "is_true")]
    pub echo: bool,
    /// `message` unless the application says otherwise.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The same again under the same key, within the room's window, is the same publication; 1 to 128 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Ephemerals only: within a flush the latest of a connection under one name stands for all; 1 to 64 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflate: Option<String>,
}

/// One operation on shared state. `expected` (`if` on the wire) is the version that the key must have, 0 for absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, try_from = "StateOpFields")]
pub enum StateOp {
    Set {
        #[serde(rename = "set")]
        key: String,
        value: Payload,
        #[serde(rename = "if", skip_serializing_if = "Option::is_none")]
        expected: Option<u64>,
        /// The key goes with the writing session's membership, and nobody else writes it meanwhile.
        #[serde(skip_serializing_if = "is_false")]
        owned: bool,
    },
    Delete {
        #[serde(rename = "delete")]
        key: String,
        #[serde(rename = "if", skip_serializing_if = "Option::is_none")]
        expected: Option<u64>,
    },
}

/// A checked operation as it is written. Serde reads untagged enums by way of a buffer that holds no raw JSON.
#[derive(Deserialize)]
struct StateOpFields {
    set: Option<String>,
    delete: Option<String>,
    #[serde(default, deserialize_with = "crate::payload::present")]
    value: Option<Payload>,
    #[serde(rename = "if")]
    expected: Option<u64>,
    #[serde(default)]
    owned: bool,
}

impl TryFrom<StateOpFields> for StateOp {
    type Error = &'static str;

    fn try_from(fields: StateOpFields) -> Result<StateOp, Self::Error> {
        match fields {
            StateOpFields { set: Some(key), delete: None, value: Some(value), expected, owned } => {
                Ok(StateOp::Set { key, value, expected, owned })
            }
            StateOpFields { set: None, delete: Some(key), expected, .. } => {
                Ok(StateOp::Delete { key, expected })
            }
            _ => Err("an operation has set and value, or delete"),
        }
    }
}

impl StateOp {
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            StateOp::Set { key, .. } | StateOp::Delete { key, .. } => key,
        }
    }

    #[must_use]
    pub fn expected(&self) -> Option<u64> {
        match self {
            StateOp::Set { expected, .. } | StateOp::Delete { expected, .. } => *expected,
        }
    }
}

/// Names those who may see a publication: the union, ≤ 100 together, unknown ones ignored.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct To {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "ts", ts(optional, as = "Option<Vec<String>>"))]
    pub users: Vec<UserId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "ts", ts(optional, as = "Option<Vec<String>>"))]
    pub sessions: Vec<PublicSession>,
    /// Ephemerals only: a connection's id means nothing tomorrow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "ts", ts(optional, as = "Option<Vec<String>>"))]
    pub connections: Vec<ConnectionId>,
}

impl To {
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len() + self.sessions.len() + self.connections.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct History {
    pub id: u32,
    /// At most one of `before` and `after`; without either, the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Offset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Offset>,
    /// ≤ 200.
    pub limit: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Members {
    pub id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    pub limit: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` passes a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` passes a reference")]
fn is_true(value: &bool) -> bool {
    *value
}
