//! The object's side: buckets.

use std::collections::BTreeMap;

use schemas::rates::Bucket;

use crate::{Ask, Grant, Subject};

/// Callers that are remembered. At the bound those go that may ask for everything again, then any.
const SUBJECTS_MAX: usize = 100_000;
const SWEEP_EVERY_MS: u64 = 1_000;

/// In memory alone: a bucket is full again within 10 s, and an object that nobody asked for so long may forget it.
#[derive(Debug, Default)]
pub struct Limiter {
    buckets: BTreeMap<Subject, Bucket>,
    now: u64,
    swept_at: u64,
}

impl Limiter {
    pub fn ask(&mut self, ask: &Ask, now: u64) -> Grant {
        if now < self.now {
            let by_ms = self.now - now;
            self.buckets.values_mut().for_each(|bucket| bucket.step_back(by_ms));
        }
        self.now = now;
        if self.buckets.len() >= SUBJECTS_MAX && !self.buckets.contains_key(&ask.subject) {
            // Looking at all of them is not for each request of a flood.
            if now >= self.swept_at + SWEEP_EVERY_MS || now < self.swept_at {
                self.swept_at = now;
                self.buckets.retain(|_, bucket| bucket.full_at() > now);
            }
            if self.buckets.len() >= SUBJECTS_MAX {
                self.buckets.pop_first();
            }
        }
        let bucket = self.buckets.entry(ask.subject.clone()).or_default();
        match bucket.take_up_to(ask.wanted.max(1), now, ask.rate()) {
            Ok(tokens) => Grant::Tokens(tokens),
            Err(retry_after_ms) => Grant::Refused { retry_after_ms },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn ask(address: u32, wanted: u32) -> Ask {
        Ask { subject: Subject::Address(address.to_string()), per_second: 10, burst: 20, wanted }
    }

    #[test]
    fn r_lim_1_each_subject_has_a_bucket_of_its_own() {
        let mut limiter = Limiter::default();
        assert_eq!(limiter.ask(&ask(1, 15), NOW), Grant::Tokens(15));
        assert_eq!(limiter.ask(&ask(1, 15), NOW), Grant::Tokens(5));
        assert_eq!(limiter.ask(&ask(1, 1), NOW), Grant::Refused { retry_after_ms: 100 });
        assert_eq!(limiter.ask(&ask(2, 15), NOW), Grant::Tokens(15));
        assert_eq!(limiter.ask(&ask(1, 5), NOW + 300), Grant::Tokens(3));
        assert_eq!(limiter.ask(&ask(1, 1), NOW - 1_000), Grant::Refused { retry_after_ms: 100 });
    }

    #[test]
    fn r_lim_4_subjects_are_bounded_and_those_that_may_ask_for_all_go_first() {
        let mut limiter = Limiter::default();
        for address in 0..SUBJECTS_MAX as u32 {
            limiter.ask(&ask(address, 20), NOW);
        }
        limiter.ask(&ask(7, 1), NOW + 1_000);
        limiter.ask(&ask(u32::MAX, 1), NOW + 2_000);
        assert_eq!(limiter.buckets.len(), 2, "the one that is not full again, and the new one");
        for address in 0..SUBJECTS_MAX as u32 + 500 {
            limiter.ask(&ask(address, 20), NOW + 3_000);
        }
        assert_eq!(limiter.buckets.len(), SUBJECTS_MAX);
    }
}
