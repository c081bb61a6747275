//! Tokens and keys, right and wrong.

mod fixtures;
mod hostile;
mod keys;
mod revocation;
mod support;
