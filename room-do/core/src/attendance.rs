//! Connections come, are watched, and go; members outlive them by their grace.

use schemas::{Claims, CloseCode, Codec, ConnectionId, ServerMessage, limits, server_message::LeaveReason};

use crate::{
    connection::Connection,
    presence::{MemberKey, MemberRow},
    room::Room,
    timer::Timer,
};

/// So many connections may be open above the kind's bound, until their hello shows whether they replace another.
const GREETING_MAX: usize = 512;

/// A connection that was silent for so long went unseen by a sweep that should have closed it: the sweep was late, or
/// the clock jumped. It is given another [`limits::HEARTBEAT_DEAD_MS`].
const UNSEEN_MS: u64 = limits::HEARTBEAT_DEAD_MS + limits::SWEEP_INTERVAL_MS + 30_000;

impl Room {
    pub(crate) fn on_opened(&mut self, now: u64, id: ConnectionId, codec: Codec, claims: Claims) {
        // Who is behind it, and whom it replaces, is known at hello: there the bounds are exact.
        if let Err(code) = self.admit(now, &claims) {
            return self.close(id, code);
        }
        self.timers.set(Timer::Hello(id), now + limits::HELLO_WITHIN_MS);
        self.timers.set_if_unset(Timer::Sweep, self.next_sweep(now));
        self.watch_expiry(now, id, claims.expires_at);
        self.connections.open(id, Connection::opened(codec, claims, now));
        self.tally.opened();
        self.attach(now, id);
    }

    /// Whether there are more connections than the kind's bound, and those that may turn out to replace another.
    pub(crate) fn is_crowded(&self) -> bool {
        self.connections.len() >= self.setup.config.limits.connections as usize + GREETING_MAX
    }

    /// Both deadlines are rounded up to slots, so that many tokens share an alarm. `since` is when the connection was
    /// last known to need no warning.
    pub(crate) fn watch_expiry(&mut self, since: u64, id: ConnectionId, expires_at: Option<u64>) {
        let Some(expires_at) = expires_at else { return };
        let slot = |at: u64| at.div_ceil(limits::EXPIRY_SLOT_MS).saturating_mul(limits::EXPIRY_SLOT_MS);
        let warn_at = slot(expires_at.saturating_sub(limits::EXPIRING_BEFORE_MS));
        if warn_at > since && warn_at < expires_at {
            self.timers.set(Timer::Expiring(id), warn_at);
        }
        // Who let the token in allowed for clocks that differ.
        self.timers.set(Timer::Expired(id), slot(expires_at.saturating_add(limits::TOKEN_LEEWAY_MS)));
    }

    pub(crate) fn on_expiring(&mut self, now: u64, id: ConnectionId) {
        // Nothing precedes the welcome, which tells it too.
        let connection = self.connections.get(id).filter(|connection| connection.joined().is_some());
        let expires_at = connection.and_then(|connection| connection.claims.expires_at);
        if let Some(expires_at) = expires_at {
            self.send_now(id, &ServerMessage::Expiring { expires_at });
            // Remembered by the time of writing: it is told once.
            self.attach(now, id);
        }
    }

    pub(crate) fn on_closed(&mut self, now: u64, id: ConnectionId, code: u16) {
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
        self.close(id, code);
        self.forget_refused(now, id);
    }

    /// The membership of a connection that was closed gets its grace.
    pub(crate) fn forget_refused(&mut self, now: u64, id: ConnectionId) {
        if let Some(key) = self.forget(id) {
            self.begin_grace(now, &key);
        }
    }

    /// Drops a connection and what waits for it; returns the member whose last connection it was.
    pub(crate) fn forget(&mut self, id: ConnectionId) -> Option<MemberKey> {
        let connection = self.connections.remove(id)?;
        if let Some(host) = &mut self.host {
            host.streams.forget_connection(id);
        }
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
        if self.presence.get(key).is_some() {
            self.presence.remove(key, reason);
            self.staging.ended(key.clone(), reason);
        }
    }

    /// The room's own minute: the same after each restore, so that waking often does not put the sweep off for ever;
    /// another than other rooms', so that they do not all wake at once.
    pub(crate) fn next_sweep(&self, now: u64) -> u64 {
        const INTERVAL: u64 = limits::SWEEP_INTERVAL_MS;
        let name = self.setup.name.as_str().bytes();
        let phase = name.fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into())) % INTERVAL;
        (now.saturating_sub(phase) / INTERVAL + 1) * INTERVAL + phase
    }

    /// Closes connections that nothing was heard of for too long.
    pub(crate) fn sweep(&mut self, now: u64) {
        let silent = |connection: &Connection| now.saturating_sub(connection.heard_at);
        let (mut dead, mut unseen) = (Vec::new(), Vec::new());
        for (id, connection) in self.connections.iter() {
            match silent(connection) {
                UNSEEN_MS.. => unseen.push(id),
                limits::HEARTBEAT_DEAD_MS.. => dead.push(id),
                // The clock went back while the room slept: read again, it would be of now for ever.
                _ if connection.written_at > now => unseen.push(id),
                _ => {}
            }
        }
        for id in dead {
            self.refuse_connection(now, id, CloseCode::HeartbeatTimeout);
        }
        for id in unseen {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.heard_at = now;
                connection.spoke_at = now;
            }
            // Written down: the room may sleep until the next sweep.
            self.attach(now, id);
        }
        if self.connections.len() > 0 {
            self.timers.set(Timer::Sweep, self.next_sweep(now));
        }
    }
}
