//! A room as a value.
//!
//! [`Room`] is one order of publications, one set of members and the connections that see them. It is pure: time,
//! randomness, sockets and SQL are arguments. The shell (a Durable Object in `room-do`, the simulation in `tests`)
//! turns each event of the platform into one [`Input`], calls [`Room::handle`], and carries out the [`Output`]s.
//!
//! # Life of a publish
//! A frame is [`Input::Received`]; its messages are decoded, checked and *staged*. Staging sets the `turn` deadline;
//! when the event-loop turn is over the shell says [`Input::TurnEnded`] and the room *flushes* (a quiet room does so
//! at once): offsets are assigned, everything staged is committed in one transaction ([`Storage::commit`]), and only
//! then are replies and publications encoded (once a codec), joined to one frame a connection, and sent. What fails
//! to commit is refused, delivered to nobody, and burns no offset.
//!
//! # Life of a member
//! A session's first welcome makes it a member, a row in storage. A lost connection starts its *grace*; a return
//! within it changes nothing that others see; its end, `leave` and a close with 1000 end the membership.
//!
//! # What holds at every step
//! * The room can be rebuilt from its rows and its sockets' attachments: [`Room::restore`], which only reads.
//! * Offsets are dense within an epoch; the head never moves back.
//! * Nothing is delivered or answered before it is committed.
//! * Input cannot panic; an assertion on our own contradiction may.

mod access;
mod amend;
mod asked;
mod attachment;
mod attendance;
mod backlog;
mod behaving;
pub mod behavior;
mod blocks;
mod complaints;
mod connection;
mod decide;
mod delivery;
mod flush;
mod hello;
mod history;
mod hooks;
mod input;
mod keys;
pub mod lifecycle;
mod log;
pub mod outbox;
mod output;
mod presence;
mod rates;
mod recovery;
mod report;
mod requests;
mod room;
mod session;
mod shared_state;
mod staging;
pub mod storage;
mod tally;
mod timer;
mod upkeep;

pub use attachment::{ATTACHMENT_BYTES_MAX, Attachment, Buckets};
pub use input::{Input, RequestId, TokenRefusal};
pub use output::{Output, Outputs};
pub use presence::MemberRow;
pub use room::{Room, Setup, Waking};
pub use session::public_session;
pub use storage::{Record, Row, Storage, StorageError};
pub use timer::{Deadline, Deadlines, Timer};
