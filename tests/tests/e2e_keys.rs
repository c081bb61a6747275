//! Idempotency keys: what is asked twice under one key happens once, whatever lies between.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::client::Client;
use tests::http::Response;
use tests::server::Server;
use tests::wire::Codec;

fn keyed(data: &str, key: &str) -> Value {
    json!({ "t": "publish", "data": data, "key": key })
}

/// Publishes over HTTP with `credential`.
async fn post(server: &Server, room: &str, credential: &str, body: &Value) -> Result<Response> {
    server.post(&format!("/v1/rooms/{room}/publish")).bearer(credential).json(body).send().await
}

async fn offset_of(client: &mut Client, publish: Value, duplicate: bool) -> Result<u64> {
    let result = client.request(publish).await?.result()?;
    assert_eq!(result["duplicate"], duplicate, "{result}");
    result["offset"].as_u64().context("an offset")
}

#[tokio::test]
async fn r_key_1_a_duplicate_is_answered_with_the_first_offset_and_delivered_to_nobody() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let room = format!("chat:keys-{codec:?}");
        let mut ann = server.visit(&room, "ann").codec(codec).join().await?;
        let mut bob = server.visit(&room, "bob").codec(codec).join().await?;
        assert_eq!(ann.welcome["limits"]["key_window_ms"], 300_000);
        assert_eq!(offset_of(&mut ann, keyed("once", "k1"), false).await?, 1);
        assert_eq!(offset_of(&mut ann, keyed("other", "k2"), false).await?, 2);
        for _ in 0..3 {
            assert_eq!(offset_of(&mut ann, keyed("once", "k1"), true).await?, 1);
        }
        let twice = [keyed("in one frame", "k3"), keyed("in one frame", "k3")];
        let twice = twice.iter().zip(100u32..).map(|(publish, id)| {
            let mut publish = publish.clone();
            publish["id"] = json!(id);
            publish
        });
        ann.send_all(&twice.collect::<Vec<_>>()).await?;
        let first = ann.answer(100).await?.result()?;
        let second = ann.answer(101).await?.result()?;
        assert_eq!((&first["offset"], &first["duplicate"]), (&json!(3), &json!(false)));
        assert_eq!((&second["offset"], &second["duplicate"]), (&json!(3), &json!(true)));
        ann.publish(json!("end")).await?;
        bob.published(&json!("end")).await?;
        assert_eq!(bob.payloads(), ["once", "other", "in one frame", "end"]);
        assert_eq!(server.history(&room).await?.publications.len(), 4);
    }
    Ok(())
}

#[tokio::test]
async fn r_key_1_over_http_the_field_and_the_header_are_the_same() -> Result<()> {
    let server = Server::start().await?;
    let (room, key) = ("chat:http-keys", server.api_key());
    let path = format!("/v1/rooms/{room}/publish");
    let first = post(&server, room, &key, &json!({ "data": "once", "key": "k" })).await?.ok()?;
    assert_eq!((&first["offset"], &first["duplicate"]), (&json!(1), &json!(false)));
    let by_header = server.post(&path).bearer(&key).header("idempotency-key", "k");
    let again = by_header.json(&json!({ "data": "once" })).send().await?.ok()?;
    assert_eq!(again, json!({ "epoch": first["epoch"], "offset": 1, "duplicate": true }));
    let by_both = server.post(&path).bearer(&key).header("idempotency-key", "k");
    let again = by_both.json(&json!({ "data": "once", "key": "k" })).send().await?.ok()?;
    assert_eq!(again["duplicate"], true);
    let contradiction = server.post(&path).bearer(&key).header("idempotency-key", "other");
    let contradiction = contradiction.json(&json!({ "data": "once", "key": "k" })).send().await?;
    let problem = contradiction.problem(400, "invalid_argument")?;
    assert_eq!(problem["details"][0]["path"], "key", "{problem}");
    for bad in [json!(""), json!("x".repeat(129))] {
        let answer = post(&server, room, &key, &json!({ "data": 1, "key": bad })).await?;
        answer.problem(400, "invalid_argument")?;
    }
    let ephemeral = json!({ "data": 1, "key": "e", "ephemeral": true });
    post(&server, room, &key, &ephemeral).await?.problem(400, "invalid_argument")?;
    let longest = json!({ "data": 2, "key": "x".repeat(128) });
    assert_eq!(post(&server, room, &key, &longest).await?.ok()?["offset"], 2);
    Ok(())
}

