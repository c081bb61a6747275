//! A room with its behavior in memory, for native tests.
//!
//! [`TestRoom`] is the very room that a deployment runs ([`room_core::Room`]), over storage in memory with a real
//! SQLite for the behavior's own tables. Its clock stands until [`TestRoom::advance`] moves it; it sleeps, restarts
//! and fails to commit when told to. Nothing waits: every call returns what came of it.
//!
//! ```
//! # use room_core::behavior::*;
//! # struct Counter(u32);
//! # impl Behavior for Counter {
//! #     const NAME: &'static str = "counter";
//! #     fn describe(interface: &mut Interface<Self>) { interface.method("add", Self::add); }
//! #     fn started(ctx: &mut Context<'_>) -> Result<Self, Failure> { Ok(Counter(ctx.get("count").unwrap_or(0))) }
//! # }
//! # impl Counter {
//! #     fn add(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<u32, Failure> {
//! #         self.0 += 1;
//! #         ctx.put("count", &self.0);
//! #         Ok(self.0)
//! #     }
//! # }
//! use room_testing::TestRoom;
//! use serde_json::json;
//!
//! let mut room = TestRoom::<Counter>::new();
//! let ada = room.join("ada");
//! assert_eq!(room.call(ada, "add", json!(null)).unwrap(), 1);
//! room.restart();
//! let ada = room.join("ada");
//! assert_eq!(room.call(ada, "add", json!(null)).unwrap(), 2);
//! ```

mod services;
mod storage;
mod time;

use std::{collections::BTreeMap, marker::PhantomData};

use room_core::{
    ATTACHMENT_BYTES_MAX, Input, Output, RequestId, Room, Setup, Waking,
    behavior::{Behavior, Hosted},
    outbox::{Outcome, Webhooks},
};
pub use schemas::server_message::{RequestError, ServerMessage};
use schemas::{
    Capabilities, Claims, CloseCode, Codec, ConnectionId, Frame, Offset, Payload, RoomName, UserId,
    codec::decode_server,
    config::{KindConfig, Rates},
    directory::Reported,
    http::{PublishCall, RoomCall},
    server_message::{Publication, RequestResult, Returned},
};
use serde_json::Value;
use storage::TestStorage;

/// When every test begins, in milliseconds since 1970.
pub const START: u64 = 1_800_000_000_000;

/// Somebody's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat(ConnectionId);

/// A room of one behavior. See the crate's documentation.
#[derive(Debug)]
pub struct TestRoom<B> {
    now: u64,
    setup: Setup,
    storage: TestStorage,
    room: Room,
    seed: u64,
    attachments: BTreeMap<ConnectionId, Vec<u8>>,
    inboxes: BTreeMap<ConnectionId, Vec<ServerMessage>>,
    closed: BTreeMap<ConnectionId, (u16, String)>,
    answers: BTreeMap<RequestId, Result<RequestResult, RequestError>>,
    chunks: BTreeMap<RequestId, Vec<Value>>,
    events: Vec<Value>,
    failures: Vec<(&'static str, String)>,
    connections: u64,
    requests: u64,
    of: PhantomData<fn() -> B>,
}

impl<B: Behavior> Default for TestRoom<B> {
    fn default() -> Self {
        TestRoom::new()
    }
}

impl<B: Behavior> TestRoom<B> {
    /// A room of a kind that leaves everything at its default, but for rates: there are none.
    #[must_use]
    pub fn new() -> TestRoom<B> {
        TestRoom::of_kind(KindConfig { rates: Rates::OFF, ..KindConfig::default() })
    }

    /// A room of a kind with this configuration.
    ///
    /// # Panics
    /// Where the behavior's name is no kind's.
    #[must_use]
    pub fn of_kind(config: KindConfig) -> TestRoom<B> {
        TestRoom::told_to(config, Webhooks::none())
    }

