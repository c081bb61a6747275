//! A room with its storage, its sockets and a clock: the one place here that knows the room's API.

use std::collections::BTreeMap;

use room_core::{
    ATTACHMENT_BYTES_MAX, Attachment, Input, Output, RequestId, Room, Setup, Waking, outbox::Webhooks,
    storage::MemoryStorage,
};
use schemas::{
    Capabilities, Capability, Claims, CloseCode, Codec, ConnectionId, Frame, Offset, RoomName, ServerMessage,
    UserId,
    codec::{decode_client, decode_server},
    config::{KindConfig, PresenceMode},
    directory::Reported,
    http::RoomCall,
};

const START: u64 = 1_800_000_000_000;
const WITNESS_REQUEST: u32 = 4_000_000_000;

/// Whose frames a script writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slot {
    Json,
    Msgpack,
    /// Has not been said hello for.
    Guest,
    Witness,
}

pub(crate) struct Table {
    now: u64,
    setup: Setup,
    storage: MemoryStorage,
    room: Room,
    seed: u64,
    last_connection: u64,
    /// Open sockets with what is kept beside them.
    sockets: BTreeMap<ConnectionId, Vec<u8>>,
    slots: BTreeMap<Slot, ConnectionId>,
    /// The highest offset that the witness was sent since the room was restored.
    seen: Offset,
    answered: bool,
}

impl Table {
    pub(crate) fn new(configuration: u8) -> Table {
        let name = RoomName::parse("chat:lobby").expect("a room's name");
        let setup = Setup {
            name,
            config: kind(configuration),
            asks_acks: configuration % 2 == 1,
            webhooks: Webhooks::none(),
            behavior: None,
        };
        let storage = MemoryStorage::default();
        let room = Room::restore(START, 7, setup.clone(), storage.load(), Vec::new(), Waking::FromSleep);
        let mut table = Table {
            now: START,
            setup,
            storage,
            room,
            seed: 7,
            last_connection: 0,
            sockets: BTreeMap::new(),
            slots: BTreeMap::new(),
            seen: Offset::ZERO,
            answered: false,
        };
        table.join(Slot::Witness);
        table
    }

    fn input(&mut self, input: Input) {
        let outputs = self.room.handle(self.now, input, &mut self.storage);
        let mut reported = 0;
        for output in outputs {
            match output {
                Output::Attach { connection, attachment } => {
                    assert!(attachment.len() <= ATTACHMENT_BYTES_MAX, "{} bytes attached", attachment.len());
                    assert!(Attachment::decode(&attachment).is_some(), "an attachment can be read");
                    let socket =
                        self.sockets.get_mut(&connection).expect("only open sockets are attached to");
                    *socket = attachment;
                }
                Output::Broadcast { connections, frame } => {
                    for connection in &connections {
                        assert!(self.sockets.contains_key(connection), "only open sockets are written to");
                    }
                    let messages = decode_server(&frame).expect("the room's frames can be read");
                    if self.slots.get(&Slot::Witness).is_some_and(|id| connections.contains(id)) {
                        self.witness(&messages);
                    }
                }
                Output::Close { connection, code, .. } => {
                    self.sockets.remove(&connection);
                    let witness = self.slots.get(&Slot::Witness) == Some(&connection);
                    let is_for_all = matches!(code, CloseCode::RoomDeleted | CloseCode::Restarted);
                    assert!(!witness || is_for_all, "the witness is closed with {code:?}");
                    if witness {
                        self.slots.remove(&Slot::Witness);
                        self.seen = Offset::ZERO;
                    }
                }
                Output::Report(_) => reported += 1,
                Output::Answer { .. }
                | Output::Stream { .. }
                | Output::Chunk { .. }
                | Output::Cut { .. }
                | Output::Verify { .. }
                | Output::Failed { .. }
                | Output::Deliver { .. }
                | Output::Park { .. } => {}
            }
        }
        for _ in 0..reported {
            // The directory takes every other one.
            let answer = self.now.is_multiple_of(2).then(|| Reported { revocations: Vec::new() });
            self.input(Input::Reported { answer });
        }
        if !self.slots.contains_key(&Slot::Witness) {
            self.join(Slot::Witness);
        }
    }

