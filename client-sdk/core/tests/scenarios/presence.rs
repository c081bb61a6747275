//! Who is here.

use client_core::{Call, Event, Input, Options, Request};
use schemas::{
    ClientMessage, ErrorCode, ServerMessage,
    server_message::{
        LeaveReason, Left, Member, MembersPage, PresenceDiff, Reply, RequestError, RequestResult, Welcome,
    },
};

use crate::script::{Script, json, member, plain_welcome, public_session, without_token};

fn snapshot(members: &[&str], next: Option<&str>) -> ServerMessage {
    ServerMessage::Welcome(Box::new(Welcome {
        members: Some(members.iter().map(|name| member(name)).collect()),
        members_next: next.map(String::from),
        ..plain_welcome(10)
    }))
}

fn page(id: u32, members: &[&str], next: Option<&str>) -> ServerMessage {
    let members = members.iter().map(|name| member(name)).collect();
    let page = MembersPage { members, next: next.map(String::from), users: 0, connections: 0 };
    ServerMessage::Reply(Reply { id, result: RequestResult::Members(page) })
}

fn joined(name: &str) -> ServerMessage {
    ServerMessage::Presence(PresenceDiff { joined: vec![member(name)], ..PresenceDiff::default() })
}

fn left(name: &str) -> ServerMessage {
    let member = member(name);
    let left = Left { session: member.session, user: member.user, reason: LeaveReason::Left };
    ServerMessage::Presence(PresenceDiff { left: vec![left], ..PresenceDiff::default() })
}

fn joining(message: ServerMessage) -> Script {
    let mut script = Script::new(without_token());
    script.input(Input::JoinRequested);
    script.open();
    script.forget();
    script.say(message);
    script
}

fn roster(script: &Script) -> Vec<String> {
    script.client.members().iter().map(|member| member.user.to_string()).collect()
}

/// `+ada`, `-bob`, `~cyd`, as emitted.
fn changes(script: &Script) -> Vec<String> {
    let mut changes = Vec::new();
    for event in &script.events {
        if let Event::PresenceChanged(diff) = event {
            changes.extend(diff.joined.iter().map(|member| format!("+{}", member.user)));
            changes.extend(diff.left.iter().map(|left| format!("-{}", left.user)));
            changes.extend(diff.updated.iter().map(|member| format!("~{}", member.user)));
        }
    }
    changes
}

fn asked(script: &mut Script) -> (u32, String) {
    match script.heard().as_slice() {
        [ClientMessage::Members(members)] => (members.id, members.cursor.clone().expect("a cursor")),
        other => panic!("heard {other:?}"),
    }
}

#[test]
fn r_cli_18_the_roster_is_the_snapshot_and_the_diffs_since() {
    let mut script = joining(snapshot(&["ada", "bob"], None));
    script.say_all(&[joined("cyd"), left("ada")]);
    let typing = Member { data: Some(json("typing")), ..member("bob") };
    script.say(ServerMessage::Presence(PresenceDiff {
        updated: vec![typing.clone()],
        ..PresenceDiff::default()
    }));
    assert_eq!(roster(&script), ["bob", "cyd"]);
    assert_eq!(script.client.members().first(), Some(&typing));
    assert_eq!(changes(&script), ["+ada", "+bob", "+cyd", "-ada", "~bob"]);
}

#[test]
fn r_cli_18_a_reconnect_shows_what_changed_and_nothing_else() {
    let mut script = joining(snapshot(&["ada", "bob"], None));
    script.close(1006);
    assert_eq!(roster(&script), ["ada", "bob"], "nobody vanishes while this side is away");
    script.reconnect();
    script.say(snapshot(&["ada", "cyd"], None));
    assert_eq!(changes(&script), ["+cyd", "-bob"]);
    script.close(1006);
    script.reconnect();
    script.say(snapshot(&["ada", "cyd"], None));
    assert_eq!(changes(&script), [""; 0]);
}

#[test]
fn r_cli_19_further_pages_are_fetched_before_the_roster_changes() {
    let mut script = joining(snapshot(&["ada"], Some("p2")));
    assert_eq!(roster(&script), [""; 0]);
    let (id, cursor) = asked(&mut script);
    assert_eq!(cursor, "p2");
    script.say_all(&[left("ada"), page(id, &["bob"], Some("p3")), joined("cyd")]);
    let (id, cursor) = asked(&mut script);
    assert_eq!(cursor, "p3");
    assert_eq!(changes(&script), [""; 0]);
    script.say(page(id, &["dan"], None));
    assert_eq!(roster(&script), ["bob", "cyd", "dan"]);
}

#[test]
fn r_cli_19_a_page_that_is_not_served_is_asked_for_again() {
    let mut script = joining(snapshot(&["ada"], Some("p2")));
    let (id, _) = asked(&mut script);
    script.say(ServerMessage::Error(RequestError::new(Some(id), ErrorCode::Overloaded, "later")));
    script.pass(1_000);
    let (_, cursor) = asked(&mut script);
    assert_eq!(cursor, "p2");
    script.pass(10_000);
    script.pass(1_000);
    let (id, cursor) = asked(&mut script);
    assert_eq!(cursor, "p2");
    script.say(ServerMessage::Error(RequestError::new(Some(id), ErrorCode::InvalidArgument, "never")));
    assert_eq!(roster(&script), ["ada"], "what was listed is true as far as it goes");
}

#[test]
fn r_cli_18_leaving_and_failing_empty_the_roster() {
    let mut script = joining(snapshot(&["ada"], None));
    script.close(3505);
    assert_eq!((roster(&script).len(), changes(&script)), (0, vec!["+ada".to_string(), "-ada".to_string()]));
}

#[test]
fn r_cli_20_presence_data_is_said_again_in_each_hello() {
    let mut script = Script::new(Options { presence: Some(json("first")), ..without_token() });
    script.input(Input::JoinRequested);
    script.open();
    assert_eq!(script.hello().presence, Some(json("first")));
    script.say(snapshot(&[], None));
    script.input(Input::Requested { call: Call(1), request: Request::Presence { data: json("second") } });
    script.end_turn();
    assert!(
        matches!(script.heard().as_slice(), [ClientMessage::Presence { data, .. }] if *data == json("second"))
    );
    script.close(1006);
    assert_eq!(script.reconnect().presence, Some(json("second")));
}

#[test]
fn r_cli_20_presence_data_replaced_before_it_was_sent_settles_with_the_latest() {
    let mut script = joining(snapshot(&[], None));
    for (call, text) in [(1, "a"), (2, "b"), (3, "c")] {
        script.input(Input::Requested { call: Call(call), request: Request::Presence { data: json(text) } });
    }
    script.end_turn();
    let said = script.heard();
    let [ClientMessage::Presence { id, data }] = said.as_slice() else { panic!("heard {said:?}") };
    assert_eq!(*data, json("c"));
    script.say(ServerMessage::Reply(Reply { id: *id, result: RequestResult::Done {} }));
    assert_eq!(script.outcomes(), [(1, "ok".to_string()), (2, "ok".to_string()), (3, "ok".to_string())]);
    assert_eq!(public_session("x").as_str().len(), 16);
}
