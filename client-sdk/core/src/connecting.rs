//! From joining to hello, from a lost connection to the next attempt, and out again.

use alloc::string::String;

use schemas::{
    CloseCode,
    client_message::{ClientMessage, Hello},
    codes::AfterClose,
    limits::HELLO_WITHIN_MS,
};

use crate::{
    acks::Acks,
    backoff::{CAP_MS, SPACING_MS, STABLE_AFTER_MS},
    client::{Client, Network, TokenSource},
    input::Attempt,
    output::{Output, Outputs},
    presence::Roster,
    requests::unavailable,
    shared_state::SharedState,
    state::{Failure, State},
    transport::Transport,
    wire,
};

/// A token function that has not answered by then has failed.
pub(crate) const TOKEN_WITHIN_MS: u64 = 30_000;
/// A socket that has not opened by then will not.
const OPEN_WITHIN_MS: u64 = 15_000;
/// A socket that ended without a word.
const ABNORMAL: u16 = 1006;
/// The answer to `leave` is awaited so long: it says that what was sent before it was heard.
const LEAVE_WITHIN_MS: u64 = 2_000;

impl Client {
    pub(crate) fn on_join(&mut self, now: u64, out: &mut Outputs) {
        match &self.state {
            State::Idle | State::Left | State::Failed(_) => {}
            State::Leaving { attempt, .. } => {
                let attempt = *attempt;
                self.end_leaving(attempt, out);
            }
            State::FetchingToken { .. }
            | State::Opening { .. }
            | State::Greeting { .. }
            | State::Online(_)
            | State::Waiting { .. } => return,
        }
        self.me = None;
        self.backoff.reset();
        self.begin_attempt(now, out);
    }

    fn begin_attempt(&mut self, now: u64, out: &mut Outputs) {
        self.last_attempt = Attempt(self.last_attempt.0.wrapping_add(1));
        self.attempted_at = now;
        let attempt = self.last_attempt;
        match self.options.token {
            TokenSource::Function => {
                self.state = State::FetchingToken { attempt, until: now + TOKEN_WITHIN_MS };
                out.push(Output::FetchToken { attempt });
            }
            TokenSource::None => self.open(now, attempt, None, out),
        }
    }

    fn open(&mut self, now: u64, attempt: Attempt, token: Option<String>, out: &mut Outputs) {
        self.state = State::Opening { attempt, until: now + OPEN_WITHIN_MS };
        let transport = if self.options.fallback { self.ways.choose(now) } else { Transport::WebSocket };
        out.push(Output::OpenSocket { attempt, token, transport });
    }

    fn is_fetching(&self, attempt: Attempt) -> bool {
        matches!(&self.state, State::FetchingToken { attempt: present, .. } if *present == attempt)
    }

    pub(crate) fn on_token(&mut self, now: u64, attempt: Attempt, token: String, out: &mut Outputs) {
        if self.is_fetching(attempt) {
            self.open(now, attempt, Some(token), out);
        } else if self.is_refreshing(attempt) {
            self.show_token(now, token, out);
        }
    }

    pub(crate) fn on_token_failed(&mut self, now: u64, attempt: Attempt) {
        if self.is_fetching(attempt) {
            self.wait(now, AfterClose::Reconnect);
        } else if self.is_refreshing(attempt) {
            self.refresh_later(now);
        }
    }

    pub(crate) fn on_token_refused(&mut self, attempt: Attempt, reason: String, out: &mut Outputs) {
        if self.is_fetching(attempt) {
            self.fail(CloseCode::Unauthorized.code(), reason, out);
        } else if self.is_refreshing(attempt) {
            self.refresh_refused();
        }
    }

    pub(crate) fn on_opened(&mut self, now: u64, attempt: Attempt, out: &mut Outputs) {
        if !matches!(&self.state, State::Opening { attempt: present, .. } if *present == attempt) {
            return;
        }
        self.acks = Acks::default();
        let recover = self.position;
        let hello = ClientMessage::Hello(Hello {
            session: self.options.session.clone(),
            recover,
            rewind: self.options.rewind,
            tags: self.tags.clone(),
            presence: self.presence.clone(),
            members: self.options.members,
        });
        self.send(attempt, wire::encode(&hello), out);
        self.state = State::Greeting { attempt, until: now + HELLO_WITHIN_MS, recover };
    }

    pub(crate) fn on_closed(
        &mut self,
        now: u64,
        attempt: Attempt,
        code: u16,
        reason: String,
        out: &mut Outputs,
    ) {
        if self.state.socket() != Some(attempt) {
            return;
        }
        if let State::Leaving { .. } = self.state {
            return self.forget_room(out);
        }
        if code == ABNORMAL {
            self.note_failed_way();
        }
        match AfterClose::of(code) {
            AfterClose::Stop => self.fail(code, reason, out),
            AfterClose::RefetchToken if self.options.token == TokenSource::None => {
                self.fail(code, reason, out)
            }
            after @ (AfterClose::Reconnect | AfterClose::ReconnectSlowly | AfterClose::RefetchToken) => {
                self.lost(now, after, out);
            }
        }
    }

