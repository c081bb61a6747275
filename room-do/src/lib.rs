//! The shell of a room: one Durable Object.
//!
//! Each callback of the platform becomes one [`room_core::Input`]; the room decides; [`live`] carries its outputs
//! out. Nothing else happens here: what a room *does* is in `room-core`, natively testable.
//!
//! * [`object`]: the class `Room` that the platform constructs, and its callbacks.
//! * [`live`]: the room in memory, and its deadlines.
//! * `behaviors`: which there are, of which a kind's configuration names one.
//! * `chunks`: answers that come chunk by chunk.
//! * [`courier`]: posts to webhook endpoints.
//! * [`log`]: its lines on the console.
//! * [`peers`]: its sockets; the only place that sends.
//! * [`sql`]: [`room_core::Storage`] on the object's SQLite.
//! * `directory`: the way to the tenant's directory, which is told where the room stands.
//! * `platform`: bindings that workers-rs lacks.
//!
//! Everything between two awaits is one step; a room is handled without any, so no other event comes in between.

mod answer;
mod behaviors;
mod chunks;
mod courier;
mod directory;
#[cfg(feature = "faults")]
mod faults;
mod live;
mod log;
mod object;
mod peers;
mod platform;
mod sql;
mod verify;

pub use behaviors::register;
pub use object::RoomObject;
