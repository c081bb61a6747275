//! The room: its state, and the table of what is done with each input.

use std::collections::BTreeSet;

use schemas::{
    CloseCode, ConnectionId, Epoch, Frame, Offset, RoomName, ServerMessage,
    codec::{self, Refusal},
    config::KindConfig,
    limits,
    server_message::{LeaveReason, NoticeCode, RequestError},
};

use crate::{
    attachment::Attachment,
    behavior::{Hosted, host::Host},
    blocks::Blocks,
    complaints::Complaints,
    connection::{Connection, Connections},
    input::Input,
    keys::Keys,
    lifecycle::Lifecycle,
    log::Log,
    outbox::{Outbox, Webhooks},
    output::{Output, Outputs},
    presence::{MemberKey, MemberRow, Presence},
    rates::Pace,
    report::Reporting,
    shared_state::SharedState,
    staging::Staging,
    storage::{Loaded, Storage},
    tally::Tally,
    timer::{Deadlines, Timer, Timers},
    upkeep::next_seed,
};

/// What a room is given and never changes.
#[derive(Debug, Clone)]
pub struct Setup {
    pub name: RoomName,
    pub config: KindConfig,
    /// Whether clients are asked to acknowledge, since nobody can say what has not left.
    pub asks_acks: bool,
    /// Who is told of what happens here.
    pub webhooks: Webhooks,
    /// The room's logic, where its kind has any.
    pub behavior: Option<Hosted>,
}

/// Why a room is rebuilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waking {
    /// It slept, or was never there.
    FromSleep,
    /// Its memory was lost in the middle of things: what was not answered may or may not have happened.
    FromFault,
}

#[derive(Debug)]
pub struct Room {
    pub(crate) setup: Setup,
    pub(crate) log: Log,
    pub(crate) connections: Connections,
    pub(crate) presence: Presence,
    pub(crate) state: SharedState,
    pub(crate) keys: Keys,
    pub(crate) blocks: Blocks,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) outbox: Outbox,
    /// `None` where the kind has no behavior, and while a flush is decided.
    pub(crate) host: Option<Host>,
    pub(crate) complaints: Complaints,
    pub(crate) staging: Staging,
    pub(crate) timers: Timers,
    pub(crate) tally: Tally,
    pub(crate) reporting: Reporting,
    /// When the last input came.
    pub(crate) now: u64,
    /// The source of epochs.
    pub(crate) seed: u64,
    /// Collected by the input being handled.
    pub(crate) outputs: Vec<Output>,
}

/// That a connection talks is kept with its socket at most so often.
const SPOKE_EVERY_MS: u64 = 30_000;

/// Of a close: what a WebSocket's frame takes (RFC 6455, 5.5).
pub(crate) const REASON_BYTES_MAX: usize = 123;

/// What a failed commit left to be written is tried again after so long.
pub(crate) const RETRY_AFTER_MS: u64 = 1_000;

/// A room that flushed nothing for so long is quiet; for each so many connections a millisecond longer.
const QUIET_MS: u64 = 10;
const QUIET_CONNECTIONS_PER_MS: u64 = 10;

impl Room {
    /// Rebuilds a room after hibernation, a restart or a trap; or builds one that was never used. Only reads.
    ///
    /// `seed` becomes the epoch of a log that has none yet. Members without a socket get a grace from `now`, unless
    /// theirs was running. Where a closing socket woke the room, it is among the sockets. A socket whose attachment
    /// cannot be read is closed with the first input's outputs.
    #[must_use]
    pub fn restore(
        now: u64,
        seed: u64,
        setup: Setup,
        loaded: Loaded,
        sockets: Vec<(ConnectionId, Option<Attachment>)>,
        waking: Waking,
    ) -> Room {
        let log = Log::restored(&loaded, Epoch::new(seed), setup.config.log);
        let lifecycle = loaded.meta.map_or(Lifecycle::FRESH, |meta| meta.lifecycle);
        let host = setup.behavior.map(|hosted| Host::restored(hosted, loaded.timers, next_seed(seed ^ now)));
        let outbox = Outbox::restored(now, setup.config.webhooks, &setup.webhooks, loaded.outbox);
        let mut room = Room {
            outbox,
            host,
            keys: Keys::restored(setup.config.key_window_ms, loaded.keys, log.is_kept()),
            blocks: Blocks::restored(loaded.blocks),
            log,
            setup,
            connections: Connections::default(),
            presence: Presence::restored(loaded.members),
            state: SharedState::restored(loaded.meta.map_or(0, |meta| meta.state_version), loaded.state),
            lifecycle,
            complaints: Complaints::default(),
            staging: Staging::default(),
            timers: Timers::default(),
            tally: Tally::default(),
            reporting: Reporting::new(now, seed, lifecycle),
            now,
            seed,
            outputs: Vec::new(),
        };
        for (id, attachment) in sockets {
            match attachment {
                Some(attachment) => room.restore_connection(now, id, attachment),
                None => room.close(id, CloseCode::Restarted),
            }
        }
        // Whoever joined a room of which nothing is stored was not told yet that it was deleted.
        let is_behind = !room.log.is_founded() && room.connections.joined_count() > 0;
        if !is_behind {
            room.restore_memberships(now);
        }
        room.restore_graces(now);
        room.set_storage_timers(now);
        room.set_blocks_timer(now);
        if let Some(host) = room.host.as_mut().filter(|_| waking == Waking::FromFault) {
            host.suspects_timers = true;
        }
        if waking == Waking::FromFault || is_behind {
            room.tell_restarted(now);
        }
        room
    }

