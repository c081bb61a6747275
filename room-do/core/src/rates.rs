//! Token buckets, each one number: when it would be full again (the generic cell rate algorithm).

use std::collections::VecDeque;

use schemas::{
    CloseCode, ConnectionId, ErrorCode, ServerMessage, config::Rate, limits, server_message::RequestError,
};
use serde::{Deserialize, Serialize};

use crate::room::Room;

/// Which of a connection's two buckets a message takes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Publish,
    Request,
}

/// What a connection may still ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bucket {
    /// Microseconds since 1970.
    full_at_us: u64,
}

impl Bucket {
    /// Takes one token.
    ///
    /// # Errors
    /// In how many milliseconds there will be one.
    pub(crate) fn take(&mut self, now: u64, rate: Rate) -> Result<(), u64> {
        let now_us = now * 1_000;
        let token_us = 1_000_000 / u64::from(rate.per_second);
        let capacity_us = token_us * u64::from(rate.burst);
        // Never emptier than empty: a clock that went back does not block anyone for long.
        self.full_at_us = self.full_at_us.clamp(now_us, now_us + capacity_us);
        let after_us = self.full_at_us + token_us;
        if after_us > now_us + capacity_us {
            return Err((after_us - now_us - capacity_us).div_ceil(1_000));
        }
        self.full_at_us = after_us;
        Ok(())
    }

    /// The clock went back by so much.
    pub(crate) fn step_back(&mut self, by_ms: u64) {
        self.full_at_us = self.full_at_us.saturating_sub(by_ms * 1_000);
    }

    /// When it is full again, in milliseconds since 1970.
    pub(crate) fn full_at(self) -> u64 {
        self.full_at_us / 1_000
    }
}

/// Counts what must not happen too often: when it did, for the last few times.
#[derive(Debug, Clone, Default)]
pub(crate) struct Strikes(VecDeque<u64>);

impl Strikes {
    /// Counts one more, and tells whether it makes `max` within any `window_ms`.
    pub(crate) fn count(&mut self, now: u64, window_ms: u64, max: u32) -> bool {
        while self.0.front().is_some_and(|at| now.saturating_sub(*at) >= window_ms) {
            self.0.pop_front();
        }
        self.0.push_back(now);
        self.0.len() >= max as usize
    }

    /// The clock went back by so much.
    pub(crate) fn step_back(&mut self, by_ms: u64) {
        self.0.iter_mut().for_each(|at| *at = at.saturating_sub(by_ms));
    }
}

impl Room {
    /// Refuses what comes faster than the kind allows; who goes on regardless is closed.
    pub(crate) fn is_within_rate(
        &mut self,
        now: u64,
        id: ConnectionId,
        request: Option<u32>,
        pace: Pace,
    ) -> bool {
        let rates = self.setup.config.rates;
        let Some(connection) = self.connections.get_mut(id) else { return false };
        let (bucket, rate) = match pace {
            Pace::Publish => (&mut connection.rates.publish, rates.publish),
            Pace::Request => (&mut connection.rates.request, rates.request),
        };
        let Some(rate) = rate else { return true };
        let Err(retry_after_ms) = bucket.take(now, rate) else {
            if bucket.full_at() > now + limits::SLEEPS_AFTER_MS {
                // It will not be full when the room falls asleep.
                self.attach(now, id);
            }
            return true;
        };
        let text = format!("at most {} a second, and {} at once", rate.per_second, rate.burst);
        let mut error = RequestError::new(request, ErrorCode::RateLimited, text);
        error.retry_after_ms = Some(retry_after_ms);
        self.refuse_for_rate(now, id, error);
        false
    }

    /// Refuses a request that came too soon; who goes on regardless is closed.
    pub(crate) fn refuse_for_rate(&mut self, now: u64, id: ConnectionId, error: RequestError) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let (window_ms, max) = (limits::RATE_REFUSALS_WINDOW_MS, limits::RATE_REFUSALS_MAX);
        if connection.refusals.count(now, window_ms, max) {
            self.send_now(id, &ServerMessage::Error(error));
            self.refuse_connection(now, id, CloseCode::RateLimited);
        } else {
            self.reject(id, error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 10, burst: 5 };
    const NOW: u64 = 1_800_000_000_000;

    fn taken(bucket: &mut Bucket, now: u64) -> u32 {
        (0..1_000).take_while(|_| bucket.take(now, RATE).is_ok()).count() as u32
    }

    #[test]
    fn r_rate_1_a_burst_then_the_rate() {
        let mut bucket = Bucket::default();
        assert_eq!(taken(&mut bucket, NOW), 5);
        assert_eq!(bucket.take(NOW, RATE), Err(100));
        assert_eq!(bucket.take(NOW + 99, RATE), Err(1));
        assert_eq!(taken(&mut bucket, NOW + 100), 1);
        assert_eq!(taken(&mut bucket, NOW + 10_000), 5, "never more than the burst");
    }

    #[test]
    fn r_rate_1_a_clock_that_steps_back_blocks_nobody_for_long() {
        let mut bucket = Bucket::default();
        taken(&mut bucket, NOW);
        let earlier = NOW - 3_600_000;
        assert_eq!(bucket.take(earlier, RATE), Err(100));
        assert_eq!(taken(&mut bucket, earlier + 500), 5);
    }
}
