//! The decisions of a tenant's directory. Pure: rows come in, rows go out, the clock is an argument.
//!
//! * [`known`]: what is known of a room, and what a report makes of it. Reports carry absolute numbers, so that one that
//!   comes twice counts once and one that was lost is made good for by the next.
//! * [`push`]: telling every occupied room something, page by page, through restarts and failures.
//! * [`listing`]: one list out of the shards'.
//! * [`metrics`]: totals as Prometheus reads them.

pub mod known;
pub mod listing;
pub mod metrics;
pub mod push;
