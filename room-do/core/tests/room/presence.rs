//! Presence: who is told of whom, grace, and what survives.

use crate::support::{Table, claims, table, table_of};
use schemas::{
    Capabilities, Capability, Claims, ServerMessage,
    config::{KindConfig, PresenceConfig, PresenceMode},
    server_message::{LeaveReason, Member, PresenceDiff, Reply, RequestResult},
};

fn diffs(table: &mut Table, id: schemas::ConnectionId) -> Vec<PresenceDiff> {
    let messages = table.take(id).into_iter().filter_map(|message| match message {
        ServerMessage::Presence(diff) => Some(diff),
        _ => None,
    });
    messages.collect()
}

fn users(members: &[Member]) -> Vec<&str> {
    members.iter().map(|member| member.user.as_str()).collect()
}

#[test]
fn r_pres_2_a_welcome_lists_all_and_itself_and_others_are_told_of_the_newcomer_alone() {
    let mut table = table();
    let ada = table.join(1, "ada");
    assert!(diffs(&mut table, ada).is_empty(), "one's own join is in one's welcome");
    let (bob, welcome) = table.join_with(2, claims("bob"), "");
    assert_eq!(users(welcome.members.as_deref().unwrap_or_default()), ["ada", "bob"]);
    assert_eq!((welcome.occupancy.members, welcome.occupancy.users), (2, 2));
    assert!(diffs(&mut table, bob).is_empty());
    let told = diffs(&mut table, ada);
    assert_eq!(users(&told[0].joined), ["bob"]);
}

#[test]
fn r_pres_2_two_who_come_in_one_turn_hear_of_each_other_once() {
    let mut table = table();
    let (ada, bob) = (table.open(1, claims("ada")), table.open(2, claims("bob")));
    let first = table.hello(ada, 1, "");
    let second = table.hello(bob, 2, "");
    table.flush();
    assert_eq!(users(first.members.as_deref().unwrap_or_default()), ["ada"]);
    assert_eq!(users(second.members.as_deref().unwrap_or_default()), ["bob"]);
    assert_eq!(users(&diffs(&mut table, ada)[0].joined), ["bob"]);
    assert_eq!(users(&diffs(&mut table, bob)[0].joined), ["ada"]);
}

#[test]
fn r_pres_2_members_false_asks_for_neither() {
    let mut table = table();
    let (ada, welcome) = table.join_with(1, claims("ada"), r#","members":false"#);
    table.join(2, "bob");
    assert!(welcome.members.is_none() && diffs(&mut table, ada).is_empty());
}

#[test]
fn r_pres_1_without_the_capability_one_is_neither_shown_nor_shown_anybody() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let spy: Capabilities = [Capability::Join].into_iter().collect();
    let (bob, welcome) = table.join_with(2, Claims { capabilities: spy, ..claims("bob") }, "");
    assert!(welcome.members.is_none());
    table.join(3, "cy");
    assert!(diffs(&mut table, bob).is_empty());
    assert_eq!(diffs(&mut table, ada).iter().map(|d| d.joined.len()).sum::<usize>(), 1);
}

#[test]
fn r_pres_3_a_return_within_grace_changes_nothing_and_its_end_is_told() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.take(ada);
    table.close(bob, 1006);
    table.flush();
    table.pass(9_000);
    let (bob, welcome) = table.join_with_session(3, 2, claims("bob"), "");
    assert_eq!(welcome.occupancy.members, 2);
    table.pass(20_000);
    assert!(diffs(&mut table, ada).is_empty());
    table.close(bob, 1001);
    table.flush();
    table.pass(9_999);
    assert!(diffs(&mut table, ada).is_empty());
    table.pass(1);
    let told = diffs(&mut table, ada);
    assert_eq!((told.len(), told[0].left[0].reason), (1, LeaveReason::Lost));
}

#[test]
fn r_pres_3_a_restart_gives_each_member_a_grace_and_leaves_no_ghost() {
    let mut table = table();
    let (_, _) = (table.join(1, "ada"), table.join(2, "bob"));
    table.kill();
    assert!(table.room.poll_timeout().durable.is_some(), "the alarm is wanted again");
    let (ada, welcome) = table.join_with_session(3, 1, claims("ada"), "");
    assert_eq!(welcome.occupancy.members, 2);
    table.pass(10_000);
    let told = diffs(&mut table, ada);
    assert_eq!(told[0].left[0].user.as_str(), "bob");
    assert_eq!(table.storage.load().members.len(), 1);
}

#[test]
fn r_pres_3_a_grace_after_a_restart_ends_however_often_the_room_sleeps() {
    let mut table = table();
    table.join(1, "ada");
    table.kill();
    let ends = table.now + 10_000;
    table.input(room_core::Input::AlarmFired { heard: vec![] });
    table.flush();
    for _ in 0..5 {
        table.now += 3_000;
        table.hibernate();
        table.input(room_core::Input::AlarmFired { heard: vec![] });
        table.flush();
    }
    assert!(table.now > ends && table.storage.load().members.is_empty());
}

#[test]
fn r_pres_3_a_grace_that_was_running_runs_on_through_hibernation() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.close(bob, 1006);
    table.flush();
    table.pass(6_000);
    table.hibernate();
    table.take(ada);
    table.pass(4_000);
    assert_eq!(diffs(&mut table, ada)[0].left.len(), 1);
}

