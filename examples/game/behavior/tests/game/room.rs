//! The game in its room: seats, phases, frames, restarts.

use game_behavior::Game;
use game_behavior::frame::Frame;
use game_behavior::motion::FIELD;
use game_behavior::round::Phase;
use game_behavior::view::View;
use room_testing::{Seat as Connection, TestRoom};
use schemas::{Capabilities, Payload};
use serde_json::{Value, json};

use crate::support::{begun, frames};

/// Reads the frames that a connection has heard into its view.
fn watch(room: &mut TestRoom<Game>, connection: Connection, view: &mut View) -> Vec<Frame> {
    let frames = frames(room, connection);
    frames.iter().for_each(|frame| view.apply(frame).expect("nothing is missing"));
    frames
}

fn lobby(room: &mut TestRoom<Game>) -> Value {
    room.state("lobby").expect("someone sat down")
}

#[test]
fn r_game_5_two_who_are_ready_play_a_round_to_its_end_and_a_rematch() {
    let (mut room, ada, bob) = begun();
    let mut view = View::default();
    room.advance("1s");
    watch(&mut room, ada, &mut view);
    assert_eq!((view.phase, lobby(&mut room)["phase"].clone()), (Phase::Countdown, json!("countdown")));
    room.advance("3s");
    watch(&mut room, ada, &mut view);
    assert_eq!(view.phase, Phase::Playing);
    for number in 1..=40 {
        room.send(ada, "input", json!({ "n": number, "x": -127, "y": 40, "dash": false }))
            .expect("it is taken");
        room.advance("50ms");
    }
    watch(&mut room, ada, &mut view);
    assert!(view.floor.count(1) > 30, "Ada ran");
    room.advance("75s");
    watch(&mut room, ada, &mut view);
    assert_eq!(view.phase, Phase::Finished);
    let told = lobby(&mut room);
    assert_eq!(
        (&told["winner"], &told["round"], &told["seats"][0]["wins"]),
        (&json!(0), &json!(1), &json!(1))
    );
    for player in [ada, bob] {
        room.call(player, "ready", json!({ "ready": true })).expect("they sit");
    }
    room.advance("100ms");
    watch(&mut room, ada, &mut view);
    assert_eq!((view.phase, view.floor.painted().len()), (Phase::Countdown, 0));
}

#[test]
fn r_game_4_every_tick_is_told_once_and_in_order_while_a_round_is_played() {
    let (mut room, ada, bob) = begun();
    let mut views = [View::default(), View::default()];
    room.advance("5s");
    for (player, view) in [ada, bob].into_iter().zip(&mut views) {
        watch(&mut room, player, view);
        assert_eq!(view.phase, Phase::Playing);
    }
    room.advance("10s");
    for (player, view) in [ada, bob].into_iter().zip(&mut views) {
        let ticks: Vec<u32> = watch(&mut room, player, view).iter().map(|frame| frame.tick).collect();
        assert_eq!(ticks.len(), 200);
        assert!(ticks.windows(2).all(|pair| pair[1] == pair[0] + 1), "{ticks:?}");
    }
    assert_eq!(views[0].floor.painted(), views[1].floor.painted());
}

#[test]
fn r_game_4_whoever_comes_late_sees_the_world_at_once_and_may_sit_down_in_the_middle() {
    let (mut room, ada, _) = begun();
    room.advance("5s");
    for number in 1..=30 {
        room.send(ada, "input", json!({ "n": number, "x": -90, "y": 90, "dash": number == 9 }))
            .expect("taken");
        room.advance("50ms");
    }
    let eve = room.join("eve");
    let (mut seen, mut late) = (View::default(), View::default());
    room.advance("100ms");
    watch(&mut room, ada, &mut seen);
    let frames = watch(&mut room, eve, &mut late);
    assert!(frames[0].is_full && frames[1..].iter().all(|frame| !frame.is_full));
    assert_eq!(late.floor.painted(), seen.floor.painted());
    assert_eq!(late.standings().collect::<Vec<_>>(), seen.standings().collect::<Vec<_>>());
    let refused = room.send(eve, "input", json!({ "n": 1, "x": 1, "y": 1, "dash": false }));
    let refused = refused.expect_err("she has no seat");
    assert_eq!((refused.code.as_str(), refused.data), ("method_failed", Some(Payload::of(&"not_seated"))));
    assert_eq!(room.call(eve, "sit", json!(null)).expect("there is room"), json!({ "seat": 2 }));
    room.advance("100ms");
    watch(&mut room, eve, &mut late);
    assert!(late.body(2).is_some());
}

