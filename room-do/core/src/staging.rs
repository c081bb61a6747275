//! What waits for the flush, in the order it came.

use std::collections::BTreeMap;

use schemas::{
    Capabilities, Claims, CloseCode, ConnectionId, Offset, Payload, ServerMessage, UserId,
    client_message::{History, Members, StateOp, To},
    http::ScopedKey,
    limits,
    server_message::{Author, BatchItem, LeaveReason, Member, Reply, RequestError, RequestResult},
};

use crate::{
    behavior::{Admitted, Caller, Hook, Joining, streaming::Reader},
    input::RequestId,
    presence::MemberKey,
    recovery::Viewer,
    shared_state::Writer,
};

/// The type of a publish that names none.
pub(crate) const DEFAULT_TYPE: &str = "message";

/// Staged payloads beyond it are flushed without waiting for the turn to end.
const STAGED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// And so are more entries than this.
const STAGED_ENTRIES_MAX: usize = 4_096;

/// Who asks, and so who is answered.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    Connection {
        connection: ConnectionId,
        request: Option<u32>,
    },
    Http {
        request: RequestId,
    },
    /// One of several that are answered together.
    Batch {
        request: RequestId,
        index: usize,
    },
    /// The room itself: nobody waits.
    Room,
}

impl Origin {
    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        match self {
            Origin::Connection { connection, .. } => Some(*connection),
            Origin::Http { .. } | Origin::Batch { .. } | Origin::Room => None,
        }
    }
}

/// A checked publish without an offset.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) origin: Origin,
    /// For the behavior; `None` in a room without one, and for what the behavior itself says.
    pub(crate) caller: Option<Box<Caller>>,
    pub(crate) author: Option<Author>,
    pub(crate) kind: Option<String>,
    pub(crate) data: Payload,
    pub(crate) tags: Vec<String>,
    pub(crate) to: Option<To>,
    pub(crate) key: Option<ScopedKey>,
    pub(crate) fate: Fate,
    pub(crate) echo: bool,
    /// Whom it is withheld from besides. For ephemerals alone.
    pub(crate) but: Vec<ConnectionId>,
}

/// What becomes of a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    Logged,
    /// Fanned out and forgotten. Of those of one connection and name, the flush's last stands for all.
    Ephemeral {
        conflate: Option<String>,
    },
}

/// A checked edit, removal or reaction. Whether its target is there, and may be changed, shows at the flush.
#[derive(Debug, Clone)]
pub(crate) struct Amendment {
    pub(crate) origin: Origin,
    /// As a [`Draft`] has it.
    pub(crate) caller: Option<Box<Caller>>,
    /// A backend has none.
    pub(crate) author: Option<Author>,
    pub(crate) viewer: Viewer,
    pub(crate) capabilities: Capabilities,
    pub(crate) target: Offset,
    pub(crate) change: Change,
}

#[derive(Debug, Clone)]
pub(crate) enum Change {
    Edit(Payload),
    Remove,
    React { user: UserId, name: String, on: bool },
}

#[derive(Debug, Clone)]
pub(crate) struct StateRequest {
    pub(crate) origin: Origin,
    /// As a [`Draft`] has it.
    pub(crate) caller: Option<Box<Caller>>,
    pub(crate) writer: Writer,
    pub(crate) ops: Vec<StateOp>,
}

/// A call of a method of the room's behavior.
#[derive(Debug, Clone)]
pub(crate) struct MethodRequest {
    pub(crate) origin: Origin,
    pub(crate) caller: Caller,
    /// Of a user who calls over HTTP.
    pub(crate) claims: Option<Box<Claims>>,
    pub(crate) method: String,
    pub(crate) args: Payload,
}

/// A read that sees what was published before it.
#[derive(Debug, Clone)]
pub(crate) enum Read {
    History(History),
    Members(Members),
}

#[derive(Debug, Clone)]
pub(crate) enum Staged {
    Publish(Box<Draft>),
    Amend(Box<Amendment>),
    State(Box<StateRequest>),
    Reply {
        connection: ConnectionId,
        message: Box<ServerMessage>,
    },
    Read {
        connection: ConnectionId,
        read: Read,
    },
    /// Says `{}` once what it asked for is committed.
    Confirm {
        connection: ConnectionId,
        request: u32,
    },
    /// A membership ended: what it owned goes.
    Ended {
        key: MemberKey,
        reason: LeaveReason,
    },
    Call(Box<MethodRequest>),
    /// Whether somebody may come in is the behavior's to say.
    Join(Box<Joining>),
    /// A hook that nobody waits for.
    Hook(Hook),
    /// What a hook or a method came to.
    Answer {
        origin: Origin,
        result: Box<Result<RequestResult, RequestError>>,
    },
    Admitted(Box<Admitted>),
    /// A call's result is streamed.
    Opened(Reader),
    Chunk {
        reader: Reader,
        chunk: Payload,
    },
    /// Close once everything staged before has left.
    Close {
        connection: ConnectionId,
        code: CloseCode,
    },
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Staging {
    pub(crate) entries: Vec<Staged>,
    bytes: usize,
    /// Connections welcomed since the last flush, and what their welcome showed of themselves.
    pub(crate) greeted: BTreeMap<ConnectionId, Option<Member>>,
    /// Ended memberships whose commit failed.
    pub(crate) owed_ends: BTreeMap<MemberKey, LeaveReason>,
    /// What the join that was just decided came to.
    pub(crate) admitted: Option<Admitted>,
    /// What became of batches whose publishes are staged.
    pub(crate) batches: BTreeMap<RequestId, Vec<Option<BatchItem>>>,
    pub(crate) last_flush_at: u64,
    /// After a failed commit: not before this.
    pub(crate) retry_at: u64,
    pub(crate) told_occupancy_at: u64,
    /// Whether the last flush told of members one by one.
    pub(crate) listed_members: Option<bool>,
    pub(crate) owes_occupancy: bool,
}

impl Staging {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && !self.owes_occupancy
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes > STAGED_BYTES_MAX || self.entries.len() > STAGED_ENTRIES_MAX
    }

