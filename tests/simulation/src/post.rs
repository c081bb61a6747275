//! Webhook endpoints, and what comes to them: held against what had to be told.

use std::collections::{BTreeMap, BTreeSet};

use room_core::{
    Input,
    outbox::{Outcome, Subscriber, Try, Webhooks},
};
use schemas::{
    Epoch, Offset, Payload, PublicSession, Tenant, UserId,
    http::PublishCall,
    webhook::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, EventKind, EventSet, OUTBOX_BYTES_MAX, Parked, RETRIES_MS},
};
use serde_json::Value;

use crate::{
    actions::{FLOOD_BYTES, HIDDEN},
    asking::call_of,
    errands::Errand,
    kept::{Stamp, large_payload_of, number_of},
    random::Random,
    told::{About, Told},
    world::World,
};

/// How an endpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Good,
    /// It takes nothing, and says so.
    Failing,
    /// It takes nothing, and says nothing.
    Silent,
}

/// The shell waits so long for an answer.
const ANSWER_WITHIN_MS: u64 = 10_000;
/// The first try, and one after each wait.
const ATTEMPTS_MAX: u32 = RETRIES_MS.len() as u32 + 1;

#[derive(Debug)]
pub(crate) struct Endpoint {
    name: String,
    events: EventSet,
    mood: Mood,
    /// It has, or never will get, what was told before this.
    next: usize,
    /// Ids of events that it has, or the directory has for it.
    has: BTreeSet<String>,
    /// Of what was told before `next`, so many never came; and so many it was told to be missing.
    missed: u64,
    dropped: u64,
    bodies: BTreeMap<String, String>,
    last: Option<Last>,
}

/// The last try that was made.
#[derive(Debug, Clone)]
struct Last {
    /// The batch, by its outbox and its first event.
    batch: String,
    attempt: u32,
    /// The next is not made before this, unless somebody sets the room's clock.
    wait_until: u64,
    clock_sets: u64,
}

/// In half of the worlds somebody is told of something.
pub(crate) fn some_webhooks(random: &mut Random, keeps_log: bool) -> (EventSet, Webhooks) {
    let all = EventKind::ALL.into_iter().filter(|kind| keeps_log || *kind != EventKind::MessagePublished);
    // No behavior is played, and so no timer of one.
    let all: Vec<EventKind> = all.filter(|kind| *kind != EventKind::TimerFired).collect();
    let count = *random.pick(&[0, 0, 1, 1, 2]);
    let mut some = |percent| -> EventSet { all.iter().copied().filter(|_| random.chance(percent)).collect() };
    let subscribers = (0..count).map(|number| Subscriber {
        endpoint: format!("endpoint-{number}"),
        events: if number == 0 { EventSet::all() } else { some(60) },
    });
    let subscribers = subscribers.collect();
    let told = some(85);
    (told, Webhooks { tenant: Tenant::default_tenant(), subscribers })
}

/// Those that are told anything.
pub(crate) fn endpoints(told: EventSet, webhooks: &Webhooks) -> Vec<Endpoint> {
    let endpoint = |subscriber: &Subscriber| {
        let events = subscriber.events.and(told).without(EventKind::WebhookDropped);
        let events = (!events.is_empty()).then(|| events.with(EventKind::WebhookDropped))?;
        Some(Endpoint {
            name: subscriber.endpoint.clone(),
            events,
            mood: Mood::Good,
            next: 0,
            has: BTreeSet::new(),
            missed: 0,
            dropped: 0,
            bodies: BTreeMap::new(),
            last: None,
        })
    };
    webhooks.subscribers.iter().filter_map(endpoint).collect()
}

/// An event as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Came {
    id: String,
    told: Told,
    /// Of `webhook.dropped`.
    count: u64,
    /// Of a publication, where it has one.
    number: Option<u64>,
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("R-HOOK-1: an event without {key}: {value}"))
}

