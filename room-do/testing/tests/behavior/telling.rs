use room_testing::{Seat, ServerMessage, TestRoom};
use serde_json::json;

use super::bench::Bench;

/// Ada tells; returns what she, Bob and Eve heard.
fn told(how: &str, whom: &str) -> [usize; 3] {
    let mut room = TestRoom::<Bench>::new();
    let seats = ["ada", "bob", "eve"].map(|user| room.join(user));
    seats.iter().for_each(|seat| drop(room.inbox(*seat)));
    room.call(seats[0], "tell", json!({ "how": how, "whom": whom })).expect("it is told");
    seats.map(|seat| room.heard(seat).len())
}

#[test]
fn r_beh_15_messages_go_to_all_tags_users_members_and_everyone_but() {
    assert_eq!(told("all", ""), [1, 1, 1]);
    assert_eq!(told("as_me", ""), [1, 1, 1]);
    assert_eq!(told("tags", "$user-bob"), [0, 1, 0]);
    assert_eq!(told("user", "bob"), [0, 1, 0]);
    assert_eq!(told("session", "eve"), [0, 0, 1]);
    assert_eq!(told("but_user", "bob"), [1, 0, 1]);
    assert_eq!(told("but_me", ""), [0, 1, 1]);
    assert_eq!(told("me", ""), [1, 0, 0]);
}

#[test]
fn r_beh_15_what_is_for_somebody_alone_stays_so_in_history() {
    let mut room = TestRoom::<Bench>::new();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    room.call(ada, "tell", json!({ "how": "user", "whom": "bob" })).expect("it is told");
    for (seat, seen) in [(ada, 0), (bob, 1)] {
        room.inbox(seat);
        room.say(seat, r#"{"t":"history","id":700}"#);
        assert_eq!(history(&mut room, seat), seen);
    }
}

fn history(room: &mut TestRoom<Bench>, seat: Seat) -> usize {
    let found = room.inbox(seat).into_iter().find_map(|message| match message {
        ServerMessage::Reply(reply) => match reply.result {
            schemas::server_message::RequestResult::History(page) => Some(page.messages.len()),
            _ => None,
        },
        _ => None,
    });
    found.expect("a page")
}

#[test]
fn r_beh_16_presence_and_tags_can_be_set_and_users_expelled() {
    let mut room = TestRoom::<Bench>::new();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    room.inbox(ada);
    room.call(ada, "tell", json!({ "how": "presence", "whom": "bob" })).expect("it is set");
    let updated = room.inbox(ada).into_iter().any(|message| match message {
        ServerMessage::Presence(diff) => diff.updated.iter().any(|member| member.user.as_str() == "bob"),
        _ => false,
    });
    assert!(updated, "everybody sees it");
    room.call(ada, "tell", json!({ "how": "tag", "whom": "bob" })).expect("it is tagged");
    room.call(ada, "tell", json!({ "how": "tags", "whom": "$extra" })).expect("it is told");
    assert_eq!(room.heard(bob).len(), 1);
    room.call(ada, "expel", json!({ "name": "bob" })).expect("bob is expelled");
    assert_eq!(room.closed(bob), Some(&(3505, "enough".to_owned())));
    let back = room.try_join("bob", schemas::Capabilities::all());
    assert_eq!(back.expect_err("blocked").0, 3505);
    room.advance("61s");
    room.join("bob");
}

#[test]
fn r_beh_17_a_behavior_edits_and_removes_what_was_said() {
    let mut room = TestRoom::<Bench>::new();
    let ada = room.join("ada");
    room.publish(ada, "message", json!("one")).expect("it is said");
    room.call(ada, "amend", json!({ "name": "edit" })).expect("it is edited");
    assert_eq!(room.call(ada, "amend", json!({ "name": "look" })), Ok(json!(["\"edited\""])));
    room.call(ada, "amend", json!({ "name": "remove_and_fail" })).expect_err("asked to fail");
    assert_eq!(room.call(ada, "amend", json!({ "name": "look" })), Ok(json!(["\"edited\""])));
    room.call(ada, "amend", json!({ "name": "remove" })).expect("it is removed");
    assert_eq!(room.call(ada, "amend", json!({ "name": "look" })), Ok(json!([])));
}
