//! A room as a value: order, presence, recovery, tags, limits, timers. Pure.