fn member(data: &Value) -> (UserId, PublicSession) {
    let user = UserId::parse(text(data, "user")).expect("R-HOOK-1: a user");
    (user, PublicSession::parse(text(data, "session")).expect("R-HOOK-1: a session"))
}

fn read(body: &str) -> Vec<Came> {
    let body: Value = serde_json::from_str(body).expect("R-HOOK-4: a body is JSON");
    let events = body["events"].as_array().expect("R-HOOK-4: a body is a list of events");
    events.iter().map(read_one).collect()
}

fn read_one(event: &Value) -> Came {
    let data = &event["data"];
    let kind = EventKind::parse(text(event, "type")).expect("R-HOOK-1: it has a type");
    let mut number = None;
    let about = match kind {
        EventKind::MemberJoined => {
            let (user, session) = member(data);
            About::Member(user, session)
        }
        EventKind::MemberLeft => {
            let (user, session) = member(data);
            match text(data, "reason") {
                "room_deleted" => About::Deleted(user, session),
                "left" | "lost" => About::Member(user, session),
                other => panic!("R-HOOK-1: nobody leaves for {other}"),
            }
        }
        EventKind::MessagePublished => {
            let said = data.get("data").and_then(|said| said.as_u64().or_else(|| large_number(said)));
            number = said;
            let offset = data["offset"].as_u64().and_then(Offset::new);
            About::Publication(offset.expect("R-HOOK-1: a publication has an offset"))
        }
        _ => About::Room,
    };
    let count = data["count"].as_u64().unwrap_or(0);
    let epoch = text(event, "epoch").to_owned();
    Came { id: text(event, "id").to_owned(), told: Told { kind, epoch, about }, count, number }
}

/// The number with which bytes begin, which JSON has in base64.
fn large_number(said: &Value) -> Option<u64> {
    let beginning = said.get("$bin")?.as_str()?.get(..12)?;
    let payload = Payload::from_json(format!("{{\"$bin\":\"{beginning}\"}}")).ok()?;
    Some(number_of(&payload))
}

impl Endpoint {
    /// R-HOOK-1, R-HOOK-6: events come in their order, none without a cause, and none is left out but those that it was
    /// told to be missing. What comes again came before.
    fn came(&mut self, events: Vec<Came>, story: &[Told], is_alone: bool) {
        for Came { id, told, count, .. } in events {
            assert!(self.events.has(told.kind), "R-HOOK-2: {} was told {told:?}", self.name);
            if !self.has.insert(id) {
                continue;
            }
            if told.kind == EventKind::WebhookDropped {
                self.dropped += count;
                continue;
            }
            let wanted =
                story.iter().enumerate().skip(self.next).filter(|(_, one)| self.events.has(one.kind));
            let place = wanted.clone().position(|(_, one)| *one == told);
            let Some((place, (index, _))) = place.and_then(|place| Some((place, wanted.clone().nth(place)?)))
            else {
                panic!("R-HOOK-1: {} was told {told:?}, which did not happen, or not then", self.name);
            };
            self.missed += place as u64;
            let (missed, dropped) = (self.missed, self.dropped);
            // Of several, one may learn of it where the one that is farthest does.
            assert!(
                missed <= dropped || !is_alone,
                "R-HOOK-6: ahead of {told:?} {place} were left out, {missed} in all"
            );
            self.next = index + 1;
        }
    }

    /// So many are still to come.
    fn waits_for(&self, story: &[Told]) -> u64 {
        story.iter().skip(self.next).filter(|one| self.events.has(one.kind)).count() as u64
    }
}

impl World {
    fn endpoint(&mut self, name: &str) -> &mut Endpoint {
        let found = self.endpoints.iter_mut().find(|endpoint| endpoint.name == name);
        found.unwrap_or_else(|| panic!("R-HOOK-2: {name} is told nothing"))
    }

