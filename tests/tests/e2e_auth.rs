//! Tokens, origins and room names at the gate, where they are right; what is wrong has tables in `e2e_credentials.rs`.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tests::client::Upgrade;
use tests::keys;
use tests::server::Server;
use tests::tokens::{claims, jwt, now_s};
use tests::wire::Codec;

const ROOM: &str = "chat:guarded";

fn all() -> Value {
    claims("mallory", ROOM, &json!(["*"]))
}

#[tokio::test]
async fn r_auth_1_a_good_token_of_either_algorithm_opens_the_room() -> Result<()> {
    let server = Server::start().await?;
    for token in [keys::good(&all()), jwt(&keys::hs_header(), &all(), &keys::hs())] {
        let upgrade = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&token));
        upgrade.connect(Codec::Json).await?.hello(json!({})).await?;
    }
    let mut late = all();
    late["exp"] = json!(now_s() - 5);
    let within_leeway = keys::good(&late);
    let upgrade = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&within_leeway));
    upgrade.connect(Codec::Json).await?.hello(json!({})).await?;
    Ok(())
}

#[tokio::test]
async fn r_auth_3_patterns_grant_the_union_of_all_that_match() -> Result<()> {
    let server = Server::start().await?;
    let rooms = json!({ "*": ["join"], "chat:*": ["history"], "chat:of-{sub}": ["publish"] });
    let token = server.mint("ann", &rooms, 60).await?;
    let join = async |room: &str| -> Result<tests::client::Client> {
        let upgrade = Upgrade::new(server.connect_url(room), Codec::Json, Some(&token));
        let mut client = upgrade.connect(Codec::Json).await?;
        client.hello(json!({})).await?;
        Ok(client)
    };
    let mut own = join("chat:of-ann").await?;
    own.publish(json!(1)).await?;
    own.request(json!({ "t": "history" })).await?.result()?;
    let mut other = join("chat:of-bob").await?;
    other.request(json!({ "t": "publish", "data": 1 })).await?.refused("forbidden")?;
    other.request(json!({ "t": "history" })).await?.result()?;
    Ok(())
}

#[tokio::test]
async fn r_auth_9_a_foreign_origin_is_refused_and_an_allowed_or_missing_one_is_not() -> Result<()> {
    let server = Server::with("allowed_origins = ['https://app.example', 'http://127.0.0.1:8080']").await?;
    let token = keys::good(&all());
    let foreign = [
        "https://evil.example",
        "http://app.example",
        "https://app.example:444",
        "https://app.example.evil.example",
        "https://sub.app.example",
        "null",
        "https://app.example/",
        "http://127.0.0.1:8081",
    ];
    for origin in foreign {
        let upgrade =
            Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&token)).header("origin", origin);
        let close = upgrade.connect(Codec::Json).await?.closed().await?;
        assert_eq!(close.code, 3503, "{origin}");
        let plain = Upgrade { url: server.connect_url(ROOM), subprotocols: Vec::new(), headers: Vec::new() }
            .header("authorization", format!("Bearer {token}"))
            .header("origin", origin);
        let refusal = plain.refused().await?;
        assert_eq!((refusal.status, refusal.code()?), (403, "forbidden".to_owned()), "{origin}");
    }
    ensure!(server.databases()?.is_empty(), "a room was woken: {:?}", server.databases()?);
    for origin in [Some("https://app.example"), Some("http://127.0.0.1:8080"), None] {
        let mut upgrade = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&token));
        if let Some(origin) = origin {
            upgrade = upgrade.header("origin", origin);
        }
        upgrade.connect(Codec::Json).await?.hello(json!({})).await?;
    }
    Ok(())
}

#[tokio::test]
async fn r_auth_10_bad_names_and_unknown_kinds_are_closed_with_their_code_ahead_of_the_token() -> Result<()> {
    let server = Server::start().await?;
    let token = server.mint("ann", &json!({ "*": ["*"] }), 60).await?;
    let cases = [("chat:%2F", 3500, 400), ("CHAT:x", 3500, 400), ("nokind:x", 3507, 404)];
    for (room, close, status) in cases {
        for token in [Some(token.as_str()), None] {
            let upgrade = Upgrade::new(server.connect_url(room), Codec::Json, token);
            assert_eq!(upgrade.connect(Codec::Json).await?.closed().await?.code, close, "{room} {token:?}");
        }
        let plain = Upgrade { url: server.connect_url(room), subprotocols: Vec::new(), headers: Vec::new() };
        assert_eq!(plain.refused().await?.status, status, "{room}");
    }
    ensure!(server.databases()?.is_empty(), "a room was woken: {:?}", server.databases()?);
    Ok(())
}

#[tokio::test]
async fn r_auth_8_a_flood_of_new_names_without_rights_creates_no_files() -> Result<()> {
    let server = Server::start().await?;
    let token = server.mint("mallory", &json!({ "chat:mine": ["*"] }), 60).await?;
    for n in 0..200 {
        let room = format!("chat:flood-{n}");
        let upgrade = Upgrade::new(server.connect_url(&room), Codec::Json, Some(&token));
        assert_eq!(upgrade.connect(Codec::Json).await?.closed().await?.code, 3503);
        let messages = server.get(&format!("/v1/rooms/{room}/messages")).bearer(&token);
        messages.send().await?.problem(403, "forbidden")?;
    }
    ensure!(server.databases()?.is_empty(), "files were created: {}", server.databases()?.len());
    server.visit("chat:mine", "ann").join().await?;
    ensure!(!server.databases()?.is_empty(), "this is how one sees that a room was touched");
    Ok(())
}

#[tokio::test]
async fn r_auth_11_headers_that_claim_to_come_from_the_gateway_are_worth_nothing() -> Result<()> {
    let server = Server::start().await?;
    let token = server.mint("ann", &json!({ ROOM: ["join"] }), 60).await?;
    let claimed = json!({ "sub": "root", "rooms": { "*": ["*"] }, "exp": now_s() + 999 }).to_string();
    let mut upgrade = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&token));
    for name in
        ["x-roomcast-claims", "roomcast-claims", "x-roomcast-user", "x-roomcast-verified", "x-roomcast"]
    {
        upgrade = upgrade.header(name, claimed.clone());
    }
    let mut client = upgrade.connect(Codec::Json).await?;
    client.hello(json!({})).await?;
    assert_eq!(client.welcome["user"], "ann");
    client.request(json!({ "t": "publish", "data": 1 })).await?.refused("forbidden")?;
    Ok(())
}
