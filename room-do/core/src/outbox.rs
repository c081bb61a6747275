//! The outbox: events that wait until webhook endpoints have taken them. In order, at least once, bounded.
//!
//! Each endpoint has a cursor: how far it has taken events, and the batch that it is being sent. A try is written
//! down before it is made, with when the next is due: one that nobody hears of again has failed. What an endpoint
//! needs stays; what none needs goes.

use std::collections::{BTreeMap, BTreeSet};

use schemas::{
    Epoch, Offset, RoomName, Tenant,
    webhook::{
        ANSWER_WITHIN_MS, BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Event, EventData, EventKind, EventSet,
        OUTBOX_BYTES_MAX, OUTBOX_EVENTS_MAX, RETRIES_MS,
    },
};
use serde::{Deserialize, Serialize};

/// Who is told of what happens in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhooks {
    pub tenant: Tenant,
    pub subscribers: Vec<Subscriber>,
}

impl Webhooks {
    /// Nobody is.
    #[must_use]
    pub fn none() -> Webhooks {
        Webhooks { tenant: Tenant::default_tenant(), subscribers: Vec::new() }
    }
}

/// An endpoint, as far as a room knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    pub endpoint: String,
    /// Of these, those are told that the room's kind tells.
    pub events: EventSet,
}

/// What is kept beside the events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxState {
    /// Names the outbox in ids: the epoch in which it began, which no other outbox has.
    pub origin: Epoch,
    /// The number of the newest event there was.
    pub last: u64,
    /// The event that tells of dropped ones, and how many, until it is first sent.
    pub dropped: Option<(u64, u64)>,
    pub cursors: BTreeMap<String, Cursor>,
}

/// How far an endpoint is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// It has taken, or never needs, what is at or below it.
    pub taken: u64,
    /// What it is being sent; empty where nothing is.
    pub batch: Vec<u64>,
    /// Tries of the batch that were begun.
    pub attempts: u32,
    /// When the next is due, in milliseconds since 1970.
    pub next_at: u64,
    /// What the last try was answered.
    pub last_status: Option<u16>,
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    pub number: u64,
    pub event: String,
    pub kind: EventKind,
    /// The publication whose data it holds, in the room's epoch: that of an edit is its target's.
    pub about: Option<Offset>,
}

impl OutboxRow {
    #[must_use]
    pub fn mark(&self) -> OutboxMark {
        let bytes = self.event.len() as u32;
        OutboxMark { number: self.number, kind: self.kind, about: self.about, bytes }
    }
}

/// What is known of a kept event without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxMark {
    pub number: u64,
    pub kind: EventKind,
    pub about: Option<Offset>,
    pub bytes: u32,
}

/// An outbox as it is read when a room wakes; the marks ascend by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadedOutbox {
    pub state: Option<OutboxState>,
    pub marks: Vec<OutboxMark>,
}

/// What changes in an outbox. Removals come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxWrites {
    pub removed: Vec<u64>,
    pub put: Vec<OutboxRow>,
    pub state: OutboxState,
}

/// One try of one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    pub endpoint: String,
    /// The batch, by its first event.
    pub first: u64,
    /// Counted from 1.
    pub attempt: u32,
}

/// How a try ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What the receiver answered; `None` where it did not.
    pub status: Option<u16>,
    /// What its `Retry-After` asks for.
    pub retry_after_ms: Option<u64>,
}

impl Outcome {
    fn is_taken(self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// What is to be done once an outbox's changes are committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Due {
    Deliver(Try),
    Park(Try),
}

/// Where and when events happen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) now: u64,
    pub(crate) tenant: &'a Tenant,
    pub(crate) room: &'a RoomName,
    pub(crate) epoch: Epoch,
}

/// A receiver's answer comes to the room within this, if ever: milliseconds.
const LOST_AFTER_MS: u64 = ANSWER_WITHIN_MS + 1_000;
/// The first try, and one after each wait.
const ATTEMPTS_MAX: u32 = RETRIES_MS.len() as u32 + 1;
/// A directory that does not take what is to be parked is asked again after so long.
const PARK_AGAIN_MS: u64 = 60_000;
/// No try is due later than this from now.
const WAIT_MAX_MS: u64 = RETRIES_MS[RETRIES_MS.len() - 1] + LOST_AFTER_MS;

