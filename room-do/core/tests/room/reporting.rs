//! When the directory is told, and when not: to the millisecond.

use room_core::Input;
use schemas::{
    directory::Reported,
    http::RoomCall,
    server_message::LifecycleState::{self, Fresh, Occupied, Vacant},
};

use crate::support::{Table, call_of, table};

fn states(table: &mut Table) -> Vec<LifecycleState> {
    table.reports.drain(..).map(|report| report.lifecycle).collect()
}

fn answer(table: &mut Table, is_taken: bool) {
    let answer = is_taken.then(|| Reported { revocations: Vec::new() });
    table.input(Input::Reported { answer });
}

/// Something that changes nothing happens so much later.
fn after(table: &mut Table, ms: u64) {
    table.now += ms;
    table.input(Input::TurnEnded);
}

/// A room with a member, which has reported; its report is not answered yet.
fn reporting() -> Table {
    let mut table = table();
    table.join(1, "ann");
    table.flush();
    assert_eq!(states(&mut table), [Occupied]);
    table
}

#[test]
fn r_dir_2_a_report_is_lost_after_30_s_and_not_before() {
    let mut table = reporting();
    after(&mut table, 29_999);
    assert_eq!(states(&mut table), []);
    after(&mut table, 1);
    assert_eq!(states(&mut table), [Occupied]);
}

#[test]
fn r_dir_2_a_report_under_way_keeps_its_distance_when_the_clock_goes_back() {
    let mut table = reporting();
    table.now -= 3_600_000;
    after(&mut table, 0);
    after(&mut table, 29_999);
    assert_eq!(states(&mut table), []);
    after(&mut table, 1);
    assert_eq!(states(&mut table), [Occupied]);
}

#[test]
fn r_dir_2_a_used_room_is_never_given_up() {
    let mut table = reporting();
    for retry_ms in [2_000, 4_000, 8_000] {
        answer(&mut table, false);
        for _ in 0..3 {
            after(&mut table, retry_ms / 4);
            assert_eq!(states(&mut table), [], "it waits");
        }
        table.pass(retry_ms / 4);
        assert_eq!(states(&mut table), [Occupied]);
    }
    after(&mut table, 30_000);
    assert_eq!(states(&mut table), [Occupied], "the fourth was lost");
}

#[test]
fn r_dir_2_a_room_of_which_nothing_is_left_gives_up_after_three_tries() {
    let mut table = table();
    table.ask(RoomCall::Publish(call_of("1", None))).expect("is answered");
    table.flush();
    answer(&mut table, true);
    table.now += 5_000;
    states(&mut table);
    table.ask(RoomCall::Delete).expect("is answered");
    for retry_ms in [2_000, 4_000] {
        assert_eq!(states(&mut table), [Fresh]);
        answer(&mut table, false);
        after(&mut table, retry_ms - 1);
        assert_eq!(states(&mut table), []);
        table.now += 1;
        table.input(Input::ReportDue);
    }
    assert_eq!(states(&mut table), [Fresh]);
    answer(&mut table, false);
    assert_eq!(table.room.poll_timeout().report, None);
    after(&mut table, 3_600_000);
    assert_eq!(states(&mut table), []);
}

#[test]
fn r_dir_2_a_change_of_state_does_not_wait_for_what_was_counted() {
    let mut table = reporting();
    answer(&mut table, true);
    table.now += 1_500;
    let ann = crate::support::connection(1);
    table.publish(ann, 1, "");
    table.flush();
    let counted_at = table.room.poll_timeout().report.expect("what was counted is to be told");
    table.close(ann, 1000);
    table.flush();
    assert!(table.now < counted_at);
    assert_eq!(states(&mut table), [Vacant]);
}

#[test]
fn r_dir_2_what_was_counted_is_told_4_s_later_and_not_with_it() {
    let mut table = reporting();
    answer(&mut table, true);
    table.now += 30_000;
    table.publish(crate::support::connection(1), 1, "");
    table.flush();
    assert_eq!(states(&mut table), []);
    assert_eq!(table.room.poll_timeout().report, Some(table.now + 4_000));
}

#[test]
fn r_dir_2_a_flush_that_is_about_to_change_the_state_tells_it_better() {
    let mut table = reporting();
    answer(&mut table, true);
    table.now += 200;
    table.close(crate::support::connection(1), 1000);
    table.flush();
    assert_eq!(states(&mut table), [], "a second has not passed");
    table.now += 850;
    let bob = table.open(2, crate::support::claims("bob"));
    assert_eq!(states(&mut table), [Vacant], "a connection is no member");
    answer(&mut table, true);
    table.now += 1_100;
    table.hello(bob, 2, "");
    table.flush();
    assert_eq!(states(&mut table), [Occupied]);
    answer(&mut table, true);
    table.now += 200;
    table.close(bob, 1000);
    table.flush();
    table.now += 900;
    let ada = table.open(3, crate::support::claims("ada"));
    states(&mut table);
    answer(&mut table, true);
    table.hello(ada, 3, "");
    assert_eq!(states(&mut table), [], "it is about to be occupied");
}
