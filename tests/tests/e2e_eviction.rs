//! A room put to sleep between any two steps answers as if it had not been.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tests::server::Server;
use tests::wire::Codec;

#[tokio::test]
async fn r_life_1_a_room_evicted_before_every_step_behaves_as_one_that_never_was() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:evicted";
    let hello = json!({ "tags": ["red"], "presence": "here" });
    let mut ann = server.visit(room, "ann").hello(hello).join().await?;
    server.evict(room).await?;
    let mut bob = server.visit(room, "bob").codec(Codec::Msgpack).join().await?;
    server.evict(room).await?;
    ann.until_members(&["ann", "bob"]).await?;
    for number in 1..=5 {
        server.evict(room).await?;
        let publish = json!({ "t": "publish", "data": number, "tags": ["red"] });
        assert_eq!(bob.request(publish).await?.result()?["offset"], number);
        ann.published(&json!(number)).await?;
    }
    server.evict(room).await?;
    let page = ann.request(json!({ "t": "history" })).await?.result()?;
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(5));
    server.evict(room).await?;
    let members = server.members(room).await?;
    assert_eq!((&members["users"], &members["connections"]), (&json!(2), &json!(2)), "{members}");
    server.evict(room).await?;
    ann.ping().await?;
    bob.close(1000).await?;
    ann.until_members(&["ann"]).await?;
    ensure!(bob.payloads().is_empty(), "bob carries no tag: {:?}", bob.seen);
    let surprises = |m: &&Value| m["t"] == "notice" || m["t"] == "error";
    assert_eq!(ann.seen.iter().filter(surprises).count(), 0, "{:?}", ann.seen);
    Ok(())
}

#[tokio::test]
async fn r_life_1_rights_and_counts_of_bad_requests_survive_an_eviction() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:evicted-rights";
    let mut reader = server.visit(room, "reader").rights(json!(["join"])).join().await?;
    server.evict(room).await?;
    reader.request(json!({ "t": "publish", "data": 1 })).await?.refused("forbidden")?;
    reader.request(json!({ "t": "history" })).await?.refused("forbidden")?;
    server.evict(room).await?;
    let hello = json!({ "t": "hello", "session": reader.session });
    reader.send(&hello).await?;
    assert_eq!(reader.closed().await?.code, 3500, "the room remembers that hello was said");
    Ok(())
}

#[tokio::test]
async fn r_pres_3_grace_runs_on_while_the_room_sleeps() -> Result<()> {
    // Longer than a stalled machine takes to bring her back.
    let server = Server::with("kinds.chat.presence.grace = '12s'").await?;
    let room = "chat:evicted-grace";
    let mut watcher = server.visit(room, "watcher").join().await?;
    let lost = server.visit(room, "lost").join().await?;
    let returns = server.visit(room, "returns").join().await?;
    watcher.until_members(&["lost", "returns", "watcher"]).await?;
    let session = returns.session.clone();
    drop(lost);
    drop(returns);
    server.evict(room).await?;
    let _returned = server.visit(room, "returns").session(&session).join().await?;
    server.evict(room).await?;
    watcher.until_members(&["returns", "watcher"]).await?;
    let joins = watcher.seen.iter().filter(|m| m["t"] == "presence").count();
    ensure!(joins <= 3, "two joined, one left: {:?}", watcher.seen);
    Ok(())
}

#[tokio::test]
async fn r_close_3_a_close_with_1000_that_wakes_the_room_ends_the_membership_at_once() -> Result<()> {
    let server = Server::with("kinds.chat.presence.grace = '1h'").await?;
    let room = "chat:evicted-close";
    let mut watcher = server.visit(room, "watcher").join().await?;
    let mut leaver = server.visit(room, "leaver").join().await?;
    watcher.until_members(&["leaver", "watcher"]).await?;
    server.evict(room).await?;
    leaver.close(1000).await?;
    watcher.until_members(&["watcher"]).await?;
    Ok(())
}

/// The end of a grace must be kept, not begun anew by each waking.
#[tokio::test]
async fn r_pres_3_a_connection_lost_while_the_room_slept_leaves_after_its_grace() -> Result<()> {
    let server = Server::with("kinds.chat.presence.grace = '3s'").await?;
    let room = "chat:evicted-lost";
    let mut watcher = server.visit(room, "watcher").join().await?;
    let lost = server.visit(room, "lost").join().await?;
    watcher.until_members(&["lost", "watcher"]).await?;
    server.evict(room).await?;
    drop(lost);
    tests::eventually("the grace ends although the room sleeps between any two looks", async || {
        server.evict(room).await?;
        let members = server.members(room).await?;
        Ok((members["users"] == 1).then_some(()))
    })
    .await?;
    watcher.until_members(&["watcher"]).await?;
    Ok(())
}

#[tokio::test]
async fn r_pres_3_a_grace_that_began_with_a_restart_ends_though_the_room_sleeps_meanwhile() -> Result<()> {
    let mut server = Server::with("kinds.chat.presence.grace = '12s'").await?;
    let room = "chat:restart-grace";
    let mut watcher = server.visit(room, "watcher").join().await?;
    let lost = server.visit(room, "lost").join().await?;
    watcher.until_members(&["lost", "watcher"]).await?;
    let session = watcher.session.clone();
    server.kill().await?;
    drop(lost);
    server.start_again(0).await?;
    let mut watcher = server.visit(room, "watcher").session(&session).join().await?;
    assert_eq!(watcher.welcome["occupancy"], json!({ "members": 2, "users": 2 }), "the grace has begun");
    watcher.until_members(&["watcher"]).await?;
    Ok(())
}
