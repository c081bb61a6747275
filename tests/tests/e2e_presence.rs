//! Presence: snapshot and diffs, grace, no ghosts and no flapping.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tests::client::Client;
use tests::roster::{list, users};
use tests::server::Server;
use tests::wire::Codec;

fn diffs(client: &Client) -> Vec<&Value> {
    client.seen.iter().filter(|message| message["t"] == "presence").collect()
}

#[tokio::test]
async fn r_pres_2_snapshot_and_diffs_tell_every_client_the_same_list() -> Result<()> {
    let server = Server::start().await?;
    let mut clients: Vec<Client> = Vec::new();
    for (user, codec) in [("ann", Codec::Json), ("bob", Codec::Msgpack), ("cid", Codec::Json)] {
        let hello = json!({ "presence": { "mood": user } });
        let claims = json!({ "info": { "name": user } });
        let visit = server.visit("chat:presence", user).codec(codec).claims(claims).hello(hello);
        clients.push(visit.join().await?);
    }
    let mut lists = Vec::new();
    for client in &mut clients {
        lists.push(client.until_members(&["ann", "bob", "cid"]).await?);
    }
    assert_eq!(lists[0], lists[1]);
    assert_eq!(lists[1], lists[2]);
    let ann = &lists[2][&clients[0].public_session()];
    assert_eq!(ann["user"], "ann");
    assert_eq!(ann["info"], json!({ "name": "ann" }));
    assert_eq!(ann["data"], json!({ "mood": "ann" }));
    ensure!(ann["since"].is_u64(), "{ann}");
    let page = server.members("chat:presence").await?;
    assert_eq!(page["users"], 3, "{page}");
    assert_eq!(page["connections"], 3, "{page}");
    let told: Vec<String> = list(&page, "members").iter().map(|m| m["session"].to_string()).collect();
    let known: Vec<String> = lists[0].keys().map(|session| format!("{session:?}")).collect();
    assert_eq!(
        {
            let mut told = told;
            told.sort();
            told
        },
        known,
        "HTTP tells the same list"
    );
    Ok(())
}

#[tokio::test]
async fn r_close_3_a_close_with_1000_and_leave_end_the_membership_at_once() -> Result<()> {
    let server = Server::with("kinds.chat.presence.grace = '1h'").await?;
    let mut watcher = server.visit("chat:leave", "eve").join().await?;
    let mut closer = server.visit("chat:leave", "ann").join().await?;
    let mut leaver = server.visit("chat:leave", "bob").join().await?;
    watcher.until_members(&["ann", "bob", "eve"]).await?;
    assert_eq!(closer.close(1000).await?.code, 1000);
    watcher.until_members(&["bob", "eve"]).await?;
    assert_eq!(leaver.request(json!({ "t": "leave" })).await?.result()?, json!({}));
    assert_eq!(leaver.closed().await?.code, 1000);
    watcher.until_members(&["eve"]).await?;
    assert_eq!(users(&tests::roster::roster(&watcher.seen)?), ["eve"]);
    Ok(())
}

#[tokio::test]
async fn r_pres_3_a_lost_connection_is_a_member_until_its_grace_is_over() -> Result<()> {
    let server = Server::with("kinds.chat.presence.grace = '1s'").await?;
    let mut watcher = server.visit("chat:grace", "eve").join().await?;
    let lost = server.visit("chat:grace", "ann").join().await?;
    watcher.until_members(&["ann", "eve"]).await?;
    drop(lost);
    watcher.publish(json!("meanwhile")).await?;
    watcher.until_members(&["eve"]).await?;
    let page = server.members("chat:grace").await?;
    assert_eq!(list(&page, "members").len(), 1, "{page}");
    Ok(())
}

#[tokio::test]
async fn r_pres_3_a_session_that_returns_within_its_grace_does_not_flap() -> Result<()> {
    let server = Server::with("kinds.chat.presence.grace = '1h'").await?;
    let mut watcher = server.visit("chat:return", "eve").join().await?;
    let first = server.visit("chat:return", "ann").join().await?;
    let session = first.session.clone();
    let since = watcher.until_members(&["ann", "eve"]).await?[&first.public_session()]["since"].clone();
    drop(first);
    for round in 0..3 {
        let mut again = server.visit("chat:return", "ann").session(&session).join().await?;
        again.publish(json!(round)).await?;
        watcher.published(&json!(round)).await?;
        drop(again);
    }
    assert_eq!(diffs(&watcher).len(), 1, "she joined once: {:?}", diffs(&watcher));
    let page = server.members("chat:return").await?;
    let ann = list(&page, "members").iter().find(|m| m["user"] == "ann").cloned().unwrap_or_default();
    assert_eq!(ann["since"], since, "the membership is the same: {page}");
    Ok(())
}

