//! What a room's behavior makes of those who come, what they say, and whom it tells. The behavior is
//! `tests/behavior`.

use anyhow::{Result, ensure};
use http::Method;
use serde_json::{Value, json};
use tests::client::Client;
use tests::eventually;
use tests::server::Server;
use tests::wire::Codec;

const ROOM: &str = "fixture:one";

const KINDS: &str = "kinds.fixture.behavior = 'fixture'\nkinds.fixture.presence.grace = '1s'\n\
                     kinds.ticker.behavior = 'ticker'";

async fn server() -> Result<Server> {
    Server::with_faults(KINDS).await
}

async fn join(server: &Server, user: &str, codec: Codec) -> Result<Client> {
    server.visit(ROOM, user).rights(json!(["*"])).codec(codec).join().await
}

async fn call(client: &mut Client, method: &str, args: Value) -> Result<Value> {
    client.request(json!({ "t": "call", "method": method, "args": args })).await?.result()
}

#[tokio::test]
async fn r_beh_9_who_may_come_in_is_decided_ahead_of_the_welcome() -> Result<()> {
    let server = server().await?;
    for (user, code, reason) in
        [("mallory", 4900, "not you"), ("early", 4100, "not yet"), ("crowd", 3506, "")]
    {
        let mut refused = server.visit(ROOM, user).connect().await?;
        refused.send(&json!({ "t": "hello", "session": refused.session })).await?;
        let close = refused.closed().await?;
        assert_eq!(close.code, code, "{user}");
        ensure!(reason.is_empty() || close.reason == reason, "{user}: {close:?}");
        ensure!(refused.seen.is_empty(), "{user}: {:?}", refused.seen);
    }
    assert_eq!(server.members(ROOM).await?["members"], json!([]));
    let mut red = join(&server, "red-ann", Codec::Msgpack).await?;
    ensure!(
        red.welcome["tags"].as_array().is_some_and(|tags| tags.contains(&json!("$team-red"))),
        "{}",
        red.welcome
    );
    let roster = red.until_members(&["red-ann"]).await?;
    assert_eq!(roster.values().next().map(|member| &member["data"]), Some(&json!("red")));
    // Each coming was kept, ahead of what came of it.
    drop(red);
    let mut red = join(&server, "red-ann", Codec::Json).await?;
    let greeted = call(&mut red, "list", json!({ "prefix": "greeted/" })).await?;
    assert_eq!(greeted, json!([["greeted/red-ann", "hihi"]]));
    Ok(())
}

