//! Whether the peer is still there.
//!
//! The server forgets a connection it heard nothing of for 90 s, and intermediaries drop silent ones sooner, so
//! what counts is when this side last *sent*. Who keeps sending would never ping that way, and never learn that
//! nobody is there: what has met with nothing at all for 10 s is followed by a ping too. Timers run late where a tab is hidden or a machine slept: a missed
//! deadline noticed late earns the peer one more ping instead of the blame.

use schemas::limits::{PING_AFTER_MS, PONG_WITHIN_MS};

/// A pong is awaited so long where the network is suspected: it was said to be gone, or the tab slept.
pub const PROBE_WITHIN_MS: u64 = 4_000;
/// What was sent may meet with nothing at all for so long before there is a ping.
pub const UNHEARD_MS: u64 = 10_000;
/// A deadline noticed so late was slept through.
pub const LATE_MS: u64 = 2_000;

#[derive(Debug, Clone)]
pub struct Heartbeat {
    sent_at: u64,
    /// The first that was sent since something was received.
    unheard_since: Option<u64>,
    ping: Ping,
}

#[derive(Debug, Clone, Copy)]
enum Ping {
    /// Something was received since the last one.
    Answered,
    Awaited {
        until: u64,
    },
    /// The one before was slept through.
    LastAwaited {
        until: u64,
    },
}

/// What the clock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Fine,
    /// Send a ping (it is counted as sent).
    Ping,
    Dead,
}

impl Heartbeat {
    #[must_use]
    pub fn started(now: u64) -> Heartbeat {
        Heartbeat { sent_at: now, unheard_since: None, ping: Ping::Answered }
    }

    pub fn sent(&mut self, now: u64) {
        self.sent_at = now;
        self.unheard_since.get_or_insert(now);
    }

    pub fn received(&mut self) {
        self.unheard_since = None;
        self.ping = Ping::Answered;
    }

    /// Doubt: `true` where a ping is to be sent now, to be answered soon.
    #[must_use]
    pub fn doubted(&mut self, now: u64) -> bool {
        let until = now + PROBE_WITHIN_MS;
        match self.ping {
            Ping::Awaited { until: sooner } | Ping::LastAwaited { until: sooner } if sooner <= until => false,
            Ping::Answered | Ping::Awaited { .. } | Ping::LastAwaited { .. } => {
                self.sent_at = now;
                self.ping = Ping::Awaited { until };
                true
            }
        }
    }

    /// The next time to look, and whether it is for a pong.
    #[must_use]
    pub fn deadline(&self) -> (u64, bool) {
        match self.ping {
            Ping::Answered => {
                let idle = self.sent_at + PING_AFTER_MS;
                (self.unheard_since.map_or(idle, |since| idle.min(since + UNHEARD_MS)), false)
            }
            Ping::Awaited { until } | Ping::LastAwaited { until } => (until, true),
        }
    }

    #[must_use]
    pub fn looked_at(&mut self, now: u64) -> Verdict {
        let (deadline, _) = self.deadline();
        if now < deadline {
            return Verdict::Fine;
        }
        self.ping = match self.ping {
            Ping::Answered => Ping::Awaited { until: now + PONG_WITHIN_MS },
            Ping::Awaited { .. } if now >= deadline + LATE_MS => {
                Ping::LastAwaited { until: now + PROBE_WITHIN_MS }
            }
            Ping::Awaited { .. } | Ping::LastAwaited { .. } => return Verdict::Dead,
        };
        self.sent_at = now;
        Verdict::Ping
    }
}
