//! Who may do what: each cell of the tables in docs/AUTHORISATION.md, which are written by hand.

use anyhow::{Context as _, Result, bail};
use hyper::Method;
use serde_json::{Value, json};
use tests::client::{Answer, Client, Upgrade};
use tests::events::Stream;
use tests::http::Call;
use tests::keys;
use tests::matrix::{Cell, Findings, Table};
use tests::server::Server;
use tests::wire::Codec;

/// A room of its own for each cell, so that no cell sees what another did.
fn room(table: &str, number: usize) -> String {
    format!("chat:{table}-{number}")
}

fn capabilities(column: &str) -> Vec<&str> {
    if column == "none" { Vec::new() } else { column.split(", ").collect() }
}

/// How a page writes it.
fn written(code: &str) -> &str {
    if code == "forbidden" { "no" } else { code }
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes".into() } else { "no".into() }
}

async fn outcome(client: &mut Client, request: Value) -> Result<String> {
    Ok(match client.request(request).await? {
        Answer::Reply(_) => "yes".into(),
        Answer::Error(error) => written(error["code"].as_str().context("a code")?).to_owned(),
    })
}

/// A publication of `user`, at offset 1.
async fn published(server: &Server, room: &str, user: &str) -> Result<()> {
    server.publish(room, &json!({ "data": "first", "from": { "user": user } })).await?;
    Ok(())
}

async fn said(server: &Server, room: &str, cell: &Cell<'_>) -> Result<String> {
    let mut rights = vec!["join"];
    rights.extend(cell.column.trim_end_matches(" alone").split(", "));
    let rights = json!(rights);
    let author = if cell.row.ends_with("one's own") { "ann" } else { "bob" };
    published(server, room, author).await?;
    let visit = server.visit(room, "ann").rights(rights.clone());
    match cell.row {
        "hello" => return visit.join().await.map(|_| "yes".into()),
        "hello that recovers" => {
            let epoch = server.get(&format!("/v1/rooms/{room}/messages")).bearer(&server.api_key());
            let epoch = epoch.send().await?.ok()?["epoch"].clone();
            let hello = json!({ "recover": { "epoch": epoch, "offset": 0 } });
            let client = visit.hello(hello).join().await?;
            let reason = client.welcome["reason"].as_str().map(written);
            return Ok(reason.map_or_else(|| yes_or_no(client.welcome["recovered"] == true), Into::into));
        }
        "hello that rewinds" => {
            let client = visit.hello(json!({ "rewind": 1 })).join().await?;
            return Ok(yes_or_no(client.welcome["publications"] != json!([])));
        }
        "hello that sees members" => {
            let client = visit.join().await?;
            return Ok(yes_or_no(client.welcome["members"].is_array()));
        }
        "hello that is listed" => {
            let _client = visit.join().await?;
            return Ok(yes_or_no(server.members(room).await?["members"] != json!([])));
        }
        _ => {}
    }
    let mut owner = None;
    if cell.row == "state, another's owned key" {
        let mut bob = server.visit(room, "bob").rights(json!(["join", "state"])).join().await?;
        let set = json!({ "t": "state", "ops": [{ "set": "key", "value": 1, "owned": true }] });
        bob.request(set).await?.result()?;
        owner = Some(bob);
    }
    let mut ann = visit.join().await?;
    let request = match cell.row {
        "publish" => json!({ "t": "publish", "data": 1 }),
        "publish, ephemeral" => json!({ "t": "publish", "data": 1, "ephemeral": true }),
        "publish to a $ tag" => json!({ "t": "publish", "data": 1, "tags": ["$vip"] }),
        "react" => json!({ "t": "react", "offset": 1, "name": "+1", "on": true }),
        "edit, one's own" | "edit, another's" => json!({ "t": "edit", "offset": 1, "data": 2 }),
        "remove, one's own" | "remove, another's" => json!({ "t": "remove", "offset": 1 }),
        "presence" => json!({ "t": "presence", "data": "here" }),
        "members" => json!({ "t": "members" }),
        "history" => json!({ "t": "history" }),
        "state, a key" => json!({ "t": "state", "ops": [{ "set": "key", "value": 1 }] }),
        "state, another's owned key" => json!({ "t": "state", "ops": [{ "delete": "key" }] }),
        "subscribe" => json!({ "t": "subscribe", "tags": ["red"] }),
        "unsubscribe" => json!({ "t": "unsubscribe", "tags": ["red"] }),
        "call" => json!({ "t": "call", "method": "m", "args": {} }),
        "cancel" => json!({ "t": "cancel" }),
        "auth" => json!({ "t": "auth", "token": server.visit(room, "ann").rights(rights).token().await? }),
        "leave" => json!({ "t": "leave" }),
        row => bail!("nobody knows how to try {row:?}"),
    };
    let found = outcome(&mut ann, request).await?;
    drop(owner);
    Ok(found)
}

