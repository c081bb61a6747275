//! What the directory is told, and when.

use room_core::Input;
use schemas::{
    Claims, Revocation, Revoked, UserId,
    directory::{Report, Reported},
    http::RoomCall,
    server_message::LifecycleState::{self, Fresh, Idle, Occupied, Vacant},
};

use crate::support::{START, Table, call_of, claims, table};

impl Table {
    /// The reports so far, which the directory takes.
    fn taken(&mut self) -> Vec<Report> {
        let mut all = Vec::new();
        while !self.reports.is_empty() {
            all.append(&mut self.reports);
            self.input(Input::Reported { answer: Some(Reported { revocations: Vec::new() }) });
        }
        all
    }

    fn refuse_report(&mut self) {
        self.reports.clear();
        self.input(Input::Reported { answer: None });
    }

    /// Lets time pass without an alarm, as far as reports go.
    fn quiet(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(at) = self.room.poll_timeout().report.filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.input(Input::ReportDue);
        }
        self.now = end;
    }
}

fn states(reports: &[Report]) -> Vec<LifecycleState> {
    reports.iter().map(|report| report.lifecycle).collect()
}

#[test]
fn r_dir_2_each_change_of_the_lifes_state_is_reported() {
    let mut table = table();
    let ann = table.join(1, "ann");
    table.flush();
    let occupied = table.taken();
    assert_eq!(states(&occupied), [Occupied]);
    assert_eq!((occupied[0].members, occupied[0].users, occupied[0].connections), (1, 1, 1));
    assert_eq!(occupied[0].room.as_str(), "chat:lobby");
    let end = occupied[0].next_by.expect("a sweep follows");
    assert!(end > table.now && end <= table.now + 70_000);
    table.now += 2_000;
    table.input(Input::Closed { connection: ann, code: 1000 });
    table.flush();
    let vacant = table.taken();
    assert_eq!(states(&vacant), [Vacant]);
    assert_eq!(vacant[0].members, 0);
    assert!(vacant[0].next_by.is_some_and(|by| by > table.now), "it will come to rest");
    table.pass(table.setup.config.idle_after_ms + 1);
    assert_eq!(states(&table.taken()).last(), Some(&Idle));
    table.pass(table.setup.config.expire_after_ms + 1);
    assert_eq!(states(&table.taken()).last(), Some(&Fresh));
    assert_eq!(table.room.poll_timeout(), room_core::Deadlines::default(), "and is forgotten");
}

#[test]
fn r_dir_2_a_deletion_is_reported_and_a_room_that_never_was_is_not() {
    let mut table = table();
    table.ask(RoomCall::Info).expect("is answered");
    table.quiet(60_000);
    assert_eq!(table.taken(), []);
    table.ask(RoomCall::Publish(call_of("1", None))).expect("is answered");
    table.flush();
    assert_eq!(states(&table.taken()), [Vacant]);
    table.now += 1_000;
    table.ask(RoomCall::Delete).expect("is answered");
    assert_eq!(states(&table.taken()), [Fresh]);
    table.quiet(60_000);
    assert_eq!(table.taken(), []);
}

#[test]
fn r_dir_2_messages_are_counted_and_told_together_once_it_is_quiet() {
    let mut table = table();
    let ann = table.join(1, "ann");
    table.join(2, "bob");
    table.flush();
    table.taken();
    for number in 1..=50 {
        table.say(ann, &format!(r#"{{"t":"publish","id":{number},"data":1}}"#));
        table.flush();
        table.now += 20;
        assert!(table.taken().is_empty(), "no message is a report");
    }
    table.quiet(9_000);
    let reports = table.taken();
    assert_eq!(reports.len(), 1, "within what a room stays in memory for");
    let count = |series: &str| reports[0].counters.get(series).copied().unwrap_or(0);
    assert_eq!((count("appends_total"), count("deliveries_total")), (50, 100));
    assert_eq!(count("connections_opened_total"), 2);
    assert!(count("messages_in_total") == 52 && count("bytes_in_total") > 1_000, "{reports:?}");
    assert_eq!(reports[0].publications, 50);
    table.quiet(60_000);
    assert_eq!(table.taken(), [], "nothing happens, nothing is told");
}

#[test]
fn r_dir_2_a_busy_room_reports_every_few_seconds() {
    let mut table = table();
    let ann = table.join(1, "ann");
    table.flush();
    table.taken();
    let mut reports = 0;
    for number in 1..=600 {
        table.say(ann, &format!(r#"{{"t":"publish","id":{number},"data":1}}"#));
        table.flush();
        table.quiet(100);
        reports += table.taken().len();
    }
    assert!((6..=8).contains(&reports), "{reports} in a minute");
}

#[test]
fn r_dir_3_counters_are_of_the_run_and_repeat() {
    let mut table = table();
    let ann = table.join(1, "ann");
    table.flush();
    let first = table.taken();
    table.say(ann, r#"{"t":"publish","id":1,"data":1}"#);
    table.quiet(9_000);
    table.refuse_report();
    table.pass(3_000);
    let again = table.taken();
    assert_eq!(again[0].run.id, first[0].run.id);
    assert!(again[0].run.sequence > first[0].run.sequence);
    assert_eq!(again[0].counters["connections_opened_total"], 1, "since the run began");
    table.hibernate();
    table.pass(60_000);
    let woken = table.taken();
    assert_eq!(states(&woken).first(), Some(&Occupied), "who wakes tells where it stands");
    assert!(
        woken[0].run.id != first[0].run.id && !woken[0].counters.contains_key("connections_opened_total")
    );
}

#[test]
fn r_dir_2_a_directory_that_cannot_be_reached_is_asked_again_ever_more_rarely() {
    let mut table = table();
    table.join(1, "ann");
    table.flush();
    let mut tries = Vec::new();
    for _ in 0..6 {
        assert_eq!(states(&table.reports), [Occupied], "one report at a time");
        tries.push(table.now);
        table.refuse_report();
        while table.reports.is_empty() {
            table.pass(500);
        }
    }
    let waits: Vec<u64> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits, [2_000, 4_000, 8_000, 16_000, 32_000], "whatever alarms come between");
    assert_eq!(states(&table.taken()), [Occupied]);
}

#[test]
fn r_dir_2_a_report_without_an_answer_is_given_up() {
    let mut table = table();
    table.join(1, "ann");
    table.flush();
    assert_eq!(states(&table.reports), [Occupied]);
    table.reports.clear();
    table.pass(20_000);
    assert_eq!(table.reports, [], "it may still be answered");
    table.pass(60_000);
    assert!(!table.reports.is_empty(), "it was lost");
}

#[test]
fn r_rev_5_a_room_that_has_become_occupied_learns_what_was_revoked_meanwhile() {
    let mut table = table();
    let with_token = |user| Claims { expires_at: Some(START + 3_600_000), ..claims(user) };
    let (ann, _) = table.join_with(1, with_token("ann"), "");
    let (bob, _) = table.join_with(2, with_token("bob"), "");
    table.flush();
    assert_eq!(states(&table.reports), [Occupied]);
    let tokens = Revoked::User(UserId::parse("ann").expect("a user"));
    let revocation = Revocation { tokens, issued_before: None, until: table.now + 60_000 };
    table.input(Input::Reported { answer: Some(Reported { revocations: vec![revocation] }) });
    table.flush();
    assert_eq!(table.closed.get(&ann), Some(&3504));
    assert_eq!(table.closed.get(&bob), None);
}
