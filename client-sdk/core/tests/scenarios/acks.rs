//! Where the server asks how much was read.

use client_core::Input;
use schemas::{
    ClientMessage, Frame, ServerMessage,
    limits::{ACK_BYTES, ACK_FRAMES},
    server_message::{Welcome, WelcomeLimits},
};

use crate::script::{Script, json, plain_publication, plain_welcome, publication, without_token};

fn acked() -> ServerMessage {
    let plain = plain_welcome(10);
    ServerMessage::Welcome(Box::new(Welcome { limits: WelcomeLimits { ack: true, ..plain.limits }, ..plain }))
}

fn online() -> Script {
    let mut script = Script::new(without_token());
    script.input(Input::JoinRequested);
    script.open();
    script.forget();
    script.say(acked());
    script
}

/// From offset 11 on, one a frame.
fn say_frames(script: &mut Script, count: u64) {
    for offset in 11..11 + count {
        script.say(publication(offset));
    }
}

#[test]
fn r_cli_28_every_64_frames_are_acked_the_welcome_among_them_and_pongs_not() {
    let mut script = online();
    let attempt = script.attempt();
    for _ in 0..100 {
        script.input(Input::FrameReceived { attempt, frame: Frame::Text("pong".into()) });
    }
    say_frames(&mut script, ACK_FRAMES - 2);
    script.end_turn();
    assert!(script.heard().is_empty());
    script.say(publication(500));
    script.end_turn();
    assert_eq!(script.heard(), [ClientMessage::Ack { frames: ACK_FRAMES }]);
    for offset in 501..501 + ACK_FRAMES {
        script.say(publication(offset));
    }
    script.end_turn();
    assert_eq!(script.heard(), [ClientMessage::Ack { frames: 2 * ACK_FRAMES }]);
}

#[test]
fn r_cli_28_so_many_bytes_are_acked_too() {
    let mut script = online();
    let mut large = plain_publication(11);
    large.data = Some(json(&"x".repeat(ACK_BYTES as usize)));
    script.say(ServerMessage::Publication(large));
    script.end_turn();
    assert_eq!(script.heard(), [ClientMessage::Ack { frames: 2 }]);
    script.end_turn();
    assert!(script.heard().is_empty());
}

#[test]
fn r_cli_28_an_ack_rides_with_what_the_turn_sends_and_waits_for_no_pace() {
    let mut script = online();
    say_frames(&mut script, ACK_FRAMES);
    script.publish(1, "x");
    script.end_turn();
    assert_eq!(script.frames.len(), 1);
    assert_eq!(script.heard().len(), 2);

    script.close(1006);
    for call in 2..200 {
        script.publish(call, "x");
    }
    script.reconnect();
    script.say(acked());
    assert_eq!(script.heard().len(), 64);
    for offset in 1_000..1_000 + ACK_FRAMES {
        script.say(publication(offset));
    }
    script.end_turn();
    assert_eq!(
        script.heard(),
        [ClientMessage::Ack { frames: ACK_FRAMES + 1 }],
        "counted anew on each socket"
    );
}

#[test]
fn r_cli_28_nothing_is_acked_where_nobody_asks() {
    let mut script = Script::online();
    say_frames(&mut script, 3 * ACK_FRAMES);
    script.end_turn();
    assert!(script.heard().is_empty());
}
