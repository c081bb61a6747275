//! No input bytes panic.
//!
//! A target is a function that takes any bytes, gives them to one of the pure crates, and checks what must hold
//! whatever they are. Its corpus is in `corpus/<target>`. Three things drive the targets: the replay in
//! `tests/replay.rs` (every `cargo test`: the corpus and seeded mutations of it), the same with `ROOMCAST_FUZZ=n`
//! for n inputs a target, and libFuzzer (`coverage`, a workspace of its own), which grew the corpora.

mod client;
mod client_frames;
mod config;
pub mod mutate;
mod payloads;
pub mod random;
mod room;
mod rows;
mod server_frames;
mod table;
mod tokens;

pub use client::client;
pub use client_frames::client_frames;
pub use config::config;
pub use payloads::payloads;
pub use room::room;
pub use rows::rows;
pub use server_frames::server_frames;
pub use tokens::tokens;

/// A target and the name of its corpus.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 8] = [
    ("client", client),
    ("client_frames", client_frames),
    ("config", config),
    ("payloads", payloads),
    ("room", room),
    ("rows", rows),
    ("server_frames", server_frames),
    ("tokens", tokens),
];

/// Between the steps of an input that is a script ([`room()`], [`client()`]): ASCII's record separator.
pub(crate) const STEP: u8 = 0x1e;

/// More steps than this are left out: what takes long finds little.
const STEPS_MAX: usize = 48;

pub(crate) fn steps(script: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let steps = script.split(|byte| *byte == STEP).filter_map(|step| step.split_first());
    steps.map(|(operation, body)| (*operation, body)).take(STEPS_MAX)
}

/// A number that a step's body says in decimal digits, or else its length.
pub(crate) fn number(body: &[u8]) -> u64 {
    str::from_utf8(body).ok().and_then(|digits| digits.trim().parse().ok()).unwrap_or(body.len() as u64)
}
