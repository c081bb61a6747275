//! The shell of a room: one Durable Object.
//!
//! Each callback of the platform becomes one [`room_core::Input`]; the room decides; [`live`] carries its outputs
//! out. Nothing else happens here: what a room *does* is in `room-core`, natively testable.
//!
//! * [`object`]: the class `Room` that the platform constructs, and its callbacks.
//! * [`live`]: the room in memory, its sockets and its deadlines; the only place that sends.
//! * [`log_sql`]: [`room_core::Storage`] on the object's SQLite.
//! * [`clock`]: time, randomness, `setTimeout`.
//! * `platform`: bindings that workers-rs lacks.
//!
//! Everything between two awaits is one step; a room is handled without any, so no other event comes in between.

mod answer;
mod clock;
mod live;
mod log_sql;
mod object;
mod platform;

pub use object::RoomObject;
