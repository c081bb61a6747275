//! Calls of the room's logic, which return once or often; and subscriptions.

use client_core::{Call, Event, Input, Options, Request};
use schemas::{
    ClientMessage, ErrorCode, Frame, ServerMessage,
    codec::{Codec, encode},
    limits::REQUEST_TIMEOUT_MS,
    server_message::{LeaveReason, Left, PresenceDiff, Reply, RequestError, RequestResult, Tags, Welcome},
};
use serde_json::{Value, json};

use crate::script::{
    Script, json as payload, member, offset, options, plain_welcome, position, public_session, recovered,
    welcome, without_token,
};

fn call(script: &mut Script, number: u32, method: &str) {
    script.ask(number, Request::Call { method: method.into(), args: payload("tea") });
    script.end_turn();
}

/// Everything that was said, as it stands on the wire.
fn said(script: &mut Script) -> Vec<Value> {
    let frames = std::mem::take(&mut script.frames);
    let mut said = Vec::new();
    for frame in frames {
        let Frame::Binary(bytes) = frame else { continue };
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            said.push(
                serde::Deserialize::deserialize(&mut rmp_serde::Deserializer::new(&mut rest)).expect("reads"),
            );
        }
    }
    said
}

fn reply(script: &mut Script, id: u32, result: &str, more: bool) {
    let message = json!({ "t": "reply", "id": id, "result": result, "more": more });
    let attempt = script.attempt();
    let frame = Frame::Binary(encode(Codec::Msgpack, &message));
    script.input(Input::FrameReceived { attempt, frame });
}

/// What calls returned, and how they ended.
fn told(script: &Script) -> Vec<String> {
    let mut outcomes = script.outcomes().into_iter();
    let told = script.events.iter().filter_map(|event| match event {
        Event::Returned { call, value, more } => {
            let schemas::Payload::Json(text) = value else { panic!("is JSON") };
            Some(format!("{} {}{}", call.0, text.as_str(), if *more { " …" } else { "" }))
        }
        Event::Settled { .. } => outcomes.next().map(|(call, outcome)| format!("{call} {outcome}")),
        _ => None,
    });
    told.collect()
}

#[test]
fn r_cli_30_a_call_returns_and_settles() {
    let mut script = Script::online();
    call(&mut script, 1, "brew");
    let expected = json!({ "t": "call", "id": 1, "method": "brew", "args": "\"tea\"" });
    assert_eq!(said(&mut script), [expected]);
    reply(&mut script, 1, "{\"hot\":true}", false);
    assert_eq!(told(&script), ["1 {\"hot\":true}", "1 ok"]);
    reply(&mut script, 1, "2", false);
    assert_eq!(told(&script).len(), 2, "once");

    call(&mut script, 2, "burn");
    script.forget();
    script.say(ServerMessage::Error(RequestError::new(Some(2), ErrorCode::MethodFailed, "no")));
    assert_eq!(told(&script), ["2 method_failed"]);
}

#[test]
fn r_cli_30_what_streams_has_as_long_as_it_likes_and_ends_with_the_connection() {
    let mut script = Script::online();
    call(&mut script, 1, "count");
    call(&mut script, 2, "silent");
    reply(&mut script, 1, "1", true);
    script.pass(REQUEST_TIMEOUT_MS);
    assert_eq!(told(&script), ["1 1 …", "2 unavailable?"]);
    reply(&mut script, 1, "2", true);
    reply(&mut script, 1, "3", false);
    assert_eq!(told(&script)[2..], ["1 2 …", "1 3", "1 ok"]);

    script.forget();
    call(&mut script, 3, "count");
    reply(&mut script, 3, "1", true);
    script.close(1006);
    assert_eq!(told(&script), ["3 1 …", "3 unavailable?"]);
    script.reconnect();
    script.say(recovered(10, []));
    assert_eq!(said(&mut script).len(), 0, "never again by itself");
}

