//! Reactions: each counts once a user, and each change is a publication.

use crate::support::{Table, amended, claims, refused, table, text_of};
use schemas::{
    Claims, ConnectionId, ErrorCode,
    limits::{REACTION_BYTES_MAX, REACTION_USERS_MAX, REACTIONS_MAX},
    server_message::Reaction,
};

fn react(offset: u64, name: &str, on: bool) -> String {
    format!(r#""t":"react","offset":{offset},"name":"{name}","on":{on}"#)
}

/// A room with one publication, and its author.
fn published() -> (Table, ConnectionId) {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.request(ada, r#""t":"publish","data":1"#).expect("a publish");
    (table, ada)
}

/// Count and users of a reaction to the first publication.
fn reaction(table: &mut Table, id: ConnectionId, name: &str) -> Option<(u32, Vec<String>)> {
    let page = table.history(id);
    let Reaction { count, users } = page.first()?.reactions.get(name)?.clone();
    Some((count, users.iter().map(ToString::to_string).collect()))
}

#[test]
fn r_edit_1_a_reaction_is_a_publication_of_its_name_and_whether_it_is_on() {
    let (mut table, ada) = published();
    let bob = table.join(2, "bob");
    assert_eq!(amended(table.request(bob, &react(1, "+", true))), 2);
    assert_eq!(amended(table.request(bob, &react(1, "+", false))), 3);
    table.publications(bob);
    let live = table.publications(ada);
    let said: Vec<&str> = live[1..].iter().map(|one| text_of(one.data.as_ref())).collect();
    assert_eq!(said, [r#"{"name":"+","on":true}"#, r#"{"name":"+","on":false}"#]);
    assert!(live[1..].iter().all(|one| one.kind == "react" && one.refers.map(|at| at.value()) == Some(1)));
    assert_eq!(table.history(ada).len(), 1);
}

#[test]
fn r_edit_6_a_users_reaction_counts_once_whatever_session_it_comes_from() {
    let (mut table, ada) = published();
    let (bob, again) = (table.join(2, "bob"), table.join(3, "bob"));
    assert_eq!(amended(table.request(bob, &react(1, "+", true))), 2);
    table.take(ada);
    for id in [bob, again] {
        table.request(id, &react(1, "+", true)).expect("it is answered");
    }
    table.hibernate();
    table.request(again, &react(1, "+", true)).expect("it is answered");
    table.request(again, &react(1, "-", false)).expect("it is answered");
    assert!(table.publications(ada).is_empty(), "nothing changed, and nothing is published");
    assert_eq!(table.room.head().value(), 2);
    assert_eq!(reaction(&mut table, ada, "+"), Some((1, vec!["bob".to_owned()])));
    table.request(again, &react(1, "+", false)).expect("the user takes it back");
    assert_eq!(reaction(&mut table, ada, "+"), None);
}

#[test]
fn r_edit_6_on_and_off_in_one_flush_leave_nothing_and_are_both_told() {
    let (mut table, ada) = published();
    let bob = table.join(2, "bob");
    table.take(ada);
    let bodies = [true, true, false, false, true, false].map(|on| react(1, "+", on));
    let requests = bodies.map(|body| table.stage(bob, &body));
    table.flush();
    let answers = requests.map(|request| amended(table.answer(bob, request)));
    assert_eq!(answers.len(), 6);
    assert_eq!(table.offsets(ada), [2, 3, 4, 5]);
    assert_eq!(reaction(&mut table, ada, "+"), None);
    assert_eq!(amended(table.request(bob, &react(1, "+", true))), 6, "it does not stand");
    assert_eq!(reaction(&mut table, ada, "+"), Some((1, vec!["bob".to_owned()])));
    let (off, on) = (table.stage(bob, &react(1, "+", false)), table.stage(bob, &react(1, "+", true)));
    table.flush();
    assert_eq!((amended(table.answer(bob, off)), amended(table.answer(bob, on))), (7, 8));
    assert_eq!(reaction(&mut table, ada, "+"), Some((1, vec!["bob".to_owned()])));
}

#[test]
fn r_edit_6_a_reaction_whose_commit_failed_does_not_stand() {
    let (mut table, ada) = published();
    table.storage.fail_commits(1);
    assert_eq!(refused(table.request(ada, &react(1, "+", true))), ErrorCode::Unavailable);
    assert_eq!(reaction(&mut table, ada, "+"), None);
    assert_eq!(amended(table.request(ada, &react(1, "+", true))), 2);
    table.storage.fail_commits(1);
    assert_eq!(refused(table.request(ada, &react(1, "+", false))), ErrorCode::Unavailable);
    assert_eq!(reaction(&mut table, ada, "+"), Some((1, vec!["ada".to_owned()])));
    assert_eq!(amended(table.request(ada, &react(1, "+", false))), 3);
}

#[test]
fn r_edit_6_a_name_has_1_to_32_bytes() {
    let (mut table, ada) = published();
    for name in [String::new(), "x".repeat(REACTION_BYTES_MAX + 1), "é".repeat(REACTION_BYTES_MAX / 2 + 1)] {
        let error = table.request(ada, &react(1, &name, true)).expect_err("no such name");
        assert_eq!((error.code, error.details[0].path.as_str()), (ErrorCode::InvalidArgument, "name"));
    }
    assert_eq!(amended(table.request(ada, &react(1, &"é".repeat(REACTION_BYTES_MAX / 2), true))), 2);
}

#[test]
fn r_edit_6_a_publication_has_at_most_64_different_reactions() {
    let (mut table, ada) = published();
    let bob = table.join(2, "bob");
    for index in 0..REACTIONS_MAX {
        table.request(ada, &react(1, &format!("r{index}"), true)).expect("a reaction");
    }
    let error = table.request(bob, &react(1, "one more", true)).expect_err("there are 64");
    assert_eq!((error.code, error.details[0].path.as_str()), (ErrorCode::InvalidArgument, "name"));
    table.request(bob, &react(1, "r7", true)).expect("one that is there already");
    table.request(bob, &react(1, "one more", false)).expect("it changes nothing");
    table.request(ada, &react(1, "r7", false)).expect("bob's stays");
    assert_eq!(refused(table.request(bob, &react(1, "one more", true))), ErrorCode::InvalidArgument);
    table.request(bob, &react(1, "r7", false)).expect("the last of that name");
    table.request(bob, &react(1, "one more", true)).expect("there is room again");
    assert_eq!(table.history(ada)[0].reactions.len(), REACTIONS_MAX);
}

#[test]
fn r_edit_6_the_bound_holds_within_one_flush() {
    let (mut table, ada) = published();
    let names: Vec<String> = (0..=REACTIONS_MAX).map(|index| react(1, &format!("r{index}"), true)).collect();
    let requests: Vec<u32> = names.iter().map(|body| table.stage(ada, body)).collect();
    table.flush();
    let answers: Vec<bool> = requests.iter().map(|request| table.answer(ada, *request).is_ok()).collect();
    assert_eq!(answers.iter().filter(|stands| **stands).count(), REACTIONS_MAX);
    assert!(!answers[REACTIONS_MAX], "the last is one too many");
    assert_eq!(table.history(ada)[0].reactions.len(), REACTIONS_MAX);
}

#[test]
fn r_edit_6_a_name_taken_back_makes_room_within_one_flush() {
    let (mut table, ada) = published();
    for index in 0..REACTIONS_MAX {
        table.request(ada, &react(1, &format!("r{index}"), true)).expect("a reaction");
    }
    let off = table.stage(ada, &react(1, "r0", false));
    let on = table.stage(ada, &react(1, "another", true));
    table.flush();
    amended(table.answer(ada, off));
    amended(table.answer(ada, on));
    assert_eq!(table.history(ada)[0].reactions.len(), REACTIONS_MAX);
}

#[test]
fn r_edit_5_the_first_20_users_are_listed_and_all_are_counted() {
    let (mut table, ada) = published();
    for number in 2..27 {
        let id = table.join(number, &format!("user-{number:02}"));
        table.request(id, &react(1, "+", true)).expect("a reaction");
    }
    let (count, users) = reaction(&mut table, ada, "+").expect("a reaction");
    assert_eq!((count, users.len()), (25, REACTION_USERS_MAX as usize));
    assert_eq!((users[0].as_str(), users[19].as_str()), ("user-02", "user-21"));
    table.request(crate::support::connection(2), &react(1, "+", false)).expect("taken back");
    table.request(crate::support::connection(2), &react(1, "+", true)).expect("and again");
    let (count, users) = reaction(&mut table, ada, "+").expect("a reaction");
    assert_eq!((count, users[0].as_str(), users[19].as_str()), (25, "user-03", "user-22"));
}

#[test]
fn r_edit_4_reactions_go_with_their_target_and_stay_gone() {
    let (mut table, ada) = published();
    let bob = table.join(2, "bob");
    table.request(bob, &react(1, "old", true)).expect("a reaction");
    let new = table.stage(bob, &react(1, "new", true));
    let removal = table.stage(ada, r#""t":"remove","offset":1"#);
    table.flush();
    assert_eq!((amended(table.answer(bob, new)), amended(table.answer(ada, removal))), (3, 4));
    assert!(table.history(ada)[0].reactions.is_empty());
    table.kill();
    let ada = table.join(3, "ada");
    assert!(table.history(ada)[0].reactions.is_empty());
    let (members, meta, log) = (2, 1, 4);
    assert_eq!(
        table.storage.row_count(),
        members + meta + log + 1,
        "and one for the new session, but no reaction"
    );
}

#[test]
fn r_edit_5_a_guest_reacts_as_itself() {
    let (mut table, ada) = published();
    let (guest, welcome) = table.join_with(2, Claims { user: None, ..claims("x") }, "");
    table.request(guest, &react(1, "+", true)).expect("a reaction");
    assert_eq!(reaction(&mut table, ada, "+"), Some((1, vec![welcome.user.to_string()])));
}
