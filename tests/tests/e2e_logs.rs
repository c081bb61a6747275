//! What the server writes about itself: one JSON object a line, that can be joined by request and connection, and
//! nothing of what anybody said or showed.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::client::{Client, Upgrade};
use tests::keys;
use tests::log;
use tests::receiver::{Manner, Receiver, SECRET};
use tests::server::Server;
use tests::tokens::claims;
use tests::wire::{Codec, Frame};

const ROOM: &str = "chat:logged";
/// In everything that is said.
const SAID: &str = "s0mething-that-was-said";
/// In everything that is shown and is no good.
const SHOWN: &str = "s0mething-that-was-shown";

fn token(sub: &str) -> String {
    keys::good(&claims(sub, ROOM, &json!(["*"])))
}

/// Connected under this request id, hello said.
async fn join(server: &Server, token: &str, request_id: &str) -> Result<Client> {
    let upgrade = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(token));
    let mut client = upgrade.header("x-request-id", request_id).connect(Codec::Json).await?;
    client.hello(json!({})).await?;
    Ok(client)
}

fn is(line: &Value, event: &str, field: &str, value: &Value) -> bool {
    line["event"] == event && line[field] == *value
}

#[tokio::test]
async fn r_log_3_a_connection_is_two_lines_joined_with_its_request_and_its_messages_are_none() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = join(&server, &token("ann"), "upgrade-of-ann").await?;
    let mut bob = join(&server, &token("bob"), "upgrade-of-bob").await?;
    let connection = ann.welcome["connection"].clone();
    let opened = log::line(&server, "ann's connection", |line| {
        is(line, "connected", "request_id", &json!("upgrade-of-ann"))
    })
    .await?;
    assert_eq!((&opened["connection"], &opened["level"]), (&connection, &json!("info")), "{opened}");
    assert_eq!(opened["room"], format!("default/{ROOM}"));
    let before = log::lines(&server)?.len();
    for number in 0..50 {
        ann.publish(json!(number)).await?;
        bob.published(&json!(number)).await?;
    }
    assert_eq!(log::lines(&server)?.len(), before, "messages are not told of");

    ann.close(1000).await?;
    let closed = log::line(&server, "its end", |line| is(line, "closed", "connection", &connection)).await?;
    assert_eq!((&closed["code"], &closed["by"]), (&json!(1000), &json!("client")), "{closed}");
    let path = format!("/v1/rooms/{ROOM}/disconnect");
    let body = json!({ "user": "bob", "block_for": 60 });
    server.post(&path).bearer(&server.api_key()).json(&body).send().await?.ok()?;
    assert_eq!(bob.closed().await?.code, 3505);
    let connection = bob.welcome["connection"].clone();
    let closed =
        log::line(&server, "bob's end", |line| is(line, "closed", "connection", &connection)).await?;
    assert_eq!((&closed["code"], &closed["by"]), (&json!(3505), &json!("room")), "{closed}");

    // Refused by the room, and by the gateway.
    let upgrade = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&token("bob")));
    let mut blocked = upgrade.header("x-request-id", "upgrade-of-blocked").connect(Codec::Json).await?;
    assert_eq!(blocked.closed().await?.code, 3505);
    let refused = |line: &Value| is(line, "connection_refused", "request_id", &json!("upgrade-of-blocked"));
    let refused = log::line(&server, "the refusal", refused).await?;
    assert_eq!((&refused["code"], &refused["level"]), (&json!(3505), &json!("warn")), "{refused}");
    let upgrade = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some("x.y.z"));
    upgrade.header("x-request-id", "upgrade-of-eve").connect(Codec::Json).await?.closed().await?;
    let failed = |line: &Value| is(line, "request_failed", "request_id", &json!("upgrade-of-eve"));
    let failed = log::line(&server, "the gateway's refusal", failed).await?;
    assert_eq!((&failed["route"], &failed["code"]), (&json!("connect"), &json!("unauthorized")), "{failed}");
    let lines = log::lines(&server)?;
    for event in ["connected", "closed"] {
        assert_eq!(lines.iter().filter(|line| line["event"] == event).count(), 2, "{event}: {lines:?}");
    }
    Ok(())
}

#[tokio::test]
async fn r_log_3_connections_need_not_be_told_of() -> Result<()> {
    let server = Server::with("log_connections = false").await?;
    join(&server, &token("ann"), "upgrade-of-ann").await?.close(1000).await?;
    let answer = server.get("/v1/rooms/nothing/messages").header("x-request-id", "the-last").send().await?;
    answer.problem(400, "bad_room_name")?;
    log::line(&server, "a refusal", |line| is(line, "request_failed", "request_id", &json!("the-last")))
        .await?;
    assert_eq!(log::lines(&server)?.len(), 1, "{:?}", log::lines(&server)?);
    Ok(())
}

