//! The world: one room, its clients, and an adversary; one random step after another.

use std::collections::{BTreeMap, BTreeSet};

use room_core::{RequestId, Setup};
use schemas::{
    ConnectionId, RoomName,
    config::{KindConfig, KindLimits, LogConfig, PresenceConfig, PresenceMode, Rate, Rates},
    http::ScopedKey,
};

use crate::{
    asking::Keyed,
    clock::Clock,
    directory::Directory,
    errands::Errand,
    gate::Gate,
    life::Asking,
    listener::Listener,
    network::Pipe,
    observer::Sightings,
    platform::Object,
    player::Player,
    post::{Endpoint, endpoints, some_webhooks},
    random::Random,
    refreshing::Worth,
    tally::Tally,
    witness::witness,
};

const START: u64 = 1_800_000_000_000;
pub(crate) const TAGS: [&str; 3] = ["red", "green", "blue"];
/// Clients share so many users.
pub(crate) const USERS: u64 = 4;
/// A payload above it is refused: small in most rooms, large enough for floods in some.
const PAYLOAD_BYTES: [u32; 4] = [1_024, 1_024, 1_024, 64 * 1_024];

/// Some rooms list members only up to so many.
const SMALL_FULL_MAX: u32 = 2;

/// Everything there is.
#[derive(Debug)]
pub struct World {
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) object: Object,
    pub(crate) players: Vec<Player>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) pipes: BTreeMap<ConnectionId, Pipe>,
    /// Closes that the platform tells of later, and when.
    pub(crate) late_closes: Vec<(u64, ConnectionId, u16)>,
    /// What is under way elsewhere, and when it happens.
    pub(crate) errands: Vec<(u64, Errand)>,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) directory: Directory,
    pub(crate) gate: Gate,
    /// What the tokens are worth that listeners show.
    pub(crate) tokens: BTreeMap<u64, Worth>,
    pub(crate) next_token: u64,
    pub(crate) sightings: Sightings,
    /// Numbers published under a key.
    pub(crate) keyed: BTreeMap<u64, ScopedKey>,
    /// What was published under a key lately.
    pub(crate) repeatable: Vec<Keyed>,
    /// Ephemerals for which a later one may stand: whose, and under which name.
    pub(crate) conflated: BTreeMap<u64, (ConnectionId, &'static str)>,
    /// Values of shared state whose request was refused.
    pub(crate) rejected_values: BTreeSet<u64>,
    pub(crate) next_number: u64,
    pub(crate) next_call: u32,
    pub(crate) next_request: u64,
    pub(crate) next_visitor: u64,
    pub(crate) asked: BTreeMap<RequestId, Asking>,
    /// Counts what the room did.
    pub(crate) event: u64,
    /// How often the room was rebuilt when its sockets were last measured.
    pub(crate) restores_seen: u64,
    /// Of a hundred actions, so many are the adversary's.
    pub(crate) faults_percent: u64,
    /// Of a hundred links, so many are slow.
    pub(crate) slow_percent: u64,
    pub(crate) keeps_log: bool,
    /// The room is soon idle and soon expires, and backends delete it.
    pub(crate) is_short_lived: bool,
    pub(crate) network_is_down: bool,
    /// The process dies right after the next step, before anything it decided leaves.
    pub(crate) is_doomed: bool,
    /// The platform fires no alarm before this.
    pub(crate) alarms_held_until: u64,
    /// So many alarms fire twice, and so many throw.
    pub(crate) alarms_to_repeat: u32,
    pub(crate) alarms_to_fail: u32,
    /// No more faults.
    pub(crate) is_healing: bool,
    pub tally: Tally,
}

impl World {
    /// The world of a seed, whose room has a behavior: [`witness`](crate::witness).
    #[must_use]
    pub fn witnessed(seed: u64) -> World {
        let mut world = World::new(seed);
        world.object.setup.behavior = Some(witness());
        world.object.storage.has_witness = world.keeps_log;
        world
    }

