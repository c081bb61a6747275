//! A client, and the other end of its socket.

use std::collections::BTreeMap;

use client_core::{
    Attempt, Call, Client, Event, Input, Options, Outcome, Output, Request, Status, TokenSource, Transport,
};
use schemas::{
    ClientMessage, CloseCode, Codec, ConnectionId, Epoch, Frame, Offset, Payload, Position, PublicSession,
    RoomName, ServerMessage, Session, UserId,
    client_message::{Hello, Publish},
    codec,
    server_message::{
        Member, Occupancy, Publication, Published, Reply, RequestResult, StateSnapshot, Welcome,
        WelcomeLimits,
    },
};

pub(crate) struct Script {
    pub(crate) now: u64,
    pub(crate) client: Client,
    /// The socket that is open or opening, by its attempt.
    pub(crate) socket: Option<Attempt>,
    /// The attempt that waits for its token.
    pub(crate) fetching: Option<Attempt>,
    pub(crate) tokens: Vec<String>,
    pub(crate) transports: Vec<Transport>,
    /// Since last taken.
    pub(crate) frames: Vec<Frame>,
    pub(crate) events: Vec<Event>,
    pub(crate) closes: Vec<CloseCode>,
}

pub(crate) fn options() -> Options {
    Options {
        room: RoomName::parse("chat:lobby").expect("is a room"),
        session: Session::parse("a-secret-session").expect("is a session"),
        token: TokenSource::Function,
        position: None,
        rewind: Some(20),
        tags: vec!["red".into()],
        presence: None,
        members: true,
        fallback: true,
    }
}

pub(crate) fn without_token() -> Options {
    Options { token: TokenSource::None, ..options() }
}

impl Script {
    pub(crate) fn new(options: Options) -> Script {
        Script::seeded(7, options)
    }

    pub(crate) fn seeded(seed: u64, options: Options) -> Script {
        Script {
            now: 1_000,
            client: Client::new(1_000, seed, options),
            socket: None,
            fetching: None,
            tokens: Vec::new(),
            transports: Vec::new(),
            frames: Vec::new(),
            events: Vec::new(),
            closes: Vec::new(),
        }
    }

    /// Joined and welcomed, without a token, at offset 10.
    pub(crate) fn online() -> Script {
        let mut script = Script::new(without_token());
        script.input(Input::JoinRequested);
        script.open();
        script.say(welcome(10));
        script.forget();
        script
    }

    pub(crate) fn input(&mut self, input: Input) {
        for output in self.client.handle(self.now, input) {
            match output {
                Output::FetchToken { attempt } => self.fetching = Some(attempt),
                Output::OpenSocket { attempt, token, transport } => {
                    assert_eq!(self.socket, None, "there is one socket at most");
                    self.socket = Some(attempt);
                    self.tokens.extend(token);
                    self.transports.push(transport);
                }
                Output::Send { attempt, frame } => {
                    assert_eq!(self.socket, Some(attempt), "frames go to the present socket");
                    self.frames.push(frame);
                }
                Output::CloseSocket { attempt, code } => {
                    assert_eq!(self.socket, Some(attempt), "the present socket is closed");
                    self.socket = None;
                    self.closes.push(code);
                }
                Output::Emit(event) => self.events.push(event),
            }
        }
    }

    pub(crate) fn attempt(&self) -> Attempt {
        self.socket.expect("there is a socket")
    }

    pub(crate) fn open(&mut self) {
        let attempt = self.attempt();
        self.input(Input::SocketOpened { attempt });
    }

    pub(crate) fn close(&mut self, code: u16) {
        let attempt = self.socket.take().expect("there is a socket");
        self.input(Input::SocketClosed { attempt, code, reason: String::new() });
    }

    pub(crate) fn say(&mut self, message: ServerMessage) {
        self.say_all(&[message]);
    }

