use room_testing::TestRoom;
use schemas::{
    Capabilities, ErrorCode,
    config::{KindConfig, Rates},
    server_message::ServerMessage,
};
use serde_json::{Value, json};

use super::bench::Bench;

fn bench() -> TestRoom<Bench> {
    TestRoom::new()
}

fn said(kind: &str, data: Value) -> (String, Value) {
    (kind.to_owned(), data)
}

#[test]
fn r_beh_9_join_may_refuse_with_a_code_and_keeps_nothing_then() {
    let mut room = bench();
    let ada = room.join("ada");
    let refused = room.try_join("mallory", Capabilities::all());
    assert_eq!(refused, Err((4_501, "not you".to_owned())));
    assert_eq!(room.try_join("later", Capabilities::all()), Err((4_001, "come back".to_owned())));
    assert_eq!(room.call(ada, "get", json!({ "name": "mallory" })), Ok(json!(null)));
}

#[test]
fn r_beh_9_join_gives_tags_and_presence_and_knows_who_comes_back() {
    let mut room = bench();
    let bob = room.join("bob");
    room.inbox(bob);
    let ada = room.join_as("ada", "session-of-ada", Capabilities::all()).expect("ada joins");
    let welcome = room.inbox(ada).into_iter().find_map(|message| match message {
        ServerMessage::Welcome(welcome) => Some(welcome),
        _ => None,
    });
    let welcome = welcome.expect("a welcome");
    assert_eq!(welcome.tags, ["$user-ada"]);
    let own = welcome.members.expect("members").into_iter().find(|member| member.user.as_str() == "ada");
    let data = own.expect("ada is listed").data.expect("her presence");
    assert_eq!(serde_json::to_value(&data).expect("JSON"), json!({ "name": "ada" }));
    room.lose(ada);
    room.join_as("ada", "session-of-ada", Capabilities::all()).expect("ada comes back");
    assert_eq!(
        room.heard(bob),
        [said("coming", json!(["ada", false])), said("coming", json!(["ada", true]))]
    );
}

