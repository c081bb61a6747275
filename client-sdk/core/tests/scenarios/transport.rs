//! Where WebSockets do not pass.

use client_core::{Transport, transport::HTTP_FOR_MS};
use schemas::CloseCode;

use crate::script::{Script, options, welcome, without_token};
use client_core::Input;

const ABNORMAL: u16 = 1006;

/// Joins, and lets so many attempts fail before they open.
fn failing(script: &mut Script, attempts: usize) {
    for _ in 0..attempts {
        while script.socket.is_none() {
            script.tick();
        }
        script.close(ABNORMAL);
    }
    while script.socket.is_none() {
        script.tick();
    }
}

fn joined() -> Script {
    let mut script = Script::new(without_token());
    script.input(Input::JoinRequested);
    script
}

#[test]
fn r_cli_33_two_upgrades_that_fail_are_followed_by_http_and_that_by_upgrades() {
    use Transport::{Http, WebSocket};
    let mut script = joined();
    failing(&mut script, 5);
    assert_eq!(script.transports, [WebSocket, WebSocket, Http, WebSocket, WebSocket, Http]);
}

#[test]
fn r_cli_33_an_upgrade_that_opens_and_ends_before_the_welcome_came_to_nothing_too() {
    let mut script = joined();
    for _ in 0..2 {
        script.reconnect();
        script.close(ABNORMAL);
    }
    script.reconnect();
    assert_eq!(script.transports.last(), Some(&Transport::Http));
}

#[test]
fn r_cli_33_what_http_reached_is_reached_by_http_for_five_minutes() {
    let mut script = joined();
    failing(&mut script, 2);
    script.open();
    script.say(welcome(10));
    script.close(CloseCode::GoingAway.code());
    script.reconnect();
    assert_eq!(script.transports.last(), Some(&Transport::Http));
    script.say(welcome(10));
    script.now += HTTP_FOR_MS;
    script.close(CloseCode::GoingAway.code());
    script.reconnect();
    assert_eq!(script.transports.last(), Some(&Transport::WebSocket));
}

#[test]
fn r_cli_33_a_server_that_says_why_it_refuses_is_no_network_that_does_not_let_pass() {
    let mut script = joined();
    for _ in 0..3 {
        script.reconnect();
        script.close(CloseCode::GoingAway.code());
    }
    script.reconnect();
    assert_eq!(script.transports, [Transport::WebSocket; 4]);
}

#[test]
fn r_cli_33_a_driver_that_knows_no_http_is_not_asked_for_it() {
    let mut script = Script::new(client_core::Options { fallback: false, ..without_token() });
    script.input(Input::JoinRequested);
    failing(&mut script, 4);
    assert_eq!(script.transports, [Transport::WebSocket; 5]);
    assert!(options().fallback);
}