    /// What was asked and not answered has an unknown outcome, and what was committed may not have been sent: everyone
    /// learns it at once, and comes back.
    fn tell_restarted(&mut self, now: u64) {
        let everyone: Vec<_> =
            self.connections.iter().map(|(id, one)| (id, one.joined().is_some())).collect();
        let message =
            "the room was rebuilt after a fault: what was not answered may or may not have happened";
        let notice = ServerMessage::Notice { code: NoticeCode::Restarted, message: message.to_owned() };
        for (id, has_joined) in everyone {
            if has_joined {
                self.send_now(id, &notice);
            }
            // What was committed may not have been sent: only a recovery can tell.
            self.refuse_connection(now, id, CloseCode::Restarted);
        }
    }

    fn restore_connection(&mut self, now: u64, id: ConnectionId, attachment: Attachment) {
        let written_at = attachment.written_at.min(now);
        let calls = attachment.calls.clone();
        let connection = Connection::restored(now, attachment, self.log.head());
        if connection.joined().is_none() {
            self.timers.set(Timer::Hello(id), written_at.saturating_add(limits::HELLO_WITHIN_MS));
        }
        // A warning that fell due while the room slept is still owed.
        self.watch_expiry(written_at, id, connection.claims.expires_at);
        self.connections.insert(id, connection);
        self.timers.set_if_unset(Timer::Sweep, self.next_sweep(now));
        self.tell_interrupted(now, id, &calls);
    }

    /// A welcome leaves ahead of the flush that writes the member down: where that never came, it is owed.
    fn restore_memberships(&mut self, now: u64) {
        let unwritten: Vec<(ConnectionId, MemberKey)> = self
            .connections
            .iter()
            .filter_map(|(id, connection)| Some((id, connection.joined()?)))
            .map(|(id, joined)| (id, (joined.user.clone(), joined.session.clone())))
            .filter(|(_, key)| self.presence.get(key).is_none())
            .collect();
        for (id, (user, session)) in unwritten {
            self.begin_membership(now, id, &user, &session, None);
        }
    }

    fn restore_graces(&mut self, now: u64) {
        let connected: BTreeSet<MemberKey> = self
            .connections
            .iter()
            .filter_map(|(_, connection)| connection.joined())
            .map(|joined| (joined.user.clone(), joined.session.clone()))
            .collect();
        let alone: Vec<MemberRow> = self
            .presence
            .rows()
            .filter(|row| !connected.contains(&(row.user.clone(), row.session.clone())))
            .cloned()
            .collect();
        for row in alone {
            // Never longer than a whole one: the clock may have gone back.
            let latest = now + self.setup.config.presence.grace_ms;
            let until = row.grace_until.map_or(latest, |until| until.min(latest));
            self.timers.set(Timer::Grace(row.user.clone(), row.session.clone()), until);
            // Written by the next flush: a grace that began anew at each waking would never end.
            self.presence.put(MemberRow { grace_until: Some(until), ..row });
        }
    }

