//! From joining to hello, from a lost connection to the next, and out again.

use client_core::{Due, Event, Failure, Input, Options, Status, backoff};
use schemas::{
    ClientMessage, CloseCode, Frame, ServerMessage,
    server_message::{Reply, RequestResult},
};

use crate::script::{
    Script, ephemeral, options, position, public_session, publication, welcome, without_token,
};

#[test]
fn r_cli_1_joining_fetches_a_token_opens_a_socket_and_says_hello() {
    let mut script = Script::new(options());
    assert_eq!(script.status(), "idle");
    assert_eq!(script.client.poll_timeout(), None);
    script.input(Input::JoinRequested);
    let attempt = script.fetching.expect("a token is asked for");
    assert_eq!(script.socket, None);
    script.input(Input::TokenFetched { attempt, token: "t.o.k".into() });
    assert_eq!(script.tokens, ["t.o.k"]);
    script.open();
    let hello = script.hello();
    assert_eq!(hello.session.as_str(), "a-secret-session");
    assert_eq!((hello.recover, hello.rewind, hello.members), (None, Some(20), true));
    assert_eq!(hello.tags, ["red"]);
    script.say(welcome(3));
    assert_eq!(script.statuses(), ["connecting", "connected"]);
    assert_eq!(script.client.me().map(|me| me.session.clone()), Some(public_session("me")));
    assert_eq!(script.client.position(), Some(position(3)));
}

#[test]
fn r_cli_1_a_room_without_a_token_function_opens_its_socket_at_once() {
    let mut script = Script::new(without_token());
    script.input(Input::JoinRequested);
    assert!(script.socket.is_some() && script.tokens.is_empty());
}

#[test]
fn r_cli_2_what_belongs_to_another_attempt_is_ignored() {
    let mut script = Script::new(options());
    script.input(Input::JoinRequested);
    let first = script.fetching.expect("a token is asked for");
    script.input(Input::TokenFailed { attempt: first });
    script.tick();
    let second = script.fetching.expect("a token is asked for");
    assert_ne!(first, second);
    script.input(Input::TokenFetched { attempt: first, token: "late".into() });
    assert_eq!(script.socket, None);
    script.input(Input::TokenFetched { attempt: second, token: "fresh".into() });
    script.open();
    script.say(welcome(1));
    for stale in [
        Input::SocketOpened { attempt: first },
        Input::SocketClosed { attempt: first, code: 3505, reason: String::new() },
        Input::FrameReceived { attempt: first, frame: Frame::Binary(vec![0xc1]) },
        Input::TokenRefused { attempt: second, reason: String::new() },
    ] {
        script.input(stale);
        assert_eq!(script.status(), "connected");
    }
}

#[test]
fn r_cli_3_a_token_function_that_fails_or_is_silent_is_asked_again_with_backoff() {
    let mut script = Script::new(options());
    script.input(Input::JoinRequested);
    let first = script.fetching.expect("a token is asked for");
    script.input(Input::TokenFailed { attempt: first });
    assert_eq!(script.client.poll_timeout().map(|deadline| deadline.due), Some(Due::Reconnect));
    script.tick();
    let second = script.fetching.expect("a token is asked for");
    assert!(second > first);
    let asked_at = script.now;
    script.tick();
    assert_eq!(script.now, asked_at + 30_000);
    assert_eq!(script.client.poll_timeout().map(|deadline| deadline.due), Some(Due::Reconnect));
}

#[test]
fn r_cli_3_a_token_function_that_refuses_fails_the_room() {
    let mut script = Script::new(options());
    script.input(Input::JoinRequested);
    let attempt = script.fetching.expect("a token is asked for");
    script.input(Input::TokenRefused { attempt, reason: "logged_out".into() });
    assert_eq!(script.client.status(), Status::Failed(Failure { code: 3501, reason: "logged_out".into() }));
    assert_eq!(script.client.poll_timeout(), None);
}

#[test]
fn r_cli_4_a_socket_that_does_not_open_and_a_hello_that_is_not_answered_are_given_up() {
    let mut script = Script::new(without_token());
    script.input(Input::JoinRequested);
    script.pass(15_000);
    assert_eq!(script.closes, [CloseCode::HeartbeatTimeout]);
    while script.socket.is_none() {
        script.tick();
    }
    script.open();
    script.pass(9_999);
    assert!(script.socket.is_some());
    script.pass(1);
    assert_eq!(script.closes.len(), 2);
    assert_eq!(script.status(), "connecting");
}

