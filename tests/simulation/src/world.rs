//! The world: one room, its clients, and an adversary; one random step after another.

use std::collections::BTreeMap;

use client_core::{
    Attempt, Call, Client, Event, Input as ClientInput, Options, Outcome, Output as ClientOutput, Request,
    Status, TokenSource,
};
use room_core::{Input, Output, Outputs, RequestId, Setup, public_session};
use schemas::{
    Capabilities, Capability, Claims, Codec, ConnectionId, Frame, Payload, RoomName, Session, UserId,
    client_message::{Publish, To},
    config::{KindConfig, LogConfig, PresenceConfig},
    http::{PublishCall, RoomCall},
    server_message::RequestResult,
};

use crate::{
    check::{Eyes, Observer},
    link::{Link, Signal},
    platform::Object,
    random::Random,
    tally::Tally,
};

const START: u64 = 1_800_000_000_000;
const TAGS: [&str; 3] = ["red", "green", "blue"];
/// More events than this within one step would be a storm.
const EVENTS_PER_STEP_MAX: u32 = 20_000;

#[derive(Debug)]
struct Player {
    core: Client,
    claims: Claims,
    observer: Observer,
    /// What it last said of itself; outlives reconnects.
    presence: Option<Payload>,
    sees_members: bool,
    is_joined: bool,
    /// Its network went for good, just before the end.
    is_gone: bool,
}

/// One socket: whose, and its way.
#[derive(Debug)]
struct Pipe {
    player: usize,
    attempt: Attempt,
    link: Link,
}

/// Everything there is.
#[derive(Debug)]
pub struct World {
    now: u64,
    random: Random,
    object: Object,
    players: Vec<Player>,
    pipes: BTreeMap<ConnectionId, Pipe>,
    network_is_down: bool,
    next_number: u64,
    next_call: u32,
    next_request: u64,
    asked: BTreeMap<RequestId, Payload>,
    /// The process dies right after the next step, before anything it decided leaves.
    is_doomed: bool,
    pub tally: Tally,
}

