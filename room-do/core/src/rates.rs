//! How fast a connection may ask, and what becomes of one that goes on asking faster.

use std::collections::VecDeque;

use schemas::{CloseCode, ConnectionId, ErrorCode, ServerMessage, limits, server_message::RequestError};

use crate::room::Room;

/// Which of a connection's two buckets a message takes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Publish,
    Request,
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
