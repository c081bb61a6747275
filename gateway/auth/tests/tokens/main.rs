//! Tokens and keys, right and wrong.

mod algorithms;
mod fixtures;
mod hostile;
mod jwks;
mod keys;
mod revocation;
mod rfc7515;
mod support;
