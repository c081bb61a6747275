//! What tests from outside stand on: a real workerd a test, clients that know the contract's page alone, and an
//! observer that judges a run by what those clients saw.
//!
//! Nothing here uses the wire types of crate `schemas`. Nothing sleeps in place of synchronisation: tests wait on
//! conditions that they observe, each with a deadline that is far beyond what a slow machine needs.

pub mod browser;
pub mod client;
pub mod config;
pub mod events;
pub mod http;
pub mod issuer;
pub mod keys;
pub mod lines;
pub mod log;
pub mod matrix;
pub mod observer;
pub mod proxy;
pub mod raw_socket;
pub mod receiver;
pub mod roster;
pub mod server;
pub mod talker;
pub mod tokens;
pub mod wire;

use anyhow::{Result, bail};
use std::time::Duration;
use tokio::time::Instant;

/// How long anything that should happen may take; not a statement about speed.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Asks `probe` again and again until it finds something.
pub async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + DEADLINE;
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    while Instant::now() < deadline {
        pace.tick().await;
        if let Some(found) = probe().await? {
            return Ok(found);
        }
    }
    bail!("{what}: not within {DEADLINE:?}")
}