#[tokio::test]
async fn r_key_1_thirty_two_publishes_at_once_under_one_key_are_one_publication() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:parallel-keys";
    let mut ann = server.visit(room, "ann").join().await?;
    let key = server.api_key();
    let posts = (0..32).map(|_| {
        let (server, key) = (&server, &key);
        async move { post(server, room, key, &json!({ "data": "one", "key": "k" })).await?.ok() }
    });
    let mut first = 0;
    let mut offsets = BTreeSet::new();
    for result in futures_util::future::join_all(posts).await {
        let result = result?;
        first += usize::from(result["duplicate"] == false);
        offsets.insert(result["offset"].as_u64());
    }
    assert_eq!((first, offsets), (1, BTreeSet::from([Some(1)])));
    ann.publish(json!("end")).await?;
    ann.published(&json!("end")).await?;
    assert_eq!(ann.payloads(), ["one", "end"]);
    Ok(())
}

#[tokio::test]
async fn r_key_2_the_same_key_for_something_else_is_a_conflict_without_effect() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:key-conflict";
    let mut ann = server.visit(room, "ann").join().await?;
    let first =
        json!({ "t": "publish", "data": { "a": 1 }, "key": "k", "tags": ["x"], "to": { "users": ["bob"] } });
    assert_eq!(offset_of(&mut ann, first.clone(), false).await?, 1);
    let differing = [
        ("data", json!({ "a": 2 })),
        ("type", json!("other")),
        ("tags", json!(["y"])),
        ("tags", json!([])),
        ("to", json!({ "users": ["cid"] })),
        ("to", Value::Null),
    ];
    for (field, value) in differing {
        let mut other = first.clone();
        match value {
            Value::Null => drop(other.as_object_mut().context("an object")?.remove(field)),
            value => other[field] = value,
        }
        let error = ann.request(other).await?.refused("conflict").with_context(|| field.to_owned())?;
        assert_eq!(error["retryable"], false, "{error}");
    }
    assert_eq!(offset_of(&mut ann, first, true).await?, 1);
    let key = server.api_key();
    post(&server, room, &key, &json!({ "data": 1, "key": "h" })).await?.ok()?;
    post(&server, room, &key, &json!({ "data": 2, "key": "h" })).await?.problem(409, "conflict")?;
    assert_eq!(server.history(room).await?.publications.len(), 2);
    Ok(())
}

#[tokio::test]
async fn r_key_3_keys_of_users_and_of_api_keys_do_not_meet() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:key-scopes";
    let mut ann = server.visit(room, "ann").join().await?;
    let mut tab = server.visit(room, "ann").join().await?;
    let mut bob = server.visit(room, "bob").join().await?;
    assert_eq!(offset_of(&mut ann, keyed("ann's", "k"), false).await?, 1);
    assert_eq!(offset_of(&mut bob, keyed("bob's", "k"), false).await?, 2);
    let service = post(&server, room, &server.api_key(), &json!({ "data": "backend's", "key": "k" })).await?;
    assert_eq!(service.ok()?["offset"], 3);
    assert_eq!(offset_of(&mut tab, keyed("ann's", "k"), true).await?, 1, "the user's, not the session's");
    let token = server.mint("ann", &json!({ room: ["publish"] }), 60).await?;
    let over_http = post(&server, room, &token, &json!({ "data": "ann's", "key": "k" })).await?.ok()?;
    assert_eq!((&over_http["offset"], &over_http["duplicate"]), (&json!(1), &json!(true)), "nor the door's");
    let mut elsewhere = server.visit("chat:key-scopes-2", "ann").join().await?;
    assert_eq!(offset_of(&mut elsewhere, keyed("another room's", "k"), false).await?, 1);
    Ok(())
}

