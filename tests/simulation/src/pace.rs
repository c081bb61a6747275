//! What a connection may ask for, as the protocol's text has it (R-RATE-1, R-RATE-2): a bucket of tokens in plain
//! arithmetic, to hold the room's against.

use std::collections::VecDeque;

use schemas::{
    ClientMessage,
    config::{Rate, Rates},
    limits,
};

#[derive(Debug, Clone, Copy, Default)]
struct Tokens {
    /// Millionths of a second's worth: what is missing from a full bucket.
    missing_us: u64,
    at: u64,
}

impl Tokens {
    fn take(&mut self, now: u64, rate: Rate) -> bool {
        let refilled_us = now.saturating_sub(self.at) * 1_000;
        self.missing_us = self.missing_us.saturating_sub(refilled_us);
        self.at = now;
        let token_us = 1_000_000 / u64::from(rate.per_second);
        let is_there = self.missing_us + token_us <= token_us * u64::from(rate.burst);
        if is_there {
            self.missing_us += token_us;
        }
        is_there
    }
}

/// What is to become of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    Taken,
    Limited,
    /// The connection was closed before.
    Out,
}

/// One connection's buckets, and its refusals.
#[derive(Debug, Clone, Default)]
pub(crate) struct Paces {
    publish: Tokens,
    request: Tokens,
    refusals: VecDeque<u64>,
    pub(crate) is_out: bool,
    /// The request that was one too many.
    pub(crate) last: Option<u32>,
    /// How often the clock was set back before: once it is again, nothing is foretold.
    pub(crate) era: u64,
}

impl Paces {
    pub(crate) fn of_new(era: u64) -> Paces {
        Paces { era, ..Paces::default() }
    }

    /// One message reaches the room; `None` is one that cannot be read.
    pub(crate) fn pass(&mut self, now: u64, rates: Rates, message: Option<&ClientMessage>) -> Pass {
        if self.is_out {
            return Pass::Out;
        }
        let (tokens, rate) = match message {
            Some(
                ClientMessage::Hello(_)
                | ClientMessage::Auth { .. }
                | ClientMessage::Ack { .. }
                | ClientMessage::Leave { .. },
            ) => return Pass::Taken,
            Some(
                ClientMessage::Publish(_)
                | ClientMessage::Edit { .. }
                | ClientMessage::Remove { .. }
                | ClientMessage::React { .. },
            ) => (&mut self.publish, rates.publish),
            _ => (&mut self.request, rates.request),
        };
        if rate.is_none_or(|rate| tokens.take(now, rate)) {
            return Pass::Taken;
        }
        self.refusals.push_back(now);
        let is_old = |at: &u64| now.saturating_sub(*at) >= limits::RATE_REFUSALS_WINDOW_MS;
        while self.refusals.front().is_some_and(is_old) {
            self.refusals.pop_front();
        }
        self.is_out = self.refusals.len() >= limits::RATE_REFUSALS_MAX as usize;
        self.last = message.and_then(ClientMessage::id).filter(|_| self.is_out);
        Pass::Limited
    }
}