    /// The room posts a batch.
    pub(crate) fn posts(&mut self, this: Try, id: &str, body: String, stamp: Stamp) {
        self.tally.count("webhooks posted");
        let events = read(&body);
        self.judge_post(&this, id, (&body, &events), stamp);
        let is_healing = self.is_healing;
        let (arrives, ends) = match self.random.below(100) {
            _ if is_healing => (Some(5), None),
            0..=5 => (None, Some(ANSWER_WITHIN_MS)),
            6..=11 => (Some(self.random.below(9_000)), None),
            _ => (Some(self.random.below(80)), None),
        };
        if let Some(in_ms) = arrives {
            let arrives = |is_answered| {
                let (this, events) = (this.clone(), events.clone());
                Errand::PostArrives { this, events, is_answered }
            };
            if !is_healing && self.random.chance(4) {
                self.tally.count("webhooks that came twice");
                let again_ms = in_ms + self.random.below(20_000);
                self.later(again_ms, arrives(false));
            }
            self.later(in_ms, arrives(true));
        }
        if let Some(in_ms) = ends {
            self.tally.count("webhooks lost");
            self.later(in_ms, Errand::PostEnded { this, outcome: Outcome::default() });
        }
    }

    fn judge_post(&mut self, this: &Try, id: &str, (body, events): (&str, &[Came]), stamp: Stamp) {
        assert!(!events.is_empty() && events.len() <= BATCH_EVENTS_MAX, "R-HOOK-4: {} events", events.len());
        assert!(events.len() == 1 || body.len() <= BATCH_BYTES_MAX + 1_000, "R-HOOK-4: {} bytes", body.len());
        for Came { told, number, .. } in events {
            let About::Publication(offset) = told.about else { continue };
            let epoch = Epoch::parse(&told.epoch);
            let log = self.object.storage.truth.logs().find(|log| log.epoch == epoch);
            let Some(fact) = log.and_then(|log| log.get(offset)) else {
                panic!("R-HOOK-6: {told:?} was told and never committed");
            };
            let is_current = stamp.epoch == epoch;
            let is_erased = is_current && fact.erased_by.is_some_and(|by| by <= stamp.head_before);
            assert!(!is_erased || number.is_none(), "R-HOOK-9: {told:?} says what was erased");
            assert!(
                number.is_none() || fact.number.is_none() || *number == fact.number,
                "R-HOOK-1: {told:?}"
            );
            let must_say =
                fact.erased_by.is_none() && fact.record.publication.data.is_some() && fact.number.is_some();
            assert!(!must_say || number.is_some(), "R-HOOK-1: {told:?} does not say what was published");
        }
        let first = events.first().map(|came| came.id.clone()).unwrap_or_default();
        let origin = first.split_once('-').map_or("", |(origin, _)| origin);
        let batch = format!("{origin}-{}", this.first);
        let (now, sets) = (self.clock.real, self.clock.sets);
        let endpoint = self.endpoint(&this.endpoint);
        let before = endpoint.bodies.entry(id.to_owned()).or_insert_with(|| body.to_owned());
        assert_eq!(before, body, "R-HOOK-5: two batches have one name");
        assert!(this.attempt >= 1 && this.attempt <= ATTEMPTS_MAX, "R-HOOK-5: {this:?}");
        if let Some(last) = endpoint.last.as_ref().filter(|last| last.batch == batch) {
            assert!(this.attempt > last.attempt, "R-HOOK-6: {this:?} was made before");
            let in_time = now >= last.wait_until || sets != last.clock_sets;
            assert!(in_time, "R-HOOK-5: {this:?} at {now}, and waits until {}", last.wait_until);
        }
        let wait_ms = RETRIES_MS.get(this.attempt as usize - 1).copied().unwrap_or(0);
        endpoint.last =
            Some(Last { batch, attempt: this.attempt, wait_until: now + wait_ms, clock_sets: sets });
        if this.attempt > 1 {
            self.tally.count("webhooks tried again");
        }
    }

