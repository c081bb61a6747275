//! Shared state: the snapshot, the changes, comparisons, owned keys, and what all of it survives.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tests::client::Client;
use tests::roster::list;
use tests::server::Server;
use tests::wire::Codec;

fn rights() -> Value {
    json!(["join", "publish", "presence", "history", "state"])
}

async fn joined(server: &Server, room: &str, user: &str, codec: Codec) -> Result<Client> {
    server.visit(room, user).codec(codec).rights(rights()).join().await
}

fn ops(ops: Value) -> Value {
    json!({ "t": "state", "ops": ops })
}

/// Writes, and returns the version.
async fn write(client: &mut Client, operations: Value) -> Result<u64> {
    let result = client.request(ops(operations)).await?.result()?;
    result["version"].as_u64().with_context(|| format!("a version: {result}"))
}

/// What the snapshot and the changes since add up to.
#[derive(Debug, Default, PartialEq)]
struct Snapshot {
    version: u64,
    entries: BTreeMap<String, Value>,
}

/// Changes that do not fit what is before them are errors.
fn folded(seen: &[Value]) -> Result<Snapshot> {
    let mut map = Snapshot::default();
    for message in seen {
        match message["t"].as_str() {
            Some("welcome") => {
                let state = &message["state"];
                map.version = state["version"].as_u64().context("a snapshot has a version")?;
                let entries = state["entries"].as_object().context("a snapshot has entries")?;
                map.entries = entries.iter().map(|(key, entry)| (key.clone(), entry.clone())).collect();
            }
            Some("state") => {
                let version = message["version"].as_u64().context("a change has a version")?;
                ensure!(version > map.version, "{message} after {}", map.version);
                map.version = version;
                for op in list(message, "ops") {
                    apply(&mut map, op)?;
                }
            }
            _ => {}
        }
    }
    Ok(map)
}

fn apply(map: &mut Snapshot, op: &Value) -> Result<()> {
    if let Some(key) = op["delete"].as_str() {
        map.entries.remove(key);
        return Ok(());
    }
    let key = op["set"].as_str().with_context(|| format!("set or delete: {op}"))?;
    let mut entry: Map<String, Value> = op.as_object().cloned().unwrap_or_default();
    entry.remove("set");
    ensure!(op["version"].as_u64().is_some_and(|version| version <= map.version), "{op}");
    map.entries.insert(key.to_owned(), Value::Object(entry));
    Ok(())
}

/// Waits until the state of `client` is at `version`.
async fn at(client: &mut Client, version: u64) -> Result<Snapshot> {
    client.until(&format!("state {version}"), |seen| Ok(folded(seen)?.version >= version)).await?;
    folded(&client.seen)
}

fn values(map: &Snapshot) -> Vec<(&str, &Value)> {
    map.entries.iter().map(|(key, entry)| (key.as_str(), &entry["value"])).collect()
}

#[tokio::test]
async fn r_state_3_the_snapshot_and_the_changes_since_are_the_next_snapshot() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let room = format!("chat:state-{codec:?}");
        let mut ann = joined(&server, &room, "ann", codec).await?;
        let mut bob = server.visit(&room, "bob").codec(codec).join().await?;
        assert_eq!(bob.welcome["state"], json!({ "version": 0, "entries": {} }));
        assert_eq!(write(&mut ann, json!([{ "set": "a", "value": { "x": 1 } }])).await?, 1);
        let bytes = json!({ "$bin": "AP8=" });
        let several = json!([{ "set": "b", "value": bytes }, { "set": "a", "value": null }, { "delete": "b" },
            { "set": "c", "value": "text" }]);
        assert_eq!(write(&mut ann, several).await?, 5, "every write moves the counter");
        assert_eq!(write(&mut ann, json!([{ "set": "d", "value": bytes }])).await?, 6);
        let seen = at(&mut bob, 6).await?;
        let expected = [("a", &Value::Null), ("c", &json!("text")), ("d", &bytes)];
        assert_eq!(values(&seen), expected);
        assert_eq!(seen.entries["a"]["version"], 3, "a key's version is the counter after its last write");
        let late = server.visit(&room, "late").codec(codec).join().await?;
        assert_eq!(folded(&late.seen)?, seen);
        assert_eq!(at(&mut ann, 6).await?, seen, "the writer sees the same");
    }
    Ok(())
}