#[tokio::test]
async fn r_pub_8_each_message_takes_the_capability_that_is_written() -> Result<()> {
    let server = Server::start().await?;
    let table = Table::read("WebSocket, by the token's capabilities")?;
    let mut findings = Findings::default();
    for (number, cell) in table.cells().enumerate() {
        let found = said(&server, &room("ws", number), &cell).await;
        findings.note(&cell, &found.with_context(|| format!("{cell:?}"))?);
    }
    println!("{} cells", findings.judge()?);
    Ok(())
}

/// `{"t": "hello", "session": "0123456789"}` in MessagePack and base64.
const HELLO: &str = "gqF0pWhlbGxvp3Nlc3Npb26qMDEyMzQ1Njc4OQ==";

/// Makes what the endpoint needs to be there, and the call.
async fn prepared(server: &Server, room: &str, row: &str) -> Result<Call> {
    let author = if row.ends_with("another's") { "bob" } else { "ann" };
    published(server, room, author).await?;
    let (endpoint, variant) = row.split_once(" with ").unwrap_or((row, ""));
    let (method, path) = endpoint.split_once(' ').context("a method and a path")?;
    let path = path
        .replace("{room}", room)
        .replace("{offset}", "1")
        .replace("{user}", "ann")
        .replace("{method}", "m")
        .replace("{id}", "nothing");
    let path = if variant == "raw" { format!("{path}?raw=true") } else { path };
    let call = server.call(Method::from_bytes(method.as_bytes())?, &path);
    Ok(match (endpoint, variant) {
        ("POST /v1/rooms/{room}/publish", "") => call.json(&json!({ "data": 1 })),
        ("POST /v1/rooms/{room}/publish", "from") => {
            call.json(&json!({ "data": 1, "from": { "user": "bot" } }))
        }
        ("PATCH /v1/rooms/{room}/messages/{offset}", _) => call.json(&json!({ "data": 2 })),
        ("PATCH /v1/rooms/{room}/state", "") => call.json(&json!({ "ops": [{ "set": "key", "value": 1 }] })),
        ("POST /v1/rooms/{room}/disconnect", "") => call.json(&json!({ "user": "nobody" })),
        ("POST /v1/users/{user}/publish", "") => call.json(&json!({ "data": 1 })),
        ("POST /v1/publish", "") => call.json(&json!({ "messages": [{ "room": room, "data": 1 }] })),
        ("POST /v1/rooms/{room}/call/{method}" | "POST /v1/webhooks/parked/{id}/replay", "") => call,
        ("POST /v1/revocations", "") => call.json(&json!({ "jti": "nobody's", "ttl": 60 })),
        ("POST /v1/users/{user}/disconnect", "") => call,
        ("POST /v1/rooms/{room}/stream", "") => call.json(&json!({ "frame": HELLO })),
        ("POST /v1/tokens", "") => call.json(&json!({ "sub": "ann", "rooms": {}, "ttl": 60 })),
        _ if method == "GET" || method == "DELETE" => call,
        _ => bail!("nobody knows how to try {row:?}"),
    })
}

