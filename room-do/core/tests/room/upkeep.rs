//! What a room does on its own, and what it leaves alone.

use std::collections::HashSet;

use crate::support::{Table, call_of, claims, table_of};
use room_core::{Input, RequestId};
use schemas::{
    client_message::StateOp,
    codes::CloseCode,
    config::{KindConfig, LogConfig},
    http::{PublishCall, RoomCall},
    server_message::LifecycleState,
};

const HOUR: u64 = 3_600_000;

fn mortal() -> KindConfig {
    KindConfig { idle_after_ms: HOUR, expire_after_ms: 2 * HOUR, ..KindConfig::default() }
}

fn set(table: &mut Table) {
    let value = crate::support::json("1");
    let op = StateOp::Set { key: "k".to_owned(), value, expected: None, owned: false };
    table.ask(RoomCall::WriteState { ops: vec![op], moderates: false }).expect("a write");
}

#[test]
fn r_life_4_what_a_backend_writes_keeps_a_room_from_resting_though_nothing_is_published() {
    let mut table = table_of(mortal());
    set(&mut table);
    for _ in 0..3 {
        table.pass(HOUR - 60_000);
        set(&mut table);
        table.kill();
    }
    assert_eq!(table.info().lifecycle, LifecycleState::Vacant);
    // Noted to the minute.
    let noted = table.storage.load().meta.map(|meta| meta.lifecycle.active_at);
    assert_eq!(noted, Some(table.now));
    table.pass(1_000);
    set(&mut table);
    assert_eq!(table.storage.load().meta.map(|meta| meta.lifecycle.active_at), noted);
    table.pass(HOUR);
    assert_eq!(table.info().lifecycle, LifecycleState::Idle);
}

#[test]
fn r_pub_4_an_ephemeral_into_a_vacant_room_writes_nothing() {
    let mut table = table_of(mortal());
    table.ask(RoomCall::Publish(call_of("1", None))).expect("a publish");
    table.now += 120_000;
    let commits = table.storage.commits();
    let ephemeral = PublishCall { ephemeral: true, ..call_of("2", None) };
    table.ask(RoomCall::Publish(ephemeral)).expect("an ephemeral");
    assert_eq!(table.storage.commits(), commits);
}

#[test]
fn r_life_5_what_is_staged_when_the_end_is_due_keeps_the_room() {
    let mut table = table_of(mortal());
    table.ask(RoomCall::Publish(call_of("1", None))).expect("a publish");
    let epoch = table.room.epoch();
    table.pass(HOUR);
    table.pass(HOUR - 1);
    assert_eq!(table.info().lifecycle, LifecycleState::Idle);
    table.now += 1;
    let ephemeral = PublishCall { ephemeral: true, ..call_of("0", None) };
    table.ask(RoomCall::Publish(ephemeral)).expect("an ephemeral");
    // The room is no longer quiet: this one waits for the turn's end.
    table.input(Input::Asked { request: RequestId(77), call: RoomCall::Publish(call_of("2", None)) });
    table.input(Input::AlarmFired { heard: vec![] });
    table.flush();
    assert_eq!((table.room.epoch(), table.room.head().value()), (epoch, 2));
    assert_eq!(table.info().lifecycle, LifecycleState::Vacant);
}

#[test]
fn r_life_5_one_that_has_not_said_hello_when_the_room_ends_still_has_its_10_s() {
    let mut table = table_of(mortal());
    table.ask(RoomCall::Publish(call_of("1", None))).expect("a publish");
    table.pass(2 * HOUR - 5_000);
    let ada = table.open(1, claims("ada"));
    table.pass(5_000);
    assert_eq!((table.info().lifecycle, table.storage.row_count()), (LifecycleState::Fresh, 0));
    assert!(table.closed.is_empty());
    table.pass(5_000);
    assert_eq!(table.closed.get(&ada), Some(&CloseCode::HeartbeatTimeout.code()));
}

#[test]
fn r_hist_2_each_row_goes_when_its_age_is_up_though_nobody_comes() {
    let log = LogConfig { age_ms: 60_000, ..LogConfig::default() };
    let mut table = table_of(KindConfig { log, ..KindConfig::default() });
    table.ask(RoomCall::Publish(call_of("1", None))).expect("a publish");
    table.pass(100_000);
    table.ask(RoomCall::Publish(call_of("2", None))).expect("a publish");
    table.pass(30_000);
    assert_eq!(table.storage.rows().len(), 1);
    table.pass(100_000);
    assert!(table.storage.rows().is_empty());
}

#[test]
fn r_hist_2_a_trim_whose_commit_failed_is_tried_again_after_a_second() {
    let log = LogConfig { count: 10, ..LogConfig::default() };
    let mut table = table_of(KindConfig { log, ..KindConfig::default() });
    for _ in 0..15 {
        table.ask(RoomCall::Publish(call_of("1", None))).expect("a publish");
    }
    table.storage.fail_commits(1);
    table.pass(60_000);
    assert_eq!(table.storage.rows().len(), 15);
    table.pass(1_000);
    assert_eq!(table.storage.rows().len(), 10);
}

#[test]
fn r_life_6_each_deletion_begins_another_epoch() {
    let mut table = table_of(mortal());
    let mut epochs = HashSet::from([table.room.epoch()]);
    for _ in 0..4 {
        table.ask(RoomCall::Delete).expect("a deletion");
        assert!(epochs.insert(table.room.epoch()), "{epochs:?}");
    }
}
