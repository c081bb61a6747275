//! Token and keys and now, to claims or a refusal. Pure: no IO, and the clock is an argument.
//!
//! The story of a connection, in the order in which it is told:
//!
//! 1. [`Keys`] are read once from `ROOMCAST_KEYS`. Each pins its algorithm, so that a token's header never chooses
//!    how it is verified; it chooses among keys by `kid`, and only says what the key already says.
//! 2. [`verify`] takes a token apart strictly, checks its signature with a library (HS256 by `jwt-simple`, EdDSA by
//!    `ed25519-dalek`'s `verify_strict`), and only then believes a claim. What comes out is a [`Token`]: who, for
//!    which tenant, until when.
//! 3. [`Token::claims_for`] reads it for one room: the union of all patterns that match, or `forbidden`.
//!
//! Backends show [`ApiKeys`] in place of a token. The gateway's own [`SigningKey`] mints tokens ([`mint()`]) and is
//! trusted like a configured key.
//!
//! Architecture invariant: nothing here touches a room. Whoever fails here has cost the gateway some microseconds,
//! and no object anything.
//!
//! A token that verifies may still be [`Revocations::revoke`]d; those are the directory's to store and to tell.
//!
//! Every no is a [`Refusal`], which knows its HTTP status, its code and its close code.

mod api_keys;
mod header;
mod json;
mod keys;
mod mint;
mod pattern;
mod refusal;
mod revocation;
mod scope;
mod token;

pub use api_keys::{API_KEY_PREFIX, ApiKey, ApiKeys};
pub use keys::{KeyError, Keys, SigningKey};
pub use mint::{MintError, TTL_SECONDS_MAX, mint};
pub use refusal::{Flaw, Refusal};
pub use revocation::{Revocations, revocation};
pub use scope::{Scope, Scopes};
pub use token::{LEEWAY_MS, Token, verify};