    /// Takes one input. What it stages leaves with a later `TurnEnded`.
    pub fn handle(&mut self, now: u64, input: Input, storage: &mut dyn Storage) -> Outputs {
        if now < self.now {
            self.step_back(now);
        }
        self.now = now;
        match input {
            Input::Opened { connection, codec, claims } => self.on_opened(now, connection, codec, claims),
            Input::Received { connection, frame } => self.on_received(now, connection, &frame, storage),
            Input::Closed { connection, code } => self.on_closed(now, connection, code),
            Input::Asked { request, call } => self.on_asked(now, request, call, storage),
            Input::Verified { connection, request, result } => {
                self.on_verified(now, connection, request, result);
            }
            Input::Delivered { this, outcome } => self.on_delivered(now, &this, outcome, storage),
            Input::Parked { this, accepted } => self.on_parked(now, &this, accepted, storage),
            Input::Wanted { request } => self.on_wanted(request),
            Input::Reading { request } => self.on_reading(now, request),
            Input::Abandoned { request } => self.on_abandoned(request),
            Input::TurnEnded => self.on_turn_ended(now, storage),
            Input::AlarmFired { heard } => self.on_alarm(now, heard, storage),
            Input::Measured { unsent } => self.on_measured(now, unsent),
            Input::ReportDue => self.report_if_any(now),
            Input::Reported { answer } => self.on_reported(now, answer),
        }
        if self.staging.is_full() || self.is_quiet(now) {
            self.flush(now, storage);
        }
        self.plan_behavior(now);
        self.count_sent(now);
        self.set_flush_timer(now);
        self.plan_report(now);
        Outputs(std::mem::take(&mut self.outputs))
    }

    /// When the room wants `TurnEnded` and `AlarmFired` next.
    #[must_use]
    pub fn poll_timeout(&self) -> Deadlines {
        Deadlines { report: self.reporting.due_at(), ..self.timers.deadlines() }
    }

    /// Counts how long a flush that wrote took until it was on disk, which the room cannot see.
    pub fn count_flush_ms(&mut self, ms: u64) {
        self.tally.flush_took(ms);
    }

    /// Whether what is staged is the first after a quiet time, and need not wait for company. In a busy room flushes
    /// follow one another closer than this; a large room takes longer for each.
    fn is_quiet(&self, now: u64) -> bool {
        let busy_ms = QUIET_MS + self.connections.len() as u64 / QUIET_CONNECTIONS_PER_MS;
        !self.staging.is_empty() && now >= self.staging.next_flush_at(self.setup.config.flush_ms) + busy_ms
    }

    fn set_flush_timer(&mut self, now: u64) {
        let owes = self.presence.has_changes()
            || self.owes_transition()
            || !self.staging.owed_ends.is_empty()
            || self.host.as_ref().is_some_and(|host| !host.owed.is_empty());
        if self.staging.is_empty() && !owes {
            self.timers.clear(&Timer::Flush);
            return;
        }
        let at = now.max(self.staging.next_flush_at(self.setup.config.flush_ms));
        self.timers.set_no_later(Timer::Flush, at);
    }

    /// The clock went back: deadlines keep their distance, and nobody was heard of in the future.
    fn step_back(&mut self, now: u64) {
        let by_ms = self.now - now;
        self.timers.step_back(by_ms);
        self.staging.step_back(now, RETRY_AFTER_MS);
        self.reporting.step_back(by_ms);
        self.outbox.step_back(by_ms);
        if let Some(host) = &mut self.host {
            host.step_back(by_ms);
        }
        for (_, connection) in self.connections.iter_mut() {
            connection.heard_at = connection.heard_at.min(now);
            connection.spoke_at = connection.spoke_at.min(now);
            connection.rates.publish.step_back(by_ms);
            connection.rates.request.step_back(by_ms);
            connection.malformed.step_back(by_ms);
            connection.refusals.step_back(by_ms);
            connection.tokens_refused.step_back(by_ms);
        }
    }

    fn on_turn_ended(&mut self, now: u64, storage: &mut dyn Storage) {
        while let Some(timer) = self.timers.pop_turn(now) {
            self.on_timer(now, timer, storage);
        }
    }

    /// Every alarm sweeps, whatever it was set for: it alone knows when pings were answered.
    fn on_alarm(&mut self, now: u64, heard: Vec<(ConnectionId, u64)>, storage: &mut dyn Storage) {
        for (id, at) in heard {
            // A pong from the future was before the clock went back: it would be of now for ever.
            if let Some(connection) = self.connections.get_mut(id).filter(|_| at <= now) {
                connection.heard_at = connection.heard_at.max(at);
            }
        }
        self.timers.clear(&Timer::Sweep);
        self.sweep(now);
        while let Some(timer) = self.timers.pop_durable(now) {
            self.on_timer(now, timer, storage);
        }
        // What could not be told is not told more often for the alarms between.
        if self.timers.due(&Timer::Report).is_none() {
            self.report_if_any(now);
        }
    }

