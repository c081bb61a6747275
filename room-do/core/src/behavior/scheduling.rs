//! Named timers: many of them on the room's one alarm.

use schemas::{ErrorCode, Payload};
use serde::Serialize;

use super::{
    context::Context,
    events::{Scheduled, When},
    failure::Failure,
};
use crate::storage::TimerRow;

/// Timers of a room.
pub const TIMERS_MAX: usize = 1_000;
/// Bytes of a timer's name.
pub const TIMER_NAME_BYTES_MAX: usize = 128;
/// Bytes of what a timer is scheduled with, as JSON.
pub const TIMER_PAYLOAD_BYTES_MAX: usize = 16 * 1024;

/// After a hook that failed it is tried again so many milliseconds later; from the last of them on each time.
const RETRIES_MS: [u64; 6] = [1_000, 5_000, 30_000, 120_000, 600_000, 3_600_000];

impl Context<'_> {
    /// Schedules a timer; one of the same name is replaced. It fires at least once, also where the room slept or was
    /// restarted by then. A name is 1 to 128 bytes, a payload at most 16 KiB, a room has at most 1,000 timers.
    pub fn schedule(&mut self, name: &str, when: When, payload: &impl Serialize) {
        let payload = Payload::of(payload);
        if !(1..=TIMER_NAME_BYTES_MAX).contains(&name.len()) {
            return self.fail(refused(format!("a timer's name is 1 to {TIMER_NAME_BYTES_MAX} bytes")));
        }
        if payload.len() > TIMER_PAYLOAD_BYTES_MAX {
            return self
                .fail(refused(format!("a timer's payload is at most {TIMER_PAYLOAD_BYTES_MAX} bytes")));
        }
        if self.timer(name).is_none() && self.timer_count() >= TIMERS_MAX {
            return self.fail(refused(format!("a room has at most {TIMERS_MAX} timers")));
        }
        let at = when.from(self.now());
        let row = TimerRow { name: name.to_owned(), due: at, at, attempt: 1, payload };
        self.timers.set(name.to_owned(), Some(row));
    }

    /// Whether there was one.
    pub fn cancel(&mut self, name: &str) -> bool {
        let was_there = self.timer(name).is_some();
        if was_there {
            self.timers.set(name.to_owned(), None);
        }
        was_there
    }

    /// All of them, by name.
    #[must_use]
    pub fn timers(&self) -> Vec<Scheduled> {
        let kept = self.committed_timers.values().filter(|row| self.timers.get(&row.name).is_none());
        let changed = self.timers.iter().filter_map(|(_, row)| row);
        let told = |row: &TimerRow| Scheduled { name: row.name.clone(), at: row.at, attempt: row.attempt };
        let mut timers: Vec<Scheduled> = kept.chain(changed).map(told).collect();
        timers.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        timers
    }

    fn timer_count(&self) -> usize {
        let is_committed = |name: &String| self.committed_timers.contains_key(name);
        let added = self.timers.iter().filter(|(name, row)| row.is_some() && !is_committed(name)).count();
        let gone = self.timers.iter().filter(|(name, row)| row.is_none() && is_committed(name)).count();
        self.committed_timers.len() + added - gone
    }

    pub(crate) fn timer(&self, name: &str) -> Option<&TimerRow> {
        match self.timers.get(name) {
            Some(changed) => changed,
            None => self.committed_timers.get(name),
        }
    }

    /// Its hook failed: it is tried again.
    pub(crate) fn put_off(&mut self, row: TimerRow) {
        let retry = RETRIES_MS[(row.attempt as usize - 1).min(RETRIES_MS.len() - 1)];
        let (at, attempt) = (self.now() + retry, row.attempt.saturating_add(1));
        self.timers.set(row.name.clone(), Some(TimerRow { at, attempt, ..row }));
    }
}

fn refused(message: String) -> Failure {
    Failure::with_code(ErrorCode::Internal, message)
}
