//! The wasm-bindgen face of client-core, for @roomcast/client.