#[test]
fn r_beh_9_tags_of_room_logic_are_not_the_clients_to_drop() {
    let mut room = bench();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    room.say(ada, r#"{"t":"unsubscribe","id":900,"tags":["$user-ada"]}"#);
    room.inbox(ada);
    room.inbox(bob);
    room.call(bob, "tell", json!({ "how": "tags", "whom": "$user-ada" })).expect("it is told");
    assert_eq!((room.heard(ada), room.heard(bob)), (vec![said("told", json!("tags"))], vec![]));
    room.sleep();
    room.call(bob, "tell", json!({ "how": "tags", "whom": "$user-ada" })).expect("it is told");
    assert_eq!(room.heard(ada), [said("told", json!("tags"))], "they outlive the room's memory");
}

#[test]
fn r_beh_10_leave_runs_once_a_membership_ended() {
    let mut room = bench();
    let (ada, bob, eve) = (room.join("ada"), room.join("bob"), room.join("eve"));
    room.inbox(eve);
    room.leave(ada);
    assert_eq!(room.heard(eve), [said("gone", json!(["ada", "left"]))]);
    room.lose(bob);
    assert_eq!(room.heard(eve), [], "its grace runs");
    room.advance("11s");
    assert_eq!(room.heard(eve), [said("gone", json!(["bob", "lost"]))]);
}

#[test]
fn r_beh_10_a_leave_whose_commit_failed_runs_again_and_is_kept_once() {
    let mut room = bench();
    let (ada, eve) = (room.join("ada"), room.join("eve"));
    room.inbox(eve);
    room.fail_commits(1);
    room.leave(ada);
    assert_eq!(room.heard(eve), []);
    room.advance("2s");
    assert_eq!(room.heard(eve), [said("gone", json!(["ada", "left"]))]);
}

#[test]
fn r_beh_10_members_whose_process_ended_leave_when_their_grace_does() {
    let mut room = bench();
    room.join("ada");
    room.restart();
    let eve = room.join("eve");
    room.inbox(eve);
    room.advance("11s");
    assert_eq!(room.heard(eve), [said("gone", json!(["ada", "lost"]))]);
}

#[test]
fn r_beh_11_publish_passes_changes_refuses_or_consumes() {
    let mut room = bench();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    room.inbox(bob);
    room.publish(ada, "message", json!("hello")).expect("it passes");
    room.publish(ada, "shout", json!("hello")).expect("it is changed");
    let refused = room.publish(ada, "curse", json!("!")).expect_err("it is refused");
    assert_eq!((refused.code, refused.message.as_str()), (ErrorCode::Forbidden, "mind your language"));
    assert_eq!(room.publish(ada, "input", json!(1)), Ok(json!({})), "it is consumed");
    assert_eq!(room.send(ada, "input", json!(2)), Ok(json!({})));
    assert_eq!(room.publish(ada, "shout", json!(1)).expect_err("no text").details[0].path, "data");
    room.publish_as_backend("shout", &json!("hey")).expect("a backend is heard, too");
    let heard = [said("message", json!("hello")), said("shout", json!("HELLO")), said("shout", json!("HEY"))];
    assert_eq!(room.heard(bob), heard);
    assert_eq!(room.head().value(), 3, "what is not published takes no offset");
    assert_eq!(room.call(ada, "count", json!(null)), Ok(json!(2)));
    assert_eq!(
        room.call(ada, "get", json!({ "name": "cursed" })),
        Ok(json!(null)),
        "what is refused keeps nothing"
    );
}

#[test]
fn r_beh_11_what_a_hook_makes_of_a_publish_is_held_against_the_bounds_and_keeps_nothing_beyond() {
    let mut room = bench();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    room.inbox(bob);
    let publishes = [("spoilt", 801), ("message", 802)]
        .map(|(kind, id)| format!(r#"{{"t":"publish","id":{id},"type":"{kind}","data":1}}"#));
    room.say(ada, &publishes.join("\n"));
    let refused = room.inbox(ada).into_iter().find_map(|message| match message {
        ServerMessage::Error(error) => Some((error.id, error.code)),
        _ => None,
    });
    assert_eq!(refused, Some((Some(801), ErrorCode::InvalidArgument)));
    assert_eq!(room.heard(bob), [said("message", json!(1))]);
    assert_eq!(room.head().value(), 1);
}

#[test]
fn r_beh_11_a_publish_that_comes_again_under_its_key_runs_no_hook() {
    let mut room = bench();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    room.inbox(bob);
    for id in [801, 802] {
        let publish = format!(r#"{{"t":"publish","id":{id},"key":"k","type":"counted","data":1}}"#);
        room.say(ada, &publish);
    }
    assert_eq!(room.heard(bob), [said("tally", json!(1)), said("counted", json!(1))]);
    room.say(ada, r#"{"t":"publish","id":803,"key":"s","type":"shout","data":"a"}"#);
    room.say(ada, r#"{"t":"publish","id":804,"key":"s","type":"shout","data":"a"}"#);
    assert_eq!(
        room.heard(bob),
        [said("shout", json!("A"))],
        "the key stands for what was said, not what became of it"
    );
}

#[test]
fn r_beh_12_ticks_come_while_somebody_is_connected_and_make_up_for_little() {
    let mut room = bench();
    let ada = room.join("ada");
    room.advance("5s");
    let ticks = room.call(ada, "ticks", json!(null)).expect("a number").as_u64().expect("a number");
    assert!((4..=5).contains(&ticks), "{ticks}");
    room.leave(ada);
    room.advance("1m");
    let later = room.service("ticks", &json!(null)).expect("a number").as_u64().expect("a number");
    assert!(later <= ticks + 1, "{later}");
}

#[test]
fn r_beh_12_a_room_that_ticks_asks_to_be_woken_before_the_platform_lets_it_go() {
    let mut room = bench();
    let ada = room.join("ada");
    let wakes = |room: &TestRoom<Bench>| room.next_alarm().is_some_and(|at| at <= room.now() + 5_000);
    assert!(wakes(&room));
    room.advance("20s");
    assert!(wakes(&room));
    room.sleep();
    assert!(wakes(&room), "and it ticks on where it was put to sleep all the same");
    room.leave(ada);
    assert!(!wakes(&room), "nobody is there to tick for");
}

#[test]
fn r_beh_13_lifecycle_is_told_as_it_changes_and_keeps_no_room_alive() {
    let expire_after_ms = 3 * 60 * 60 * 1000;
    let config = KindConfig { expire_after_ms, rates: Rates::OFF, ..KindConfig::default() };
    let mut room = TestRoom::<Bench>::of_kind(config);
    let states = |room: &mut TestRoom<Bench>| room.service("get", &json!({ "name": "0states" }));
    let ada = room.join("ada");
    assert_eq!(states(&mut room), Ok(json!(1)), "occupied");
    room.leave(ada);
    assert_eq!(states(&mut room), Ok(json!(12)), "vacated");
    room.advance("2h");
    assert_eq!(states(&mut room), Ok(json!(123)), "at rest");
    room.restart();
    let ada = room.join("ada");
    assert_eq!(states(&mut room), Ok(json!(1231)), "occupied again");
    room.leave(ada);
    room.advance("1d");
    assert_eq!(states(&mut room), Ok(json!(null)), "expired, with all it stored");
}
