//! What a room tells webhooks of, and how the outbox's tries are made.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use schemas::{
    Offset,
    server_message::{LifecycleState, Member, PresenceDiff},
    webhook::{self, Departure, EventData, EventKind, Parked, RoomGone},
};
use sha2::{Digest as _, Sha256};

use crate::{
    behavior::Fired,
    lifecycle::Lifecycle,
    outbox::{Due, Outbox, OutboxWrites, Outcome, Scene, Try},
    output::Output,
    room::{RETRY_AFTER_MS, Room},
    storage::{Erasure, Record, Storage, StorageError, Verb, Writes},
    timer::Timer,
};

/// Of what a batch says, as part of its name.
const HASH_BYTES: usize = 6;

/// An outbox with what a flush has to tell, and what is to be done once it is committed.
#[derive(Debug)]
pub(crate) struct Hooked {
    pub(crate) outbox: Outbox,
    pub(crate) due: Vec<Due>,
    pub(crate) writes: Option<OutboxWrites>,
}

impl Hooked {
    fn launched(now: u64, mut outbox: Outbox) -> Hooked {
        let due = outbox.launch(now);
        let writes = outbox.take_writes();
        Hooked { outbox, due, writes }
    }
}

impl Room {
    /// What a flush tells: `None` where that is nothing. In the order in which members see it.
    ///
    /// # Errors
    /// When storage cannot be read.
    pub(crate) fn hook(
        &self,
        now: u64,
        records: &[Record],
        lifecycle: Lifecycle,
        erasures: &[Erasure],
        fired: &[Fired],
        storage: &dyn Storage,
    ) -> Result<Option<Hooked>, StorageError> {
        let (before, after) = (self.lifecycle.state, lifecycle.state);
        let has_news = self.presence.has_changes() || !records.is_empty() || before != after;
        let has_news = has_news || !fired.is_empty();
        if self.outbox.is_unused() || (!has_news && erasures.is_empty()) {
            return Ok(None);
        }
        let mut outbox = self.outbox.clone();
        for erasure in erasures {
            erase(&mut outbox, erasure.target, storage)?;
        }
        let scene = self.scene(now);
        let occupied = |state| state == LifecycleState::Occupied;
        if !occupied(before) && occupied(after) {
            outbox.push(&scene, EventKind::RoomOccupied, None, &EventData::Room {});
        }
        let PresenceDiff { joined, left, .. } = self.presence.diff();
        for Member { user, session, info, .. } in &joined {
            let data = EventData::Joined { user, session, info: info.as_ref() };
            outbox.push(&scene, EventKind::MemberJoined, None, &data);
        }
        for record in records {
            let data = EventData::Published(&record.publication);
            outbox.push(&scene, EventKind::MessagePublished, about(record), &data);
        }
        for Fired { name, payload, attempt, .. } in fired {
            let data = EventData::TimerFired { name, payload, attempt: *attempt };
            outbox.push(&scene, EventKind::TimerFired, None, &data);
        }
        for left in &left {
            let (user, session, reason) = (&left.user, &left.session, Departure::Member(left.reason));
            let data = EventData::Left { user, session, reason };
            outbox.push(&scene, EventKind::MemberLeft, None, &data);
        }
        if occupied(before) && !occupied(after) {
            outbox.push(&scene, EventKind::RoomVacated, None, &EventData::Room {});
        }
        outbox.bound(&scene);
        Ok(Some(Hooked::launched(now, outbox)))
    }

    /// The outbox as it outlives the room, which expires or is deleted: that ends memberships too. Without writes
    /// where nothing waits.
    pub(crate) fn last_words(&self, now: u64, kind: EventKind) -> Hooked {
        let mut outbox = self.outbox.clone();
        let scene = self.scene(now);
        for Member { user, session, .. } in &self.presence.told_members() {
            let reason = Departure::Room(RoomGone::RoomDeleted);
            let data = EventData::Left { user, session, reason };
            outbox.push(&scene, EventKind::MemberLeft, None, &data);
        }
        if self.lifecycle.state == LifecycleState::Occupied {
            outbox.push(&scene, EventKind::RoomVacated, None, &EventData::Room {});
        }
        if self.lifecycle.state != LifecycleState::Fresh {
            outbox.push(&scene, kind, None, &EventData::Room {});
        }
        outbox.bound(&scene);
        outbox.outlive();
        let mut hooked = Hooked::launched(now, outbox);
        if hooked.outbox.is_drained() {
            hooked.outbox.reset();
            hooked.writes = None;
        }
        hooked
    }

