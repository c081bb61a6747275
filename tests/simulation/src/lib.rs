//! A room and its clients in one process, from one seed.
//!
//! The cores are the ones that ship: `room-core` and `client-core`. Everything around them is played: the clock, the
//! network between ([`link`]), the platform below ([`platform`]: sockets, attachments, alarm, storage), and an
//! adversary that cuts links, freezes them half-open, puts the room to sleep, kills it between any two steps, and
//! makes commits fail. [`world::World`] takes one random step after another; [`check`] holds what every client saw
//! against what storage committed. A failing seed is a failing test: run it again and it fails the same way.

pub mod check;
pub mod link;
pub mod platform;
pub mod random;
pub mod tally;
pub mod world;

pub use tally::Tally;
pub use world::World;
