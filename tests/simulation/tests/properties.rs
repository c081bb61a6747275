//! Properties of the room alone, over random sequences of inputs: without clients, network or faults around it.

use std::collections::{BTreeMap, BTreeSet};

use room_core::{
    Attachment, Input, Output, RequestId, Room, Setup, Waking, outbox::Webhooks, storage::MemoryStorage,
};
use schemas::{
    Capabilities, Claims, ClientMessage, Codec, ConnectionId, Payload, PublicSession, RoomName,
    ServerMessage, Session, UserId,
    client_message::{Hello, History, Publish},
    codec,
    config::{KindConfig, Rates},
    http::{PublishCall, Reader, RoomCall},
    server_message::{Member, PresenceDiff, RequestResult},
};
use simulation::{
    kept::{number_of, payload_of},
    random::Random,
};

const SEQUENCES: u64 = 200;
const INPUTS: u32 = 150;
/// An epoch that nobody was shown yet may be another after each waking; here it is the same.
const EPOCH: u64 = 7;
const START: u64 = 1_800_000_000_000;

/// A room, its rows, its attachments, and everything that it said.
struct Bench {
    room: Room,
    storage: MemoryStorage,
    attached: BTreeMap<ConnectionId, Option<Attachment>>,
    said: BTreeMap<ConnectionId, Vec<ServerMessage>>,
    closed: Vec<(ConnectionId, u16)>,
    answers: Vec<(RequestId, Option<RequestResult>)>,
}

fn setup() -> Setup {
    let config = KindConfig { rates: Rates::OFF, ..KindConfig::default() };
    Setup {
        name: RoomName::parse("chat:lobby").expect("a room's name"),
        config,
        asks_acks: false,
        webhooks: Webhooks::none(),
        behavior: None,
    }
}

