//! Bounds that a kind sets, and the ways a kind may differ.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tests::client::Upgrade;
use tests::roster::list;
use tests::server::Server;
use tests::wire::Codec;

#[tokio::test]
async fn r_limit_1_a_user_beyond_its_connections_is_turned_away_and_others_are_not() -> Result<()> {
    let server = Server::with("kinds.chat.limits.connections_user = 2").await?;
    let room = "chat:user-full";
    let one = server.visit(room, "ann").join().await?;
    let _two = server.visit(room, "ann").join().await?;
    let mut three = server.visit(room, "ann").connect().await?;
    let hello = json!({ "t": "hello", "session": three.session });
    // The room may refuse at the upgrade already.
    let _refused_before = three.send(&hello).await;
    assert_eq!(three.closed().await?.code, 3506);
    server.visit(room, "bob").join().await?;
    let session = one.session.clone();
    server.visit(room, "ann").session(&session).join().await?;
    Ok(())
}

#[tokio::test]
async fn r_limit_1_a_full_room_turns_newcomers_away_until_someone_goes() -> Result<()> {
    let server = Server::with("kinds.chat.limits.connections = 2").await?;
    let room = "chat:full";
    let mut ann = server.visit(room, "ann").join().await?;
    let mut bob = server.visit(room, "bob").join().await?;
    let mut cid = server.visit(room, "cid").connect().await?;
    let hello = json!({ "t": "hello", "session": cid.session });
    let _refused_before = cid.send(&hello).await;
    assert_eq!(cid.closed().await?.code, 3506);
    bob.close(1000).await?;
    ann.until_members(&["ann"]).await?;
    server.visit(room, "cid").join().await?;
    Ok(())
}

#[tokio::test]
async fn r_pub_1_every_shipped_kind_carries_publications() -> Result<()> {
    let server = Server::start().await?;
    for room in ["chat:kind", "game:kind", "live:kind", "user:ann"] {
        let mut ann = server.visit(room, "ann").join().await?;
        assert_eq!(ann.publish(json!(room)).await?["offset"], 1, "{room}");
        ann.published(&json!(room)).await?;
        let late = server.visit(room, "ann").hello(json!({ "rewind": 1 })).join().await?;
        assert_eq!(late.payloads(), [json!(room)], "{room}");
    }
    Ok(())
}

