//! The rooms of my-app. Pure logic: time, storage and what people say are given to it, so
//! `cargo test` runs it as it is; the crate `my-app-worker` puts it on the platform.

pub mod counter;

use room_core::behavior::Behaviors;

/// What the kinds in `wrangler.toml` may name as their `behavior`.
#[must_use]
pub fn behaviors() -> Behaviors {
    Behaviors::new().with::<counter::Counter>()
}
