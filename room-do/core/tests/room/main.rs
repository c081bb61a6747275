//! Scenarios of a room: inputs on one side, what each connection was sent on the other.

mod asked;
mod attachment;
mod blocks;
mod clock;
mod connection;
mod economy;
mod edges;
mod edits;
mod folding;
mod keys;
mod lifecycle;
mod presence;
mod publish;
mod rates;
mod reactions;
mod recovery;
mod refresh;
mod reporting;
mod reports;
mod slow;
mod state;
mod support;
mod tags;
mod upkeep;
mod webhooks;
mod webhooks_random;