    fn scene(&self, now: u64) -> Scene<'_> {
        let tenant = &self.setup.webhooks.tenant;
        Scene { now, tenant, room: &self.setup.name, epoch: self.log.epoch() }
    }

    /// Takes over an outbox whose changes are committed, and makes the tries that are in them.
    pub(crate) fn take_over_outbox(&mut self, hooked: Hooked, storage: &dyn Storage) {
        self.outbox = hooked.outbox;
        for due in hooked.due {
            let (Due::Deliver(this) | Due::Park(this)) = &due;
            // Where it cannot be read, the try has failed, and the next is on time.
            let Some((id, body)) = self.batch(this, storage) else { continue };
            let output = match due {
                Due::Deliver(this) => Output::Deliver { this, id, body },
                Due::Park(this) => match self.parked(&this, id, body) {
                    Some(parked) => Output::Park { this, parked: Box::new(parked) },
                    None => continue,
                },
            };
            self.outputs.push(output);
        }
    }

    /// Name and body of what is sent.
    fn batch(&self, this: &Try, storage: &dyn Storage) -> Option<(String, String)> {
        let cursor = self.outbox.cursor(&this.endpoint)?;
        let events = storage.read_outbox(&cursor.batch).ok()?;
        let body = webhook::body(&events);
        let hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(&body)[..HASH_BYTES]);
        Some((self.outbox.batch_id(&this.endpoint, &hash)?, body))
    }

    fn parked(&self, this: &Try, id: String, body: String) -> Option<Parked> {
        let cursor = self.outbox.cursor(&this.endpoint)?;
        Some(Parked {
            id,
            endpoint: this.endpoint.clone(),
            tenant: self.setup.webhooks.tenant.clone(),
            room: self.setup.name.clone(),
            events: cursor.batch.len() as u32,
            body,
            attempts: cursor.attempts,
            last_status: cursor.last_status,
            parked_at: self.now,
        })
    }

    pub(crate) fn on_delivered(&mut self, now: u64, this: &Try, outcome: Outcome, storage: &mut dyn Storage) {
        let mut outbox = self.outbox.clone();
        if outbox.ended(now, this, outcome) {
            self.commit_outbox(now, outbox, storage);
        }
    }

    pub(crate) fn on_parked(&mut self, now: u64, this: &Try, accepted: bool, storage: &mut dyn Storage) {
        let mut outbox = self.outbox.clone();
        if accepted && outbox.taken(this) {
            self.commit_outbox(now, outbox, storage);
        }
    }

    /// A try is due.
    pub(crate) fn run_webhooks(&mut self, now: u64, storage: &mut dyn Storage) {
        self.commit_outbox(now, self.outbox.clone(), storage);
    }

    /// With the last event of a room of which nothing else is stored, all that is stored goes.
    fn commit_outbox(&mut self, now: u64, outbox: Outbox, storage: &mut dyn Storage) {
        let mut hooked = Hooked::launched(now, outbox);
        let is_fresh = self.lifecycle.state == LifecycleState::Fresh;
        let is_over = is_fresh && hooked.outbox.is_drained() && !hooked.outbox.is_blank();
        let committed = match hooked.writes.take() {
            _ if is_over => storage.wipe(None),
            None => Ok(()),
            outbox => storage.commit(&Writes { outbox, ..Writes::default() }),
        };
        match committed {
            Ok(()) => {
                if is_over {
                    hooked.outbox.reset();
                }
                self.take_over_outbox(hooked, storage);
                self.set_webhook_timer(now);
            }
            // What a receiver has taken may come to it again.
            Err(_) => self.timers.set(Timer::Webhooks, now + RETRY_AFTER_MS),
        }
    }

    pub(crate) fn set_webhook_timer(&mut self, now: u64) {
        match self.outbox.due_at(now) {
            Some(at) => self.timers.set(Timer::Webhooks, at.max(self.staging.retry_at)),
            None => self.timers.clear(&Timer::Webhooks),
        }
    }
}

/// The publication whose data an event of this record holds.
fn about(record: &Record) -> Option<Offset> {
    match record.publication.refers {
        None => Some(record.publication.offset),
        Some(target) => (record.publication.kind == Verb::Edit.as_str()).then_some(target),
    }
}

/// What is erased from the log does not wait for anybody here.
fn erase(outbox: &mut Outbox, target: Offset, storage: &dyn Storage) -> Result<(), StorageError> {
    for mark in outbox.about(target) {
        let event = match outbox.uncommitted(mark.number) {
            Some(event) => Some(event.to_owned()),
            None => storage.read_outbox(&[mark.number])?.pop(),
        };
        if let Some(event) = event {
            outbox.rewrite(&mark, webhook::without_data(&event));
        }
    }
    Ok(())
}
