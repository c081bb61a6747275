//! Disconnecting, blocking, and rooms of one's own.

use anyhow::{Result, ensure};
use hyper::Method;
use serde_json::{Value, json};
use tests::client::{Client, Close, Upgrade};
use tests::http::Call;
use tests::server::Server;
use tests::wire::Codec;

const ROOM: &str = "chat:moderated";

fn disconnect(server: &Server, body: &Value) -> Call {
    server.post(&format!("/v1/rooms/{ROOM}/disconnect")).bearer(&server.api_key()).json(body)
}

async fn closed(call: Call) -> Result<u64> {
    let answer = call.send().await?.ok()?;
    Ok(answer["closed"].as_u64().unwrap_or(u64::MAX))
}

/// How an upgrade of the user ends, if it does before the welcome.
async fn turned_away(server: &Server, codec: Codec, user: &str) -> Result<Close> {
    let mut client = server.visit(ROOM, user).codec(codec).connect().await?;
    let close = client.closed().await?;
    ensure!(client.seen.is_empty(), "nothing is said before: {:?}", client.seen);
    Ok(close)
}

#[tokio::test]
async fn r_block_1_a_backend_disconnects_a_user_a_session_or_a_connection() -> Result<()> {
    let server = Server::start().await?;
    let mut watcher = server.visit(ROOM, "watcher").join().await?;
    let mut ann = server.visit(ROOM, "ann").join().await?;
    let mut tab = server.visit(ROOM, "ann").codec(Codec::Msgpack).join().await?;
    let mut bob = server.visit(ROOM, "bob").join().await?;
    let mut cy = server.visit(ROOM, "cy").join().await?;
    watcher.until_members(&["ann", "ann", "bob", "cy", "watcher"]).await?;
    let reason = "be kind \u{2665}";
    assert_eq!(closed(disconnect(&server, &json!({ "user": "ann", "reason": reason }))).await?, 2);
    for client in [&mut ann, &mut tab] {
        assert_eq!(client.closed().await?, Close { code: 3505, reason: reason.to_owned() });
    }
    let by_session = json!({ "session": bob.public_session() });
    assert_eq!(closed(disconnect(&server, &by_session)).await?, 1);
    let by_connection = json!({ "connection": cy.welcome["connection"] });
    assert_eq!(closed(disconnect(&server, &by_connection)).await?, 1);
    for client in [&mut bob, &mut cy] {
        assert_eq!(client.closed().await?.code, 3505);
    }
    watcher.until_members(&["watcher"]).await?;
    assert_eq!(closed(disconnect(&server, &json!({ "user": "ann" }))).await?, 0);
    server.visit(ROOM, "ann").join().await?;
    for (body, path) in [
        (json!({}), "user"),
        (json!({ "user": "ann", "connection": "00000000000001" }), "connection"),
        (json!({ "session": ann.session }), "session"),
        (json!({ "user": "ann", "reason": "x".repeat(124) }), "reason"),
        (json!({ "user": "ann", "block_for": "soon" }), "block_for"),
        (json!({ "user": "ann", "block_for": "366d" }), "block_for"),
    ] {
        let problem = disconnect(&server, &body).send().await?.problem(400, "invalid_argument")?;
        assert_eq!(problem["details"][0]["path"], path, "{problem}");
    }
    Ok(())
}

#[tokio::test]
async fn r_block_1_a_moderator_may_and_others_may_not() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit(ROOM, "ann").join().await?;
    let call = |token: &str| {
        let body = json!({ "user": "ann" });
        server.post(&format!("/v1/rooms/{ROOM}/disconnect")).bearer(token).json(&body)
    };
    let member = server.visit(ROOM, "bob").rights(json!(["join", "publish", "edit-any"])).token().await?;
    call(&member).send().await?.problem(403, "forbidden")?;
    call("rk_dev_wrong").send().await?.problem(401, "unauthorized")?;
    ann.barrier().await?;
    let moderator = server.visit(ROOM, "mod").rights(json!(["moderate"])).token().await?;
    assert_eq!(closed(call(&moderator)).await?, 1);
    assert_eq!(ann.closed().await?.code, 3505);
    Ok(())
}

