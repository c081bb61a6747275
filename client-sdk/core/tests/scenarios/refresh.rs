//! A newer token for a live connection.

use client_core::{Event, Input};
use schemas::{
    ClientMessage, ErrorCode, Frame, ServerMessage,
    limits::{EXPIRING_BEFORE_MS, REQUEST_TIMEOUT_MS},
    server_message::{Refreshed, Reply, RequestError, RequestResult, Welcome},
};

use crate::script::{Script, options, plain_welcome, published, recovered, welcome};

/// When the tokens of these tests end, by a server whose clock says 1 at the welcome.
const HOUR: u64 = 3_600_000;

fn expiring(expires_at: u64) -> ServerMessage {
    ServerMessage::Expiring { expires_at }
}

fn refreshed(id: u32, expires_at: u64) -> ServerMessage {
    ServerMessage::Reply(Reply { id, result: RequestResult::Refreshed(Refreshed { expires_at }) })
}

fn refused(id: u32, code: ErrorCode) -> ServerMessage {
    ServerMessage::Error(RequestError::new(Some(id), code, "no"))
}

/// Welcomed with a token.
fn online() -> Script {
    let mut script = Script::new(options());
    script.input(Input::JoinRequested);
    give(&mut script, "first");
    script.open();
    script.say(welcome(10));
    script.forget();
    script
}

/// Lets time pass on a connection that answers.
fn live(script: &mut Script, milliseconds: u64) {
    let end = script.now + milliseconds;
    while script.now < end {
        script.pass(1_000.min(end - script.now));
        let (attempt, frame) = (script.attempt(), Frame::Text("pong".into()));
        script.input(Input::FrameReceived { attempt, frame });
    }
    script.pings();
}

/// Warned of the end of its token, and asking for the next.
fn warned() -> Script {
    let mut script = online();
    live(&mut script, HOUR - EXPIRING_BEFORE_MS);
    script.forget();
    script.say(expiring(HOUR));
    script
}

/// The token function answers.
fn give(script: &mut Script, token: &str) {
    let attempt = script.fetching.take().expect("a token is asked for");
    script.input(Input::TokenFetched { attempt, token: token.into() });
}

/// The id and the token of the one `auth` said.
fn shown(script: &mut Script) -> (u32, String) {
    match script.heard().as_slice() {
        [ClientMessage::Auth { id, token }] => (*id, token.0.clone()),
        other => panic!("expected auth, heard {other:?}"),
    }
}

#[test]
fn r_cli_29_a_newer_token_is_shown_before_the_old_one_ends_and_nothing_stops() {
    let mut script = warned();
    assert_eq!(script.socket, Some(script.attempt()));
    script.publish(1, "meanwhile");
    script.end_turn();
    assert_eq!(script.heard().len(), 1);
    give(&mut script, "second");
    let (id, token) = shown(&mut script);
    assert_eq!(token, "second");
    script.publish(2, "before the answer");
    script.end_turn();
    assert_eq!(script.heard().len(), 1);
    script.say_all(&[published(1, 11), refreshed(id, 2 * HOUR)]);
    assert_eq!(script.client.me().and_then(|me| me.expires_at), Some(2 * HOUR));
    assert_eq!((script.statuses(), script.status()), (vec![], "connected"));
    assert_eq!(script.outcomes(), [(1, "ok".to_string())]);
    live(&mut script, HOUR - EXPIRING_BEFORE_MS);
    assert_eq!(script.fetching, None, "until the server warns again");
    script.say(expiring(2 * HOUR));
    give(&mut script, "third");
    assert_eq!(shown(&mut script).1, "third");
    assert_eq!(script.tokens, ["first"], "one socket was enough");
}

#[test]
fn r_cli_29_a_token_shorter_than_the_warning_is_replaced_after_half_its_time() {
    let mut script = online();
    script.say(expiring(20_001));
    assert_eq!(script.fetching, None);
    script.pass(9_999);
    assert_eq!(script.fetching, None);
    script.pass(1);
    give(&mut script, "second");
    let (id, _) = shown(&mut script);
    // The server tells of the newer one ahead of its answer.
    script.say_all(&[expiring(30_001), refreshed(id, 30_001)]);
    assert_eq!(script.fetching, None);
    script.pass(10_000);
    assert!(script.fetching.is_some());
}

#[test]
fn r_cli_29_of_a_short_token_the_welcome_warns_and_so_does_the_answer_to_auth() {
    let mut script = Script::new(options());
    script.input(Input::JoinRequested);
    give(&mut script, "first");
    script.open();
    let short = Welcome { expires_at: Some(20_001), ..plain_welcome(10) };
    script.say(ServerMessage::Welcome(Box::new(short)));
    script.forget();
    script.pass(9_999);
    assert_eq!(script.fetching, None);
    script.pass(1);
    give(&mut script, "second");
    let (id, _) = shown(&mut script);
    // Good for the leeway alone.
    script.say(refreshed(id, 1));
    script.pass(4_999);
    assert_eq!(script.fetching, None);
    script.pass(1);
    give(&mut script, "third");
    let (id, _) = shown(&mut script);
    script.say(refreshed(id, HOUR));
    live(&mut script, HOUR / 2);
    assert_eq!(script.fetching, None, "the server will warn of this one");
}

