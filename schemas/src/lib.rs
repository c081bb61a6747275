//! The wire and nothing else.
//!
//! Everything that the gateway, a room and a client say to one another: the messages of both directions
//! ([`ClientMessage`], [`ServerMessage`]), the ids and positions in them, the codes that end them, the claims a
//! token carries, the configuration a team writes. No behaviour lives here but encoding, decoding and checking.
//!
//! A *frame* is one WebSocket message and carries one or more protocol messages ([`codec`]). A *payload* is what
//! the application sends; it is checked once, on entry, and never interpreted ([`payload`]).
#![cfg_attr(not(feature = "json"), no_std)]

extern crate alloc;

pub mod claims;
pub mod client_message;
pub mod codec;
pub mod codes;
#[cfg(feature = "json")]
pub mod config;
#[cfg(feature = "json")]
pub mod directory;
#[cfg(feature = "json")]
pub mod http;
pub mod ids;
pub mod limits;
mod named;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod payload;
pub mod position;
#[cfg(feature = "json")]
pub mod rates;
mod request_error;
pub mod revocation;
pub mod server_message;
#[cfg(feature = "ts")]
pub mod typescript;
#[cfg(feature = "json")]
pub mod webhook;

pub use claims::{Capabilities, Capability, Claims};
pub use client_message::ClientMessage;
pub use codec::{Codec, Frame};
pub use codes::{CloseCode, ErrorCode};
pub use ids::{ConnectionId, PublicSession, RoomName, Session, Tenant, TokenId, UserId};
pub use payload::Payload;
pub use position::{Epoch, Offset, Position};
pub use revocation::{Bearer, Revocation, Revoked};
pub use server_message::ServerMessage;