    /// In one frame.
    pub(crate) fn say_all(&mut self, messages: &[ServerMessage]) {
        let fragments: Vec<_> =
            messages.iter().map(|message| codec::encode(Codec::Msgpack, message)).collect();
        let frame = codec::join(Codec::Msgpack, fragments.iter().map(Vec::as_slice));
        let attempt = self.attempt();
        self.input(Input::FrameReceived { attempt, frame });
    }

    /// Lets time pass to the client's next deadline and tells it so.
    pub(crate) fn tick(&mut self) {
        let deadline = self.client.poll_timeout().expect("something is awaited");
        self.now = self.now.max(deadline.at_ms);
        self.input(Input::TimedOut);
    }

    /// Lets so many milliseconds pass, and tells the client of each deadline in them.
    pub(crate) fn pass(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        while self.client.poll_timeout().is_some_and(|deadline| deadline.at_ms <= end) {
            self.tick();
        }
        self.now = end;
    }

    /// From a lost connection to the next socket, opened.
    pub(crate) fn reconnect(&mut self) -> Hello {
        while self.socket.is_none() {
            self.tick();
        }
        self.forget();
        self.open();
        self.hello()
    }

    pub(crate) fn forget(&mut self) {
        self.frames.clear();
        self.events.clear();
    }

    /// What the client said since last asked; pings left out.
    pub(crate) fn heard(&mut self) -> Vec<ClientMessage> {
        let frames = std::mem::take(&mut self.frames);
        let binary = frames.iter().filter(|frame| matches!(frame, Frame::Binary(_)));
        let decoded = binary.flat_map(|frame| codec::decode_client(Codec::Msgpack, frame));
        decoded.map(|message| message.expect("a client's message can be read")).collect()
    }

    pub(crate) fn pong(&mut self) {
        let attempt = self.attempt();
        self.input(Input::FrameReceived { attempt, frame: Frame::Text("pong".into()) });
    }

    pub(crate) fn pings(&mut self) -> usize {
        let (pings, rest) =
            self.frames.drain(..).partition::<Vec<_>, _>(|frame| *frame == Frame::Text("ping".into()));
        self.frames = rest;
        pings.len()
    }

    pub(crate) fn hello(&mut self) -> Hello {
        match self.heard().as_slice() {
            [ClientMessage::Hello(hello)] => hello.clone(),
            other => panic!("expected hello, heard {other:?}"),
        }
    }

    pub(crate) fn publish(&mut self, call: u32, text: &str) {
        self.input(Input::Requested { call: Call(call), request: publish(text) });
    }

    pub(crate) fn ask(&mut self, call: u32, request: Request) {
        self.input(Input::Requested { call: Call(call), request });
    }

    pub(crate) fn end_turn(&mut self) {
        self.input(Input::TimedOut);
    }

    pub(crate) fn settled(&self) -> Vec<(u32, Outcome)> {
        let settled = self.events.iter().filter_map(|event| match event {
            Event::Settled { call, outcome } => Some((call.0, outcome.clone())),
            _ => None,
        });
        settled.collect()
    }

    /// How the calls ended, by the code of the error, `ok` and `?` for an unknown outcome.
    pub(crate) fn outcomes(&self) -> Vec<(u32, String)> {
        let told = self.settled().into_iter().map(|(call, outcome)| match outcome {
            Outcome::Acknowledged(_) => (call, "ok".to_string()),
            Outcome::Rejected(error) => (call, error.code.to_string()),
            Outcome::Unknown(error) => (call, format!("{}?", error.code)),
        });
        told.collect()
    }

    pub(crate) fn offsets(&self) -> Vec<u64> {
        let published = self.events.iter().filter_map(|event| match event {
            Event::Published(publication) => Some(publication.offset.value()),
            _ => None,
        });
        published.collect()
    }