    fn on_timer(&mut self, now: u64, timer: Timer, storage: &mut dyn Storage) {
        match timer {
            Timer::Flush => self.flush(now, storage),
            Timer::Hello(id) => self.refuse_connection(now, id, CloseCode::HeartbeatTimeout),
            Timer::Expiring(id) => self.on_expiring(now, id),
            Timer::Expired(id) => self.refuse_connection(now, id, CloseCode::TokenExpired),
            Timer::Grace(user, session) => self.end_membership(&(user, session), LeaveReason::Lost),
            Timer::Sweep => self.sweep(now),
            Timer::Trim => self.trim(now, storage),
            Timer::Keys => self.expire_keys(now, storage),
            Timer::Blocks => self.end_blocks(now, storage),
            Timer::Idle => self.rest(now, storage),
            Timer::Expire => self.expire(now, storage),
            Timer::Report => self.report_if_any(now),
            Timer::Webhooks => self.run_webhooks(now, storage),
            Timer::Scheduled => self.fire_timers(now, storage),
            Timer::Tick => self.tick(now, storage),
            // That the event came is all that was wanted.
            Timer::Streams | Timer::Awake => {}
        }
    }

    pub(crate) fn on_received(
        &mut self,
        now: u64,
        id: ConnectionId,
        frame: &Frame,
        storage: &mut dyn Storage,
    ) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.heard_at = now;
        connection.spoke_at = now;
        // Who talks does not ping: a room that sleeps between what it says would know nothing of it.
        let is_stale = now.saturating_sub(connection.written_spoke_at) >= SPOKE_EVERY_MS;
        let messages = codec::decode_client(connection.codec, frame);
        self.tally.received(messages.len(), frame.len());
        if is_stale {
            self.attach(now, id);
        }
        for message in messages {
            match message {
                Ok(message) => self.on_message(now, id, message, storage),
                Err(refusal) => self.on_refusal(now, id, refusal),
            }
        }
    }

    fn on_refusal(&mut self, now: u64, id: ConnectionId, refusal: Refusal) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let (window_ms, max) = (limits::BAD_REQUEST_WINDOW_MS, limits::BAD_REQUESTS_MAX);
        let too_many = refusal.malformed && connection.malformed.count(now, window_ms, max);
        if too_many || connection.joined().is_none() {
            self.send_now(id, &ServerMessage::Error(refusal.error));
            self.refuse_connection(now, id, CloseCode::BadRequest);
        } else if self.is_within_rate(now, id, refusal.error.id, Pace::Request) {
            self.reject(id, refusal.error);
        }
    }

    pub(crate) fn attach(&mut self, now: u64, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.written_at = now;
        connection.written_spoke_at = connection.spoke_at;
        let calls = self.host.iter().flat_map(|host| host.streams.of(id)).collect();
        let attachment = connection.attachment(id, now, calls).encode();
        self.outputs.push(Output::Attach { connection: id, attachment });
    }

    /// Sends ahead of the flush: for welcome, `expiring`, and the error that explains a close.
    pub(crate) fn send_now(&mut self, id: ConnectionId, message: &ServerMessage) {
        let Some(connection) = self.connections.get(id) else { return };
        let fragment = codec::encode(connection.codec, message);
        let frame = codec::join(connection.codec, [fragment.as_slice()]);
        self.tally.sent(1, 0, frame.len(), 1);
        if let ServerMessage::Error(error) = message {
            self.tally.rejected(error.code);
        }
        self.outputs.push(Output::Broadcast { connections: vec![id], frame });
    }

    pub(crate) fn close(&mut self, connection: ConnectionId, code: CloseCode) {
        self.close_as(connection, code, None);
    }

    pub(crate) fn close_as(&mut self, connection: ConnectionId, code: CloseCode, reason: Option<String>) {
        let reason = reason.map(|mut reason| {
            reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
            reason
        });
        self.outputs.push(Output::Close { connection, code, reason });
    }

    pub(crate) fn reject(&mut self, id: ConnectionId, error: RequestError) {
        self.tally.rejected(error.code);
        self.staging.reply(id, ServerMessage::Error(error));
    }

    /// The highest committed offset.
    #[must_use]
    pub fn head(&self) -> Offset {
        self.log.head()
    }

    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.log.epoch()
    }
}
