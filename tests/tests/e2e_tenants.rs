//! Whose a request is where tenants are told by the host: each cell of the table in docs/AUTHORISATION.md, which is
//! written by hand.

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tests::client::Upgrade;
use tests::keys;
use tests::matrix::{Findings, Table};
use tests::server::Server;
use tests::tokens::{Signature, claims, jwt};
use tests::wire::Codec;

const TENANTS: [&str; 3] = ["acme", "other", "default"];
const ACME_KID: &str = "acme-hs";
const ACME_SECRET: &[u8; 32] = b"the secret of acme, also 32 long";

fn api_key(tenant: &str) -> String {
    format!("rk_{tenant}_of-the-tenant")
}

async fn server() -> Result<Server> {
    let mut server =
        Server::prepared("tenants = { 'acme.example' = 'acme' }\n[kinds.open]\naccess = 'public'")?;
    let entry = |tenant: &str| {
        let sha256: String =
            Sha256::digest(api_key(tenant)).iter().map(|byte| format!("{byte:02x}")).collect();
        json!({ "id": tenant, "sha256": sha256, "tenant": tenant })
    };
    server.set_secret("ROOMCAST_API_KEYS", json!(TENANTS.map(entry)).to_string());
    let mut trusted: Vec<Value> = serde_json::from_str(&keys::configured())?;
    let secret = URL_SAFE_NO_PAD.encode(ACME_SECRET);
    trusted.push(json!({ "kid": ACME_KID, "alg": "HS256", "secret": secret, "tenant": "acme" }));
    server.set_secret("ROOMCAST_KEYS", json!(trusted).to_string());
    server.start_again(0).await?;
    Ok(server)
}

/// A token with all rights in the room, as the row has it.
fn token(row: &str, room: &str) -> String {
    let mut claims = claims("ann", room, &json!(["*"]));
    if let Some((_, tenant)) = row.split_once(" says ").filter(|(_, tenant)| *tenant != "nothing") {
        claims["tenant"] = json!(tenant);
    }
    if row.contains("by a key of acme") {
        let header = json!({ "alg": "HS256", "kid": ACME_KID });
        return jwt(&header, &claims, &Signature::Hs256(ACME_SECRET.to_vec()));
    }
    keys::good(&claims)
}

/// Publishes over a socket; false where that is `forbidden`.
async fn said(server: &Server, room: &str, host: &str, token: Option<&str>) -> Result<bool> {
    let upgrade = Upgrade::new(server.connect_url(room), Codec::Json, token).header("host", host);
    let mut client = upgrade.connect(Codec::Json).await?;
    let session = client.session.clone();
    // Where the upgrade was refused, the connection may be closed by now.
    drop(client.send(&json!({ "t": "hello", "session": session })).await);
    if client.expect("welcome", |message| message["t"] == "welcome").await.is_err() {
        assert_eq!(client.closed().await?.code, 3503, "{room}");
        return Ok(false);
    }
    client.publish(json!("here")).await?;
    Ok(true)
}

/// The same over HTTP.
async fn posted(server: &Server, room: &str, host: &str, credential: &str) -> Result<bool> {
    let call = server.call(Method::POST, &format!("/v1/rooms/{room}/publish")).host(host);
    let answer = call.bearer(credential).json(&json!({ "data": "here" })).send().await?;
    if answer.status == 200 {
        return Ok(true);
    }
    answer.problem(403, "forbidden")?;
    Ok(false)
}

/// In whose room there is something.
async fn reached(server: &Server, room: &str) -> Result<Vec<&'static str>> {
    let mut found = Vec::new();
    for tenant in TENANTS {
        let path = format!("/v1/rooms/{room}/messages");
        let page = server.get(&path).bearer(&api_key(tenant)).send().await?.ok()?;
        if page["messages"] != json!([]) {
            found.push(tenant);
        }
    }
    Ok(found)
}

#[tokio::test]
async fn r_addr_4_each_host_serves_the_tenant_that_is_written() -> Result<()> {
    let server = server().await?;
    let table = Table::read("Tenants, by the host that it was sent to")?;
    let mut findings = Findings::default();
    for (number, cell) in table.cells().enumerate() {
        let host = if cell.column == "elsewhere" { server.authority() } else { cell.column };
        let ways: &[&str] = if cell.row.starts_with("a token") { &["socket", "http"] } else { &["one"] };
        for way in ways {
            let kind = if cell.row.starts_with("nothing") { "open" } else { "chat" };
            let room = format!("{kind}:{number}-{way}");
            let done = match (cell.row, *way) {
                (row, "one") if row.starts_with("nothing") => said(&server, &room, host, None).await,
                (row, "one") => {
                    let tenant = row.strip_prefix("an API key of ").context("a row that is known")?;
                    posted(&server, &room, host, &api_key(tenant)).await
                }
                (row, "socket") => said(&server, &room, host, Some(&token(row, &room))).await,
                (row, "http") => posted(&server, &room, host, &token(row, &room)).await,
                other => bail!("nobody knows how to try {other:?}"),
            };
            let done = done.with_context(|| format!("{cell:?} by {way}"))?;
            let reached = reached(&server, &room).await?;
            ensure!(done != reached.is_empty() && reached.len() <= 1, "{cell:?} by {way}: {reached:?}");
            findings.note(&cell, reached.first().unwrap_or(&"no"));
        }
    }
    println!("{} cells", findings.judge()?);
    Ok(())
}