    #[must_use]
    pub fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let mut config = some_config(&mut random);
        let keeps_log = config.log.count > 0;
        let (told, webhooks) = some_webhooks(&mut random, keeps_log);
        config.webhooks = told;
        let endpoints = endpoints(told, &webhooks);
        let asks_acks = random.chance(35);
        let is_short_lived = config.expire_after_ms < KindConfig::default().expire_after_ms;
        let name = RoomName::parse("chat:lobby").expect("a room's name");
        let object = Object::new(Setup { name, config, asks_acks, webhooks, behavior: None }, random.bits());
        let players: Vec<Player> =
            (0..3 + random.below(3)).map(|number| Player::new(number, START, &mut random)).collect();
        let listeners =
            (0..1 + random.below(2)).map(|number| Listener::new(number, START, &mut random)).collect();
        World {
            clock: Clock::starting_at(START),
            object,
            players,
            listeners,
            pipes: BTreeMap::new(),
            late_closes: Vec::new(),
            errands: Vec::new(),
            endpoints,
            directory: Directory::default(),
            gate: Gate::default(),
            tokens: BTreeMap::new(),
            next_token: 0,
            sightings: Sightings::default(),
            keyed: BTreeMap::new(),
            repeatable: Vec::new(),
            conflated: BTreeMap::new(),
            rejected_values: BTreeSet::new(),
            next_number: 0,
            next_call: 0,
            next_request: 0,
            next_visitor: 0,
            asked: BTreeMap::new(),
            event: 0,
            restores_seen: 0,
            faults_percent: *random.pick(&[4, 15, 35]),
            slow_percent: *random.pick(&[0, 5, 30]),
            keeps_log,
            is_short_lived,
            network_is_down: false,
            is_doomed: false,
            alarms_held_until: 0,
            alarms_to_repeat: 0,
            alarms_to_fail: 0,
            is_healing: false,
            tally: Tally::default(),
            random,
        }
    }

    /// Takes `steps` random steps, heals the world, waits for quiet, and judges it.
    #[must_use]
    pub fn run(mut self, steps: u32) -> Tally {
        if self.random.chance(20) {
            self.object.storage.fail_next(2);
        }
        for index in 0..self.players.len() {
            self.join(index);
        }
        for _ in 0..steps {
            let pause = match self.random.below(100) {
                0..=69 => self.random.below(30),
                70..=95 => self.random.below(1_000),
                96..=98 => self.random.below(20_000),
                _ => self.random.below(100_000),
            };
            self.pass(pause);
            if self.random.chance(self.faults_percent) {
                self.do_harm();
            } else {
                self.act();
            }
        }
        self.tally.count_many("", "steps", steps.into());
        self.heal();
        self.judge();
        self.tally
    }

    /// Whether every member is listed to those who see members.
    pub(crate) fn lists_everyone(&self) -> bool {
        let presence = &self.object.setup.config.presence;
        presence.mode == PresenceMode::Full && presence.full_max == PresenceConfig::default().full_max
    }

    pub(crate) fn next_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }
}

fn some_config(random: &mut Random) -> KindConfig {
    let count = *random.pick(&[8, 8, 40, 40, 400, 400, 10_000, 10_000, 10_000, 10_000, 10_000, 0]);
    let forever = LogConfig::default();
    let log = LogConfig {
        count,
        age_ms: *random.pick(&[forever.age_ms, forever.age_ms, forever.age_ms, 60_000]),
        bytes: *random.pick(&[forever.bytes, forever.bytes, forever.bytes, 4_000]),
    };
    let full = PresenceConfig::default();
    let (mode, full_max) = match random.below(20) {
        0 => (PresenceMode::Count, full.full_max),
        1 => (PresenceMode::Off, full.full_max),
        2 | 3 => (PresenceMode::Full, SMALL_FULL_MAX),
        _ => (PresenceMode::Full, full.full_max),
    };
    let kind = KindConfig::default();
    let (idle_after_ms, expire_after_ms) = if random.chance(30) {
        let idle_ms = *random.pick(&[1_000, 20_000, 100_000]);
        (idle_ms, idle_ms + *random.pick(&[0, 30_000, 200_000]))
    } else {
        (kind.idle_after_ms, kind.expire_after_ms)
    };
    KindConfig {
        log,
        presence: PresenceConfig { grace_ms: 2_000 + random.below(18_000), mode, full_max },
        flush_ms: *random.pick(&[0, 0, 0, 50]),
        limits: KindLimits {
            connections_user: *random.pick(&[4, 20]),
            payload_bytes: *random.pick(&PAYLOAD_BYTES),
            ..KindLimits::default()
        },
        rates: some_rates(random),
        key_window_ms: *random.pick(&[5_000, 60_000, 300_000, 300_000]),
        idle_after_ms,
        expire_after_ms,
        ..kind
    }
}

/// Most rooms ask for no restraint, so that everything else comes often.
fn some_rates(random: &mut Random) -> Rates {
    let rates = |publish: (u32, u32), request: (u32, u32)| {
        let rate = |(per_second, burst)| Some(Rate { per_second, burst });
        Rates { publish: rate(publish), request: rate(request) }
    };
    match random.below(20) {
        0 | 1 => rates((10, 20), (5, 10)),
        2 | 3 => rates((1, 60), (1, 60)),
        4 => Rates::default(),
        _ => Rates::OFF,
    }
}
