//! Token and keys and now, to claims or a refusal. Pure: no IO, and the clock is an argument.
//!
//! The story of a connection, in the order in which it is told:
//!
//! 1. [`Keys`] are read once from `ROOMCAST_KEYS`. Each pins its algorithm, so that a token's header never chooses
//!    how it is verified; it chooses among keys by `kid`, and only says what the key already says. Issuers publish
//!    theirs: [`Refusal::Unready`] tells that a set must be fetched, [`Keys::fetch`] who does it, and
//!    [`Keys::fetched`] takes it.
//! 2. [`verify`] takes a token apart strictly, checks its signature with a library of RustCrypto's or dalek's, and
//!    only then believes a claim. What comes out is a [`Token`]: who, for which tenant, until when.
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

mod algorithm;
mod api_keys;
mod header;
mod issuer;
mod json;
mod jwk;
mod key_config;
mod keys;
mod material;
mod mint;
mod pattern;
mod refusal;
mod revocation;
mod scope;
mod signing_key;
mod token;

pub use api_keys::{API_KEY_PREFIX, ApiKey, ApiKeys};
pub use issuer::{
    Fetch, JWKS_FETCH_MS, JWKS_FIRST_RETRY_MS, JWKS_FRESH_MS, JWKS_STALE_RETRY_MS, JWKS_UNKNOWN_KID_MS,
    Wanted,
};
pub use jwk::{JWKS_BYTES_MAX, JWKS_KEYS_MAX, JwksError};
pub use keys::{KeyError, Keys};
pub use mint::{MintError, TTL_SECONDS_MAX, mint};
pub use refusal::{Flaw, Refusal};
pub use revocation::{Revocations, revocation};
pub use scope::{Scope, Scopes};
pub use signing_key::SigningKey;
pub use token::{LEEWAY_MS, Token, verify};