/// Says and shows what no line may have: over sockets and over HTTP, in ways that are right and wrong.
async fn say_everything(server: &Server, ann: &mut Client) -> Result<()> {
    ann.publish(json!(SAID)).await?;
    ann.request(json!({ "t": "presence", "data": SAID })).await?.result()?;
    let set = json!({ "t": "state", "ops": [{ "set": SAID, "value": SAID }] });
    ann.request(set.clone()).await?.result()?;
    ann.request(json!({ "t": "publish", "data": SAID, "type": "edit" }))
        .await?
        .refused("invalid_argument")?;
    ann.request(json!({ "t": "auth", "token": SHOWN })).await?.refused("unauthorized")?;
    ann.send_frame(Frame::Text(format!("{{\"t\": \"publish\", \"data\": {SAID}"))).await?;
    ann.expect("an answer to nonsense", |message| message["code"] == "bad_request").await?;

    let publish = |credential: &str| server.post(&format!("/v1/rooms/{ROOM}/publish")).bearer(credential);
    let said = json!({ "data": SAID });
    publish(&server.api_key()).json(&said).send().await?.ok()?;
    publish(&token("ann")).json(&said).send().await?.ok()?;
    publish(SHOWN).json(&said).send().await?.problem(401, "unauthorized")?;
    publish(&format!("rk_dev_{SHOWN}")).json(&said).send().await?.problem(401, "unauthorized")?;
    publish(&format!("{SHOWN}.{SHOWN}.{SHOWN}")).json(&said).send().await?.problem(401, "unauthorized")?;
    let key = server.api_key();
    publish(&key).body(format!("{{\"data\": {SAID}")).send().await?.problem(400, "bad_request")?;
    publish(&key).json(&json!({ SAID: 1 })).send().await?.problem(400, "invalid_argument")?;
    publish(&key).json(&json!({ "data": 1, "tags": SAID })).send().await?.problem(400, "invalid_argument")?;
    let stranger = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(SHOWN));
    stranger.connect(Codec::Json).await?.closed().await?;
    let path = format!("/v1/rooms/{ROOM}/events?token={SHOWN}&tags={SAID}");
    server.get(&path).send().await?.problem(401, "unauthorized")?;
    server.get(&format!("/v1/{SAID}?token={SHOWN}")).send().await?.problem(404, "not_found")?;
    Ok(())
}

#[tokio::test]
async fn r_log_1_r_log_2_every_line_is_json_and_none_has_what_was_said_or_shown() -> Result<()> {
    let receiver = Receiver::start(Manner::Answer(500)).await?;
    let told = "kinds.chat.webhooks = ['member.joined', 'message.published']";
    let server = Server::with_secret(told, "ROOMCAST_WEBHOOKS", receiver.configured()).await?;
    let token = token("ann");
    let mut ann = join(&server, &token, "upgrade-of-ann").await?;
    say_everything(&server, &mut ann).await?;
    log::line(&server, "an endpoint that does not take it", |line| line["event"] == "webhook_failed").await?;
    ann.close(1000).await?;
    log::line(&server, "the end", |line| line["event"] == "closed").await?;

    let lines = log::lines(&server)?;
    let events: BTreeSet<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    let expected = ["closed", "connected", "request_failed", "token_refused", "webhook_failed"];
    assert_eq!(events, BTreeSet::from(expected), "{lines:?}");
    for line in lines.iter().filter(|line| line["event"] == "request_failed") {
        ensure!(line["request_id"].is_string() && line["route"].is_string(), "{line}");
    }
    let refused = lines.iter().find(|line| line["event"] == "token_refused").context("the newer token")?;
    assert_eq!(refused["connection"], ann.welcome["connection"], "{refused}");

    let written = log::text(&server)?;
    let signature = token.rsplit('.').next().context("a signature")?;
    let secrets = [SAID, SHOWN, &token, signature, &ann.session, &server.api_key(), SECRET];
    for secret in secrets {
        ensure!(!secret.is_empty() && !written.contains(secret), "{secret} was written:\n{written}");
    }
    Ok(())
}

#[tokio::test]
async fn r_log_4_a_trap_is_told_by_its_place() -> Result<()> {
    let server = Server::with_faults("").await?;
    let mut ann = join(&server, &token("ann"), "upgrade-of-ann").await?;
    server.arm(ROOM, "trap_on_message").await?;
    ann.send(&json!({ "t": "publish", "id": 9, "data": SAID })).await?;
    let panicked = log::line(&server, "the panic", |line| line["event"] == "panicked").await?;
    ensure!(panicked["place"].as_str().is_some_and(|place| place.contains("faults.rs:")), "{panicked}");
    server.members(ROOM).await?;
    let lost = log::line(&server, "the instance", |line| line["event"] == "instance_lost").await?;
    assert_eq!((&lost["lost"], &lost["instance"]), (&json!(1), &json!(2)), "{lost}");
    ensure!(!log::text(&server)?.contains(SAID));
    Ok(())
}