#[tokio::test]
async fn r_state_1_state_needs_its_capability_and_its_bounds() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:state-bounds";
    let mut plain = server.visit(room, "plain").join().await?;
    plain.request(ops(json!([{ "set": "k", "value": 1 }]))).await?.refused("forbidden")?;
    let mut ann = joined(&server, room, "ann", Codec::Json).await?;
    let set = |key: String| json!({ "set": key, "value": 1 });
    let hundred: Vec<Value> = (0..100).map(|n| set(format!("k{n}"))).collect();
    assert_eq!(write(&mut ann, json!(hundred)).await?, 100);
    let mut more = hundred.clone();
    more.push(set("one".to_owned()));
    for wrong in [
        json!([]),
        json!(more),
        json!([set(String::new())]),
        json!([set("x".repeat(129))]),
        json!([{ "set": "k" }]),
        json!([{ "value": 1 }]),
        json!([{ "set": "k", "delete": "k", "value": 1 }]),
        json!([{ "set": "fine", "value": 1 }, { "delete": "" }]),
    ] {
        let error = ann.request(ops(wrong.clone())).await?;
        error.refused("invalid_argument").with_context(|| wrong.to_string())?;
    }
    ann.request(json!({ "t": "state" })).await?.refused("invalid_argument")?;
    assert_eq!(write(&mut ann, json!([set("x".repeat(128))])).await?, 101, "what was refused wrote nothing");
    Ok(())
}

#[tokio::test]
async fn r_state_2_a_comparison_that_fails_refuses_all_operations_of_its_request() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:cas";
    let mut ann = joined(&server, room, "ann", Codec::Json).await?;
    let mut bob = joined(&server, room, "bob", Codec::Msgpack).await?;
    assert_eq!(write(&mut ann, json!([{ "set": "k", "value": "first", "if": 0 }])).await?, 1);
    let twice = bob.request(ops(json!([{ "set": "k", "value": "second", "if": 0 }]))).await?;
    twice.refused("conflict")?;
    assert_eq!(write(&mut bob, json!([{ "set": "k", "value": "second", "if": 1 }])).await?, 2);
    let stale = json!([{ "set": "other", "value": 1 }, { "set": "k", "value": "third", "if": 1 }]);
    let error = ann.request(ops(stale)).await?.refused("conflict")?;
    ensure!(error["details"][0]["path"].as_str().is_some_and(|path| path.starts_with("ops[1]")), "{error}");
    ann.request(ops(json!([{ "delete": "k", "if": 1 }]))).await?.refused("conflict")?;
    ann.request(ops(json!([{ "delete": "absent", "if": 7 }]))).await?.refused("conflict")?;
    assert_eq!(write(&mut ann, json!([{ "delete": "k", "if": 2 }])).await?, 3);
    let own = json!([{ "set": "k", "value": 1, "if": 0 }, { "set": "k", "value": 2, "if": 4 }]);
    assert_eq!(write(&mut ann, own).await?, 5, "operations see those before them");
    let seen = at(&mut bob, 5).await?;
    assert_eq!(values(&seen), [("k", &json!(2))]);
    Ok(())
}

