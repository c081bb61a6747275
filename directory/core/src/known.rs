//! What a shard knows of one room.

use std::collections::BTreeMap;

use schemas::{
    directory::{Counters, Report, RoomEntry},
    server_message::{LifecycleState, RoomInfo},
};
use serde::{Deserialize, Serialize};

/// A report of an earlier run than the last is a late one for so long; afterwards the room's clock has gone back.
const LATE_MS: u64 = 20_000;
/// A room that was to be heard of and was not is asked so much later …
const OVERDUE_MS: u64 = 60_000;
/// … again after so long, doubled each time up to …
const ASK_AGAIN_MS: u64 = 60_000;
/// … so long.
const ASK_AGAIN_MAX_MS: u64 = 24 * 60 * 60 * 1000;
/// So many runs are remembered to be over.
const RUNS_OVER_MAX: usize = 4;
/// What is known of a room that is gone stays for so long: its counters may go on.
const GONE_FOR_MS: u64 = 60 * 60 * 1000;

/// A room, as its last report told. A *fresh* one is gone, and not listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub report: Report,
    /// By the directory's clock.
    pub reported_at: u64,
    /// How often it was asked since it was last heard of.
    pub asked: u32,
    /// Runs before the last: what still comes of them is late.
    #[serde(default)]
    pub over: Vec<u64>,
}

/// What the totals of a kind change by, by series.
pub type Delta = BTreeMap<String, i64>;

/// What becomes of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// A newer one was there.
    Late,
    New {
        known: Box<Known>,
        delta: Delta,
        /// The room has members, and was not known to.
        has_become_occupied: bool,
    },
}

impl Known {
    /// What `report`, which came at `now`, makes of what was known.
    #[must_use]
    pub fn take(known: Option<&Known>, report: Report, now: u64) -> Taken {
        if known.is_some_and(|known| known.makes_late(&report, now)) {
            return Taken::Late;
        }
        Known::replaced(known, report, now)
    }

    fn replaced(known: Option<&Known>, report: Report, now: u64) -> Taken {
        let mut delta = Delta::new();
        known.into_iter().for_each(|known| add_gauges(&mut delta, &known.report, -1));
        add_gauges(&mut delta, &report, 1);
        delta.retain(|_, change| *change != 0);
        let counted_before = known.filter(|known| known.report.run.id == report.run.id);
        let none = Counters::new();
        let before = counted_before.map_or(&none, |known| &known.report.counters);
        for (series, value) in &report.counters {
            let more = value.saturating_sub(before.get(series).copied().unwrap_or(0));
            // A series that is told for the first time is there from now on, be it at 0: a histogram is whole.
            if more > 0 || !before.contains_key(series) {
                delta.insert(series.clone(), i64::try_from(more).unwrap_or(i64::MAX));
            }
        }
        let was_occupied = known.is_some_and(|known| known.report.lifecycle == LifecycleState::Occupied);
        let has_become_occupied = report.lifecycle == LifecycleState::Occupied && !was_occupied;
        let over = known.map_or_else(Vec::new, |known| known.over_before(&report));
        let known = Box::new(Known { report, reported_at: now, asked: 0, over });
        Taken::New { known, delta, has_become_occupied }
    }

    /// Runs that are over once `report` has come.
    fn over_before(&self, report: &Report) -> Vec<u64> {
        let mut over = self.over.clone();
        if self.report.run.id != report.run.id {
            over.push(self.report.run.id);
        }
        over.drain(..over.len().saturating_sub(RUNS_OVER_MAX));
        over
    }

    fn makes_late(&self, report: &Report, now: u64) -> bool {
        let (last, run) = (self.report.run, report.run);
        if last.id == run.id {
            return run.sequence <= last.sequence;
        }
        let began_before = run.began_at < last.began_at && now < self.reported_at + LATE_MS;
        began_before || self.over.contains(&run.id)
    }

    /// When something is to be done about it: to ask, or, where it is gone, to forget it.
    #[must_use]
    pub fn due_at(&self) -> Option<u64> {
        if self.is_gone() {
            return Some(self.reported_at + GONE_FOR_MS);
        }
        let overdue_at = self.report.next_by?.max(self.reported_at) + OVERDUE_MS;
        let again_ms = (1..=self.asked).map(|times| ASK_AGAIN_MS << (times - 1).min(16));
        Some(overdue_at + again_ms.map(|ms| ms.min(ASK_AGAIN_MAX_MS)).sum::<u64>())
    }

