//! Shared state: versions, conditions, bounds, owners, and what watchers are told.

use std::collections::BTreeMap;

use crate::support::{Table, allowed, claims, refused, stated, table, table_of, text_of};
use schemas::{
    Capability, ConnectionId, ErrorCode,
    config::{KindConfig, LogConfig},
    http::RoomCall,
    limits::{STATE_BYTES_MAX, STATE_KEY_BYTES_MAX, STATE_KEYS_MAX, STATE_OPS_MAX, STATE_VALUE_BYTES_MAX},
    server_message::{StateChange, StateEntry, StateSnapshot, StateWrite},
};

fn state(ops: &str) -> String {
    format!(r#""t":"state","ops":[{ops}]"#)
}

fn set(key: &str, value: &str) -> String {
    format!(r#"{{"set":"{key}","value":{value}}}"#)
}

/// The state as a fresh connection is shown it.
fn snapshot(table: &mut Table) -> StateSnapshot {
    let number = 1_000_000 + table.storage.commits();
    let (id, welcome) = table.join_with(number, claims("probe"), "");
    table.close(id, 1000);
    table.flush();
    welcome.state
}

fn value<'a>(snapshot: &'a StateSnapshot, key: &str) -> &'a str {
    text_of(snapshot.entries.get(key).map(|entry| &entry.value))
}

/// Everything but `moderate`.
fn writer(table: &mut Table, number: u64, user: &str) -> ConnectionId {
    let (id, _) = table.join_with(number, allowed(user, &[Capability::Join, Capability::State]), "");
    id
}