#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    /// With what each is told, `webhook.dropped` included.
    subscribers: BTreeMap<String, EventSet>,
    /// What any of them is told.
    wanted: EventSet,
    state: Option<OutboxState>,
    /// By number.
    marks: Vec<OutboxMark>,
    bytes: u64,
    /// Whether something may wait that no batch holds.
    is_unsettled: bool,
    /// The newest number that is committed.
    committed: u64,
    put: BTreeMap<u64, OutboxRow>,
    removed: BTreeSet<u64>,
    has_changes: bool,
}

impl Outbox {
    /// `told` is what the room's kind tells.
    pub(crate) fn restored(now: u64, told: EventSet, webhooks: &Webhooks, loaded: LoadedOutbox) -> Outbox {
        let told_to = |subscriber: &Subscriber| {
            let events = subscriber.events.and(told).without(EventKind::WebhookDropped);
            let events = (!events.is_empty()).then(|| events.with(EventKind::WebhookDropped))?;
            Some((subscriber.endpoint.clone(), events))
        };
        let subscribers: BTreeMap<String, EventSet> =
            webhooks.subscribers.iter().filter_map(told_to).collect();
        let wanted = subscribers
            .values()
            .flat_map(|events| EventKind::ALL.into_iter().filter(|kind| events.has(*kind)));
        let mut outbox = Outbox {
            wanted: wanted.collect(),
            subscribers,
            committed: loaded.state.as_ref().map_or(0, |state| state.last),
            state: loaded.state,
            bytes: loaded.marks.iter().map(|mark| u64::from(mark.bytes)).sum(),
            is_unsettled: !loaded.marks.is_empty(),
            marks: loaded.marks,
            put: BTreeMap::new(),
            removed: BTreeSet::new(),
            has_changes: false,
        };
        outbox.clamp(now.saturating_add(WAIT_MAX_MS));
        outbox.settle_cursors();
        outbox
    }

    /// Endpoints that are gone have no cursor; new ones begin with what happens next.
    fn settle_cursors(&mut self) {
        let Some(state) = &mut self.state else { return };
        state.cursors.retain(|endpoint, _| self.subscribers.contains_key(endpoint));
        for endpoint in self.subscribers.keys() {
            let begin = || Cursor { taken: state.last, ..Cursor::default() };
            state.cursors.entry(endpoint.clone()).or_insert_with(begin);
        }
    }

    /// The clock may have gone back.
    fn clamp(&mut self, latest: u64) {
        for cursor in self.state.iter_mut().flat_map(|state| state.cursors.values_mut()) {
            cursor.next_at = cursor.next_at.min(latest);
        }
    }

    /// The clock went back by so much: every try keeps its distance.
    pub(crate) fn step_back(&mut self, by_ms: u64) {
        for cursor in self.state.iter_mut().flat_map(|state| state.cursors.values_mut()) {
            cursor.next_at = cursor.next_at.saturating_sub(by_ms);
        }
    }

    /// Whether anybody is told of such events.
    pub(crate) fn wants(&self, kind: EventKind) -> bool {
        self.wanted.has(kind)
    }

    /// Whether there is nobody to tell, and nothing that waits.
    pub(crate) fn is_unused(&self) -> bool {
        self.subscribers.is_empty() && self.marks.is_empty()
    }

    /// Whether every event has been taken or parked.
    pub(crate) fn is_drained(&self) -> bool {
        self.marks.is_empty()
    }

    /// Events that wait.
    pub(crate) fn waiting(&self) -> u32 {
        self.marks.len() as u32
    }

    /// Whether nothing was ever told, or all that was is forgotten.
    pub(crate) fn is_blank(&self) -> bool {
        self.state.is_none()
    }