    /// A post has come to its endpoint.
    pub(crate) fn post_arrives(&mut self, this: Try, events: Vec<Came>, is_answered: bool) {
        let is_healing = self.is_healing;
        let is_alone = self.endpoints.len() == 1;
        let story = &self.object.storage.story;
        let Some(endpoint) = self.endpoints.iter_mut().find(|one| one.name == this.endpoint) else { return };
        let mood = endpoint.mood;
        if mood == Mood::Good {
            endpoint.came(events, story.events(), is_alone);
            self.tally.count("webhooks taken");
        }
        if !is_answered {
            return;
        }
        let (status, in_ms) = match mood {
            Mood::Good if !is_healing && self.random.chance(8) => {
                self.tally.count("answers of webhooks lost");
                (None, ANSWER_WITHIN_MS)
            }
            Mood::Good => (Some(*self.random.pick(&[200, 200, 202, 204])), self.random.below(60)),
            Mood::Failing => {
                self.tally.count("webhooks refused");
                (Some(*self.random.pick(&[500, 503, 429, 404, 302])), self.random.below(200))
            }
            Mood::Silent => {
                self.tally.count("webhooks not answered");
                (None, ANSWER_WITHIN_MS)
            }
        };
        let asks = status == Some(429) || status == Some(503);
        let retry_after_ms = asks.then(|| self.random.below(20_000));
        self.later(in_ms, Errand::PostEnded { this, outcome: Outcome { status, retry_after_ms } });
    }

    /// The room hears how a post went.
    pub(crate) fn post_ends(&mut self, this: Try, outcome: Outcome) {
        let failures = self.object.storage.failures();
        let input = Input::Delivered { this: this.clone(), outcome };
        let is_heard = self.server(input) && self.object.storage.failures() == failures;
        let Some(retry_after_ms) = outcome.retry_after_ms.filter(|_| is_heard) else { return };
        let now = self.clock.real;
        let step = this.attempt as usize - 1;
        let Some(wait) = RETRIES_MS.get(step) else { return };
        let longest = RETRIES_MS.get(step + 1).unwrap_or(wait);
        let last = self.endpoint(&this.endpoint).last.as_mut();
        if let Some(last) = last.filter(|last| last.is_of(&this)) {
            last.wait_until = last.wait_until.max(now + retry_after_ms.clamp(*wait, *longest));
        }
    }

    /// The room hands to the directory what an endpoint did not take.
    pub(crate) fn parks(&mut self, this: Try, parked: &Parked) {
        assert_eq!(parked.attempts, ATTEMPTS_MAX, "R-HOOK-5: {this:?} is parked too early");
        let percent = if self.is_healing { 0 } else { self.random.below(100) };
        let is_taken = !self.directory.is_down && percent < 80;
        if is_taken {
            self.tally.count("webhooks parked");
            let is_alone = self.endpoints.len() == 1;
            let story = &self.object.storage.story;
            let endpoint = self.endpoints.iter_mut().find(|one| one.name == this.endpoint);
            if let Some(endpoint) = endpoint {
                endpoint.came(read(&parked.body), story.events(), is_alone);
            }
        }
        let in_ms = self.random.below(100);
        self.later(in_ms, Errand::ParkingEnded { this, accepted: is_taken && percent < 70 });
    }

    /// When the room tries again, by its clock: an endpoint each, where something waits for it.
    fn tries_due_at(&self) -> Vec<u64> {
        let cursors = self.object.storage.load().outbox.state.map(|state| state.cursors).unwrap_or_default();
        cursors.into_values().filter(|cursor| !cursor.batch.is_empty()).map(|cursor| cursor.next_at).collect()
    }

    // --- the adversary

