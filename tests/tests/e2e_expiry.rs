//! Deadlines of a connection that lives: its hello, its token. Slow by nature: hello may take 10 s, and expiry
//! comes in slots of 30 s.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use std::time::Duration;
use tests::client::Answer;
use tests::server::Server;
use tests::tokens::now_s;

/// An expired connection is closed within 60 s; the leeway for clocks is 30 s.
const LIMIT: Duration = Duration::from_secs(60 + 30 + 15);

#[tokio::test]
async fn r_auth_12_a_connection_does_not_outlive_its_token() -> Result<()> {
    let server = Server::start().await?;
    let token = server.mint("ann", &json!({ "chat:expiry": ["join", "publish"] }), 1).await?;
    let exp = tests::tokens::part(&token, 1).context("claims")?["exp"].as_i64().context("exp")?;
    let url = server.connect_url("chat:expiry");
    let codec = tests::wire::Codec::Json;
    let mut ann = tests::client::Upgrade::new(url, codec, Some(&token)).connect(codec).await?;
    ann.hello(json!({})).await?;
    assert_eq!(ann.welcome["expires_at"], exp * 1000);
    let close = ann.closed_within(LIMIT).await?;
    assert_eq!(close.code, 3010);
    Ok(())
}

#[tokio::test]
async fn r_auth_12_each_request_looks_at_the_tokens_expiry_itself() -> Result<()> {
    let server = Server::start().await?;
    let token = server.mint("ann", &json!({ "chat:expired-request": ["join", "publish"] }), 1).await?;
    let exp = tests::tokens::part(&token, 1).context("claims")?["exp"].as_i64().context("exp")?;
    let url = server.connect_url("chat:expired-request");
    let codec = tests::wire::Codec::Json;
    let mut ann = tests::client::Upgrade::new(url, codec, Some(&token)).connect(codec).await?;
    ann.hello(json!({})).await?;
    let mut pace = tokio::time::interval(Duration::from_millis(500));
    loop {
        pace.tick().await;
        let before = now_s();
        match ann.request(json!({ "t": "publish", "data": before })).await {
            Ok(Answer::Reply(_)) => ensure!(before <= exp + 31, "accepted {} s after exp", before - exp),
            Ok(Answer::Error(error)) => {
                assert_eq!(error["code"], "unauthorized", "{error}");
                return Ok(());
            }
            Err(_) => {
                assert_eq!(ann.closed().await?.code, 3010, "closed instead, which says as much");
                return Ok(());
            }
        }
    }
}

#[tokio::test]
async fn r_hello_1_a_connection_that_only_pings_is_closed_for_want_of_a_hello() -> Result<()> {
    let server = Server::start().await?;
    let mut mute = server.visit("chat:mute", "ann").connect().await?;
    mute.ping().await?;
    assert_eq!(mute.closed().await?.code, 3002);
    Ok(())
}

/// workerd 1.20261117.1 holds a close back from a hibernatable socket that has sent nothing at all, until the object
/// is evicted: the deadline is therefore one minute's sweep and some more, not ten seconds.
#[tokio::test]
async fn r_hello_1_a_connection_that_sends_nothing_at_all_is_closed_in_bounded_time() -> Result<()> {
    let server = Server::start().await?;
    let mut silent = server.visit("chat:silent", "ann").connect().await?;
    assert_eq!(silent.closed_within(LIMIT).await?.code, 3002);
    Ok(())
}

/// Whether the room sleeps to the very millisecond of the warning is chance: ten rooms leave little of it.
#[tokio::test]
async fn r_auth_12_the_server_warns_before_a_token_expires_though_the_rooms_sleep() -> Result<()> {
    let server = Server::start().await?;
    let token = server.mint("ann", &json!({ "chat:*": ["join"] }), 85).await?;
    let exp = tests::tokens::part(&token, 1).context("claims")?["exp"].as_i64().context("exp")?;
    let codec = tests::wire::Codec::Msgpack;
    let mut clients = Vec::new();
    for n in 0..10 {
        let url = server.connect_url(&format!("chat:warned-{n}"));
        let mut client = tests::client::Upgrade::new(url, codec, Some(&token)).connect(codec).await?;
        client.hello(json!({})).await?;
        clients.push(client);
    }
    let mut warned = 0;
    let mut pace = tokio::time::interval(Duration::from_secs(2));
    while now_s() < exp && warned < clients.len() {
        pace.tick().await;
        warned = 0;
        for client in &mut clients {
            client.ping().await?;
            warned += usize::from(client.seen.iter().any(|m| m["t"] == "expiring"));
        }
    }
    assert_eq!(warned, clients.len(), "connections that were warned in time");
    let warning = clients[0].expect("the warning", |m| m["t"] == "expiring").await?;
    assert_eq!(warning["expires_at"], exp * 1000);
    Ok(())
}