    /// The room is wiped and begins anew, with whatever waits here.
    pub(crate) fn outlive(&mut self) {
        self.has_changes = true;
        self.marks.iter_mut().for_each(|mark| mark.about = None);
    }

    /// Nothing waits, and nothing is kept: the next outbox is another one.
    pub(crate) fn reset(&mut self) {
        let subscribers = std::mem::take(&mut self.subscribers);
        *self = Outbox {
            subscribers,
            wanted: self.wanted,
            state: None,
            marks: Vec::new(),
            bytes: 0,
            is_unsettled: false,
            committed: 0,
            put: BTreeMap::new(),
            removed: BTreeSet::new(),
            has_changes: false,
        };
    }

    /// Adds an event, if anybody is told of it.
    pub(crate) fn push(
        &mut self,
        scene: &Scene<'_>,
        kind: EventKind,
        about: Option<Offset>,
        data: &EventData<'_>,
    ) {
        if !self.wants(kind) {
            return;
        }
        if self.state.is_none() {
            let state = OutboxState { origin: scene.epoch, last: 0, dropped: None, cursors: BTreeMap::new() };
            self.state = Some(state);
            self.settle_cursors();
        }
        let Some(state) = &mut self.state else { return };
        state.last += 1;
        let (number, id) = (state.last, format!("{}-{}", state.origin, state.last));
        self.put(OutboxRow { number, event: scene.event(&id, kind, data), kind, about });
    }

    /// Keeps the row, in the place of what had its number.
    fn put(&mut self, row: OutboxRow) {
        let mark = row.mark();
        self.bytes += u64::from(mark.bytes);
        match self.marks.binary_search_by_key(&mark.number, |mark| mark.number) {
            Ok(index) => {
                self.bytes -= u64::from(self.marks[index].bytes);
                self.marks[index] = mark;
            }
            Err(index) => self.marks.insert(index, mark),
        }
        self.removed.remove(&mark.number);
        self.put.insert(mark.number, row);
        self.has_changes = true;
        self.is_unsettled = true;
    }

    fn remove_where(&mut self, goes: impl Fn(&OutboxMark) -> bool) {
        let (put, removed, bytes) = (&mut self.put, &mut self.removed, &mut self.bytes);
        let (committed, has_changes) = (self.committed, &mut self.has_changes);
        self.marks.retain(|mark| {
            if !goes(mark) {
                return true;
            }
            *bytes -= u64::from(mark.bytes);
            // Where it is to be put, it may have been kept before all the same, and changed since.
            if put.remove(&mark.number).is_none() || mark.number <= committed {
                removed.insert(mark.number);
            }
            *has_changes = true;
            false
        });
    }

    /// Those that hold the data of this publication.
    pub(crate) fn about(&self, offset: Offset) -> Vec<OutboxMark> {
        self.marks.iter().filter(|mark| mark.about == Some(offset)).copied().collect()
    }

    /// What an event says becomes less.
    pub(crate) fn rewrite(&mut self, mark: &OutboxMark, event: String) {
        self.put(OutboxRow { number: mark.number, event, kind: mark.kind, about: None });
    }

    /// The event, where it is not committed yet.
    pub(crate) fn uncommitted(&self, number: u64) -> Option<&str> {
        self.put.get(&number).map(|row| row.event.as_str())
    }

