//! What browsers ask before they ask, and what anybody may read.

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use tests::server::Server;

const PATH: &str = "/v1/rooms/chat:cors/messages";

#[tokio::test]
async fn r_http_8_cors_follows_the_allowed_origins() -> Result<()> {
    let server = Server::with("allowed_origins = [\"https://app.example\"]").await?;
    for (origin, allowed) in [("https://app.example", true), ("https://app.example.evil", false)] {
        let preflight = server
            .call(Method::OPTIONS, PATH)
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization")
            .send()
            .await?;
        assert_eq!(preflight.status, 204, "{}", preflight.text());
        let answer = server.get(PATH).bearer(&server.api_key()).header("origin", origin).send().await?;
        for response in [preflight, answer] {
            let granted = response.header("access-control-allow-origin");
            assert_eq!(granted, allowed.then_some(origin), "{origin}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn r_http_8_the_signing_keys_public_half_is_published_and_nothing_else() -> Result<()> {
    let server = Server::start().await?;
    let keys = server.get("/.well-known/jwks.json").send().await?.json()?;
    let keys = keys["keys"].as_array().context("no keys")?;
    ensure!(keys.len() == 1 && keys[0]["kty"] == "OKP" && keys[0]["crv"] == "Ed25519", "{keys:?}");
    ensure!(keys[0].get("d").is_none(), "the private half is published");
    Ok(())
}
