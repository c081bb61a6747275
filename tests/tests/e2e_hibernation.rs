//! A room that sleeps through pings and wakes as itself. Slow by nature: the platform evicts after ten idle seconds.

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use std::time::Duration;
use tests::client::{Client, Upgrade};
use tests::server::Server;
use tests::tokens;
use tests::wire::Codec;
use tests::{DEADLINE, eventually, keys};
use tokio::time::Instant;

#[tokio::test]
async fn r_life_1_a_hibernated_room_wakes_with_everything_it_knew() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:sleep";
    let claims = json!({ "info": { "name": "Ann" }, "tags": ["team"] });
    let hello = json!({ "tags": ["red"], "presence": { "mood": "sleepy" } });
    let mut ann = server.visit(room, "ann").claims(claims).hello(hello).join().await?;
    let rights = json!(["join", "presence"]);
    let mut bob = server.visit(room, "bob").rights(rights).codec(Codec::Msgpack).join().await?;
    ann.publish(json!("before")).await?;
    bob.published(&json!("before")).await?;
    let members = server.members(room).await?;

    ensure!(server.awake()? == 1, "this is how one sees that a room is awake");
    let mut pace = tokio::time::interval(Duration::from_millis(500));
    let patience = Instant::now() + DEADLINE;
    while server.awake()? > 0 {
        ensure!(Instant::now() < patience, "the room does not sleep while it is only pinged");
        pace.tick().await;
        ann.ping().await?;
        bob.ping().await?;
    }
    for _ in 0..20 {
        ann.ping().await?;
        bob.ping().await?;
        ensure!(server.awake()? == 0, "a ping woke the room");
    }

    let tagged = json!({ "t": "publish", "data": "for red", "tags": ["red"] });
    ann.request(tagged).await?.result()?;
    let red = ann.published(&json!("for red")).await?;
    assert_eq!((&red["from"]["user"], &red["from"]["info"]), (&json!("ann"), &json!({ "name": "Ann" })));
    assert_eq!(red["offset"], 2, "{red}");
    ensure!(server.awake()? == 1, "and now it is awake again");
    bob.request(json!({ "t": "publish", "data": 1 })).await?.refused("forbidden")?;
    assert_eq!(ann.publish(json!("after")).await?["epoch"], ann.welcome["epoch"]);
    bob.published(&json!("after")).await?;
    assert_eq!(bob.payloads(), [json!("before"), json!("after")], "bob carries no tag");
    let presence = |m: &&Value| m["t"] == "presence" || m["t"] == "notice";
    assert_eq!(bob.seen.iter().filter(presence).count(), 0, "the sleep was invisible: {:?}", bob.seen);
    assert_eq!(server.members(room).await?, members, "the same members with the same data");
    ann.close(1000).await?;
    bob.until_members(&["bob"]).await?;
    ensure!(bob.request(json!({ "t": "members" })).await?.result()?["connections"] == 1);
    Ok(())
}

/// Sockets of one room.
const CROWD: usize = 1_000;
const ROOM: &str = "chat:crowd";

/// Who sees nobody come and go; every tenth carries a tag.
async fn crowd(server: &Server) -> Result<Vec<Client>> {
    let numbers = (0..CROWD).collect::<Vec<usize>>();
    let mut crowd = Vec::new();
    for some in numbers.chunks(50) {
        crowd.extend(try_join_all(some.iter().map(|number| one_of_crowd(server, *number))).await?);
    }
    Ok(crowd)
}

async fn one_of_crowd(server: &Server, number: usize) -> Result<Client> {
    let claims = tokens::claims(&format!("u{number}"), ROOM, &json!(["join", "publish"]));
    // Not Ed25519, which takes a debug build 20 ms.
    let token = tokens::jwt(&keys::hs_header(), &claims, &keys::hs());
    let codec = Codec::BOTH[number % 2];
    let mut client = Upgrade::new(server.connect_url(ROOM), codec, Some(&token)).connect(codec).await?;
    let tags = if number.is_multiple_of(10) { json!(["tenth"]) } else { json!([]) };
    client.hello(json!({ "tags": tags })).await?;
    Ok(client)
}

/// Asleep, and every ping is answered without waking it.
async fn put_to_sleep(server: &Server, crowd: &mut [Client]) -> Result<()> {
    server.evict(ROOM).await?;
    eventually("the room sleeps", async || Ok((server.awake()? == 0).then_some(()))).await?;
    for some in crowd.chunks_mut(50) {
        try_join_all(some.iter_mut().map(Client::ping)).await?;
    }
    ensure!(server.awake()? == 0, "a ping woke the room");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_life_1_a_thousand_sockets_sleep_and_whatever_wakes_the_room_reaches_exactly_its_own() -> Result<()>
{
    let server = Server::with("kinds.chat.presence.grace = '2s'").await?;
    let mut crowd = crowd(&server).await?;
    put_to_sleep(&server, &mut crowd).await?;
    let direct = json!({ "t": "publish", "data": "direct", "to": { "users": ["u500"] } });
    crowd[1].request(direct).await?.result()?;
    crowd[500].published(&json!("direct")).await?;

    put_to_sleep(&server, &mut crowd).await?;
    let tagged = json!({ "t": "publish", "data": "tagged", "tags": ["tenth"] });
    crowd[2].request(tagged).await?.result()?;

    put_to_sleep(&server, &mut crowd).await?;
    server.publish(ROOM, &json!({ "data": "from outside" })).await?;
    for client in &mut crowd {
        client.published(&json!("from outside")).await?;
    }

    // Nothing but its alarm wakes it, and the end of the grace is told.
    let mut watcher = server.visit(ROOM, "watcher").join().await?;
    let lost = server.visit(ROOM, "lost").join().await?;
    watcher.until_members(&["lost", "watcher"]).await?;
    drop(lost);
    eventually("the loss is noticed", async || {
        let members = server.members(ROOM).await?;
        Ok((members["connections"] == CROWD + 1).then_some(()))
    })
    .await?;
    server.evict(ROOM).await?;
    watcher.until_members(&["watcher"]).await?;

    put_to_sleep(&server, &mut crowd).await?;
    crowd[3].publish(json!("last")).await?;
    for (number, client) in crowd.iter_mut().enumerate() {
        client.published(&json!("last")).await?;
        let mut expected = vec!["from outside", "last"];
        if number % 10 == 0 {
            expected.insert(0, "tagged");
        }
        if number == 1 || number == 500 {
            expected.insert(0, "direct");
        }
        assert_eq!(client.payloads(), expected, "u{number}");
        let surprises = client.seen.iter().filter(|m| m["t"] == "notice" || m["t"] == "error").count();
        assert_eq!(surprises, 0, "u{number}: {:?}", client.seen);
    }
    Ok(())
}
