//! What was sent to a reader and has not arrived: measured as the shell does, or counted against acks; and what the
//! protocol's text (R-SLOW-1, R-SLOW-2) makes of it.

use std::collections::VecDeque;

use room_core::Input;
use schemas::{
    ClientMessage, CloseCode, Codec, ConnectionId, Frame, ServerMessage, codec, limits,
    server_message::NoticeCode,
};

use crate::{network::Pipe, world::World};

/// The shell measures a socket when so much was sent to it since the last time.
const MEASURED_EVERY_BYTES: u64 = 64 * 1024;

/// One socket's, seen from the room.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backlog {
    sent_since_measured: u64,
    /// As last measured, since the room was last rebuilt.
    measured: u64,
    is_slow: bool,
    /// Frames that were sent and not acknowledged, where acks are asked for.
    unacked: VecDeque<u64>,
    unacked_bytes: u64,
    sent: u64,
    /// After a rebuild the first ack covers everything.
    is_counted: bool,
    /// How often the room was rebuilt since the socket opened.
    rebuilt: u64,
    /// The event under way, and what was unsent before it.
    event: u64,
    before: u64,
}

impl Backlog {
    pub(crate) fn of_new() -> Backlog {
        Backlog { is_counted: true, ..Backlog::default() }
    }

    fn forget(&mut self) {
        (self.sent_since_measured, self.measured, self.is_slow) = (0, 0, false);
        self.unacked.clear();
        (self.unacked_bytes, self.is_counted) = (0, false);
        self.rebuilt += 1;
    }

    fn acked(&mut self, frames: u64) {
        let outstanding = if self.is_counted { self.sent.saturating_sub(frames) } else { 0 };
        if !self.is_counted {
            (self.is_counted, self.sent) = (true, frames);
        }
        while self.unacked.len() as u64 > outstanding {
            self.unacked_bytes -= self.unacked.pop_front().unwrap_or(0);
        }
    }

    fn count(&mut self, bytes: u64) {
        self.sent_since_measured += bytes;
        self.sent += 1;
        self.unacked.push_back(bytes);
        self.unacked_bytes += bytes;
    }
}

impl World {
    /// What the shell tells the room ahead of each event, where the platform knows.
    pub(crate) fn measure(&mut self) {
        let restores = self.object.restores;
        if std::mem::replace(&mut self.restores_seen, restores) != restores {
            self.pipes.values_mut().for_each(|pipe| pipe.backlog.forget());
        }
        if self.object.setup.asks_acks {
            return;
        }
        let mut unsent = Vec::new();
        for (connection, Pipe { link, backlog, .. }) in &mut self.pipes {
            if backlog.sent_since_measured < MEASURED_EVERY_BYTES && !backlog.is_slow {
                continue;
            }
            let bytes = link.down.bytes();
            let was_slow = std::mem::replace(&mut backlog.is_slow, bytes >= limits::UNSENT_DROP_BYTES);
            backlog.sent_since_measured = 0;
            if backlog.is_slow || was_slow {
                backlog.measured = bytes;
                unsent.push((*connection, bytes));
            }
        }
        if !unsent.is_empty() {
            self.tally.count("readers measured");
            let fate = self.object.step(self.clock.now(), Input::Measured { unsent });
            self.meet(fate);
        }
    }

    /// What a client says reaches the room.
    pub(crate) fn note_acks(&mut self, connection: ConnectionId, codec: Codec, frame: &Frame) {
        if !self.object.setup.asks_acks {
            return;
        }
        let Some(pipe) = self.pipes.get_mut(&connection) else { return };
        for message in codec::decode_client(codec, frame).into_iter().flatten() {
            if let ClientMessage::Ack { frames } = message {
                self.tally.count("acks");
                pipe.backlog.acked(frames);
            }
        }
    }

    /// The room sends a frame to a socket.
    pub(crate) fn judge_sending(&mut self, connection: ConnectionId, frame: &Frame) {
        let asks_acks = self.object.setup.asks_acks;
        let Some(Pipe { link, backlog, .. }) = self.pipes.get_mut(&connection) else { return };
        if backlog.event != self.event {
            backlog.event = self.event;
            backlog.before = if asks_acks { backlog.unacked_bytes } else { backlog.measured };
            // Where acks are asked for, the frame that is one too many is the last.
            let slack = (1 + backlog.rebuilt) * MEASURED_EVERY_BYTES;
            let is_bounded = asks_acks || link.down.bytes() < limits::UNSENT_CLOSE_BYTES + slack;
            assert!(is_bounded, "R-SLOW-1: {connection} had {} unsent", link.down.bytes());
        }
        let is_long = backlog.before >= limits::UNSENT_DROP_BYTES;
        backlog.count(frame.len() as u64);
        if !is_long {
            return;
        }
        for message in codec::decode_server(frame).into_iter().flatten() {
            let is_ephemeral = matches!(message, ServerMessage::Ephemeral(_));
            assert!(
                !is_ephemeral,
                "R-SLOW-1: an ephemeral was sent to one that had {} unsent",
                backlog.before
            );
            if matches!(message, ServerMessage::Notice { code: NoticeCode::EphemeralsDropped, .. }) {
                self.tally.count_in("notices", "ephemerals_dropped");
            }
        }
    }

    /// The room closes a socket.
    pub(crate) fn judge_closing(&self, connection: ConnectionId, code: CloseCode) {
        let Some(Pipe { link, backlog, .. }) = self.pipes.get(&connection) else { return };
        if code != CloseCode::SlowConsumer {
            return;
        }
        let unsent = if self.object.setup.asks_acks { backlog.before } else { link.down.bytes() };
        assert!(unsent >= limits::UNSENT_CLOSE_BYTES, "R-SLOW-1: closed with {unsent} unsent");
    }

    /// Behind an event: who had far too much before it, and was sent more, is closed.
    pub(crate) fn judge_slow(&self) {
        for (connection, pipe) in &self.pipes {
            let is_over = pipe.backlog.event == self.event
                && pipe.backlog.before >= limits::UNSENT_CLOSE_BYTES
                && self.object.is_open(*connection);
            assert!(!is_over, "R-SLOW-1: {connection} had {} unsent, and stays", pipe.backlog.before);
        }
    }
}