#[tokio::test]
async fn r_beh_11_a_publish_is_passed_changed_refused_or_consumed() -> Result<()> {
    let server = server().await?;
    let mut ann = join(&server, "ann", Codec::Json).await?;
    let mut bob = join(&server, "bob", Codec::Msgpack).await?;
    let publish = |kind: &str, data: Value| json!({ "t": "publish", "type": kind, "data": data });
    ann.request(publish("plain", json!("as it is"))).await?.result()?;
    let changed = ann.request(publish("shout", json!("hello"))).await?.result()?;
    assert_eq!(changed["offset"], 2);
    let wrong = ann.request(publish("shout", json!(7))).await?.refused("invalid_argument")?;
    assert_eq!(wrong["details"][0]["path"], "data");
    let refused = ann.request(publish("spam", json!("buy"))).await?.refused("method_failed")?;
    assert_eq!((&refused["message"], &refused["data"]), (&json!("no spam here"), &json!("spam")));
    assert_eq!(ann.request(publish("input", json!("left"))).await?.result()?, json!({}));
    let mut ephemeral = publish("shout", json!("quick"));
    ephemeral["ephemeral"] = json!(true);
    ann.request(ephemeral).await?.result()?;
    bob.expect("the ephemeral", |m| m["t"] == "ephemeral" && m["data"] == "QUICK").await?;
    bob.published(&json!("HELLO")).await?;
    assert_eq!(call(&mut ann, "inputs", Value::Null).await?, 1);
    let backend = server.post(&format!("/v1/rooms/{ROOM}/publish")).bearer(&server.api_key());
    backend.json(&json!({ "type": "spam", "data": 1 })).send().await?.problem(422, "method_failed")?;
    let said: Vec<Value> = server.history(ROOM).await?.publications.into_values().collect();
    let said: Vec<(&Value, &Value)> = said.iter().map(|one| (&one["type"], &one["data"])).collect();
    let expected = [(json!("plain"), json!("as it is")), (json!("message"), json!("HELLO"))];
    assert_eq!(said, expected.iter().map(|(kind, data)| (kind, data)).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn r_beh_23_changes_of_what_was_said_pass_it_too() -> Result<()> {
    let mut server = server().await?;
    let mut ann = join(&server, "ann", Codec::Msgpack).await?;
    ann.request(json!({ "t": "publish", "data": "tea" })).await?.result()?;
    let edit = |data: &str| json!({ "t": "edit", "offset": 1, "data": data });
    let refused = ann.request(edit("spam")).await?.refused("method_failed")?;
    assert_eq!((&refused["message"], &refused["data"]), (&json!("no spam here"), &json!("spam")));
    assert_eq!(ann.request(edit("more tea")).await?.result()?["offset"], 2);
    let message = format!("/v1/rooms/{ROOM}/messages/1");
    let backend = server.call(Method::PATCH, &message).bearer(&server.api_key());
    backend.json(&json!({ "data": "spam" })).send().await?.problem(422, "method_failed")?;
    server.kill().await?;
    server.start_again(0).await?;
    let said: Vec<Value> = server.history(ROOM).await?.publications.into_values().collect();
    assert_eq!(said.iter().map(|one| &one["data"]).collect::<Vec<_>>(), ["more tea"]);
    Ok(())
}

#[tokio::test]
async fn r_beh_24_what_is_the_rooms_own_is_not_the_users_to_say_or_write() -> Result<()> {
    let server = server().await?;
    let mut ann = join(&server, "ann", Codec::Json).await?;
    let rang = json!({ "type": "rang", "data": "?" });
    let mut publish = rang.clone();
    publish["t"] = json!("publish");
    let refused = ann.request(publish).await?.refused("forbidden")?;
    assert_eq!(refused["details"][0]["path"], "type");
    let ops = json!([{ "set": "topic", "value": "mine" }]);
    let refused = ann.request(json!({ "t": "state", "ops": ops })).await?.refused("forbidden")?;
    assert_eq!(refused["details"][0]["path"], "ops[0]");
    let token = server.visit(ROOM, "ann").rights(json!(["*"])).token().await?;
    let (path, state) = (format!("/v1/rooms/{ROOM}/publish"), format!("/v1/rooms/{ROOM}/state"));
    server.post(&path).bearer(&token).json(&rang).send().await?.problem(403, "forbidden")?;
    let write = |credential: &str| {
        server.call(Method::PATCH, &state).bearer(credential).json(&json!({ "ops": ops })).send()
    };
    write(&token).await?.problem(403, "forbidden")?;
    write(&server.api_key()).await?.ok()?;
    server.post(&path).bearer(&server.api_key()).json(&rang).send().await?.ok()?;
    Ok(())
}

#[tokio::test]
async fn r_beh_15_it_tells_everyone_some_and_all_but_one() -> Result<()> {
    let server = server().await?;
    let mut ann = join(&server, "red-ann", Codec::Json).await?;
    let mut bob = join(&server, "red-bob", Codec::Msgpack).await?;
    let mut carl = join(&server, "blue-carl", Codec::Json).await?;
    let rows = [
        (json!({ "text": "all" }), [true, true, true]),
        (json!({ "text": "reds", "tags": ["$team-red"] }), [true, true, false]),
        (json!({ "text": "reds now", "tags": ["$team-red"], "ephemeral": true }), [true, true, false]),
        // The author belongs to its own audience.
        (json!({ "text": "carl", "users": ["blue-carl"], "ephemeral": true }), [true, false, true]),
        (json!({ "text": "not me", "but_me": true, "ephemeral": true }), [false, true, true]),
        (
            json!({ "text": "other red", "but_me": true, "tags": ["$team-red"], "ephemeral": true }),
            [false, true, false],
        ),
    ];
    for (tell, _) in &rows {
        call(&mut ann, "tell", tell.clone()).await?;
    }
    for (index, client) in [&mut ann, &mut bob, &mut carl].into_iter().enumerate() {
        client.barrier().await?;
        for (tell, heard) in &rows {
            let has = client.seen.iter().any(|m| m["type"] == "told" && m["data"] == tell["text"]);
            assert_eq!(has, heard[index], "client {index}: {tell}");
        }
    }
    let refused =
        ann.request(json!({ "t": "call", "method": "tell", "args": { "text": "x", "but_me": true } }));
    refused.await?.refused("method_failed")?;
    Ok(())
}

#[tokio::test]
async fn r_beh_16_it_sets_state_presence_and_tags_and_sends_away() -> Result<()> {
    let mut server = server().await?;
    let mut ann = join(&server, "ann", Codec::Json).await?;
    let mut bob = join(&server, "bob", Codec::Msgpack).await?;
    call(&mut ann, "share", json!({ "text": "tea" })).await?;
    bob.expect("the topic", |m| m["t"] == "state" && m["ops"][0]["value"] == "tea").await?;
    call(&mut ann, "mark", json!({ "text": "busy" })).await?;
    bob.expect("her presence", |m| m["t"] == "presence" && m["updated"][0]["data"] == "busy").await?;
    call(&mut bob, "tag", json!({ "add": ["$vip", "news"] })).await?;
    server.publish(ROOM, &json!({ "data": "for the vip", "tags": ["$vip"] })).await.expect_err("reserved");
    call(&mut ann, "tell", json!({ "text": "for the vip", "tags": ["$vip"] })).await?;
    bob.published(&json!("for the vip")).await?;
    server.evict(ROOM).await?;
    call(&mut ann, "tell", json!({ "text": "still", "tags": ["$vip"] })).await?;
    bob.published(&json!("still")).await?;
    call(&mut bob, "tag", json!({ "remove": ["$vip"] })).await?;
    call(&mut ann, "tell", json!({ "text": "no more", "tags": ["$vip"] })).await?;
    bob.barrier().await?;
    ensure!(!bob.seen.iter().any(|m| m["data"] == "no more"), "{:?}", bob.seen);
    call(&mut ann, "kick", json!({ "text": "bob" })).await?;
    let close = bob.closed().await?;
    assert_eq!((close.code, close.reason.as_str()), (3505, "enough"));
    server.kill().await?;
    server.start_again(0).await?;
    let state =
        server.get(&format!("/v1/rooms/{ROOM}/state")).bearer(&server.api_key()).send().await?.ok()?;
    assert_eq!(state["entries"]["topic"]["value"], "tea");
    Ok(())
}

#[tokio::test]
async fn r_beh_10_it_hears_who_left_and_of_the_rooms_life() -> Result<()> {
    let server = server().await?;
    let ann = join(&server, "ann", Codec::Json).await?;
    let session = ann.public_session();
    drop(ann);
    let key = server.api_key();
    let left =
        server.post(&format!("/v1/rooms/{ROOM}/call/list")).bearer(&key).json(&json!({ "prefix": "left/" }));
    let left = eventually("she has left", async || {
        let left = left.clone().send().await?.ok()?;
        Ok((left != json!([])).then_some(left))
    })
    .await?;
    assert_eq!(left, json!([["left/ann", session]]));
    Ok(())
}

#[tokio::test]
async fn r_beh_12_it_ticks_while_anyone_is_here() -> Result<()> {
    let server = server().await?;
    let room = "ticker:one";
    let mut ann = server.visit(room, "ann").rights(json!(["*"])).join().await?;
    for number in 1..=20 {
        ann.expect("the tick", |m| m["t"] == "ephemeral" && m["data"] == number).await?;
    }
    // Longer than an object without an event is kept in memory: it ticks on.
    ann.expect("tick 260", |m| m["t"] == "ephemeral" && m["data"] == 260).await?;
    ann.close(1000).await?;
    let last = server.post(&format!("/v1/rooms/{room}/call/last")).bearer(&server.api_key());
    eventually("it ticks no more", async || {
        let before = last.clone().send().await?.ok()?;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        Ok((last.clone().send().await?.ok()? == before).then_some(()))
    })
    .await
}
