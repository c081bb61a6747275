//! The module that is built and deployed: the gateway and the rooms, as [`gateway`] exports them, and which behaviors
//! the kinds of its `wrangler.toml` may name.

// Named, or the linker would leave all of it out.
use gateway as _;
use wasm_bindgen::prelude::wasm_bindgen;

/// Runs as an instance of the module begins, and again in the one that takes its place after a trap: whatever is
/// registered here is there before the first event.
#[wasm_bindgen(start)]
fn begin() {}
