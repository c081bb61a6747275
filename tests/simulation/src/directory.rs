//! A shard of the directory: what rooms report to it, and whether what it knows is true.
//!
//! The decisions are those that ship (`directory-core`); rows, clock and network are played.

use std::collections::BTreeMap;

use directory_core::known::{Delta, Known, Taken};
use schemas::{
    Revocation,
    directory::{Counters, Report, Reported, Run},
    server_message::{LifecycleState, RoomInfo},
};

use crate::{errands::Errand, world::World};

/// The shell waits so long for an answer.
const ANSWER_WITHIN_MS: u64 = 10_000;
/// A report of an earlier run counts no more, unless nothing came for so long.
const LATE_MS: u64 = 20_000;
/// A revocation is told to rooms whose occupants came so long before it.
const LET_IN_AFTER_MS: u64 = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Directory {
    known: Option<Known>,
    totals: Delta,
    pub(crate) is_down: bool,
    /// What was revoked, and when.
    pub(crate) revocations: Vec<(u64, Revocation)>,
    /// What each run of the room counted, as it last told.
    runs: BTreeMap<u64, Counters>,
    /// The run that told last, and when.
    last: Option<(Run, u64)>,
    /// What the room was asked about, as it was known then.
    pub(crate) asked: Option<Known>,
}

impl Directory {
    fn take(&mut self, taken: Taken) -> bool {
        let Taken::New { known, delta, has_become_occupied } = taken else { return false };
        self.known = Some(*known);
        for (series, change) in delta {
            *self.totals.entry(series).or_default() += change;
        }
        has_become_occupied
    }

    /// R-DIR-3, in the protocol's words: what counts of a report that comes.
    fn note(&mut self, report: &Report, now: u64) {
        let run = report.run;
        if let Some((last, at)) = self.last {
            let is_again = last.id == run.id && run.sequence <= last.sequence;
            let is_over = last.id != run.id && self.runs.contains_key(&run.id);
            let is_late = last.id != run.id && run.began_at < last.began_at && now < at + LATE_MS;
            if is_again || is_over || is_late {
                return;
            }
        }
        self.last = Some((run, now));
        self.runs.insert(run.id, report.counters.clone());
    }
}

impl World {
    /// The room reports.
    pub(crate) fn reports(&mut self, report: Report) {
        self.tally.count("reports");
        let percent = if self.is_healing { 99 } else { self.random.below(100) };
        if self.directory.is_down || percent < 8 {
            self.tally.count("reports lost");
            let in_ms = self.random.below(ANSWER_WITHIN_MS);
            return self.later(in_ms, Errand::ReportEnded { answer: None });
        }
        let report = Box::new(report);
        let in_ms = if percent < 14 { self.random.below(9_000) } else { self.random.below(100) };
        if percent < 20 {
            self.tally.count("reports that came twice");
            let again_ms = in_ms + self.random.below(LATE_MS / 2);
            self.later(again_ms, Errand::ReportArrives { report: report.clone(), is_answered: false });
        }
        let is_answered = percent >= 28;
        if !is_answered {
            self.tally.count("answers of the directory lost");
            self.later(in_ms + 1_000, Errand::ReportEnded { answer: None });
        }
        self.later(in_ms, Errand::ReportArrives { report, is_answered });
    }

    pub(crate) fn report_arrives(&mut self, report: Report, is_answered: bool) {
        let now = self.clock.real;
        let since = report.since;
        self.directory.note(&report, now);
        let taken = Known::take(self.directory.known.as_ref(), report, now);
        if taken == Taken::Late {
            self.tally.count("reports that came late");
        }
        let has_become_occupied = self.directory.take(taken);
        if !is_answered {
            return;
        }
        let told = self.directory.revocations.iter().filter(|(at, _)| *at + LET_IN_AFTER_MS >= since);
        let told = told.filter(|_| has_become_occupied).map(|(_, revocation)| revocation.clone());
        let revocations: Vec<Revocation> = told.collect();
        let in_ms = self.random.below(100);
        self.later(in_ms, Errand::ReportEnded { answer: Some(Reported { revocations }) });
    }

    /// When the directory asks a room that it should have heard of.
    pub(crate) fn directory_at(&self) -> Option<u64> {
        self.directory.known.as_ref().and_then(Known::due_at)
    }

    pub(crate) fn directory_due(&mut self) {
        let now = self.clock.real;
        let Some(known) = self.directory.known.take_if(|known| known.due_at().is_some_and(|at| at <= now))
        else {
            return;
        };
        if known.is_gone() {
            self.tally.count("rooms forgotten by the directory");
            return;
        }
        let asked = known.asked();
        self.directory.known = Some(asked.clone());
        if self.directory.is_down {
            return;
        }
        self.tally.count("rooms that the directory asks after");
        self.directory.asked = Some(asked);
        self.ask_for_directory();
    }

