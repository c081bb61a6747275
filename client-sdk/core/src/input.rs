//! What happened.

use alloc::{string::String, vec::Vec};

use schemas::{
    Frame, Offset, Payload,
    client_message::{ClientMessage, History, Publish, StateOp},
};

use crate::wire;

/// One try to connect: its token, its socket. Numbers rise and are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(pub u32);

/// The driver's own name for a request; comes back in [`crate::Event::Settled`]. The driver gives each a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call(pub u32);

#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Starts from `idle`, `left` and `failed`; means nothing otherwise.
    JoinRequested,
    LeaveRequested,
    Requested {
        call: Call,
        request: Request,
    },
    /// The application waits no more for the outcome. What was not sent will not be.
    Cancelled {
        call: Call,
    },
    TokenFetched {
        attempt: Attempt,
        token: String,
    },
    /// The token function failed for now: try again with backoff.
    TokenFailed {
        attempt: Attempt,
    },
    /// The token function says that there will be none: final.
    TokenRefused {
        attempt: Attempt,
        reason: String,
    },
    SocketOpened {
        attempt: Attempt,
    },
    FrameReceived {
        attempt: Attempt,
        frame: Frame,
    },
    /// Also where it never opened. 1006 where the driver knows no code.
    SocketClosed {
        attempt: Attempt,
        code: u16,
        reason: String,
    },
    /// The platform says that the network is gone. A hint: it may be wrong.
    NetworkLost,
    NetworkFound,
    /// The page came to the front, or the machine woke.
    BecameVisible,
    /// The time of [`crate::Client::poll_timeout`] has come. Coming late, early or twice does no harm.
    TimedOut,
}

/// What an application asks of the room. Ids within are the client's to give; what stands there is overwritten.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Publish(Publish),
    /// Remembered as this session's presence data, and said again at each reconnect.
    Presence {
        data: Payload,
    },
    History(History),
    /// Replaces what the publication at `offset` says.
    Edit {
        offset: Offset,
        data: Payload,
    },
    /// Takes back the publication at `offset`.
    Remove {
        offset: Offset,
    },
    /// Adds (`on`) or takes back a reaction to the publication at `offset`.
    React {
        offset: Offset,
        name: String,
        on: bool,
    },
    /// Writes shared state: all of it, in order, or nothing.
    State {
        ops: Vec<StateOp>,
    },
    /// Hears what carries one of these too; said again at each reconnect once the room agreed.
    Subscribe {
        tags: Vec<String>,
    },
    Unsubscribe {
        tags: Vec<String>,
    },
    /// Calls the room's logic: [`crate::Event::Returned`], as often as it returns something.
    Call {
        method: String,
        args: Payload,
    },
}

impl Request {
    /// Whether it may be sent again: under its key the room takes it once.
    pub(crate) fn is_keyed(&self) -> bool {
        matches!(self, Request::Publish(Publish { key: Some(_), ephemeral: false, .. }))
    }

    /// Whether the server's rate for publishes counts it, which is above that for the rest.
    pub(crate) fn is_publish(&self) -> bool {
        match self {
            Request::Publish(_) | Request::Edit { .. } | Request::Remove { .. } | Request::React { .. } => {
                true
            }
            Request::Presence { .. }
            | Request::History(_)
            | Request::State { .. }
            | Request::Subscribe { .. }
            | Request::Unsubscribe { .. }
            | Request::Call { .. } => false,
        }
    }

    pub(crate) fn is_ephemeral(&self) -> bool {
        matches!(self, Request::Publish(Publish { ephemeral: true, .. }))
    }

    /// What the request counts against the queue's bound: its payload and a little for the rest.
    pub(crate) fn bytes(&self) -> usize {
        let payload = match self {
            Request::Publish(publish) => publish.data.len(),
            Request::Presence { data } | Request::Edit { data, .. } => data.len(),
            Request::State { ops } => ops.iter().map(op_bytes).sum(),
            Request::Call { method, args } => method.len() + args.len(),
            Request::Subscribe { tags } | Request::Unsubscribe { tags } => tags.iter().map(String::len).sum(),
            Request::History(_) | Request::Remove { .. } | Request::React { .. } => 0,
        };
        payload + 64
    }

    /// As it is sent.
    pub(crate) fn encode(self, id: u32) -> Vec<u8> {
        let message = match self {
            Request::Publish(publish) => ClientMessage::Publish(Publish { id: Some(id), ..publish }),
            Request::Presence { data } => ClientMessage::Presence { id, data },
            Request::History(history) => ClientMessage::History(History { id, ..history }),
            Request::Edit { offset, data } => ClientMessage::Edit { id, offset, data },
            Request::Remove { offset } => ClientMessage::Remove { id, offset },
            Request::React { offset, name, on } => ClientMessage::React { id, offset, name, on },
            Request::State { ops } => ClientMessage::State { id, ops },
            Request::Subscribe { tags } => ClientMessage::Subscribe { id, tags },
            Request::Unsubscribe { tags } => ClientMessage::Unsubscribe { id, tags },
            Request::Call { method, args } => ClientMessage::Call { id, method, args },
        };
        wire::encode(&message)
    }
}

fn op_bytes(op: &StateOp) -> usize {
    let value = match op {
        StateOp::Set { value, .. } => value.len(),
        StateOp::Delete { .. } => 0,
    };
    op.key().len() + value + 16
}
