//! Players for an arena, by the dozen: each is a client of its own, as a person's page is.
//!
//! [`bot`] is one player's stay in a room, and asks [`game_behavior::brain`] what to want; [`tokens`] lets them in.

pub mod bot;
pub mod tokens;
