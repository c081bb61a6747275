use room_core::outbox::{Subscriber, Webhooks};
use room_testing::{Seat, TestRoom};
use schemas::{
    Tenant,
    config::{KindConfig, Rates},
    webhook::EventKind,
};
use serde_json::{Value, json};

use super::bench::Bench;

fn schedule(room: &mut TestRoom<Bench>, seat: Seat, name: &str, after: &str, payload: u32) {
    let args = json!({ "name": name, "after": after, "payload": payload });
    room.call(seat, "schedule", args).expect("it is scheduled");
}

fn fired(room: &mut TestRoom<Bench>, seat: Seat) -> Vec<Value> {
    room.heard(seat).into_iter().filter(|(kind, _)| kind == "fired").map(|(_, data)| data).collect()
}

#[test]
fn r_beh_18_timers_fire_in_order_with_their_payloads() {
    let mut room = TestRoom::<Bench>::new();
    let ada = room.join("ada");
    schedule(&mut room, ada, "second", "30s", 2);
    schedule(&mut room, ada, "first", "10s", 1);
    room.advance("9s");
    assert_eq!(fired(&mut room, ada), Vec::<Value>::new());
    room.advance("1m");
    assert_eq!(fired(&mut room, ada), [json!(["first", 1, 1]), json!(["second", 2, 1])]);
    assert_eq!(room.call(ada, "timers", json!(null)), Ok(json!([])));
}

#[test]
fn r_beh_18_a_timer_of_the_same_name_replaces_the_other_and_one_that_is_cancelled_does_not_fire() {
    let mut room = TestRoom::<Bench>::new();
    let ada = room.join("ada");
    schedule(&mut room, ada, "t", "10s", 1);
    schedule(&mut room, ada, "t", "30s", 2);
    schedule(&mut room, ada, "gone", "10s", 3);
    assert_eq!(room.call(ada, "cancel_timer", json!({ "name": "gone" })), Ok(json!(true)));
    assert_eq!(room.call(ada, "cancel_timer", json!({ "name": "gone" })), Ok(json!(false)));
    room.advance("20s");
    assert_eq!(fired(&mut room, ada), Vec::<Value>::new());
    room.advance("20s");
    assert_eq!(fired(&mut room, ada), [json!(["t", 2, 1])]);
}

#[test]
fn r_beh_18_a_hook_may_schedule_its_own_timer_anew() {
    let mut room = TestRoom::<Bench>::new();
    let ada = room.join("ada");
    schedule(&mut room, ada, "again", "5s", 2);
    room.advance("1m");
    assert_eq!(
        fired(&mut room, ada),
        [json!(["again", 2, 1]), json!(["again", 1, 1]), json!(["again", 0, 1])]
    );
}

#[test]
fn r_beh_19_timers_outlive_sleep_and_restarts_and_fire_late_rather_than_never() {
    let mut room = TestRoom::<Bench>::new();
    let ada = room.join("ada");
    let at = room.now() + 30_000;
    schedule(&mut room, ada, "t", &at.to_string(), 1);
    room.restart();
    room.advance("2d");
    assert_eq!(room.service("get", &json!({ "name": "fired/t" })), Ok(json!(1)));
    schedule_as_service(&mut room, "late", "1m");
    room.restart();
    let ada = room.join("ada");
    room.inbox(ada);
    room.advance("1h");
    assert_eq!(fired(&mut room, ada), [json!(["late", 0, 1])]);
}

fn schedule_as_service(room: &mut TestRoom<Bench>, name: &str, after: &str) {
    room.service("schedule", &json!({ "name": name, "after": after })).expect("it is scheduled");
}

#[test]
fn r_log_5_hooks_that_fail_are_told_once_a_minute_and_not_what_they_could_not_read() {
    let mut room = TestRoom::<Bench>::new();
    let ada = room.join("ada");
    room.call(ada, "get", json!({ "name": 7 })).expect_err("her own mistake");
    assert_eq!(room.failures(), []);
    schedule(&mut room, ada, "fails", "1s", 7);
    room.advance("30s");
    let told = || ("timer", "not yet".to_owned());
    assert_eq!(room.failures(), [told()], "twice within a minute");
    room.advance("1m");
    schedule(&mut room, ada, "fails", "1s", 7);
    room.advance("2s");
    assert_eq!(room.failures(), [told(), told()]);
    room.call(ada, "bad_sql", json!(null)).expect_err("the behavior's mistake");
    assert_eq!(room.failures().last().map(|(hook, _)| *hook), Some("call"));
}

