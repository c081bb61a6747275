//! A room with its storage and a clock, and what its connections were sent.

use std::collections::BTreeMap;

use room_core::{
    Attachment, Input, Output, Outputs, RequestId, Room, Setup, Waking,
    outbox::{Try, Webhooks},
    storage::MemoryStorage,
};
use schemas::{
    Capabilities, Capability, Claims, Codec, ConnectionId, Frame, Payload, RoomName, ServerMessage, UserId,
    codec::decode_server,
    config::{KindConfig, Rates},
    directory::Report,
    http::{PublishCall, RoomCall, ScopedKey},
    server_message::{Publication, RequestError, RequestResult, RoomInfo, StateChange, Welcome},
    webhook::Parked,
};

pub(crate) const START: u64 = 1_800_000_000_000;

pub(crate) struct Table {
    pub(crate) now: u64,
    pub(crate) setup: Setup,
    pub(crate) storage: MemoryStorage,
    pub(crate) room: Room,
    seed: u64,
    requests: u32,
    pub(crate) attachments: BTreeMap<ConnectionId, Vec<u8>>,
    inboxes: BTreeMap<ConnectionId, Vec<ServerMessage>>,
    frames: BTreeMap<ConnectionId, usize>,
    pub(crate) closed: BTreeMap<ConnectionId, u16>,
    /// What closes said in place of their code's reason.
    pub(crate) reasons: BTreeMap<ConnectionId, String>,
    /// Tokens that the room wants verified, with the request that brought them.
    pub(crate) tokens: Vec<(ConnectionId, u32, String)>,
    /// Answers that are streamed, and their chunks.
    pub(crate) streams: BTreeMap<RequestId, Vec<Payload>>,
    pub(crate) answers: Vec<(RequestId, Result<RequestResult, RequestError>)>,
    /// What the directory was told, and has not answered.
    pub(crate) reports: Vec<Report>,
    /// Tries of webhooks that were asked for: with the batch's name and the body.
    pub(crate) tries: Vec<(Try, String, String)>,
    pub(crate) parked: Vec<(Try, Parked)>,
}

pub(crate) fn table() -> Table {
    table_of(KindConfig::default())
}

/// Without rates, which most tests would run into.
pub(crate) fn table_of(config: KindConfig) -> Table {
    table_with_rates(KindConfig { rates: Rates::OFF, ..config })
}

pub(crate) fn table_with_rates(config: KindConfig) -> Table {
    set_up(Setup {
        name: RoomName::parse("chat:lobby").expect("a room's name"),
        config,
        asks_acks: false,
        webhooks: Webhooks::none(),
        behavior: None,
    })
}

pub(crate) fn set_up(setup: Setup) -> Table {
    let storage = MemoryStorage::default();
    let room = Room::restore(START, 7, setup.clone(), storage.load(), Vec::new(), Waking::FromSleep);
    Table {
        now: START,
        setup,
        storage,
        room,
        seed: 7,
        requests: 1_000,
        attachments: BTreeMap::new(),
        inboxes: BTreeMap::new(),
        frames: BTreeMap::new(),
        closed: BTreeMap::new(),
        reasons: BTreeMap::new(),
        tokens: Vec::new(),
        streams: BTreeMap::new(),
        answers: Vec::new(),
        reports: Vec::new(),
        tries: Vec::new(),
        parked: Vec::new(),
    }
}

pub(crate) fn claims(user: &str) -> Claims {
    Claims { user: UserId::parse(user), capabilities: Capabilities::all(), ..Claims::default() }
}

/// Claims with these capabilities and no others.
pub(crate) fn allowed(user: &str, capabilities: &[Capability]) -> Claims {
    Claims { capabilities: capabilities.iter().copied().collect(), ..claims(user) }
}

pub(crate) fn json(text: &str) -> Payload {
    Payload::from_json(text.to_owned()).expect("a test's payload is JSON")
}

/// What a backend publishes.
pub(crate) fn call_of(data: &str, key: Option<ScopedKey>) -> PublishCall {
    PublishCall { data: json(data), kind: None, tags: vec![], to: None, ephemeral: false, author: None, key }
}