    pub(crate) fn next_flush_at(&self, interval_ms: u64) -> u64 {
        let paced = self.last_flush_at + interval_ms;
        let is_hook = |entry: &Staged| matches!(entry, Staged::Hook(_));
        if !self.entries.iter().all(is_hook) {
            return paced;
        }
        let occupancy =
            if self.owes_occupancy { self.told_occupancy_at + limits::OCCUPANCY_INTERVAL_MS } else { 0 };
        paced.max(self.retry_at).max(occupancy)
    }

    /// The clock went back to `now`: nothing waits for a time that was.
    pub(crate) fn step_back(&mut self, now: u64, retry_after_ms: u64) {
        self.last_flush_at = self.last_flush_at.min(now);
        self.told_occupancy_at = self.told_occupancy_at.min(now);
        self.retry_at = self.retry_at.min(now + retry_after_ms);
    }

    /// Takes what is staged, and begins anew.
    pub(crate) fn take(&mut self, now: u64) -> Vec<Staged> {
        self.bytes = 0;
        self.last_flush_at = now;
        std::mem::take(&mut self.entries)
    }

    pub(crate) fn publish(&mut self, draft: Draft) {
        self.bytes += draft.data.len();
        self.entries.push(Staged::Publish(Box::new(draft)));
    }

    pub(crate) fn amend(&mut self, amendment: Amendment) {
        if let Change::Edit(data) = &amendment.change {
            self.bytes += data.len();
        }
        self.entries.push(Staged::Amend(Box::new(amendment)));
    }

    pub(crate) fn state(&mut self, request: StateRequest) {
        let values = request.ops.iter().map(|op| match op {
            StateOp::Set { value, .. } => value.len(),
            StateOp::Delete { .. } => 0,
        });
        self.bytes += values.sum::<usize>();
        self.entries.push(Staged::State(Box::new(request)));
    }

    pub(crate) fn ended(&mut self, key: MemberKey, reason: LeaveReason) {
        self.entries.push(Staged::Ended { key, reason });
    }

    pub(crate) fn call(&mut self, request: MethodRequest) {
        self.bytes += request.args.len();
        self.entries.push(Staged::Call(Box::new(request)));
    }

    /// Takes out the calls that are meant: they do not run.
    pub(crate) fn take_back(&mut self, is_meant: impl Fn(&MethodRequest) -> bool) -> Vec<MethodRequest> {
        let is_meant = |entry: &mut Staged| matches!(entry, Staged::Call(call) if is_meant(call));
        let taken = self.entries.extract_if(.., is_meant).filter_map(|entry| match entry {
            Staged::Call(call) => Some(*call),
            _ => None,
        });
        let taken: Vec<MethodRequest> = taken.collect();
        self.bytes -= taken.iter().map(|call| call.args.len()).sum::<usize>();
        taken
    }

    pub(crate) fn hook(&mut self, hook: Hook) {
        self.entries.push(Staged::Hook(hook));
    }

    /// What the behavior was still to be told of is of no room any more.
    pub(crate) fn forget_hooks(&mut self) {
        self.entries.retain(|entry| !matches!(entry, Staged::Hook(_)));
    }

    pub(crate) fn reply(&mut self, connection: ConnectionId, message: ServerMessage) {
        self.entries.push(Staged::Reply { connection, message: Box::new(message) });
    }

    pub(crate) fn answer(&mut self, connection: ConnectionId, id: u32, result: RequestResult) {
        self.reply(connection, ServerMessage::Reply(Reply { id, result }));
    }

    pub(crate) fn confirm(&mut self, connection: ConnectionId, request: u32) {
        self.entries.push(Staged::Confirm { connection, request });
    }

    pub(crate) fn greeted(&mut self, connection: ConnectionId, own: Option<Member>) {
        self.greeted.insert(connection, own);
    }

    pub(crate) fn close(&mut self, connection: ConnectionId, code: CloseCode) {
        self.entries.push(Staged::Close { connection, code });
    }

    pub(crate) fn read(&mut self, connection: ConnectionId, read: Read) {
        self.entries.push(Staged::Read { connection, read });
    }
}
