//! The wasm-bindgen face of client-core, for `@roomcast/client`.
//!
//! One [`ClientCore`] is one room's client. Each method is one input of the core, and returns all it asks for in
//! one block of bytes ([`pack`]): a JSON text, into which the payloads' own JSON is copied as it stands, so that
//! the engine's `JSON.parse` (faster than any Wasm) reads everything at once; and behind it the byte strings,
//! frames to send and payloads that are not JSON. That is one crossing each way an input, no object built field by
//! field across the boundary, and neither serde_json nor a JSON reader in the module.
//!
//! The driver gives the time (`performance.now()`), the seed and the session, for this side has no clock and no
//! randomness.

mod json;
mod pack;

use client_core::{Attempt, Call, Client, Input, Options, Request, TokenSource};
use schemas::{
    ConnectionId, Frame, Offset, Payload, PublicSession, RoomName, Session, UserId,
    client_message::{History, Publish, StateOp, To},
    payload::JsonText,
};
use wasm_bindgen::prelude::*;

/// What to do about an earlier publication.
#[wasm_bindgen]
#[derive(Debug, Clone, Copy)]
pub enum Amendment {
    Edit,
    Remove,
    React,
    TakeBack,
}

#[wasm_bindgen]
#[derive(Debug)]
pub struct ClientCore {
    client: Client,
    /// What the next [`ClientCore::write_state`] writes.
    ops: Vec<StateOp>,
}

#[wasm_bindgen]
impl ClientCore {
    /// # Errors
    /// A sentence that says which argument is not of its shape.
    #[wasm_bindgen(constructor)]
    #[expect(clippy::too_many_arguments, reason = "an object across the boundary costs more than arguments")]
    pub fn new(
        now: f64,
        seed: f64,
        room: &str,
        session: &str,
        has_token: bool,
        rewind: Option<u32>,
        tags: Vec<String>,
        presence_text: Option<String>,
        presence_bytes: Option<Vec<u8>>,
        members: bool,
    ) -> Result<ClientCore, JsValue> {
        let presence = match (presence_text, presence_bytes) {
            (None, None) => None,
            (text, bytes) => Some(payload(text.unwrap_or_default(), bytes)?),
        };
        let options = Options {
            room: RoomName::parse(room).ok_or(RoomName::SHAPE)?,
            session: Session::parse(session).ok_or(Session::SHAPE)?,
            token: if has_token { TokenSource::Function } else { TokenSource::None },
            rewind,
            tags,
            presence,
            members,
        };
        Ok(ClientCore { client: Client::new(milliseconds(now), seed.to_bits(), options), ops: Vec::new() })
    }

    pub fn join(&mut self, now: f64) -> Vec<u8> {
        self.handle(now, Input::JoinRequested)
    }

    pub fn leave(&mut self, now: f64) -> Vec<u8> {
        self.handle(now, Input::LeaveRequested)
    }

    /// `bytes` is the payload where it is given, `text` is JSON otherwise. The lists of `to` are heeded where
    /// `has_to` says that there is one.
    ///
    /// # Errors
    /// A sentence that says which argument is not of its shape.
    #[expect(clippy::too_many_arguments, reason = "an object across the boundary costs more than arguments")]
    pub fn publish(
        &mut self,
        now: f64,
        call: u32,
        kind: String,
        text: String,
        bytes: Option<Vec<u8>>,
        tags: Vec<String>,
        has_to: bool,
        users: Vec<String>,
        sessions: Vec<String>,
        connections: Vec<String>,
        ephemeral: bool,
        echo: bool,
        key: Option<String>,
        conflate: Option<String>,
    ) -> Result<Vec<u8>, JsValue> {
        let to = To {
            users: all(&users, UserId::parse).ok_or(UserId::SHAPE)?,
            sessions: all(&sessions, PublicSession::parse).ok_or(PublicSession::SHAPE)?,
            connections: all(&connections, ConnectionId::parse).ok_or("a connection is 14 hex digits")?,
        };
        let request = Request::Publish(Publish {
            id: None,
            data: payload(text, bytes)?,
            tags,
            to: has_to.then_some(to),
            ephemeral,
            echo,
            kind: Some(kind),
            key,
            conflate,
        });
        Ok(self.request(now, call, request))
    }

