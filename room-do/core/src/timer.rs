//! When a room next wants to be woken, and why.

use std::collections::{BTreeMap, BTreeSet};

use schemas::{ConnectionId, PublicSession, UserId};

/// What a room waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Something is staged.
    Flush,
    /// The connection has not said hello.
    Hello(ConnectionId),
    /// The connection's token is about to expire.
    Expiring(ConnectionId),
    /// The connection's token has expired.
    Expired(ConnectionId),
    /// The member's connection was lost.
    Grace(UserId, PublicSession),
    /// Connections may have died without a word.
    Sweep,
    /// Old records may go.
    Trim,
}

impl Timer {
    /// Whether it must fire even where the room has left memory. workerd puts a room to sleep after 10 s without an
    /// event, whatever timeouts run: only what is due much sooner, and ends with the process, needs no alarm.
    fn is_durable(&self) -> bool {
        match self {
            Timer::Flush => false,
            Timer::Hello(_)
            | Timer::Expiring(_)
            | Timer::Expired(_)
            | Timer::Grace(..)
            | Timer::Sweep
            | Timer::Trim => true,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadline {
    /// Milliseconds since 1970.
    pub at: u64,
    pub reason: Timer,
}

/// `turn` is for a `setTimeout`, `durable` for the alarm.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deadlines {
    pub turn: Option<Deadline>,
    pub durable: Option<Deadline>,
}

/// Every timer of a room, each at most once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timers {
    turn: BTreeSet<(u64, Timer)>,
    durable: BTreeSet<(u64, Timer)>,
    due: BTreeMap<Timer, u64>,
}

impl Timers {
    /// Sets the timer, or moves it.
    pub(crate) fn set(&mut self, timer: Timer, at: u64) {
        self.clear(&timer);
        self.due.insert(timer.clone(), at);
        self.queue(&timer).insert((at, timer));
    }

    /// Sets the timer unless it is set.
    pub(crate) fn set_if_unset(&mut self, timer: Timer, at: u64) {
        if !self.due.contains_key(&timer) {
            self.set(timer, at);
        }
    }

    /// Sets the timer, or moves it to an earlier time; never to a later one.
    pub(crate) fn set_no_later(&mut self, timer: Timer, at: u64) {
        if self.due.get(&timer).is_none_or(|due| at < *due) {
            self.set(timer, at);
        }
    }

    pub(crate) fn clear(&mut self, timer: &Timer) {
        if let Some(at) = self.due.remove(timer) {
            self.queue(timer).remove(&(at, timer.clone()));
        }
    }

    /// Takes the earliest timer of the turn that is due.
    pub(crate) fn pop_turn(&mut self, now: u64) -> Option<Timer> {
        let (_, timer) = self.turn.first().filter(|(at, _)| *at <= now)?.clone();
        self.clear(&timer);
        Some(timer)
    }

    /// Takes the earliest durable timer that is due.
    pub(crate) fn pop_durable(&mut self, now: u64) -> Option<Timer> {
        let (_, timer) = self.durable.first().filter(|(at, _)| *at <= now)?.clone();
        self.clear(&timer);
        Some(timer)
    }

    pub(crate) fn deadlines(&self) -> Deadlines {
        let first = |queue: &BTreeSet<(u64, Timer)>| {
            queue.first().map(|(at, timer)| Deadline { at: *at, reason: timer.clone() })
        };
        Deadlines { turn: first(&self.turn), durable: first(&self.durable) }
    }

    fn queue(&mut self, timer: &Timer) -> &mut BTreeSet<(u64, Timer)> {
        if timer.is_durable() { &mut self.durable } else { &mut self.turn }
    }
}