#[test]
fn r_cli_29_what_fails_for_now_is_tried_again() {
    let failures: [fn(&mut Script); 6] = [
        |script| {
            let attempt = script.fetching.take().expect("a token is asked for");
            script.input(Input::TokenFailed { attempt });
        },
        |script| {
            script.fetching = None;
            live(script, 30_000);
        },
        |script| {
            give(script, "second");
            let (id, _) = shown(script);
            script.say(refused(id, ErrorCode::Unavailable));
        },
        |script| {
            give(script, "second");
            let (id, _) = shown(script);
            script.say(refused(id, ErrorCode::RateLimited));
        },
        |script| {
            give(script, "second");
            shown(script);
            live(script, REQUEST_TIMEOUT_MS);
        },
        |script| {
            give(script, "second");
            shown(script);
            let code = schemas::server_message::NoticeCode::Restarted;
            script.say(ServerMessage::Notice { code, message: String::new() });
        },
    ];
    for fail in failures {
        let mut script = warned();
        for _ in 0..2 {
            fail(&mut script);
            live(&mut script, 2_000);
            assert_eq!(script.status(), "connected");
        }
        give(&mut script, "at last");
        let (id, token) = shown(&mut script);
        assert_eq!(token, "at last");
        script.say(refreshed(id, 2 * HOUR));
        live(&mut script, 10_000);
        assert_eq!((script.fetching, script.statuses()), (None, vec![]));
    }
}

#[test]
fn r_cli_29_what_is_refused_for_good_is_told_and_the_next_connection_has_a_fresh_token() {
    for code in [ErrorCode::Forbidden, ErrorCode::Unauthorized] {
        let mut script = warned();
        give(&mut script, "another user's");
        let (id, _) = shown(&mut script);
        script.say(refused(id, code));
        let told =
            script.events.iter().any(|event| matches!(event, Event::Refused(error) if error.code == code));
        assert!(told);
        live(&mut script, HOUR);
        assert_eq!((script.fetching, script.status()), (None, "connected"));
        script.close(3010);
        script.pass(1_000);
        give(&mut script, "good");
        assert_eq!(script.tokens, ["first", "good"]);
    }

    let mut script = warned();
    let attempt = script.fetching.take().expect("a token is asked for");
    script.input(Input::TokenRefused { attempt, reason: "no".into() });
    assert_eq!((script.heard().len(), script.status()), (0, "connected"));
    script.close(3010);
    script.pass(1_000);
    let attempt = script.fetching.take().expect("a token is asked for");
    script.input(Input::TokenRefused { attempt, reason: "no".into() });
    assert_eq!(script.status(), "failed");
}

#[test]
fn r_cli_29_a_connection_lost_meanwhile_has_a_token_of_its_own() {
    let mut script = warned();
    let late = script.fetching.take().expect("a token is asked for");
    script.close(1006);
    script.pass(1_000);
    script.input(Input::TokenFetched { attempt: late, token: "late".into() });
    assert_eq!(script.socket, None, "R-CLI-2");
    give(&mut script, "fresh");
    script.open();
    script.say(recovered(10, []));
    assert_eq!(script.tokens, ["first", "fresh"]);

    let mut script = warned();
    give(&mut script, "second");
    shown(&mut script);
    script.close(1006);
    script.pass(1_000);
    give(&mut script, "fresh");
    assert_eq!(script.tokens, ["first", "fresh"]);
}

#[test]
fn r_cli_29_without_a_token_function_there_is_nothing_to_ask() {
    let mut script = Script::online();
    script.say(expiring(HOUR));
    assert_eq!((script.fetching, script.events.len()), (None, 1));
}

#[test]
fn r_cli_26_a_clock_that_stood_while_the_machine_slept_does_not_keep_a_key_alive() {
    for (server_time, sent_again) in [(59_000, true), (61_000, false)] {
        let mut script = Script::online();
        script.ask(1, crate::script::keyed("a"));
        script.end_turn();
        script.forget();
        script.close(1006);
        script.reconnect();
        let welcome = Welcome { server_time, recovered: true, ..plain_welcome(10) };
        script.say(ServerMessage::Welcome(Box::new(welcome)));
        assert_eq!(script.heard().len(), usize::from(sent_again));
        assert_eq!(script.outcomes().len(), usize::from(!sent_again));
    }
}
