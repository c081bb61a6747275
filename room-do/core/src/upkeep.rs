//! What a room does on its own: trimming, forgetting keys, resting, expiring; and being deleted.

use schemas::{CloseCode, ConnectionId, Epoch, server_message::LifecycleState, webhook::EventKind};

use crate::{
    behavior::{Hook, host::Host},
    blocks::Blocks,
    hooks::Hooked,
    keys::Keys,
    lifecycle::{Lifecycle, Transition},
    log::Log,
    presence::Presence,
    room::{RETRY_AFTER_MS, Room},
    shared_state::SharedState,
    storage::{KeyCount, Loaded, Meta, Storage, StorageError, Writes},
    timer::Timer,
};

impl Room {
    /// Commits the epoch, unless it is: no answer shows one that a crash could take back.
    pub(crate) fn found(&mut self, now: u64, storage: &mut dyn Storage) -> Result<(), StorageError> {
        if self.log.is_founded() {
            return Ok(());
        }
        let lifecycle = self.lifecycle.after(Transition::Found, now).unwrap_or(self.lifecycle);
        storage.commit(&Writes { meta: Some(self.meta(lifecycle)), ..Writes::default() })?;
        self.log.founded();
        self.lifecycle = lifecycle;
        self.set_storage_timers(now);
        Ok(())
    }

    pub(crate) fn meta(&self, lifecycle: Lifecycle) -> Meta {
        Meta {
            epoch: self.log.epoch(),
            head: self.log.stored_head(),
            bytes_total: self.log.bytes_total(),
            time: self.log.time(),
            state_version: self.state.version(),
            lifecycle,
        }
    }

    /// The lifecycle as it follows from who is there and whether anything is being written.
    pub(crate) fn next_lifecycle(&self, now: u64, writes: bool) -> Lifecycle {
        match self.lifecycle.next(!self.presence.is_empty(), writes) {
            Some(transition) => {
                let next = self.lifecycle.after(transition, now);
                next.expect("what follows from the state is valid in it")
            }
            None if writes => self.lifecycle.noticed_activity(now).unwrap_or(self.lifecycle),
            None => self.lifecycle,
        }
    }

    /// Whether a flush has to write that the room was occupied or vacated.
    pub(crate) fn owes_transition(&self) -> bool {
        self.lifecycle.next(!self.presence.is_empty(), false).is_some()
    }

    /// When the room was last used, as far as a clock that may have gone back tells.
    fn touched_at(&self, now: u64) -> u64 {
        self.lifecycle.active_at.max(self.log.time()).min(now)
    }

    /// The timers that follow from what is stored.
    pub(crate) fn set_storage_timers(&mut self, now: u64) {
        self.set_webhook_timer(now);
        self.set_scheduled_timer(now);
        if let Some(at) = self.log.trim_at() {
            self.timers.set_no_later(Timer::Trim, at.max(now));
        }
        if let Some(at) = self.keys.expire_at() {
            self.timers.set_no_later(Timer::Keys, at.max(now));
        }
        let touched_at = self.touched_at(now);
        let kind = &self.setup.config;
        let (timer, other, after_ms) = match self.lifecycle.state {
            LifecycleState::Vacant => (Timer::Idle, Timer::Expire, kind.idle_after_ms),
            LifecycleState::Idle => (Timer::Expire, Timer::Idle, kind.expire_after_ms),
            LifecycleState::Fresh | LifecycleState::Occupied => {
                self.timers.clear(&Timer::Idle);
                self.timers.clear(&Timer::Expire);
                return;
            }
        };
        self.timers.clear(&other);
        let mut at = (touched_at + after_ms).max(self.staging.retry_at);
        if timer == Timer::Expire {
            // What the behavior has scheduled is not forgotten, nor what is overdue while storage fails.
            let last = self.host.as_ref().and_then(Host::last_timer_at);
            at = at.max(last.map_or(0, |last| last.max(now).saturating_add(RETRY_AFTER_MS)));
        }
        self.timers.set(timer, at);
    }

    pub(crate) fn trim(&mut self, now: u64, storage: &mut dyn Storage) {
        let trimmed = self.log.refresh_floor(now, storage).and_then(|()| {
            let Some(through) = self.log.trim_through() else { return Ok(()) };
            let meta = Some(self.meta(self.lifecycle));
            storage.commit(&Writes { meta, trim_through: Some(through), ..Writes::default() })?;
            self.log.trimmed(through);
            Ok(())
        });
        let at = match trimmed {
            Ok(()) => self.log.trim_at(),
            Err(_) => Some(now + RETRY_AFTER_MS),
        };
        if let Some(at) = at {
            self.timers.set(Timer::Trim, at.max(now + RETRY_AFTER_MS));
        }
    }