#[test]
fn r_game_4_whoever_comes_while_nothing_happens_misses_nothing() {
    let mut room = TestRoom::<Game>::new();
    let ada = room.join("ada");
    let mut view = View::default();
    for number in 0..7 {
        room.advance("370ms");
        let late = room.join(&format!("late-{number}"));
        let mut seen = View::default();
        room.advance("5s");
        watch(&mut room, late, &mut seen);
        watch(&mut room, ada, &mut view);
        assert_eq!(seen.tick, view.tick);
    }
}

#[test]
fn r_game_1_a_connection_that_comes_back_within_its_grace_finds_its_seat_and_later_it_is_gone() {
    let mut room = TestRoom::<Game>::new();
    let all = Capabilities::all();
    let ada = room.join_as("ada", "adas-session", all).expect("she may join");
    let bob = room.join("bob");
    assert_eq!(room.call(ada, "sit", json!(null)).expect("there is room"), json!({ "seat": 0 }));
    assert_eq!(room.call(bob, "sit", json!(null)).expect("there is room"), json!({ "seat": 1 }));
    room.lose(ada);
    room.advance("5s");
    assert_eq!(lobby(&mut room)["seats"].as_array().map(Vec::len), Some(2));
    let ada = room.join_as("ada", "adas-session", all).expect("she may come back");
    assert_eq!(room.call(ada, "sit", json!(null)).expect("it is hers"), json!({ "seat": 0 }));
    let phone = room.join("ada");
    assert_eq!(
        room.call(phone, "sit", json!(null)).expect("it is hers"),
        json!({ "seat": 0 }),
        "from elsewhere too"
    );
    room.send(ada, "input", json!({ "n": 1, "x": 1, "y": 1, "dash": false }))
        .expect_err("she plays on the phone");
    room.lose(phone);
    room.advance("30s");
    let left = lobby(&mut room);
    assert_eq!((left["seats"].as_array().map(Vec::len), &left["seats"][0]["seat"]), (Some(1), &json!(1)));
}

#[test]
fn r_game_9_a_restart_in_the_middle_of_a_round_costs_five_seconds_of_it_at_most() {
    let (mut room, ada, _) = begun();
    room.advance("5s");
    for number in 1..=200 {
        let x = if number / 40 % 2 == 0 { 127 } else { -127 };
        room.send(ada, "input", json!({ "n": number, "x": x, "y": 30, "dash": false })).expect("it is taken");
        room.advance("50ms");
    }
    let mut before = View::default();
    watch(&mut room, ada, &mut before);
    room.sleep();
    let mut after = View::default();
    room.advance("50ms");
    let frames = watch(&mut room, ada, &mut after);
    assert!(frames[0].is_full, "whoever is still here is told everything");
    assert_eq!(after.phase, Phase::Playing);
    assert!(before.tick - after.tick < 100 && after.left >= before.left, "{} {}", before.tick, after.tick);
    assert!(after.floor.count(1) > before.floor.count(1) / 2, "the paint is there");
    assert!(after.body(0).is_some() && after.body(1).is_some());
    room.send(ada, "input", json!({ "n": 201, "x": 127, "y": 0, "dash": false })).expect("she plays on");
    assert_eq!(lobby(&mut room)["phase"], json!("playing"));
}

#[test]
fn r_game_9_a_commit_that_fails_costs_a_moment_and_no_seat() {
    let (mut room, ada, bob) = begun();
    room.advance("8s");
    room.fail_commits(1);
    room.advance("3s");
    let mut view = View::default();
    let ben = room.join("ben");
    room.advance("1s");
    watch(&mut room, ben, &mut view);
    assert_eq!((view.phase, view.standings().count()), (Phase::Playing, 2));
    for player in [ada, bob] {
        room.send(player, "input", json!({ "n": 1, "x": 1, "y": 1, "dash": false })).expect("it is taken");
    }
}

#[test]
fn r_game_5_whoever_gets_up_watches_and_a_round_without_players_ends() {
    let (mut room, ada, bob) = begun();
    room.advance("5s");
    room.call(ada, "stand", json!(null)).expect("she may");
    room.call(ada, "stand", json!(null)).expect("twice is once");
    room.call(ada, "ready", json!({ "ready": true })).expect_err("she has no seat");
    room.advance("100ms");
    assert_eq!(lobby(&mut room)["phase"], json!("playing"), "Bob plays on");
    room.leave(bob);
    room.advance("100ms");
    let told = lobby(&mut room);
    assert_eq!((&told["phase"], told["seats"].as_array().map(Vec::len)), (&json!("lobby"), Some(0)));
    let mut view = View::default();
    watch(&mut room, ada, &mut view);
    assert_eq!(view.standings().count(), 0);
}

