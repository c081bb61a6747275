//! The client, its one entrance, and what can be asked of it.

use alloc::{string::String, vec::Vec};

use schemas::{
    ConnectionId, ErrorCode, Frame, Payload, Position, PublicSession, RoomName, Session, UserId,
    server_message::{Member, RequestError, WelcomeLimits},
};

use crate::{
    acks::Acks,
    backoff::Backoff,
    input::{Attempt, Call, Input, Request},
    output::{Deadline, Due, Event, Outcome, Output, Outputs},
    presence::Roster,
    requests::{Requests, unavailable},
    shared_state::SharedState,
    state::{State, Status},
    transport::Ways,
};

#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    pub room: RoomName,
    /// Secret, random, and the same for as long as this client lives.
    pub session: Session,
    pub token: TokenSource,
    /// Where an earlier client with this session got to: continues from there, or a gap says why not.
    pub position: Option<Position>,
    /// So many newest publications where there is nothing to recover, or recovery fails; ≤ 200.
    pub rewind: Option<u32>,
    pub tags: Vec<String>,
    /// This session's presence data, until [`Request::Presence`] replaces it.
    pub presence: Option<Payload>,
    /// Whether to be told who else is here.
    pub members: bool,
    /// Whether the driver knows [`crate::Transport::Http`].
    pub fallback: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenSource {
    /// The room's kind is public.
    None,
    /// Each attempt asks for one with [`Output::FetchToken`].
    Function,
}

/// Who this connection is, as the welcome said.
#[derive(Debug, Clone, PartialEq)]
pub struct Me {
    pub connection: ConnectionId,
    pub session: PublicSession,
    pub user: UserId,
    /// The whole subscription: the token's tags and those asked for.
    pub tags: Vec<String>,
    pub limits: WelcomeLimits,
    pub expires_at: Option<u64>,
}

/// What the platform last said of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    Presumed,
    Lost,
}

/// One room's connection, across all the sockets it takes.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) options: Options,
    pub(crate) state: State,
    pub(crate) network: Network,
    pub(crate) backoff: Backoff,
    pub(crate) last_attempt: Attempt,
    pub(crate) ways: Ways,
    pub(crate) attempted_at: u64,
    pub(crate) position: Option<Position>,
    pub(crate) me: Option<Me>,
    pub(crate) roster: Roster,
    pub(crate) shared: SharedState,
    pub(crate) acks: Acks,
    pub(crate) presence: Option<Payload>,
    /// The subscription, but for what the token brings.
    pub(crate) tags: Vec<String>,
    pub(crate) requests: Requests,
    pub(crate) now: u64,
    /// What the server's clock said at the last welcome, and when that was.
    pub(crate) server_clock: (u64, u64),
}

impl Client {
    #[must_use]
    pub fn new(now_ms: u64, seed: u64, options: Options) -> Client {
        let (presence, tags, position) = (options.presence.clone(), options.tags.clone(), options.position);
        Client {
            options,
            state: State::Idle,
            network: Network::Presumed,
            backoff: Backoff::new(seed),
            last_attempt: Attempt(0),
            ways: Ways::default(),
            attempted_at: now_ms,
            position,
            me: None,
            roster: Roster::default(),
            shared: SharedState::default(),
            acks: Acks::default(),
            presence,
            tags,
            requests: Requests::default(),
            now: now_ms,
            server_clock: (0, now_ms),
        }
    }

    /// Takes what happened; returns what to do. A clock that stepped back is taken for one that stands.
    pub fn handle(&mut self, now_ms: u64, input: Input) -> Outputs {
        let now = self.now.max(now_ms);
        self.now = now;
        let mut out = Outputs::default();
        let before = self.status();
        match input {
            Input::JoinRequested => self.on_join(now, &mut out),
            Input::LeaveRequested => self.on_leave(now, &mut out),
            Input::Requested { call, request } => self.on_requested(now, call, request, &mut out),
            Input::Cancelled { call } => self.on_cancelled(now, call, &mut out),
            Input::TokenFetched { attempt, token } => self.on_token(now, attempt, token, &mut out),
            Input::TokenFailed { attempt } => self.on_token_failed(now, attempt),
            Input::TokenRefused { attempt, reason } => self.on_token_refused(attempt, reason, &mut out),
            Input::SocketOpened { attempt } => self.on_opened(now, attempt, &mut out),
            Input::FrameReceived { attempt, frame } => self.on_frame(now, attempt, &frame, &mut out),
            Input::SocketClosed { attempt, code, reason } => {
                self.on_closed(now, attempt, code, reason, &mut out)
            }
            Input::NetworkLost => self.on_network_lost(now, &mut out),
            Input::NetworkFound => self.on_network_found(now, &mut out),
            Input::BecameVisible => self.on_visible(now, &mut out),
            Input::TimedOut => self.on_timeout(now, &mut out),
        }
        let after = self.status();
        if after != before {
            out.emit(Event::StatusChanged(after));
        }
        out
    }