/// Offset and `duplicate` of an answered publish.
pub(crate) fn published(result: Result<RequestResult, RequestError>) -> (u64, bool) {
    match result {
        Ok(RequestResult::Published(published)) => (published.offset.value(), published.duplicate),
        other => panic!("{other:?} is no answer to a publish"),
    }
}

/// The offset of an answered edit, removal or reaction.
pub(crate) fn amended(result: Result<RequestResult, RequestError>) -> u64 {
    match result {
        Ok(RequestResult::Amended(amended)) => amended.offset.value(),
        other => panic!("{other:?} is no answer to an amendment"),
    }
}

/// The version of an answered write of state.
pub(crate) fn stated(result: Result<RequestResult, RequestError>) -> u64 {
    match result {
        Ok(RequestResult::State(state)) => state.version,
        other => panic!("{other:?} is no answer to a write of state"),
    }
}

/// The code of a refusal.
pub(crate) fn refused(result: Result<RequestResult, RequestError>) -> schemas::ErrorCode {
    result.expect_err("the request should be refused").code
}

/// The text of a payload.
pub(crate) fn text_of(data: Option<&Payload>) -> &str {
    match data {
        Some(Payload::Json(text)) => text.as_str(),
        Some(Payload::Bytes(_)) => "bytes",
        None => "nothing",
    }
}

pub(crate) fn connection(number: u64) -> ConnectionId {
    ConnectionId::new(number)
}

impl Table {
    pub(crate) fn input(&mut self, input: Input) {
        let outputs = self.room.handle(self.now, input, &mut self.storage);
        self.apply(outputs);
    }

    fn apply(&mut self, outputs: Outputs) {
        for output in outputs {
            match output {
                Output::Attach { connection, attachment } => {
                    assert!(attachment.len() <= room_core::ATTACHMENT_BYTES_MAX, "{}", attachment.len());
                    self.attachments.insert(connection, attachment);
                }
                Output::Broadcast { connections, frame } => {
                    let messages = decode_server(&frame).expect("the room's frames can be read");
                    for id in connections {
                        assert!(!self.closed.contains_key(&id), "nothing is sent behind a close");
                        *self.frames.entry(id).or_default() += 1;
                        self.inboxes.entry(id).or_default().extend(messages.iter().cloned());
                    }
                }
                Output::Verify { connection, request, token } => {
                    self.tokens.push((connection, request, token.0));
                }
                Output::Close { connection, code, reason } => {
                    self.attachments.remove(&connection);
                    self.reasons.extend(reason.map(|reason| (connection, reason)));
                    self.closed.insert(connection, code.code());
                }
                Output::Answer { request, result } => self.answers.push((request, result)),
                Output::Stream { request } => drop(self.streams.insert(request, Vec::new())),
                Output::Chunk { request, chunk } => self.streams.entry(request).or_default().push(chunk),
                Output::Cut { request, error } => self.answers.push((request, Err(error))),
                Output::Failed { hook, message, .. } => assert_eq!(hook, None, "{message}"),
                Output::Report(report) => self.reports.push(*report),
                Output::Deliver { this, id, body } => self.tries.push((this, id, body)),
                Output::Park { this, parked } => self.parked.push((this, *parked)),
            }
        }
    }

    pub(crate) fn open(&mut self, number: u64, claims: Claims) -> ConnectionId {
        self.open_as(number, Codec::Json, claims)
    }

    pub(crate) fn open_as(&mut self, number: u64, codec: Codec, claims: Claims) -> ConnectionId {
        let id = connection(number);
        self.input(Input::Opened { connection: id, codec, claims });
        id
    }

    pub(crate) fn say(&mut self, id: ConnectionId, text: &str) {
        self.input(Input::Received { connection: id, frame: Frame::Text(text.to_owned()) });
    }

    /// Ends the turn: everything staged leaves.
    pub(crate) fn flush(&mut self) {
        let due = self.room.poll_timeout().turn.map(|deadline| deadline.at);
        if let Some(at) = due {
            self.now = self.now.max(at);
            self.input(Input::TurnEnded);
        }
    }