    fn witness(&mut self, messages: &[ServerMessage]) {
        for message in messages {
            match message {
                ServerMessage::Publication(publication) => {
                    assert!(publication.offset > self.seen, "offsets rise");
                    self.seen = publication.offset;
                }
                ServerMessage::Reply(reply) => self.answered |= reply.id == WITNESS_REQUEST,
                ServerMessage::Error(error) => self.answered |= error.id == Some(WITNESS_REQUEST),
                _ => {}
            }
        }
    }

    fn open(&mut self, slot: Slot, codec: Codec) -> ConnectionId {
        self.last_connection += 1;
        let connection = ConnectionId::new(self.last_connection);
        self.sockets.insert(connection, Vec::new());
        self.slots.insert(slot, connection);
        self.input(Input::Opened { connection, codec, claims: claims(slot) });
        connection
    }

    fn join(&mut self, slot: Slot) {
        let (codec, session) = match slot {
            Slot::Json | Slot::Guest => (Codec::Json, "session-json"),
            Slot::Msgpack => (Codec::Msgpack, "session-msgpack"),
            Slot::Witness => (Codec::Msgpack, "a-secret-session"),
        };
        let hello = format!(r#"{{"t":"hello","session":"{session}","tags":["red"]}}"#);
        let connection = self.open(slot, codec);
        self.receive(connection, in_codec(codec, &hello));
    }

    fn receive(&mut self, connection: ConnectionId, frame: Frame) {
        self.input(Input::Received { connection, frame });
    }

    /// The slot's open socket; one that was closed joins again.
    fn connection(&mut self, slot: Slot) -> Option<ConnectionId> {
        let is_open = |table: &Table| {
            table.slots.get(&slot).copied().filter(|connection| table.sockets.contains_key(connection))
        };
        if is_open(self).is_none() && slot != Slot::Guest {
            self.join(slot);
        }
        is_open(self)
    }

    pub(crate) fn say(&mut self, slot: Slot, body: &[u8]) {
        let Some(connection) = self.connection(slot) else { return };
        let frame = match slot {
            Slot::Json | Slot::Guest => Frame::Text(String::from_utf8_lossy(body).into_owned()),
            Slot::Msgpack | Slot::Witness => Frame::Binary(body.to_vec()),
        };
        self.receive(connection, frame);
    }

    pub(crate) fn say_in_the_other_codec(&mut self, body: &[u8]) {
        if let Some(connection) = self.connection(Slot::Json) {
            self.receive(connection, Frame::Binary(body.to_vec()));
        }
        if let Some(connection) = self.connection(Slot::Msgpack) {
            self.receive(connection, Frame::Text(String::from_utf8_lossy(body).into_owned()));
        }
    }

    /// A new connection whose first frame is anything.
    pub(crate) fn greet(&mut self, body: &[u8]) {
        let connection = self.open(Slot::Guest, Codec::Json);
        self.receive(connection, Frame::Text(String::from_utf8_lossy(body).into_owned()));
    }

    pub(crate) fn close(&mut self, slot: Slot, code: u64) {
        let Some(connection) = self.slots.get(&slot).copied() else { return };
        // What the room says to it behind its close reaches nobody.
        self.input(Input::Closed { connection, code: u16::try_from(code).unwrap_or(1006) });
        self.sockets.remove(&connection);
    }

    pub(crate) fn end_turn(&mut self) {
        if let Some(deadline) = self.room.poll_timeout().turn {
            self.now = self.now.max(deadline.at);
        }
        self.input(Input::TurnEnded);
    }

    /// The alarm comes when it is due. All sockets answered pings until then.
    pub(crate) fn fire_alarm(&mut self) {
        if let Some(deadline) = self.room.poll_timeout().durable {
            self.now = self.now.max(deadline.at);
        }
        let heard = self.sockets.keys().map(|connection| (*connection, self.now)).collect();
        self.input(Input::AlarmFired { heard });
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now += ms.min(1 << 32);
    }

    /// The room leaves memory and comes back; sockets stay.
    pub(crate) fn restore(&mut self) {
        self.seed += 1;
        self.seen = Offset::ZERO;
        let read = |(connection, bytes): (&ConnectionId, &Vec<u8>)| (*connection, Attachment::decode(bytes));
        let sockets = self.sockets.iter().map(read).collect();
        let waking = if self.seed.is_multiple_of(2) { Waking::FromSleep } else { Waking::FromFault };
        let loaded = self.storage.load();
        self.room = Room::restore(self.now, self.seed, self.setup.clone(), loaded, sockets, waking);
    }

    /// The process dies, and the sockets with it.
    pub(crate) fn kill(&mut self) {
        self.sockets.clear();
        self.slots.clear();
        self.storage.fail_commits(0);
        self.restore();
        if !self.slots.contains_key(&Slot::Witness) {
            self.join(Slot::Witness);
        }
    }

    pub(crate) fn fail_commits(&mut self, count: u64) {
        self.storage.fail_commits(u32::try_from(count % 4).expect("is below 4"));
    }

    /// What the gateway passes on for a backend: the call as it is written between the two.
    pub(crate) fn ask(&mut self, body: &[u8]) {
        let Ok(call) = rmp_serde::from_slice::<RoomCall>(body) else { return };
        self.input(Input::Asked { request: RequestId(self.now), call });
    }

    /// It has its connection, and is answered.
    pub(crate) fn check_witness(&mut self) {
        self.storage.fail_commits(0);
        // After a fault everyone is closed at the next event.
        self.end_turn();
        let connection = *self.slots.get(&Slot::Witness).expect("the witness has joined");
        let request = format!(r#"{{"t":"history","id":{WITNESS_REQUEST},"limit":1}}"#);
        self.receive(connection, in_codec(Codec::Msgpack, &request));
        self.end_turn();
        self.end_turn();
        assert!(self.answered, "the witness is answered");
    }
}

/// A message written in JSON, in a connection's codec.
fn in_codec(codec: Codec, json: &str) -> Frame {
    let frame = Frame::Text(json.to_owned());
    if codec == Codec::Json {
        return frame;
    }
    let message = decode_client(Codec::Json, &frame).remove(0).expect("a message");
    Frame::Binary(schemas::codec::encode(codec, &message))
}

fn claims(slot: Slot) -> Claims {
    let (user, capabilities) = match slot {
        Slot::Json => ("json", Capabilities::all()),
        Slot::Msgpack => {
            ("msgpack", [Capability::Join, Capability::Publish, Capability::Presence].into_iter().collect())
        }
        Slot::Guest => ("json", [Capability::Join, Capability::History].into_iter().collect()),
        Slot::Witness => ("witness", Capabilities::all()),
    };
    let fixed = slot == Slot::Msgpack;
    Claims {
        user: UserId::parse(user),
        capabilities,
        tags: if fixed { vec!["$vip".into(), "red".into()] } else { Vec::new() },
        expires_at: fixed.then_some(START + 90_000),
        ..Claims::default()
    }
}

/// Kinds whose rooms behave differently.
fn kind(choice: u8) -> KindConfig {
    let mut kind = KindConfig::default();
    match choice % 6 {
        1 => kind.log.count = 0,
        2 => {
            kind.log.count = 3;
            kind.log.bytes = 300;
            kind.log.age_ms = 60_000;
        }
        3 => {
            kind.presence.mode = PresenceMode::Count;
            kind.flush_ms = 50;
        }
        4 => {
            kind.presence.mode = PresenceMode::Off;
            kind.limits.connections = 3;
            kind.limits.connections_user = 2;
            kind.limits.payload_bytes = 64;
        }
        5 => {
            kind.presence.full_max = 2;
            kind.presence.grace_ms = 0;
        }
        _ => {}
    }
    kind
}