    /// Nothing of it is left.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.report.lifecycle == LifecycleState::Fresh
    }

    /// It is about to be asked.
    #[must_use]
    pub fn asked(self) -> Known {
        Known { asked: self.asked.saturating_add(1), ..self }
    }

    /// What the answer of a room that was asked makes of it. It counts nothing, and no report of the room's own is late
    /// for it.
    #[must_use]
    pub fn answered(&self, info: &RoomInfo, now: u64) -> Taken {
        let mut report = self.report.clone();
        report.lifecycle = info.lifecycle;
        report.since = info.since.unwrap_or(report.since);
        report.created_at = info.created_at.unwrap_or(report.created_at);
        report.next_by = info.timers.iter().map(|timer| timer.at).min();
        report.members = info.occupancy.members;
        report.users = info.occupancy.users;
        report.connections = info.connections;
        if let Some(log) = &info.log {
            report.publications = log.head.since(log.floor);
        }
        Known::replaced(Some(self), report, now)
    }

    #[must_use]
    pub fn entry(&self) -> RoomEntry {
        let Report { room, lifecycle, since, created_at, members, users, connections, .. } = &self.report;
        RoomEntry {
            room: room.clone(),
            kind: room.kind().to_owned(),
            lifecycle: *lifecycle,
            since: *since,
            created_at: *created_at,
            members: *members,
            users: *users,
            connections: *connections,
            publications: self.report.publications,
            stored_bytes: self.report.stored_bytes,
            reported_at: self.reported_at,
        }
    }
}

/// The part of the totals that a room is, rather than has done.
fn add_gauges(delta: &mut Delta, report: &Report, sign: i64) {
    let state = match report.lifecycle {
        LifecycleState::Fresh => return,
        LifecycleState::Occupied => "occupied",
        LifecycleState::Vacant => "vacant",
        LifecycleState::Idle => "idle",
    };
    let signed = |value: u64| sign * i64::try_from(value).unwrap_or(i64::MAX);
    add(delta, &format!("rooms{{state=\"{state}\"}}"), sign);
    add(delta, "members", signed(report.members.into()));
    add(delta, "connections", signed(report.connections.into()));
    add(delta, "webhook_backlog", signed(report.webhook_backlog.into()));
    add(delta, "publications", signed(report.publications));
    add(delta, "stored_bytes", signed(report.stored_bytes));
}

fn add(delta: &mut Delta, series: &str, change: i64) {
    if change != 0 {
        *delta.entry(series.to_owned()).or_default() += change;
    }
}

#[cfg(test)]
mod tests {
    use schemas::{RoomName, directory::Run};

    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn report(run: (u64, u64), lifecycle: LifecycleState, appends: u64) -> Report {
        Report {
            room: RoomName::parse("chat:a").expect("a name"),
            run: Run { id: run.0, began_at: NOW + run.0, sequence: run.1 },
            lifecycle,
            since: NOW,
            created_at: NOW,
            next_by: Some(NOW + 60_000),
            members: u32::from(lifecycle == LifecycleState::Occupied),
            users: 0,
            connections: 0,
            webhook_backlog: 0,
            publications: appends,
            stored_bytes: 100,
            counters: Counters::from([("appends_total".to_owned(), appends)]),
        }
    }

    /// What is known after these, and the totals.
    fn all(reports: &[Report]) -> (Known, Delta) {
        let (mut known, mut totals) = (None, Delta::new());
        for report in reports {
            if let Taken::New { known: next, delta, .. } = Known::take(known.as_ref(), report.clone(), NOW) {
                known = Some(*next);
                for (series, change) in delta {
                    *totals.entry(series).or_default() += change;
                }
            }
        }
        totals.retain(|_, value| *value != 0);
        (known.expect("a report was taken"), totals)
    }

