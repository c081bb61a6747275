//! Bindings that workers-rs 0.8.7 lacks.

pub(crate) mod auto_response;
pub(crate) mod socket;
pub(crate) mod timeout;
