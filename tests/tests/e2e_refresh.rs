//! A newer token on a live connection.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tests::client::Client;
use tests::keys;
use tests::server::Server;
use tests::tokens::{claims, jwt, now_s};
use tests::wire::Codec;

const ROOM: &str = "chat:refreshed";

async fn show(client: &mut Client, token: &str) -> Result<tests::client::Answer> {
    client.request(json!({ "t": "auth", "token": token })).await
}

/// A token that the configured keys sign.
fn token(user: &str, rights: &Value, more: Value) -> String {
    let mut claims = claims(user, ROOM, rights);
    for (name, value) in more.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    keys::good(&claims)
}

#[tokio::test]
async fn r_fresh_1_a_newer_token_takes_over_and_lives_through_hibernation() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let visit = server.visit(ROOM, "ann").codec(codec).rights(json!(["join"]));
        let mut ann = visit.claims(json!({ "tags": ["$old"] })).join().await?;
        ann.request(json!({ "t": "publish", "data": 1 })).await?.refused("forbidden")?;
        let exp = now_s() + 600;
        let newer = token("ann", &json!(["join", "publish"]), json!({ "exp": exp, "tags": ["$new"] }));
        assert_eq!(show(&mut ann, &newer).await?.result()?, json!({ "expires_at": exp * 1000 }));
        for round in 0..2 {
            let tags = ann.request(json!({ "t": "unsubscribe", "tags": [] })).await?.result()?;
            assert_eq!(tags["tags"], json!(["$new"]), "{codec:?} {round}");
            ann.publish(json!(round)).await?;
            server.evict(ROOM).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn r_fresh_2_what_is_no_good_changes_nothing() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit(ROOM, "ann").join().await?;
    let rights = json!(["join"]);
    let expired = token("ann", &rights, json!({ "exp": now_s() - 3600 }));
    let forged = jwt(&keys::ed_header(), &claims("ann", ROOM, &rights), &keys::hs());
    let foreign = token("ann", &rights, json!({ "tenant": "acme" }));
    let rows = [
        (token("bob", &rights, json!({})), "forbidden", "forbidden"),
        (foreign, "forbidden", "forbidden"),
        (expired, "unauthorized", "token_expired"),
        (forged, "unauthorized", "unauthorized"),
        ("x.y.z".to_owned(), "unauthorized", "unauthorized"),
        (server.api_key(), "unauthorized", "unauthorized"),
    ];
    for (token, code, reason) in rows {
        let error = show(&mut ann, &token).await?.refused(code)?;
        assert_eq!(error["details"][0], json!({ "path": "token", "message": reason }), "{error}");
        ensure!(!error.to_string().contains(&token), "{error}");
        ann.publish(json!("as before")).await?;
    }
    let long = "x".repeat(8 * 1024 + 1);
    show(&mut ann, &long).await?.refused("invalid_argument")?;
    ann.publish(json!("as before")).await?;
    Ok(())
}

#[tokio::test]
async fn r_fresh_3_a_newer_token_without_join_closes() -> Result<()> {
    let server = Server::start().await?;
    let mut watcher = server.visit(ROOM, "watcher").join().await?;
    for rights in [json!(["history", "publish"]), json!([])] {
        let mut ann = server.visit(ROOM, "ann").join().await?;
        watcher.until_members(&["ann", "watcher"]).await?;
        let id = ann.next_id();
        ann.send(&json!({ "t": "auth", "id": id, "token": token("ann", &rights, json!({})) })).await?;
        assert_eq!(ann.closed().await?.code, 3503);
        watcher.until_members(&["watcher"]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn r_fresh_4_presence_comes_and_goes_with_the_capability() -> Result<()> {
    let server = Server::start().await?;
    let mut watcher = server.visit(ROOM, "watcher").join().await?;
    let mut ann = server.visit(ROOM, "ann").rights(json!(["join"])).join().await?;
    ensure!(ann.welcome.get("members").is_none(), "{}", ann.welcome);
    let seen = json!(["join", "presence"]);
    show(&mut ann, &token("ann", &seen, json!({}))).await?.result()?;
    watcher.until_members(&["ann", "watcher"]).await?;
    ann.until_members(&["ann", "watcher"]).await?;
    show(&mut ann, &token("ann", &seen, json!({ "info": { "name": "Ann" } }))).await?.result()?;
    watcher
        .expect("the new profile", |m| m["t"] == "presence" && m["updated"][0]["info"]["name"] == "Ann")
        .await?;
    show(&mut ann, &token("ann", &json!(["join"]), json!({}))).await?.result()?;
    watcher.until_members(&["watcher"]).await?;
    Ok(())
}

#[tokio::test]
async fn r_fresh_5_ten_refused_tokens_close() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit(ROOM, "ann").join().await?;
    for _ in 0..9 {
        show(&mut ann, "x.y.z").await?.refused("unauthorized")?;
    }
    let id = ann.next_id();
    ann.send(&json!({ "t": "auth", "id": id, "token": "x.y.z" })).await?;
    assert_eq!(ann.closed().await?.code, 3501);
    Ok(())
}

#[tokio::test]
async fn r_cli_29_a_client_replaces_its_tokens_and_nobody_notices() -> Result<()> {
    let server = Server::start().await?;
    server.node("refresh.mjs").await
}

#[tokio::test]
async fn r_block_5_a_revoked_token_ends_live_connections_and_is_no_newer_one() -> Result<()> {
    let server = Server::start().await?;
    let key = server.api_key();
    let revoked = token("ann", &json!(["join", "publish"]), json!({ "jti": "stolen" }));
    let mut ann = server.visit(ROOM, "ann").join().await?;
    let mut thief = tests::client::Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&revoked))
        .connect(Codec::Json)
        .await?;
    thief.hello(json!({})).await?;
    let body = json!({ "jti": "stolen", "ttl": 3600 });
    server.post("/v1/revocations").bearer(&key).json(&body).send().await?.ok()?;
    assert_eq!(thief.closed().await?.code, 3504);
    let deadline = tokio::time::Instant::now() + tests::DEADLINE;
    loop {
        match show(&mut ann, &revoked).await? {
            tests::client::Answer::Error(error) => {
                assert_eq!(error["details"][0]["message"], "revoked", "{error}");
                return Ok(());
            }
            tests::client::Answer::Reply(reply) => {
                ensure!(tokio::time::Instant::now() < deadline, "it is still good: {reply}");
            }
        }
    }
}
