//! Rooms in memory, for applications' own tests (`@roomcast/client/testing`).
//!
//! A [`MemoryRoom`] is the very [`room_core::Room`] that a deployment runs, over storage in memory. JavaScript is the
//! platform: it gives the time (milliseconds since 1970) and the randomness, tells what happens to sockets, and
//! carries out what each method returns, in order:
//!
//! ```text
//! ["send", connections, frame]           frame: a string or a Uint8Array
//! ["close", connection, code, reason]
//! ["answer", request, result, error]     JSON texts of which one is null
//! ["verify", connection, request, token]
//! ```
//!
//! What goes to the directory and to webhook endpoints goes nowhere: no room here has any.

use std::collections::BTreeMap;

use js_sys::{Array, Uint8Array};
use room_core::{
    Attachment, Input, Output, RequestId, Room, Setup, TokenRefusal, Waking, outbox::Webhooks,
    storage::MemoryStorage,
};
use schemas::{
    Claims, Codec, ConnectionId, ErrorCode, Frame, RoomName,
    config::{Config, KindConfig},
    directory::Reported,
    http::RoomCall,
};
use wasm_bindgen::prelude::*;

/// One room, its storage and its sockets' attachments.
#[wasm_bindgen]
#[derive(Debug)]
pub struct MemoryRoom {
    setup: Setup,
    room: Room,
    storage: MemoryStorage,
    sockets: BTreeMap<ConnectionId, Vec<u8>>,
    seed: u64,
}

#[wasm_bindgen]
impl MemoryRoom {
    /// `configuration` is what `vars.roomcast` is in a `wrangler.toml`, as JSON.
    ///
    /// # Errors
    /// A sentence with the path of what is wrong.
    #[wasm_bindgen(constructor)]
    pub fn new(now: f64, seed: f64, name: &str, configuration: &str) -> Result<MemoryRoom, JsValue> {
        let name = RoomName::parse(name).ok_or(RoomName::SHAPE)?;
        let config = kind_of(&name, configuration)?;
        let setup = Setup { name, config, asks_acks: false, webhooks: Webhooks::none(), behavior: None };
        let storage = MemoryStorage::default();
        let seed = seed.to_bits();
        let room =
            Room::restore(whole(now), seed, setup.clone(), storage.load(), Vec::new(), Waking::FromSleep);
        Ok(MemoryRoom { setup, room, storage, sockets: BTreeMap::new(), seed })
    }

    /// A socket was accepted. `connection` is 14 hex digits of fresh randomness, `claims` JSON.
    ///
    /// # Errors
    /// A sentence that says which argument is not of its shape.
    pub fn open(
        &mut self,
        now: f64,
        connection: &str,
        is_json: bool,
        claims: &str,
    ) -> Result<Array, JsValue> {
        let connection = id(connection)?;
        let codec = if is_json { Codec::Json } else { Codec::Msgpack };
        let claims = read::<Claims>(claims)?;
        Ok(self.handle(now, Input::Opened { connection, codec, claims }))
    }

    /// # Errors
    /// Where there is no such connection.
    pub fn receive(&mut self, now: f64, connection: &str, frame: Vec<u8>) -> Result<Array, JsValue> {
        let frame = Frame::Binary(frame);
        Ok(self.handle(now, Input::Received { connection: id(connection)?, frame }))
    }

    /// # Errors
    /// Where there is no such connection.
    pub fn receive_text(&mut self, now: f64, connection: &str, frame: String) -> Result<Array, JsValue> {
        let frame = Frame::Text(frame);
        Ok(self.handle(now, Input::Received { connection: id(connection)?, frame }))
    }

    /// # Errors
    /// Where there is no such connection.
    pub fn closed(&mut self, now: f64, connection: &str, code: u16) -> Result<Array, JsValue> {
        let connection = id(connection)?;
        self.sockets.remove(&connection);
        Ok(self.handle(now, Input::Closed { connection, code }))
    }

    /// A backend asks: `call` is a [`RoomCall`] as JSON.
    ///
    /// # Errors
    /// A sentence that says what of the call cannot be read.
    pub fn ask(&mut self, now: f64, request: u32, call: &str) -> Result<Array, JsValue> {
        let call = read::<RoomCall>(call)?;
        Ok(self.handle(now, Input::Asked { request: RequestId(request.into()), call }))
    }

    /// What a token is worth: claims as JSON, or a sentence that says why it is refused.
    ///
    /// # Errors
    /// A sentence that says which argument is not of its shape.
    pub fn verified(
        &mut self,
        now: f64,
        connection: &str,
        request: u32,
        claims: Option<String>,
        refusal: String,
    ) -> Result<Array, JsValue> {
        let refused =
            || TokenRefusal { code: ErrorCode::Unauthorized, reason: "unauthorized", message: refusal };
        let result = match claims {
            Some(claims) => Ok(read::<Claims>(&claims)?),
            None => Err(refused()),
        };
        Ok(self.handle(now, Input::Verified { connection: id(connection)?, request, result }))
    }

