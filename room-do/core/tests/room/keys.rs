//! Idempotency keys: what comes again under its key is the same publication.

use crate::support::{call_of, claims, published, refused, table, table_of};
use schemas::{
    Codec, ErrorCode, Frame, UserId,
    config::{KindConfig, LogConfig},
    http::{KeyScope, RoomCall, ScopedKey},
    limits::{KEY_BYTES_MAX, KEY_WINDOW_DEFAULT_MS, KEYS_MAX},
};

const KEYED: &str = r#""t":"publish","data":1,"key":"k""#;

fn api_key(id: &str, key: &str) -> ScopedKey {
    ScopedKey { scope: KeyScope::ApiKey(id.to_owned()), key: key.to_owned() }
}

fn without_log() -> KindConfig {
    KindConfig { log: LogConfig { count: 0, ..LogConfig::default() }, ..KindConfig::default() }
}

#[test]
fn r_key_1_the_same_again_answers_the_first_offset_and_is_delivered_to_nobody() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    assert_eq!(published(table.request(ada, KEYED)), (1, false));
    table.publish(ada, 1, "");
    table.flush();
    assert_eq!(table.offsets(bob), [1, 2]);
    assert_eq!(published(table.request(ada, KEYED)), (1, true));
    assert!(table.offsets(bob).is_empty() && table.publications(ada).len() == 2);
    assert_eq!(table.room.head().value(), 2);
    assert_eq!(table.storage.rows().len(), 2);
}

#[test]
fn r_key_1_two_of_one_key_in_one_flush_are_one_publication() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    let first = table.stage(ada, KEYED);
    let again = table.stage(ada, KEYED);
    let other = table.stage(ada, r#""t":"publish","data":2,"key":"k""#);
    table.flush();
    assert_eq!(published(table.answer(ada, first)), (1, false));
    assert_eq!(published(table.answer(ada, again)), (1, true));
    assert_eq!(refused(table.answer(ada, other)), ErrorCode::Conflict);
    assert_eq!(table.offsets(bob), [1]);
    assert_eq!(table.storage.load().keys.count, 1);
}

#[test]
fn r_key_1_the_window_is_exact_and_a_repetition_does_not_move_it() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let began = table.now;
    table.request(ada, KEYED).expect("a publish");
    table.now = began + KEY_WINDOW_DEFAULT_MS - 1;
    assert_eq!(published(table.request(ada, KEYED)), (1, true));
    table.now += 1;
    assert_eq!(published(table.request(ada, KEYED)), (2, false));
    assert_eq!(published(table.request(ada, KEYED)), (2, true));
    assert_eq!(table.storage.load().keys.count, 1, "the new row stands for the old one");
}

#[test]
fn r_key_1_the_window_is_the_kinds_and_the_welcome_tells_it() {
    let mut table = table_of(KindConfig { key_window_ms: 2_000, ..KindConfig::default() });
    let (ada, welcome) = table.join_with(1, claims("ada"), "");
    assert_eq!(welcome.limits.key_window_ms, 2_000);
    table.request(ada, KEYED).expect("a publish");
    table.now += 2_000;
    assert_eq!(published(table.request(ada, KEYED)), (2, false));
}

