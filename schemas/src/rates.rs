//! How fast is too fast: GCRA, the same for a connection in its room and for a caller of the gateway.
//!
//! A bucket holds `burst` tokens and is filled at `per_second`. What is kept of it is one number: when it will be full
//! again.

use serde::{Deserialize, Serialize};

use crate::config::Rate;

/// What somebody may still ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bucket {
    /// Microseconds since 1970.
    full_at_us: u64,
}

impl Bucket {
    /// Takes one token.
    ///
    /// # Errors
    /// In how many milliseconds there will be one.
    pub fn take(&mut self, now: u64, rate: Rate) -> Result<(), u64> {
        self.take_up_to(1, now, rate).map(drop)
    }

    /// Takes as many tokens as there are, at most `wanted`. Returns how many: at least one.
    ///
    /// # Errors
    /// In how many milliseconds there will be one.
    pub fn take_up_to(&mut self, wanted: u32, now: u64, rate: Rate) -> Result<u32, u64> {
        let now_us = now * 1_000;
        let token_us = 1_000_000 / u64::from(rate.per_second);
        let capacity_us = token_us * u64::from(rate.burst);
        // Never emptier than empty: a clock that went back does not block anyone for long.
        self.full_at_us = self.full_at_us.clamp(now_us, now_us + capacity_us);
        let left_us = now_us + capacity_us - self.full_at_us;
        let taken = (left_us / token_us).min(u64::from(wanted));
        if taken == 0 {
            return Err((token_us - left_us).div_ceil(1_000));
        }
        self.full_at_us += taken * token_us;
        Ok(u32::try_from(taken).unwrap_or(wanted))
    }

    /// The clock went back by so much.
    pub fn step_back(&mut self, by_ms: u64) {
        self.full_at_us = self.full_at_us.saturating_sub(by_ms * 1_000);
    }

    /// When it is full again, in milliseconds since 1970.
    #[must_use]
    pub fn full_at(self) -> u64 {
        self.full_at_us / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 10, burst: 5 };
    const NOW: u64 = 1_800_000_000_000;

    fn taken(bucket: &mut Bucket, now: u64) -> u32 {
        (0..1_000).take_while(|_| bucket.take(now, RATE).is_ok()).count() as u32
    }

    #[test]
    fn r_rate_1_a_burst_then_the_rate() {
        let mut bucket = Bucket::default();
        assert_eq!(taken(&mut bucket, NOW), 5);
        assert_eq!(bucket.take(NOW, RATE), Err(100));
        assert_eq!(bucket.take(NOW + 99, RATE), Err(1));
        assert_eq!(taken(&mut bucket, NOW + 100), 1);
        assert_eq!(taken(&mut bucket, NOW + 10_000), 5, "never more than the burst");
    }

    #[test]
    fn r_rate_1_a_clock_that_steps_back_blocks_nobody_for_long() {
        let mut bucket = Bucket::default();
        taken(&mut bucket, NOW);
        let earlier = NOW - 3_600_000;
        assert_eq!(bucket.take(earlier, RATE), Err(100));
        assert_eq!(taken(&mut bucket, earlier + 500), 5);
    }

    #[test]
    fn r_lim_1_several_at_once_are_as_many_one_by_one() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take_up_to(3, NOW, RATE), Ok(3));
        assert_eq!(bucket.take_up_to(3, NOW, RATE), Ok(2));
        assert_eq!(bucket.take_up_to(3, NOW, RATE), Err(100));
        assert_eq!(bucket.take_up_to(3, NOW + 250, RATE), Ok(2));
        assert_eq!(bucket.take_up_to(9, NOW + 300, RATE), Ok(1));
    }
}
