use room_testing::TestRoom;
use schemas::ErrorCode;
use serde_json::json;

use super::bench::Bench;

fn bench() -> TestRoom<Bench> {
    TestRoom::new()
}

#[test]
fn r_beh_1_what_a_method_did_is_kept_through_a_restart_and_memory_is_not() {
    let mut room = bench();
    let ada = room.join("ada");
    room.call(ada, "put", json!({ "key": "k", "value": 7 })).expect("it is put");
    assert_eq!(room.call(ada, "count", json!(null)), Ok(json!(1)));
    room.restart();
    let ada = room.join("ada");
    assert_eq!(room.call(ada, "get", json!({ "name": "k" })), Ok(json!(7)));
    assert_eq!(room.state("total"), Some(json!(7)));
    assert_eq!(room.call(ada, "count", json!(null)), Ok(json!(0)));
}

#[test]
fn r_beh_2_a_method_that_fails_keeps_nothing() {
    let mut room = bench();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    let head = room.head();
    room.inbox(bob);
    let failed = room.call(ada, "put", json!({ "key": "k", "value": 7, "fails": true }));
    assert_eq!(failed.expect_err("asked to fail").code, ErrorCode::MethodFailed);
    assert_eq!(room.call(ada, "get", json!({ "name": "k" })), Ok(json!(null)));
    assert_eq!((room.state("total"), room.head()), (None, head));
    assert_eq!(room.call(ada, "timers", json!(null)), Ok(json!([])));
    assert!(room.heard(bob).is_empty(), "nobody heard of it");
    let failed = room.call(ada, "note", json!({ "name": "fails" }));
    assert_eq!(failed.expect_err("asked to fail").code, ErrorCode::MethodFailed);
    assert_eq!(room.call(ada, "notes", json!(null)), Ok(json!([])));
}