#[test]
fn r_cli_5_waits_are_random_up_to_a_ceiling_that_doubles_to_its_cap() {
    let mut longest = [0; 8];
    let mut shortest = [u64::MAX; 8];
    for seed in 0..200 {
        let mut script = Script::seeded(seed, without_token());
        script.input(Input::JoinRequested);
        for failures in 0..8 {
            let closed_at = script.now;
            script.close(1006);
            script.tick();
            longest[failures] = longest[failures].max(script.now - closed_at);
            shortest[failures] = shortest[failures].min(script.now - closed_at);
        }
    }
    for failures in 0..8 {
        let ceiling = (500 << failures).min(20_000);
        assert!(longest[failures] <= ceiling && longest[failures] > ceiling * 9 / 10, "{longest:?}");
        assert!(shortest[failures] < ceiling / 10, "{shortest:?}");
    }
}

#[test]
fn r_cli_5_a_connection_that_lived_five_seconds_starts_the_waits_over() {
    let waits = |lived: u64| {
        let mut longest = 0;
        for seed in 0..40 {
            let mut script = Script::seeded(seed, without_token());
            script.input(Input::JoinRequested);
            for _ in 0..6 {
                script.close(1006);
                script.tick();
            }
            script.open();
            script.say(welcome(1));
            script.pass(lived);
            let closed_at = script.now;
            script.close(1006);
            script.tick();
            longest = longest.max(script.now - closed_at);
        }
        longest
    };
    assert!(waits(backoff::STABLE_AFTER_MS) <= 500);
    assert!(waits(backoff::STABLE_AFTER_MS - 1) > 5_000);
}

#[test]
fn r_cli_6_a_final_close_code_stops_for_good_and_tells_why() {
    for code in [3500, 3501, 3503, 3505, 3510, 3511, 3999, 4500] {
        let mut script = Script::online();
        script.publish(1, "waits");
        let attempt = script.attempt();
        script.input(Input::SocketClosed { attempt, code, reason: "why".into() });
        assert_eq!(script.client.status(), Status::Failed(Failure { code, reason: "why".into() }));
        assert_eq!(script.client.poll_timeout(), None);
        assert_eq!(script.outcomes(), [(1, "unavailable".to_string())]);
        script.socket = None;
        for hint in [Input::NetworkFound, Input::BecameVisible, Input::TimedOut] {
            script.input(hint);
            assert_eq!(script.socket, None);
        }
        script.input(Input::JoinRequested);
        assert!(script.socket.is_some(), "joining again is the application's to decide");
    }
}

#[test]
fn r_cli_6_other_codes_reconnect() {
    for code in [1000, 1001, 1006, 1009, 1011, 1012, 3000, 3001, 3003, 3005, 3010 - 1, 4000, 4499] {
        let mut script = Script::online();
        script.close(code);
        assert_eq!(script.status(), "reconnecting", "{code}");
        script.reconnect();
    }
}

#[test]
fn r_cli_7_an_overloaded_server_is_left_alone_for_ten_seconds_whatever_the_hints() {
    for seed in 0..50 {
        let mut script = Script::seeded(seed, without_token());
        script.input(Input::JoinRequested);
        let closed_at = script.now;
        script.close(3004);
        script.input(Input::NetworkFound);
        script.input(Input::BecameVisible);
        script.tick();
        assert!((10_000..=20_000).contains(&(script.now - closed_at)));
    }
}

#[test]
fn r_cli_8_each_attempt_has_a_fresh_token_also_after_one_expired() {
    let mut script = Script::new(options());
    script.input(Input::JoinRequested);
    for (round, code) in [3010, 3010, 1006].into_iter().enumerate() {
        let attempt = script.fetching.take().expect("a token is asked for");
        script.input(Input::TokenFetched { attempt, token: format!("token{round}") });
        script.open();
        script.say(welcome(1));
        script.close(code);
        script.tick();
    }
    assert_eq!(script.tokens, ["token0", "token1", "token2"]);
    assert!(script.fetching.is_some());
}

#[test]
fn r_cli_8_an_expired_token_is_final_where_nobody_can_fetch_another() {
    let mut script = Script::online();
    script.close(3010);
    assert_eq!(script.status(), "failed");
}

#[test]
fn r_cli_9_the_network_coming_back_and_a_page_shown_cut_the_wait() {
    for hint in [Input::NetworkFound, Input::BecameVisible] {
        let mut script = Script::online();
        script.pass(2_000);
        for _ in 0..4 {
            script.close(1006);
            script.tick();
        }
        script.close(1006);
        let attempted_at = script.now;
        script.now += 300;
        script.input(hint.clone());
        if script.socket.is_none() {
            script.tick();
        }
        assert!(script.socket.is_some());
        assert!(script.now <= attempted_at + backoff::SPACING_MS);
    }
}