    /// Lets time pass, firing the alarm as it falls due. Pings are answered by the platform meanwhile.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(deadline) = self.room.poll_timeout().durable.filter(|deadline| deadline.at <= end) {
            self.now = self.now.max(deadline.at);
            let heard = self.attachments.keys().map(|id| (*id, self.now)).collect();
            self.input(Input::AlarmFired { heard });
            self.flush();
        }
        self.now = end;
    }

    /// Opens, says hello with session `session-<number>`, and takes the welcome.
    pub(crate) fn join(&mut self, number: u64, user: &str) -> ConnectionId {
        let (id, _) = self.join_with(number, claims(user), "");
        id
    }

    /// `extra` is spliced into hello, with a leading comma.
    pub(crate) fn join_with(&mut self, number: u64, claims: Claims, extra: &str) -> (ConnectionId, Welcome) {
        let id = self.open(number, claims);
        let welcome = self.hello(id, number, extra);
        self.flush();
        (id, welcome)
    }

    /// Joins with a session of another number than the connection's.
    pub(crate) fn join_with_session(
        &mut self,
        number: u64,
        session: u64,
        claims: Claims,
        extra: &str,
    ) -> (ConnectionId, Welcome) {
        let id = self.open(number, claims);
        let welcome = self.hello(id, session, extra);
        self.flush();
        (id, welcome)
    }

    pub(crate) fn hello(&mut self, id: ConnectionId, session: u64, extra: &str) -> Welcome {
        self.say(id, &format!(r#"{{"t":"hello","session":"session-{session}"{extra}}}"#));
        let inbox = self.inboxes.entry(id).or_default();
        let welcome = inbox.iter().position(|message| matches!(message, ServerMessage::Welcome(_)));
        let index = welcome.unwrap_or_else(|| panic!("no welcome for {id}: {inbox:?}"));
        match inbox.remove(index) {
            ServerMessage::Welcome(welcome) => *welcome,
            other => panic!("{other:?} is no welcome"),
        }
    }

    pub(crate) fn close(&mut self, id: ConnectionId, code: u16) {
        self.attachments.remove(&id);
        self.input(Input::Closed { connection: id, code });
    }

    pub(crate) fn ask(&mut self, call: RoomCall) -> Result<RequestResult, RequestError> {
        let request = RequestId(self.answers.len() as u64 + 1);
        self.input(Input::Asked { request, call });
        self.flush();
        let index = self.answers.iter().position(|(id, _)| *id == request).expect("each call is answered");
        self.answers[index].1.clone()
    }

    /// Drops the room and rebuilds it: sockets stay.
    pub(crate) fn hibernate(&mut self) {
        self.rebuild(Waking::FromSleep);
    }

    /// A trap: memory is lost in the middle of things, sockets stay.
    pub(crate) fn trap(&mut self) {
        self.rebuild(Waking::FromFault);
    }

    /// The process dies: sockets and attachments with it.
    pub(crate) fn kill(&mut self) {
        self.attachments.clear();
        self.rebuild(Waking::FromSleep);
    }

    fn rebuild(&mut self, waking: Waking) {
        self.seed += 1;
        let before = self.storage.commits();
        let sockets = self.attachments.iter().map(|(id, bytes)| (*id, Attachment::decode(bytes))).collect();
        let loaded = self.storage.load();
        self.room = Room::restore(self.now, self.seed, self.setup.clone(), loaded, sockets, waking);
        assert_eq!(before, self.storage.commits(), "restoring reads only");
    }

    /// Takes what a connection was sent since the last time.
    pub(crate) fn take(&mut self, id: ConnectionId) -> Vec<ServerMessage> {
        std::mem::take(self.inboxes.entry(id).or_default())
    }

    pub(crate) fn frames(&self, id: ConnectionId) -> usize {
        self.frames.get(&id).copied().unwrap_or(0)
    }

    /// Offsets of the publications that a connection was sent since the last time.
    pub(crate) fn offsets(&mut self, id: ConnectionId) -> Vec<u64> {
        let publications = self.take(id).into_iter().filter_map(|message| match message {
            ServerMessage::Publication(publication) => Some(publication.offset.value()),
            _ => None,
        });
        publications.collect()
    }

    pub(crate) fn error(&mut self, id: ConnectionId) -> RequestError {
        let messages = self.take(id);
        let error = messages.iter().find_map(|message| match message {
            ServerMessage::Error(error) => Some(error.clone()),
            _ => None,
        });
        error.unwrap_or_else(|| panic!("no error in {messages:?}"))
    }

    pub(crate) fn publish(&mut self, id: ConnectionId, request: u32, extra: &str) {
        self.say(id, &format!(r#"{{"t":"publish","id":{request},"data":{request}{extra}}}"#));
    }

    /// Says `{"id":…,<body>}`; what comes of it waits for the flush unless the room is quiet. Returns the id.
    pub(crate) fn stage(&mut self, id: ConnectionId, body: &str) -> u32 {
        self.requests += 1;
        self.say(id, &format!(r#"{{"id":{},{body}}}"#, self.requests));
        self.requests
    }

    /// Says it, ends the turn and takes the answer. What else came stays in the inbox.
    pub(crate) fn request(&mut self, id: ConnectionId, body: &str) -> Result<RequestResult, RequestError> {
        let request = self.stage(id, body);
        self.flush();
        self.answer(id, request)
    }

    /// Takes the one answer to a request.
    pub(crate) fn answer(&mut self, id: ConnectionId, request: u32) -> Result<RequestResult, RequestError> {
        let answers = self.pick(id, |message| match message {
            ServerMessage::Reply(reply) if reply.id == request => Some(Ok(reply.result.clone())),
            ServerMessage::Error(error) if error.id == Some(request) => Some(Err(error.clone())),
            _ => None,
        });
        let [answer] = <[_; 1]>::try_from(answers).expect("a request has exactly one answer");
        answer
    }

    /// Takes the messages that `wanted` names, and leaves the others.
    pub(crate) fn pick<T>(
        &mut self,
        id: ConnectionId,
        wanted: impl Fn(&ServerMessage) -> Option<T>,
    ) -> Vec<T> {
        let mut picked = Vec::new();
        self.inboxes.entry(id).or_default().retain(|message| {
            let found = wanted(message);
            let keep = found.is_none();
            picked.extend(found);
            keep
        });
        picked
    }

    /// Takes the publications that came live.
    pub(crate) fn publications(&mut self, id: ConnectionId) -> Vec<Publication> {
        self.pick(id, |message| match message {
            ServerMessage::Publication(publication) => Some(publication.clone()),
            _ => None,
        })
    }

    /// Takes the texts of the ephemerals that came.
    pub(crate) fn ephemerals(&mut self, id: ConnectionId) -> Vec<String> {
        self.pick(id, |message| match message {
            ServerMessage::Ephemeral(ephemeral) => Some(text_of(Some(&ephemeral.data)).to_owned()),
            _ => None,
        })
    }

    /// Takes what was told of shared state.
    pub(crate) fn state_changes(&mut self, id: ConnectionId) -> Vec<StateChange> {
        self.pick(id, |message| match message {
            ServerMessage::State(change) => Some(change.clone()),
            _ => None,
        })
    }

    /// Takes the codes of the notices that came.
    pub(crate) fn notices(&mut self, id: ConnectionId) -> Vec<schemas::server_message::NoticeCode> {
        self.pick(id, |message| match message {
            ServerMessage::Notice { code, .. } => Some(*code),
            _ => None,
        })
    }

    /// The newest 200 publications, as this connection is shown them.
    pub(crate) fn history(&mut self, id: ConnectionId) -> Vec<Publication> {
        match self.request(id, r#""t":"history","limit":200"#) {
            Ok(RequestResult::History(page)) => page.messages,
            other => panic!("{other:?} is no page of history"),
        }
    }

    /// What a backend is told of the room. Time stands still, and nothing is flushed for it.
    pub(crate) fn info(&mut self) -> RoomInfo {
        self.input(Input::Asked { request: RequestId(u64::MAX), call: RoomCall::Info });
        match self.answers.pop() {
            Some((RequestId(u64::MAX), Ok(RequestResult::Room(info)))) => *info,
            other => panic!("{other:?} does not describe a room"),
        }
    }

    /// `recover` for a hello, from the offset in the room's epoch.
    pub(crate) fn recover_from(&self, offset: u64) -> String {
        format!(r#","recover":{{"epoch":"{}","offset":{offset}}}"#, self.room.epoch())
    }
}
