use poll_behavior::Poll;
use room_testing::TestRoom;
use serde_json::json;

#[test]
fn everyone_sees_the_tally_and_time_closes_the_poll() {
    let mut room = TestRoom::<Poll>::new();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    let poll = json!({ "question": "Tea?", "options": ["yes", "no"], "seconds": 30 });
    room.service("open", &poll).expect("a backend opens it");
    room.call(ada, "vote", json!({ "option": 0 })).expect("a vote");
    room.call(bob, "vote", json!({ "option": 1 })).expect("a vote");
    assert_eq!(room.call(bob, "vote", json!({ "option": 0 })), Ok(json!({ "yes": 2 })), "one vote each");
    assert_eq!(room.state("tally"), Some(json!({ "yes": 2 })));

    room.restart(); // The deadline outlives the process.
    let ada = room.join("ada");
    room.inbox(ada);
    room.advance("31s");
    assert_eq!(room.heard(ada), [("closed".to_owned(), json!({ "yes": 2 }))]);
    let late = room.call(ada, "vote", json!({ "option": 0 })).expect_err("it is closed");
    assert_eq!(late.message, "no poll is open");
}

#[test]
fn what_is_wrong_is_named() {
    let mut room = TestRoom::<Poll>::new();
    let poll = json!({ "question": "", "options": ["one"], "seconds": 60 });
    let error = room.service("open", &poll).expect_err("two mistakes");
    let paths: Vec<&str> = error.details.iter().map(|detail| detail.path.as_str()).collect();
    assert_eq!(paths, ["options", "question"]);
}

#[test]
fn the_guide_shows_the_very_code_and_it_is_short() {
    let (guide, code) = (include_str!("../../../docs/BEHAVIORS.md"), include_str!("../src/lib.rs"));
    assert!(guide.contains(&format!("```rust\n{code}```")), "docs/BEHAVIORS.md shows another poll");
    assert!(code.lines().count() < 80);
}
