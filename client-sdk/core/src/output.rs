//! What to do, and what the application should hear of.

use alloc::{string::String, vec::Vec};

use schemas::{
    CloseCode, Frame, Payload,
    server_message::{
        Ephemeral, NoticeCode, Occupancy, PresenceDiff, Publication, RecoveryFailure, RequestError,
        RequestResult, StateChange,
    },
};

use crate::{
    client::Me,
    input::{Attempt, Call},
    state::Status,
    transport::Transport,
};

/// To be applied in order.
#[derive(Debug, Clone, PartialEq, Default)]
#[must_use = "a client's outputs are its only effect"]
pub struct Outputs(Vec<Output>);

#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "most outputs are events, and none lives long")]
pub enum Output {
    /// Call the token function; answer with `TokenFetched`, `TokenFailed` or `TokenRefused`.
    FetchToken {
        attempt: Attempt,
    },
    /// Answer with `SocketOpened`, `FrameReceived` and `SocketClosed`.
    OpenSocket {
        attempt: Attempt,
        token: Option<String>,
        transport: Transport,
    },
    Send {
        attempt: Attempt,
        frame: Frame,
    },
    /// No answer is awaited, and none is heeded.
    CloseSocket {
        attempt: Attempt,
        code: CloseCode,
    },
    Emit(Event),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    StatusChanged(Status),
    /// A welcome: who this connection is. Ahead of what the welcome brought.
    Welcomed(Me),
    /// Publications are missing between the last one emitted and the next. What a rewind brought comes behind it.
    Gap {
        reason: RecoveryFailure,
    },
    Published(Publication),
    Fanned(Ephemeral),
    /// Against the roster as emitted so far, whatever the server sent.
    PresenceChanged(PresenceDiff),
    OccupancyChanged(Occupancy),
    /// Against the shared state as emitted so far, whatever the server sent. Without operations where only the
    /// room's counter moved.
    StateChanged(StateChange),
    Settled {
        call: Call,
        outcome: Outcome,
    },
    /// What a call of the room's logic returned; there is more to come where `more` says so, and it settles
    /// otherwise.
    Returned {
        call: Call,
        value: Payload,
        more: bool,
    },
    /// The token is about to expire; at its end the server closes, and the client comes back with a new one.
    Expiring {
        expires_at: u64,
    },
    Noticed {
        code: NoticeCode,
        message: String,
    },
    /// The server could not read something this client sent.
    Refused(RequestError),
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Acknowledged(RequestResult),
    /// It had no effect.
    Rejected(RequestError),
    /// It was sent, and nobody can say whether it had an effect; where the error is a refusal, it was of a later try.
    Unknown(RequestError),
}

/// When the client next wants [`crate::Input::TimedOut`], and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    pub at_ms: u64,
    pub due: Due,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Requests were made in this turn: send them when it ends (a microtask), whatever the clock says.
    TurnEnd,
    Token,
    Open,
    Welcome,
    Leave,
    Reconnect,
    Ping,
    Pong,
    Reply,
    /// More of what waited for the connection may go out.
    Backlog,
    MembersPage,
}

impl Outputs {
    pub(crate) fn push(&mut self, output: Output) {
        self.0.push(output);
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.0.push(Output::Emit(event));
    }

    pub(crate) fn settle(&mut self, call: Call, outcome: Outcome) {
        self.emit(Event::Settled { call, outcome });
    }

    /// `outcome` is [`Outcome::Rejected`] or [`Outcome::Unknown`].
    pub(crate) fn refuse(
        &mut self,
        calls: Vec<Call>,
        outcome: fn(RequestError) -> Outcome,
        error: &RequestError,
    ) {
        for call in calls {
            self.settle(call, outcome(error.clone()));
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Output> {
        self.0.iter()
    }
}

impl IntoIterator for Outputs {
    type Item = Output;
    type IntoIter = alloc::vec::IntoIter<Output>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