#[test]
fn r_key_1_a_key_has_1_to_128_bytes_and_is_for_what_is_logged() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let longest = "k".repeat(KEY_BYTES_MAX);
    let keyed = |key: &str| format!(r#""t":"publish","data":1,"key":"{key}""#);
    assert_eq!(published(table.request(ada, &keyed(&longest))), (1, false));
    for body in [
        keyed(""),
        keyed(&format!("{longest}k")),
        // 126 bytes, and then two characters of two bytes each.
        keyed(&format!("{}éé", "k".repeat(KEY_BYTES_MAX - 2))),
        format!(r#"{KEYED},"ephemeral":true"#),
    ] {
        let error = table.request(ada, &body).expect_err("no such key");
        assert_eq!((error.code, error.details[0].path.as_str()), (ErrorCode::InvalidArgument, "key"));
    }
    assert_eq!(table.room.head().value(), 1);
}

#[test]
fn r_key_1_over_http_the_same_again_is_the_same_publication() {
    let mut table = table();
    let bob = table.join(2, "bob");
    let call = call_of("1", Some(api_key("a", "k")));
    assert_eq!(published(table.ask(RoomCall::Publish(call.clone()))), (1, false));
    assert_eq!(published(table.ask(RoomCall::Publish(call.clone()))), (1, true));
    assert_eq!(table.offsets(bob), [1]);
    let other = call_of("2", Some(api_key("a", "k")));
    assert_eq!(refused(table.ask(RoomCall::Publish(other))), ErrorCode::Conflict);
    let ephemeral = schemas::http::PublishCall { ephemeral: true, ..call };
    assert_eq!(refused(table.ask(RoomCall::Publish(ephemeral))), ErrorCode::InvalidArgument);
}

#[test]
fn r_key_1_a_repetition_is_answered_after_its_publication_was_trimmed() {
    let log = LogConfig { count: 1, ..LogConfig::default() };
    let mut table = table_of(KindConfig { log, ..KindConfig::default() });
    let ada = table.join(1, "ada");
    table.request(ada, KEYED).expect("a publish");
    for request in 0..5 {
        table.publish(ada, request, "");
        table.flush();
    }
    table.pass(120_000);
    assert_eq!(table.storage.rows().len(), 1);
    assert_eq!(published(table.request(ada, KEYED)), (1, true));
}

#[test]
fn r_key_2_another_type_data_tags_or_to_is_a_conflict() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    let first = r#""t":"publish","data":{"a":1},"key":"k","tags":["x"],"to":{"users":["bob"]},"type":"note""#;
    assert_eq!(published(table.request(ada, first)), (1, false));
    for body in [
        r#""t":"publish","data":{"a":2},"key":"k","tags":["x"],"to":{"users":["bob"]},"type":"note""#,
        r#""t":"publish","data":{"a":1},"key":"k","tags":["y"],"to":{"users":["bob"]},"type":"note""#,
        r#""t":"publish","data":{"a":1},"key":"k","to":{"users":["bob"]},"type":"note""#,
        r#""t":"publish","data":{"a":1},"key":"k","tags":["x"],"to":{"users":["cy"]},"type":"note""#,
        r#""t":"publish","data":{"a":1},"key":"k","tags":["x"],"type":"note""#,
        r#""t":"publish","data":{"a":1},"key":"k","tags":["x"],"to":{"users":["bob"]},"type":"nota""#,
        r#""t":"publish","data":{"a":1},"key":"k","tags":["x"],"to":{"users":["bob"]}"#,
    ] {
        let error = table.request(ada, body).expect_err("a conflict");
        assert_eq!((error.code, error.retryable), (ErrorCode::Conflict, false), "{body}");
    }
    let silent = format!(r#"{first},"echo":false"#);
    assert_eq!(published(table.request(ada, &silent)), (1, true), "who hears it is no part of what was said");
    assert_eq!(table.room.head().value(), 1);
    table.take(bob);
}

#[test]
fn r_key_2_a_type_left_out_and_said_is_the_same_type() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.request(ada, KEYED).expect("a publish");
    assert_eq!(published(table.request(ada, &format!(r#"{KEYED},"type":"message""#))), (1, true));
}

#[test]
fn r_key_2_the_same_in_the_other_codec_is_the_same() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let bytes = r#""t":"publish","data":{"$bin":"AAEC"},"key":"k""#;
    assert_eq!(published(table.request(ada, bytes)), (1, false));
    let bob = table.open_as(2, Codec::Msgpack, claims("ada"));
    let hello = [&[0x82][..], b"\xa1t\xa5hello\xa7session\xa9session-2"].concat();
    table.input(room_core::Input::Received { connection: bob, frame: Frame::Binary(hello) });
    let publish = b"\x84\xa1t\xa7publish\xa2id\x09\xa4data\xc4\x03\x00\x01\x02\xa3key\xa1k".to_vec();
    table.input(room_core::Input::Received { connection: bob, frame: Frame::Binary(publish) });
    table.flush();
    assert_eq!(published(table.answer(bob, 9)), (1, true));
}

#[test]
fn r_key_3_keys_of_different_users_and_api_keys_do_not_meet() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    assert_eq!(published(table.request(ada, KEYED)), (1, false));
    assert_eq!(published(table.request(bob, KEYED)), (2, false));
    for (key, expected) in [
        (api_key("a", "k"), (3, false)),
        (api_key("b", "k"), (4, false)),
        (api_key("ada", "k"), (5, false)),
        (api_key("a", "k"), (3, true)),
    ] {
        assert_eq!(published(table.ask(RoomCall::Publish(call_of("1", Some(key))))), expected);
    }
    let user = UserId::parse("ada").expect("a user");
    let of_ada = ScopedKey { scope: KeyScope::User(user), key: "k".to_owned() };
    let again = table.ask(RoomCall::Publish(call_of("1", Some(of_ada))));
    assert_eq!(published(again), (1, true), "a user is the same over HTTP");
}

#[test]
fn r_key_3_a_key_survives_sleep_a_reconnect_and_the_process() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.request(ada, KEYED).expect("a publish");
    table.hibernate();
    assert_eq!(published(table.request(ada, KEYED)), (1, true));
    table.trap();
    let ada = table.join(3, "ada");
    assert_eq!(published(table.request(ada, KEYED)), (1, true));
    table.kill();
    let (ada, _) = table.join_with_session(2, 99, claims("ada"), "");
    assert_eq!(published(table.request(ada, KEYED)), (1, true));
    assert_eq!(table.room.head().value(), 1);
}

#[test]
fn r_key_3_a_new_epoch_knows_no_keys() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let epoch = table.room.epoch();
    table.request(ada, KEYED).expect("a publish");
    table.ask(RoomCall::Delete).expect("a deletion");
    let ada = table.join(2, "ada");
    assert_ne!(table.room.epoch(), epoch);
    assert_eq!(published(table.request(ada, KEYED)), (1, false));
}