#[test]
fn r_state_1_each_write_moves_the_rooms_counter_and_is_its_keys_version() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    let ops = [set("a", "1"), set("b", "2"), set("a", "3")].join(",");
    assert_eq!(stated(table.request(ada, &state(&ops))), 3);
    assert_eq!(stated(table.request(bob, &state(&set("b", "4")))), 4, "the last writer wins");
    let now = snapshot(&mut table);
    assert_eq!((now.version, value(&now, "a"), value(&now, "b")), (4, "3", "4"));
    assert_eq!((now.entries["a"].version, now.entries["b"].version), (3, 4));
    assert_eq!(stated(table.request(ada, &state(r#"{"delete":"a"}"#))), 5);
    let now = snapshot(&mut table);
    assert_eq!((now.version, now.entries.len()), (5, 1));
    assert_eq!(stated(table.request(ada, &state(r#"{"delete":"a"}"#))), 5, "there is nothing to delete");
    assert_eq!(stated(table.request(ada, &state(&set("a", "null")))), 6, "null is a value");
    assert_eq!(value(&snapshot(&mut table), "a"), "null");
    assert_eq!(table.room.head().value(), 0, "state takes no offsets");
}

#[test]
fn r_state_1_needs_the_capability_and_1_to_100_operations_on_keys_of_1_to_128_bytes() {
    let mut table = table();
    let ada = writer(&mut table, 1, "ada");
    let (reader, welcome) = table.join_with(2, allowed("bob", &[Capability::Join]), "");
    assert_eq!(welcome.state.version, 0);
    assert_eq!(refused(table.request(reader, &state(&set("a", "1")))), ErrorCode::Forbidden);
    let longest = "k".repeat(STATE_KEY_BYTES_MAX);
    let many = vec![set("a", "1"); STATE_OPS_MAX];
    assert_eq!(stated(table.request(ada, &state(&many.join(",")))), 100);
    assert_eq!(stated(table.request(ada, &state(&set(&longest, "1")))), 101);
    for (ops, path) in [
        (String::new(), "ops"),
        ([many.join(","), set("b", "1")].join(","), "ops"),
        (set("", "1"), "ops[0].set"),
        (format!("{},{}", set("a", "9"), set(&format!("{longest}k"), "1")), "ops[1].set"),
        (r#"{"delete":""}"#.to_owned(), "ops[0].delete"),
        (r#"{"set":"a"}"#.to_owned(), "ops[0].value"),
        (r#"{"set":"a","delete":"a","value":1}"#.to_owned(), "ops[0]"),
        (r#"{"value":1}"#.to_owned(), "ops[0]"),
    ] {
        let error = table.request(ada, &state(&ops)).expect_err("not such operations");
        assert_eq!(
            (error.code, error.details[0].path.as_str()),
            (ErrorCode::InvalidArgument, path),
            "{ops:.80}"
        );
    }
    assert_eq!(snapshot(&mut table).version, 101);
}

#[test]
fn r_state_2_if_compares_the_keys_version_and_0_stands_for_absent() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let guarded = |key: &str, version: u64| format!(r#"{{"set":"{key}","value":1,"if":{version}}}"#);
    assert_eq!(stated(table.request(ada, &state(&guarded("a", 0)))), 1);
    assert_eq!(refused(table.request(ada, &state(&guarded("a", 0)))), ErrorCode::Conflict);
    assert_eq!(refused(table.request(ada, &state(&guarded("b", 1)))), ErrorCode::Conflict, "b is absent");
    assert_eq!(stated(table.request(ada, &state(&set("b", "1")))), 2);
    assert_eq!(
        refused(table.request(ada, &state(&guarded("a", 2)))),
        ErrorCode::Conflict,
        "the key's, not the room's"
    );
    assert_eq!(stated(table.request(ada, &state(&guarded("a", 1)))), 3);
    assert_eq!(refused(table.request(ada, &state(r#"{"delete":"a","if":1}"#))), ErrorCode::Conflict);
    assert_eq!(stated(table.request(ada, &state(r#"{"delete":"a","if":3}"#))), 4);
    assert_eq!(stated(table.request(ada, &state(r#"{"delete":"a","if":0}"#))), 4);
    assert_eq!(refused(table.request(ada, &state(r#"{"delete":"a","if":3}"#))), ErrorCode::Conflict);
    assert_eq!(stated(table.request(ada, &state(&guarded("a", 0)))), 5, "deleted is absent");
}

#[test]
fn r_state_2_of_two_who_compare_in_one_flush_one_wins() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.request(ada, &state(&set("a", "0"))).expect("a write");
    table.take(ada);
    let body = |value: &str| state(&format!(r#"{{"set":"a","value":{value},"if":1}}"#));
    let (first, second) = (table.stage(bob, &body("1")), table.stage(ada, &body("2")));
    table.flush();
    assert_eq!(stated(table.answer(bob, first)), 2);
    let error = table.answer(ada, second).expect_err("bob was first");
    assert_eq!((error.code, error.details[0].path.as_str()), (ErrorCode::Conflict, "ops[0].if"));
    let told = table.state_changes(ada);
    assert_eq!((told.len(), told[0].version, told[0].ops.len()), (1, 2, 1));
    assert_eq!(value(&snapshot(&mut table), "a"), "1");
}

#[test]
fn r_state_2_a_request_applies_whole_or_not_at_all() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.request(ada, &state(&set("a", "0"))).expect("a write");
    table.take(bob);
    let ops = format!(r#"{},{},{{"delete":"a","if":9}}"#, set("a", "1"), set("b", "1"));
    let error = table.request(ada, &state(&ops)).expect_err("the third operation differs");
    assert_eq!((error.code, error.details[0].path.as_str()), (ErrorCode::Conflict, "ops[2].if"));
    let now = snapshot(&mut table);
    assert_eq!((now.version, now.entries.len(), value(&now, "a")), (1, 1, "0"));
    assert!(table.state_changes(bob).is_empty());
    let chained = r#"{"set":"c","value":1,"if":0},{"set":"c","value":2,"if":2},{"delete":"c","if":3}"#;
    assert_eq!(stated(table.request(ada, &state(chained))), 4, "each sees those before it");
}

#[test]
fn r_state_3_a_flush_tells_the_last_write_of_each_key_in_the_order_of_versions() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.stage(ada, &state(&[set("z", "1"), set("a", "2"), set("m", "3")].join(",")));
    table.stage(bob, &state(&[set("z", "4"), r#"{"delete":"m"}"#.to_owned()].join(",")));
    table.flush();
    let told = table.state_changes(bob);
    assert_eq!((told.len(), told[0].version), (1, 5));
    let keys: Vec<(&str, u64)> = told[0]
        .ops
        .iter()
        .map(|op| match op {
            StateWrite::Set { key, version, .. } => (key.as_str(), *version),
            StateWrite::Delete { key } => (key.as_str(), 0),
        })
        .collect();
    assert_eq!(keys, [("a", 2), ("z", 4), ("m", 0)]);
    assert_eq!(table.state_changes(ada), told, "who wrote is told as well");
}

#[test]
fn r_state_3_what_is_staged_at_a_hello_comes_behind_its_snapshot() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.request(ada, &state(&set("a", "1"))).expect("a write");
    table.stage(ada, &state(&set("a", "2")));
    let bob = table.open(2, claims("bob"));
    let welcome = table.hello(bob, 2, "");
    assert_eq!((welcome.state.version, value(&welcome.state, "a")), (1, "1"));
    table.flush();
    assert_eq!(table.state_changes(bob)[0].version, 2);
    assert_eq!(table.room.head().value(), 0);
}

#[test]
fn r_state_4_an_owned_key_is_its_sessions_and_a_moderators() {
    let mut table = table();
    let (ada, other) = (writer(&mut table, 1, "ada"), writer(&mut table, 2, "ada"));
    let (bob, moderator) = (writer(&mut table, 3, "bob"), table.join(4, "mod"));
    let owned = r#"{"set":"a","value":1,"owned":true}"#;
    assert_eq!(stated(table.request(ada, &state(owned))), 1);
    for id in [other, bob] {
        for ops in [set("a", "2"), r#"{"delete":"a"}"#.to_owned(), owned.to_owned()] {
            let error = table.request(id, &state(&ops)).expect_err("another session's");
            assert_eq!((error.code, error.details[0].path.as_str()), (ErrorCode::Forbidden, "ops[0]"));
        }
    }
    assert_eq!(stated(table.request(ada, &state(r#"{"set":"a","value":2,"owned":true}"#))), 2);
    let owner = snapshot(&mut table).entries["a"].owner.clone();
    assert!(owner.is_some(), "the snapshot says whose it is");
    assert!(
        matches!(&table.state_changes(bob)[0].ops[0], StateWrite::Set { owner: told, .. } if *told == owner)
    );
    assert_eq!(stated(table.request(ada, &state(&set("a", "3")))), 3, "its own session gives it away");
    assert_eq!(stated(table.request(bob, &state(&set("a", "4")))), 4);
    assert_eq!(stated(table.request(bob, &state(owned))), 5, "what nobody owns may be taken");
    assert_eq!(stated(table.request(moderator, &state(&set("a", "6")))), 6);
    assert_eq!(stated(table.request(ada, &state(r#"{"delete":"a"}"#))), 7);
    assert_eq!(stated(table.request(bob, &state(owned))), 8);
    assert_eq!(stated(table.request(moderator, &state(r#"{"delete":"a"}"#))), 9);
}

#[test]
fn r_state_4_owned_keys_go_when_the_session_leaves_and_others_stay() {
    let mut table = table();
    let (ada, bob) = (writer(&mut table, 1, "ada"), writer(&mut table, 2, "bob"));
    let ops = format!(r#"{},{{"set":"mine","value":1,"owned":true}}"#, set("free", "1"));
    table.request(ada, &state(&ops)).expect("a write");
    table.request(bob, &state(r#"{"set":"bobs","value":1,"owned":true}"#)).expect("a write");
    table.state_changes(bob);
    table.stage(ada, &state(r#"{"set":"late","value":1,"owned":true}"#));
    table.stage(ada, r#""t":"leave""#);
    table.flush();
    let told = table.state_changes(bob);
    let keys: Vec<&StateWrite> = told.iter().flat_map(|change| &change.ops).collect();
    let deleted = |key: &str| keys.contains(&&StateWrite::Delete { key: key.to_owned() });
    assert!(deleted("mine") && deleted("late") && keys.len() == 2, "{keys:?}");
    let now = snapshot(&mut table);
    assert_eq!(now.entries.keys().collect::<Vec<_>>(), ["bobs", "free"]);
    table.close(bob, 1000);
    table.flush();
    assert_eq!(table.storage.load().state.len(), 1);
}

#[test]
fn r_state_4_what_is_asked_behind_a_leave_owns_nothing() {
    let mut table = table();
    let (ada, _bob) = (writer(&mut table, 1, "ada"), writer(&mut table, 2, "bob"));
    table.stage(ada, r#""t":"leave""#);
    table.stage(ada, &state(r#"{"set":"ghost","value":1,"owned":true}"#));
    table.flush();
    assert!(table.closed.contains_key(&ada));
    assert!(
        table.storage.load().state.is_empty(),
        "its owner is no member, and nothing would ever delete it"
    );
}

/// The welcome leaves at once, the member's row with the flush: the room's memory may be lost in between.
#[test]
fn r_state_4_a_welcomed_session_whose_row_was_lost_is_a_member_all_the_same() {
    let mut table = table();
    let bob = writer(&mut table, 1, "bob");
    let ada = table.open(2, allowed("ada", &[Capability::Join, Capability::State]));
    table.storage.fail_commits(1);
    table.hello(ada, 2, "");
    table.flush();
    table.hibernate();
    table.request(ada, &state(r#"{"set":"a","value":1,"owned":true}"#)).expect("it was welcomed");
    assert_eq!(table.storage.load().members.len(), 2);
    table.close(ada, 1000);
    table.flush();
    assert!(table.storage.load().state.is_empty());
    assert_eq!(table.state_changes(bob).len(), 2);
}

#[test]
fn r_state_4_owned_keys_outlive_a_reconnect_within_the_grace_and_go_with_it() {
    let mut table = table();
    let (ada, bob) = (writer(&mut table, 1, "ada"), table.join(2, "bob"));
    table.request(ada, &state(r#"{"set":"a","value":1,"owned":true}"#)).expect("a write");
    table.state_changes(bob);
    table.close(ada, 1006);
    table.flush();
    table.pass(9_999);
    assert_eq!(snapshot(&mut table).entries.len(), 1);
    let (ada, _) = table.join_with_session(3, 1, allowed("ada", &[Capability::Join, Capability::State]), "");
    table.pass(30_000);
    assert_eq!(stated(table.request(ada, &state(r#"{"set":"a","value":2,"owned":true}"#))), 2);
    table.hibernate();
    table.close(ada, 1006);
    table.flush();
    table.state_changes(bob);
    table.hibernate();
    table.pass(9_999);
    assert!(table.state_changes(bob).is_empty());
    table.pass(1);
    assert_eq!(
        table.state_changes(bob),
        [StateChange { version: 3, ops: vec![StateWrite::Delete { key: "a".into() }] }]
    );
    assert!(table.storage.load().state.is_empty());
}

#[test]
fn r_state_4_owned_keys_go_after_the_process_died_and_nobody_came_back() {
    let mut table = table();
    let (ada, bob) = (writer(&mut table, 1, "ada"), writer(&mut table, 2, "bob"));
    for (id, key) in [(ada, "a"), (bob, "b")] {
        table.request(id, &state(&format!(r#"{{"set":"{key}","value":1,"owned":true}}"#))).expect("a write");
    }
    table.kill();
    let claims = allowed("bob", &[Capability::Join, Capability::State]);
    let (bob, welcome) = table.join_with_session(3, 2, claims, "");
    assert_eq!(welcome.state.entries.len(), 2);
    table.pass(20_000);
    let now = snapshot(&mut table);
    assert_eq!(now.entries.keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(table.state_changes(bob).len(), 1);
    assert_eq!(stated(table.request(bob, &state(r#"{"set":"b","value":2,"owned":true}"#))), 4);
}

/// The end of a membership could not be committed: what it owned goes with the next commit, restart or not.
#[test]
fn r_state_4_a_failed_commit_deletes_owned_keys_later() {
    for dies in [false, true] {
        let mut table = table();
        let (ada, bob) = (writer(&mut table, 1, "ada"), writer(&mut table, 2, "bob"));
        table.request(ada, &state(r#"{"set":"a","value":1,"owned":true}"#)).expect("a write");
        table.state_changes(bob);
        table.storage.fail_commits(2);
        table.close(ada, 1000);
        table.flush();
        assert!(table.state_changes(bob).is_empty());
        assert_eq!(table.storage.load().state.len(), 1);
        if dies {
            table.hibernate();
            table.storage.fail_commits(0);
            table.pass(10_000);
        } else {
            table.flush();
            assert!(table.state_changes(bob).is_empty(), "the second attempt fails as well");
            table.flush();
        }
        let told = table.state_changes(bob);
        assert_eq!(
            (told.len(), &told[0].ops[..]),
            (1, &[StateWrite::Delete { key: "a".into() }][..]),
            "{dies}"
        );
        assert!(table.storage.load().state.is_empty());
    }
}

#[test]
fn r_state_4_a_session_that_returns_before_the_retry_keeps_what_it_owns_anew() {
    let mut table = table();
    let (ada, bob) = (writer(&mut table, 1, "ada"), writer(&mut table, 2, "bob"));
    table.request(ada, &state(r#"{"set":"old","value":1,"owned":true}"#)).expect("a write");
    table.storage.fail_commits(1);
    table.close(ada, 1000);
    table.flush();
    let id = table.open(3, allowed("ada", &[Capability::Join, Capability::State]));
    table.hello(id, 1, "");
    table.stage(id, &state(r#"{"set":"new","value":1,"owned":true}"#));
    table.flush();
    table.flush();
    let now = snapshot(&mut table);
    assert_eq!(now.entries.keys().collect::<Vec<_>>(), ["new"]);
    table.take(bob);
}

#[test]
fn r_state_5_a_write_whose_commit_failed_is_neither_told_nor_kept() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.request(ada, &state(&set("a", "1"))).expect("a write");
    table.state_changes(bob);
    table.storage.fail_commits(1);
    assert_eq!(refused(table.request(ada, &state(&set("a", "2")))), ErrorCode::Unavailable);
    assert!(table.state_changes(bob).is_empty());
    let now = snapshot(&mut table);
    assert_eq!((now.version, value(&now, "a")), (1, "1"));
    assert_eq!(stated(table.request(ada, &state(r#"{"set":"a","value":3,"if":1}"#))), 2);
}

#[test]
fn r_state_5_state_and_its_counter_survive_sleep_the_process_and_the_log() {
    let log = LogConfig { count: 2, ..LogConfig::default() };
    let mut table = table_of(KindConfig { log, ..KindConfig::default() });
    let ada = table.join(1, "ada");
    table.request(ada, &state(&set("a", "1"))).expect("a write");
    table.request(ada, &state(&set("b", "1"))).expect("a write");
    table.request(ada, &state(r#"{"delete":"b"}"#)).expect("a write");
    table.hibernate();
    assert_eq!(stated(table.request(ada, &state(&set("c", "1")))), 4);
    for request in 0..9 {
        table.publish(ada, request, "");
        table.flush();
    }
    table.pass(120_000);
    table.kill();
    let now = snapshot(&mut table);
    assert_eq!((now.version, now.entries.len()), (4, 2));
    let ada = table.join(2, "ada");
    table.request(ada, &state(r#"{"delete":"a"},{"delete":"c"}"#)).expect("a write");
    table.kill();
    assert_eq!(snapshot(&mut table).version, 6, "the counter outlives the keys");
    table.ask(RoomCall::Delete).expect("a deletion");
    assert_eq!(snapshot(&mut table), StateSnapshot::default());
}

#[test]
fn r_state_5_a_kind_without_a_log_keeps_its_state() {
    let log = LogConfig { count: 0, ..LogConfig::default() };
    let mut table = table_of(KindConfig { log, ..KindConfig::default() });
    let ada = table.join(1, "ada");
    table.request(ada, &state(&set("a", "1"))).expect("a write");
    table.kill();
    let now = snapshot(&mut table);
    assert_eq!((now.version, value(&now, "a")), (1, "1"));
}

#[test]
fn r_state_6_a_value_has_at_most_16_kib() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let ops = format!("{},{}", set("a", "1"), set("b", &text(STATE_VALUE_BYTES_MAX + 1)));
    assert_eq!(refused(table.request(ada, &state(&ops))), ErrorCode::TooLarge);
    assert_eq!(stated(table.request(ada, &state(&set("b", &text(STATE_VALUE_BYTES_MAX))))), 1);
}

#[test]
fn r_state_6_a_room_has_at_most_1000_keys() {
    let mut table = table();
    let ada = table.join(1, "ada");
    for batch in 0..STATE_KEYS_MAX / STATE_OPS_MAX {
        let ops: Vec<String> =
            (0..STATE_OPS_MAX).map(|index| set(&format!("{batch}-{index}"), "1")).collect();
        table.request(ada, &state(&ops.join(","))).expect("there is room");
    }
    assert_eq!(refused(table.request(ada, &state(&set("more", "1")))), ErrorCode::TooLarge);
    table.request(ada, &state(&set("0-0", "2"))).expect("it is there already");
    let swapped = format!(r#"{},{{"delete":"0-0"}}"#, set("more", "1"));
    table.request(ada, &state(&swapped)).expect("it is the end of the request that counts");
    assert_eq!(snapshot(&mut table).entries.len(), STATE_KEYS_MAX);
    let (out, more) =
        (table.stage(ada, &state(r#"{"delete":"more"}"#)), table.stage(ada, &state(&set("b", "1"))));
    let over = table.stage(ada, &state(&set("c", "1")));
    table.flush();
    table.answer(ada, out).expect("a deletion");
    table.answer(ada, more).expect("there is room again, in the same flush");
    assert_eq!(refused(table.answer(ada, over)), ErrorCode::TooLarge);
}

#[test]
fn r_state_6_keys_and_values_are_at_most_1_mib_together() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let full = text(STATE_VALUE_BYTES_MAX - 2);
    for index in 10..74 {
        table.request(ada, &state(&set(&index.to_string(), &full))).expect("there is room");
    }
    let info = table.info().state;
    assert_eq!((info.bytes, info.keys, info.version), (STATE_BYTES_MAX as u64, 64, 64));
    assert_eq!(refused(table.request(ada, &state(&set("k", "1")))), ErrorCode::TooLarge);
    let longer = text(STATE_VALUE_BYTES_MAX - 1);
    assert_eq!(refused(table.request(ada, &state(&set("10", &longer)))), ErrorCode::TooLarge);
    table.kill();
    let ada = table.join(2, "ada");
    assert_eq!(refused(table.request(ada, &state(&set("k", "1")))), ErrorCode::TooLarge, "counted anew");
    let smaller = format!("{},{}", set("10", &text(STATE_VALUE_BYTES_MAX - 4)), set("k", "1"));
    table.request(ada, &state(&smaller)).expect("exactly at the bound");
    assert_eq!(table.info().state.bytes, STATE_BYTES_MAX as u64);
}

/// A watcher's copy: the snapshot of its welcome, and the changes since.
struct Watcher {
    id: ConnectionId,
    version: u64,
    entries: BTreeMap<String, StateEntry>,
}

impl Watcher {
    fn hear(&mut self, changes: Vec<StateChange>) {
        for change in changes {
            assert!(change.version > self.version, "versions rise");
            let mut before = self.version;
            self.version = change.version;
            for op in change.ops {
                match op {
                    StateWrite::Set { key, value, version, owner } => {
                        assert!(version > before && version <= change.version, "{before} {version}");
                        before = version;
                        self.entries.insert(key, StateEntry { value, version, owner });
                    }
                    StateWrite::Delete { key } => drop(self.entries.remove(&key)),
                }
            }
        }
    }
}

/// Random operations of a dozen sessions that come and go, with failing commits and sleep in between.
fn random_op(random: &mut impl FnMut(u64) -> u64) -> String {
    let key = random(12);
    match random(6) {
        0 => format!(r#"{{"delete":"{key}"}}"#),
        1 => format!(r#"{{"set":"{key}","value":{},"if":{}}}"#, random(100), random(40)),
        2 | 3 => format!(r#"{{"set":"{key}","value":{},"owned":true}}"#, random(100)),
        _ => set(&key.to_string(), &random(100).to_string()),
    }
}

#[test]
fn r_state_3_a_snapshot_and_the_changes_since_are_the_next_snapshot() {
    for seed in 1..=20_u64 {
        let mut state_of = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = move |below: u64| {
            state_of ^= state_of << 13;
            state_of ^= state_of >> 7;
            state_of ^= state_of << 17;
            state_of % below
        };
        let mut table = table();
        let mut watchers: Vec<Watcher> = Vec::new();
        for step in 0..300_u64 {
            table.now += random(40);
            if watchers.len() < 3 || random(12) == 0 {
                // Half of them come back as a session that may still have its grace.
                let id = table.open(step, allowed("u", &[Capability::Join, Capability::State]));
                let welcome = table.hello(id, random(8), "");
                let StateSnapshot { version, entries } = welcome.state;
                watchers.push(Watcher { id, version, entries });
                watchers.retain(|watcher| !table.closed.contains_key(&watcher.id));
            }
            let who = watchers[random(watchers.len() as u64) as usize].id;
            for _ in 0..random(4) {
                let ops: Vec<String> = (0..=random(3)).map(|_| random_op(&mut random)).collect();
                table.stage(who, &state(&ops.join(",")));
            }
            match random(14) {
                0 => table.storage.fail_commits(1),
                1 => table.hibernate(),
                2 => table.pass(11_000),
                3 | 4 if watchers.len() > 2 => {
                    let gone = watchers.swap_remove(random(watchers.len() as u64) as usize);
                    table.close(gone.id, if random(2) == 0 { 1000 } else { 1006 });
                }
                _ => {}
            }
            table.flush();
            for watcher in &mut watchers {
                watcher.hear(table.state_changes(watcher.id));
            }
        }
        check(&mut table, &mut watchers);
    }
}

fn check(table: &mut Table, watchers: &mut [Watcher]) {
    table.storage.fail_commits(0);
    table.flush();
    table.pass(30_000);
    let now = snapshot(table);
    for watcher in watchers.iter_mut() {
        watcher.hear(table.state_changes(watcher.id));
        assert_eq!((watcher.version, &watcher.entries), (now.version, &now.entries));
    }
    assert!(now.version > 50, "something happened");
    table.hibernate();
    assert_eq!(snapshot(table), now, "and it is what is stored");
    let members: Vec<_> = table.storage.load().members.iter().map(|row| row.session.clone()).collect();
    let owners = now.entries.values().filter_map(|entry| entry.owner.as_ref());
    assert!(owners.into_iter().all(|owner| members.contains(owner)), "no key outlives its owner");
}
