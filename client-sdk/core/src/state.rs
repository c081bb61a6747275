//! Where the connection is.

use alloc::{boxed::Box, string::String};

use schemas::Position;

use crate::{input::Attempt, online::Online};

#[derive(Debug, Clone)]
pub(crate) enum State {
    Idle,
    FetchingToken {
        attempt: Attempt,
        until: u64,
    },
    Opening {
        attempt: Attempt,
        until: u64,
    },
    /// Hello is sent.
    Greeting {
        attempt: Attempt,
        until: u64,
        recover: Option<Position>,
    },
    Online(Box<Online>),
    Waiting {
        until: u64,
        /// Hints cut the wait down to this, not below.
        earliest: u64,
    },
    /// `leave` is sent.
    Leaving {
        attempt: Attempt,
        until: u64,
        leave: u32,
    },
    Failed(Failure),
    Left,
}

/// Why the client stopped: the final close code, and the server's reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: u16,
    pub reason: String,
}

/// The states as an application sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    Idle,
    /// On the way to the first welcome since joining.
    Connecting,
    Connected,
    /// Was connected, and is on the way back.
    Reconnecting,
    /// On the way back, once the network is.
    Offline,
    Failed(Failure),
    Left,
}

impl Status {
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Status::Idle => "idle",
            Status::Connecting => "connecting",
            Status::Connected => "connected",
            Status::Reconnecting => "reconnecting",
            Status::Offline => "offline",
            Status::Failed(_) => "failed",
            Status::Left => "left",
        }
    }
}

impl State {
    /// The attempt whose token or socket may speak.
    pub(crate) fn attempt(&self) -> Option<Attempt> {
        match self {
            State::FetchingToken { attempt, .. }
            | State::Opening { attempt, .. }
            | State::Greeting { attempt, .. }
            | State::Leaving { attempt, .. } => Some(*attempt),
            State::Online(online) => Some(online.attempt),
            State::Idle | State::Waiting { .. } | State::Failed(_) | State::Left => None,
        }
    }

    /// The attempt that has a socket.
    pub(crate) fn socket(&self) -> Option<Attempt> {
        match self {
            State::FetchingToken { .. } => None,
            other => other.attempt(),
        }
    }
}
