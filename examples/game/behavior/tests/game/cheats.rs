//! What a client gains that does not play by the page's rules: nothing.

use game_behavior::Game;
use game_behavior::frame::Frame;
use game_behavior::view::View;
use room_testing::{Seat as Connection, TestRoom};
use serde_json::{Value, json};

use crate::support::{begun, frames};

fn input(n: u32, x: i32) -> Value {
    json!({ "n": n, "x": x, "y": 0, "dash": false })
}

/// Sends all of these ephemerals at once, and lets the rest of a tick pass: saying something takes 20 ms.
fn flood(room: &mut TestRoom<Game>, from: Connection, kind: &str, all: &[Value]) {
    let said =
        |(id, data)| json!({ "t": "publish", "id": id, "type": kind, "data": data, "ephemeral": true });
    let lines: Vec<String> = (10_000..).zip(all).map(|wish| said(wish).to_string()).collect();
    room.say(from, &lines.join("\n"));
    room.advance("30ms");
}

/// How far Ada goes to the left, and how much she paints, in a second of play and with so many inputs a tick.
fn second(a_tick: u32) -> (i32, u16) {
    let (mut room, ada, _) = begun();
    room.advance("4s");
    let mut view = View::default();
    frames(&mut room, ada).iter().for_each(|frame| view.apply(frame).expect("nothing is missing"));
    let (from, began) = (view.body(0).expect("she plays").x, view.tick);
    for tick in 0..20 {
        let wishes: Vec<Value> = (1..=a_tick).map(|wish| input(tick * a_tick + wish, -127)).collect();
        flood(&mut room, ada, "input", &wishes);
    }
    frames(&mut room, ada).iter().for_each(|frame| view.apply(frame).expect("nothing is missing"));
    assert_eq!(view.tick - began, 20);
    (from - view.body(0).expect("she plays").x, view.floor.count(1))
}

#[test]
fn r_game_3_who_sends_more_inputs_is_no_faster() {
    let (fair, flood) = (second(1), second(25));
    assert!(fair.0 > 15 * 112 && flood.0 <= fair.0 && flood.1 <= fair.1, "{fair:?} {flood:?}");
}

#[test]
fn r_game_2_who_counts_to_the_end_at_once_stands_until_they_sit_down_anew() {
    let (mut room, ada, bob) = begun();
    room.advance("4s");
    room.send(ada, "input", input(u32::MAX, 0)).expect("it is a number");
    let mut view = View::default();
    for number in 1..20 {
        room.send(ada, "input", input(number, -127)).expect("old ones are dropped");
        room.send(bob, "input", input(number, 127)).expect("it is taken");
        room.advance("50ms");
    }
    frames(&mut room, bob).iter().for_each(|frame| view.apply(frame).expect("nothing is missing"));
    assert_eq!(view.body(0).map(|body| (body.vx, body.vy)), Some((0, 0)));
    assert!(view.floor.count(2) > 10, "Bob does not notice");
    room.call(ada, "sit", json!(null)).expect("it is hers");
    room.send(ada, "input", input(1, -127)).expect("it is taken");
    room.advance("50ms");
    frames(&mut room, bob).iter().for_each(|frame| view.apply(frame).expect("nothing is missing"));
    assert!(view.body(0).is_some_and(|body| body.vx < 0), "counted from 1 again");
}

#[test]
fn r_game_2_numbers_that_are_none_are_refused() {
    let (mut room, ada, _) = begun();
    for (field, wrong) in [
        ("n", json!(u64::from(u32::MAX) + 1)),
        ("n", json!(1.5)),
        ("x", json!(1e300)),
        ("x", json!(null)),
        ("y", json!("NaN")),
        ("y", json!(i64::MIN)),
        ("dash", json!("yes")),
        ("vx", json!(9_000)),
    ] {
        let mut wish = input(1, 1);
        wish[field] = wrong.clone();
        let refused = room.send(ada, "input", wish).expect_err("it is no input");
        assert_eq!(refused.code.as_str(), "invalid_argument", "{field}: {wrong}");
    }
}

#[test]
fn r_game_4_a_flood_of_resyncs_is_answered_once_a_tick_and_to_the_flooder_alone() {
    let (mut room, ada, bob) = begun();
    room.advance("4s");
    for player in [ada, bob] {
        room.heard(player);
    }
    (0..5).for_each(|_| flood(&mut room, ada, "resync", &[const { Value::Null }; 15]));
    let full = |frames: Vec<Frame>| frames.iter().filter(|frame| frame.is_full).count();
    assert_eq!((full(frames(&mut room, ada)), full(frames(&mut room, bob))), (5, 0));
}

