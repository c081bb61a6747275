//! Players for an arena, by the dozen: each is a client of its own, as a person's page is.
//!
//! [`brain`] decides what to want, [`bot`] is one player's stay in a room, [`tokens`] lets them in.

pub mod bot;
pub mod brain;
pub mod tokens;
