//! Frames: one WebSocket message carries one or more protocol messages.
//!
//! JSON as text, one message a line; MessagePack as binary, values one after another, maps with named keys. An
//! encoded message is a *fragment*, and a batch is fragments one after another ([`join`]): so what goes to many is
//! encoded once a codec.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

#[cfg(feature = "json")]
use crate::{client_message::ClientMessage, server_message::ServerMessage};

#[cfg(feature = "json")]
mod client_fields;
#[cfg(feature = "json")]
mod server_fields;

#[cfg(feature = "json")]
pub use client_fields::Refusal;

/// How a connection writes its messages, chosen by the WebSocket subprotocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Codec {
    Json,
    Msgpack,
}

impl Codec {
    #[cfg(feature = "json")]
    pub const ALL: [Codec; 2] = [Codec::Json, Codec::Msgpack];

    #[must_use]
    pub fn subprotocol(self) -> &'static str {
        match self {
            Codec::Json => "roomcast.v1.json",
            Codec::Msgpack => "roomcast.v1.msgpack",
        }
    }

    #[must_use]
    pub fn from_subprotocol(name: &str) -> Option<Codec> {
        match name {
            "roomcast.v1.json" => Some(Codec::Json),
            "roomcast.v1.msgpack" => Some(Codec::Msgpack),
            _ => None,
        }
    }
}

/// One WebSocket message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Text(String),
    Binary(Vec<u8>),
}

impl Frame {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Frame::Text(text) => text.len(),
            Frame::Binary(bytes) => bytes.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The prefix of the subprotocol that carries a browser's token.
pub const TOKEN_SUBPROTOCOL_PREFIX: &str = "roomcast.token.";

/// Encodes one message as a fragment.
///
/// # Panics
/// Never on what the types can hold: a payload was checked to be JSON, and writing to memory does not fail.
#[cfg(feature = "json")]
#[must_use]
pub fn encode<T: Serialize>(codec: Codec, message: &T) -> Vec<u8> {
    match codec {
        Codec::Msgpack => rmp_serde::to_vec_named(message).expect("wire types are MessagePack maps"),
        Codec::Json => serde_json::to_vec(message).expect("wire types are JSON objects"),
    }
}

/// Fragments of one codec as one frame.
///
/// # Panics
/// Where JSON fragments are not UTF-8, which [`encode`] never makes.
#[cfg(feature = "json")]
#[must_use]
pub fn join<'a>(codec: Codec, fragments: impl IntoIterator<Item = &'a [u8]>) -> Frame {
    let mut bytes = Vec::new();
    for fragment in fragments {
        if codec == Codec::Json && !bytes.is_empty() {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(fragment);
    }
    match codec {
        Codec::Json => Frame::Text(String::from_utf8(bytes).expect("JSON fragments are UTF-8")),
        Codec::Msgpack => Frame::Binary(bytes),
    }
}

/// Reads the messages of a client's frame: each is a message, or the refusal that its sender gets. A frame of the
/// other codec is one `bad_request`.
#[cfg(feature = "json")]
pub fn decode_client(codec: Codec, frame: &Frame) -> Vec<Result<ClientMessage, Refusal>> {
    match (codec, frame) {
        (Codec::Json, Frame::Text(text)) => text
            .split('\n')
            .filter(|line| !line.trim_ascii().is_empty())
            .map(client_fields::read_json)
            .collect(),
        (Codec::Msgpack, Frame::Binary(bytes)) => client_fields::read_msgpack(bytes),
        (Codec::Json, Frame::Binary(_)) => {
            vec![Err(Refusal::malformed("this connection speaks JSON, as text"))]
        }
        (Codec::Msgpack, Frame::Text(_)) => {
            vec![Err(Refusal::malformed("this connection speaks MessagePack, as binary"))]
        }
    }
}

#[cfg(feature = "json")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the server's message cannot be read: {0}")]
pub struct ServerDecodeError(String);

/// Reads the messages of a server's frame. A message whose `t` this version does not know is skipped.
///
/// # Errors
/// When a message cannot be read; those before it are lost with it, since the connection is of no more use.
#[cfg(feature = "json")]
pub fn decode_server(frame: &Frame) -> Result<Vec<ServerMessage>, ServerDecodeError> {
    match frame {
        Frame::Binary(bytes) => server_fields::read_msgpack(bytes),
        Frame::Text(text) => {
            text.split('\n').map(server_fields::read_json).filter_map(Result::transpose).collect()
        }
    }
}
