//! Publishes with a key: sent again until their answer comes.

use client_core::{Call, Input, Request, requests};
use schemas::{
    ClientMessage, Epoch, ErrorCode, ServerMessage, UserId,
    client_message::Publish,
    limits::REQUEST_TIMEOUT_MS,
    server_message::{NoticeCode, Published, Reply, RequestError, RequestResult, Welcome, WelcomeLimits},
};

use crate::script::{Script, ephemeral, epoch, keyed, offset, plain_welcome, published, recovered};

/// Ids and keys (empty where there is none) of the publishes heard.
fn heard(script: &mut Script) -> Vec<(u32, String)> {
    let said = script.heard().into_iter().map(|message| match message {
        ClientMessage::Publish(publish) => (publish.id.expect("has an id"), publish.key.unwrap_or_default()),
        other => panic!("heard {other:?}"),
    });
    said.collect()
}

fn keys(script: &mut Script) -> Vec<String> {
    heard(script).into_iter().map(|(_, key)| key).collect()
}

fn duplicate(id: u32, value: u64) -> ServerMessage {
    let published = Published { epoch: epoch(), offset: offset(value), duplicate: true };
    ServerMessage::Reply(Reply { id, result: RequestResult::Published(published) })
}

fn restarted() -> ServerMessage {
    ServerMessage::Notice { code: NoticeCode::Restarted, message: String::new() }
}

fn refused(id: u32, code: ErrorCode) -> ServerMessage {
    ServerMessage::Error(RequestError::new(Some(id), code, "no"))
}

/// Sent and not answered.
fn sent(requests: &[&str]) -> Script {
    let mut script = Script::online();
    for (call, text) in (1..).zip(requests) {
        script.ask(call, keyed(text));
    }
    script.end_turn();
    assert_eq!(keys(&mut script), requests);
    script
}

fn outcome(call: u32, told: &str) -> Vec<(u32, String)> {
    vec![(call, told.to_string())]
}

#[test]
fn r_cli_26_after_a_lost_connection_it_is_sent_again_in_its_order_and_before_anything_newer() {
    let mut script = sent(&["a", "b"]);
    script.publish(3, "unkeyed");
    script.end_turn();
    script.ask(4, keyed("c"));
    script.end_turn();
    script.ask(5, keyed("not yet sent"));
    script.forget();
    script.close(1006);
    script.ask(6, keyed("asked meanwhile"));
    assert_eq!(script.outcomes(), outcome(3, "unavailable?"), "R-CLI-17");
    script.reconnect();
    script.say(recovered(10, []));
    let said = heard(&mut script);
    let texts: Vec<&str> = said.iter().map(|(_, key)| key.as_str()).collect();
    assert_eq!(texts, ["a", "b", "c", "not yet sent", "asked meanwhile"]);
    script.say_all(&[duplicate(said[0].0, 9), published(said[1].0, 11), published(said[2].0, 12)]);
    assert_eq!(script.outcomes(), [1, 2, 4].map(|call| (call, "ok".to_string())));
}

#[test]
fn r_cli_26_and_again_after_the_next_loss() {
    let mut script = sent(&["a", "b"]);
    for _ in 0..3 {
        script.close(1006);
        script.reconnect();
        script.close(1006);
        script.reconnect();
        script.say(recovered(10, []));
        assert_eq!(keys(&mut script), ["a", "b"]);
        assert!(script.outcomes().is_empty());
    }
}

#[test]
fn r_cli_26_unanswered_for_10_s_it_is_sent_again_under_another_id() {
    let mut script = sent(&["a"]);
    script.pass(1_000);
    script.ask(2, keyed("b"));
    script.end_turn();
    assert_eq!(heard(&mut script), [(2, "b".to_string())]);
    script.pass(REQUEST_TIMEOUT_MS - 1_000);
    assert_eq!(heard(&mut script), [(3, "a".to_string())]);
    script.say(refused(1, ErrorCode::RateLimited));
    assert!(script.outcomes().is_empty(), "too late");
    script.close(1006);
    script.reconnect();
    script.say(recovered(10, []));
    let said = heard(&mut script);
    assert_eq!(said, [(4, "a".to_string()), (5, "b".to_string())], "the order of the first time");
    script.say(duplicate(4, 9));
    assert_eq!(script.outcomes(), outcome(1, "ok"));
}

#[test]
fn r_cli_26_a_rebuilt_room_is_sent_it_at_once_on_the_same_connection() {
    let mut script = sent(&["a", "b"]);
    script.say(restarted());
    assert!(script.outcomes().is_empty());
    script.publish(3, "newer");
    script.end_turn();
    assert_eq!(keys(&mut script), ["a", "b"]);
    script.end_turn();
    assert_eq!(keys(&mut script), [""]);
}

#[test]
fn r_cli_26_many_are_sent_again_at_the_pace_of_what_waited() {
    let mut script = Script::online();
    for call in 0..200 {
        script.ask(call, keyed(&format!("{call:03}")));
    }
    script.end_turn();
    script.forget();
    script.say(restarted());
    script.end_turn();
    let mut said = keys(&mut script);
    assert_eq!(said.len(), requests::BACKLOG_STEP);
    script.publish(200, "newer");
    script.pass(9_000);
    said.extend(keys(&mut script));
    assert_eq!(said.len(), 201);
    assert!(said[..200].is_sorted(), "{said:?}");
}

