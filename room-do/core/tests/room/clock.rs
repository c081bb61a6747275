//! A clock that steps back or jumps ahead: deadlines, silence, rates, and the order.

use crate::support::{START, Table, call_of, claims, json, published, table, table_of, table_with_rates};
use room_core::Input;
use schemas::{
    Claims, ConnectionId, ServerMessage,
    codes::CloseCode,
    config::{KindConfig, Rate, Rates},
    http::RoomCall,
    server_message::{LifecycleState, RequestResult},
};

const HOUR: u64 = 3_600_000;

fn timer(table: &mut Table, name: &str) -> Option<u64> {
    table.info().timers.into_iter().find(|timer| timer.name == name).map(|timer| timer.at)
}

/// The clock goes back by an hour between two inputs: what passed before the first is known to the room.
fn step_back(table: &mut Table) {
    table.input(Input::TurnEnded);
    table.now -= HOUR;
    table.input(Input::TurnEnded);
}

fn left(table: &mut Table, id: ConnectionId) -> Vec<String> {
    let diffs = table.pick(id, |message| match message {
        ServerMessage::Presence(diff) if !diff.left.is_empty() => Some(diff.left.clone()),
        _ => None,
    });
    diffs.into_iter().flatten().map(|left| left.user.to_string()).collect()
}

/// Fires alarms as they fall due, with nothing heard of anybody, until the connection is closed; tells after how long.
fn silent_until_closed(table: &mut Table, id: ConnectionId, sleeps: bool) -> (u64, u32) {
    let (began, mut sweeps) = (table.now, 0);
    while !table.closed.contains_key(&id) {
        let due = table.room.poll_timeout().durable.expect("an occupied room sweeps");
        table.now = table.now.max(due.at);
        assert!(table.now - began < HOUR, "ghosts go in bounded time");
        if sleeps {
            table.hibernate();
        }
        table.input(Input::AlarmFired { heard: vec![] });
        sweeps += 1;
    }
    assert_eq!(table.closed.get(&id), Some(&CloseCode::HeartbeatTimeout.code()));
    (table.now - began, sweeps)
}

#[test]
fn r_life_8_a_flush_goes_on_at_once_when_the_clock_stepped_back() {
    for flush_ms in [0, 50] {
        let mut table = table_of(KindConfig { flush_ms, ..KindConfig::default() });
        let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
        table.publish(ada, 1, "");
        table.now -= HOUR;
        table.publish(ada, 2, "");
        let due = table.room.poll_timeout().turn.expect("something is staged");
        assert!(due.at <= table.now + flush_ms, "{} ms", due.at - table.now);
        table.flush();
        assert_eq!(table.offsets(bob), [1, 2]);
        table.now += flush_ms + 11;
        table.publish(ada, 3, "");
        assert_eq!(table.offsets(bob), [3], "after a quiet time it leaves at once again");
    }
}

#[test]
fn r_life_8_the_order_is_by_offset_and_times_do_not_go_back() {
    let mut table = table();
    let ada = table.join(1, "ada");
    for step in [0_i64, -3_600_000, 1_000, -5, 7_200_000, -1] {
        table.now = table.now.saturating_add_signed(step);
        table.publish(ada, 1, "");
        table.flush();
    }
    let got = table.history(ada);
    let offsets: Vec<u64> = got.iter().map(|one| one.offset.value()).collect();
    assert_eq!(offsets, [1, 2, 3, 4, 5, 6]);
    assert!(got.is_sorted_by_key(|one| one.time), "nor does their time");
    table.now -= HOUR;
    table.kill();
    let ada = table.join(2, "ada");
    table.publish(ada, 1, "");
    table.flush();
    assert!(table.history(ada).is_sorted_by_key(|one| (one.offset, one.time)));
}

#[test]
fn r_life_8_graces_keep_their_distance_when_the_clock_steps_back() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.close(bob, 1006);
    table.flush();
    table.pass(4_000);
    step_back(&mut table);
    table.pass(5_999);
    assert!(left(&mut table, ada).is_empty());
    table.pass(1);
    assert_eq!(left(&mut table, ada), ["bob"]);
}

#[test]
fn r_life_8_a_grace_is_never_longer_than_a_whole_one_after_sleep() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.close(bob, 1006);
    table.flush();
    table.now -= HOUR;
    table.hibernate();
    table.publish(ada, 1, "");
    table.flush();
    table.pass(10_000);
    assert_eq!(left(&mut table, ada), ["bob"]);
}

