//! Faults on command, for tests: compiled in by the feature `faults` alone, which no deployed module has.

use std::cell::Cell;

use crate::objects::DIRECTORY;

thread_local! {
    static IS_DIRECTORY_LOST: Cell<bool> = const { Cell::new(false) };
    static AHEAD_MS: Cell<u64> = const { Cell::new(0) };
}

/// Whether directories are out of reach from now on.
pub fn lose_directory(is_lost: bool) {
    IS_DIRECTORY_LOST.set(is_lost);
}

pub(crate) fn is_lost(namespace: &str) -> bool {
    IS_DIRECTORY_LOST.get() && namespace == DIRECTORY
}

/// The clock goes on so many milliseconds later.
pub fn jump_ahead(ms: u32) {
    AHEAD_MS.set(AHEAD_MS.get() + u64::from(ms));
}

pub(crate) fn ahead_ms() -> u64 {
    AHEAD_MS.get()
}
