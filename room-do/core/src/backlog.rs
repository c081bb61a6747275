//! What was sent to a connection and has not arrived: measured by the platform, or counted against the client's acks.

use std::collections::{BTreeSet, VecDeque};

use schemas::{CloseCode, ConnectionId, limits};

use crate::{output::Output, room::Room};

#[derive(Debug, Clone, Default)]
pub(crate) struct Backlog {
    unsent_bytes: u64,
    /// Of those that were not acknowledged, where acks are asked for.
    frames: VecDeque<u32>,
    /// WebSocket messages sent since the upgrade; `None` after a restore, until an ack tells.
    sent: Option<u64>,
    /// The connection was told that it gets no ephemerals.
    pub(crate) was_told: bool,
}

impl Backlog {
    /// Sent nothing yet.
    pub(crate) fn of_new() -> Backlog {
        Backlog { sent: Some(0), ..Backlog::default() }
    }

    /// Whether ephemerals are dropped.
    pub(crate) fn is_long(&self) -> bool {
        self.unsent_bytes >= limits::UNSENT_DROP_BYTES
    }

    fn is_too_long(&self) -> bool {
        self.unsent_bytes >= limits::UNSENT_CLOSE_BYTES
    }

    fn measured(&mut self, bytes: u64) {
        self.unsent_bytes = bytes;
        self.was_told &= self.is_long();
    }

    /// Counts a frame, and tells whether there was too much even before it: one that has just been sent much may
    /// read very well.
    fn sent(&mut self, bytes: usize) -> bool {
        let was_too_long = self.is_too_long();
        self.sent = self.sent.map(|count| count.saturating_add(1));
        self.frames.push_back(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.measured(self.unsent_bytes + bytes as u64);
        was_too_long
    }

    /// The client has handled so many frames. After a restore the first ack is believed to cover everything: what
    /// was sent before it is not known.
    fn acked(&mut self, frames: u64) {
        let outstanding = match self.sent {
            Some(sent) => sent.saturating_sub(frames),
            None => 0,
        };
        self.sent.get_or_insert(frames);
        while self.frames.len() as u64 > outstanding {
            let bytes = self.frames.pop_front().unwrap_or(0);
            self.measured(self.unsent_bytes.saturating_sub(bytes.into()));
        }
    }
}

impl Room {
    /// The shell read what has not left.
    pub(crate) fn on_measured(&mut self, now: u64, unsent: Vec<(ConnectionId, u64)>) {
        if self.setup.asks_acks {
            // Acks count, and two accounts would mix.
            return;
        }
        for (id, bytes) in unsent {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.backlog.measured(bytes);
                if connection.backlog.is_too_long() {
                    self.refuse_connection(now, id, CloseCode::SlowConsumer);
                }
            }
        }
    }

    pub(crate) fn on_ack(&mut self, id: ConnectionId, frames: u64) {
        if let Some(connection) = self.connections.get_mut(id).filter(|_| self.setup.asks_acks) {
            connection.backlog.acked(frames);
        }
    }

    /// Where acks are asked for: counts what the input's outputs send.
    pub(crate) fn count_sent(&mut self, now: u64) {
        if !self.setup.asks_acks {
            return;
        }
        let outputs = std::mem::take(&mut self.outputs);
        let mut slow = BTreeSet::new();
        for output in &outputs {
            let Output::Broadcast { connections, frame } = output else { continue };
            for id in connections {
                if let Some(connection) = self.connections.get_mut(*id)
                    && connection.backlog.sent(frame.len())
                {
                    slow.insert(*id);
                }
            }
        }
        self.outputs = outputs;
        for id in slow {
            self.refuse_connection(now, id, CloseCode::SlowConsumer);
        }
    }
}
