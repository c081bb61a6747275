//! The chat's logic, in a room with a clock of its own.

use chat_behavior::Chat;
use room_testing::{RequestError, Seat, TestRoom};
use schemas::{Capabilities, Capability, ErrorCode};
use serde_json::{Value, json};

type Room = TestRoom<Chat>;

fn member() -> Capabilities {
    use Capability::{Call, EditOwn, History, Join, Presence, Publish};
    [Join, Publish, Presence, History, Call, EditOwn].into_iter().collect()
}

fn sit(room: &mut Room, user: &str) -> Seat {
    room.try_join(user, member()).expect("members may join")
}

fn moderator(room: &mut Room) -> Seat {
    let capabilities = member().union([Capability::Moderate].into_iter().collect());
    room.try_join("mod", capabilities).expect("moderators may join")
}

/// The offset that it took.
fn say(room: &mut Room, seat: Seat, text: &str) -> u64 {
    say_data(room, seat, json!({ "text": text })).expect("it is taken")
}

fn say_data(room: &mut Room, seat: Seat, data: Value) -> Result<u64, RequestError> {
    room.publish(seat, "message", data).map(|reply| reply["offset"].as_u64().expect("an offset"))
}

fn reason(error: &RequestError) -> Value {
    let data = error.data.as_ref().expect("the chat says why");
    serde_json::to_value(data).expect("JSON")["reason"].clone()
}

fn unread(room: &mut Room, seat: Seat) -> (u64, u64, u64) {
    let told = room.call(seat, "unread", json!(null)).expect("it is told");
    let number = |name: &str| told[name].as_u64().expect("a number");
    (number("read"), number("unread"), number("mentions"))
}

fn read(room: &mut Room, seat: Seat, offset: u64) {
    room.call(seat, "mark_read", json!({ "offset": offset })).expect("it is taken");
}

#[test]
fn r_chat_4_what_others_said_since_one_read_is_unread_and_nothing_to_a_newcomer() {
    let mut room = Room::new();
    let (ann, bob) = (sit(&mut room, "ann"), sit(&mut room, "bob"));
    for n in 1..=3 {
        say(&mut room, ann, &format!("{n}"));
    }
    say(&mut room, bob, "4");
    assert_eq!(unread(&mut room, bob), (0, 3, 0));
    assert_eq!(unread(&mut room, ann), (0, 1, 0));
    read(&mut room, bob, 2);
    assert_eq!(unread(&mut room, bob), (2, 1, 0));
    read(&mut room, bob, 1);
    assert_eq!(unread(&mut room, bob), (2, 1, 0), "nobody reads less than before");
    read(&mut room, bob, 99);
    assert_eq!(unread(&mut room, bob), (4, 0, 0), "nor what was not said yet");
    say(&mut room, ann, "5");
    room.restart();
    let bob = sit(&mut room, "bob");
    assert_eq!(unread(&mut room, bob), (4, 1, 0));
    let cleo = sit(&mut room, "cleo");
    assert_eq!(unread(&mut room, cleo), (5, 0, 0));
    let told = room.call(cleo, "enter", json!(null)).expect("it is told");
    let people = told["people"].as_array().into_iter().flatten();
    let people: Vec<&str> = people.filter_map(|one| one["user"].as_str()).collect();
    assert_eq!(people, ["cleo", "bob", "ann"]);
}

#[test]
fn r_chat_4_reading_is_told_to_the_readers_other_sessions_alone() {
    let mut room = Room::new();
    let (ann, bob, too) = (sit(&mut room, "ann"), sit(&mut room, "bob"), sit(&mut room, "bob"));
    let offset = say(&mut room, ann, "hi");
    for seat in [ann, bob, too] {
        room.heard(seat);
    }
    read(&mut room, bob, offset);
    let told = json!({ "read": offset, "unread": 0, "mentions": 0 });
    assert_eq!(room.heard(too), [("unread".to_owned(), told)]);
    assert_eq!((room.heard(ann), room.heard(bob)), (vec![], vec![]));
}

#[test]
fn r_chat_4_who_was_never_listed_here_has_read_nothing() {
    let mut room = Room::new();
    let ann = sit(&mut room, "ann");
    let watcher = [Capability::Join, Capability::History, Capability::Call].into_iter().collect();
    let bob = room.try_join("bob", watcher).expect("watchers may join");
    say(&mut room, ann, "hi");
    let refused = room.call(bob, "unread", json!(null)).expect_err("bob was never here");
    assert_eq!(reason(&refused), json!("never_here"));
    sit(&mut room, "bob");
    say(&mut room, ann, "there you are");
    assert_eq!(unread(&mut room, bob), (1, 1, 0));
}

