//! A room and its clients in one process, from one seed.
//!
//! The cores are the ones that ship: `room-core` and `client-core`. Everything around them is played: the clocks
//! ([`clock`]), the network between ([`link`]), the platform below ([`platform`]: sockets, attachments, alarm, storage),
//! clients of the client core and raw listeners of either codec, and an adversary. [`World`] takes one random step after
//! another; [`observer`] holds what every client saw against what storage committed ([`kept`]), and at the end the
//! world heals and is judged. A failing seed is a failing test: run it again and it fails the same way.
//!
//! To add an action, a fault or a fact that must happen: one line in the table of `actions.rs`, of `adversary.rs`, or in
//! [`expected`].

mod actions;
mod adversary;
mod amending;
mod answers;
mod asking;
mod backend;
mod backlog;
pub mod clock;
pub mod directory;
mod errands;
pub mod expected;
pub mod folding;
mod gate;
mod judge;
pub mod kept;
mod life;
pub mod link;
mod listener;
mod listening;
mod network;
pub mod observer;
mod pace;
pub mod platform;
mod player;
mod post;
pub mod random;
mod refreshing;
pub mod run;
pub mod shared;
pub mod tally;
mod time;
pub mod told;
pub mod witness;
mod world;

pub use tally::Tally;
pub use world::World;
