//! Server-sent events: a room followed over plain HTTP.

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use serde_json::{Value, json};
use tests::events::Stream;
use tests::eventually;
use tests::http::Call;
use tests::server::Server;

fn events(server: &Server, room: &str, query: &str) -> Call {
    server.get(&format!("/v1/rooms/{room}/events{query}"))
}

async fn reader(server: &Server, room: &str, query: &str) -> Result<Stream> {
    Stream::open(events(server, room, query).bearer(&server.api_key())).await
}

async fn connections(server: &Server, room: &str) -> Result<Value> {
    Ok(server.members(room).await?["connections"].clone())
}

#[tokio::test]
async fn r_sse_1_a_reader_with_a_token_in_the_address_follows_and_is_no_member() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:sse";
    let mut ann = server.visit(room, "ann").join().await?;
    let token = server.mint("bob", &json!({ room: ["join", "presence"] }), 60).await?;
    let mut bob = Stream::open(events(&server, room, &format!("?token={token}"))).await?;
    assert_eq!(bob.head.header("cache-control"), Some("no-store"));
    assert_eq!(bob.head.header("x-accel-buffering"), Some("no"));
    ensure!(bob.head.header("x-request-id").is_some(), "{:?}", bob.head);
    let position = bob.next().await?;
    assert_eq!((position.name.as_str(), &position.data["offset"]), ("position", &json!(0)));
    ensure!(bob.retry_ms.is_some_and(|retry| (1_000..4_000).contains(&retry)), "{bob:?}");
    ann.publish(json!("hi")).await?;
    let heard = bob.told(&json!("hi")).await?;
    assert_eq!((heard.name.as_str(), &heard.data["from"]["user"]), ("publication", &json!("ann")));
    assert_eq!(heard.id, format!("{}:1", ann.welcome["epoch"].as_str().context("an epoch")?));
    ensure!(heard.data.get("t").is_none(), "{heard:?}");
    let members = server.members(room).await?;
    assert_eq!((&members["users"], &members["connections"]), (&json!(1), &json!(2)), "{members}");
    let joins = |m: &&Value| m["t"] == "presence";
    assert_eq!(ann.seen.iter().filter(joins).count(), 0, "{:?}", ann.seen);
    Ok(())
}

#[tokio::test]
async fn r_sse_1_a_reader_alone_keeps_the_room_occupied_and_is_in_no_count() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:audience";
    let mut alone = reader(&server, room, "").await?;
    alone.until("position").await?;
    let path = format!("/v1/rooms/{room}");
    let info = async || server.get(&path).bearer(&server.api_key()).send().await?.ok();
    let occupied = info().await?;
    assert_eq!(occupied["lifecycle"], "occupied", "{occupied}");
    let members = server.members(room).await?;
    assert_eq!((&members["users"], &members["connections"]), (&json!(0), &json!(1)), "{members}");
    assert_eq!(members["members"], json!([]));
    drop(alone);
    eventually("the room is left", async || Ok((info().await?["lifecycle"] != "occupied").then_some(())))
        .await
}

#[tokio::test]
async fn r_sse_1_refusals_are_http_statuses_and_touch_no_room() -> Result<()> {
    let server = Server::start().await?;
    let token = server.mint("bob", &json!({ "chat:other": ["join"], "chat:no": ["history"] }), 60).await?;
    let rows = [
        ("CHAT:a", 400, "bad_room_name"),
        ("nokind:a", 404, "unknown_kind"),
        ("chat:no", 403, "forbidden"),
        ("chat:nothing", 403, "forbidden"),
    ];
    for (room, status, code) in rows {
        events(&server, room, &format!("?token={token}")).send().await?.problem(status, code)?;
    }
    events(&server, "chat:a", "").send().await?.problem(401, "unauthorized")?;
    events(&server, "chat:a", "?token=x.y.z").send().await?.problem(401, "unauthorized")?;
    let key = server.api_key();
    events(&server, "chat:a", &format!("?token={key}")).send().await?.problem(401, "unauthorized")?;
    for query in ["?after=x", "?after=-1", "?after=1&after=2", "?tags=$secret"] {
        events(&server, "chat:a", query).bearer(&key).send().await?.problem(400, "invalid_argument")?;
    }
    let bad = events(&server, "chat:a", "").bearer(&key).header("last-event-id", "7");
    bad.send().await?.problem(400, "invalid_argument")?;
    let posted = server.call(Method::POST, "/v1/rooms/chat:a/events").bearer(&key).send().await?;
    assert_eq!(posted.status, 405);
    ensure!(server.databases()?.is_empty(), "a room was touched: {:?}", server.databases()?);
    Ok(())
}

