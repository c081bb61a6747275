//! One socket's way through the network: two queues in order, each frame with its delay.

use std::collections::VecDeque;

use schemas::Frame;

use crate::{kept::Stamp, random::Random};

/// What one end hears of the other.
#[derive(Debug, Clone)]
pub enum Signal {
    /// What the room sent comes with what was true then.
    Frame(Frame, Stamp),
    Closed(u16),
}

/// How fast a link is.
#[derive(Debug, Clone, Copy)]
pub struct Quality {
    pub latency_ms: u64,
    pub jitter_ms: u64,
    /// 0: no bound.
    pub bytes_per_ms: u64,
}

impl Quality {
    pub const GOOD: Quality = Quality { latency_ms: 0, jitter_ms: 60, bytes_per_ms: 0 };

    /// A link as mobile phones know it: every frame waits for those before it, and is long under way.
    pub fn slow(random: &mut Random) -> Quality {
        Quality {
            latency_ms: 100 + random.below(2_900),
            jitter_ms: 1 + random.below(1_000),
            bytes_per_ms: 1 + random.below(100),
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Queue {
    waiting: VecDeque<(u64, Signal)>,
    /// Of the frames that wait, and of those that a frozen link swallowed.
    bytes: u64,
    /// Nothing overtakes: a frame arrives no earlier than the one before.
    last_at: u64,
    /// When the last byte that was pushed has left.
    sent_at: u64,
    stalled_until: u64,
    /// Nothing goes in or out any more, and nobody is told.
    is_frozen: bool,
    /// The close is on its way: nothing comes behind it.
    is_ended: bool,
}

impl Queue {
    pub fn send(&mut self, now: u64, frame: Frame, stamp: Stamp, quality: Quality, random: &mut Random) {
        let ms = (frame.len() as u64).checked_div(quality.bytes_per_ms).unwrap_or(0);
        self.sent_at = self.sent_at.max(now) + ms;
        let at = self.sent_at + quality.latency_ms + random.below(quality.jitter_ms.max(1));
        self.push(at, Signal::Frame(frame, stamp));
    }

    pub fn push(&mut self, at: u64, signal: Signal) {
        if let Signal::Frame(frame, _) = &signal
            && !self.is_ended
        {
            self.bytes += frame.len() as u64;
        }
        if self.is_frozen || self.is_ended {
            return;
        }
        self.is_ended = matches!(signal, Signal::Closed(_));
        self.last_at = self.last_at.max(at);
        self.waiting.push_back((self.last_at, signal));
    }

    /// What has arrived by now.
    pub fn pop(&mut self, now: u64) -> Option<Signal> {
        if self.next_at()? > now {
            return None;
        }
        let (_, signal) = self.waiting.pop_front()?;
        if let Signal::Frame(frame, _) = &signal {
            self.bytes -= frame.len() as u64;
        }
        Some(signal)
    }

    /// Loses what is under way behind the first `kept` frames; then the end comes.
    pub fn break_off(&mut self, kept: usize, at: u64) {
        for (_, lost) in self.waiting.drain(kept..) {
            if let Signal::Frame(frame, _) = lost {
                self.bytes -= frame.len() as u64;
            }
        }
        self.is_ended = matches!(self.waiting.back(), Some((_, Signal::Closed(_))));
        self.push(at, Signal::Closed(1006));
    }

    /// What was sent and has not left.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
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

    /// The reader reads nothing until then.
    pub fn stall(&mut self, until: u64) {
        self.stalled_until = self.stalled_until.max(until);
    }

    /// Nothing under way takes longer than until then.
    pub fn flow(&mut self, by: u64) {
        self.stalled_until = 0;
        self.last_at = self.last_at.min(by);
        self.sent_at = self.sent_at.min(by);
        for (at, _) in &mut self.waiting {
            *at = (*at).min(by);
        }
    }

    #[must_use]
    pub fn next_at(&self) -> Option<u64> {
        if self.is_frozen {
            return None;
        }
        self.waiting.front().map(|(at, _)| (*at).max(self.stalled_until))
    }
}

/// Both directions of one socket.
#[derive(Debug, Clone)]
pub struct Link {
    pub up: Queue,
    pub down: Queue,
    pub quality: Quality,
}

impl Link {
    #[must_use]
    pub fn new(quality: Quality) -> Link {
        Link { up: Queue::default(), down: Queue::default(), quality }
    }

    /// Half-open: neither end hears anything, and neither is told.
    pub fn freeze(&mut self) {
        self.up.freeze();
        self.down.freeze();
    }

    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.up.is_frozen || self.down.is_frozen
    }

    #[must_use]
    pub fn next_at(&self) -> Option<u64> {
        match (self.up.next_at(), self.down.next_at()) {
            (Some(up), Some(down)) => Some(up.min(down)),
            (up, down) => up.or(down),
        }
    }
}