#[test]
fn r_beh_19_a_hook_that_fails_is_tried_again_with_the_number_of_the_attempt() {
    let mut room = TestRoom::<Bench>::new();
    let ada = room.join("ada");
    schedule(&mut room, ada, "fails", "10s", 7);
    room.advance("12s");
    assert_eq!(fired(&mut room, ada), Vec::<Value>::new(), "what failed told nobody");
    assert_eq!(room.call(ada, "get", json!({ "name": "half_done" })), Ok(json!(null)), "and kept nothing");
    let timers = room.call(ada, "timers", json!(null)).expect("a list");
    assert_eq!(timers[0][2], 3, "two attempts have failed, at 10 s and 1 s later: {timers}");
    room.restart();
    let ada = room.join("ada");
    room.advance("10s");
    assert_eq!(fired(&mut room, ada), [json!(["fails", 7, 3])], "the number is kept, too");
}

#[test]
fn r_beh_19_a_timer_whose_commit_failed_fires_again() {
    let mut room = TestRoom::<Bench>::new();
    let ada = room.join("ada");
    schedule(&mut room, ada, "t", "10s", 1);
    room.fail_commits(1);
    room.advance("30s");
    assert_eq!(fired(&mut room, ada), [json!(["t", 1, 1])]);
}

#[test]
fn r_beh_20_a_room_with_timers_does_not_expire() {
    let config = KindConfig { expire_after_ms: 7_200_000, rates: Rates::OFF, ..KindConfig::default() };
    let mut room = TestRoom::<Bench>::of_kind(config);
    schedule_as_service(&mut room, "far", "10d");
    room.advance("9d");
    let timers = room.service("timers", &json!(null)).expect("a list");
    assert_eq!(timers[0][0], "far");
    room.advance("2d");
    assert_eq!(
        room.service("get", &json!({ "name": "fired/far" })),
        Ok(json!(null)),
        "it fired, and the room expired"
    );
}

#[test]
fn r_beh_20_a_timer_that_is_due_where_the_room_would_expire_waits_for_storage_as_the_room_does() {
    let (idle_after_ms, expire_after_ms) = (1_000, 2_000);
    let config = KindConfig { idle_after_ms, expire_after_ms, rates: Rates::OFF, ..KindConfig::default() };
    let mut room = TestRoom::<Bench>::of_kind(config);
    schedule_as_service(&mut room, "t", "10s");
    room.advance("9s");
    room.fail_commits(2);
    room.advance("1m");
    assert_eq!(
        room.service("get", &json!({ "name": "fired/t" })),
        Ok(json!(null)),
        "it fired, and the room expired"
    );
    assert_eq!(room.service("timers", &json!(null)), Ok(json!([])));
}

#[test]
fn r_beh_21_timers_have_bounds() {
    let mut room = TestRoom::<Bench>::new();
    for name in [String::new(), "n".repeat(129)] {
        let error =
            room.service("schedule", &json!({ "name": name, "after": "1h" })).expect_err("it is no name");
        assert!(error.message.contains("1 to 128"), "{}", error.message);
    }
    for index in 0..1_000 {
        schedule_as_service(&mut room, &format!("t{index}"), "1h");
    }
    let error = room.service("schedule", &json!({ "name": "more", "after": "1h" })).expect_err("too many");
    assert!(error.message.contains("1000"), "{}", error.message);
    schedule_as_service(&mut room, "t0", "2h");
}

#[test]
fn r_hook_14_a_timer_that_was_done_with_is_told() {
    let config = KindConfig {
        rates: Rates::OFF,
        webhooks: [EventKind::TimerFired].into_iter().collect(),
        ..KindConfig::default()
    };
    let events = [EventKind::TimerFired].into_iter().collect();
    let subscribers = vec![Subscriber { endpoint: "app".to_owned(), events }];
    let webhooks = Webhooks { tenant: Tenant::default_tenant(), subscribers };
    let mut room = TestRoom::<Bench>::told_to(config, webhooks);
    schedule_as_service(&mut room, "t", "10s");
    room.advance("20s");
    let [event] = room.events() else { panic!("one event: {:?}", room.events()) };
    assert_eq!(event["type"], "timer.fired");
    assert_eq!(event["data"], json!({ "name": "t", "payload": 0, "attempt": 1 }));
}
