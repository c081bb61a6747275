//! What the counter promises, in a room that needs no server: its clock is virtual, its storage is
//! in memory.

use my_app_rooms::counter::Counter;
use room_testing::TestRoom;
use serde_json::json;

#[test]
fn what_one_adds_everybody_hears_and_sees() {
    let mut room = TestRoom::<Counter>::new();
    let ada = room.join("ada");
    let bob = room.join("bob");
    assert_eq!(
        room.call(ada, "add", json!({ "by": 2 })).expect("adds"),
        json!({ "count": 2 })
    );
    let heard = room.heard(bob);
    let added = json!({ "by": 2, "user": "ada", "count": 2 });
    assert!(heard.contains(&("added".to_owned(), added)), "{heard:?}");
    assert_eq!(room.state("count"), Some(json!(2)));
}

#[test]
fn the_count_outlives_the_rooms_memory() {
    let mut room = TestRoom::<Counter>::new();
    let ada = room.join("ada");
    room.call(ada, "add", json!({ "by": 40 })).expect("adds");
    room.restart();
    let ada = room.join("ada");
    assert_eq!(
        room.call(ada, "add", json!({ "by": 2 })).expect("adds"),
        json!({ "count": 42 })
    );
}

#[test]
fn nothing_is_counted_that_could_not_be_stored() {
    let mut room = TestRoom::<Counter>::new();
    let ada = room.join("ada");
    room.fail_commits(1);
    room.call(ada, "add", json!({ "by": 1 }))
        .expect_err("the commit fails");
    assert_eq!(
        room.call(ada, "add", json!({ "by": 1 })).expect("adds"),
        json!({ "count": 1 })
    );
}

#[test]
fn a_wrong_argument_is_named() {
    let mut room = TestRoom::<Counter>::new();
    let ada = room.join("ada");
    for (args, path) in [
        (json!({ "by": 0 }), "by"),
        (json!({ "by": "2" }), "by"),
        (json!({ "bye": 2 }), "bye"),
    ] {
        let error = room.call(ada, "add", args).expect_err("is refused");
        assert_eq!(
            error.details.first().map(|detail| detail.path.as_str()),
            Some(path),
            "{error:?}"
        );
    }
}

#[test]
fn only_a_backend_resets() {
    let mut room = TestRoom::<Counter>::new();
    let ada = room.join("ada");
    room.call(ada, "add", json!({ "by": 2 })).expect("adds");
    room.call(ada, "reset", json!(null))
        .expect_err("users may not");
    room.service("reset", &json!(null)).expect("backends may");
    assert_eq!(room.state("count"), Some(json!(0)));
}
