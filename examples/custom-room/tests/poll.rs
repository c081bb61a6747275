//! The guide's poll, from its opening to its deadline.

use poll_behavior::Poll;
use room_testing::TestRoom;
use serde_json::{Value, json};

fn opened() -> TestRoom<Poll> {
    let mut room = TestRoom::new();
    let open = json!({ "question": "Lunch?", "options": ["soup", "salad"], "seconds": 60 });
    room.service("open", &open).expect("it opens");
    room
}

fn votes(room: &mut TestRoom<Poll>) -> Value {
    room.state("tally").expect("a tally")["votes"].clone()
}

#[test]
fn everyone_votes_once_and_may_change_their_mind() {
    let mut room = opened();
    let (ann, bob) = (room.join("ann"), room.join("bob"));
    for (seat, option) in [(ann, 0), (bob, 0), (ann, 1)] {
        room.call(seat, "vote", json!({ "option": option })).expect("a vote");
        room.sleep();
    }
    assert_eq!(votes(&mut room), json!([1, 1]));
    let error = room.call(bob, "vote", json!({ "option": 2 })).expect_err("there are two");
    assert_eq!(error.message, "there is no such option");
}

#[test]
fn it_closes_in_time_and_says_so() {
    let mut room = opened();
    let ann = room.join("ann");
    room.call(ann, "vote", json!({ "option": 1 })).expect("a vote");
    room.advance("61s");
    assert!(room.heard(ann).iter().any(|(kind, data)| kind == "closed" && data["votes"] == json!([0, 1])));
    let error = room.call(ann, "vote", json!({ "option": 0 })).expect_err("it is closed");
    let data = error.data.expect("its own error");
    assert_eq!(serde_json::to_value(&data).expect("JSON"), json!("Closed"));
}

#[test]
fn a_poll_has_two_options_at_least() {
    let mut room = TestRoom::<Poll>::new();
    let open = json!({ "question": "Lunch?", "options": ["soup"], "seconds": 60 });
    let error = room.service("open", &open).expect_err("it needs two");
    assert_eq!(error.details[0].path, "options");
}

#[test]
fn the_guide_shows_the_very_code_and_it_is_short() {
    let (guide, code) = (include_str!("../../../docs/BEHAVIORS.md"), include_str!("../src/lib.rs"));
    assert!(guide.contains(&format!("```rust\n{code}```")), "docs/BEHAVIORS.md shows another poll");
    assert!(code.lines().filter(|line| !line.is_empty()).count() < 80);
}