#[test]
fn r_game_7_players_send_inputs_alone_and_nobody_but_the_room_sends_frames() {
    let (mut room, ada, bob) = begun();
    room.heard(bob);
    for (kind, code) in
        [("frame", "forbidden"), ("message", "invalid_argument"), ("anything", "invalid_argument")]
    {
        let sent = room.send(ada, kind, json!([0])).expect_err("it is not theirs to send");
        let logged = room.publish(ada, kind, json!([0])).expect_err("nor to log");
        assert_eq!([sent.code.as_str(), logged.code.as_str()], [code; 2], "{kind}");
    }
    room.publish(ada, "input", json!({ "n": 1, "x": 1, "y": 1, "dash": false }))
        .expect_err("inputs are ephemeral");
    for wrong in [
        json!(null),
        json!({ "n": -1, "x": 0, "y": 0, "dash": false }),
        json!({ "n": 1 }),
        json!({ "n": 1, "x": 0, "y": 0, "dash": 1 }),
    ] {
        let refused = room.send(ada, "input", wrong.clone()).expect_err("it is no input");
        assert_eq!(refused.code.as_str(), "invalid_argument", "{wrong}");
    }
    room.send(ada, "input", json!({ "n": 1, "x": 2_000_000_000, "y": -2_000_000_000, "dash": true }))
        .expect("pulled back");
    room.advance("500ms");
    assert!(room.heard(bob).iter().all(|(kind, _)| kind == "frame"), "inputs are nobody else's business");
    let mut view = View::default();
    room.send(bob, "resync", json!(null)).expect("it is taken");
    room.advance("50ms");
    assert!(watch(&mut room, bob, &mut view)[0].is_full);
    assert!(view.standings().all(|standing| (0..=FIELD).contains(&standing.body.x)));
}

#[test]
fn r_game_8_whoever_is_alone_plays_a_round_against_the_rooms_own_bots() {
    let mut room = TestRoom::<Game>::new();
    let ada = room.join("ada");
    room.call(ada, "bots", json!({ "count": 3 })).expect_err("she has no seat");
    room.call(ada, "sit", json!(null)).expect("there is room");
    room.call(ada, "bots", json!({ "count": 8 })).expect_err("seven are enough");
    room.call(ada, "bots", json!({ "count": 3 })).expect("no round is on");
    room.advance("2s");
    assert_eq!(lobby(&mut room)["phase"], json!("lobby"), "bots do not hurry her");
    room.call(ada, "ready", json!({ "ready": true })).expect("she sits");
    room.advance("4s");
    assert_eq!(lobby(&mut room)["phase"], json!("playing"));
    let refused = room.call(ada, "bots", json!({ "count": 0 })).expect_err("a round is on");
    assert_eq!(refused.data, Some(Payload::of(&"playing")));
    room.advance("30s");
    room.restart();
    let ada = room.join("ada");
    room.call(ada, "sit", json!(null)).expect("it is hers");
    room.advance("50s");
    let told = lobby(&mut room);
    assert_eq!((&told["phase"], told["scores"].as_array().map(Vec::len)), (&json!("finished"), Some(4)));
    let mut view = View::default();
    watch(&mut room, ada, &mut view);
    assert!((2..5).all(|paint| view.floor.count(paint) > 50), "they play");
    room.call(ada, "bots", json!({ "count": 1 })).expect("no round is on");
    assert_eq!(lobby(&mut room)["seats"].as_array().map(Vec::len), Some(2));
    room.leave(ada);
    assert_eq!(lobby(&mut room)["seats"], json!([]), "they do not play among themselves");
}

#[test]
fn r_game_8_a_bot_of_the_room_gets_up_for_whoever_finds_no_other_seat() {
    let mut room = TestRoom::<Game>::new();
    let players: Vec<Connection> = (0..17).map(|number| room.join(&format!("player-{number}"))).collect();
    for player in &players {
        room.call(*player, "sit", json!(null)).expect("there is room");
    }
    room.call(players[0], "bots", json!({ "count": 7 })).expect("no round is on");
    room.advance("1s");
    let late = room.join("late");
    assert_eq!(room.call(late, "sit", json!(null)).expect("a bot's"), json!({ "seat": 23 }));
    let seats = lobby(&mut room)["seats"].as_array().expect("seats").clone();
    assert_eq!((seats.len(), seats.iter().filter(|seat| seat["session"] == json!("")).count()), (24, 6));
}

#[test]
fn r_game_1_the_twenty_fifth_is_told_that_all_seats_are_taken() {
    let mut room = TestRoom::<Game>::new();
    for number in 0..24 {
        let player = room.join(&format!("player-{number}"));
        assert_eq!(room.call(player, "sit", json!(null)).expect("there is room"), json!({ "seat": number }));
    }
    let late = room.join("late");
    let refused = room.call(late, "sit", json!(null)).expect_err("there is none");
    assert_eq!(refused.data, Some(Payload::of(&"full")));
    assert_eq!(refused.message, "all 24 seats are taken");
}
