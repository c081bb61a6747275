//! The platform below a room, as it was seen to behave: attachments live with their sockets, storage outlives the
//! process, the alarm is one and persisted, sleep loses memory alone, a trap loses memory and what was to leave, a
//! kill loses all but storage.

mod object;
mod recorder;

pub use object::{Before, Fate, Lost, Object, Trap};
pub use recorder::Recorder;
