//! Slow readers: what they miss, when they are closed, and that nobody else notices.

use crate::support::{Table, claims, set_up, table};
use room_core::{Input, Setup, outbox::Webhooks};
use schemas::{
    ConnectionId, RoomName, ServerMessage,
    codes::CloseCode,
    config::{KindConfig, Rates},
    limits::{UNSENT_CLOSE_BYTES, UNSENT_DROP_BYTES},
    server_message::NoticeCode,
};

fn with_acks() -> Table {
    let config = KindConfig { rates: Rates::OFF, ..KindConfig::default() };
    set_up(Setup {
        name: RoomName::parse("chat:lobby").expect("a room's name"),
        config,
        asks_acks: true,
        webhooks: Webhooks::none(),
        behavior: None,
    })
}

fn measure(table: &mut Table, id: ConnectionId, bytes: u64) {
    table.input(Input::Measured { unsent: vec![(id, bytes)] });
}

fn ephemeral(table: &mut Table, id: ConnectionId, data: u32) {
    table.say(id, &format!(r#"{{"t":"publish","data":{data},"ephemeral":true}}"#));
    table.flush();
}

fn ack(table: &mut Table, id: ConnectionId, frames: u64) {
    table.say(id, &format!(r#"{{"t":"ack","frames":{frames}}}"#));
}

/// Publishes so many times 32 KiB that a connection in acks mode has as good as `mib` more outstanding.
fn pour(table: &mut Table, id: ConnectionId, mib: u32) {
    let data = "x".repeat(32 * 1024);
    for _ in 0..mib * 32 {
        table.say(id, &format!(r#"{{"t":"publish","id":1,"data":"{data}","echo":false}}"#));
        table.flush();
    }
}

#[test]
fn r_slow_1_at_1_mib_ephemerals_are_dropped_with_one_notice_each_time_it_begins() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    measure(&mut table, bob, UNSENT_DROP_BYTES - 1);
    ephemeral(&mut table, ada, 1);
    assert_eq!(table.ephemerals(bob), ["1"]);
    for round in 0..2 {
        measure(&mut table, bob, UNSENT_DROP_BYTES);
        table.publish(ada, 9, "");
        table.flush();
        assert!(table.notices(bob).is_empty(), "nothing was dropped yet");
        ephemeral(&mut table, ada, 2);
        measure(&mut table, bob, UNSENT_DROP_BYTES + 7);
        ephemeral(&mut table, ada, 3);
        assert_eq!(table.notices(bob), [NoticeCode::EphemeralsDropped]);
        assert!(table.ephemerals(bob).is_empty());
        assert_eq!(table.offsets(bob), [round + 1], "what is logged comes");
        measure(&mut table, bob, 0);
        ephemeral(&mut table, ada, 4);
        assert_eq!((table.ephemerals(bob), table.notices(bob)), (vec!["4".to_owned()], vec![]));
    }
    assert_eq!(table.ephemerals(ada).len(), 7, "and others noticed nothing");
}

#[test]
fn r_slow_1_a_slow_sender_is_answered_and_others_hear_it() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    measure(&mut table, ada, UNSENT_DROP_BYTES);
    table.request(ada, r#""t":"publish","data":1,"ephemeral":true"#).expect("a publish");
    assert_eq!(table.ephemerals(bob), ["1"]);
    assert!(table.ephemerals(ada).is_empty());
    assert_eq!(table.notices(ada), [NoticeCode::EphemeralsDropped]);
}

#[test]
fn r_slow_1_at_4_mib_it_is_closed_3003_and_recovers_from_the_log() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    measure(&mut table, bob, UNSENT_CLOSE_BYTES - 1);
    assert!(!table.closed.contains_key(&bob));
    measure(&mut table, bob, UNSENT_CLOSE_BYTES);
    assert_eq!(table.closed.get(&bob), Some(&CloseCode::SlowConsumer.code()));
    table.flush();
    table.publish(ada, 1, "");
    table.flush();
    assert_eq!(table.info().occupancy.members, 2, "its membership gets the grace");
    let from = table.recover_from(0);
    let (_, welcome) = table.join_with_session(3, 2, claims("bob"), &from);
    assert_eq!((welcome.recovered, welcome.publications.len()), (true, 1));
    table.pass(20_000);
    let seen = table.take(ada);
    assert!(
        !seen.iter().any(|message| matches!(message, ServerMessage::Presence(diff) if !diff.left.is_empty()))
    );
    measure(&mut table, bob, UNSENT_CLOSE_BYTES);
    measure(&mut table, crate::support::connection(99), 0);
    assert!(!table.closed.contains_key(&ada), "what is gone cannot be slow");
}

#[test]
fn r_slow_1_a_connection_that_never_came_back_leaves_after_its_grace() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    measure(&mut table, bob, UNSENT_CLOSE_BYTES);
    table.flush();
    table.take(ada);
    table.pass(10_000);
    assert_eq!(table.info().occupancy.members, 1);
}

#[test]
fn r_slow_2_acks_are_asked_for_only_where_nothing_else_tells() {
    let mut table = table();
    let (ada, welcome) = table.join_with(1, claims("ada"), "");
    assert!(!welcome.limits.ack);
    ack(&mut table, ada, 1 << 60);
    measure(&mut table, ada, UNSENT_DROP_BYTES);
    ack(&mut table, ada, 1);
    ephemeral(&mut table, ada, 1);
    assert!(table.ephemerals(ada).is_empty(), "an ack does not count where the platform tells");
    let mut table = with_acks();
    let (_, welcome) = table.join_with(1, claims("ada"), "");
    assert!(welcome.limits.ack);
}

#[test]
fn r_slow_2_what_was_not_acknowledged_counts_and_an_ack_frees_it() {
    let mut table = with_acks();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    pour(&mut table, ada, 1);
    ephemeral(&mut table, ada, 1);
    assert_eq!(table.notices(bob), [NoticeCode::EphemeralsDropped]);
    assert!(table.ephemerals(bob).is_empty());
    assert_eq!(table.ephemerals(ada), ["1"], "the sender has been sent replies alone");
    let frames = table.frames(bob) as u64;
    ack(&mut table, bob, frames - 33);
    ephemeral(&mut table, ada, 2);
    assert!(table.ephemerals(bob).is_empty(), "as much as before is outstanding");
    ack(&mut table, bob, frames);
    ephemeral(&mut table, ada, 3);
    assert_eq!(table.ephemerals(bob), ["3"]);
    pour(&mut table, ada, 1);
    ephemeral(&mut table, ada, 4);
    assert_eq!(table.notices(bob), [NoticeCode::EphemeralsDropped], "each time that it begins");
}

#[test]
fn r_slow_2_an_ack_counts_the_frames_since_the_upgrade_the_welcome_among_them() {
    let mut table = with_acks();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    let before = table.frames(bob) as u64;
    pour(&mut table, ada, 1);
    // All but the last of the frames: 31 of the 32 are handled.
    ack(&mut table, bob, before + 31);
    let half = "x".repeat(60_000);
    for _ in 0..16 {
        table.say(ada, &format!(r#"{{"t":"publish","id":1,"data":"{half}","echo":false}}"#));
        table.flush();
    }
    ephemeral(&mut table, ada, 1);
    assert_eq!(table.ephemerals(bob), ["1"], "33 KiB and 960,000 bytes are less than 1 MiB");
}

#[test]
fn r_slow_2_without_any_ack_it_is_closed_3003_at_4_mib() {
    let mut table = with_acks();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    pour(&mut table, ada, 3);
    assert!(!table.closed.contains_key(&bob));
    pour(&mut table, ada, 1);
    assert!(!table.closed.contains_key(&bob), "what was just sent may be on its way");
    table.publish(ada, 1, "");
    table.flush();
    assert_eq!(table.closed.get(&bob), Some(&CloseCode::SlowConsumer.code()));
    assert!(!table.closed.contains_key(&ada));
    assert_eq!(table.room.head().value(), 129, "everyone else went on");
    let from = table.recover_from(120);
    let (_, welcome) = table.join_with_session(3, 2, claims("bob"), &from);
    assert_eq!((welcome.recovered, welcome.publications.len()), (true, 9));
}

#[test]
fn r_slow_2_old_and_repeated_acks_free_nothing_twice() {
    let mut table = with_acks();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    let frames = table.frames(bob) as u64;
    ack(&mut table, bob, frames);
    pour(&mut table, ada, 1);
    for frames in [frames, 0, 1, frames] {
        ack(&mut table, bob, frames);
    }
    ephemeral(&mut table, ada, 1);
    assert!(table.ephemerals(bob).is_empty());
}

#[test]
fn r_slow_2_after_hibernation_the_first_ack_covers_what_went_before() {
    let mut table = with_acks();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    pour(&mut table, ada, 3);
    table.hibernate();
    ephemeral(&mut table, ada, 1);
    assert_eq!(table.ephemerals(bob), ["1"], "what was sent before is not known");
    pour(&mut table, ada, 1);
    ephemeral(&mut table, ada, 2);
    assert!(table.ephemerals(bob).is_empty());
    let frames = table.frames(bob) as u64;
    ack(&mut table, bob, frames);
    ephemeral(&mut table, ada, 3);
    assert_eq!(table.ephemerals(bob), ["3"]);
    pour(&mut table, ada, 1);
    ephemeral(&mut table, ada, 4);
    assert!(table.ephemerals(bob).is_empty(), "from then on it is counted exactly");
    pour(&mut table, ada, 3);
    table.publish(ada, 1, "");
    table.flush();
    assert_eq!(table.closed.get(&bob), Some(&CloseCode::SlowConsumer.code()));
}

/// Someone who comes in, and asks for as much as there is, is not slow for being sent it.
#[test]
fn r_slow_1_who_is_sent_much_at_once_is_not_closed_for_it() {
    let mut table = with_acks();
    let ada = table.join(1, "ada");
    pour(&mut table, ada, 8);
    let from = table.recover_from(256 - 31);
    for (number, extra) in [(2, r#","rewind":200"#), (3, from.as_str())] {
        let (bob, welcome) = table.join_with(number, claims("bob"), extra);
        assert!((20..=32).contains(&welcome.publications.len()), "{}", welcome.publications.len());
        for _ in 0..3 {
            assert!(table.history(bob).len() >= 20);
            let frames = table.frames(bob) as u64;
            ack(&mut table, bob, frames);
        }
        assert!(!table.closed.contains_key(&bob));
    }
}

#[test]
fn r_life_3_no_number_of_acknowledged_frames_can_panic_the_room() {
    for sleeps in [false, true] {
        let mut table = with_acks();
        let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
        if sleeps {
            table.hibernate();
        }
        for frames in [u64::MAX, 0, 1, u64::MAX, u64::MAX - 1] {
            ack(&mut table, bob, frames);
            table.publish(ada, 1, "");
            table.flush();
        }
        pour(&mut table, ada, 1);
        assert_eq!(table.room.head().value(), 5 + 32);
    }
}

#[test]
fn r_slow_3_one_that_does_not_read_slows_nobody_else() {
    let mut table = table();
    let (ada, bob, cy) = (table.join(1, "ada"), table.join(2, "bob"), table.join(3, "cy"));
    measure(&mut table, bob, UNSENT_DROP_BYTES);
    for data in 0..10 {
        ephemeral(&mut table, ada, data);
        table.publish(ada, data, "");
        table.flush();
    }
    assert_eq!((table.ephemerals(cy).len(), table.offsets(cy).len()), (10, 10));
    measure(&mut table, bob, UNSENT_CLOSE_BYTES);
    table.publish(ada, 1, "");
    table.flush();
    assert_eq!(table.offsets(cy), [11]);
}