    /// Brings the outbox within its bounds: `message.published` goes first, the oldest first, then the oldest of
    /// anything; not what is being sent. An event in the place of the first that went tells how many.
    pub(crate) fn bound(&mut self, scene: &Scene<'_>) {
        if self.marks.len() <= OUTBOX_EVENTS_MAX && self.bytes <= OUTBOX_BYTES_MAX {
            return;
        }
        let Some(state) = &self.state else { return };
        let sending: BTreeSet<u64> =
            state.cursors.values().flat_map(|cursor| cursor.batch.iter().copied()).collect();
        let teller = state.dropped;
        let stays = |number| sending.contains(&number) || teller.is_some_and(|(teller, _)| teller == number);
        // There has to be room for the one that tells.
        let (mut events, mut bytes) = (self.marks.len() + 1, self.bytes + 1024);
        let mut gone = BTreeMap::new();
        for messages_only in [true, false] {
            for mark in &self.marks {
                let is_candidate = !messages_only || mark.kind == EventKind::MessagePublished;
                let is_over = events > OUTBOX_EVENTS_MAX || bytes > OUTBOX_BYTES_MAX;
                if is_over && is_candidate && !stays(mark.number) && !gone.contains_key(&mark.number) {
                    gone.insert(mark.number, mark.kind);
                    events -= 1;
                    bytes -= u64::from(mark.bytes);
                }
            }
        }
        let Some(first) = gone.keys().next().copied() else { return };
        // Whoever loses something has the one that tells still before it.
        let loses = |(endpoint, cursor): (&String, &Cursor)| {
            let events = self.subscribers.get(endpoint).copied().unwrap_or_default();
            let mut lost = gone.range(cursor.taken + 1..).filter(|(_, kind)| events.has(**kind));
            lost.next().map(|(number, _)| (*number, cursor.taken))
        };
        let losses: Vec<(u64, u64)> = state.cursors.iter().filter_map(loses).collect();
        let teller = teller.filter(|(teller, _)| losses.iter().all(|(_, taken)| taken < teller));
        let farthest = losses.iter().map(|(number, _)| *number).max();
        let (number, before) = teller.unwrap_or((farthest.unwrap_or(first), 0));
        self.remove_where(|mark| gone.contains_key(&mark.number));
        self.tell_dropped(scene, number, before + gone.len() as u64);
    }

    fn tell_dropped(&mut self, scene: &Scene<'_>, number: u64, count: u64) {
        let Some(state) = &mut self.state else { return };
        state.dropped = Some((number, count));
        // The number was that of an event that others may have been sent.
        let id = format!("{}-{number}-dropped", state.origin);
        let kind = EventKind::WebhookDropped;
        let event = scene.event(&id, kind, &EventData::Dropped { count });
        self.put(OutboxRow { number, event, kind, about: None });
    }

    /// Begins every try that is due, as far as the outbox is concerned: they are made once this is committed.
    pub(crate) fn launch(&mut self, now: u64) -> Vec<Due> {
        if self.is_unsettled {
            self.form_batches(now);
        }
        let mut due = Vec::new();
        for (endpoint, cursor) in self.state.iter_mut().flat_map(|state| &mut state.cursors) {
            let Some(first) = cursor.batch.first().copied().filter(|_| cursor.next_at <= now) else {
                continue;
            };
            self.has_changes = true;
            let is_over = cursor.attempts >= ATTEMPTS_MAX;
            if is_over {
                cursor.next_at = now + PARK_AGAIN_MS;
            } else {
                let wait = RETRIES_MS.get(cursor.attempts as usize).copied().unwrap_or(0);
                cursor.attempts += 1;
                cursor.next_at = now + LOST_AFTER_MS + wait;
            }
            let this = Try { endpoint: endpoint.clone(), first, attempt: cursor.attempts };
            due.push(if is_over { Due::Park(this) } else { Due::Deliver(this) });
        }
        due
    }

    /// Endpoints that are being sent nothing get what is next; what no endpoint needs goes.
    fn form_batches(&mut self, now: u64) {
        self.is_unsettled = false;
        self.remove_unneeded();
        let Some(state) = &mut self.state else { return };
        for (endpoint, events) in &self.subscribers {
            let Some(cursor) = state.cursors.get_mut(endpoint).filter(|cursor| cursor.batch.is_empty())
            else {
                continue;
            };
            let from = self.marks.partition_point(|mark| mark.number <= cursor.taken);
            let mut bytes = 0;
            for mark in self.marks[from..].iter().filter(|mark| events.has(mark.kind)) {
                bytes += mark.bytes as usize;
                let is_full = cursor.batch.len() == BATCH_EVENTS_MAX || bytes > BATCH_BYTES_MAX;
                if is_full && !cursor.batch.is_empty() {
                    break;
                }
                cursor.batch.push(mark.number);
            }
            state.dropped = state.dropped.filter(|(teller, _)| !cursor.batch.contains(teller));
            (cursor.attempts, cursor.next_at, cursor.last_status) = (0, now, None);
        }
    }