#[tokio::test]
async fn r_pres_1_another_tab_is_another_member_of_the_same_user() -> Result<()> {
    let server = Server::with("kinds.chat.presence.grace = '1s'").await?;
    let mut one = server.visit("chat:tabs", "ann").join().await?;
    let mut two = server.visit("chat:tabs", "ann").join().await?;
    assert_eq!(two.welcome["occupancy"], json!({ "members": 2, "users": 1 }));
    one.until_members(&["ann", "ann"]).await?;
    two.close(1000).await?;
    one.until_members(&["ann"]).await?;
    let page = server.members("chat:tabs").await?;
    assert_eq!(page["users"], 1, "{page}");
    Ok(())
}

#[tokio::test]
async fn r_pres_1_without_the_capability_one_is_invisible_and_shown_none() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit("chat:invisible", "ann").join().await?;
    let mut ghost = server.visit("chat:invisible", "ghost").rights(json!(["join", "publish"])).join().await?;
    ensure!(list(&ghost.welcome, "members").is_empty(), "{}", ghost.welcome);
    let _bob = server.visit("chat:invisible", "bob").join().await?;
    ann.until_members(&["ann", "bob"]).await?;
    ghost.publish(json!("boo")).await?;
    ann.published(&json!("boo")).await?;
    ghost.published(&json!("boo")).await?;
    ensure!(diffs(&ghost).is_empty(), "{:?}", ghost.seen);
    ann.until_members(&["ann", "bob"]).await?;
    ghost.request(json!({ "t": "members" })).await?.refused("forbidden")?;
    ghost.request(json!({ "t": "presence", "data": 1 })).await?.refused("forbidden")?;
    Ok(())
}

#[tokio::test]
async fn r_pres_4_new_presence_data_reaches_the_others_as_an_update() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit("chat:mood", "ann").hello(json!({ "presence": "fine" })).join().await?;
    let mut bob = server.visit("chat:mood", "bob").join().await?;
    bob.until_members(&["ann", "bob"]).await?;
    assert_eq!(ann.request(json!({ "t": "presence", "data": "great" })).await?.result()?, json!({}));
    let session = ann.public_session();
    bob.until("ann is great", |seen| {
        Ok(tests::roster::roster(seen)?.get(&session).is_some_and(|member| member["data"] == "great"))
    })
    .await?;
    let large = json!({ "t": "presence", "data": "x".repeat(2048) });
    ann.request(large).await?.refused("too_large")?;
    Ok(())
}

#[tokio::test]
async fn r_pres_5_the_members_request_pages_through_the_list() -> Result<()> {
    let server = Server::start().await?;
    let mut clients = Vec::new();
    for user in ["u1", "u2", "u3", "u4", "u5"] {
        clients.push(server.visit("chat:pages", user).join().await?);
    }
    let (mut found, mut request) = (Vec::new(), json!({ "t": "members", "limit": 2 }));
    loop {
        let page = clients[0].request(request.clone()).await?.result()?;
        ensure!(list(&page, "members").len() <= 2, "{page}");
        assert_eq!((&page["users"], &page["connections"]), (&json!(5), &json!(5)), "{page}");
        found.extend(list(&page, "members").iter().map(|m| m["user"].to_string()));
        if page["next"].is_null() {
            break;
        }
        request["cursor"] = page["next"].clone();
        ensure!(found.len() <= 5, "paging does not end: {found:?}");
    }
    found.sort();
    assert_eq!(found, [r#""u1""#, r#""u2""#, r#""u3""#, r#""u4""#, r#""u5""#]);
    Ok(())
}

#[tokio::test]
async fn r_pres_3_members_outlive_a_kill_for_their_grace_and_no_longer() -> Result<()> {
    let mut server = Server::with("kinds.chat.presence.grace = '10s'").await?;
    let mut stays = server.visit("chat:killed", "stays").join().await?;
    let goes = server.visit("chat:killed", "goes").join().await?;
    let since = stays.until_members(&["goes", "stays"]).await?[&stays.public_session()]["since"].clone();
    let session = stays.session.clone();
    server.kill().await?;
    server.start_again(0).await?;
    let mut stays = server.visit("chat:killed", "stays").session(&session).join().await?;
    drop(goes);
    assert_eq!(stays.welcome["occupancy"], json!({ "members": 2, "users": 2 }), "both are members still");
    let members = tests::roster::roster(&stays.seen)?;
    assert_eq!(members[&stays.public_session()]["since"], since, "the membership is the same");
    stays.until_members(&["stays"]).await?;
    Ok(())
}