impl Bench {
    fn new() -> Bench {
        let storage = MemoryStorage::default();
        Bench {
            room: Room::restore(START, EPOCH, setup(), storage.load(), Vec::new(), Waking::FromSleep),
            storage,
            attached: BTreeMap::new(),
            said: BTreeMap::new(),
            closed: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// One input, and the end of its turn.
    fn take(&mut self, now: u64, input: Input) {
        if let Input::Opened { connection, .. } = &input {
            self.attached.insert(*connection, None);
        }
        if let Input::Closed { connection, .. } = &input {
            self.attached.remove(connection);
        }
        self.step(now, input);
        while self.room.poll_timeout().turn.is_some_and(|turn| turn.at <= now) {
            self.step(now, Input::TurnEnded);
        }
        if self.room.poll_timeout().durable.is_some_and(|durable| durable.at <= now) {
            self.step(now, Input::AlarmFired { heard: self.attached.keys().map(|id| (*id, now)).collect() });
        }
    }

    fn step(&mut self, now: u64, input: Input) {
        for output in self.room.handle(now, input, &mut self.storage) {
            match output {
                Output::Attach { connection, attachment } => {
                    self.attached.insert(connection, Attachment::decode(&attachment));
                }
                Output::Broadcast { connections, frame } => {
                    let messages = codec::decode_server(&frame).expect("R-FRAME-2: it can be read");
                    for connection in connections {
                        self.said.entry(connection).or_default().extend(messages.iter().cloned());
                    }
                }
                Output::Close { connection, code, .. } => {
                    self.attached.remove(&connection);
                    self.closed.push((connection, code.code()));
                }
                Output::Verify { .. } | Output::Stream { .. } | Output::Chunk { .. } | Output::Cut { .. } => {
                }
                Output::Answer { request, result } => self.answers.push((request, result.ok())),
                Output::Report(_) | Output::Failed { .. } => {}
                Output::Deliver { .. } | Output::Park { .. } => {}
            }
        }
    }

    /// Hibernates and wakes, where the platform may: when nothing is staged.
    fn rebuild(&mut self, now: u64) {
        if self.room.poll_timeout().turn.is_none() {
            let sockets = self.attached.iter().map(|(id, attached)| (*id, attached.clone())).collect();
            self.room = Room::restore(now, EPOCH, setup(), self.storage.load(), sockets, Waking::FromSleep);
        }
    }

    /// All that a connection was told, but for `position`: a rebuilt room tells it again to be sure.
    fn told(&self, connection: ConnectionId) -> Vec<&ServerMessage> {
        let said = self.said.get(&connection).into_iter().flatten();
        said.filter(|message| !matches!(message, ServerMessage::Position { .. })).collect()
    }
}

/// Makes the same inputs whoever takes them.
struct Script {
    random: Random,
    now: u64,
    next: u64,
    /// Connections that said hello, and whether the script has closed them.
    open: Vec<(ConnectionId, Codec)>,
    all: BTreeSet<ConnectionId>,
}

const TAGS: [&str; 3] = ["red", "green", "blue"];

impl Script {
    fn new(seed: u64) -> Script {
        Script { random: Random::new(seed), now: START, next: 0, open: Vec::new(), all: BTreeSet::new() }
    }

    /// The next inputs, all at one time.
    fn inputs(&mut self) -> Vec<Input> {
        self.now += self.random.below(2_000);
        self.next += 1;
        let choice = self.random.below(10);
        if self.open.is_empty() || choice == 0 {
            return self.somebody_comes();
        }
        let at = self.random.index(self.open.len());
        let (connection, codec) = self.open[at];
        let id = self.next as u32;
        let data = payload_of(self.next);
        let tags = if self.random.chance(50) { Vec::new() } else { vec![(*self.random.pick(&TAGS)).into()] };
        let message = match choice {
            1 => {
                self.open.remove(at);
                let code = *self.random.pick(&[1000, 1006]);
                return vec![Input::Closed { connection, code }];
            }
            2 => {
                let request = RequestId(self.next);
                let call = PublishCall {
                    data,
                    kind: None,
                    tags,
                    to: None,
                    ephemeral: false,
                    author: None,
                    key: None,
                };
                return vec![Input::Asked { request, call: RoomCall::Publish(call) }];
            }
            3 => ClientMessage::Presence { id, data },
            4 => ClientMessage::Subscribe { id, tags },
            5 => ClientMessage::Unsubscribe { id, tags },
            6 => {
                ClientMessage::History(History { id, before: None, after: None, limit: 9, tags: Vec::new() })
            }
            _ => ClientMessage::Publish(Publish {
                id: Some(id),
                data,
                tags,
                to: None,
                ephemeral: self.random.chance(10),
                echo: self.random.chance(80),
                kind: None,
                key: None,
                conflate: None,
            }),
        };
        vec![Input::Received { connection, frame: frame(codec, &message) }]
    }

    fn somebody_comes(&mut self) -> Vec<Input> {
        let (connection, codec) = (ConnectionId::new(self.next), *self.random.pick(&Codec::ALL));
        // Few sessions, so that some come back.
        let who = self.random.below(4);
        let claims = Claims {
            user: UserId::parse(&format!("user-{who}")),
            capabilities: Capabilities::all(),
            ..Claims::default()
        };
        let hello = Hello {
            session: Session::parse(&format!("session-{who}")).expect("a session"),
            recover: None,
            rewind: Some(5),
            tags: TAGS.iter().filter(|_| self.random.chance(50)).map(|tag| (*tag).to_owned()).collect(),
            presence: None,
            members: true,
        };
        self.open.push((connection, codec));
        self.all.insert(connection);
        let frame = frame(codec, &ClientMessage::Hello(hello));
        vec![Input::Opened { connection, codec, claims }, Input::Received { connection, frame }]
    }
}

fn frame(codec: Codec, message: &ClientMessage) -> schemas::Frame {
    codec::join(codec, [codec::encode(codec, message).as_slice()])
}

/// R-LIFE-1, R-LIFE-2: a room that is rebuilt between any two turns says what one says that never is, message for
/// message. What may differ: `position`, and how messages share frames.
#[test]
fn r_life_2_being_rebuilt_is_invisible() {
    for seed in 1..=SEQUENCES {
        let (mut script, mut chance) = (Script::new(seed), Random::new(seed + 1_000_000));
        let (mut awake, mut rebuilt) = (Bench::new(), Bench::new());
        for _ in 0..INPUTS {
            let inputs = script.inputs();
            if chance.chance(40) {
                rebuilt.rebuild(script.now);
            }
            for input in inputs {
                awake.take(script.now, input.clone());
                rebuilt.take(script.now, input);
            }
            for connection in &script.all {
                let (one, other) = (awake.told(*connection), rebuilt.told(*connection));
                assert_eq!(one, other, "sequence {seed}: {connection} was told another story");
            }
        }
        assert_eq!(awake.closed, rebuilt.closed, "sequence {seed}");
        assert_eq!(awake.answers, rebuilt.answers, "sequence {seed}");
        assert_eq!(awake.storage.load(), rebuilt.storage.load(), "sequence {seed}");
    }
}

/// R-PRES-2: each connection's snapshot and the diffs since are what a snapshot now would show.
#[test]
fn r_pres_2_a_snapshot_and_its_diffs_make_the_next_snapshot() {
    for seed in 1..=SEQUENCES {
        let (mut script, mut bench) = (Script::new(seed), Bench::new());
        for _ in 0..INPUTS {
            for input in script.inputs() {
                bench.take(script.now, input);
            }
        }
        let rows = bench.storage.load().members;
        let now: BTreeMap<PublicSession, Option<Payload>> =
            rows.into_iter().map(|row| (row.session, row.data)).collect();
        for connection in bench.attached.keys() {
            let mut roster: BTreeMap<PublicSession, Option<Payload>> = BTreeMap::new();
            for message in bench.told(*connection) {
                match message {
                    ServerMessage::Welcome(welcome) => {
                        roster = welcome.members.iter().flatten().map(shown).collect();
                    }
                    ServerMessage::Presence(PresenceDiff { joined, left, updated }) => {
                        roster.extend(joined.iter().chain(updated).map(shown));
                        roster.retain(|session, _| left.iter().all(|left| left.session != *session));
                    }
                    _ => {}
                }
            }
            assert_eq!(roster, now, "sequence {seed}: what {connection} believes");
        }
    }
}

fn shown(member: &Member) -> (PublicSession, Option<Payload>) {
    (member.session.clone(), member.data.clone())
}

/// R-HIST-1, R-PUB-3: the history, read whole by pages, is what was acknowledged, in the order of its offsets.
#[test]
fn r_hist_1_history_is_what_was_acknowledged() {
    for seed in 1..=SEQUENCES {
        let (mut script, mut bench) = (Script::new(seed), Bench::new());
        for _ in 0..INPUTS {
            for input in script.inputs() {
                bench.take(script.now, input);
            }
        }
        let mut acknowledged = BTreeMap::new();
        let replies = bench.said.values().flatten().filter_map(|message| match message {
            ServerMessage::Reply(reply) => Some((u64::from(reply.id), &reply.result)),
            _ => None,
        });
        let answers = bench.answers.iter().filter_map(|(id, answer)| Some((id.0, answer.as_ref()?)));
        for (number, result) in replies.chain(answers) {
            if let RequestResult::Published(published) = result {
                acknowledged.insert(published.offset, number);
            }
        }
        let (mut after, mut history) = (Some(schemas::Offset::ZERO), BTreeMap::new());
        while after.is_some() {
            let (limit, reader) = (7, Reader::Service);
            let call = RoomCall::Messages { before: None, after, limit, tags: Vec::new(), reader };
            bench.take(script.now, Input::Asked { request: RequestId(u64::MAX), call });
            let Some((_, Some(RequestResult::History(page)))) = bench.answers.last() else {
                panic!("sequence {seed}: history was not answered");
            };
            for publication in &page.messages {
                history.insert(
                    publication.offset,
                    number_of(publication.data.as_ref().expect("nothing is removed")),
                );
            }
            after = page.next;
        }
        assert_eq!(history, acknowledged, "sequence {seed}");
    }
}