#[tokio::test]
async fn r_pub_9_a_ticking_room_keeps_order_and_answers_with_its_ticks() -> Result<()> {
    let server = Server::with("kinds.chat.flush = '50ms'").await?;
    let mut ann = server.visit("chat:ticks", "ann").join().await?;
    let mut bob = server.visit("chat:ticks", "bob").codec(Codec::Msgpack).join().await?;
    for round in 0..5u32 {
        let batch: Vec<Value> = (0..10u32)
            .map(|n| json!({ "t": "publish", "id": 1000 + 10 * round + n, "data": 10 * round + n }))
            .collect();
        ann.send_all(&batch).await?;
        ann.answer(1009 + 10 * round).await?.result()?;
    }
    bob.published(&json!(49)).await?;
    assert_eq!(bob.payloads(), (0..50).map(Value::from).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn r_pres_6_a_counting_kind_tells_numbers_and_no_names() -> Result<()> {
    let server = Server::with("kinds.chat.presence = { mode = 'count', grace = '1s' }").await?;
    let mut ann = server.visit("chat:count", "ann").join().await?;
    ensure!(ann.welcome.get("members").is_none(), "{}", ann.welcome);
    let bob = server.visit("chat:count", "bob").join().await?;
    assert_eq!(bob.welcome["occupancy"], json!({ "members": 2, "users": 2 }));
    ann.expect("two of them", |m| m["t"] == "occupancy" && m["members"] == 2 && m["users"] == 2).await?;
    drop(bob);
    ann.expect("one again", |m| m["t"] == "occupancy" && m["members"] == 1 && m["users"] == 1).await?;
    ensure!(!ann.seen.iter().any(|m| m["t"] == "presence"), "{:?}", ann.seen);
    Ok(())
}

#[tokio::test]
async fn r_auth_6_a_public_kind_takes_strangers_by_their_session() -> Result<()> {
    let changes = "kinds.lobby = { access = 'public', default_capabilities = ['join', 'presence'] }";
    let server = Server::with(changes).await?;
    let upgrade = Upgrade::new(server.connect_url("lobby:x"), Codec::Json, None);
    let mut stranger = upgrade.connect(Codec::Json).await?;
    stranger.hello(json!({})).await?;
    assert_eq!(stranger.welcome["user"], format!("anon-{}", stranger.public_session()));
    stranger.request(json!({ "t": "publish", "data": 1 })).await?.refused("forbidden")?;
    let mut ann = server.visit("lobby:x", "ann").join().await?;
    ann.publish(json!("hi")).await?;
    stranger.published(&json!("hi")).await?;
    let rubbish = Upgrade::new(server.connect_url("lobby:x"), Codec::Json, Some("rubbish"));
    assert_eq!(rubbish.connect(Codec::Json).await?.closed().await?.code, 3501, "a bad token is no stranger");
    Ok(())
}

#[tokio::test]
async fn r_pres_6_presence_lists_at_most_a_page_in_the_welcome() -> Result<()> {
    let server = Server::with("kinds.chat.presence.full_max = 3").await?;
    let mut clients = Vec::new();
    for user in ["a", "b", "c", "d", "e"] {
        clients.push(server.visit("chat:many", user).join().await?);
    }
    clients[0].expect("numbers instead of names", |m| m["t"] == "occupancy" && m["members"] == 5).await?;
    let last = &clients[4].welcome;
    assert_eq!(last["occupancy"], json!({ "members": 5, "users": 5 }));
    ensure!(list(last, "members").len() <= 3, "{last}");
    Ok(())
}

#[tokio::test]
async fn r_limit_2_a_flood_arrives_whole_in_frames_within_their_bound() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let room = format!("chat:flood-{codec:?}");
        let mut ann = server.visit(&room, "ann").codec(codec).join().await?;
        let mut bob = server.visit(&room, "bob").codec(codec).join().await?;
        let large =
            |n: u32| json!({ "t": "publish", "id": n, "data": format!("{n:03}{}", "x".repeat(60_000)) });
        for part in (1..=119).collect::<Vec<u32>>().chunks(17) {
            ann.send_all(&part.iter().map(|n| large(*n)).collect::<Vec<_>>()).await?;
        }
        ann.answer(119).await?.result()?;
        bob.publication("the last one", |m| m["offset"] == 119).await?;
        let payloads = bob.payloads();
        let numbers: Vec<&str> = payloads.iter().filter_map(|data| data.as_str()?.get(..3)).collect();
        assert_eq!(numbers, (1..=119).map(|n| format!("{n:03}")).collect::<Vec<_>>());
        ensure!(bob.frames.len() > 7, "7 MB do not fit {} frames", bob.frames.len());
    }
    Ok(())
}

#[tokio::test]
async fn r_conf_1_a_wrong_configuration_does_not_start_and_names_the_place() -> Result<()> {
    for (changes, path) in [
        ("kinds.chat.access = 'secret'", "kinds.chat.access"),
        ("kinds.chat.presence.grace = '10 parsecs'", "kinds.chat.presence.grace"),
        ("kinds.chat.limits.payload_bytes = 99999999", "kinds.chat.limits.payload_bytes"),
        ("kinds.chat.colour = 'red'", "kinds.chat.colour"),
        ("allowed_origins = ['app.example']", "allowed_origins"),
        ("kinds.'Bad Name' = {}", "kinds"),
    ] {
        match Server::with(changes).await {
            Ok(_) => anyhow::bail!("{changes} was accepted"),
            Err(error) => ensure!(format!("{error:#}").contains(path), "{changes}: {error:#}"),
        }
    }
    Ok(())
}