impl World {
    #[must_use]
    pub fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let count = [8, 40, 400, 10_000][random.index(4)];
        let config = KindConfig {
            log: LogConfig { count, ..LogConfig::default() },
            presence: PresenceConfig { grace_ms: 2_000 + random.below(10_000), ..PresenceConfig::default() },
            flush_ms: [0, 0, 0, 50][random.index(4)],
            ..KindConfig::default()
        };
        let name = RoomName::parse("chat:lobby").expect("a room's name");
        let object = Object::new(Setup { name, config }, random.bits());
        let players = (0..3 + random.below(4)).map(|number| player(number, &mut random)).collect();
        World {
            now: START,
            random,
            object,
            players,
            pipes: BTreeMap::new(),
            network_is_down: false,
            next_number: 0,
            next_call: 0,
            next_request: 0,
            asked: BTreeMap::new(),
            is_doomed: false,
            tally: Tally::default(),
        }
    }

    /// Takes `steps` random steps, heals the world, waits for quiet, and judges it.
    pub fn run(mut self, steps: u32) -> Tally {
        for index in 0..self.players.len() {
            self.join(index);
        }
        for _ in 0..steps {
            let pause = match self.random.below(100) {
                0..=69 => self.random.below(30),
                70..=94 => self.random.below(1_000),
                95..=98 => self.random.below(20_000),
                _ => self.random.below(200_000),
            };
            self.pass(pause);
            self.act();
        }
        self.heal();
        self.judge();
        self.tally
    }

    fn act(&mut self) {
        let player = self.random.index(self.players.len());
        match self.random.below(100) {
            0..=49 => {
                for _ in 0..=self.random.below(4) {
                    self.publish(player);
                }
            }
            50..=57 => self.set_presence(player),
            58..=63 => self.publish_over_http(),
            64..=75 => self.cut_one(),
            76..=79 => self.freeze_one(),
            80..=85 => self.sleep(),
            86..=88 => self.kill(),
            89..=90 => self.is_doomed = true,
            91..=93 => {
                self.object.storage.fail_next(1 + self.random.below(2) as u32);
                self.tally.count("commits made to fail");
            }
            94..=95 => self.network_is_down = !self.network_is_down,
            96..=97 => self.hint(player),
            _ => self.leave_or_join(player),
        }
    }

    // --- what clients do

    fn join(&mut self, index: usize) {
        self.players[index].is_joined = true;
        self.players[index].observer.joining();
        self.client(index, ClientInput::JoinRequested);
    }

    fn leave_or_join(&mut self, index: usize) {
        if self.players[index].is_joined {
            self.players[index].is_joined = false;
            self.tally.count("leaves");
            self.client(index, ClientInput::LeaveRequested);
        } else {
            self.join(index);
        }
    }

    fn number(&mut self) -> Payload {
        self.next_number += 1;
        Payload::from_json(self.next_number.to_string()).expect("a number is JSON")
    }

    fn call(&mut self, index: usize, data: Payload, request: Request) {
        self.next_call += 1;
        let call = Call(self.next_call);
        self.players[index].observer.asked(call, data);
        self.client(index, ClientInput::Requested { call, request });
    }

    fn some_tags(&mut self) -> Vec<String> {
        if self.random.chance(70) {
            return Vec::new();
        }
        let count = 1 + self.random.index(2);
        (0..count).map(|_| TAGS[self.random.index(TAGS.len())].to_owned()).collect()
    }

    fn some_to(&mut self) -> Option<To> {
        self.random.chance(10).then(|| {
            let named = self.random.index(self.players.len());
            let eyes = self.players[named].observer.eyes().clone();
            if self.random.chance(50) {
                To { users: vec![eyes.user], ..To::default() }
            } else {
                To { sessions: vec![eyes.session], ..To::default() }
            }
        })
    }

    fn publish(&mut self, index: usize) {
        let (data, tags, to) = (self.number(), self.some_tags(), self.some_to());
        let ephemeral = self.random.chance(5);
        let publish = Publish { id: None, data: data.clone(), tags, to, ephemeral, echo: true, kind: None };
        self.call(index, data, Request::Publish(publish));
    }

    fn set_presence(&mut self, index: usize) {
        let data = self.number();
        let listed = self.players[index].claims.capabilities.has(Capability::Presence);
        if listed && self.players[index].is_joined {
            self.players[index].presence = Some(data.clone());
        }
        self.call(index, data.clone(), Request::Presence { data });
    }

    fn hint(&mut self, index: usize) {
        let input = [ClientInput::NetworkLost, ClientInput::NetworkFound, ClientInput::BecameVisible];
        let input = input[self.random.index(3)].clone();
        self.client(index, input);
    }

    fn client(&mut self, index: usize, input: ClientInput) {
        let outputs = self.players[index].core.handle(self.now, input);
        for output in outputs {
            match output {
                ClientOutput::FetchToken { attempt } => {
                    let token = "t".to_owned();
                    self.client(index, ClientInput::TokenFetched { attempt, token });
                }
                ClientOutput::OpenSocket { attempt, .. } => self.open(index, attempt),
                ClientOutput::Send { attempt, frame } => {
                    let at = self.now + self.random.below(60);
                    if let Some(pipe) = self.pipe_of(index, attempt) {
                        pipe.link.up.push(at, Signal::Frame(frame));
                    }
                }
                ClientOutput::CloseSocket { attempt, code } => {
                    let at = self.now + self.random.below(60);
                    if let Some(pipe) = self.pipe_of(index, attempt) {
                        pipe.link.up.push(at, Signal::Closed(code.code()));
                    }
                }
                ClientOutput::Emit(event) => self.emitted(index, &event),
            }
        }
        let player = &mut self.players[index];
        if let Some(position) = player.core.position() {
            player.observer.positioned(position.offset, &self.object.storage.truth);
        }
    }

    fn emitted(&mut self, index: usize, event: &Event) {
        match event {
            Event::Gap { reason } => self.tally.count(format!("gaps: {reason:?}")),
            Event::Published(_) => self.tally.count("publications delivered"),
            Event::Welcomed(_) => self.tally.count("welcomes"),
            Event::Settled { outcome, .. } => self.tally.count(match outcome {
                Outcome::Acknowledged(_) => "requests acknowledged",
                Outcome::Rejected(_) => "requests rejected",
                Outcome::Unknown(_) => "requests with unknown outcome",
            }),
            _ => {}
        }
        self.players[index].observer.event(event, &self.object.storage.truth);
    }

    fn pipe_of(&mut self, index: usize, attempt: Attempt) -> Option<&mut Pipe> {
        self.pipes.values_mut().find(|pipe| pipe.player == index && pipe.attempt == attempt)
    }

    fn open(&mut self, index: usize, attempt: Attempt) {
        if self.network_is_down || self.players[index].is_gone {
            self.tally.count("connections refused");
            let reason = String::new();
            return self.client(index, ClientInput::SocketClosed { attempt, code: 1006, reason });
        }
        let connection = ConnectionId::new(self.random.bits());
        self.pipes.insert(connection, Pipe { player: index, attempt, link: Link::default() });
        let claims = self.players[index].claims.clone();
        self.server(Input::Opened { connection, codec: Codec::Msgpack, claims });
        self.client(index, ClientInput::SocketOpened { attempt });
    }

    // --- what the room does

    fn server(&mut self, input: Input) {
        let outputs = self.object.step(self.now, input);
        self.carry_out(outputs);
    }

    fn carry_out(&mut self, outputs: Outputs) {
        if std::mem::take(&mut self.is_doomed) {
            self.tally.count("kills behind a commit");
            return self.kill();
        }
        for output in outputs {
            match output {
                Output::Attach { .. } => {}
                Output::Broadcast { connections, frame } => {
                    for connection in connections {
                        let at = self.now + self.random.below(60);
                        if let Some(pipe) = self.pipes.get_mut(&connection) {
                            pipe.link.down.push(at, Signal::Frame(frame.clone()));
                        }
                    }
                }
                Output::Close { connection, code } => {
                    self.tally.count(format!("closes: {}", code.reason()));
                    let at = self.now + self.random.below(60);
                    if let Some(pipe) = self.pipes.get_mut(&connection) {
                        pipe.link.down.push(at, Signal::Closed(code.code()));
                    }
                }
                Output::Answer { request, result } => {
                    let data = self.asked.remove(&request).expect("R-HTTP-1: a request is answered once");
                    match result {
                        Ok(RequestResult::Published(published)) => {
                            let record = &self.object.storage.truth[&published.offset];
                            assert_eq!(
                                record.publication.data, data,
                                "R-PUB-3: what was answered is durable"
                            );
                            self.tally.count("HTTP publishes answered");
                        }
                        Ok(other) => panic!("a publish is not answered with {other:?}"),
                        Err(_) => self.tally.count("HTTP publishes refused"),
                    }
                }
            }
        }
    }

    fn publish_over_http(&mut self) {
        let (data, tags, to) = (self.number(), self.some_tags(), self.some_to());
        self.next_request += 1;
        let request = RequestId(self.next_request);
        self.asked.insert(request, data.clone());
        let call = PublishCall { data, kind: None, tags, to, ephemeral: false, author: None };
        self.server(Input::Asked { request, call: RoomCall::Publish(call) });
    }

    // --- what the adversary does

    fn some_pipe(&mut self) -> Option<ConnectionId> {
        let ids: Vec<ConnectionId> = self.pipes.keys().copied().collect();
        (!ids.is_empty()).then(|| ids[self.random.index(ids.len())])
    }

    /// The connection breaks; each end learns of it in its own time, and what was under way may or may not arrive.
    fn cut_one(&mut self) {
        let Some(connection) = self.some_pipe() else { return };
        self.tally.count("cuts");
        let (now, random) = (self.now, &mut self.random);
        let Some(pipe) = self.pipes.get_mut(&connection) else { return };
        for queue in [&mut pipe.link.up, &mut pipe.link.down] {
            let kept = random.index(queue.len() + 1);
            queue.lose_behind(kept);
            queue.push(now + random.below(3_000), Signal::Closed(1006));
        }
    }

    fn freeze_one(&mut self) {
        let Some(connection) = self.some_pipe() else { return };
        self.tally.count("half-open connections");
        if let Some(pipe) = self.pipes.get_mut(&connection) {
            pipe.link.freeze();
        }
    }

    fn sleep(&mut self) {
        if self.object.sleep() {
            self.tally.count("evictions");
        }
    }

    fn kill(&mut self) {
        self.tally.count("kills");
        for connection in self.object.kill() {
            let Some(pipe) = self.pipes.get_mut(&connection) else { continue };
            let kept = self.random.index(pipe.link.down.len() + 1);
            pipe.link.down.lose_behind(kept);
            pipe.link.down.push(self.now + self.random.below(200), Signal::Closed(1006));
        }
        // Whoever asked over HTTP is left without an answer.
        self.asked.clear();
    }

    // --- time

    /// Lets time pass; what falls due happens when it does.
    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        let mut events = 0;
        while let Some(at) = self.next_at().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.happen();
            events += 1;
            assert!(events < EVENTS_PER_STEP_MAX, "a storm: {events} events before {end}");
        }
        self.now = end;
    }

    fn next_at(&self) -> Option<u64> {
        let links = self.pipes.values().flat_map(|pipe| [pipe.link.up.next_at(), pipe.link.down.next_at()]);
        let clients =
            self.players.iter().map(|player| player.core.poll_timeout().map(|deadline| deadline.at_ms));
        links.chain(clients).chain([self.object.turn_at(), self.object.alarm_at()]).flatten().min()
    }

    fn happen(&mut self) {
        for connection in self.pipes.keys().copied().collect::<Vec<_>>() {
            self.deliver_up(connection);
            self.deliver_down(connection);
        }
        for index in 0..self.players.len() {
            let due = self.players[index].core.poll_timeout();
            if due.is_some_and(|deadline| deadline.at_ms <= self.now) {
                self.client(index, ClientInput::TimedOut);
            }
        }
        if let Some(outputs) = self.object.fire_alarm(self.now) {
            self.tally.count("alarms");
            self.carry_out(outputs);
        }
        if let Some(outputs) = self.object.end_turn(self.now) {
            self.tally.count("flushes");
            self.carry_out(outputs);
        }
    }

    fn deliver_up(&mut self, connection: ConnectionId) {
        let Some(pipe) = self.pipes.get_mut(&connection) else { return };
        let Some(signal) = pipe.link.up.pop(self.now) else { return };
        if !self.object.has_socket(connection) {
            return;
        }
        match signal {
            Signal::Frame(Frame::Text(text)) if text == "ping" => {
                self.object.pong(self.now, connection);
                self.tally.count("pings");
                pipe.link.down.push(self.now, Signal::Frame(Frame::Text("pong".into())));
            }
            Signal::Frame(frame) => self.server(Input::Received { connection, frame }),
            Signal::Closed(code) => self.server(Input::Closed { connection, code }),
        }
    }

    fn deliver_down(&mut self, connection: ConnectionId) {
        let Some(pipe) = self.pipes.get_mut(&connection) else { return };
        let (index, attempt) = (pipe.player, pipe.attempt);
        match pipe.link.down.pop(self.now) {
            None => {}
            Some(Signal::Frame(frame)) => self.client(index, ClientInput::FrameReceived { attempt, frame }),
            Some(Signal::Closed(code)) => {
                if !self.object.has_socket(connection) {
                    self.pipes.remove(&connection);
                }
                let reason = String::new();
                self.client(index, ClientInput::SocketClosed { attempt, code, reason });
            }
        }
    }

    // --- the end

    /// No more faults, and time enough for the slowest of what must heal: a ghost's heartbeat, sweep and grace.
    fn heal(&mut self) {
        self.network_is_down = false;
        self.is_doomed = false;
        self.object.storage.fail_next(0);
        for index in 0..self.players.len() {
            self.client(index, ClientInput::NetworkFound);
            if !self.players[index].is_joined {
                self.join(index);
            }
        }
        self.pass(1_000);
        for index in 1..self.players.len() {
            if self.random.chance(30) {
                self.lose(index);
            }
        }
        if self.random.chance(30) {
            self.kill();
        }
        // As on the platform, the room sleeps after ten seconds of silence: nothing may depend on its staying awake.
        for _ in 0..30 {
            self.pass(10_000);
            self.object.sleep();
        }
    }

    /// A client that never comes back; the room learns of it, or has to find out.
    fn lose(&mut self, index: usize) {
        self.tally.count("clients lost for good");
        self.players[index].is_gone = true;
        let tells = self.random.chance(50);
        for pipe in self.pipes.values_mut().filter(|pipe| pipe.player == index) {
            if tells {
                pipe.link.up.push(self.now, Signal::Closed(1006));
                pipe.link.down.push(self.now, Signal::Closed(1006));
            } else {
                pipe.link.freeze();
            }
        }
    }

    fn here(&self) -> impl Iterator<Item = &Player> {
        self.players.iter().filter(|player| !player.is_gone)
    }

    fn judge(&mut self) {
        let truth = &self.object.storage.truth;
        let head = self.object.storage.head();
        for player in self.here() {
            assert_eq!(player.core.status(), Status::Connected, "everyone is back");
            player.observer.assert_complete(head, truth);
            for data in &player.observer.rejected {
                let stands = truth.values().any(|record| record.publication.data == *data);
                assert!(!stands, "R-PUB-3: {data:?} was rejected and stands in the log");
            }
        }
        let mut numbers: Vec<&str> = truth
            .values()
            .map(|record| match &record.publication.data {
                Payload::Json(text) => text.as_str(),
                Payload::Bytes(_) => panic!("only numbers are published"),
            })
            .collect();
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|pair| pair[0] != pair[1]), "R-PUB-2: nothing is published twice");
        self.judge_presence();
        self.tally.count("worlds");
        for _ in 0..self.object.restores {
            self.tally.count("restores");
        }
    }

    fn judge_presence(&self) {
        let mut expected: Vec<_> = self
            .here()
            .filter(|player| player.claims.capabilities.has(Capability::Presence))
            .map(|player| (player.observer.eyes().session.clone(), player.presence.clone()))
            .collect();
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        for player in self.here().filter(|player| player.sees_members) {
            let members: Vec<_> = player
                .core
                .members()
                .iter()
                .map(|member| (member.session.clone(), member.data.clone()))
                .collect();
            assert_eq!(members, expected, "R-PRES-2, R-PRES-3: no ghosts, nobody missing, nothing stale");
        }
        let rows = self.object.storage.load().members.len();
        assert_eq!(rows, self.here().count(), "R-PRES-3: rows are members");
    }
}

