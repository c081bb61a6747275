//! One socket's way through the network: two queues in order, each frame with its delay.

use std::collections::VecDeque;

use schemas::Frame;

/// How one end learns that the other is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    Frame(Frame),
    Closed(u16),
}

#[derive(Debug, Clone, Default)]
pub struct Queue {
    waiting: VecDeque<(u64, Signal)>,
    /// Nothing overtakes: a frame arrives no earlier than the one before.
    last_at: u64,
    /// Nothing goes in or out any more, and nobody is told.
    is_frozen: bool,
}

impl Queue {
    pub fn push(&mut self, at: u64, signal: Signal) {
        if !self.is_frozen {
            self.last_at = self.last_at.max(at);
            self.waiting.push_back((self.last_at, signal));
        }
    }

    /// What has arrived by now.
    pub fn pop(&mut self, now: u64) -> Option<Signal> {
        let due = !self.is_frozen && self.waiting.front().is_some_and(|(at, _)| *at <= now);
        due.then(|| self.waiting.pop_front()).flatten().map(|(_, signal)| signal)
    }

    /// Loses what is under way behind the first `kept` frames.
    pub fn lose_behind(&mut self, kept: usize) {
        self.waiting.truncate(kept);
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn freeze(&mut self) {
        self.is_frozen = true;
    }

    #[must_use]
    pub fn next_at(&self) -> Option<u64> {
        if self.is_frozen { None } else { self.waiting.front().map(|(at, _)| *at) }
    }
}

/// Both directions of one socket.
#[derive(Debug, Clone, Default)]
pub struct Link {
    pub up: Queue,
    pub down: Queue,
}

impl Link {
    /// Half-open: neither end hears anything, and neither is told.
    pub fn freeze(&mut self) {
        self.up.freeze();
        self.down.freeze();
    }
}