#[test]
fn r_game_1_two_sessions_of_a_user_have_one_seat_between_them() {
    let (mut room, ada, _) = begun();
    let tab = room.join("ada");
    for player in [tab, ada, tab] {
        assert_eq!(room.call(player, "sit", json!(null)).expect("it is hers"), json!({ "seat": 0 }));
    }
    room.send(ada, "input", input(1, 1)).expect_err("she plays in the other tab");
    room.call(ada, "ready", json!({ "ready": false })).expect_err("there too");
    room.call(ada, "stand", json!(null)).expect("and nothing of hers to give up");
    room.send(tab, "input", input(1, 1)).expect("the seat is still there");
    assert_eq!(room.state("lobby").expect("they sit")["seats"].as_array().map(Vec::len), Some(2));
}

#[test]
fn r_game_5_whoever_is_not_ready_and_ready_again_neither_lengthens_the_countdown_nor_keeps_the_rest_from_it()
{
    let mut room = TestRoom::<Game>::new();
    let players = ["ada", "bob", "eve", "mallory"].map(|user| room.join(user));
    for player in players {
        room.call(player, "sit", json!(null)).expect("there is room");
        room.call(player, "ready", json!({ "ready": true })).expect("they sit");
    }
    // All are ready, then three of four, twenty times a second.
    for turn in 0..80 {
        room.call(players[3], "ready", json!({ "ready": turn % 2 == 0 })).expect("they sit");
        room.advance("50ms");
    }
    assert_eq!(room.state("lobby").expect("they sit")["phase"], json!("playing"));
}

#[test]
fn r_game_6_a_strangers_paint_does_not_come_with_their_seat_and_ones_own_is_there_again() {
    let (mut room, ada, bob) = begun();
    room.advance("4s");
    for number in 1..40 {
        room.send(ada, "input", input(number, -127)).expect("it is taken");
        room.advance("50ms");
    }
    let mut view = View::default();
    let mut count = |room: &mut TestRoom<Game>| {
        room.advance("50ms");
        frames(room, bob).iter().for_each(|frame| view.apply(frame).expect("nothing is missing"));
        view.floor.count(1)
    };
    let painted = count(&mut room);
    assert!(painted > 10);
    room.call(ada, "stand", json!(null)).expect("she may");
    assert_eq!(count(&mut room), painted, "the paint stays");
    room.call(ada, "sit", json!(null)).expect("it is free");
    assert_eq!(count(&mut room), painted, "and is still hers");
    room.call(ada, "stand", json!(null)).expect("she may");
    let eve = room.join("eve");
    assert_eq!(room.call(eve, "sit", json!(null)).expect("it is free"), json!({ "seat": 0 }));
    assert_eq!(count(&mut room), 0, "Eve did not paint that");
}

#[test]
fn r_game_7_nobody_but_the_room_writes_the_lobby_and_what_else_is_written_changes_no_game() {
    let (mut room, ada, bob) = begun();
    for op in [json!({ "set": "lobby", "value": { "seats": [] } }), json!({ "delete": "lobby" })] {
        let refused = room.request(ada, json!({ "t": "state", "ops": [op] })).expect_err("the room's own");
        assert_eq!(refused.code.as_str(), "forbidden");
    }
    for message in [
        json!({ "t": "presence", "id": 901, "data": { "seat": 1, "is_bot": true } }),
        json!({ "t": "subscribe", "id": 902, "tags": ["1", "bob"] }),
        json!({ "t": "react", "id": 903, "offset": 1, "name": "+1" }),
        json!({ "t": "edit", "id": 904, "offset": 1, "data": {} }),
        json!({ "t": "remove", "id": 905, "offset": 1 }),
    ] {
        room.say(ada, &message.to_string());
    }
    assert_eq!((room.closed(ada), room.closed(bob)), (None, None));
    let seats = room.state("lobby").expect("they sit")["seats"].clone();
    let who = |seat: &Value| (seat["seat"].clone(), seat["name"].clone(), seat["is_bot"].clone());
    let expected =
        [(0, "Player 1"), (1, "Player 2")].map(|(seat, name)| (json!(seat), json!(name), json!(false)));
    assert_eq!(seats.as_array().map(|seats| seats.iter().map(who).collect()), Some(Vec::from(expected)));
    assert_eq!(room.call(ada, "sit", json!(null)).expect("it is hers"), json!({ "seat": 0 }));
}