fn player(number: u64, random: &mut Random) -> Player {
    let user = UserId::parse(&format!("user-{}", number % 4)).expect("a user");
    let session = Session::parse(&format!("session-{number}")).expect("a session");
    let mut capabilities: Vec<Capability> = vec![Capability::Join, Capability::Publish];
    if random.chance(80) {
        capabilities.push(Capability::Presence);
    }
    if random.chance(70) {
        capabilities.push(Capability::History);
    }
    let capabilities: Capabilities = capabilities.into_iter().collect();
    let mut tags: Vec<String> = Vec::new();
    for tag in TAGS {
        if random.chance(40) {
            tags.push(tag.to_owned());
        }
    }
    let own = tags.split_off(random.index(tags.len() + 1));
    let eyes = Eyes {
        user: user.clone(),
        session: public_session(&session),
        tags: [tags.clone(), own.clone()].concat(),
    };
    let claims = Claims { user: Some(user), capabilities, info: None, tags: own, expires_at: None };
    let sees_members = capabilities.has(Capability::Presence) && random.chance(90);
    let options = Options {
        room: RoomName::parse("chat:lobby").expect("a room's name"),
        session,
        token: if random.chance(50) { TokenSource::Function } else { TokenSource::None },
        rewind: random.chance(50).then(|| 1 + random.below(20) as u32),
        tags,
        presence: None,
        members: sees_members,
    };
    Player {
        core: Client::new(START, random.bits(), options),
        claims,
        observer: Observer::new(eyes),
        presence: None,
        sees_members,
        is_joined: false,
        is_gone: false,
    }
}
