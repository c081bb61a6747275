//! Token and keys and now, to claims or a refusal. Pure.
