//! Roomcast for Rust: bots, tests, load. The state machine is the browser's ([`client_core`]): it reconnects with
//! backoff, recovers what was missed, and says where it could not.
//!
//! ```no_run
//! use roomcast_client::{Event, Roomcast};
//!
//! # async fn run() -> Result<(), roomcast_client::Error> {
//! let client = Roomcast::new("https://rooms.example")?.token(|room| async move { Ok(fetch_token(room)) });
//! let (room, mut events) = client.room("chat:lobby")?.rewind(50).open();
//! room.join().await?;
//! room.publish("message", &serde_json::json!({ "text": "hello" })).await?;
//! while let Some(event) = events.next().await {
//!     match event {
//!         Event::Published(publication) => println!("{}: {:?}", publication.offset.value(), publication.data),
//!         Event::Gap { reason } => println!("something is missing: {reason:?}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! # fn fetch_token(room: roomcast_client::RoomName) -> String { room.to_string() }
//! ```
//!
//! [`Room`] is the handle: it may be cloned, and asks. [`Events`] is what happens, in order. Between them and the
//! socket stands one task for each room ([`driver`]), which decides nothing.

mod call;
mod driver;
mod error;
mod events;
mod publish;
mod room;
mod roomcast;
mod socket;

pub use call::Chunks;
pub use client_core::{Client as Core, Event, Failure, Me, Request, SharedState, Status};
pub use error::{Error, TokenError};
pub use events::Events;
pub use publish::PublishRequest;
pub use room::Room;
pub use roomcast::{RoomBuilder, Roomcast};
pub use schemas::{
    ConnectionId, Epoch, ErrorCode, Offset, Payload, Position, PublicSession, RoomName, UserId,
    client_message::{History, StateOp, To},
    server_message::{
        Amended, Author, Ephemeral, HistoryPage, Member, Occupancy, PresenceDiff, Publication, Published,
        RequestError, RequestResult, StateChange, StateEntry, StateVersion,
    },
};