#[tokio::test]
async fn r_state_2_of_many_who_compare_with_the_same_version_one_wins() -> Result<()> {
    let server = Server::start().await?;
    let mut clients = Vec::new();
    for n in 0..8 {
        clients.push(joined(&server, "chat:race", &format!("u{n}"), Codec::BOTH[n % 2]).await?);
    }
    let racing = clients.iter_mut().enumerate().map(async |(n, client)| {
        client.request(ops(json!([{ "set": "leader", "value": n, "if": 0 }]))).await
    });
    let answers = futures_util::future::join_all(racing).await;
    let mut winners = Vec::new();
    for (n, answer) in answers.into_iter().enumerate() {
        match answer? {
            tests::client::Answer::Reply(_) => winners.push(n),
            tests::client::Answer::Error(error) => assert_eq!(error["code"], "conflict"),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    for client in &mut clients {
        assert_eq!(at(client, 1).await?.entries["leader"]["value"], winners[0]);
    }
    Ok(())
}

#[tokio::test]
async fn r_state_4_an_owned_key_is_its_sessions_and_goes_with_it() -> Result<()> {
    let server = Server::with("kinds.chat.presence.grace = '2s'").await?;
    let room = "chat:owned";
    let mut watcher = joined(&server, room, "watcher", Codec::Json).await?;
    let mut leaves = joined(&server, room, "leaves", Codec::Msgpack).await?;
    let mut lost = joined(&server, room, "lost", Codec::Json).await?;
    let owned = |key: &str| json!([{ "set": key, "value": 1, "owned": true }]);
    write(&mut leaves, owned("leaver's")).await?;
    write(&mut lost, owned("loser's")).await?;
    write(&mut lost, json!([{ "set": "shared", "value": 1 }])).await?;
    let seen = at(&mut watcher, 3).await?;
    assert_eq!(seen.entries["leaver's"]["owner"], leaves.public_session());
    let foreign = ops(json!([{ "set": "shared", "value": 2 }, { "delete": "loser's" }]));
    let error = watcher.request(foreign).await?.refused("forbidden")?;
    ensure!(error.to_string().contains("ops[1]") || !error["message"].is_null(), "{error}");
    watcher.request(ops(owned("loser's"))).await?.refused("forbidden")?;
    let mut tab = joined(&server, room, "lost", Codec::Json).await?;
    tab.request(ops(json!([{ "delete": "loser's" }]))).await?.refused("forbidden")?;
    let mut moderator = server.visit(room, "mod").rights(json!(["join", "state", "moderate"])).join().await?;
    write(&mut moderator, json!([{ "set": "loser's", "value": "moderated" }])).await?;
    at(&mut watcher, 4).await?;

    assert_eq!(leaves.close(1000).await?.code, 1000);
    let seen = at(&mut watcher, 5).await?;
    ensure!(!seen.entries.contains_key("leaver's"), "{seen:?}");
    Ok(())
}

#[tokio::test]
async fn r_state_4_an_owned_key_outlives_its_connection_by_the_grace_even_through_sleep_and_kill()
-> Result<()> {
    let mut server = Server::with("kinds.chat.presence.grace = '12s'").await?;
    let room = "chat:owned-grace";
    let mut watcher = joined(&server, room, "watcher", Codec::Json).await?;
    let mut owner = joined(&server, room, "owner", Codec::Msgpack).await?;
    write(&mut owner, json!([{ "set": "mine", "value": 1, "owned": true }])).await?;
    at(&mut watcher, 1).await?;
    let session = owner.session.clone();
    drop(owner);
    let mut owner = server.visit(room, "owner").session(&session).rights(rights()).join().await?;
    assert_eq!(folded(&owner.seen)?.entries["mine"]["value"], 1, "a return within the grace keeps it");
    assert_eq!(write(&mut owner, json!([{ "set": "mine", "value": 2, "owned": true }])).await?, 2);
    let after = at(&mut watcher, 2).await?;
    assert_eq!(after.entries["mine"]["owner"], owner.public_session());
    drop(owner);
    server.evict(room).await?;
    at(&mut watcher, 3).await?;
    ensure!(folded(&watcher.seen)?.entries.is_empty(), "gone after the grace: {:?}", watcher.seen);

    let mut owner = joined(&server, room, "owner", Codec::Json).await?;
    write(&mut owner, json!([{ "set": "mine", "value": 3, "owned": true }])).await?;
    let watching = watcher.session.clone();
    server.kill().await?;
    server.start_again(0).await?;
    let mut watcher = server.visit(room, "watcher").session(&watching).join().await?;
    assert_eq!(folded(&watcher.seen)?.entries["mine"]["value"], 3, "the grace has begun with the restart");
    at(&mut watcher, 5).await?;
    ensure!(folded(&watcher.seen)?.entries.is_empty(), "{:?}", watcher.seen);
    Ok(())
}

#[tokio::test]
async fn r_state_5_state_survives_eviction_kill_9_and_stop() -> Result<()> {
    let mut server = Server::start().await?;
    let room = "chat:state-durable";
    let mut ann = joined(&server, room, "ann", Codec::Json).await?;
    let bytes = json!({ "$bin": "AP8=" });
    write(&mut ann, json!([{ "set": "text", "value": "t" }, { "set": "bytes", "value": bytes }])).await?;
    write(&mut ann, json!([{ "set": "gone", "value": 1 }])).await?;
    write(&mut ann, json!([{ "delete": "gone" }])).await?;
    let expected = at(&mut ann, 4).await?;
    server.evict(room).await?;
    assert_eq!(folded(&joined(&server, room, "bob", Codec::Msgpack).await?.seen)?, expected, "evicted");
    server.kill().await?;
    server.start_again(0).await?;
    assert_eq!(folded(&joined(&server, room, "bob", Codec::Json).await?.seen)?, expected, "killed");
    server.stop().await?;
    server.start_again(0).await?;
    let mut ann = joined(&server, room, "ann", Codec::Json).await?;
    assert_eq!(folded(&ann.seen)?, expected, "stopped");
    assert_eq!(write(&mut ann, json!([{ "set": "gone", "value": 1, "if": 0 }])).await?, 5, "it goes on");
    Ok(())
}

#[tokio::test]
async fn r_state_6_a_value_and_a_room_are_bounded() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = joined(&server, "chat:state-full", "ann", Codec::Json).await?;
    let set = |key: String, bytes: usize| json!({ "set": key, "value": "x".repeat(bytes - 2) });
    ann.request(ops(json!([set("k".into(), 16_385)]))).await?.refused("too_large")?;
    write(&mut ann, json!([set("k".into(), 16_384)])).await?;
    for part in (0..63).collect::<Vec<u32>>().chunks(21) {
        let part: Vec<Value> = part.iter().map(|n| set(format!("k{n:02}"), 16_380)).collect();
        write(&mut ann, json!(part)).await?;
    }
    ann.request(ops(json!([set("over".into(), 16_000)]))).await?.refused("too_large")?;
    write(&mut ann, json!([{ "delete": "k" }])).await?;
    write(&mut ann, json!([set("over".into(), 16_000)])).await?;

    let mut bob = joined(&server, "chat:state-many", "bob", Codec::Msgpack).await?;
    for part in (0..1_000).collect::<Vec<u32>>().chunks(100) {
        let part: Vec<Value> = part.iter().map(|n| set(format!("k{n}"), 3)).collect();
        write(&mut bob, json!(part)).await?;
    }
    bob.request(ops(json!([set("one more".into(), 3)]))).await?.refused("too_large")?;
    write(&mut bob, json!([set("k7".into(), 9)])).await?;
    let late = joined(&server, "chat:state-many", "late", Codec::Json).await?;
    assert_eq!(folded(&late.seen)?.entries.len(), 1_000);
    Ok(())
}

/// A game's room flushes twenty times a second: so many writes, so few frames.
#[tokio::test]
async fn r_state_3_of_many_writes_within_a_flush_each_keys_last_is_told() -> Result<()> {
    let server = Server::start().await?;
    let room = "game:ticks";
    let mut ann = joined(&server, room, "ann", Codec::Msgpack).await?;
    let mut bob = joined(&server, room, "bob", Codec::Json).await?;
    ann.until_members(&["ann", "bob"]).await?;
    let (frames, began) = (bob.frames.len(), tokio::time::Instant::now());
    const WRITES: u32 = 400;
    for n in 1..=WRITES {
        let id = 1_000 + n;
        let (x, y) = (json!({ "set": "x", "value": n }), json!({ "set": "y", "value": n }));
        ann.send(&json!({ "t": "state", "id": id, "ops": [x, y] })).await?;
    }
    let seen = at(&mut bob, u64::from(2 * WRITES)).await?;
    let ticks = began.elapsed().as_millis() / 50 + 2;
    let told = (bob.frames.len() - frames) as u128;
    ensure!(told <= ticks, "{told} frames in {ticks} ticks");
    assert_eq!(values(&seen), [("x", &json!(WRITES)), ("y", &json!(WRITES))]);
    let change = |m: &&Value| m["t"] == "state";
    for change in bob.seen.iter().filter(change) {
        ensure!(list(change, "ops").len() <= 2, "each key once a flush: {change}");
    }
    for n in 1..=WRITES {
        let version = ann.answer(1_000 + n).await?.result()?["version"].clone();
        assert_eq!(version, 2 * n, "each is answered with its own version");
    }
    Ok(())
}