    pub(crate) fn change_endpoint(&mut self) {
        if self.endpoints.is_empty() {
            return;
        }
        let index = self.random.index(self.endpoints.len());
        let moods = [Mood::Good, Mood::Good, Mood::Failing, Mood::Failing, Mood::Silent];
        self.endpoints[index].mood = *self.random.pick(&moods);
    }

    /// An endpoint is down for so long that the room gives it up.
    pub(crate) fn endpoint_stays_down(&mut self) {
        if self.endpoints.is_empty() || self.tally.of("endpoints that stay down") > 0 {
            return;
        }
        self.tally.count("endpoints that stay down");
        let index = self.random.index(self.endpoints.len());
        self.endpoints[index].mood = *self.random.pick(&[Mood::Failing, Mood::Silent]);
        for _ in 0..ATTEMPTS_MAX + 3 {
            self.pass(12_500);
            self.set_clock_ahead_to(self.tries_due_at().into_iter().min());
        }
        self.endpoints[index].mood = Mood::Good;
    }

    /// More happens than a room keeps for an endpoint that is down.
    pub(crate) fn overfill_outbox(&mut self) {
        let is_told = |endpoint: &&mut Endpoint| endpoint.events.has(EventKind::MessagePublished);
        let takes_it = self.object.setup.config.limits.payload_bytes as usize >= FLOOD_BYTES;
        let is_wanted = takes_it && self.tally.of("outboxes overfilled") == 0 && self.random.chance(12);
        let Some(endpoint) = self.endpoints.iter_mut().find(is_told).filter(|_| is_wanted) else { return };
        endpoint.mood = Mood::Failing;
        self.tally.count("outboxes overfilled");
        for _ in 0..OUTBOX_BYTES_MAX / (FLOOD_BYTES as u64 * 4 / 3) + 20 {
            let (number, tags) = (self.next_number(), vec![HIDDEN.to_owned()]);
            let call = PublishCall { tags, ..call_of(large_payload_of(number, FLOOD_BYTES)) };
            self.ask_to_publish(number, call);
        }
    }

    /// Somebody sets the room's clock.
    fn set_clock_ahead_to(&mut self, at: Option<u64>) {
        let now = self.clock.now().room;
        if let Some(ahead) = at.and_then(|at| at.checked_sub(now)) {
            self.clock.jump(ahead.cast_signed());
        }
    }

    /// Endpoints take whatever comes, and need not wait for days.
    pub(crate) fn endpoints_heal(&mut self) {
        self.endpoints.iter_mut().for_each(|endpoint| endpoint.mood = Mood::Good);
        if !self.endpoints.is_empty() {
            // What is under way comes to its end.
            self.pass(20_000);
            self.set_clock_ahead_to(self.tries_due_at().into_iter().max());
        }
    }

    /// R-HOOK-6, R-HOOK-10: whoever takes what comes has everything.
    pub(crate) fn judge_endpoints(&mut self) {
        let story = self.object.storage.story.events();
        for endpoint in &self.endpoints {
            let waits_for = endpoint.waits_for(story);
            assert_eq!(waits_for, 0, "R-HOOK-6: {} was never told of {:?}", endpoint.name, story.last());
            let (missed, dropped) = (endpoint.missed, endpoint.dropped);
            let is_alone = self.endpoints.len() == 1;
            assert!(missed <= dropped, "R-HOOK-7: {missed} are missing, and {dropped} were told");
            assert!(
                !is_alone || missed == dropped,
                "R-HOOK-7: {missed} are missing, and {dropped} were told"
            );
            self.tally.count_many("", "events dropped from outboxes", missed);
            self.tally.count_many("", "webhook events told", endpoint.has.len() as u64);
        }
        let waiting = self.object.storage.load().outbox.marks.len();
        assert_eq!(waiting, 0, "R-HOOK-6: the outbox is not drained");
    }
}

impl Last {
    fn is_of(&self, this: &Try) -> bool {
        self.attempt == this.attempt && self.batch.ends_with(&format!("-{}", this.first))
    }
}