#[test]
fn r_beh_2_what_else_was_flushed_with_it_stands() {
    let mut room = bench();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    room.inbox(bob);
    let put = |id: u32, value: u32, fails: bool| {
        let args = format!(r#"{{"key":"k{value}","value":{value},"fails":{fails}}}"#);
        format!(r#"{{"t":"call","id":{id},"method":"put","args":{args}}}"#)
    };
    room.say(ada, &[put(901, 1, false), put(902, 2, true), put(903, 3, false)].join("\n"));
    assert_eq!(room.heard(bob), [("put".to_owned(), json!(1)), ("put".to_owned(), json!(3))]);
    assert_eq!(room.call(ada, "get", json!({ "name": "k2" })), Ok(json!(null)));
    assert_eq!(room.call(ada, "get", json!({ "name": "k3" })), Ok(json!(3)));
}

#[test]
fn r_beh_3_where_the_commit_fails_nothing_is_kept_and_memory_begins_anew() {
    let mut room = bench();
    let ada = room.join("ada");
    room.call(ada, "put", json!({ "key": "k", "value": 1 })).expect("it is put");
    room.fail_commits(1);
    let failed = room.call(ada, "put", json!({ "key": "k", "value": 2 })).expect_err("storage failed");
    assert_eq!((failed.code, failed.retryable), (ErrorCode::Unavailable, true));
    room.advance("2s");
    assert_eq!(room.call(ada, "get", json!({ "name": "k" })), Ok(json!(1)));
    assert_eq!(room.call(ada, "count", json!(null)), Ok(json!(0)), "built anew, from what is stored");
    room.fail_commits(1);
    room.call(ada, "note", json!({ "name": "lost" })).expect_err("storage failed");
    room.advance("2s");
    assert_eq!(room.call(ada, "notes", json!(null)), Ok(json!([])), "SQL is in the same transaction");
}

#[test]
fn r_beh_4_values_are_listed_in_order_with_prefix_start_end_limit_and_reverse() {
    let mut room = bench();
    let ada = room.join("ada");
    for (key, value) in [("a/1", 1), ("a/2", 2), ("a/3", 3), ("b", 9)] {
        room.call(ada, "put", json!({ "key": key, "value": value })).expect("it is put");
    }
    let pairs = |pairs: &[(&str, u32)]| json!(pairs);
    let mut list = |args| room.call(ada, "list", args).expect("it is listed");
    assert_eq!(list(json!({ "prefix": "a/" })), pairs(&[("a/2", 2), ("a/3", 3), ("a/5", 5)]));
    assert_eq!(list(json!({ "prefix": "a/", "reverse": true, "limit": 1 })), pairs(&[("a/5", 5)]));
    assert_eq!(list(json!({ "prefix": "a/", "start": "a/3" })), pairs(&[("a/3", 3), ("a/5", 5)]));
    assert_eq!(list(json!({ "start": "a/3", "end": "b" })), pairs(&[("a/3", 3), ("a/5", 5)]));
    assert_eq!(list(json!({ "start": "b" })), pairs(&[("b", 9), ("z", 26)]), "nor keys of the room's own");
    assert_eq!(list(json!({})).as_array().map(Vec::len), Some(6), "with what hooks stored");
}

#[test]
fn r_beh_4_keys_and_values_have_bounds() {
    let mut room = bench();
    let ada = room.join("ada");
    for key in ["", "$own", &"k".repeat(513)] {
        let error = room.call(ada, "put", json!({ "key": key, "value": 1 })).expect_err("it is no key");
        assert_eq!(error.code, ErrorCode::Internal, "{key:?}");
    }
    let error = room.call(ada, "tell", json!({ "how": "large" })).expect_err("too large");
    assert_eq!(error.code, ErrorCode::TooLarge);
}

#[test]
fn r_beh_5_migrations_run_once_in_order_and_rows_come_as_types() {
    let mut room = bench();
    let ada = room.join("ada");
    let written = room.call(ada, "note", json!({ "name": "milk" })).expect("it is noted");
    assert!(
        written.as_u64().is_some_and(|rows| rows >= 1),
        "the platform counts rows of indexes, too: {written}"
    );
    room.restart();
    let ada = room.join("ada");
    let milk = json!([{ "id": 1, "text": "milk", "done": true, "stars": 4.5 }]);
    assert_eq!(room.call(ada, "notes", json!(null)), Ok(milk));
}

#[test]
fn r_beh_5_a_statement_that_is_refused_is_an_error_of_the_call() {
    let mut room = bench();
    let ada = room.join("ada");
    let error = room.call(ada, "bad_sql", json!(null)).expect_err("it is no SQL");
    assert_eq!(
        (error.code, error.message.as_str()),
        (ErrorCode::Internal, "a statement of the behavior was refused")
    );
    let [("call", said)] = room.failures() else { panic!("{:?}", room.failures()) };
    assert!(said.contains("syntax error"), "{said}");
}

#[test]
fn r_beh_6_a_transaction_within_a_method_rolls_back_whole() {
    let mut room = bench();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    room.inbox(bob);
    assert_eq!(room.call(ada, "nested", json!(null)), Ok(json!([1, 0])));
    assert_eq!((room.heard(bob), room.state("total")), (vec![], None));
}

#[test]
fn r_beh_7_a_behavior_that_does_not_start_is_unavailable_and_tried_again() {
    let mut room = bench();
    let ada = room.join("ada");
    room.call(ada, "break_it", json!(null)).expect("it is put");
    room.restart();
    let refused = room.try_join("ada", schemas::Capabilities::all()).expect_err("it does not start");
    assert_eq!(refused.0, 3004, "{refused:?}");
    let error = room.service("count", &json!(null)).expect_err("it does not start");
    assert_eq!((error.code, error.retryable), (ErrorCode::Unavailable, true));
    assert!(!error.message.contains("told not to"), "why is the operator's to know: {}", error.message);
    assert_eq!(room.failures(), [("started", "it was told not to".to_owned())]);
}

#[test]
fn r_beh_8_deletion_leaves_nothing_of_a_behavior() {
    let mut room = bench();
    let ada = room.join("ada");
    room.call(ada, "put", json!({ "key": "k", "value": 1 })).expect("it is put");
    room.call(ada, "note", json!({ "name": "milk" })).expect("it is noted");
    room.delete();
    let ada = room.join("ada");
    assert_eq!(room.call(ada, "get", json!({ "name": "k" })), Ok(json!(null)));
    assert_eq!(room.call(ada, "notes", json!(null)), Ok(json!([])));
    assert_eq!(room.call(ada, "timers", json!(null)), Ok(json!([])));
    assert_eq!(room.call(ada, "count", json!(null)), Ok(json!(0)));
}
