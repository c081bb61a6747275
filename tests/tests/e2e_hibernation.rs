//! A room that sleeps through pings and wakes as itself. Slow by nature: the platform evicts after ten idle seconds.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use tests::DEADLINE;
use tests::server::Server;
use tests::wire::Codec;
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
