//! The position across connections, and what is emitted of what comes twice.

use client_core::Event;
use schemas::{
    Epoch, Position, ServerMessage,
    server_message::{Publication, RecoveryFailure, Welcome},
};

use crate::script::{
    Script, offset, plain_publication, plain_welcome, position, publication, recovered, welcome,
    without_token,
};

fn unrecovered(reason: RecoveryFailure, head: u64, rewound: impl IntoIterator<Item = u64>) -> ServerMessage {
    ServerMessage::Welcome(Box::new(Welcome {
        reason: Some(reason),
        publications: rewound.into_iter().map(plain_publication).collect(),
        ..plain_welcome(head)
    }))
}

/// `gap` and offsets, in the order emitted.
fn story(script: &Script) -> Vec<String> {
    let told = script.events.iter().filter_map(|event| match event {
        Event::Gap { reason } => Some(format!("gap {reason:?}")),
        Event::Published(publication) => Some(publication.offset.to_string()),
        _ => None,
    });
    told.collect()
}

#[test]
fn r_cli_10_the_position_is_the_highest_of_welcome_publications_and_position() {
    let mut script = Script::online();
    assert_eq!(script.client.position(), Some(position(10)));
    script.say(publication(12));
    assert_eq!(script.client.position(), Some(position(12)));
    script.say(ServerMessage::Position { offset: offset(400) });
    assert_eq!(script.client.position(), Some(position(400)));
    script.say(ServerMessage::Position { offset: offset(300) });
    script.close(1006);
    assert_eq!(script.reconnect().recover, Some(position(400)));
}

#[test]
fn r_cli_10_what_is_at_or_below_the_position_is_never_emitted_again() {
    let mut script = Script::online();
    script.say_all(&[publication(9), publication(10), publication(11), publication(11), publication(15)]);
    script.say(publication(12));
    assert_eq!(script.offsets(), [11, 15]);
}

#[test]
fn r_cli_11_what_was_missed_comes_in_order_without_a_gap() {
    let mut script = Script::online();
    script.close(1006);
    assert_eq!(script.reconnect().recover, Some(position(10)));
    script.say_all(&[recovered(14, [11, 13, 14]), publication(15)]);
    assert_eq!(story(&script), ["11", "13", "14", "15"]);
    assert_eq!(script.client.position(), Some(position(15)));
}

#[test]
fn r_cli_11_edits_and_what_was_removed_are_emitted_in_their_place() {
    let removed = Publication { data: None, removed: true, ..plain_publication(11) };
    let edit = Publication { kind: "edit".into(), refers: Some(offset(3)), ..plain_publication(12) };
    let mut script = Script::online();
    script.close(1006);
    script.reconnect();
    let publications = vec![removed.clone(), edit.clone()];
    let welcome = Welcome { recovered: true, publications, ..plain_welcome(12) };
    let remove = Publication { kind: "remove".into(), refers: Some(offset(12)), ..plain_publication(13) };
    script.say_all(&[ServerMessage::Welcome(Box::new(welcome)), ServerMessage::Publication(remove.clone())]);
    let published = script.events.iter().filter_map(|event| match event {
        Event::Published(publication) => Some(publication.clone()),
        _ => None,
    });
    assert_eq!(published.collect::<Vec<_>>(), [removed, edit, remove]);
}

#[test]
fn r_cli_11_reconnecting_again_and_again_replays_nothing() {
    let mut script = Script::online();
    for _ in 0..5 {
        script.close(1006);
        assert_eq!(script.reconnect().recover, Some(position(10)));
        script.say(recovered(10, []));
        assert_eq!(story(&script), [""; 0]);
    }
}

#[test]
fn r_cli_11_a_connection_lost_before_its_welcome_changes_no_position() {
    let mut script = Script::online();
    script.close(1006);
    script.reconnect();
    script.close(1006);
    assert_eq!(script.reconnect().recover, Some(position(10)));
}

#[test]
fn r_cli_12_a_failed_recovery_is_a_gap_ahead_of_what_follows_it() {
    let mut script = Script::online();
    script.close(1006);
    let hello = script.reconnect();
    assert_eq!(hello.rewind, Some(20), "so that a gap is followed by the newest");
    script.say_all(&[unrecovered(RecoveryFailure::Trimmed, 900, [899, 900]), publication(901)]);
    assert_eq!(story(&script), ["gap Trimmed", "899", "900", "901"]);
}

#[test]
fn r_cli_12_a_rewind_that_overlaps_what_was_emitted_repeats_nothing() {
    let mut script = Script::online();
    script.close(1006);
    script.reconnect();
    script.say(unrecovered(RecoveryFailure::Forbidden, 12, [9, 10, 11, 12]));
    assert_eq!(story(&script), ["gap Forbidden", "11", "12"]);
}

#[test]
fn r_cli_12_another_log_or_one_cut_back_counts_anew() {
    for (reason, epoch) in
        [(RecoveryFailure::EpochChanged, Epoch::new(0xf)), (RecoveryFailure::Ahead, position(0).epoch)]
    {
        let mut script = Script::online();
        script.close(1006);
        script.reconnect();
        let ServerMessage::Welcome(plain) = unrecovered(reason, 2, [1, 2]) else { panic!("is a welcome") };
        script.say(ServerMessage::Welcome(Box::new(Welcome { epoch, ..*plain })));
        script.say(publication(3));
        assert_eq!(story(&script), [format!("gap {reason:?}"), "1".into(), "2".into(), "3".into()]);
        assert_eq!(script.client.position(), Some(Position { epoch, offset: offset(3) }));
    }
}

#[test]
fn r_cli_12_a_first_join_is_rewound_without_a_gap() {
    let mut script = Script::new(without_token());
    script.input(client_core::Input::JoinRequested);
    script.open();
    let ServerMessage::Welcome(plain) = welcome(3) else { panic!("is a welcome") };
    let publications = [2, 3].map(plain_publication).to_vec();
    script.say(ServerMessage::Welcome(Box::new(Welcome { publications, ..*plain })));
    assert_eq!(story(&script), ["2", "3"]);
}
