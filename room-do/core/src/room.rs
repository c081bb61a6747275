//! The room: its state, and the table of what is done with each input.

use std::collections::BTreeSet;

use schemas::{
    CloseCode, ConnectionId, Epoch, Frame, Offset, RoomName, ServerMessage,
    codec::{self, Refusal},
    config::KindConfig,
    limits,
    server_message::{LeaveReason, RequestError},
};

use crate::{
    attachment::Attachment,
    connection::{Connection, Connections},
    flush::Staging,
    input::Input,
    log::Log,
    output::{Output, Outputs},
    presence::{MemberKey, MemberRow, Presence},
    storage::{Loaded, Storage},
    timer::{Deadlines, Timer, Timers},
};

/// What a room is given and never changes.
#[derive(Debug, Clone)]
pub struct Setup {
    pub name: RoomName,
    pub config: KindConfig,
}

#[derive(Debug, Clone)]
pub struct Room {
    pub(crate) setup: Setup,
    pub(crate) log: Log,
    pub(crate) connections: Connections,
    pub(crate) presence: Presence,
    pub(crate) staging: Staging,
    pub(crate) timers: Timers,
    /// Collected by the input being handled.
    pub(crate) outputs: Vec<Output>,
}

/// So many connections may be open above the kind's bound, until their hello shows whether they replace another.
const GREETING_MAX: usize = 512;

/// A room that flushed nothing for so long is quiet; for each so many connections a millisecond longer.
const QUIET_MS: u64 = 10;
const QUIET_CONNECTIONS_PER_MS: u64 = 10;

impl Room {
    /// Rebuilds a room after hibernation, a restart or a trap; or builds one that was never used. Only reads.
    ///
    /// `seed` becomes the epoch of a log that has none yet. Members without a socket get a grace from `now`, unless
    /// theirs was running. Where a closing socket woke the room, it is among the sockets. A socket whose attachment cannot be read is closed with the first input's outputs.
    #[must_use]
    pub fn restore(
        now: u64,
        seed: u64,
        setup: Setup,
        loaded: Loaded,
        sockets: Vec<(ConnectionId, Option<Attachment>)>,
    ) -> Room {
        let mut room = Room {
            log: Log::restored(&loaded, Epoch::new(seed), setup.config.log),
            setup,
            connections: Connections::default(),
            presence: Presence::restored(loaded.members),
            staging: Staging::default(),
            timers: Timers::default(),
            outputs: Vec::new(),
        };
        for (id, attachment) in sockets {
            match attachment {
                Some(attachment) => room.restore_connection(now, id, attachment),
                None => room.outputs.push(Output::Close { connection: id, code: CloseCode::Restarted }),
            }
        }
        room.restore_graces(now);
        if let Some(at) = room.log.trim_at() {
            room.timers.set(Timer::Trim, at.max(now));
        }
        room
    }