    pub(crate) fn expire_keys(&mut self, now: u64, storage: &mut dyn Storage) {
        let at = match self.keys.expire(now, storage) {
            Ok(()) => self.keys.expire_at(),
            Err(_) => Some(now + RETRY_AFTER_MS),
        };
        if let Some(at) = at {
            self.timers.set(Timer::Keys, at.max(now + RETRY_AFTER_MS));
        }
    }

    /// Lets go what is staged, and tells whether nothing is left that a vacant room could not have.
    fn is_settled(&mut self, now: u64, storage: &mut dyn Storage) -> bool {
        if !self.staging.is_empty() || self.presence.has_changes() {
            self.flush(now, storage);
        }
        self.presence.is_empty() && !self.presence.has_changes()
    }

    /// A vacant room comes to rest.
    pub(crate) fn rest(&mut self, now: u64, storage: &mut dyn Storage) {
        let before = (self.lifecycle, self.log.head());
        if !self.is_settled(now, storage) {
            return self.timers.set(Timer::Idle, now + RETRY_AFTER_MS);
        }
        if (self.lifecycle, self.log.head()) != before {
            // What was staged has just touched it.
            return self.set_storage_timers(now);
        }
        let Ok(lifecycle) = self.lifecycle.after(Transition::Rest, now) else { return };
        match storage.commit(&Writes { meta: Some(self.meta(lifecycle)), ..Writes::default() }) {
            Ok(()) => {
                self.lifecycle = lifecycle;
                if self.host.is_some() {
                    self.staging.hook(Hook::Lifecycle(lifecycle.state));
                }
                self.set_storage_timers(now);
            }
            Err(_) => self.timers.set(Timer::Idle, now + RETRY_AFTER_MS),
        }
    }

    /// An idle room's time is up: nothing of it stays but what waits for webhook endpoints.
    pub(crate) fn expire(&mut self, now: u64, storage: &mut dyn Storage) {
        if !self.is_settled(now, storage) {
            return self.timers.set(Timer::Expire, now + RETRY_AFTER_MS);
        }
        if self.host.as_ref().is_some_and(|host| !host.timers.is_empty()) {
            // One was scheduled, or put off, since this was set.
            return self.set_storage_timers(now);
        }
        let Ok(lifecycle) = self.lifecycle.after(Transition::Expire, now) else { return };
        let hooked = self.last_words(now, EventKind::RoomExpired);
        match storage.wipe(hooked.writes.as_ref()) {
            Ok(()) => self.begin_anew(now, lifecycle, hooked, storage),
            Err(_) => self.timers.set(Timer::Expire, now + RETRY_AFTER_MS),
        }
    }

    /// A backend deletes the room: what is staged leaves first, then everyone is closed 3510 and nothing stays but
    /// what waits for webhook endpoints.
    pub(crate) fn delete(&mut self, now: u64, storage: &mut dyn Storage) -> Result<(), StorageError> {
        let lifecycle = self.lifecycle.after(Transition::Delete, now);
        self.flush(now, storage);
        let hooked = self.last_words(now, EventKind::RoomDeleted);
        storage.wipe(hooked.writes.as_ref())?;
        let everyone: Vec<ConnectionId> = self.connections.iter().map(|(id, _)| id).collect();
        for id in everyone {
            self.refuse_connection(now, id, CloseCode::RoomDeleted);
        }
        self.begin_anew(now, lifecycle.expect("a room can always be deleted"), hooked, storage);
        Ok(())
    }

    /// After a wipe: a new room of the same name, in an epoch of its own. Connections that have not said hello stay.
    fn begin_anew(&mut self, now: u64, lifecycle: Lifecycle, hooked: Hooked, storage: &dyn Storage) {
        self.take_over_outbox(hooked, storage);
        self.seed = next_seed(self.seed);
        let config = &self.setup.config;
        self.log = Log::restored(&Loaded::default(), Epoch::new(self.seed), config.log);
        self.presence = Presence::default();
        self.state = SharedState::default();
        self.keys = Keys::restored(config.key_window_ms, KeyCount::default(), self.log.is_kept());
        self.blocks = Blocks::default();
        self.staging.owed_ends.clear();
        self.staging.forget_hooks();
        if let Some(hosted) = self.setup.behavior {
            let gone = self.host.replace(Host::restored(hosted, Vec::new(), self.seed));
            let readers = gone.map(|mut host| host.lose_memory()).unwrap_or_default();
            self.end_streams(now, readers);
        }
        self.connections.forget_positions();
        self.lifecycle = lifecycle;
        self.timers.clear_of_storage();
        self.set_storage_timers(now);
    }
}

/// SplitMix64: from one seed to the next.
pub(crate) fn next_seed(seed: u64) -> u64 {
    let mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
