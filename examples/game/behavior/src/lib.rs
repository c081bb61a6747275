//! Wet Paint: up to 24 players walk over a floor and leave their colour; whoever dashes into another bumps them, and
//! has the spot. After 75 seconds the most tiles win.
//!
//! [`game`] is the room's behavior; the rest knows no room: [`world`] is the game, [`round`] its phases, [`lobby`] who
//! plays, [`frame`] what a client is told a tick, [`brain`] a bot's mind.

pub mod brain;
pub mod floor;
pub mod frame;
pub mod game;
pub mod lobby;
pub mod motion;
pub mod queue;
pub mod random;
pub mod round;
pub mod view;
pub mod world;

pub use game::Game;
