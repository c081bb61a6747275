//! How long to wait before the next attempt: full jitter, a random time in `[0, min(cap, base · 2^failures)]`, so
//! that clients thrown off together do not come back together.

/// The most that a first retry waits.
pub const BASE_MS: u64 = 500;
/// The most that any retry waits.
pub const CAP_MS: u64 = 20_000;
/// A connection that lived so long after its welcome was a good one: the next loss starts over.
pub const STABLE_AFTER_MS: u64 = 5_000;
/// Hints never bring an attempt closer to the one before than this.
pub const SPACING_MS: u64 = 1_000;

#[derive(Debug, Clone)]
pub struct Backoff {
    failures: u32,
    random: Random,
}

impl Backoff {
    #[must_use]
    pub fn new(seed: u64) -> Backoff {
        Backoff { failures: 0, random: Random(seed) }
    }

    /// Another wait of its own, whose times are not this one's.
    #[must_use]
    pub fn split(&mut self) -> Backoff {
        Backoff::new(self.random.below(u64::MAX))
    }

    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure.
    pub fn delay(&mut self) -> u64 {
        let ceiling = CAP_MS.min(BASE_MS << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        self.random.below(ceiling + 1)
    }

    /// The wait where the server said that it is overloaded: the upper half of the longest.
    pub fn slow_delay(&mut self) -> u64 {
        self.failures = self.failures.saturating_add(1);
        CAP_MS / 2 + self.random.below(CAP_MS / 2 + 1)
    }
}

/// SplitMix64: one word of state, any seed will do.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ (word >> 31)) % bound
    }
}