    /// The room says where it stands.
    pub(crate) fn directory_heard(&mut self, info: &RoomInfo) {
        let Some(asked) = self.directory.asked.take() else { return };
        if self.directory.known.as_ref() == Some(&asked) {
            let now = self.clock.real;
            self.directory.take(asked.answered(info, now));
            self.directory.last = self.directory.last.map(|(run, _)| (run, now));
        }
    }

    /// What was revoked is known to the directory, and told to the room where that is known to have members.
    pub(crate) fn directory_revokes(&mut self, revocation: &Revocation) -> bool {
        self.directory.revocations.push((self.clock.now().room, revocation.clone()));
        let known = self.directory.known.as_ref();
        known.is_some_and(|known| known.report.lifecycle == LifecycleState::Occupied)
    }

    pub(crate) fn break_directory(&mut self) {
        self.directory.is_down = !self.directory.is_down;
        if self.directory.is_down {
            self.tally.count("outages of the directory");
        }
    }

    /// R-DIR-3, R-DIR-4, R-DIR-6: once all is quiet, the directory knows the room as it is.
    pub(crate) fn judge_directory(&mut self) {
        let storage = &self.object.storage;
        let life = storage.life();
        let Some(known) = self.directory.known.as_ref().filter(|known| !known.is_gone()) else {
            return assert_eq!(life, LifecycleState::Fresh, "R-DIR-6: the directory does not list the room");
        };
        let entry = known.entry();
        assert_eq!(entry.lifecycle, life, "R-DIR-6: the directory takes it for {:?}", entry.lifecycle);
        let members = storage.load().members.iter().filter(|row| row.listed).count();
        let connections = self.object.open_sockets();
        let told = (entry.members as usize, entry.connections as usize, known.report.webhook_backlog);
        assert_eq!(told, (members, connections, 0), "R-DIR-6: members, connections, events that wait");
        if self.keeps_log {
            let log = storage.truth.log();
            let config = &self.object.setup.config.log;
            let (floor, _) = log.floor(config, log.head(), self.clock.now().room);
            let (high, low) = (log.head().since(floor), log.head().since(self.object.floor_high));
            let kept = entry.publications;
            // What age or bytes let go since is not told by itself.
            let is_bounded_by_count = config.age_ms > 60_000 && config.bytes > 4_000;
            assert!(!is_bounded_by_count || (low..=high).contains(&kept), "R-DIR-6: {kept} are kept");
        }
        let mut expected = Counters::new();
        for (series, count) in self.directory.runs.values().flatten() {
            *expected.entry(series.clone()).or_default() += count;
        }
        for (series, count) in &expected {
            let total = self.directory.totals.get(series).copied().unwrap_or(0);
            assert_eq!(total, count.cast_signed(), "R-DIR-4: {series}");
        }
        let gauges = [("members", members), ("connections", connections), ("webhook_backlog", 0)];
        for (series, count) in gauges {
            let total = self.directory.totals.get(series).copied().unwrap_or(0);
            assert_eq!(total, count as i64, "R-DIR-4: {series}");
        }
        self.tally.count("rooms that the directory knows");
    }
}

/// What the room counted since it came into memory, or began to count anew: as the simulation saw it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    pub opened: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub appends: u64,
}

impl Counted {
    fn less(self, base: Counted) -> Counted {
        Counted {
            opened: self.opened - base.opened,
            bytes_in: self.bytes_in - base.bytes_in,
            bytes_out: self.bytes_out - base.bytes_out,
            appends: self.appends - base.appends,
        }
    }
}

/// Follows what a room in memory counts, and holds its reports against it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counting {
    pub so_far: Counted,
    /// What was counted when the run began, and as it last told.
    base: Counted,
    told: Counted,
    run: Option<u64>,
    sequence: u64,
}

impl Counting {
    /// R-DIR-3: a report counts what there was since the run began. `appends_max` may come later in the same step.
    pub fn judge(&mut self, report: &Report, appends_max: u64) {
        let before = self.run.replace(report.run.id);
        if before.is_some_and(|run| run != report.run.id) {
            self.base = self.told;
        }
        let is_next = before != Some(report.run.id) || report.run.sequence > self.sequence;
        assert!(is_next, "R-DIR-3: {:?} behind {}", report.run, self.sequence);
        self.sequence = report.run.sequence;
        let expected = self.so_far.less(self.base);
        let counted = |series: &str| report.counters.get(series).copied().unwrap_or(0);
        let found = Counted {
            opened: counted("connections_opened_total"),
            bytes_in: counted("bytes_in_total"),
            bytes_out: counted("bytes_out_total"),
            appends: counted("appends_total"),
        };
        assert_eq!(
            Counted { appends: 0, ..found },
            Counted { appends: 0, ..expected },
            "R-DIR-3: what the room counted in {:?}",
            report.run
        );
        let appends = expected.appends..=appends_max - self.base.appends;
        assert!(appends.contains(&found.appends), "R-DIR-3: {} appends, not {appends:?}", found.appends);
        self.told = Counted { appends: self.base.appends + found.appends, ..self.so_far };
    }
}
