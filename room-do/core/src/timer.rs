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
    /// Old idempotency keys may go.
    Keys,
    /// A user's block may have ended.
    Blocks,
    /// The room is vacant, and comes to rest.
    Idle,
    /// The room is idle, and its end has come.
    Expire,
    /// The directory could not be reached.
    Report,
    /// Events wait for webhook endpoints.
    Webhooks,
    /// A named timer of the behavior is due.
    Scheduled,
    /// The behavior ticks.
    Tick,
    /// A stream may have more to give.
    Streams,
    /// The room would leave memory, and ticks or streams.
    Awake,
}

impl Timer {
    /// Whether it must fire even where the room has left memory. workerd puts a room to sleep after 10 s without an
    /// event, whatever timeouts run: only what is due much sooner, and ends with the process, needs no alarm.
    fn is_durable(&self) -> bool {
        match self {
            Timer::Flush | Timer::Tick | Timer::Streams => false,
            Timer::Hello(_)
            | Timer::Expiring(_)
            | Timer::Expired(_)
            | Timer::Grace(..)
            | Timer::Sweep
            | Timer::Trim
            | Timer::Keys
            | Timer::Blocks
            | Timer::Idle
            | Timer::Expire
            | Timer::Report
            | Timer::Webhooks
            | Timer::Scheduled
            | Timer::Awake => true,
        }
    }

    /// Whether it follows from what is stored, and goes with it.
    fn is_of_storage(&self) -> bool {
        matches!(
            self,
            Timer::Grace(..)
                | Timer::Trim
                | Timer::Keys
                | Timer::Blocks
                | Timer::Idle
                | Timer::Expire
                | Timer::Report
                | Timer::Scheduled
        )
    }

    /// The name under which a room shows it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Timer::Flush => "flush",
            Timer::Hello(_) => "hello",
            Timer::Expiring(_) => "token_expiring",
            Timer::Expired(_) => "token_expired",
            Timer::Grace(..) => "grace",
            Timer::Sweep => "sweep",
            Timer::Trim => "trim",
            Timer::Keys => "keys",
            Timer::Blocks => "blocks",
            Timer::Idle => "idle",
            Timer::Expire => "expire",
            Timer::Report => "report",
            Timer::Webhooks => "webhooks",
            Timer::Scheduled => "scheduled",
            Timer::Tick => "tick",
            Timer::Streams => "streams",
            Timer::Awake => "awake",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadline {
    /// Milliseconds since 1970.
    pub at: u64,
    pub reason: Timer,
}

/// `turn` and `report` are each for a `setTimeout`, `durable` for the alarm.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deadlines {
    pub turn: Option<Deadline>,
    pub durable: Option<Deadline>,
    /// Milliseconds since 1970. A room that sleeps before has nothing that must be told.
    pub report: Option<u64>,
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

    /// When the timer is due, if it is set.
    pub(crate) fn due(&self, timer: &Timer) -> Option<u64> {
        self.due.get(timer).copied()
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
        Deadlines { turn: first(&self.turn), durable: first(&self.durable), report: None }
    }

    /// Those of a room that was wiped.
    pub(crate) fn clear_of_storage(&mut self) {
        let gone: Vec<Timer> = self.due.keys().filter(|timer| timer.is_of_storage()).cloned().collect();
        gone.iter().for_each(|timer| self.clear(timer));
    }

    /// The clock went back by so much: every deadline keeps its distance.
    pub(crate) fn step_back(&mut self, by_ms: u64) {
        for (timer, at) in std::mem::take(&mut self.due) {
            self.queue(&timer).remove(&(at, timer.clone()));
            self.set(timer, at.saturating_sub(by_ms));
        }
    }

    /// The next of each name, by time.
    pub(crate) fn next_by_name(&self) -> Vec<(u64, &'static str)> {
        let mut names = BTreeSet::new();
        let soonest = self.turn.iter().chain(&self.durable);
        let mut soonest: Vec<_> = soonest.map(|(at, timer)| (*at, timer.name())).collect();
        soonest.sort_unstable();
        soonest.retain(|(_, name)| names.insert(*name));
        soonest
    }

    fn queue(&mut self, timer: &Timer) -> &mut BTreeSet<(u64, Timer)> {
        if timer.is_durable() { &mut self.durable } else { &mut self.turn }
    }
}