    fn note_failed_way(&mut self) {
        if matches!(self.state, State::Opening { .. } | State::Greeting { .. }) {
            self.ways.failed();
        }
    }

    /// The present socket is of no use: closes it and waits for the next attempt.
    pub(crate) fn give_up_socket(&mut self, now: u64, out: &mut Outputs) {
        self.note_failed_way();
        if let Some(attempt) = self.state.socket() {
            out.push(Output::CloseSocket { attempt, code: CloseCode::HeartbeatTimeout });
        }
        self.lost(now, AfterClose::Reconnect, out);
    }

    fn lost(&mut self, now: u64, after: AfterClose, out: &mut Outputs) {
        self.requests.lose_answers("the connection was lost before the answer", out);
        self.requests.drop_ephemerals(out);
        self.wait(now, after);
    }

    fn wait(&mut self, now: u64, after: AfterClose) {
        if let State::Online(online) = &self.state
            && now >= online.since + STABLE_AFTER_MS
        {
            self.backoff.reset();
        }
        self.state = match after {
            AfterClose::ReconnectSlowly => {
                let until = now + self.backoff.slow_delay();
                State::Waiting { until, earliest: until }
            }
            AfterClose::Reconnect | AfterClose::RefetchToken | AfterClose::Stop => {
                let until = now + self.backoff.delay();
                State::Waiting { until, earliest: until.min(self.attempted_at + SPACING_MS) }
            }
        };
        if self.network == Network::Lost {
            self.stretch_wait(now);
        }
    }

    /// The platform's word that the network is gone may be wrong (a server on this very machine needs none), so
    /// the wait is stretched and not endless.
    fn stretch_wait(&mut self, now: u64) {
        if let State::Waiting { until, .. } = &mut self.state {
            *until = (*until).max(now + CAP_MS);
        }
    }

    fn cut_wait(&mut self, now: u64, out: &mut Outputs) {
        if let State::Waiting { until, earliest } = &mut self.state {
            *until = (*until).min(now.max(*earliest));
            if *until <= now {
                self.begin_attempt(now, out);
            }
        }
    }

    pub(crate) fn on_network_lost(&mut self, now: u64, out: &mut Outputs) {
        self.network = Network::Lost;
        self.stretch_wait(now);
        self.doubt(now, out);
    }

    pub(crate) fn on_network_found(&mut self, now: u64, out: &mut Outputs) {
        self.network = Network::Presumed;
        self.cut_wait(now, out);
        self.doubt(now, out);
    }

    pub(crate) fn on_visible(&mut self, now: u64, out: &mut Outputs) {
        if self.network == Network::Presumed {
            self.cut_wait(now, out);
        }
        self.doubt(now, out);
    }

    /// What was awaited in the present state did not come in time.
    pub(crate) fn on_deadline(&mut self, now: u64, out: &mut Outputs) {
        match &self.state {
            State::FetchingToken { .. } => self.wait(now, AfterClose::Reconnect),
            State::Opening { .. } | State::Greeting { .. } => self.give_up_socket(now, out),
            State::Waiting { .. } => self.begin_attempt(now, out),
            State::Leaving { attempt, .. } => {
                let attempt = *attempt;
                self.end_leaving(attempt, out);
            }
            State::Idle | State::Online(_) | State::Failed(_) | State::Left => {}
        }
    }

    pub(crate) fn fail(&mut self, code: u16, reason: String, out: &mut Outputs) {
        let mut error = unavailable("the room ended the connection for good");
        error.retryable = false;
        self.requests.reject_queue(&error, out);
        self.requests.forget_answers("the connection was closed for good before the answer", out);
        self.empty(out);
        self.state = State::Failed(Failure { code, reason });
    }

    pub(crate) fn on_leave(&mut self, now: u64, out: &mut Outputs) {
        match &self.state {
            State::Online(online) => {
                let attempt = online.attempt;
                let leave = self.requests.next_id();
                self.flush(now, Some(&ClientMessage::Leave { id: leave }), out);
                self.requests.reject_queue(&unavailable("the room was left"), out);
                self.state = State::Leaving { attempt, until: now + LEAVE_WITHIN_MS, leave };
            }
            State::Opening { attempt, .. } | State::Greeting { attempt, .. } => {
                let attempt = *attempt;
                self.end_leaving(attempt, out);
            }
            State::Idle | State::FetchingToken { .. } | State::Waiting { .. } | State::Failed(_) => {
                self.forget_room(out);
            }
            State::Leaving { .. } | State::Left => {}
        }
    }

    pub(crate) fn end_leaving(&mut self, attempt: Attempt, out: &mut Outputs) {
        out.push(Output::CloseSocket { attempt, code: CloseCode::Normal });
        self.forget_room(out);
    }

    /// A later join is a first one.
    fn forget_room(&mut self, out: &mut Outputs) {
        self.requests.reject_queue(&unavailable("the room was left"), out);
        self.requests.forget_answers("the room was left before the answer", out);
        self.empty(out);
        self.position = None;
        self.tags = self.options.tags.clone();
        self.me = None;
        self.state = State::Left;
    }

    fn empty(&mut self, out: &mut Outputs) {
        self.show(Roster::default(), out);
        self.show_state(SharedState::default(), out);
    }
}