    /// When to call [`MemoryRoom::wake`]; asked anew after each call.
    #[must_use]
    pub fn due(&self) -> Option<f64> {
        let deadlines = self.room.poll_timeout();
        let due = [deadlines.turn, deadlines.durable].into_iter().flatten().map(|deadline| deadline.at).min();
        due.map(|at| at as f64)
    }

    /// The time of [`MemoryRoom::due`] has come. Coming early does no harm.
    pub fn wake(&mut self, now: f64) -> Array {
        let deadlines = self.room.poll_timeout();
        let is_due = |at: Option<u64>| at.is_some_and(|at| at <= whole(now));
        let mut told = Array::new();
        if is_due(deadlines.durable.map(|deadline| deadline.at)) {
            told = self.handle(now, Input::AlarmFired { heard: self.heard(now) });
        }
        if is_due(deadlines.turn.map(|deadline| deadline.at)) {
            told = told.concat(&self.handle(now, Input::TurnEnded));
        }
        told
    }

    /// Forgets all that is not stored, and is rebuilt: after sleep, or after a fault.
    pub fn restart(&mut self, now: f64, after_fault: bool) -> Array {
        self.seed = self.seed.wrapping_add(1);
        let attachment = |bytes: &Vec<u8>| Attachment::decode(bytes);
        let sockets = self.sockets.iter().map(|(id, bytes)| (*id, attachment(bytes))).collect();
        let waking = if after_fault { Waking::FromFault } else { Waking::FromSleep };
        self.room =
            Room::restore(whole(now), self.seed, self.setup.clone(), self.storage.load(), sockets, waking);
        self.handle(now, Input::TurnEnded)
    }

    fn handle(&mut self, now: f64, input: Input) -> Array {
        let told = Array::new();
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for output in self.room.handle(whole(now), input, &mut self.storage) {
                self.apply(output, &told, &mut inputs);
            }
        }
        told
    }

    fn apply(&mut self, output: Output, told: &Array, inputs: &mut Vec<Input>) {
        match output {
            Output::Attach { connection, attachment } => {
                self.sockets.insert(connection, attachment);
            }
            Output::Broadcast { connections, frame } => {
                let connections: Array = connections.iter().map(named).collect();
                let frame = match frame {
                    Frame::Text(text) => JsValue::from(text),
                    Frame::Binary(bytes) => Uint8Array::from(bytes.as_slice()).into(),
                };
                told.push(&entry("send", [connections.into(), frame]));
            }
            Output::Close { connection, code, reason } => {
                self.sockets.remove(&connection);
                let reason = reason.unwrap_or_else(|| code.reason().to_owned());
                told.push(&entry("close", [named(&connection), code.code().into(), reason.into()]));
            }
            Output::Verify { connection, request, token } => {
                let token = token.0.into();
                told.push(&entry("verify", [named(&connection), request.into(), token]));
            }
            Output::Answer { request, result } => {
                let (result, error) = match result {
                    Ok(result) => (json(&result), JsValue::NULL),
                    Err(error) => (JsValue::NULL, json(&error)),
                };
                told.push(&entry("answer", [(request.0 as f64).into(), result, error]));
            }
            Output::Report(_) => {
                inputs.push(Input::Reported { answer: Some(Reported { revocations: Vec::new() }) });
            }
            // No room here has methods.
            Output::Stream { .. } | Output::Chunk { .. } | Output::Cut { .. } | Output::Failed { .. } => {}
            // Nobody subscribes.
            Output::Deliver { .. } | Output::Park { .. } => {}
        }
    }

    /// Sockets in memory are never dead without a word.
    fn heard(&self, now: f64) -> Vec<(ConnectionId, u64)> {
        self.sockets.keys().map(|id| (*id, whole(now))).collect()
    }
}

fn kind_of(name: &RoomName, configuration: &str) -> Result<KindConfig, JsValue> {
    let config = Config::parse(configuration).map_err(|error| JsValue::from(error.to_string()))?;
    let kind = config.kinds.into_iter().find(|(kind, _)| kind.as_str() == name.kind());
    let (_, config) = kind.ok_or_else(|| JsValue::from(format!("no kind is called {:?}", name.kind())))?;
    Ok(config)
}

fn id(text: &str) -> Result<ConnectionId, JsValue> {
    ConnectionId::parse(text).ok_or_else(|| "a connection is 14 hex digits".into())
}

fn named(id: &ConnectionId) -> JsValue {
    id.to_string().into()
}

fn read<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, JsValue> {
    serde_json::from_str(json).map_err(|error| error.to_string().into())
}

fn json(value: &impl serde::Serialize) -> JsValue {
    match serde_json::to_string(value) {
        Ok(text) => text.into(),
        Err(error) => JsValue::from(format!("{{\"code\":\"internal\",\"message\":{:?}}}", error.to_string())),
    }
}

fn entry<const N: usize>(name: &str, values: [JsValue; N]) -> Array {
    std::iter::once(JsValue::from(name)).chain(values).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clocks are positive and below 2^53"
)]
fn whole(value: f64) -> u64 {
    value.ceil() as u64
}