    /// A room that tells these webhook endpoints, which take everything: see [`TestRoom::events`].
    ///
    /// # Panics
    /// Where the behavior's name is no kind's.
    #[must_use]
    pub fn told_to(config: KindConfig, webhooks: Webhooks) -> TestRoom<B> {
        let name = RoomName::parse(&format!("{}:test", B::NAME)).expect("a behavior's name is a kind's");
        let setup = Setup { name, config, asks_acks: false, webhooks, behavior: Some(Hosted::of::<B>()) };
        let storage = TestStorage::new();
        let room = Room::restore(START, 7, setup.clone(), storage.load(), Vec::new(), Waking::FromSleep);
        TestRoom {
            now: START,
            setup,
            storage,
            room,
            seed: 7,
            attachments: BTreeMap::new(),
            inboxes: BTreeMap::new(),
            closed: BTreeMap::new(),
            answers: BTreeMap::new(),
            chunks: BTreeMap::new(),
            events: Vec::new(),
            failures: Vec::new(),
            connections: 0,
            requests: 0,
            of: PhantomData,
        }
    }

    /// When the room wants its alarm, in milliseconds since 1970.
    #[must_use]
    pub fn next_alarm(&self) -> Option<u64> {
        self.room.poll_timeout().durable.map(|deadline| deadline.at)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// A user comes in with a session of its own and everything allowed.
    ///
    /// # Panics
    /// Where the room refuses it.
    pub fn join(&mut self, user: &str) -> Seat {
        match self.try_join(user, Capabilities::all()) {
            Ok(seat) => seat,
            Err((code, reason)) => panic!("{user} may not join: {code} {reason}"),
        }
    }

    /// A user comes in with these capabilities.
    ///
    /// # Errors
    /// The close code and reason, where the room refuses it.
    pub fn try_join(&mut self, user: &str, capabilities: Capabilities) -> Result<Seat, (u16, String)> {
        let session = format!("session-of-{user}-{}", self.connections + 1);
        self.join_as(user, &session, capabilities)
    }

    /// A session comes in, or comes back.
    ///
    /// # Errors
    /// The close code and reason, where the room refuses it.
    ///
    /// # Panics
    /// Where `user` is no user, or `session` is no session (8 to 64 of `[A-Za-z0-9_-]`).
    pub fn join_as(
        &mut self,
        user: &str,
        session: &str,
        capabilities: Capabilities,
    ) -> Result<Seat, (u16, String)> {
        self.connections += 1;
        let connection = ConnectionId::new(self.connections);
        let user = UserId::parse(user).expect("a user is 1 to 128 bytes");
        let claims = Claims { user: Some(user), capabilities, ..Claims::default() };
        self.input(Input::Opened { connection, codec: Codec::Json, claims });
        self.say(Seat(connection), &format!(r#"{{"t":"hello","session":"{session}"}}"#));
        match self.closed.get(&connection) {
            Some(closed) => Err(closed.clone()),
            None => Ok(Seat(connection)),
        }
    }

    /// Says a protocol message as JSON, and ends the turn.
    pub fn say(&mut self, seat: Seat, message: &str) {
        self.input(Input::Received { connection: seat.0, frame: Frame::Text(message.to_owned()) });
        self.end_turn();
    }

    /// Several say something within one turn, each of which may be several messages, a line each.
    pub fn say_together(&mut self, said: &[(Seat, String)]) {
        for (seat, message) in said {
            self.input(Input::Received { connection: seat.0, frame: Frame::Text(message.clone()) });
        }
        self.end_turn();
    }

    /// Calls a method over the seat's connection.
    ///
    /// # Errors
    /// What the room answers.
    ///
    /// # Panics
    /// Where it does not answer.
    pub fn call(&mut self, seat: Seat, method: &str, args: Value) -> Result<Value, RequestError> {
        let id = self.start(seat, method, args);
        let inbox = self.inboxes.entry(seat.0).or_default();
        let place = inbox.iter().position(|message| match message {
            ServerMessage::Returned(Returned { id: of, more: false, .. }) => *of == id,
            ServerMessage::Error(error) => error.id == Some(id),
            _ => false,
        });
        match inbox.remove(place.expect("a call is answered")) {
            ServerMessage::Returned(returned) => Ok(value(&returned.result)),
            ServerMessage::Error(error) => Err(error),
            other => panic!("{other:?} is no answer to a call"),
        }
    }

    /// Calls a method, and leaves what comes of it in the inbox. Returns the call's id.
    pub fn start(&mut self, seat: Seat, method: &str, args: Value) -> u32 {
        self.requests += 1;
        let id = self.requests as u32;
        let call = serde_json::json!({ "t": "call", "id": id, "method": method, "args": args });
        self.say(seat, &call.to_string());
        id
    }

    /// Waits no more for a call.
    pub fn cancel(&mut self, seat: Seat, id: u32) {
        self.say(seat, &format!(r#"{{"t":"cancel","id":{id}}}"#));
    }

    /// Publishes into the log.
    ///
    /// # Errors
    /// What the room answers.
    ///
    /// # Panics
    /// Where it does not answer.
    pub fn publish(&mut self, seat: Seat, kind: &str, data: Value) -> Result<Value, RequestError> {
        self.request(seat, serde_json::json!({ "t": "publish", "type": kind, "data": data }))
    }

    /// Sends an ephemeral.
    ///
    /// # Errors
    /// What the room answers.
    ///
    /// # Panics
    /// Where it does not answer.
    pub fn send(&mut self, seat: Seat, kind: &str, data: Value) -> Result<Value, RequestError> {
        let publish = serde_json::json!({ "t": "publish", "type": kind, "data": data, "ephemeral": true });
        self.request(seat, publish)
    }

    /// Asks by any message of the protocol that is answered, such as `{"t": "edit", "offset": 3, "data": "…"}`, which
    /// gets an `id`.
    ///
    /// # Errors
    /// What the room answers.
    ///
    /// # Panics
    /// Where it does not answer.
    pub fn request(&mut self, seat: Seat, mut message: Value) -> Result<Value, RequestError> {
        self.requests += 1;
        let id = self.requests as u32;
        message["id"] = id.into();
        self.say(seat, &message.to_string());
        let inbox = self.inboxes.entry(seat.0).or_default();
        let place = inbox.iter().position(|message| match message {
            ServerMessage::Reply(reply) => reply.id == id,
            ServerMessage::Error(error) => error.id == Some(id),
            _ => false,
        });
        match inbox.remove(place.expect("a request is answered")) {
            ServerMessage::Error(error) => Err(error),
            ServerMessage::Reply(reply) => {
                Ok(serde_json::to_value(reply.result).expect("a result has a JSON form"))
            }
            other => panic!("{other:?} is no answer to a request"),
        }
    }

    /// Publishes as a backend does.
    ///
    /// # Errors
    /// What the room answers.
    ///
    /// # Panics
    /// Where it does not answer.
    pub fn publish_as_backend(&mut self, kind: &str, data: &Value) -> Result<RequestResult, RequestError> {
        let call = PublishCall {
            data: payload(data),
            kind: Some(kind.to_owned()),
            tags: Vec::new(),
            to: None,
            ephemeral: false,
            author: None,
            key: None,
        };
        self.backend(RoomCall::Publish(call))
    }

    /// Asks what the gateway asks for those who come by HTTP: as a backend, or as [`RoomCall::ByUser`].
    ///
    /// # Errors
    /// What the room answers.
    ///
    /// # Panics
    /// Where it does not answer.
    pub fn backend(&mut self, call: RoomCall) -> Result<RequestResult, RequestError> {
        let request = self.ask(call);
        self.answers.remove(&request).expect("a request is answered")
    }

    /// The room is deleted with all it stored.
    pub fn delete(&mut self) {
        self.ask(RoomCall::Delete);
    }

    /// What the connection was sent and nobody has taken yet, in order.
    pub fn inbox(&mut self, seat: Seat) -> Vec<ServerMessage> {
        self.inboxes.remove(&seat.0).unwrap_or_default()
    }

    /// Type and data of the publications and ephemerals in the inbox, which they leave.
    pub fn heard(&mut self, seat: Seat) -> Vec<(String, Value)> {
        let inbox = self.inboxes.entry(seat.0).or_default();
        let (mut heard, mut rest) = (Vec::new(), Vec::new());
        for message in inbox.drain(..) {
            match message {
                ServerMessage::Publication(Publication { kind, data: Some(data), .. }) => {
                    heard.push((kind, value(&data)));
                }
                ServerMessage::Ephemeral(ephemeral) => heard.push((ephemeral.kind, value(&ephemeral.data))),
                other => rest.push(other),
            }
        }
        *inbox = rest;
        heard
    }

    /// With which code and reason the connection was closed.
    #[must_use]
    pub fn closed(&self, seat: Seat) -> Option<&(u16, String)> {
        self.closed.get(&seat.0)
    }

    /// What a key of shared state holds.
    #[must_use]
    pub fn state(&mut self, key: &str) -> Option<Value> {
        let request = self.ask(RoomCall::State);
        match self.answers.remove(&request) {
            Some(Ok(RequestResult::StateSnapshot(snapshot))) => {
                snapshot.entries.get(key).map(|entry| value(&entry.value))
            }
            other => panic!("{other:?} is no snapshot of state"),
        }
    }

    /// What webhook endpoints were told, in order.
    #[must_use]
    pub fn events(&self) -> &[Value] {
        &self.events
    }

    /// Hooks that failed and what they said, as the operator reads it in the log.
    #[must_use]
    pub fn failures(&self) -> &[(&'static str, String)] {
        &self.failures
    }

    /// Offsets of the log end here.
    #[must_use]
    pub fn head(&self) -> Offset {
        self.room.head()
    }

    /// The connection is lost: the membership has its grace.
    pub fn lose(&mut self, seat: Seat) {
        self.attachments.remove(&seat.0);
        self.input(Input::Closed { connection: seat.0, code: 1006 });
        self.end_turn();
    }

    /// The client leaves.
    pub fn leave(&mut self, seat: Seat) {
        self.attachments.remove(&seat.0);
        self.input(Input::Closed { connection: seat.0, code: CloseCode::Normal.code() });
        self.end_turn();
    }

    /// The next `count` commits fail, and keep nothing.
    pub fn fail_commits(&mut self, count: u32) {
        self.fail_commits_after(0, count);
    }

    /// The next `spared` commits do not fail, and `count` after them do.
    pub fn fail_commits_after(&mut self, spared: u32, count: u32) {
        self.storage.fail_commits(spared, count);
    }

    fn end_turn(&mut self) {
        self.now += 20;
        for _ in 0..TURNS_MAX {
            let turn = self.room.poll_timeout().turn;
            if turn.is_none_or(|deadline| deadline.at > self.now) {
                return;
            }
            self.input(Input::TurnEnded);
        }
    }

    fn input(&mut self, input: Input) {
        let outputs = self.room.handle(self.now, input, &mut self.storage);
        let mut next = Vec::new();
        for output in outputs {
            match output {
                Output::Attach { connection, attachment } => {
                    assert!(attachment.len() <= ATTACHMENT_BYTES_MAX, "{} bytes attached", attachment.len());
                    self.attachments.insert(connection, attachment);
                }
                Output::Broadcast { connections, frame } => {
                    let messages = decode_server(&frame).expect("the room's frames can be read");
                    for id in connections {
                        self.inboxes.entry(id).or_default().extend(messages.iter().cloned());
                    }
                }
                Output::Close { connection, code, reason } => {
                    self.attachments.remove(&connection);
                    let reason = reason.unwrap_or_else(|| code.reason().to_owned());
                    self.closed.insert(connection, (code.code(), reason));
                }
                Output::Answer { request, result } => drop(self.answers.insert(request, result)),
                Output::Cut { request, error } => drop(self.answers.insert(request, Err(error))),
                Output::Stream { request } => drop(self.chunks.insert(request, Vec::new())),
                Output::Chunk { request, chunk } => {
                    self.chunks.entry(request).or_default().push(value(&chunk));
                }
                Output::Deliver { this, body, .. } => {
                    let body: Value = serde_json::from_str(&body).expect("a webhook's body is JSON");
                    self.events.extend(body["events"].as_array().into_iter().flatten().cloned());
                    next.push(Input::Delivered {
                        this,
                        outcome: Outcome { status: Some(200), retry_after_ms: None },
                    });
                }
                Output::Report(_) => {
                    next.push(Input::Reported { answer: Some(Reported { revocations: Vec::new() }) });
                }
                Output::Failed { hook, message, .. } => {
                    self.failures.extend(hook.map(|hook| (hook, message)));
                }
                Output::Verify { .. } | Output::Park { .. } => {}
            }
        }
        next.into_iter().for_each(|input| self.input(input));
    }
}

/// Turns that follow on one another at once; a stream without end goes on in the next call.
const TURNS_MAX: usize = 32;

fn value(payload: &Payload) -> Value {
    match payload {
        Payload::Json(text) => serde_json::from_str(text.as_str()).expect("a payload is JSON"),
        Payload::Bytes(bytes) => Value::from(bytes.clone()),
    }
}

fn payload(value: &Value) -> Payload {
    Payload::from_json(value.to_string()).expect("a value has a JSON form")
}