#[test]
fn r_life_8_timers_keep_their_distance_when_the_clock_steps_back() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.request(ada, r#""t":"publish","data":1,"key":"k""#).expect("a publish");
    table.pass(1_000);
    let names = ["sweep", "keys", "trim"];
    let before = names.map(|name| timer(&mut table, name).map(|at| at - table.now));
    table.now -= HOUR;
    let greeting = table.open(9, claims("bob"));
    assert_eq!(names.map(|name| timer(&mut table, name).map(|at| at - table.now)), before);
    table.now -= HOUR;
    table.publish(ada, 1, "");
    table.flush();
    assert_eq!(
        names.map(|name| timer(&mut table, name).map(|at| at - table.now)),
        before,
        "a flush moves none"
    );
    table.pass(10_000);
    assert_eq!(table.closed.get(&greeting), Some(&3002), "no hello came in time");
}

#[test]
fn r_life_8_a_vacant_room_rests_in_time_when_the_clock_steps_back() {
    let mut table = table();
    table.ask(RoomCall::Publish(call_of("1", None))).expect("a publish");
    table.pass(HOUR / 2);
    assert_eq!(timer(&mut table, "idle"), Some(table.now + HOUR / 2));
    table.now -= HOUR;
    assert_eq!(timer(&mut table, "idle"), Some(table.now + HOUR / 2));
    table.pass(HOUR / 2);
    assert_eq!(table.info().lifecycle, LifecycleState::Idle);
}

#[test]
fn r_life_8_a_live_connection_is_not_closed_and_a_dead_one_is_when_the_clock_steps_back() {
    for sleeps in [false, true] {
        let mut table = table();
        let ada = table.join(1, "ada");
        table.pass(30_000);
        table.now -= HOUR;
        if sleeps {
            table.hibernate();
        }
        table.publish(ada, 1, "");
        table.flush();
        table.pass(600_000);
        assert!(!table.closed.contains_key(&ada), "its pings were answered");
        let (after, _) = silent_until_closed(&mut table, ada, sleeps);
        assert!((30_000..=150_000).contains(&after), "{after}");
    }
}

#[test]
fn r_life_8_a_clock_that_jumps_ahead_closes_nobody_at_the_first_sweep() {
    for (jump, sleeps) in [(HOUR, false), (HOUR, true), (24 * HOUR, true), (180_000, false), (180_000, true)]
    {
        let mut table = table();
        let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
        table.pass(10_000);
        let heard_at = table.now;
        table.now += jump;
        if sleeps {
            table.hibernate();
        }
        // What was heard of them was heard by the clock as it was.
        table.input(Input::AlarmFired { heard: vec![(ada, heard_at), (bob, heard_at)] });
        assert!(table.closed.is_empty(), "a jump of {jump} ms closed {:?}", table.closed);
        // Ada goes on to ping, bob is dead.
        let jumped_at = table.now;
        while !table.closed.contains_key(&bob) {
            let due = table.room.poll_timeout().durable.expect("an occupied room sweeps");
            table.now = table.now.max(due.at);
            assert!(table.now - jumped_at <= 240_000, "he goes with one of the next sweeps");
            if sleeps {
                table.hibernate();
            }
            table.input(Input::AlarmFired { heard: vec![(ada, table.now - 20_000), (bob, heard_at)] });
        }
        table.pass(300_000);
        assert!(!table.closed.contains_key(&ada));
    }
}

#[test]
fn r_life_8_a_sweep_that_came_an_hour_late_gives_another_round() {
    for sleeps in [false, true] {
        let mut table = table();
        let ada = table.join(1, "ada");
        table.now += HOUR;
        let (after, sweeps) = silent_until_closed(&mut table, ada, sleeps);
        assert!(sweeps >= 2 && (60_000..=180_000).contains(&after), "{sweeps} sweeps, {after} ms");
    }
}

#[test]
fn r_beat_2_without_a_jump_a_dead_connection_goes_within_150_s_whether_the_room_sleeps_or_not() {
    for sleeps in [false, true] {
        let mut table = table();
        let ada = table.join(1, "ada");
        let (after, _) = silent_until_closed(&mut table, ada, sleeps);
        assert!((90_000..=150_000).contains(&after), "{after}");
    }
}