#[tokio::test]
async fn r_sse_2_a_reader_begins_where_it_says() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:from";
    let mut epoch = Value::Null;
    for n in 1..=5 {
        epoch = server.publish(room, &json!({ "data": n })).await?["epoch"].clone();
    }
    let epoch = epoch.as_str().context("an epoch")?;
    let mut live = reader(&server, room, "").await?;
    let position = live.next().await?;
    assert_eq!((position.name.as_str(), position.id), ("position", format!("{epoch}:5")));

    for query in [format!("?after={epoch}:3"), "?after=3".to_owned()] {
        let mut after = reader(&server, room, &query).await?;
        for n in 4..=5 {
            let event = after.next().await?;
            assert_eq!((event.name.as_str(), &event.data["data"]), ("publication", &json!(n)), "{query}");
            assert_eq!(event.id, format!("{epoch}:{n}"));
        }
        assert_eq!(after.next().await?.name, "position");
    }
    // A browser repeats the address as it was, and says in the header how far it got.
    let again = events(&server, room, "?after=0").bearer(&server.api_key());
    let mut again = Stream::open(again.header("last-event-id", format!("{epoch}:4"))).await?;
    assert_eq!(again.next().await?.data["data"], 5);

    server.publish(room, &json!({ "data": 6 })).await?;
    for stream in [&mut live, &mut again] {
        assert_eq!(stream.until("publication").await?.id, format!("{epoch}:6"));
    }
    Ok(())
}

#[tokio::test]
async fn r_sse_3_ephemerals_come_without_an_id_and_tags_filter() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:tagged";
    let mut red = reader(&server, room, "?tags=red,blue").await?;
    let mut plain = reader(&server, room, "").await?;
    let position = red.next().await?;
    server.publish(room, &json!({ "data": "typing", "ephemeral": true, "tags": ["red"] })).await?;
    let event = red.next().await?;
    assert_eq!((event.name.as_str(), &event.data["data"]), ("ephemeral", &json!("typing")));
    assert_eq!(event.id, position.id, "an ephemeral has no id of its own");
    server.publish(room, &json!({ "data": "for green", "tags": ["green"] })).await?;
    server.publish(room, &json!({ "data": "for blue", "tags": ["blue"] })).await?;
    server.publish(room, &json!({ "data": "for ann", "to": { "users": ["ann"] } })).await?;
    server.publish(room, &json!({ "data": "line\nbreak \u{2028} \"é\"" })).await?;
    assert_eq!(red.next().await?.data["data"], "for blue");
    assert_eq!(red.until("publication").await?.data["data"], "line\nbreak \u{2028} \"é\"");
    plain.next().await?;
    assert_eq!(plain.until("publication").await?.data["offset"], 4);
    Ok(())
}

#[tokio::test]
async fn r_sse_4_what_cannot_be_recovered_is_told_as_a_gap() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:gap";
    server.publish(room, &json!({ "data": 1 })).await?;
    let token = server.mint("bob", &json!({ room: ["join"] }), 60).await?;
    for (call, reason) in [
        (events(&server, room, "?after=00000000000000aa:1").bearer(&server.api_key()), "epoch_changed"),
        (events(&server, room, "?after=9").bearer(&server.api_key()), "ahead"),
        (events(&server, room, "?after=0").bearer(&token), "forbidden"),
    ] {
        let mut stream = Stream::open(call).await?;
        let gap = stream.next().await?;
        assert_eq!((gap.name.as_str(), &gap.data["reason"]), ("gap", &json!(reason)));
        let position = stream.next().await?;
        assert_eq!((position.name.as_str(), &position.data["offset"]), ("position", &json!(1)));
    }
    Ok(())
}

#[tokio::test]
async fn r_sse_5_a_final_close_is_told_and_a_retry_gets_204() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:ends";
    server.publish(room, &json!({ "data": 1 })).await?;
    let mut stream = reader(&server, room, "").await?;
    stream.next().await?;
    let path = format!("/v1/rooms/{room}");
    server.call(Method::DELETE, &path).bearer(&server.api_key()).send().await?.ok()?;
    let close = stream.next().await?;
    assert_eq!((close.name.as_str(), &close.data["code"]), ("close", &json!(3510)));
    stream.ended().await?;
    let retry = events(&server, room, "").bearer(&server.api_key()).header("last-event-id", close.id);
    let retry = retry.send().await?;
    assert_eq!((retry.status, retry.body.len()), (204, 0));
    Ok(())
}

#[tokio::test]
async fn r_sse_6_comments_keep_the_stream_open_and_wake_no_room() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:quiet";
    let mut stream = reader(&server, room, "").await?;
    stream.next().await?;
    stream.comments(1).await?;
    eventually("the room sleeps", async || Ok((server.awake()? == 0).then_some(()))).await?;
    stream.comments(2).await?;
    // The minute's alarm may have woken it; pings would keep it awake.
    eventually("the room sleeps on", async || Ok((server.awake()? == 0).then_some(()))).await?;
    server.publish(room, &json!({ "data": "still there" })).await?;
    stream.told(&json!("still there")).await?;
    Ok(())
}