#[tokio::test]
async fn r_block_2_a_blocked_user_stays_out_of_the_room_and_of_its_http_api() -> Result<()> {
    let mut server = Server::start().await?;
    let mut ann = server.visit(ROOM, "ann").join().await?;
    let mut bob = server.visit(ROOM, "bob").join().await?;
    assert_eq!(closed(disconnect(&server, &json!({ "user": "ann", "block_for": "10m" }))).await?, 1);
    assert_eq!(ann.closed().await?.code, 3505);
    for round in ["at once", "evicted", "killed"] {
        match round {
            "evicted" => server.evict(ROOM).await?,
            "killed" => {
                server.kill().await?;
                server.start_again(0).await?;
            }
            _ => {}
        }
        for codec in Codec::BOTH {
            assert_eq!(turned_away(&server, codec, "ann").await?.code, 3505, "{round}");
        }
        let token = server.visit(ROOM, "ann").rights(json!(["*"])).token().await?;
        let rest = |method: Method, path: &str| {
            server
                .call(method, &format!("/v1/rooms/{ROOM}/{path}"))
                .bearer(&token)
                .json(&json!({ "data": 1 }))
        };
        for call in [
            rest(Method::POST, "publish"),
            rest(Method::GET, "messages"),
            rest(Method::GET, "members"),
            rest(Method::GET, "state"),
            rest(Method::PATCH, "messages/1"),
        ] {
            call.send().await?.problem(403, "blocked")?;
        }
        let batch = json!({ "messages": [{ "room": ROOM, "data": 1 }, { "room": "chat:other", "data": 1 }] });
        let other = server.mint("ann", &json!({ "*": ["publish"] }), 60).await?;
        let answer = server.post("/v1/publish").bearer(&other).json(&batch).send().await?.ok()?;
        assert_eq!(answer["results"][0]["error"]["code"], "blocked", "{answer}");
        ensure!(answer["results"][1]["offset"].is_u64(), "another room: {answer}");
    }
    bob.closed().await?;
    server.visit(ROOM, "bob").join().await?;
    assert_eq!(closed(disconnect(&server, &json!({ "user": "ann", "block_for": 0 }))).await?, 0);
    server.visit(ROOM, "ann").join().await?;
    Ok(())
}

#[tokio::test]
async fn r_block_3_a_block_ends_in_time_and_with_its_room() -> Result<()> {
    let server = Server::start().await?;
    closed(disconnect(&server, &json!({ "user": "ann", "block_for": "365d" }))).await?;
    closed(disconnect(&server, &json!({ "user": "bob", "block_for": 1 }))).await?;
    assert_eq!(turned_away(&server, Codec::Json, "ann").await?.code, 3505);
    let mut bob = until_let_in(&server, "bob").await?;
    let room = format!("/v1/rooms/{ROOM}");
    server.call(Method::DELETE, &room).bearer(&server.api_key()).send().await?.ok()?;
    assert_eq!(bob.closed().await?.code, 3510);
    server.visit(ROOM, "ann").join().await?;
    Ok(())
}

/// Tries until the user's block has ended.
async fn until_let_in(server: &Server, user: &str) -> Result<Client> {
    let deadline = tokio::time::Instant::now() + tests::DEADLINE;
    loop {
        let mut client = server.visit(ROOM, user).connect().await?;
        match client.hello(json!({})).await {
            Ok(_) => return Ok(client),
            Err(error) => ensure!(tokio::time::Instant::now() < deadline, "{error:#}"),
        }
    }
}

#[tokio::test]
async fn r_own_1_only_the_user_joins_its_own_room() -> Result<()> {
    let server = Server::start().await?;
    let everything = server.mint("ann", &json!({ "*": ["*"] }), 60).await?;
    let mut ann = Upgrade::new(server.connect_url("user:ann"), Codec::Json, Some(&everything))
        .connect(Codec::Json)
        .await?;
    ann.hello(json!({})).await?;
    let mut other = Upgrade::new(server.connect_url("user:bob"), Codec::Json, Some(&everything))
        .connect(Codec::Json)
        .await?;
    assert_eq!(other.closed().await?.code, 3503);
    for path in ["messages", "members", "state"] {
        let get = |user: &str, key: &str| server.get(&format!("/v1/rooms/user:{user}/{path}")).bearer(key);
        get("ann", &everything).send().await?.ok()?;
        get("bob", &everything).send().await?.problem(403, "forbidden")?;
        get("bob", &server.api_key()).send().await?.ok()?;
    }

    let publish = |user: &str, key: &str| {
        server.post(&format!("/v1/users/{user}/publish")).bearer(key).json(&json!({ "data": "for you" }))
    };
    let published = publish("ann", &server.api_key()).send().await?.ok()?;
    assert_eq!((&published["offset"], &published["duplicate"]), (&json!(1), &json!(false)));
    assert_eq!(ann.published(&json!("for you")).await?["offset"], 1);
    let problem = publish("ann%40example.com", &server.api_key()).send().await?;
    assert_eq!(problem.problem(400, "invalid_argument")?["details"][0]["path"], "user");
    let none = server.mint("ann", &json!({ "chat:*": ["*"] }), 60).await?;
    publish("ann", &none).send().await?.problem(403, "forbidden")?;
    Ok(())
}
