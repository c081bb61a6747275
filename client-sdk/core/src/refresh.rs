//! A newer token for a live connection, before its present one ends.
//!
//! The server warns with `expiring`; the token function is asked once more, and what it gives is shown with `auth`.
//! What goes wrong for now is tried again with backoff. What goes wrong for good changes nothing: at the token's end
//! the server closes 3010, and the next attempt fetches anew.

use alloc::string::String;

use schemas::{
    ErrorCode,
    client_message::{ClientMessage, TokenText},
    limits::EXPIRING_BEFORE_MS,
    server_message::{Refreshed, RequestError, RequestResult},
};

use crate::{
    client::{Client, TokenSource},
    connecting::TOKEN_WITHIN_MS,
    input::Attempt,
    output::{Event, Output, Outputs},
    state::State,
    wire,
};

/// A token that lives shorter than the server's warning is replaced after half its time, not at once.
const SHORT_OF: u64 = 2;
/// And no sooner where nobody warned of it: where the issuer's clock is behind, each token may come expired, and be
/// good for the leeway alone.
const SHORT_MIN_MS: u64 = 5_000;

/// Where the live connection's newer token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refresh {
    /// The present token lives long, or there will be no newer one.
    Rests,
    /// It is asked for then.
    Waits { at: u64 },
    /// The token function has so long.
    Fetches { until: u64 },
    /// `auth` is sent; its answer is a request's. What the server says meanwhile may be of the newer token.
    Shows { expiring: Option<u64> },
}

impl Refresh {
    /// When there is something to do by itself.
    pub(crate) fn deadline(self) -> Option<u64> {
        match self {
            Refresh::Waits { at } | Refresh::Fetches { until: at } => Some(at),
            Refresh::Rests | Refresh::Shows { .. } => None,
        }
    }
}

impl Client {
    /// The token is about to expire.
    pub(crate) fn on_expiring(&mut self, now: u64, expires_at: u64, out: &mut Outputs) {
        out.emit(Event::Expiring { expires_at });
        let State::Online(online) = &mut self.state else { return };
        match &mut online.refresh {
            Refresh::Shows { expiring } => *expiring = Some(expires_at),
            Refresh::Rests if self.options.token == TokenSource::Function => {
                self.replace_token(now, expires_at, 0, out);
            }
            Refresh::Rests | Refresh::Waits { .. } | Refresh::Fetches { .. } => {}
        }
    }

    /// The token is to live `least` milliseconds at least.
    fn replace_token(&mut self, now: u64, expires_at: u64, least: u64, out: &mut Outputs) {
        let left = expires_at.saturating_sub(self.server_time(now));
        let State::Online(online) = &mut self.state else { return };
        online.refresh = Refresh::Waits { at: now.max(online.token_since + (left / SHORT_OF).max(least)) };
        self.refresh(now, out);
    }

    /// A token begins. The server does not warn of an end that is nearer than its warning would be.
    pub(crate) fn on_token_since(&mut self, now: u64, expires_at: u64, out: &mut Outputs) {
        let is_short = expires_at.saturating_sub(self.server_time(now)) <= EXPIRING_BEFORE_MS;
        if is_short && self.options.token == TokenSource::Function {
            self.replace_token(now, expires_at, SHORT_MIN_MS, out);
        }
    }

    /// Does what is due.
    pub(crate) fn refresh(&mut self, now: u64, out: &mut Outputs) {
        let State::Online(online) = &mut self.state else { return };
        if online.refresh.deadline().is_none_or(|at| now < at) {
            return;
        }
        match online.refresh {
            Refresh::Waits { .. } => {
                online.refresh = Refresh::Fetches { until: now + TOKEN_WITHIN_MS };
                out.push(Output::FetchToken { attempt: online.attempt });
            }
            Refresh::Fetches { .. } => self.refresh_later(now),
            Refresh::Rests | Refresh::Shows { .. } => {}
        }
    }

    pub(crate) fn refresh_later(&mut self, now: u64) {
        if let State::Online(online) = &mut self.state {
            online.refresh = Refresh::Waits { at: now + online.refresh_backoff.delay() };
        }
    }

    /// Whether a newer token for the connection of `attempt` is awaited.
    pub(crate) fn is_refreshing(&self, attempt: Attempt) -> bool {
        let State::Online(online) = &self.state else { return false };
        online.attempt == attempt && matches!(online.refresh, Refresh::Fetches { .. })
    }

    pub(crate) fn refresh_refused(&mut self) {
        if let State::Online(online) = &mut self.state {
            online.refresh = Refresh::Rests;
        }
    }

    pub(crate) fn show_token(&mut self, now: u64, token: String, out: &mut Outputs) {
        let State::Online(online) = &mut self.state else { return };
        let attempt = online.attempt;
        online.refresh = Refresh::Shows { expiring: None };
        online.heartbeat.sent(now);
        let id = self.requests.auth(now);
        self.send(attempt, wire::encode(&ClientMessage::Auth { id, token: TokenText(token) }), out);
    }

    pub(crate) fn on_refreshed(
        &mut self,
        now: u64,
        answer: Result<RequestResult, RequestError>,
        out: &mut Outputs,
    ) {
        let State::Online(online) = &mut self.state else { return };
        match answer {
            Err(error) if error.retryable || error.code == ErrorCode::RateLimited => self.refresh_later(now),
            Err(error) => {
                online.refresh = Refresh::Rests;
                out.emit(Event::Refused(error));
            }
            Ok(result) => {
                let shown = core::mem::replace(&mut online.refresh, Refresh::Rests);
                online.refresh_backoff.reset();
                online.token_since = now;
                if let (RequestResult::Refreshed(Refreshed { expires_at }), Some(me)) = (result, &mut self.me)
                {
                    me.expires_at = Some(expires_at);
                    self.on_token_since(now, expires_at, out);
                }
                if let Refresh::Shows { expiring: Some(expires_at) } = shown {
                    self.replace_token(now, expires_at, 0, out);
                }
            }
        }
    }
}