    /// When to call [`Client::handle`] with [`Input::TimedOut`]; asked anew after each call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let (at_ms, due) = match &self.state {
            State::Idle | State::Failed(_) | State::Left => return None,
            State::FetchingToken { until, .. } => (*until, Due::Token),
            State::Opening { until, .. } => (*until, Due::Open),
            State::Greeting { until, .. } => (*until, Due::Welcome),
            State::Leaving { until, .. } => (*until, Due::Leave),
            State::Waiting { until, .. } => (*until, Due::Reconnect),
            State::Online(online) => return Some(online.deadline(self.now, &self.requests, &self.acks)),
        };
        Some(Deadline { at_ms, due })
    }

    #[must_use]
    pub fn status(&self) -> Status {
        match &self.state {
            State::Idle => Status::Idle,
            State::Waiting { .. } if self.network == Network::Lost => Status::Offline,
            State::FetchingToken { .. }
            | State::Opening { .. }
            | State::Greeting { .. }
            | State::Waiting { .. } => {
                if self.me.is_some() {
                    Status::Reconnecting
                } else {
                    Status::Connecting
                }
            }
            State::Online(_) | State::Leaving { .. } => Status::Connected,
            State::Failed(failure) => Status::Failed(failure.clone()),
            State::Left => Status::Left,
        }
    }

    /// Everything this client may see up to here was emitted, or a gap was.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// As of the last welcome since joining.
    #[must_use]
    pub fn me(&self) -> Option<&Me> {
        self.me.as_ref()
    }

    /// In the order of their public sessions.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        self.roster.members()
    }

    /// The room's shared state, up to the last change heard of.
    #[must_use]
    pub fn state(&self) -> &SharedState {
        &self.shared
    }

    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    fn on_requested(&mut self, now: u64, call: Call, request: Request, out: &mut Outputs) {
        match &self.state {
            State::Idle | State::Left | State::Leaving { .. } | State::Failed(_) => {
                let error = unavailable("the room is not joined");
                return out.settle(call, Outcome::Rejected(error));
            }
            State::Online(_) => {}
            State::FetchingToken { .. }
            | State::Opening { .. }
            | State::Greeting { .. }
            | State::Waiting { .. } => {
                if request.is_ephemeral() {
                    let error = unavailable("not connected: ephemerals do not wait");
                    return out.settle(call, Outcome::Rejected(error));
                }
            }
        }
        if self.requests.is_full_for(&request) {
            self.flush(now, None, out);
        }
        if self.requests.is_full_for(&request) {
            let error = RequestError::new(None, ErrorCode::Overloaded, "too many requests wait to be sent");
            return out.settle(call, Outcome::Rejected(error));
        }
        if let Request::Presence { data } = &request {
            self.presence = Some(data.clone());
        }
        self.requests.queue(call, request);
    }

    fn on_timeout(&mut self, now: u64, out: &mut Outputs) {
        match &self.state {
            State::Idle | State::Failed(_) | State::Left => {}
            State::Online(_) => self.on_online_timeout(now, out),
            State::FetchingToken { until, .. }
            | State::Opening { until, .. }
            | State::Greeting { until, .. }
            | State::Leaving { until, .. }
            | State::Waiting { until, .. } => {
                if now >= *until {
                    self.on_deadline(now, out);
                }
            }
        }
    }

    /// What the server's clock says by now, as far as this side's tells: it may stand while a machine sleeps.
    pub(crate) fn server_time(&self, now: u64) -> u64 {
        let (server_time, at) = self.server_clock;
        server_time.saturating_add(now - at)
    }

    pub(crate) fn send(&mut self, attempt: Attempt, bytes: Vec<u8>, out: &mut Outputs) {
        out.push(Output::Send { attempt, frame: Frame::Binary(bytes) });
    }
}
