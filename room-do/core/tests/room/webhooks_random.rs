//! Webhooks under anything: members come and go, memory and commits are lost, rooms are deleted, receivers fail,
//! answer late or twice or never. Whatever happened, each endpoint has all of it, in order.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{Table, call_of, claims, set_up};
use room_core::{
    Input, Setup,
    outbox::{Outcome, Subscriber, Try, Webhooks},
};
use schemas::{
    ConnectionId, RoomName, Tenant,
    config::{KindConfig, Rates},
    http::RoomCall,
    webhook::EventSet,
};
use serde_json::Value;

const SEEDS: u64 = 60;
const STEPS: u64 = 250;
const SESSIONS: u64 = 4;
const ENDPOINTS: [&str; 2] = ["a", "b"];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

struct World {
    table: Table,
    random: Random,
    connections: u64,
    /// By session.
    joined: BTreeMap<u64, ConnectionId>,
    /// Tries that were never answered, or not yet.
    pending: Vec<(Try, String, Vec<Value>)>,
    /// What each endpoint took, and under which names.
    taken: BTreeMap<String, (BTreeSet<String>, Vec<Value>)>,
    published: u64,
    /// Receivers take everything, and are heard.
    is_calm: bool,
}

impl World {
    fn new(seed: u64) -> World {
        let config = KindConfig { rates: Rates::OFF, webhooks: EventSet::all(), ..KindConfig::default() };
        let subscriber = |endpoint: &str| Subscriber { endpoint: endpoint.into(), events: EventSet::all() };
        let subscribers = ENDPOINTS.map(subscriber).into();
        let webhooks = Webhooks { tenant: Tenant::default_tenant(), subscribers };
        let name = RoomName::parse("chat:lobby").expect("a room's name");
        World {
            table: set_up(Setup { name, config, asks_acks: false, webhooks, behavior: None }),
            random: Random(seed),
            connections: 0,
            joined: BTreeMap::new(),
            pending: Vec::new(),
            taken: BTreeMap::new(),
            published: 0,
            is_calm: false,
        }
    }

    fn step(&mut self) {
        let session = self.random.below(SESSIONS);
        match self.random.below(20) {
            0..=3 => self.join(session),
            4 | 5 => self.leave(session, 1000),
            6 | 7 => self.leave(session, 1006),
            8..=11 => {
                let call = RoomCall::Publish(call_of("1", None));
                self.published += u64::from(self.table.ask(call).is_ok());
            }
            12 => self.table.hibernate(),
            13 => self.table.trap(),
            14 => self.table.kill(),
            15 => self.table.storage.fail_commits(1),
            16 if self.random.below(4) == 0 => drop(self.table.ask(RoomCall::Delete)),
            17 => {
                let ms = 1 << self.random.below(18);
                self.table.pass(ms);
            }
            _ => self.receive(),
        }
        self.take_posts();
        let (closed, attachments) = (&self.table.closed, &self.table.attachments);
        self.joined.retain(|_, id| !closed.contains_key(id) && attachments.contains_key(id));
    }

    fn join(&mut self, session: u64) {
        if self.joined.contains_key(&session) {
            return;
        }
        // A hello whose commit fails is another story.
        self.table.storage.fail_commits(0);
        self.connections += 1;
        let (id, _) =
            self.table.join_with_session(self.connections, session, claims(&format!("user-{session}")), "");
        self.joined.insert(session, id);
    }

    fn leave(&mut self, session: u64, code: u16) {
        if let Some(id) = self.joined.remove(&session) {
            self.table.close(id, code);
            self.table.flush();
        }
    }

    fn take_posts(&mut self) {
        for (this, id, body) in std::mem::take(&mut self.table.tries) {
            let body: Value = serde_json::from_str(&body).expect("a body is JSON");
            self.pending.push((this, id, body["events"].as_array().expect("events").clone()));
        }
    }

    /// A receiver does something with one of its tries.
    fn receive(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let index = self.random.below(self.pending.len() as u64) as usize;
        let (this, id, events) = self.pending.swap_remove(index);
        let mut outcome = Outcome { status: Some(500), retry_after_ms: None };
        if self.is_calm || self.random.below(3) > 0 {
            let (names, taken) = self.taken.entry(this.endpoint.clone()).or_default();
            if names.insert(id) {
                taken.extend(events);
            }
            outcome.status = Some(200);
        }
        // The answer may be lost.
        if self.is_calm || self.random.below(5) > 0 {
            self.table.input(Input::Delivered { this, outcome });
        }
    }

    /// Everyone goes, and receivers take whatever comes.
    fn settle(&mut self) {
        self.is_calm = true;
        self.table.storage.fail_commits(0);
        for session in 0..SESSIONS {
            self.leave(session, 1000);
        }
        for _ in 0..400 {
            self.table.pass(600_000);
            self.table.flush();
            self.take_posts();
            while !self.pending.is_empty() {
                self.receive();
                self.take_posts();
            }
            if self.table.storage.outbox().count() == 0 && self.table.info().occupancy.members == 0 {
                return;
            }
        }
        panic!("events wait for ever");
    }

    fn judge(&self) {
        for endpoint in ENDPOINTS {
            let empty = (BTreeSet::new(), Vec::new());
            let (_, events) = self.taken.get(endpoint).unwrap_or(&empty);
            let mut last: BTreeMap<&str, u64> = BTreeMap::new();
            let (mut present, mut occupied, mut published) = (BTreeSet::new(), false, 0);
            for event in events {
                let (origin, number) = event["id"].as_str().and_then(|id| id.split_once('-')).expect("an id");
                let number: u64 = number.parse().expect("a number");
                let before = last.insert(origin, number).unwrap_or(0);
                assert_eq!(number, before + 1, "{endpoint}: nothing is missing, out of order or twice");
                let member = event["data"]["session"].as_str();
                match event["type"].as_str().expect("a type") {
                    "room.occupied" => assert!(!std::mem::replace(&mut occupied, true), "{event}"),
                    "room.vacated" => assert!(std::mem::replace(&mut occupied, false), "{event}"),
                    "member.joined" => assert!(present.insert(member), "{event}"),
                    "member.left" => assert!(present.remove(&member), "{event}"),
                    "message.published" => published += 1,
                    _ => {}
                }
            }
            assert!(present.is_empty() && !occupied, "{endpoint}: all have left");
            assert_eq!(published, self.published, "{endpoint}: each message that was answered");
        }
    }
}

#[test]
fn r_hook_6_whatever_happens_each_endpoint_has_every_event_in_order() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.settle();
        world.judge();
    }
}