    fn remove_unneeded(&mut self) {
        let Some(state) = self.state.take() else { return };
        let subscribers = std::mem::take(&mut self.subscribers);
        let needs = |(endpoint, events): (&String, &EventSet), mark: &OutboxMark| {
            events.has(mark.kind)
                && state.cursors.get(endpoint).is_some_and(|cursor| mark.number > cursor.taken)
        };
        self.remove_where(|mark| !subscribers.iter().any(|subscriber| needs(subscriber, mark)));
        (self.state, self.subscribers) = (Some(state), subscribers);
    }

    /// A try ended. False where it is another batch's, or a failure of an earlier try, and changes nothing.
    pub(crate) fn ended(&mut self, now: u64, this: &Try, outcome: Outcome) -> bool {
        let Some(cursor) = self.cursor_at(this) else { return false };
        if outcome.is_taken() {
            self.taken(this);
            return true;
        }
        if cursor.attempts != this.attempt {
            return false;
        }
        cursor.last_status = outcome.status;
        let step = (this.attempt as usize).saturating_sub(1);
        let wait = RETRIES_MS.get(step).map_or(0, |wait| {
            let longest = RETRIES_MS.get(step + 1).unwrap_or(wait);
            outcome.retry_after_ms.unwrap_or(0).clamp(*wait, *longest)
        });
        cursor.next_at = now + wait;
        self.has_changes = true;
        true
    }

    /// The endpoint has the batch, or the directory has it.
    pub(crate) fn taken(&mut self, this: &Try) -> bool {
        let Some(cursor) = self.cursor_at(this) else { return false };
        cursor.taken = cursor.batch.last().copied().unwrap_or(cursor.taken);
        cursor.batch.clear();
        (self.has_changes, self.is_unsettled) = (true, true);
        true
    }

    fn cursor_at(&mut self, this: &Try) -> Option<&mut Cursor> {
        let cursor = self.state.as_mut()?.cursors.get_mut(&this.endpoint)?;
        (cursor.batch.first() == Some(&this.first)).then_some(cursor)
    }

    pub(crate) fn cursor(&self, endpoint: &str) -> Option<&Cursor> {
        self.state.as_ref()?.cursors.get(endpoint)
    }

    /// The name of what the endpoint is being sent: the same at each try, unless what it says was erased in between.
    pub(crate) fn batch_id(&self, endpoint: &str, body_hash: &str) -> Option<String> {
        let state = self.state.as_ref()?;
        let batch = &state.cursors.get(endpoint)?.batch;
        let (first, last) = (batch.first()?, batch.last()?);
        Some(format!("{}_{endpoint}_{first}-{last}_{body_hash}", state.origin))
    }

    /// When the next try is due, or something else is to be done.
    pub(crate) fn due_at(&self, now: u64) -> Option<u64> {
        if self.is_unsettled {
            return Some(now);
        }
        let cursors = self.state.iter().flat_map(|state| state.cursors.values());
        cursors.filter(|cursor| !cursor.batch.is_empty()).map(|cursor| cursor.next_at).min()
    }

    /// What has to be written, since the last time.
    pub(crate) fn take_writes(&mut self) -> Option<OutboxWrites> {
        let state = self.state.clone().filter(|_| std::mem::take(&mut self.has_changes))?;
        self.committed = state.last;
        let removed = std::mem::take(&mut self.removed).into_iter().collect();
        let put = std::mem::take(&mut self.put).into_values().collect();
        Some(OutboxWrites { removed, put, state })
    }
}

impl Scene<'_> {
    fn event(&self, id: &str, event: EventKind, data: &EventData<'_>) -> String {
        let Scene { now, tenant, room, epoch } = *self;
        Event { id, event, time: now, tenant, room, kind: room.kind(), epoch, data }.to_json()
    }
}
