//! What the development server adds: the demo page and tokens for the asking.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tests::server::Server;

#[tokio::test]
async fn the_demo_is_served_at_the_root_with_its_assets() -> Result<()> {
    let server = Server::start().await?;
    let page = server.get("/").send().await?;
    assert_eq!(page.status, 200, "{}", page.text());
    let kind = page.header("content-type").context("a content type")?;
    ensure!(kind.starts_with("text/html"), "{kind}");
    let html = page.text();
    let mut assets = 0;
    for part in html.split(['"', '\'']).filter(|part| part.ends_with(".js") || part.ends_with(".css")) {
        let path = format!("/{}", part.trim_start_matches("./").trim_start_matches('/'));
        let asset = server.get(&path).send().await?;
        assert_eq!(asset.status, 200, "{path}: {}", asset.text());
        let kind = asset.header("content-type").unwrap_or_default().to_owned();
        let expected = if path.ends_with(".js") { "javascript" } else { "css" };
        ensure!(kind.contains(expected), "{path} is {kind}");
        assets += 1;
    }
    ensure!(assets > 0, "the page refers to no script: {html}");
    Ok(())
}

#[tokio::test]
async fn r_http_6_the_development_token_grants_what_was_asked_and_nothing_else() -> Result<()> {
    let server = Server::start().await?;
    let token = server.mint("ann", &json!({ "chat:mine": ["join"] }), 60).await?;
    let claims = tests::tokens::part(&token, 1).context("a JWT has claims")?;
    assert_eq!(claims["sub"], "ann");
    assert_eq!(claims["rooms"], json!({ "chat:mine": ["join"] }));
    let ttl = claims["exp"].as_i64().context("exp is numeric")? - tests::tokens::now_s();
    ensure!((30..=60).contains(&ttl), "{claims}");
    for body in [json!({}), json!({ "sub": "" }), json!({ "sub": "a", "rooms": 1 }), json!([])] {
        let answer = server.post("/dev/token").json(&body).send().await?;
        ensure!((400..500).contains(&answer.status), "{body}: {} {}", answer.status, answer.text());
    }
    ensure!(server.databases()?.is_empty());
    Ok(())
}