#[test]
fn r_key_3_a_key_whose_commit_failed_is_not_remembered() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.storage.fail_commits(1);
    let (first, second) = (table.stage(ada, KEYED), table.stage(ada, KEYED));
    table.flush();
    for request in [first, second] {
        let error = table.answer(ada, request).expect_err("the commit failed");
        assert_eq!((error.code, error.retryable), (ErrorCode::Unavailable, true));
    }
    assert!(table.offsets(bob).is_empty());
    assert_eq!(table.storage.load().keys.count, 0);
    let other = r#""t":"publish","data":"other","key":"k""#;
    assert_eq!(published(table.request(ada, other)), (1, false), "nothing was published under it");
    assert_eq!(table.offsets(bob), [1]);
}

#[test]
fn r_key_3_a_repetition_is_answered_although_the_storage_fails_to_write() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.request(ada, KEYED).expect("a publish");
    table.storage.fail_commits(1);
    assert_eq!(published(table.request(ada, KEYED)), (1, true), "it writes nothing");
}

#[test]
fn r_key_4_expired_keys_are_deleted_by_the_alarm() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.request(ada, KEYED).expect("a publish");
    table.pass(120_000);
    table.request(ada, r#""t":"publish","data":1,"key":"later""#).expect("a publish");
    table.hibernate();
    let timer = table.info().timers.into_iter().find(|timer| timer.name == "keys");
    let at = timer.expect("a room that remembers keys waits to forget them").at;
    assert_eq!(at, crate::support::START + KEY_WINDOW_DEFAULT_MS + 60_000);
    table.pass(at - table.now - 1);
    assert_eq!(table.storage.load().keys.count, 2);
    table.pass(1);
    assert_eq!(table.storage.load().keys.count, 1);
    table.hibernate();
    table.pass(240_000);
    assert_eq!(table.storage.load().keys.count, 0);
    assert!(table.info().timers.iter().all(|timer| timer.name != "keys"), "there is nothing to forget");
}

#[test]
fn r_key_4_a_failed_deletion_is_tried_again() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.request(ada, KEYED).expect("a publish");
    table.storage.fail_commits(2);
    table.pass(KEY_WINDOW_DEFAULT_MS + 60_000);
    assert_eq!(table.storage.load().keys.count, 1);
    table.pass(2_000);
    assert_eq!(table.storage.load().keys.count, 0);
}

#[test]
fn r_key_4_a_kind_without_a_log_remembers_keys_in_memory() {
    let mut table = table_of(without_log());
    let ada = table.join(1, "ada");
    let rows = table.storage.row_count();
    let (first, again) = (table.stage(ada, KEYED), table.stage(ada, KEYED));
    table.flush();
    assert_eq!(published(table.answer(ada, first)), (1, false));
    assert_eq!(published(table.answer(ada, again)), (1, true));
    let other = r#""t":"publish","data":2,"key":"k""#;
    assert_eq!(refused(table.request(ada, other)), ErrorCode::Conflict);
    assert_eq!(table.storage.row_count(), rows, "nothing of it is stored");
    table.pass(KEY_WINDOW_DEFAULT_MS - 1);
    assert_eq!(published(table.request(ada, KEYED)), (1, true));
    table.pass(1);
    assert_eq!(published(table.request(ada, KEYED)), (2, false));
    table.pass(2 * KEY_WINDOW_DEFAULT_MS);
    assert!(table.info().timers.iter().all(|timer| timer.name != "keys"), "all are forgotten");
}

/// A hundred thousand keys, and a few more: the oldest make room.
#[test]
fn r_key_4_beyond_the_bound_the_oldest_are_forgotten() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let publish = |index: u64| format!(r#"{{"t":"publish","id":1,"data":0,"key":"{index}","echo":false}}"#);
    for index in 0..KEYS_MAX {
        table.say(ada, &publish(index));
        if index % 4_096 == 0 {
            table.take(ada);
        }
    }
    table.flush();
    table.take(ada);
    assert_eq!(table.storage.load().keys.count, KEYS_MAX);
    let keyed = |index: u64| format!(r#""t":"publish","data":0,"key":"{index}","echo":false"#);
    assert_eq!(published(table.request(ada, &keyed(0))), (1, true));
    for index in KEYS_MAX..KEYS_MAX + 3 {
        assert_eq!(published(table.request(ada, &keyed(index))), (index + 1, false));
    }
    assert_eq!(table.storage.load().keys.count, KEYS_MAX);
    assert_eq!(published(table.request(ada, &keyed(3))), (4, true), "the fourth oldest is still known");
    for index in 0..3 {
        let (offset, duplicate) = published(table.request(ada, &keyed(index)));
        assert!(!duplicate && offset > KEYS_MAX, "{index} was forgotten");
    }
}