#[test]
fn r_chat_4_a_long_log_is_counted_and_what_was_said_by_backends_too() {
    let mut room = Room::new();
    let ann = sit(&mut room, "ann");
    for n in 0..450 {
        room.publish_as_backend("message", &json!({ "text": format!("{n}") })).expect("it is taken");
    }
    assert_eq!(unread(&mut room, ann), (0, 450, 0));
    read(&mut room, ann, 440);
    assert_eq!(unread(&mut room, ann), (440, 10, 0));
}

#[test]
fn r_chat_4_a_commit_that_fails_leaves_nothing_half_read() {
    let mut room = Room::new();
    let (ann, bob) = (sit(&mut room, "ann"), sit(&mut room, "bob"));
    let offset = say(&mut room, ann, "hi");
    room.fail_commits(1);
    let failed = room.call(bob, "mark_read", json!({ "offset": offset })).expect_err("it is not kept");
    assert_eq!(failed.code, ErrorCode::Unavailable);
    assert_eq!(unread(&mut room, bob), (0, 1, 0));
}

#[test]
fn r_chat_5_a_mention_is_told_to_the_mentioned_alone_also_later() {
    let mut room = Room::new();
    let (ann, bob, cleo) = (sit(&mut room, "ann"), sit(&mut room, "bob"), sit(&mut room, "cleo"));
    room.leave(bob);
    for seat in [ann, cleo] {
        room.heard(seat);
    }
    let data = json!({ "text": "@Bob look", "id": "m1", "mentions": ["bob", "ann", "bob"] });
    let offset = say_data(&mut room, ann, data.clone()).expect("it is taken");
    assert_eq!(offset, 2, "the notice is ahead of it");
    assert_eq!(room.heard(cleo), [("message".to_owned(), data)]);
    let bob = sit(&mut room, "bob");
    assert_eq!(unread(&mut room, bob), (0, 1, 1));
    let notices = |room: &mut Room, seat: Seat| {
        room.say(seat, r#"{"t":"history","id":7000}"#);
        format!("{:?}", room.inbox(seat)).contains("kind: \"mention\"")
    };
    assert!(notices(&mut room, bob));
    assert!(!notices(&mut room, cleo));
    read(&mut room, bob, offset);
    assert_eq!(unread(&mut room, bob), (2, 0, 0));
}

#[test]
fn r_chat_6_the_muted_say_nothing_and_are_told_until_when() {
    let mut room = Room::new();
    let (boss, bob) = (moderator(&mut room), sit(&mut room, "bob"));
    let said = say(&mut room, bob, "hi");
    room.heard(bob);
    let muted = room.call(boss, "mute", json!({ "user": "bob", "minutes": 10 })).expect("moderators may");
    let until = muted["until"].as_u64().expect("a time");
    assert!((1..=600_000).contains(&(until - room.now())), "{muted}");
    assert_eq!(room.heard(bob), [("muted".to_owned(), json!({ "until": until }))]);
    let refused = say_data(&mut room, bob, json!({ "text": "but" })).expect_err("bob is muted");
    assert_eq!((refused.code, reason(&refused)), (ErrorCode::Forbidden, json!("muted")));
    assert_eq!(
        room.send(bob, "typing", json!({ "on": true })).expect_err("nor that").code,
        ErrorCode::Forbidden
    );
    let edit = json!({ "t": "edit", "offset": said, "data": { "text": "but" } });
    let react = json!({ "t": "react", "offset": said, "name": "+1", "on": true });
    for change in [edit, react] {
        let refused = room.request(bob, change).expect_err("nor by a change");
        assert_eq!((refused.code, reason(&refused)), (ErrorCode::Forbidden, json!("muted")));
    }
    room.request(bob, json!({ "t": "remove", "offset": said })).expect("bob may take it back");
    room.restart();
    let (boss, bob) = (moderator(&mut room), sit(&mut room, "bob"));
    say_data(&mut room, bob, json!({ "text": "but" })).expect_err("a restart gives no voice");
    assert_eq!(room.call(bob, "enter", json!(null)).expect("it is told")["muted_until"], until);
    assert_eq!(room.call(boss, "muted", json!(null)), Ok(json!([muted])));
    room.advance("10m");
    say(&mut room, bob, "at last");
    room.call(boss, "mute", json!({ "user": "bob", "minutes": 1 })).expect("moderators may");
    room.call(boss, "unmute", json!({ "user": "bob" })).expect("moderators may");
    say(&mut room, bob, "thanks");
}

#[test]
fn r_chat_6_only_moderators_and_services_moderate() {
    let mut room = Room::new();
    let bob = sit(&mut room, "bob");
    let asked = [
        ("mute", json!({ "user": "ann", "minutes": 1 })),
        ("unmute", json!({ "user": "ann" })),
        ("muted", json!(null)),
        ("block", json!({ "user": "ann", "minutes": 1 })),
        ("unblock", json!({ "user": "ann" })),
        ("slow_mode", json!({ "seconds": 5 })),
    ];
    for (method, args) in asked {
        let refused = room.call(bob, method, args.clone()).expect_err("bob moderates nothing");
        let said = (refused.code, reason(&refused));
        assert_eq!(said, (ErrorCode::MethodFailed, json!("not_a_moderator")), "{method}");
        room.service(method, &args).expect("a backend may");
    }
    let refused = room.service("mute", &json!({ "user": "", "minutes": 0 })).expect_err("nonsense");
    assert_eq!((refused.code, refused.details.len()), (ErrorCode::InvalidArgument, 2));
}

#[test]
fn r_chat_6_the_blocked_are_out_until_it_is_over() {
    let mut room = Room::new();
    let (boss, bob) = (moderator(&mut room), sit(&mut room, "bob"));
    let asked = json!({ "user": "bob", "minutes": 60, "reason": "enough" });
    room.call(boss, "block", asked).expect("moderators may");
    assert_eq!(room.closed(bob).map(|(code, _)| *code), Some(3505));
    assert_eq!(room.try_join("bob", member()).expect_err("bob is out").0, 3505);
    room.advance("60m");
    let bob = sit(&mut room, "bob");
    room.call(boss, "unblock", json!({ "user": "bob" })).expect("moderators may");
    assert_eq!(room.closed(bob), None, "who is here stays");
    room.call(boss, "block", json!({ "user": "bob", "minutes": 60 })).expect("moderators may");
    room.try_join("bob", member()).expect_err("bob is out");
    room.call(boss, "unblock", json!({ "user": "bob" })).expect("moderators may");
    sit(&mut room, "bob");
}

#[test]
fn r_chat_7_in_slow_mode_members_wait_and_moderators_and_backends_do_not() {
    let mut room = Room::new();
    let (boss, bob) = (moderator(&mut room), sit(&mut room, "bob"));
    room.call(boss, "slow_mode", json!({ "seconds": 30 })).expect("moderators may");
    assert_eq!(room.state("policy"), Some(json!({ "slow_ms": 30_000 })));
    say(&mut room, bob, "one");
    let refused = say_data(&mut room, bob, json!({ "text": "two" })).expect_err("too soon");
    assert_eq!((refused.code, reason(&refused)), (ErrorCode::RateLimited, json!("slow_mode")));
    room.restart();
    let (boss, bob) = (moderator(&mut room), sit(&mut room, "bob"));
    say_data(&mut room, bob, json!({ "text": "two" })).expect_err("still too soon");
    for n in 0..3 {
        say(&mut room, boss, &format!("{n}"));
        room.publish_as_backend("message", &json!({ "text": "deployed" })).expect("it is taken");
    }
    room.advance("30s");
    say(&mut room, bob, "two");
    room.call(boss, "slow_mode", json!({ "seconds": 0 })).expect("moderators may");
    say(&mut room, bob, "three");
}

#[test]
fn r_chat_7_who_is_never_listed_is_slowed_all_the_same() {
    let mut room = Room::new();
    let boss = moderator(&mut room);
    room.call(boss, "slow_mode", json!({ "seconds": 30 })).expect("moderators may");
    let unlisted = [Capability::Join, Capability::Publish].into_iter().collect();
    let bob = room.try_join("bob", unlisted).expect("bob may join");
    say(&mut room, bob, "one");
    let refused = say_data(&mut room, bob, json!({ "text": "two" })).expect_err("too soon");
    assert_eq!((refused.code, reason(&refused)), (ErrorCode::RateLimited, json!("slow_mode")));
    room.advance("30s");
    say(&mut room, bob, "two");
    let told = room.call(boss, "enter", json!(null)).expect("it is told");
    assert_eq!(told["people"].as_array().map(Vec::len), Some(1), "nor is bob listed by that: {told}");
}

#[test]
fn r_chat_8_one_removes_what_is_ones_own_and_moderators_anything() {
    let mut room = Room::new();
    let (boss, ann, bob) = (moderator(&mut room), sit(&mut room, "ann"), sit(&mut room, "bob"));
    let (first, second) = (say(&mut room, ann, "one"), say(&mut room, ann, "two"));
    assert_eq!(unread(&mut room, bob), (0, 2, 0));
    let refused = room.call(bob, "remove", json!({ "offset": first })).expect_err("it is not bob's");
    assert_eq!(reason(&refused), json!("not_a_moderator"));
    room.heard(bob);
    assert_eq!(room.call(ann, "remove", json!({ "offset": first })), Ok(json!({ "offset": 3 })));
    assert_eq!(room.heard(bob), [("remove".to_owned(), json!(null))]);
    assert_eq!(unread(&mut room, bob), (0, 1, 0), "what was removed cannot be read");
    room.request(boss, json!({ "t": "remove", "offset": second })).expect("moderators may");
    assert_eq!(unread(&mut room, bob), (0, 0, 0), "whichever way it was removed");
    for gone in [first, second, 99] {
        let refused = room.call(boss, "remove", json!({ "offset": gone })).expect_err("it is gone");
        assert_eq!(reason(&refused), json!("no_such_message"));
    }
}

#[test]
fn r_chat_8_what_a_mention_said_of_a_message_goes_with_it() {
    let mut room = Room::new();
    let (ann, bob) = (sit(&mut room, "ann"), sit(&mut room, "bob"));
    let before = say_data(&mut room, ann, json!({ "text": "@Bob hi", "mentions": ["bob"] })).expect("taken");
    let secret = json!({ "text": "@Bob the password is tulip", "mentions": ["bob"] });
    let offset = say_data(&mut room, ann, secret).expect("it is taken");
    assert_eq!(unread(&mut room, bob), (0, 2, 2));
    room.call(ann, "remove", json!({ "offset": offset })).expect("it is ann's");
    assert_eq!(unread(&mut room, bob), (0, 1, 1), "nobody is called to what is gone");
    room.inbox(bob);
    room.say(bob, r#"{"t":"history","id":7000}"#);
    let history = serde_json::to_string(&room.inbox(bob)).expect("JSON");
    assert_eq!((history.matches("@Bob hi").count(), history.matches("tulip").count()), (2, 0), "{history}");
    // Nor does it say what an edit took away; and who is mentioned cannot be made to read anything else.
    let edit = |offset: u64, text: &str| json!({ "t": "edit", "offset": offset, "data": { "text": text } });
    room.request(ann, edit(before, "@Bob hello")).expect("it is ann's");
    room.request(ann, edit(before - 1, "@Bob it was the boss")).expect_err("it is the room's");
    room.inbox(bob);
    room.say(bob, r#"{"t":"history","id":7001}"#);
    let history = serde_json::to_string(&room.inbox(bob)).expect("JSON");
    assert_eq!(
        (history.matches("@Bob hello").count(), history.matches("@Bob hi").count()),
        (2, 0),
        "{history}"
    );
    room.request(ann, json!({ "t": "remove", "offset": before })).expect("it is ann's");
    assert_eq!(unread(&mut room, bob), (0, 0, 0));
}

#[test]
fn r_chat_8_r_chat_9_what_is_beyond_every_log_is_not_there() {
    let mut room = Room::new();
    let ann = sit(&mut room, "ann");
    say(&mut room, ann, "one");
    for beyond in [2, (1_u64 << 53) - 1, 1 << 53, u64::MAX] {
        let refused = room.call(ann, "remove", json!({ "offset": beyond })).expect_err("it is not there");
        assert_eq!(reason(&refused), json!("no_such_message"), "{beyond}");
        let thread = room.call(ann, "thread", json!({ "parent": beyond, "before": beyond }));
        assert_eq!(thread.expect("nothing began")["total"], 0, "{beyond}");
        let answer = json!({ "text": "no", "thread": beyond });
        assert_eq!(say_data(&mut room, ann, answer).expect_err("no thread").code, ErrorCode::NotFound);
    }
}

/// The offsets of a thread's answers.
fn offsets(thread: &Value) -> Vec<u64> {
    thread["replies"].as_array().into_iter().flatten().filter_map(|reply| reply["offset"].as_u64()).collect()
}

#[test]
fn r_chat_9_a_thread_is_what_began_it_and_its_answers_page_by_page() {
    let mut room = Room::new();
    let (ann, bob) = (sit(&mut room, "ann"), sit(&mut room, "bob"));
    let parent = say(&mut room, ann, "who is in?");
    let mut answers = Vec::new();
    for n in 0..5 {
        say(&mut room, ann, "beside it");
        let data = json!({ "text": format!("{n}"), "thread": parent });
        answers.push(say_data(&mut room, bob, data).expect("it is taken"));
    }
    let whole = room.call(bob, "thread", json!({ "parent": parent })).expect("it is told");
    assert_eq!(
        (offsets(&whole), &whole["total"], &whole["next"]),
        (answers.clone(), &json!(5), &json!(null))
    );
    let began = &whole["parent"];
    assert_eq!((&began["data"]["text"], &began["user"]), (&json!("who is in?"), &json!("ann")));
    let react = json!({ "t": "react", "offset": answers[0], "name": "👍", "on": true });
    room.request(ann, react).expect("ann may react");
    let edit = json!({ "t": "edit", "offset": answers[0], "data": { "text": "0!", "thread": parent } });
    room.request(bob, edit).expect("it is bob's");
    let folded = &room.call(bob, "thread", json!({ "parent": parent })).expect("it is told")["replies"][0];
    assert_eq!(folded["reactions"], json!({ "👍": { "count": 1, "users": ["ann"] } }));
    assert_eq!((&folded["data"]["text"], folded["edited"].is_u64()), (&json!("0!"), true), "{folded}");
    let last = room.call(bob, "thread", json!({ "parent": parent, "limit": 2 })).expect("it is told");
    assert_eq!((offsets(&last), &last["next"]), (answers[3..].to_vec(), &json!(answers[3])));
    let before = json!({ "parent": parent, "limit": 2, "before": last["next"] });
    assert_eq!(offsets(&room.call(bob, "thread", before).expect("it is told")), answers[1..3]);
    room.call(bob, "remove", json!({ "offset": answers[0] })).expect("it is bob's");
    let rest = room.call(bob, "thread", json!({ "parent": parent })).expect("it is told");
    assert_eq!((offsets(&rest), &rest["total"]), (answers[1..].to_vec(), &json!(4)));
    let (answer, removed) = (answers[1], answers[0]);
    let cases =
        [(answer, ErrorCode::InvalidArgument), (removed, ErrorCode::NotFound), (999, ErrorCode::NotFound)];
    for (thread, code) in cases {
        let refused =
            say_data(&mut room, ann, json!({ "text": "no", "thread": thread })).expect_err("no thread");
        assert_eq!(refused.code, code, "{thread}");
    }
}

#[test]
fn r_chat_10_what_is_no_message_and_what_only_the_room_tells_is_refused() {
    let mut room = Room::new();
    let ann = sit(&mut room, "ann");
    let malformed = [
        json!("text"),
        json!({ "text": "  " }),
        json!({ "text": "x".repeat(4_001) }),
        json!({ "text": "x", "attachments": [{ "url": "http://plain.example/" }] }),
        json!({ "text": "x", "attachments": [{ "url": "javascript:alert(1)" }] }),
        json!({ "text": "x", "mentions": vec!["u"; 21] }),
        json!({ "text": "x", "id": "" }),
    ];
    let said = say(&mut room, ann, "x");
    let edit = |data: Value| json!({ "t": "edit", "offset": said, "data": data });
    for data in malformed {
        let refused = say_data(&mut room, ann, data.clone()).expect_err("it is no message");
        assert_eq!(refused.code, ErrorCode::InvalidArgument, "{data}");
        let refused = room.request(ann, edit(data.clone())).expect_err("nor is it edited to be one");
        assert_eq!(refused.code, ErrorCode::InvalidArgument, "{data}");
    }
    let moved = room.request(ann, edit(json!({ "text": "x", "thread": said }))).expect_err("it stays");
    assert_eq!((moved.code, reason(&moved)), (ErrorCode::InvalidArgument, json!("malformed")));
    room.request(ann, edit(json!({ "text": "y" }))).expect("an edit");
    let picture = json!({ "text": "", "attachments": [{ "url": "https://a.example/b.png" }] });
    say_data(&mut room, ann, picture).expect("it is one");
    for kind in ["mention", "unread", "muted"] {
        assert_eq!(
            room.send(ann, kind, json!({ "until": 0 })).expect_err("the room's").code,
            ErrorCode::Forbidden
        );
        assert_eq!(room.publish(ann, kind, json!({})).expect_err("the room's").code, ErrorCode::Forbidden);
    }
    let kept = room.publish(ann, "typing", json!({ "on": true })).expect_err("nobody keeps it");
    assert_eq!(kept.code, ErrorCode::InvalidArgument);
    room.send(ann, "typing", json!({ "on": true })).expect("it is fanned out");
    let secret =
        json!({ "t": "publish", "id": 5_000, "data": { "text": "psst" }, "to": { "users": ["ann"] } });
    room.inbox(ann);
    room.say(ann, &secret.to_string());
    assert!(format!("{:?}", room.inbox(ann)).contains("InvalidArgument"));
}
