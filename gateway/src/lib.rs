//! The router Worker: parse, authenticate, forward.