#[tokio::test]
async fn r_key_3_a_key_survives_reconnects_eviction_and_kill_9() -> Result<()> {
    let mut server = Server::start().await?;
    let room = "chat:key-restart";
    let mut ann = server.visit(room, "ann").join().await?;
    assert_eq!(offset_of(&mut ann, keyed("once", "k"), false).await?, 1);
    let epoch = ann.welcome["epoch"].clone();
    drop(ann);
    let mut ann = server.visit(room, "ann").join().await?;
    assert_eq!(offset_of(&mut ann, keyed("once", "k"), true).await?, 1, "another session");
    server.evict(room).await?;
    assert_eq!(offset_of(&mut ann, keyed("once", "k"), true).await?, 1, "after an eviction");
    ann.request(keyed("other", "k")).await?.refused("conflict")?;
    server.kill().await?;
    server.start_again(0).await?;
    let mut ann = server.visit(room, "ann").join().await?;
    assert_eq!(ann.welcome["epoch"], epoch);
    assert_eq!(offset_of(&mut ann, keyed("once", "k"), true).await?, 1, "after kill -9");
    server.stop().await?;
    server.start_again(0).await?;
    let mut ann = server.visit(room, "ann").join().await?;
    assert_eq!(offset_of(&mut ann, keyed("once", "k"), true).await?, 1, "after a stop");
    ann.request(keyed("other", "k")).await?.refused("conflict")?;
    let key = server.api_key();
    let path = format!("/v1/rooms/{room}");
    server.call(hyper::Method::DELETE, &path).bearer(&key).send().await?.ok()?;
    let mut ann = server.visit(room, "ann").join().await?;
    ensure!(ann.welcome["epoch"] != epoch, "a new epoch");
    assert_eq!(offset_of(&mut ann, keyed("other", "k"), false).await?, 1, "no key survives the epoch");
    Ok(())
}

#[tokio::test]
async fn r_key_1_a_key_is_free_again_after_its_window() -> Result<()> {
    let server = Server::with("kinds.chat.key_window = '1s'").await?;
    let room = "chat:key-window";
    let mut ann = server.visit(room, "ann").join().await?;
    assert_eq!(ann.welcome["limits"]["key_window_ms"], 1_000);
    offset_of(&mut ann, keyed("first", "k"), false).await?;
    let later =
        tests::eventually("the window ends", async || match ann.request(keyed("second", "k")).await? {
            tests::client::Answer::Reply(reply) => Ok(Some(reply["result"].clone())),
            tests::client::Answer::Error(error) => {
                ensure!(error["code"] == "conflict", "{error}");
                Ok(None)
            }
        })
        .await?;
    assert_eq!((&later["offset"], &later["duplicate"]), (&json!(2), &json!(false)));
    Ok(())
}

#[tokio::test]
async fn r_key_4_a_kind_without_log_remembers_keys_in_memory() -> Result<()> {
    let server = Server::with("kinds.chat.log.count = 0").await?;
    let mut ann = server.visit("chat:no-log-keys", "ann").join().await?;
    let mut bob = server.visit("chat:no-log-keys", "bob").join().await?;
    let first = offset_of(&mut ann, keyed("once", "k"), false).await?;
    assert_eq!(offset_of(&mut ann, keyed("once", "k"), true).await?, first);
    ann.request(keyed("other", "k")).await?.refused("conflict")?;
    ann.publish(json!("end")).await?;
    bob.published(&json!("end")).await?;
    assert_eq!(bob.payloads(), ["once", "end"]);
    Ok(())
}
