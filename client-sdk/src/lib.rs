//! The wasm-bindgen face of client-core, for `@roomcast/client`.
//!
//! One [`ClientCore`] is one room's client. [`ClientCore::handle`] takes one input of the core, whose fields come as
//! one block of bytes ([`fields`]), and returns all that the core asks for in another ([`pack`]): a JSON text, into
//! which the payloads' own JSON is copied as it stands, so that the engine's `JSON.parse` (faster than any Wasm)
//! reads everything at once; and behind it the byte strings, frames to send and payloads that are not JSON. That is
//! one crossing each way an input, no object built field by field across the boundary, and neither serde_json nor a
//! JSON reader in the module.
//!
//! The driver gives the time (`performance.now()`), the seed and the session, for this side has no clock and no
//! randomness. A panic is a trap without a word: its text would cost more than the client.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod fields;
mod json;
mod pack;
mod request;

use alloc::{string::String, vec::Vec};

use client_core::{Attempt, Call, Client, Input, Options, TokenSource};
use schemas::{Epoch, Frame, Offset, Position, RoomName, Session};
use wasm_bindgen::prelude::*;

use crate::fields::{Fields, Wrong};

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// Asks where the client got to, and changes nothing.
const POSITION: u8 = 14;

/// A room's client; nothing until the input that brings its options.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct ClientCore(Option<Client>);

#[wasm_bindgen]
impl ClientCore {
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> ClientCore {
        ClientCore(None)
    }

    /// `input` is one of those in `client-sdk/ts/src/core.ts`, `number` the attempt or the call that it is about.
    /// `now` is whole, rounded up, so that a timer that fires on the dot is not early by a fraction.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clocks are positive")]
    pub fn handle(&mut self, now: f64, input: u8, number: u32, bytes: Vec<u8>) -> Vec<u8> {
        let now = now as u64;
        let Some(client) = &mut self.0 else {
            return match client(now, Fields(&bytes)) {
                Ok(client) => pack::pack(Default::default(), self.0.insert(client).poll_timeout()),
                Err(wrong) => pack::wrong(wrong),
            };
        };
        if input == POSITION {
            return pack::position(client.position());
        }
        match read(input, number, bytes) {
            Ok(input) => pack::pack(client.handle(now, input), client.poll_timeout()),
            Err(wrong) => pack::wrong(wrong),
        }
    }
}

fn client(now: u64, mut fields: Fields<'_>) -> Result<Client, Wrong> {
    let seed = fields.float().to_bits();
    let options = Options {
        room: fields.text().and_then(RoomName::parse).ok_or(RoomName::SHAPE)?,
        session: fields.text().and_then(Session::parse).ok_or(Session::SHAPE)?,
        token: if fields.truth() { TokenSource::Function } else { TokenSource::None },
        position: position(&mut fields),
        rewind: fields.number().map(|rewind| rewind as u32),
        tags: fields.strings(),
        presence: fields.payload()?,
        members: fields.truth(),
        fallback: fields.truth(),
    };
    Ok(Client::new(now, seed, options))
}

/// An epoch, or none; and the offset.
fn position(fields: &mut Fields<'_>) -> Option<Position> {
    let (epoch, offset) = (fields.text().and_then(Epoch::parse), fields.number().and_then(Offset::new));
    Some(Position { epoch: epoch?, offset: offset? })
}

fn read(input: u8, number: u32, bytes: Vec<u8>) -> Result<Input, Wrong> {
    let (attempt, call) = (Attempt(number), Call(number));
    let mut fields = Fields(&bytes);
    Ok(match input {
        0 => Input::TimedOut,
        1 => Input::JoinRequested,
        2 => Input::LeaveRequested,
        3 => Input::NetworkLost,
        4 => Input::NetworkFound,
        5 => Input::BecameVisible,
        6 => Input::Cancelled { call },
        7 => Input::TokenFetched { attempt, token: fields.string().unwrap_or_default() },
        8 => Input::TokenFailed { attempt },
        9 => Input::TokenRefused { attempt, reason: fields.string().unwrap_or_default() },
        10 => Input::SocketOpened { attempt },
        11 => Input::FrameReceived { attempt, frame: Frame::Binary(bytes) },
        // The one text there is: a pong.
        12 => Input::FrameReceived { attempt, frame: Frame::Text(String::new()) },
        13 => {
            let code = fields.number().unwrap_or(0) as u16;
            Input::SocketClosed { attempt, code, reason: fields.string().unwrap_or_default() }
        }
        _ => Input::Requested { call, request: request::read(input, fields)? },
    })
}
