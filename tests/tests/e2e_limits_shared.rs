//! Rates of callers over all gateways.

use anyhow::{Result, ensure};
use serde_json::json;
use tests::client::Upgrade;
use tests::keys;
use tests::server::Server;
use tests::wire::Codec;

const ROOM: &str = "chat:limited";

async fn statuses(server: &Server, bearer: &str, count: usize) -> Result<Vec<u16>> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        let answer = server.get(&format!("/v1/rooms/{ROOM}/messages")).bearer(bearer).send().await?;
        if answer.status != 200 {
            let problem = answer.problem(429, "rate_limited")?;
            ensure!(problem["retry_after_ms"].as_u64().is_some_and(|ms| ms > 0), "{problem}");
            ensure!(answer.header("retry-after").is_some_and(|s| s.parse::<u32>().is_ok_and(|s| s > 0)));
        }
        statuses.push(answer.status);
    }
    Ok(statuses)
}

fn allowed(statuses: &[u16]) -> usize {
    statuses.iter().filter(|status| **status == 200).count()
}

#[tokio::test]
async fn r_lim_1_a_users_calls_and_connections_are_bounded_and_anothers_are_not() -> Result<()> {
    let server = Server::with("rates = { user = [1, 5], key = 'off', address = 'off' }").await?;
    let ann = server.mint("ann", &json!({ ROOM: ["*"] }), 600).await?;
    let bob = server.mint("bob", &json!({ ROOM: ["*"] }), 600).await?;
    let seen = statuses(&server, &ann, 40).await?;
    ensure!(allowed(&seen) >= 5 && allowed(&seen) < 40, "{seen:?}");
    assert_eq!(seen[..5], [200; 5], "the burst");
    let mut client = None;
    for _ in 0..20 {
        let upgrade = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&ann));
        let mut refused = upgrade.connect(Codec::Json).await?;
        if let Ok(close) = refused.closed_within(std::time::Duration::from_millis(200)).await {
            client = Some(close.code);
            break;
        }
    }
    assert_eq!(client, Some(3004), "a browser is told to come back slowly");
    assert_eq!(allowed(&statuses(&server, &bob, 3).await?), 3);
    let service = statuses(&server, &server.api_key(), 30).await?;
    assert_eq!(allowed(&service), 30, "keys have no rate of their own here");
    Ok(())
}

#[tokio::test]
async fn r_lim_1_api_keys_are_bounded_each_by_itself() -> Result<()> {
    let server = Server::with("rates = { user = 'off', key = [1, 3], address = 'off' }").await?;
    let seen = statuses(&server, &keys::api_key("read"), 30).await?;
    ensure!(seen[..3] == [200; 3] && allowed(&seen) < 30, "{seen:?}");
    assert_eq!(allowed(&statuses(&server, &server.api_key(), 2).await?), 2);
    Ok(())
}

#[tokio::test]
async fn r_lim_3_an_address_is_what_the_configured_header_says() -> Result<()> {
    let changes =
        "client_address_header = 'x-real-ip'\nrates = { user = 'off', key = 'off', address = [1, 3] }";
    let server = Server::with(changes).await?;
    let from = async |address: Option<&str>| -> Result<u16> {
        let call = server.get(&format!("/v1/rooms/{ROOM}/messages"));
        let call = address.into_iter().fold(call, |call, address| call.header("x-real-ip", address));
        Ok(call.send().await?.status)
    };
    let mut seen = Vec::new();
    for _ in 0..20 {
        seen.push(from(Some("192.0.2.1")).await?);
    }
    assert_eq!(seen[..3], [401; 3], "ahead of any credentials");
    ensure!(seen.contains(&429), "{seen:?}");
    assert_eq!(from(Some("192.0.2.2")).await?, 401);
    for _ in 0..10 {
        assert_eq!(from(None).await?, 401, "nothing is known of the address");
    }
    assert_eq!(server.get("/healthz").header("x-real-ip", "192.0.2.1").send().await?.status, 200);
    Ok(())
}