#[tokio::test]
async fn r_sse_7_a_reader_that_leaves_is_forgotten_by_the_room() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:leaves";
    let mut stream = reader(&server, room, "").await?;
    stream.next().await?;
    assert_eq!(connections(&server, room).await?, 1);
    drop(stream);
    eventually("the connection ends", async || Ok((connections(&server, room).await? == 0).then_some(())))
        .await
}

#[tokio::test]
async fn r_sse_7_a_reader_that_does_not_read_is_let_go_and_slows_nobody() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:lazy";
    let mut ann = server.visit(room, "ann").join().await?;
    let lazy = reader(&server, room, "").await?;
    assert_eq!(connections(&server, room).await?, 2);
    let text = "x".repeat(60_000);
    // What sockets and pipes hold on the way is not bounded by us.
    eventually("it is let go", async || {
        for _ in 0..20 {
            ann.publish(json!(text)).await?;
        }
        Ok((connections(&server, room).await? == 1).then_some(()))
    })
    .await?;
    drop(lazy);
    Ok(())
}

#[tokio::test]
async fn r_sse_8_a_stream_ends_with_its_instance_and_goes_on_behind_it() -> Result<()> {
    let server = Server::with_faults("").await?;
    let room = "chat:trapped";
    let mut stream = reader(&server, room, "").await?;
    let position = stream.next().await?;
    server.publish(room, &json!({ "data": "before" })).await?;
    let last = stream.told(&json!("before")).await?;
    ensure!(position.id != last.id);
    server.arm("chat:other", "trap_on_message 1").await?;
    let mut ann = server.visit("chat:other", "ann").connect().await?;
    ann.send(&json!({ "t": "hello", "session": "0123456789" })).await?;
    stream.ended().await?;
    server.publish(room, &json!({ "data": "meanwhile" })).await?;
    let back = events(&server, room, "").bearer(&server.api_key()).header("last-event-id", last.id);
    let mut stream = Stream::open(back).await?;
    assert_eq!(stream.next().await?.data["data"], "meanwhile");
    Ok(())
}

#[tokio::test]
async fn r_sse_1_public_rooms_are_followed_without_a_token_and_service_rooms_with_a_key() -> Result<()> {
    let kinds = "[kinds.open]\naccess = 'public'\ndefault_capabilities = ['join', 'history']\n\
                 [kinds.hook]\naccess = 'service'\n";
    let server = Server::with(kinds).await?;
    server.publish("open:a", &json!({ "data": 1 })).await?;
    let mut anyone = Stream::open(events(&server, "open:a", "?after=0")).await?;
    assert_eq!(anyone.next().await?.data["data"], 1);
    let token = server.mint("ann", &json!({ "*": ["*"] }), 60).await?;
    events(&server, "hook:a", "").bearer(&token).send().await?.problem(403, "forbidden")?;
    reader(&server, "hook:a", "").await?.next().await?;
    Ok(())
}

#[tokio::test]
async fn r_sse_5_a_revoked_token_ends_its_streams_for_good() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:revoked";
    let token = server.mint("bob", &json!({ room: ["join"] }), 600).await?;
    let mut stream = Stream::open(events(&server, room, "").bearer(&token)).await?;
    stream.until("position").await?;
    // A token is revoked where it was issued before: it says so in whole seconds.
    let body = json!({ "user": "bob", "issued_before": 9_000_000_000_000_u64, "ttl": 600 });
    let revoked = server.post("/v1/revocations").bearer(&server.api_key()).json(&body).send().await?;
    revoked.ok()?;
    let close = stream.until("close").await?;
    assert_eq!((&close.data["code"], close.id.as_str()), (&json!(3504), "closed:3504"));
    stream.ended().await?;
    eventually("it is refused", async || {
        let answer = events(&server, room, "").bearer(&token).send();
        let answer = tokio::time::timeout(std::time::Duration::from_secs(2), answer).await;
        let Ok(Ok(answer)) = answer else { return Ok(None) };
        answer.problem(401, "revoked").map(Some)
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn r_sse_1_a_blocked_user_is_refused_and_hears_the_end() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:blocked";
    let token = server.mint("bob", &json!({ room: ["join"] }), 600).await?;
    let mut stream = Stream::open(events(&server, room, "").bearer(&token)).await?;
    stream.until("position").await?;
    let path = format!("/v1/rooms/{room}/disconnect");
    let body = json!({ "user": "bob", "reason": "enough", "block_for": "10m" });
    server.post(&path).bearer(&server.api_key()).json(&body).send().await?.ok()?;
    let close = stream.until("close").await?;
    assert_eq!((&close.data["code"], &close.data["reason"]), (&json!(3505), &json!("enough")));
    events(&server, room, "").bearer(&token).send().await?.problem(403, "blocked")?;
    Ok(())
}