    fn restore_connection(&mut self, now: u64, id: ConnectionId, attachment: Attachment) {
        let written_at = attachment.written_at;
        let connection = Connection::restored(attachment, self.log.head());
        if connection.joined().is_none() {
            self.timers.set(Timer::Hello(id), written_at + limits::HELLO_WITHIN_MS);
        }
        // A warning that fell due while the room slept is still owed.
        self.watch_expiry(written_at, id, connection.claims.expires_at);
        self.connections.insert(id, connection);
        self.timers.set_if_unset(Timer::Sweep, self.next_sweep(now));
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
            let until = row.grace_until.unwrap_or(now + self.setup.config.presence.grace_ms);
            self.timers.set(Timer::Grace(row.user.clone(), row.session.clone()), until);
            // Written by the next flush: a grace that began anew at each waking would never end.
            self.presence.put(MemberRow { grace_until: Some(until), ..row });
        }
    }

    /// Takes one input. What it stages leaves with a later `TurnEnded`.
    pub fn handle(&mut self, now: u64, input: Input, storage: &mut dyn Storage) -> Outputs {
        match input {
            Input::Opened { connection, codec, claims } => self.on_opened(now, connection, codec, claims),
            Input::Received { connection, frame } => self.on_received(now, connection, &frame, storage),
            Input::Closed { connection, code } => self.on_closed(now, connection, code),
            Input::Asked { request, call } => self.on_asked(now, request, call, storage),
            Input::TurnEnded => self.on_turn_ended(now, storage),
            Input::AlarmFired { heard } => self.on_alarm(now, heard, storage),
        }
        if self.staging.is_full() || self.is_quiet(now) {
            self.flush(now, storage);
        }
        self.set_flush_timer(now);
        Outputs(std::mem::take(&mut self.outputs))
    }

    /// When the room wants `TurnEnded` and `AlarmFired` next.
    #[must_use]
    pub fn poll_timeout(&self) -> Deadlines {
        self.timers.deadlines()
    }

    /// Whether what is staged is the first after a quiet time, and need not wait for company. In a busy room flushes
    /// follow one another closer than this; a large room takes longer for each.
    fn is_quiet(&self, now: u64) -> bool {
        let busy_ms = QUIET_MS + self.connections.len() as u64 / QUIET_CONNECTIONS_PER_MS;
        !self.staging.is_empty() && now >= self.staging.next_flush_at(self.setup.config.flush_ms) + busy_ms
    }

    fn set_flush_timer(&mut self, now: u64) {
        if self.staging.is_empty() && !self.presence.has_changes() {
            self.timers.clear(&Timer::Flush);
            return;
        }
        let at = now.max(self.staging.next_flush_at(self.setup.config.flush_ms));
        self.timers.set_no_later(Timer::Flush, at);
    }

    fn on_turn_ended(&mut self, now: u64, storage: &mut dyn Storage) {
        while let Some(timer) = self.timers.pop_turn(now) {
            self.on_timer(now, timer, storage);
        }
    }

    /// Every alarm sweeps, whatever it was set for: it alone knows when pings were answered.
    fn on_alarm(&mut self, now: u64, heard: Vec<(ConnectionId, u64)>, storage: &mut dyn Storage) {
        for (id, at) in heard {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.heard_at = connection.heard_at.max(at);
            }
        }
        self.timers.clear(&Timer::Sweep);
        self.sweep(now);
        while let Some(timer) = self.timers.pop_durable(now) {
            self.on_timer(now, timer, storage);
        }
    }

    fn on_timer(&mut self, now: u64, timer: Timer, storage: &mut dyn Storage) {
        match timer {
            Timer::Flush => self.flush(now, storage),
            Timer::Hello(id) => self.refuse_connection(now, id, CloseCode::BadRequest),
            Timer::Expiring(id) => self.on_expiring(now, id),
            Timer::Expired(id) => self.refuse_connection(now, id, CloseCode::TokenExpired),
            Timer::Grace(user, session) => self.end_membership(&(user, session), LeaveReason::Lost),
            Timer::Sweep => self.sweep(now),
            Timer::Trim => self.trim(now, storage),
        }
    }

    /// The room's own minute: the same after each restore, so that waking often does not put the sweep off for ever;
    /// another than other rooms', so that they do not all wake at once.
    fn next_sweep(&self, now: u64) -> u64 {
        const INTERVAL: u64 = limits::SWEEP_INTERVAL_MS;
        let name = self.setup.name.as_str().bytes();
        let phase = name.fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into())) % INTERVAL;
        (now.saturating_sub(phase) / INTERVAL + 1) * INTERVAL + phase
    }

    fn on_opened(&mut self, now: u64, id: ConnectionId, codec: schemas::Codec, claims: schemas::Claims) {
        // Who is behind it, and whom it replaces, is known at hello: there the bounds are exact.
        if self.connections.len() >= self.setup.config.limits.connections as usize + GREETING_MAX {
            self.outputs.push(Output::Close { connection: id, code: CloseCode::RoomFull });
            return;
        }
        self.timers.set(Timer::Hello(id), now + limits::HELLO_WITHIN_MS);
        self.timers.set_if_unset(Timer::Sweep, self.next_sweep(now));
        self.watch_expiry(now, id, claims.expires_at);
        self.connections.insert(id, Connection::opened(codec, claims, now));
        self.attach(now, id);
    }

    /// Both deadlines are rounded up to slots, so that many tokens share an alarm. `since` is when the connection was
    /// last known to need no warning.
    fn watch_expiry(&mut self, since: u64, id: ConnectionId, expires_at: Option<u64>) {
        let Some(expires_at) = expires_at else { return };
        let slot = |at: u64| at.div_ceil(limits::EXPIRY_SLOT_MS) * limits::EXPIRY_SLOT_MS;
        let warn_at = slot(expires_at.saturating_sub(limits::EXPIRING_BEFORE_MS));
        if warn_at > since && warn_at < expires_at {
            self.timers.set(Timer::Expiring(id), warn_at);
        }
        self.timers.set(Timer::Expired(id), slot(expires_at));
    }

    fn on_received(&mut self, now: u64, id: ConnectionId, frame: &Frame, storage: &mut dyn Storage) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.heard_at = now;
        for message in codec::decode_client(connection.codec, frame) {
            match message {
                Ok(message) => self.on_message(now, id, message, storage),
                Err(refusal) => self.on_refusal(now, id, refusal),
            }
        }
    }

    fn on_refusal(&mut self, now: u64, id: ConnectionId, refusal: Refusal) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let too_many = refusal.malformed && connection.malformed.count(now);
        if too_many || connection.joined().is_none() {
            self.send_now(id, &ServerMessage::Error(refusal.error));
            self.refuse_connection(now, id, CloseCode::BadRequest);
        } else {
            self.staging.reply(id, ServerMessage::Error(refusal.error));
        }
    }

    fn on_closed(&mut self, now: u64, id: ConnectionId, code: u16) {
        let Some(key) = self.forget(id) else { return };
        if code == CloseCode::Normal.code() {
            self.end_membership(&key, LeaveReason::Left);
        } else {
            self.begin_grace(now, &key);
        }
    }

    /// Closes a connection for its peer's fault or ours; the membership gets its grace.
    pub(crate) fn refuse_connection(&mut self, now: u64, id: ConnectionId, code: CloseCode) {
        if self.connections.get(id).is_none() {
            return;
        }
        self.outputs.push(Output::Close { connection: id, code });
        if let Some(key) = self.forget(id) {
            self.begin_grace(now, &key);
        }
    }

    /// Drops a connection and what waits for it; returns the member whose last connection it was.
    pub(crate) fn forget(&mut self, id: ConnectionId) -> Option<MemberKey> {
        let connection = self.connections.remove(id)?;
        for timer in [Timer::Hello(id), Timer::Expiring(id), Timer::Expired(id)] {
            self.timers.clear(&timer);
        }
        if self.connections.len() == 0 {
            self.timers.clear(&Timer::Sweep);
        }
        let joined = connection.joined()?;
        let key = (joined.user.clone(), joined.session.clone());
        self.connections.of_member(&key.0, &key.1).is_none().then_some(key)
    }

    fn begin_grace(&mut self, now: u64, key: &MemberKey) {
        let Some(row) = self.presence.get(key) else { return };
        let until = now + self.setup.config.presence.grace_ms;
        self.presence.put(MemberRow { grace_until: Some(until), ..row.clone() });
        self.timers.set(Timer::Grace(key.0.clone(), key.1.clone()), until);
    }

    pub(crate) fn end_membership(&mut self, key: &MemberKey, reason: LeaveReason) {
        self.timers.clear(&Timer::Grace(key.0.clone(), key.1.clone()));
        self.presence.remove(key, reason);
    }

    fn on_expiring(&mut self, now: u64, id: ConnectionId) {
        let expires_at = self.connections.get(id).and_then(|connection| connection.claims.expires_at);
        if let Some(expires_at) = expires_at {
            self.send_now(id, &ServerMessage::Expiring { expires_at });
            // Remembered by the time of writing: it is told once.
            self.attach(now, id);
        }
    }

    /// Closes connections that nothing was heard of for too long.
    fn sweep(&mut self, now: u64) {
        let dead: Vec<ConnectionId> = self
            .connections
            .iter()
            .filter(|(_, connection)| now.saturating_sub(connection.heard_at) >= limits::HEARTBEAT_DEAD_MS)
            .map(|(id, _)| id)
            .collect();
        for id in dead {
            self.refuse_connection(now, id, CloseCode::HeartbeatTimeout);
        }
        if self.connections.len() > 0 {
            self.timers.set(Timer::Sweep, self.next_sweep(now));
        }
    }

    pub(crate) fn attach(&mut self, now: u64, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        let attachment = connection.attachment(id, now).encode();
        self.outputs.push(Output::Attach { connection: id, attachment });
    }

    /// Sends ahead of the flush: for welcome, `expiring`, and the error that explains a close.
    pub(crate) fn send_now(&mut self, id: ConnectionId, message: &ServerMessage) {
        let Some(connection) = self.connections.get(id) else { return };
        let fragment = codec::encode(connection.codec, message);
        let frame = codec::join(connection.codec, [fragment.as_slice()]);
        self.outputs.push(Output::Broadcast { connections: vec![id], frame });
    }

    pub(crate) fn reject(&mut self, id: ConnectionId, error: RequestError) {
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
