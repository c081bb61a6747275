//! What a room tells its directory: where it stands, and what it counted. Never by each message, and never on the path
//! of one.
//!
//! A change of the life's state is told at once; what was counted once things have been quiet for a while, or going on
//! for longer; each alarm tells what there is. One report is under way at a time. Nothing is written for this: a room
//! that left memory tells where it stands when it wakes, and the directory asks after one that is overdue.

use schemas::{
    directory::{Report, Reported, Run},
    limits,
    server_message::LifecycleState,
};

use crate::{
    lifecycle::Lifecycle, output::Output, room::Room, tally::Tally, timer::Timer, upkeep::next_seed,
};

/// What was counted is told so long after it was …
const TELL_AFTER_MS: u64 = 4_000;
/// … and not more often than this. Together they are less than what a room stays in memory without an event.
const TELL_EVERY_MS: u64 = 8_000;
/// Changes of the life's state are told at most so often.
const TRANSITION_EVERY_MS: u64 = 1_000;
/// A report that was not answered for so long is lost.
const LOST_AFTER_MS: u64 = 30_000;
/// A report that failed is tried again after so long, doubled each time up to …
const RETRY_MIN_MS: u64 = 2_000;
/// … so long.
const RETRY_MAX_MS: u64 = 300_000;
/// Of a room of which nothing is left, a report is tried so often.
const TRIES_WHEN_FRESH: u32 = 3;

/// What a report says beside counters: a change of it is a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    state: LifecycleState,
    created_at: u64,
}

/// What of the room was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    standing: Standing,
    /// The tally's.
    changes: u64,
    webhook_backlog: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Reporting {
    run: Run,
    /// What the directory knows of this run.
    told: Told,
    /// It woke, and has not reported since.
    is_owed: bool,
    /// What the report under way says, and when it left.
    under_way: Option<(Told, u64)>,
    last_at: Option<u64>,
    failures: u32,
    /// When what was counted is to be told.
    due_at: Option<u64>,
}

impl From<Lifecycle> for Standing {
    fn from(lifecycle: Lifecycle) -> Standing {
        Standing { state: lifecycle.state, created_at: lifecycle.created_at }
    }
}

impl Reporting {
    /// `run` is random.
    pub(crate) fn new(now: u64, run: u64, lifecycle: Lifecycle) -> Reporting {
        Reporting {
            run: Run { id: run, began_at: now, sequence: 0 },
            told: Told { standing: lifecycle.into(), changes: 0, webhook_backlog: 0 },
            is_owed: lifecycle.state != LifecycleState::Fresh,
            under_way: None,
            last_at: None,
            failures: 0,
            due_at: None,
        }
    }

    /// When the room wants [`Input::ReportDue`](crate::Input::ReportDue), in milliseconds since 1970.
    pub(crate) fn due_at(&self) -> Option<u64> {
        self.due_at
    }

    /// The clock went back by so much.
    pub(crate) fn step_back(&mut self, by_ms: u64) {
        let earlier = |at: &mut Option<u64>| *at = at.map(|at| at.saturating_sub(by_ms));
        earlier(&mut self.last_at);
        earlier(&mut self.due_at);
        if let Some((_, at)) = &mut self.under_way {
            *at = at.saturating_sub(by_ms);
        }
    }

    fn is_under_way(&self, now: u64) -> bool {
        self.under_way.is_some_and(|(_, at)| now < at + LOST_AFTER_MS)
    }
}

impl Room {
    /// Reports at once what cannot wait, and sees to it that the rest is not forgotten.
    pub(crate) fn plan_report(&mut self, now: u64) {
        let reporting = &self.reporting;
        let is_given_up =
            self.lifecycle.state == LifecycleState::Fresh && reporting.failures >= TRIES_WHEN_FRESH;
        let is_retried = self.timers.due(&Timer::Report).is_some()
            || (reporting.failures > 0 && reporting.due_at.is_some());
        // A flush that is about to change the state tells it better.
        if reporting.is_under_way(now) || is_retried || is_given_up || self.owes_transition() {
            return;
        }
        let current = self.standing();
        if !self.has_to_tell(current) {
            self.reporting.due_at = None;
            return;
        }
        let after_last = |ms: u64| reporting.last_at.map_or(now, |last| last + ms);
        let due_at = if current.standing != reporting.told.standing {
            after_last(TRANSITION_EVERY_MS)
        } else {
            after_last(TELL_EVERY_MS).max(now + TELL_AFTER_MS)
        };
        if due_at <= now {
            return self.report(now);
        }
        self.reporting.due_at = Some(reporting.due_at.map_or(due_at, |at| at.min(due_at)));
    }

