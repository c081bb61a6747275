//! The wire's messages in MessagePack: what a client writes, what it reads. The types are those of `schemas`, and
//! so is the truth: the tests hold the two codecs side by side.

use alloc::{boxed::Box, string::String, vec::Vec};

mod read;
#[cfg(test)]
mod tests;
mod write;

use schemas::{
    Epoch, Offset, Payload,
    server_message::{
        Ephemeral, Member, NoticeCode, Occupancy, PresenceDiff, Publication, RecoveryFailure, Reply,
        RequestError, StateChange,
    },
};

use crate::{client::Me, shared_state::SharedState};

pub(crate) use read::decode;
pub(crate) use write::encode;

/// What a server says, as `schemas::ServerMessage` has it, but for the welcome.
#[derive(Debug, PartialEq)]
pub(crate) enum Message {
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
    /// The reply to a call: what its method returned.
    Returned {
        id: u32,
        value: Payload,
        more: bool,
    },
    Error(RequestError),
    Expiring {
        expires_at: u64,
    },
    Notice {
        code: NoticeCode,
        message: String,
    },
}

/// As much of a welcome as a client makes use of, and shared state without a tree, whose code is large.
#[derive(Debug, PartialEq)]
pub(crate) struct Welcome {
    pub(crate) me: Me,
    pub(crate) server_time: u64,
    pub(crate) epoch: Epoch,
    pub(crate) offset: Offset,
    pub(crate) recovered: bool,
    pub(crate) reason: Option<RecoveryFailure>,
    pub(crate) publications: Vec<Publication>,
    pub(crate) members: Vec<Member>,
    pub(crate) members_next: Option<String>,
    pub(crate) occupancy: Occupancy,
    pub(crate) state: SharedState,
}