#[test]
fn r_cli_9_without_a_network_the_wait_is_stretched_and_the_status_is_offline() {
    let mut script = Script::online();
    script.input(Input::NetworkLost);
    assert_eq!(script.status(), "connected");
    let lost_at = script.now;
    script.close(1006);
    assert_eq!(script.status(), "offline");
    script.input(Input::BecameVisible);
    assert_eq!(script.socket, None);
    script.tick();
    assert!(script.now >= lost_at + backoff::CAP_MS, "the hint may be wrong, so it is tried all the same");
    script.close(1006);
    script.now += 5_000;
    script.input(Input::NetworkFound);
    assert!(script.socket.is_some());
    assert_eq!(script.statuses(), ["offline", "reconnecting", "offline", "reconnecting"]);
}

#[test]
fn r_cli_21_leaving_sends_what_waits_then_leave_and_closes_1000_once_answered() {
    let mut script = Script::online();
    script.publish(1, "last words");
    script.input(Input::LeaveRequested);
    assert_eq!(script.frames.len(), 1);
    let said = script.heard();
    let [ClientMessage::Publish(publish), ClientMessage::Leave { id }] = said.as_slice() else {
        panic!("heard {said:?}");
    };
    assert_eq!(script.closes, []);
    script.say_all(&[
        crate::script::published(publish.id.expect("has an id"), 11),
        publication(11),
        ServerMessage::Reply(Reply { id: *id, result: RequestResult::Done {} }),
    ]);
    assert_eq!(script.closes, [CloseCode::Normal]);
    assert_eq!(script.outcomes(), [(1, "ok".to_string())]);
    assert_eq!(script.offsets(), [0u64; 0]);
    assert_eq!(script.status(), "left");
    assert_eq!(script.client.position(), None);
    assert_eq!(script.client.poll_timeout(), None);
}

#[test]
fn r_cli_21_leaving_waits_two_seconds_at_most() {
    let mut script = Script::online();
    script.publish(1, "x");
    script.input(Input::LeaveRequested);
    script.pass(2_000);
    assert_eq!((script.status(), script.closes.as_slice()), ("left", [CloseCode::Normal].as_slice()));
    assert_eq!(script.outcomes(), [(1, "unavailable?".to_string())]);
}

#[test]
fn r_cli_21_leaving_before_the_welcome_just_closes() {
    for steps in 0..3 {
        let mut script = Script::new(options());
        script.input(Input::JoinRequested);
        let attempt = script.fetching.expect("a token is asked for");
        if steps > 0 {
            script.input(Input::TokenFetched { attempt, token: "t".into() });
        }
        if steps > 1 {
            script.open();
        }
        script.publish(1, "waits");
        script.input(Input::LeaveRequested);
        assert_eq!((script.status(), script.socket), ("left", None));
        assert_eq!(script.outcomes(), [(1, "unavailable".to_string())]);
        script.input(Input::JoinRequested);
        assert_eq!(script.status(), "connecting");
    }
}

#[test]
fn r_cli_22_a_frame_that_cannot_be_read_fails_the_room() {
    let mut script = Script::online();
    let attempt = script.attempt();
    script.input(Input::FrameReceived { attempt, frame: Frame::Binary(vec![0xc1, 0, 1]) });
    assert_eq!(script.closes, [CloseCode::UnsupportedProtocol]);
    assert_eq!(script.status(), "failed");
}

#[test]
fn r_cli_22_what_is_out_of_place_is_ignored() {
    let mut script = Script::new(without_token());
    script.input(Input::JoinRequested);
    script.open();
    script.say(publication(1));
    assert_eq!(script.offsets(), [0u64; 0]);
    script.say(welcome(1));
    script.forget();
    script.say(welcome(900));
    assert_eq!(script.client.position(), Some(position(1)));
    assert!(script.events.is_empty());
}

#[test]
fn r_cli_22_no_bytes_panic() {
    let mut seed = 1u64;
    for length in 0..400 {
        let mut script = Script::new(Options { ..without_token() });
        script.input(Input::JoinRequested);
        script.open();
        let bytes = (0..length % 40)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 56) as u8
            })
            .collect();
        let attempt = script.attempt();
        script.input(Input::FrameReceived { attempt, frame: Frame::Binary(bytes) });
        script.input(Input::Requested { call: client_core::Call(1), request: ephemeral("x") });
    }
}

#[test]
fn r_cli_2_a_clock_that_steps_back_is_taken_for_one_that_stands() {
    let mut script = Script::online();
    let before = script.client.poll_timeout();
    script.now = 0;
    script.input(Input::TimedOut);
    assert_eq!(script.client.poll_timeout(), before);
    assert!(!script.events.iter().any(|event| matches!(event, Event::StatusChanged(_))));
}
