//! What a behavior can rely on: the rules R-BEH-*, R-CALL-* natively.

mod amending;
mod bench;
mod bounds;
mod calls;
mod edges;
mod hooks;
mod machines;
mod storing;
mod streams;
mod streams_bounds;
mod telling;
mod timers;