    /// An edit to the payload, a removal, or a reaction whose name is `text`: each method costs the module a
    /// kilobyte.
    ///
    /// # Errors
    /// Where the offset is none, or the payload nests too deep.
    pub fn amend(
        &mut self,
        now: f64,
        call: u32,
        offset: f64,
        what: Amendment,
        text: String,
        bytes: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, JsValue> {
        let offset = Offset::new(milliseconds(offset)).filter(|exact| exact.value() as f64 == offset);
        let offset = offset.ok_or("an offset is a whole number below 2^53")?;
        let request = match what {
            Amendment::Edit => Request::Edit { offset, data: payload(text, bytes)? },
            Amendment::Remove => Request::Remove { offset },
            Amendment::React => Request::React { offset, name: text, on: true },
            Amendment::TakeBack => Request::React { offset, name: text, on: false },
        };
        Ok(self.request(now, call, request))
    }

    /// Notes an operation for `write_state`: a deletion, where neither `text` nor `bytes` is given. `expected` is
    /// the version that the key must have.
    ///
    /// # Errors
    /// Where the payload nests too deep; then nothing is noted any more.
    pub fn note_operation(
        &mut self,
        key: String,
        text: Option<String>,
        bytes: Option<Vec<u8>>,
        expected: Option<f64>,
        owned: bool,
    ) -> Result<(), JsValue> {
        let mut noted = std::mem::take(&mut self.ops);
        let expected = expected.map(milliseconds);
        noted.push(match (text, bytes) {
            (None, None) => StateOp::Delete { key, expected },
            (text, bytes) => {
                StateOp::Set { key, value: payload(text.unwrap_or_default(), bytes)?, expected, owned }
            }
        });
        self.ops = noted;
        Ok(())
    }

    /// Asks for what was noted, as one request.
    pub fn write_state(&mut self, now: f64, call: u32) -> Vec<u8> {
        let request = Request::State { ops: std::mem::take(&mut self.ops) };
        self.request(now, call, request)
    }

    /// # Errors
    /// Where the payload nests too deep.
    pub fn presence(
        &mut self,
        now: f64,
        call: u32,
        text: String,
        bytes: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, JsValue> {
        let request = Request::Presence { data: payload(text, bytes)? };
        Ok(self.request(now, call, request))
    }

    /// Offsets beyond what a number holds exactly stand for no bound.
    pub fn history(
        &mut self,
        now: f64,
        call: u32,
        before: Option<f64>,
        after: Option<f64>,
        limit: u32,
        tags: Vec<String>,
    ) -> Vec<u8> {
        let offset = |value: Option<f64>| value.and_then(|value| Offset::new(milliseconds(value)));
        let request =
            Request::History(History { id: 0, before: offset(before), after: offset(after), limit, tags });
        self.request(now, call, request)
    }

    pub fn cancel(&mut self, now: f64, call: u32) -> Vec<u8> {
        self.handle(now, Input::Cancelled { call: Call(call) })
    }

    pub fn token_fetched(&mut self, now: f64, attempt: u32, token: String) -> Vec<u8> {
        self.handle(now, Input::TokenFetched { attempt: Attempt(attempt), token })
    }

    pub fn token_failed(&mut self, now: f64, attempt: u32) -> Vec<u8> {
        self.handle(now, Input::TokenFailed { attempt: Attempt(attempt) })
    }

    pub fn token_refused(&mut self, now: f64, attempt: u32, reason: String) -> Vec<u8> {
        self.handle(now, Input::TokenRefused { attempt: Attempt(attempt), reason })
    }

    pub fn opened(&mut self, now: f64, attempt: u32) -> Vec<u8> {
        self.handle(now, Input::SocketOpened { attempt: Attempt(attempt) })
    }

    pub fn received(&mut self, now: f64, attempt: u32, bytes: Vec<u8>) -> Vec<u8> {
        self.handle(now, Input::FrameReceived { attempt: Attempt(attempt), frame: Frame::Binary(bytes) })
    }

    /// A text frame: a pong.
    pub fn received_text(&mut self, now: f64, attempt: u32) -> Vec<u8> {
        let frame = Frame::Text(String::new());
        self.handle(now, Input::FrameReceived { attempt: Attempt(attempt), frame })
    }

    pub fn closed(&mut self, now: f64, attempt: u32, code: u16, reason: String) -> Vec<u8> {
        self.handle(now, Input::SocketClosed { attempt: Attempt(attempt), code, reason })
    }

    pub fn network_lost(&mut self, now: f64) -> Vec<u8> {
        self.handle(now, Input::NetworkLost)
    }

    pub fn network_found(&mut self, now: f64) -> Vec<u8> {
        self.handle(now, Input::NetworkFound)
    }

    pub fn visible(&mut self, now: f64) -> Vec<u8> {
        self.handle(now, Input::BecameVisible)
    }

    pub fn timed_out(&mut self, now: f64) -> Vec<u8> {
        self.handle(now, Input::TimedOut)
    }

    fn request(&mut self, now: f64, call: u32, request: Request) -> Vec<u8> {
        self.handle(now, Input::Requested { call: Call(call), request })
    }

    fn handle(&mut self, now: f64, input: Input) -> Vec<u8> {
        let outputs = self.client.handle(milliseconds(now), input);
        pack::pack(outputs, self.client.poll_timeout())
    }
}

/// Rounds up, so that a timer that fires on the dot is not early by a fraction.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clocks are positive and below 2^53"
)]
fn milliseconds(value: f64) -> u64 {
    value.ceil() as u64
}

fn payload(text: String, bytes: Option<Vec<u8>>) -> Result<Payload, JsValue> {
    match bytes {
        Some(bytes) => Ok(Payload::Bytes(bytes)),
        None => JsonText::check(text)
            .map(Payload::Json)
            .map_err(|_| JsValue::from_str("data nests deeper than 64")),
    }
}

fn all<T>(texts: &[String], parse: fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let mut all = Vec::new();
    for text in texts {
        all.push(parse(text)?);
    }
    Some(all)
}