#[test]
fn r_cli_30_a_cancelled_call_is_told_to_the_room_and_heard_of_no_more() {
    for streams in [false, true] {
        let mut script = Script::online();
        call(&mut script, 1, "count");
        if streams {
            reply(&mut script, 1, "1", true);
        }
        script.forget();
        script.input(Input::Cancelled { call: Call(1) });
        assert_eq!(said(&mut script), [json!({ "t": "cancel", "id": 1 })]);
        assert_eq!(told(&script), ["1 cancelled?"]);
        reply(&mut script, 1, "2", false);
        script.input(Input::Cancelled { call: Call(1) });
        assert_eq!((said(&mut script).len(), told(&script).len()), (0, 1));
    }
    // What was never sent needs no word to the room.
    let mut script = Script::online();
    script.ask(1, Request::Call { method: "count".into(), args: payload("x") });
    script.input(Input::Cancelled { call: Call(1) });
    script.end_turn();
    assert_eq!((said(&mut script).len(), told(&script)), (0, vec!["1 cancelled".to_string()]));
}

#[test]
fn r_cli_30_a_payload_answers_calls_alone() {
    let mut script = Script::online();
    script.publish(1, "a");
    script.end_turn();
    reply(&mut script, 1, "1", false);
    assert_eq!(told(&script).len(), 0);
    script.pass(REQUEST_TIMEOUT_MS);
    assert_eq!(told(&script), ["1 unavailable?"]);
}

#[test]
fn r_cli_31_a_subscription_that_the_room_agreed_to_is_said_again_at_each_reconnect() {
    let mut script = Script::online();
    let agree = |script: &mut Script, id: u32, tags: &[&str]| {
        let tags = tags.iter().map(ToString::to_string).collect();
        let result = RequestResult::Tags(Tags { tags, offset: offset(10) });
        script.say(ServerMessage::Reply(Reply { id, result }));
    };
    script.ask(1, Request::Subscribe { tags: vec!["blue".into()] });
    script.end_turn();
    assert_eq!(script.heard(), [ClientMessage::Subscribe { id: 1, tags: vec!["blue".into()] }]);
    agree(&mut script, 1, &["$mine", "red", "blue"]);
    assert_eq!(script.client.me().expect("is welcomed").tags, ["$mine", "red", "blue"]);
    script.ask(2, Request::Subscribe { tags: vec!["lost".into()] });
    script.ask(3, Request::Unsubscribe { tags: vec!["red".into()] });
    script.end_turn();
    agree(&mut script, 3, &["$mine", "blue"]);
    script.close(1006);
    assert_eq!(script.reconnect().tags, ["blue"]);
    assert_eq!(script.outcomes().len(), 0);
    script.say(welcome(10));
    script.input(Input::LeaveRequested);
    script.pass(2_000);
    script.socket = None;
    script.input(Input::JoinRequested);
    assert_eq!(script.reconnect().tags, ["red"], "a later join is a first one");
}

#[test]
fn r_cli_32_an_earlier_client_is_continued_at_its_position() {
    let mut script = Script::new(Options { position: Some(position(7)), ..without_token() });
    script.input(Input::JoinRequested);
    script.open();
    assert_eq!(script.hello().recover, Some(position(7)));
    script.say(recovered(9, [7, 8, 9]));
    assert_eq!((script.offsets(), script.client.position()), (vec![8, 9], Some(position(9))));

    let mut script = Script::new(Options { position: Some(position(7)), ..options() });
    script.input(Input::JoinRequested);
    let attempt = script.fetching.expect("a token is asked for");
    script.input(Input::TokenFetched { attempt, token: "t".into() });
    script.open();
    script.say(welcome(9));
    assert!(script.events.iter().any(|event| matches!(event, Event::Gap { .. })));
}

#[test]
fn r_cli_18_who_is_not_listed_any_more_sees_nobody() {
    let mut script = Script::online();
    script.close(1006);
    script.reconnect();
    let members = Some(vec![member("ada"), member("me")]);
    script.say(ServerMessage::Welcome(Box::new(Welcome { recovered: true, members, ..plain_welcome(10) })));
    assert_eq!(script.client.members().len(), 2);
    let session = public_session("me");
    let left = vec![Left { session, user: member("me").user, reason: LeaveReason::Left }];
    script.say(ServerMessage::Presence(PresenceDiff { left, ..PresenceDiff::default() }));
    assert_eq!(script.client.members(), []);
}