    #[test]
    fn r_dir_3_what_comes_twice_or_late_or_is_lost_counts_once() {
        use LifecycleState::{Occupied, Vacant};
        let (one, two, three) =
            (report((1, 1), Occupied, 10), report((1, 2), Occupied, 25), report((1, 3), Vacant, 30));
        let (known, totals) = all(&[one.clone(), two.clone(), three.clone()]);
        assert_eq!(totals["appends_total"], 30);
        for disturbed in [
            vec![one.clone(), one.clone(), two.clone(), two.clone(), three.clone(), three.clone()],
            vec![one.clone(), three.clone()],
            vec![one, three.clone(), two, three.clone()],
            vec![three],
        ] {
            assert_eq!(all(&disturbed), (known.clone(), totals.clone()));
        }
    }

    #[test]
    fn r_met_2_a_series_at_zero_is_told_and_kept() {
        let mut first = report((1, 1), LifecycleState::Vacant, 0);
        first.counters.insert("flush_entries_sum".into(), 0);
        let Taken::New { delta, .. } = Known::take(None, first, NOW) else { panic!("it is the first") };
        assert_eq!(delta.get("flush_entries_sum"), Some(&0));
    }

    #[test]
    fn r_dir_3_another_run_counts_from_nothing() {
        use LifecycleState::Occupied;
        let reports =
            [report((1, 1), Occupied, 10), report((2, 1), Occupied, 3), report((2, 2), Occupied, 4)];
        assert_eq!(all(&reports).1["appends_total"], 14);
    }

    #[test]
    fn r_dir_3_a_report_of_an_earlier_run_is_late_unless_the_clock_went_back() {
        use LifecycleState::{Occupied, Vacant};
        let Taken::New { known, .. } = Known::take(None, report((2, 1), Vacant, 0), NOW) else {
            panic!("the first is taken")
        };
        let earlier = report((1, 9), Occupied, 0);
        assert_eq!(Known::take(Some(&known), earlier.clone(), NOW + 1_000), Taken::Late);
        assert!(matches!(
            Known::take(Some(&known), earlier, NOW + 30_000),
            Taken::New { has_become_occupied: true, .. }
        ));
    }

    #[test]
    fn r_dir_3_a_run_that_another_followed_is_over_whatever_its_clock_showed() {
        use LifecycleState::{Occupied, Vacant};
        // The clock went back between the second run and the first.
        let (before, after) = (report((9, 1), Occupied, 10), report((2, 1), Vacant, 3));
        let Taken::New { known, .. } = Known::take(None, before.clone(), NOW) else {
            panic!("the first is taken")
        };
        let Taken::New { known, .. } = Known::take(Some(&known), after, NOW + 30_000) else {
            panic!("the clock has gone back")
        };
        for ms in [31_000, 90_000] {
            assert_eq!(Known::take(Some(&known), before.clone(), NOW + ms), Taken::Late, "it comes twice");
        }
        let Taken::New { delta, .. } = Known::take(Some(&known), report((2, 2), Vacant, 4), NOW + 32_000)
        else {
            panic!("the run goes on")
        };
        assert_eq!(delta["appends_total"], 1);
    }

    #[test]
    fn r_dir_4_gauges_are_what_rooms_are_now() {
        use LifecycleState::{Fresh, Idle, Occupied};
        let (_, totals) = all(&[report((1, 1), Occupied, 5), report((1, 2), Idle, 7)]);
        assert_eq!(totals["rooms{state=\"idle\"}"], 1);
        assert!(!totals.contains_key("rooms{state=\"occupied\"}") && !totals.contains_key("members"));
        assert_eq!((totals["publications"], totals["stored_bytes"]), (7, 100));
        let (known, totals) = all(&[report((1, 1), Occupied, 5), report((1, 2), Fresh, 5)]);
        assert!(known.is_gone());
        assert_eq!(totals.keys().collect::<Vec<_>>(), ["appends_total"]);
    }

    #[test]
    fn r_dir_5_an_overdue_room_is_asked_ever_more_rarely() {
        let (mut known, _) = all(&[report((1, 1), LifecycleState::Occupied, 0)]);
        assert_eq!(known.due_at(), Some(NOW + 120_000));
        let mut last = 0;
        for _ in 0..40 {
            let due_at = known.due_at().expect("it has members");
            assert!(due_at > last && due_at < NOW + 40 * 24 * 60 * 60 * 1000);
            last = due_at;
            known = known.asked();
        }
    }
}
