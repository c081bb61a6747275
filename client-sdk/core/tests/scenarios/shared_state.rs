//! The room's shared state.

use client_core::{Call, Event, Input, Outcome, Request};
use schemas::{
    ClientMessage, ServerMessage,
    client_message::StateOp,
    server_message::{
        Reply, RequestResult, StateChange, StateEntry, StateSnapshot, StateVersion, StateWrite, Welcome,
    },
};

use crate::script::{Script, json, plain_welcome, without_token};

fn entry(text: &str, version: u64) -> StateEntry {
    StateEntry { value: json(text), version, owner: None }
}

fn snapshot(version: u64, entries: &[(&str, &str, u64)]) -> ServerMessage {
    let entries = entries.iter().map(|(key, text, version)| ((*key).to_string(), entry(text, *version)));
    let state = StateSnapshot { version, entries: entries.collect() };
    ServerMessage::Welcome(Box::new(Welcome { state, ..plain_welcome(10) }))
}

fn change(version: u64, ops: Vec<StateWrite>) -> ServerMessage {
    ServerMessage::State(StateChange { version, ops })
}

fn set(key: &str, text: &str, version: u64) -> StateWrite {
    StateWrite::Set { key: key.into(), value: json(text), version, owner: None }
}

fn delete(key: &str) -> StateWrite {
    StateWrite::Delete { key: key.into() }
}

fn joining(message: ServerMessage) -> Script {
    let mut script = Script::new(without_token());
    script.input(Input::JoinRequested);
    script.open();
    script.forget();
    script.say(message);
    script
}

/// `5: +a -b`, as emitted.
fn changes(script: &Script) -> Vec<String> {
    let told = script.events.iter().filter_map(|event| match event {
        Event::StateChanged(change) => {
            let writes = change.ops.iter().map(|write| match write {
                StateWrite::Set { key, .. } => format!(" +{key}"),
                StateWrite::Delete { key } => format!(" -{key}"),
            });
            Some(format!("{}:{}", change.version, writes.collect::<String>()))
        }
        _ => None,
    });
    told.collect()
}

fn known(script: &Script) -> (u64, Vec<(String, StateEntry)>) {
    (script.client.state().version(), script.client.state().entries().to_vec())
}

#[test]
fn r_cli_27_shared_state_is_the_snapshot_and_the_changes_since() {
    let mut script = joining(snapshot(5, &[("a", "1", 4), ("c", "2", 5)]));
    script.say_all(&[
        change(7, vec![set("b", "3", 7), delete("a"), delete("nobody's")]),
        change(8, vec![set("c", "4", 8)]),
    ]);
    assert_eq!(known(&script), (8, vec![("b".into(), entry("3", 7)), ("c".into(), entry("4", 8))]));
    assert_eq!(script.client.state().get("b"), Some(&entry("3", 7)));
    assert_eq!(script.client.state().get("a"), None);
    assert_eq!(changes(&script), ["5: +a +c", "7: +b -a", "8: +c"]);
}

#[test]
fn r_cli_27_a_change_that_is_known_is_ignored() {
    let mut script = joining(snapshot(5, &[("a", "new", 5)]));
    script.say_all(&[change(4, vec![set("a", "old", 4)]), change(5, vec![delete("a")])]);
    assert_eq!(known(&script), (5, vec![("a".into(), entry("new", 5))]));
    assert_eq!(changes(&script), ["5: +a"]);
}

#[test]
fn r_cli_27_a_reconnect_tells_what_changed_and_nothing_else() {
    let mut script = joining(snapshot(5, &[("a", "1", 1), ("b", "2", 2), ("d", "5", 5)]));
    script.close(1006);
    assert_eq!(known(&script).1.len(), 3, "it stays while this side is away");
    script.reconnect();
    script.say(snapshot(8, &[("a", "1", 1), ("c", "3", 7), ("d", "6", 8)]));
    assert_eq!(changes(&script), ["8: -b +c +d"]);
    script.close(1006);
    script.reconnect();
    script.say(snapshot(8, &[("a", "1", 1), ("c", "3", 7), ("d", "6", 8)]));
    assert_eq!(changes(&script), [""; 0]);
    script.close(1006);
    script.reconnect();
    script.say(snapshot(1, &[("a", "9", 1)]));
    script.say(change(2, vec![set("b", "1", 2)]));
    assert_eq!(changes(&script), ["1: -c -d +a", "2: +b"], "another room of that name counts anew");
}

#[test]
fn r_cli_27_leaving_and_failing_empty_it_and_say_so() {
    let mut script = joining(snapshot(5, &[("a", "1", 4)]));
    script.close(3505);
    assert_eq!((known(&script), changes(&script)), ((0, vec![]), vec!["5: +a".into(), "0: -a".into()]));
    let mut script = joining(snapshot(5, &[("a", "1", 4)]));
    script.input(Input::LeaveRequested);
    script.close(1000);
    assert_eq!((known(&script), changes(&script)), ((0, vec![]), vec!["5: +a".into(), "0: -a".into()]));
}

#[test]
fn r_cli_16_a_write_of_state_and_its_answer() {
    let mut script = joining(snapshot(0, &[]));
    assert_eq!(changes(&script), [""; 0]);
    let ops = vec![
        StateOp::Set { key: "a".into(), value: json("1"), expected: Some(0), owned: true },
        StateOp::Delete { key: "b".into(), expected: None },
    ];
    script.input(Input::Requested { call: Call(1), request: Request::State { ops: ops.clone() } });
    script.end_turn();
    let said = script.heard();
    let [ClientMessage::State { id, ops: written }] = said.as_slice() else { panic!("heard {said:?}") };
    assert_eq!(*written, ops);
    let version = RequestResult::State(StateVersion { version: 2 });
    script.say(ServerMessage::Reply(Reply { id: *id, result: version.clone() }));
    assert_eq!(script.settled(), [(1, Outcome::Acknowledged(version))]);
}
