//! Whether the peer is still there.

use client_core::{Input, heartbeat};
use schemas::CloseCode;

use crate::script::{Script, publication};

#[test]
fn r_cli_13_a_ping_is_sent_when_nothing_was_sent_for_25_s_however_much_is_received() {
    let mut script = Script::online();
    for offset in 11..35 {
        script.pass(1_000);
        script.say(publication(offset));
    }
    assert_eq!(script.pings(), 0);
    script.pass(1_000);
    assert_eq!(script.pings(), 1);
    script.pong();
    script.pass(24_000);
    script.publish(1, "x");
    script.end_turn();
    script.pass(5_000);
    assert_eq!(script.pings(), 0, "the publish was sent a while ago");
}

#[test]
fn r_cli_13_silence_for_10_s_after_a_ping_is_a_lost_connection() {
    let mut script = Script::online();
    script.pass(25_000);
    assert_eq!(script.pings(), 1);
    script.pass(9_999);
    assert_eq!(script.status(), "connected");
    script.pass(1);
    assert_eq!(script.closes, [CloseCode::HeartbeatTimeout]);
    assert_eq!(script.status(), "reconnecting");
}

#[test]
fn r_cli_13_who_keeps_sending_into_silence_pings_and_learns_of_it() {
    let mut script = Script::online();
    for _ in 0..10 {
        assert_eq!(script.pings(), 0);
        script.publish(1, "x");
        script.end_turn();
        script.pass(1_000);
    }
    assert_eq!(script.pings(), 1);
    for _ in 0..9 {
        script.publish(1, "x");
        script.end_turn();
        script.pass(1_000);
        assert_eq!(script.status(), "connected");
    }
    script.pass(1_000);
    assert_eq!(script.closes, [CloseCode::HeartbeatTimeout]);
}

#[test]
fn r_cli_13_anything_received_counts_as_a_pong() {
    let mut script = Script::online();
    script.pass(25_000);
    script.pass(5_000);
    script.say(publication(11));
    script.pass(20_000 - 1);
    assert_eq!(script.status(), "connected");
}

#[test]
fn r_cli_14_a_deadline_slept_through_earns_one_more_ping_and_only_one() {
    let mut script = Script::online();
    script.pass(25_000);
    assert_eq!(script.pings(), 1);
    script.now += 3_600_000;
    script.input(Input::TimedOut);
    assert_eq!((script.status(), script.pings()), ("connected", 1));
    script.now += 3_600_000;
    script.input(Input::TimedOut);
    assert_eq!(script.status(), "reconnecting");
}

#[test]
fn r_cli_14_a_request_slept_over_is_given_a_moment_for_the_answer_that_lies_unread() {
    let mut script = Script::online();
    script.publish(1, "x");
    script.end_turn();
    script.now += 20_000;
    script.input(Input::TimedOut);
    assert!(script.outcomes().is_empty());
    script.pass(heartbeat::LATE_MS);
    assert_eq!(script.outcomes(), [(1, "unavailable?".to_string())]);
}

#[test]
fn r_cli_9_hints_that_the_network_changed_make_sure_of_the_peer_within_seconds() {
    for hint in [Input::NetworkLost, Input::NetworkFound, Input::BecameVisible] {
        let mut script = Script::online();
        script.input(hint.clone());
        assert_eq!(script.pings(), 1);
        script.input(hint);
        assert_eq!(script.pings(), 0, "one is under way");
        script.pass(heartbeat::PROBE_WITHIN_MS);
        assert_ne!(script.status(), "connected");
    }
}
