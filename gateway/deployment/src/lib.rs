//! What was configured and what is bound: shared by the gateway and by the shells of its objects.
//!
//! * [`settings`]: the configuration and the secrets, parsed once an isolate.
//! * [`keyring`]: tokens verified, by keys that are fetched where they must be.
//! * [`objects`]: the one way to call an object: a request of our own making, answered within a bound.
//! * [`revocations`]: which tokens count no longer, as the directory last said.
//! * [`transaction`]: several statements, all or nothing.
//! * [`log`]: lines on the console, all of one shape.
//! * [`clock`]: time and randomness, which everything pure takes as arguments.

pub mod clock;
#[cfg(feature = "faults")]
pub mod faults;
pub mod keyring;
pub mod log;
pub mod objects;
pub mod revocations;
pub mod settings;
pub mod transaction;
pub mod webhooks;

pub use settings::{Settings, SettingsError};
