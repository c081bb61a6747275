//! A gateway's side: tokens taken ahead, and refusals remembered.

use std::collections::BTreeMap;

use schemas::config::Rate;

use crate::{Ask, Grant, Subject};

/// A lease is for so long.
const LEASE_MS: u64 = 1_000;
/// At most so much of what the rate gives in a second is leased at once: one part in this many.
const SHARE: u32 = 10;
/// Callers that are remembered; at the bound those go whose lease is over, then any.
const LEASES_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy)]
enum Lease {
    Tokens { left: u32, taken: u32, until: u64 },
    Refused { until: u64 },
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spent {
    Allowed,
    Refused {
        retry_after_ms: u64,
    },
    /// The limiter is to be asked this first.
    Ask(Ask),
}

/// The leases of one gateway.
#[derive(Debug, Default)]
pub struct Leases {
    all: BTreeMap<Subject, Lease>,
    swept_at: u64,
}

impl Leases {
    #[must_use]
    pub const fn new() -> Leases {
        Leases { all: BTreeMap::new(), swept_at: 0 }
    }

    /// One request of the subject.
    pub fn spend(&mut self, subject: &Subject, rate: Rate, now: u64) -> Spent {
        let mut wanted = 1;
        match self.all.get_mut(subject) {
            // What a clock that went back made long is not believed.
            Some(Lease::Tokens { left, until, .. })
                if *left > 0 && now < *until && *until <= now + LEASE_MS =>
            {
                *left -= 1;
                return Spent::Allowed;
            }
            Some(Lease::Tokens { left: 0, taken, until }) if now < *until => {
                // All were used in time: it has use for more.
                wanted = (*taken * 2).min((rate.per_second / SHARE).max(1));
            }
            Some(Lease::Refused { until }) if now < *until && *until <= now + LEASE_MS => {
                return Spent::Refused { retry_after_ms: *until - now };
            }
            _ => {}
        }
        let Rate { per_second, burst } = rate;
        Spent::Ask(Ask { subject: subject.clone(), per_second, burst, wanted })
    }

    /// The limiter's answer to a request that had to ask. One token is for that request.
    pub fn granted(&mut self, subject: Subject, grant: Grant, now: u64) -> Spent {
        if self.all.len() >= LEASES_MAX && !self.all.contains_key(&subject) {
            // Looking at all of them is not for each request of a flood.
            if now >= self.swept_at + LEASE_MS || now < self.swept_at {
                self.swept_at = now;
                self.all.retain(|_, lease| now < lease.until());
            }
            if self.all.len() >= LEASES_MAX {
                self.all.pop_first();
            }
        }
        match grant {
            Grant::Tokens(taken) => {
                let left = taken.saturating_sub(1);
                self.all.insert(subject, Lease::Tokens { left, taken, until: now + LEASE_MS });
                Spent::Allowed
            }
            Grant::Refused { retry_after_ms } => {
                let until = now + retry_after_ms.min(LEASE_MS);
                self.all.insert(subject, Lease::Refused { until });
                Spent::Refused { retry_after_ms }
            }
        }
    }
}

impl Lease {
    fn until(self) -> u64 {
        match self {
            Lease::Tokens { until, .. } | Lease::Refused { until } => until,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Limiter;

    use super::*;

    const NOW: u64 = 1_800_000_000_000;
    const RATE: Rate = Rate { per_second: 100, burst: 200 };

    fn ann() -> Subject {
        Subject::Address("192.0.2.1".into())
    }

    /// A request at one of several gateways; tells whether it was allowed and whether the limiter was asked.
    fn request(leases: &mut Leases, limiter: &mut Limiter, now: u64) -> (bool, bool) {
        match leases.spend(&ann(), RATE, now) {
            Spent::Allowed => (true, false),
            Spent::Refused { .. } => (false, false),
            Spent::Ask(ask) => {
                let grant = limiter.ask(&ask, now);
                (leases.granted(ask.subject, grant, now) == Spent::Allowed, true)
            }
        }
    }

    #[test]
    fn r_lim_2_who_asks_much_is_leased_more_and_asks_the_limiter_rarely() {
        let (mut leases, mut limiter) = (Leases::new(), Limiter::default());
        let asked = (0..100).filter(|_| request(&mut leases, &mut limiter, NOW).1).count();
        assert!(asked <= 14, "{asked} of 100");
    }

    #[test]
    fn r_lim_2_many_gateways_together_never_exceed_the_rate() {
        let mut limiter = Limiter::default();
        let mut gateways: Vec<Leases> = (0..8).map(|_| Leases::new()).collect();
        let mut allowed = 0;
        for ms in 0..10_000_u64 {
            let gateway = (ms as usize * 7) % gateways.len();
            allowed += u32::from(request(&mut gateways[gateway], &mut limiter, NOW + ms).0);
        }
        assert!(allowed <= 200 + 10 * 100, "{allowed} in 10 s");
        assert!(allowed >= 900, "{allowed} in 10 s");
    }

    #[test]
    fn r_lim_2_who_is_refused_is_not_asked_about_again_until_there_is_a_token() {
        let (mut leases, mut limiter) = (Leases::new(), Limiter::default());
        while request(&mut leases, &mut limiter, NOW).0 {}
        let refused = leases.spend(&ann(), RATE, NOW + 4);
        assert_eq!(refused, Spent::Refused { retry_after_ms: 6 });
        assert!(matches!(leases.spend(&ann(), RATE, NOW + 10), Spent::Ask(_)));
    }

    #[test]
    fn r_lim_2_what_is_not_spent_in_time_is_gone() {
        let (mut leases, mut limiter) = (Leases::new(), Limiter::default());
        for _ in 0..5 {
            request(&mut leases, &mut limiter, NOW);
        }
        assert!(matches!(leases.spend(&ann(), RATE, NOW + 5_000), Spent::Ask(Ask { wanted: 1, .. })));
        assert!(matches!(leases.spend(&ann(), RATE, NOW - 3_600_000), Spent::Ask(_)), "the clock went back");
    }

    #[test]
    fn r_lim_4_leases_are_bounded() {
        let mut leases = Leases::new();
        for number in 0..3 * LEASES_MAX as u64 {
            leases.granted(Subject::Key(number.to_string()), Grant::Tokens(1), NOW);
        }
        assert_eq!(leases.all.len(), LEASES_MAX);
    }
}
