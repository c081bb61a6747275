//! The client's core, to which a server may say anything.

use std::collections::{BTreeSet, VecDeque};

use client_core::{
    Attempt, Call, Client, Event, Input, Options, Output, Outputs, Request, Status, TokenSource,
};
use schemas::{
    Codec, Frame, Offset, Payload, RoomName, Session,
    client_message::{History, Publish},
    codec,
};

use crate::{number, steps};

/// A welcome with a page of members that is not the last.
const WELCOME: &str = r#"{"t":"welcome","connection":"00000000000001","session":"0123456789abcdef","user":"ada","room":"chat:lobby","kind":"chat","epoch":"0123456789abcdef","offset":0,"recovered":false,"publications":[],"members":[],"members_next":"next","occupancy":{"members":1,"users":1},"tags":[],"limits":{"payload_bytes":65536,"presence_bytes":2048,"tags":32,"frame_bytes":1114112},"server_time":5}"#;

/// A client that was welcomed at offset 0.
pub(crate) struct Joined {
    pub(crate) client: Client,
    pub(crate) attempt: Attempt,
}

/// A script of what happens to a client that has joined: each step is an operation's letter and its body. A script
/// that begins with `g` happens to a client that still awaits its welcome.
///
/// Whatever a server says, nothing panics, publications rise unless a gap was told, a request ends once, and what
/// the client sends can be read.
pub fn client(script: &[u8]) {
    let mut driver = Driver::new();
    driver.join();
    if script.first() != Some(&b'g') {
        driver.welcome();
    }
    for (operation, body) in steps(script) {
        driver.step(operation, body);
        if matches!(driver.client.status(), Status::Failed(_) | Status::Left | Status::Idle) {
            driver.join();
            driver.welcome();
        }
    }
    driver.now += 60_000;
    driver.input(Input::TimedOut);
}

pub(crate) fn joined() -> Joined {
    let mut driver = Driver::new();
    driver.join();
    driver.welcome();
    Joined { client: driver.client, attempt: driver.attempt }
}

struct Driver {
    client: Client,
    now: u64,
    attempt: Attempt,
    last_call: u32,
    settled: BTreeSet<Call>,
    position: Offset,
}

impl Driver {
    fn new() -> Driver {
        let options = Options {
            room: RoomName::parse("chat:lobby").expect("a room's name"),
            session: Session::parse("session-1").expect("a session"),
            token: TokenSource::None,
            position: None,
            rewind: Some(10),
            tags: vec!["red".into()],
            presence: Payload::from_json("1".into()).ok(),
            members: true,
            fallback: true,
        };
        Driver {
            client: Client::new(0, 7, options),
            now: 1,
            attempt: Attempt(0),
            last_call: 0,
            settled: BTreeSet::new(),
            position: Offset::ZERO,
        }
    }

    fn join(&mut self) {
        self.position = Offset::ZERO;
        self.input(Input::JoinRequested);
    }

    fn welcome(&mut self) {
        let messages = codec::decode_server(&Frame::Text(WELCOME.into())).expect("a welcome");
        let bytes = codec::encode(Codec::Msgpack, &messages[0]);
        self.input(Input::FrameReceived { attempt: self.attempt, frame: Frame::Binary(bytes) });
    }

    fn step(&mut self, operation: u8, body: &[u8]) {
        let attempt = self.attempt;
        let input = match operation {
            b'b' | b'g' => Input::FrameReceived { attempt, frame: Frame::Binary(body.to_vec()) },
            b't' => {
                let text = String::from_utf8_lossy(body).into_owned();
                Input::FrameReceived { attempt, frame: Frame::Text(text) }
            }
            b'c' => {
                let code = u16::try_from(number(body)).unwrap_or(1006);
                Input::SocketClosed { attempt, code, reason: String::from_utf8_lossy(body).into_owned() }
            }
            b'd' => {
                let due = self.client.poll_timeout().map_or(self.now, |deadline| deadline.at_ms);
                self.now = self.now.max(due);
                Input::TimedOut
            }
            b'p' => {
                self.now += number(body).min(1 << 40);
                Input::TimedOut
            }
            b'w' => return self.welcome(),
            b'l' => Input::LeaveRequested,
            b'n' => Input::NetworkLost,
            b'f' => Input::NetworkFound,
            b'v' => Input::BecameVisible,
            b'x' => Input::Cancelled { call: Call(self.last_call) },
            b'q' | b's' | b'h' => self.request(operation, body),
            _ => Input::FrameReceived { attempt, frame: self.as_messagepack(body) },
        };
        self.input(input);
    }

    /// A server's messages written in JSON, so that a script can be read.
    fn as_messagepack(&self, body: &[u8]) -> Frame {
        let text = String::from_utf8_lossy(body).into_owned();
        let messages = codec::decode_server(&Frame::Text(text)).unwrap_or_default();
        let fragments: Vec<Vec<u8>> =
            messages.iter().map(|message| codec::encode(Codec::Msgpack, message)).collect();
        codec::join(Codec::Msgpack, fragments.iter().map(Vec::as_slice))
    }

    fn request(&mut self, operation: u8, body: &[u8]) -> Input {
        self.last_call += 1;
        let text = String::from_utf8_lossy(body).into_owned();
        let data = Payload::from_json(text).unwrap_or_else(|_| Payload::Bytes(body.to_vec()));
        let request = match operation {
            b'q' => Request::Publish(Publish {
                key: None,
                conflate: None,
                id: None,
                data,
                tags: Vec::new(),
                to: None,
                ephemeral: body.len() % 2 == 1,
                echo: true,
                kind: None,
            }),
            b's' => Request::Presence { data },
            _ => Request::History(History {
                id: 0,
                before: Offset::new(number(body)),
                after: None,
                limit: 20,
                tags: Vec::new(),
            }),
        };
        Input::Requested { call: Call(self.last_call), request }
    }

    /// Says what happened, and opens at once whatever socket is asked for.
    fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let outputs = self.client.handle(self.now, input);
            inputs.extend(self.apply(outputs));
        }
    }

    fn apply(&mut self, outputs: Outputs) -> Option<Input> {
        let mut next = None;
        for output in outputs {
            match output {
                Output::OpenSocket { attempt, .. } => {
                    self.attempt = attempt;
                    next = Some(Input::SocketOpened { attempt });
                }
                Output::Send { attempt, frame } => {
                    assert_eq!(attempt, self.attempt, "only the present socket is written to");
                    check_sent(&frame);
                }
                Output::Emit(event) => self.check_event(event),
                Output::FetchToken { .. } | Output::CloseSocket { .. } => {}
            }
        }
        next
    }

    fn check_event(&mut self, event: Event) {
        match event {
            Event::Published(publication) => {
                assert!(publication.offset > self.position, "publications rise");
                self.position = publication.offset;
            }
            Event::Gap { .. } => self.position = Offset::ZERO,
            Event::Settled { call, .. } => {
                assert!(self.settled.insert(call), "a request ends once: {call:?}");
            }
            _ => {}
        }
    }
}

fn check_sent(frame: &Frame) {
    match frame {
        Frame::Text(text) => assert_eq!(text, "ping"),
        Frame::Binary(_) => {
            for message in codec::decode_client(Codec::Msgpack, frame) {
                message.expect("what a client sends can be read");
            }
        }
    }
}