    fn standing(&self) -> Told {
        let (changes, webhook_backlog) = (self.tally.changes(), self.outbox.waiting());
        Told { standing: self.lifecycle.into(), changes, webhook_backlog }
    }

    /// Of a room that was never used there is nothing to tell, whatever was counted.
    fn has_to_tell(&self, current: Told) -> bool {
        let is_used = self.lifecycle.state != LifecycleState::Fresh;
        let told = self.reporting.told;
        (is_used && (self.reporting.is_owed || current != told)) || current.standing != told.standing
    }

    /// A deadline has come, or an alarm: nothing speaks against telling now.
    pub(crate) fn report_if_any(&mut self, now: u64) {
        self.reporting.due_at = None;
        if self.has_to_tell(self.standing()) && !self.reporting.is_under_way(now) && !self.owes_transition() {
            self.report(now);
        }
    }

    fn report(&mut self, now: u64) {
        let told = self.standing();
        let reporting = &mut self.reporting;
        reporting.run.sequence += 1;
        reporting.under_way = Some((told, now));
        reporting.last_at = Some(now);
        reporting.due_at = None;
        self.timers.clear(&Timer::Report);
        let occupancy = self.presence.occupancy();
        let report = Report {
            room: self.setup.name.clone(),
            run: self.reporting.run,
            lifecycle: self.lifecycle.state,
            since: self.lifecycle.since,
            created_at: self.lifecycle.created_at,
            next_by: self.heard_of_by(now),
            members: occupancy.members,
            users: occupancy.users,
            connections: self.connections.joined_count() as u32,
            webhook_backlog: self.outbox.waiting(),
            publications: if self.log.is_kept() { self.log.head().since(self.log.floor()) } else { 0 },
            stored_bytes: 0,
            counters: self.tally.counters(),
        };
        self.outputs.push(Output::Report(Box::new(report)));
    }

    /// Counts from nothing, as another.
    fn begin_run(&mut self, now: u64) {
        let id = next_seed(self.reporting.run.id);
        let last_at = self.reporting.last_at;
        self.tally = Tally::default();
        self.reporting = Reporting { last_at, ..Reporting::new(now, id, self.lifecycle) };
    }

    /// The next report follows from a deadline that is an alarm's.
    fn heard_of_by(&self, now: u64) -> Option<u64> {
        let timer = match self.lifecycle.state {
            LifecycleState::Fresh => return None,
            LifecycleState::Occupied => return Some(now + limits::SWEEP_INTERVAL_MS + TELL_EVERY_MS),
            LifecycleState::Vacant => Timer::Idle,
            LifecycleState::Idle => Timer::Expire,
        };
        self.timers.due(&timer)
    }

    /// The directory answered, or could not be reached.
    pub(crate) fn on_reported(&mut self, now: u64, answer: Option<Reported>) {
        let taken = answer.is_some();
        // An answer to what an earlier memory reported counts too: it is told once.
        if let Some(Reported { revocations }) = answer.filter(|answer| !answer.revocations.is_empty()) {
            self.revoke(now, &revocations);
        }
        let Some((told, _)) = self.reporting.under_way.take() else { return };
        let is_fresh = self.lifecycle.state == LifecycleState::Fresh;
        let reporting = &mut self.reporting;
        if taken {
            reporting.told = told;
            reporting.is_owed = false;
            reporting.failures = 0;
            if is_fresh && self.tally.changes() == told.changes {
                // What the directory knows of the room it will forget, and with it what this run has counted.
                self.begin_run(now);
            }
            return;
        }
        reporting.failures += 1;
        let retry_ms = (RETRY_MIN_MS << (reporting.failures - 1).min(8)).min(RETRY_MAX_MS);
        if !is_fresh {
            return self.timers.set(Timer::Report, now + retry_ms);
        }
        // Nothing of the room may stay, an alarm neither: the directory asks.
        reporting.due_at = (reporting.failures < TRIES_WHEN_FRESH).then_some(now + retry_ms);
    }
}