/// What is asked for now does not suffer from what was asked for in a future that was taken back.
#[test]
fn r_life_8_a_rate_that_was_not_used_up_is_not_used_up_by_a_clock_that_steps_back() {
    let mut table = table_with_rates(KindConfig::default());
    let ada = table.join(1, "ada");
    table.request(ada, r#""t":"publish","data":1"#).expect("a publish");
    table.pass(60_000);
    table.now -= HOUR;
    let requests: Vec<u32> = (0..50).map(|_| table.stage(ada, r#""t":"publish","data":1"#)).collect();
    table.flush();
    for request in requests {
        published(table.answer(ada, request));
    }
}

#[test]
fn r_life_8_a_rate_that_was_used_up_is_back_in_its_time() {
    let rate = Some(Rate { per_second: 10, burst: 10 });
    let rates = Rates { publish: rate, request: rate };
    for sleeps in [false, true] {
        let mut table = table_with_rates(KindConfig { rates, ..KindConfig::default() });
        let ada = table.join(1, "ada");
        for _ in 0..10 {
            table.request(ada, r#""t":"publish","data":1"#).expect("the burst");
        }
        step_back(&mut table);
        if sleeps {
            table.hibernate();
        }
        table.now += 1_000;
        let mut answers = (0..10).map(|_| table.request(ada, r#""t":"publish","data":1"#));
        assert!(answers.all(|answer| answer.is_ok()), "a second brings ten");
    }
}

#[test]
fn r_rate_2_refusals_before_the_clock_stepped_back_are_no_longer_of_these_10_s() {
    let rate = Some(Rate { per_second: 1, burst: 1 });
    let mut table = table_with_rates(KindConfig {
        rates: Rates { publish: rate, request: None },
        ..KindConfig::default()
    });
    let ada = table.join(1, "ada");
    let refuse = |table: &mut Table| {
        for _ in 0..60 {
            table.stage(ada, r#""t":"publish","data":1"#);
        }
        table.flush();
    };
    refuse(&mut table);
    step_back(&mut table);
    for _ in 0..5 {
        table.pass(30_000);
        refuse(&mut table);
        assert!(!table.closed.contains_key(&ada), "60 refusals each half minute");
    }
}

#[test]
fn r_frame_4_malformed_lines_do_not_add_up_when_the_clock_stepped_back() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.say(ada, "?");
    table.now -= HOUR;
    for _ in 0..20 {
        table.say(ada, "?");
        table.pass(20_000);
        table.flush();
    }
    assert!(!table.closed.contains_key(&ada), "three a minute");
}

#[test]
fn r_life_8_a_token_is_warned_of_and_closed_although_the_clock_stepped_back() {
    let mut table = table();
    let expires_at = START + 300_000;
    let (ada, _) = table.join_with(1, Claims { expires_at: Some(expires_at), ..claims("ada") }, "");
    table.pass(60_000);
    step_back(&mut table);
    table.pass(180_000);
    assert_eq!(table.take(ada), [ServerMessage::Expiring { expires_at }]);
    table.pass(90_000);
    assert_eq!(table.closed.get(&ada), Some(&3010));
}

#[test]
fn r_life_8_occupancy_is_told_again_when_the_clock_stepped_back() {
    let presence =
        schemas::config::PresenceConfig { mode: schemas::config::PresenceMode::Count, ..Default::default() };
    let mut table = table_of(KindConfig { presence, ..KindConfig::default() });
    let ada = table.join(1, "ada");
    table.join(2, "bob");
    table.now -= HOUR;
    table.join(3, "cy");
    table.now += 1_000;
    table.flush();
    let told = table.pick(ada, |message| match message {
        ServerMessage::Occupancy(occupancy) => Some(occupancy.members),
        _ => None,
    });
    assert_eq!(told.last(), Some(&3));
}

#[test]
fn r_life_8_a_backend_is_answered_whatever_the_clock_does() {
    let mut table = table();
    for step in [0_i64, -3_600_000, 7_200_000, -1] {
        table.now = table.now.saturating_add_signed(step);
        let answer = table.ask(RoomCall::Publish(call_of("1", None)));
        assert!(matches!(answer, Ok(RequestResult::Published(_))));
    }
    assert_eq!(table.storage.rows().len(), 4);
    assert!(table.storage.rows().iter().all(|row| row.data == Some(json("1"))));
}
