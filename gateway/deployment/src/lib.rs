//! What was configured and what is bound: shared by the gateway and by the shells of its objects.
//!
//! * [`settings`]: the configuration and the secrets, parsed once an isolate.
//! * [`objects`]: the one way to call an object: a request of our own making, answered within a bound.
//! * [`clock`]: time and randomness, which everything pure takes as arguments.

pub mod clock;
pub mod objects;
pub mod settings;
pub mod webhooks;

pub use settings::{Settings, SettingsError};
