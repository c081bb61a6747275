//! A token that runs out while its connection lives. Slow by nature: expiry deadlines come in slots of 30 s.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use std::time::Duration;
use tests::client::Answer;
use tests::server::Server;
use tests::tokens::now_s;

/// An expired connection is closed within 60 s; the leeway for clocks is 30 s.
const LIMIT: Duration = Duration::from_secs(60 + 30 + 15);

#[tokio::test]
async fn r_auth_11_a_connection_does_not_outlive_its_token() -> Result<()> {
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