#[test]
fn r_cli_26_where_the_window_is_over_it_is_unknown() {
    let mut script = sent(&["a"]);
    for _ in 0..5 {
        script.pass(REQUEST_TIMEOUT_MS);
        script.pong();
    }
    assert_eq!(keys(&mut script), ["a"; 5]);
    script.pass(REQUEST_TIMEOUT_MS);
    assert_eq!((keys(&mut script).len(), script.outcomes()), (0, outcome(1, "unavailable?")));

    // The window is the new welcome's, and what was never sent has no age.
    for (window, sent_again) in [(60_000, true), (1_000, false)] {
        let mut script = sent(&["a"]);
        script.close(1006);
        script.ask(2, keyed("b"));
        script.now += 2_000;
        script.reconnect();
        let plain = plain_welcome(10);
        let limits = WelcomeLimits { key_window_ms: window, ..plain.limits };
        script.say(ServerMessage::Welcome(Box::new(Welcome { recovered: true, limits, ..plain })));
        assert_eq!(keys(&mut script), if sent_again { vec!["a", "b"] } else { vec!["b"] });
        assert_eq!(script.outcomes().len(), usize::from(!sent_again));
    }
}

#[test]
fn r_cli_26_another_epoch_knows_no_key() {
    let mut script = sent(&["a"]);
    script.close(3005);
    script.ask(2, keyed("b"));
    script.reconnect();
    script.say(ServerMessage::Welcome(Box::new(Welcome { epoch: Epoch::new(0xf), ..plain_welcome(0) })));
    assert_eq!(script.outcomes(), outcome(1, "unavailable?"));
    assert_eq!(keys(&mut script), ["b"], "never sent, so free to go");
}

#[test]
fn r_cli_26_nor_does_another_user() {
    let mut script = sent(&["a"]);
    script.close(1006);
    script.reconnect();
    let user = UserId::parse("bob").expect("is a user");
    script.say(ServerMessage::Welcome(Box::new(Welcome { user, recovered: true, ..plain_welcome(10) })));
    assert_eq!((script.outcomes(), keys(&mut script).len()), (outcome(1, "unavailable?"), 0));
}

#[test]
fn r_cli_26_cancelled_left_and_failed_it_is_unknown_wherever_it_waits() {
    let away = || {
        let mut script = sent(&["a"]);
        script.close(1006);
        script
    };
    for mut script in [sent(&["a"]), away()] {
        script.input(Input::Cancelled { call: Call(1) });
        assert_eq!(script.outcomes(), outcome(1, "cancelled?"));
        if script.socket.is_some() {
            script.close(1006);
        }
        script.reconnect();
        script.say(recovered(10, []));
        assert!(script.heard().is_empty(), "and is not sent again");
    }
    for mut script in [sent(&["a"]), away()] {
        script.input(Input::LeaveRequested);
        script.pass(2_000);
        assert_eq!((script.status(), script.outcomes()), ("left", outcome(1, "unavailable?")));
    }
    let mut failing = sent(&["a"]);
    failing.close(3505);
    let mut failing_later = away();
    failing_later.reconnect();
    failing_later.close(3505);
    for script in [failing, failing_later] {
        assert_eq!((script.status(), script.outcomes()), ("failed", outcome(1, "unavailable?")));
    }
}

#[test]
fn r_cli_26_an_answer_while_leaving_counts() {
    let mut script = sent(&["a"]);
    script.input(Input::LeaveRequested);
    script.say(published(1, 11));
    assert_eq!(script.outcomes(), outcome(1, "ok"));
}

#[test]
fn r_cli_26_refused_the_first_time_it_is_rejected_and_not_tried_again() {
    for code in [ErrorCode::RateLimited, ErrorCode::Unavailable, ErrorCode::Conflict] {
        let mut script = sent(&["a"]);
        script.say(refused(1, code));
        assert_eq!(script.outcomes(), outcome(1, code.as_str()));
        script.close(1006);
        script.reconnect();
        script.say(recovered(10, []));
        assert!(script.heard().is_empty());
    }
}

#[test]
fn r_cli_26_a_refusal_of_the_second_time_says_nothing_of_the_first() {
    for (code, told) in [
        (ErrorCode::RateLimited, "rate_limited?"),
        (ErrorCode::Forbidden, "forbidden?"),
        (ErrorCode::Conflict, "conflict"),
    ] {
        let mut script = sent(&["a"]);
        script.say(restarted());
        script.end_turn();
        let id = heard(&mut script)[0].0;
        script.say(refused(id, code));
        assert_eq!(script.outcomes(), outcome(1, told));
    }
}

#[test]
fn r_cli_26_a_key_on_an_ephemeral_changes_nothing() {
    let Request::Publish(publish) = ephemeral("x") else { panic!("is a publish") };
    let mut script = Script::online();
    script.ask(1, Request::Publish(Publish { key: Some("k".into()), ..publish }));
    script.end_turn();
    script.forget();
    script.close(1006);
    assert_eq!(script.outcomes(), outcome(1, "unavailable?"));
}

#[test]
fn r_cli_23_what_is_kept_to_be_sent_again_is_bounded() {
    let mut script = Script::online();
    script.close(1006);
    script.reconnect();
    let plain = plain_welcome(10);
    let limits = WelcomeLimits { frame_bytes: 1_114_112, ..plain.limits };
    script.say(ServerMessage::Welcome(Box::new(Welcome { recovered: true, limits, ..plain })));
    let large = "x".repeat(1_000_000);
    for call in 0..10 {
        script.ask(call, keyed(&large));
        script.end_turn();
    }
    assert_eq!(heard(&mut script).len(), 5, "4 MiB and one more");
    assert_eq!(script.outcomes().len(), 4, "what does not fit the queue behind it is refused");
    script.say(published(1, 12));
    script.end_turn();
    assert_eq!(heard(&mut script).len(), 1);
}