#[test]
fn r_close_3_a_close_with_1000_and_leave_end_the_membership_at_once() {
    let mut table = table();
    let (ada, bob, cy) = (table.join(1, "ada"), table.join(2, "bob"), table.join(3, "cy"));
    table.take(ada);
    table.close(bob, 1000);
    table.publish(cy, 1, "");
    table.say(cy, r#"{"t":"leave","id":2}"#);
    table.flush();
    let got = table.take(ada);
    let left: Vec<_> = got
        .iter()
        .filter_map(|message| match message {
            ServerMessage::Presence(diff) => Some(diff.left.iter().map(|left| left.user.as_str())),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(left, ["bob", "cy"]);
    assert!(
        matches!(got.first(), Some(ServerMessage::Publication(_))),
        "what one said last comes before one's leave"
    );
    let replies = table.take(cy).into_iter().filter(|m| matches!(m, ServerMessage::Reply(_))).count();
    assert_eq!((replies, table.closed.get(&cy)), (2, Some(&1000)));
}

#[test]
fn r_hello_4_a_newer_connection_replaces_the_older_and_presence_does_not_change() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.take(ada);
    let (_, welcome) = table.join_with_session(3, 2, claims("bob"), "");
    assert_eq!(table.closed.get(&bob), Some(&3511));
    table.close(bob, 1006);
    table.pass(60_000);
    assert!(diffs(&mut table, ada).is_empty());
    assert_eq!(welcome.occupancy.members, 2);
    table.join_with_session(4, 2, claims("eve"), "");
    assert!(!table.closed.contains_key(&crate::support::connection(3)), "a session is scoped to its user");
}

#[test]
fn r_pres_4_changes_within_a_flush_are_told_once_and_one_may_not_exceed_the_bound() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.take(ada);
    for value in 0..5 {
        table.say(bob, &format!(r#"{{"t":"presence","id":{value},"data":{value}}}"#));
    }
    table.flush();
    let told = diffs(&mut table, ada);
    assert_eq!((told.len(), told[0].updated.len()), (1, 1));
    assert_eq!(told[0].updated[0].data, schemas::Payload::from_json("4".into()).ok());
    table.say(bob, &format!(r#"{{"t":"presence","id":9,"data":"{}"}}"#, "x".repeat(2048)));
    table.flush();
    assert_eq!(table.error(bob).code, schemas::ErrorCode::TooLarge);
    table.kill();
    assert_eq!(table.storage.load().members.iter().filter(|row| row.data.is_some()).count(), 1);
}

#[test]
fn r_pres_5_members_are_paged_in_order_without_overlap() {
    let mut table = table();
    for number in 0..25 {
        table.join(number, &format!("user-{number:02}"));
    }
    let asker = crate::support::connection(0);
    table.take(asker);
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        table.say(asker, &format!(r#"{{"t":"members","id":1,"limit":10{cursor}}}"#));
        table.flush();
        let page = table.take(asker).into_iter().find_map(|message| match message {
            ServerMessage::Reply(Reply { result: RequestResult::Members(page), .. }) => Some(page),
            _ => None,
        });
        let page = page.expect("members is answered");
        assert_eq!((page.users, page.connections), (25, 25));
        seen.extend(page.members.into_iter().map(|member| member.user));
        match page.next {
            Some(next) => cursor = format!(r#","cursor":"{next}""#),
            None => break,
        }
    }
    assert_eq!(seen.len(), 25);
    assert!(seen.is_sorted());
}

#[test]
fn r_pres_6_above_full_max_occupancy_takes_over_and_lists_come_back_whole() {
    let presence = PresenceConfig { full_max: 2, ..PresenceConfig::default() };
    let mut table = table_of(KindConfig { presence, ..KindConfig::default() });
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.take(ada);
    let (cy, welcome) = table.join_with(3, claims("cy"), "");
    assert!(welcome.members.is_none());
    let got = table.take(ada);
    assert!(matches!(&got[..], [ServerMessage::Occupancy(o)] if o.members == 3), "{got:?}");
    table.join(4, "dee");
    assert!(table.take(ada).iter().all(|m| !matches!(m, ServerMessage::Presence(_))));
    table.flush();
    table.close(cy, 1000);
    table.close(bob, 1000);
    table.flush();
    let told = diffs(&mut table, ada);
    assert_eq!(users(&told.first().expect("lists are back").joined), ["ada", "dee"]);
}

#[test]
fn r_pres_6_counting_tells_at_most_once_a_second_and_off_tells_nothing() {
    let presence = PresenceConfig { mode: PresenceMode::Count, ..PresenceConfig::default() };
    let mut table = table_of(KindConfig { presence, ..KindConfig::default() });
    let ada = table.join(1, "ada");
    table.take(ada);
    for number in 2..10 {
        let id = table.open(number, claims("bob"));
        table.hello(id, number, "");
        let at = table.room.poll_timeout().turn.map(|deadline| deadline.at);
        assert!(at.is_some());
        table.now += 10;
        table.input(room_core::Input::TurnEnded);
    }
    table.flush();
    table.flush();
    let told: Vec<_> =
        table.take(ada).into_iter().filter(|m| matches!(m, ServerMessage::Occupancy(_))).collect();
    assert!(matches!(told.last(), Some(ServerMessage::Occupancy(o)) if o.members == 9 && o.users == 2));
    assert!(told.len() <= 2, "{told:?}");

    let presence = PresenceConfig { mode: PresenceMode::Off, ..PresenceConfig::default() };
    let mut table = table_of(KindConfig { presence, ..KindConfig::default() });
    let (ada, welcome) = table.join_with(1, claims("ada"), "");
    table.join(2, "bob");
    assert!(welcome.members.is_none() && table.take(ada).is_empty());
}
