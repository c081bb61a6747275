//! Telling every occupied room of a shard something.
//!
//! A push goes through the rooms by name, a page at a time, and is written down with how far it came: a shard that dies
//! goes on where it stood. Every push may reach a room twice, and means the same then. One that failed somewhere goes
//! through all of them again.

use schemas::{Revocation, UserId};
use serde::{Deserialize, Serialize};

/// Rooms that are told at once.
pub const PAGE: u32 = 100;
/// Pushes that wait; beyond it the oldest is given up.
pub const PUSHES_MAX: usize = 1_000;
/// A revocation goes out once more after so long: gateways that had not heard of it have let in until now.
const AGAIN_AFTER_MS: u64 = 6_000;
/// A round that failed somewhere is gone again after so long, doubled each time …
const RETRY_MS: u64 = 1_000;
/// … and given up after so many.
const ROUNDS_MAX: u32 = 10;

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    Revoked(Revocation),
    Disconnect { user: UserId, reason: Option<String> },
}

/// How far a push has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    pub news: News,
    /// Rooms up to this name were told in this round.
    pub after: Option<String>,
    /// Whether one of them could not be.
    pub has_failed: bool,
    /// Rounds that failed.
    pub failures: u32,
    /// Whether the round under way is that for late gateways.
    pub is_again: bool,
    /// Milliseconds since 1970.
    pub due_at: u64,
}

/// What follows a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The round goes on, or another is due.
    Push(Push),
    Done,
    /// Rooms could not be reached again and again.
    GivenUp,
}

impl Push {
    #[must_use]
    pub fn new(news: News, now: u64) -> Push {
        Push { news, after: None, has_failed: false, failures: 0, is_again: false, due_at: now }
    }

    /// After a page that ended with `last` (`None`: there were no more rooms), of which some could not be told.
    #[must_use]
    pub fn after_page(mut self, last: Option<String>, has_failed: bool, now: u64) -> Next {
        self.has_failed |= has_failed;
        if last.is_some() {
            self.after = last;
            return Next::Push(self);
        }
        let (news, failures, is_again) = (self.news, self.failures, self.is_again);
        let goes_out_once = matches!(news, News::Disconnect { .. });
        let round = |failures, is_again, in_ms| {
            let due_at = now + in_ms;
            Next::Push(Push { news, after: None, has_failed: false, failures, is_again, due_at })
        };
        if self.has_failed {
            if failures + 1 >= ROUNDS_MAX {
                return Next::GivenUp;
            }
            return round(failures + 1, is_again, RETRY_MS << failures);
        }
        if is_again || goes_out_once {
            return Next::Done;
        }
        round(0, true, AGAIN_AFTER_MS)
    }
}

#[cfg(test)]
mod tests {
    use schemas::Revoked;

    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn revoked() -> Push {
        let revocation = Revocation { tokens: Revoked::All, issued_before: Some(NOW), until: NOW + 1_000 };
        Push::new(News::Revoked(revocation), NOW)
    }

    fn pushed(next: Next) -> Push {
        match next {
            Next::Push(push) => push,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn r_rev_7_a_revocation_goes_out_twice() {
        let push = pushed(revoked().after_page(Some("chat:m".into()), false, NOW));
        assert_eq!((push.after.as_deref(), push.due_at), (Some("chat:m"), NOW));
        let again = pushed(push.after_page(None, false, NOW));
        assert!(again.is_again && again.after.is_none() && again.due_at == NOW + 6_000);
        assert_eq!(again.after_page(None, false, NOW), Next::Done);
    }

    #[test]
    fn r_rev_7_a_round_that_failed_somewhere_is_gone_again_and_not_for_ever() {
        let mut push = pushed(revoked().after_page(Some("chat:m".into()), true, NOW));
        let mut due = vec![push.due_at];
        loop {
            match push.after_page(None, true, NOW) {
                Next::Push(next) => push = next,
                Next::GivenUp => break,
                Next::Done => panic!("nobody was reached"),
            }
            assert!(push.after.is_none());
            due.push(push.due_at);
            push = pushed(push.after_page(Some("chat:m".into()), true, NOW));
        }
        assert_eq!(due.len(), 10);
        assert!(due.is_sorted() && due[1] == NOW + 1_000, "{due:?}");
    }

    #[test]
    fn r_dir_7_a_disconnect_goes_out_once() {
        let user = UserId::parse("ann").expect("a user");
        let push = Push::new(News::Disconnect { user, reason: None }, NOW);
        assert_eq!(push.after_page(None, false, NOW), Next::Done);
    }
}
