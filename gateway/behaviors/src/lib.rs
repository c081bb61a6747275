//! The behaviors of the rooms that are deployed from this repository, in one place: the module (`roomcast-worker`) is
//! registered with them, and `cargo xtask` writes their types and holds `wrangler.toml` against their names.

use room_core::behavior::Behaviors;

/// What a kind's `behavior` may name.
#[must_use]
pub fn all() -> Behaviors {
    Behaviors::new().with::<poll_behavior::Poll>()
}