/// What becomes of it: also for the two that do not end with their answer.
async fn tried(server: &Server, room: &str, row: &str, credential: Option<&str>) -> Result<String> {
    let call = prepared(server, room, row).await?;
    let call = credential.into_iter().fold(call, |call, credential| call.bearer(credential));
    if row.ends_with("/connect") {
        let mut upgrade = Upgrade::new(server.connect_url(room), Codec::Json, None);
        if let Some(credential) = credential {
            upgrade = upgrade.header("authorization", format!("Bearer {credential}"));
        }
        let mut client = upgrade.connect(Codec::Json).await?;
        let hello = json!({ "t": "hello", "session": "0123456789" });
        // Where the upgrade was refused, the connection may be closed by now.
        drop(client.send(&hello).await);
        return Ok(match client.expect("welcome", |m| m["t"] == "welcome").await {
            Ok(_) => "yes".into(),
            Err(_) => match client.closed().await?.code {
                3501 => "unauthorized".into(),
                3503 => "no".into(),
                code => code.to_string(),
            },
        });
    }
    let first =
        [("/events", "position"), ("/stream", "open")].into_iter().find(|(end, _)| row.ends_with(end));
    if let Some((_, first)) = first
        && let Ok(mut stream) = Stream::open(call.clone()).await
    {
        stream.until(first).await?;
        return Ok("yes".into());
    }
    let answer = call.send().await?;
    if answer.status == 200 {
        // Of a batch, what became of its one message.
        let code = answer
            .json()
            .ok()
            .and_then(|answer| Some(written(answer["results"][0]["error"]["code"].as_str()?).to_owned()));
        return Ok(code.unwrap_or_else(|| "yes".into()));
    }
    let code = answer.json()?["code"].as_str().context("a code")?.to_owned();
    answer.problem(answer.status, &code)?;
    Ok(written(&code).to_owned())
}

#[tokio::test]
async fn r_auth_7_each_endpoint_takes_the_capability_that_is_written() -> Result<()> {
    let server = Server::start().await?;
    let table = Table::read("HTTP, by the token's capabilities")?;
    let mut findings = Findings::default();
    for (number, cell) in table.cells().enumerate() {
        let room = room("http", number);
        let allowed = capabilities(cell.column);
        let rooms = json!({ &room: allowed, "user:ann": allowed });
        let token = server.mint("ann", &rooms, 600).await?;
        let found = tried(&server, &room, cell.row, Some(&token)).await;
        findings.note(&cell, &found.with_context(|| format!("{cell:?}"))?);
    }
    println!("{} cells", findings.judge()?);
    Ok(())
}

#[tokio::test]
async fn r_auth_13_each_endpoint_takes_the_scope_that_is_written() -> Result<()> {
    let server = Server::start().await?;
    let table = Table::read("HTTP, by the API key's scope")?;
    let mut findings = Findings::default();
    for (number, cell) in table.cells().enumerate() {
        let key = keys::api_key(cell.column);
        let found = tried(&server, &room("scope", number), cell.row, Some(&key)).await;
        findings.note(&cell, &found.with_context(|| format!("{cell:?}"))?);
    }
    println!("{} cells", findings.judge()?);
    Ok(())
}

#[tokio::test]
async fn r_auth_6_each_kind_admits_who_is_written() -> Result<()> {
    let every = "['join','publish','presence','history','state','call','edit-own','edit-any','moderate']";
    let kinds = format!(
        "[kinds.public]\naccess = 'public'\ndefault_capabilities = {every}\n\
         [kinds.token]\naccess = 'token'\n[kinds.service]\naccess = 'service'\n"
    );
    let server = Server::with(&kinds).await?;
    let table = Table::read("Kinds, by what is shown")?;
    let mut findings = Findings::default();
    for (number, cell) in table.cells().enumerate() {
        let (kind, shown) = cell.column.split_once(", ").context("a kind and what is shown")?;
        let room = format!("{kind}:{number}");
        let credential = match shown {
            "nothing" => None,
            "token" => Some(server.mint("ann", &json!({ &room: ["*"] }), 600).await?),
            "key" => Some(server.api_key()),
            other => bail!("nobody shows {other:?}"),
        };
        let found = tried(&server, &room, cell.row, credential.as_deref()).await;
        findings.note(&cell, &found.with_context(|| format!("{cell:?}"))?);
    }
    println!("{} cells", findings.judge()?);
    Ok(())
}
