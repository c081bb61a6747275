//! The game without a room: worlds, frames, lobbies and rounds.

mod brain;
mod cheats;
mod frames;
mod golden;
mod lobby;
mod queue;
mod room;
mod support;
mod world;