    pub(crate) fn statuses(&self) -> Vec<&'static str> {
        let changes = self.events.iter().filter_map(|event| match event {
            Event::StatusChanged(status) => Some(status.as_str()),
            _ => None,
        });
        changes.collect()
    }

    pub(crate) fn status(&self) -> &'static str {
        Status::as_str(&self.client.status())
    }
}

pub(crate) fn epoch() -> Epoch {
    Epoch::new(0xe)
}

pub(crate) fn offset(value: u64) -> Offset {
    Offset::new(value).expect("is an offset")
}

pub(crate) fn position(value: u64) -> Position {
    Position { epoch: epoch(), offset: offset(value) }
}

pub(crate) fn json(text: &str) -> Payload {
    Payload::from_json(format!("{text:?}")).expect("is JSON")
}

pub(crate) fn publish(text: &str) -> Request {
    Request::Publish(Publish {
        id: None,
        data: json(text),
        tags: Vec::new(),
        to: None,
        ephemeral: false,
        echo: true,
        kind: None,
        key: None,
        conflate: None,
    })
}

/// With a key that is its text, as much of it as may be.
pub(crate) fn keyed(text: &str) -> Request {
    match publish(text) {
        Request::Publish(publish) => {
            Request::Publish(Publish { key: Some(text.chars().take(128).collect()), ..publish })
        }
        other => other,
    }
}

pub(crate) fn ephemeral(text: &str) -> Request {
    match publish(text) {
        Request::Publish(publish) => Request::Publish(Publish { ephemeral: true, ..publish }),
        other => other,
    }
}

pub(crate) fn plain_welcome(head: u64) -> Welcome {
    Welcome {
        connection: ConnectionId::new(5),
        session: public_session("me"),
        user: UserId::parse("ada").expect("is a user"),
        room: RoomName::parse("chat:lobby").expect("is a room"),
        kind: "chat".into(),
        epoch: epoch(),
        offset: offset(head),
        recovered: false,
        reason: None,
        publications: Vec::new(),
        members: None,
        members_next: None,
        occupancy: Occupancy { members: 1, users: 1 },
        state: StateSnapshot::default(),
        tags: Vec::new(),
        limits: WelcomeLimits {
            payload_bytes: 65_536,
            presence_bytes: 2_048,
            tags: 32,
            frame_bytes: 4_096,
            key_window_ms: 60_000,
            ack: false,
        },
        server_time: 1,
        expires_at: None,
    }
}

pub(crate) fn welcome(head: u64) -> ServerMessage {
    ServerMessage::Welcome(Box::new(plain_welcome(head)))
}

pub(crate) fn recovered(head: u64, publications: impl IntoIterator<Item = u64>) -> ServerMessage {
    ServerMessage::Welcome(Box::new(Welcome {
        recovered: true,
        publications: publications.into_iter().map(plain_publication).collect(),
        ..plain_welcome(head)
    }))
}

pub(crate) fn plain_publication(value: u64) -> Publication {
    Publication {
        offset: offset(value),
        time: value,
        from: None,
        kind: "message".into(),
        data: Some(json("x")),
        tags: Vec::new(),
        refers: None,
        removed: false,
        edited: None,
        reactions: BTreeMap::new(),
    }
}

pub(crate) fn publication(value: u64) -> ServerMessage {
    ServerMessage::Publication(plain_publication(value))
}

pub(crate) fn published(id: u32, value: u64) -> ServerMessage {
    let published = Published { epoch: epoch(), offset: offset(value), duplicate: false };
    ServerMessage::Reply(Reply { id, result: RequestResult::Published(published) })
}

/// 16 characters that begin with `name`.
pub(crate) fn public_session(name: &str) -> PublicSession {
    PublicSession::parse(&format!("{name:-<16}")).expect("is a public session")
}

pub(crate) fn member(name: &str) -> Member {
    Member {
        session: public_session(name),
        user: UserId::parse(name).expect("is a user"),
        info: None,
        data: None,
        since: 1,
    }
}
