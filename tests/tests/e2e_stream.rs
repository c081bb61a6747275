//! The WebSocket's protocol by HTTP alone: a stream of events, and requests.

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::collections::VecDeque;
use tests::events::Stream;
use tests::server::Server;
use tests::wire::{Codec, Frame};

const SESSION: &str = "a-session-of-streams";

fn frame(messages: &[Value]) -> Result<String> {
    match Codec::Msgpack.encode(messages)? {
        Frame::Binary(bytes) => Ok(STANDARD.encode(bytes)),
        Frame::Text(text) => anyhow::bail!("{text:?} is no MessagePack"),
    }
}

struct Streaming<'a> {
    server: &'a Server,
    path: String,
    token: String,
    stream: Stream,
    connection: Value,
    heard: VecDeque<Value>,
}

impl<'a> Streaming<'a> {
    async fn open(server: &'a Server, room: &str, user: &str, hello: &Value) -> Result<Streaming<'a>> {
        let token = server.mint(user, &json!({ room: ["*"] }), 600).await?;
        let path = format!("/v1/rooms/{room}/stream");
        let mut first = json!({ "t": "hello", "session": SESSION });
        for (name, value) in hello.as_object().context("an object")? {
            first[name] = value.clone();
        }
        let call = server.post(&path).bearer(&token).json(&json!({ "frame": frame(&[first])? }));
        let mut stream = Stream::open(call).await?;
        let open = stream.next().await?;
        ensure!(open.name == "open", "{open:?}");
        let connection = open.data["connection"].clone();
        Ok(Streaming { server, path, token, stream, connection, heard: VecDeque::new() })
    }

    /// The next message that `is` wanted.
    async fn hear(&mut self, is: impl Fn(&Value) -> bool) -> Result<Value> {
        loop {
            while let Some(message) = self.heard.pop_front() {
                if is(&message) {
                    return Ok(message);
                }
            }
            let event = self.stream.next().await?;
            ensure!(event.name == "frame", "{event:?}");
            let bytes = STANDARD.decode(event.data.as_str().context("base64")?)?;
            self.heard.extend(Codec::Msgpack.decode(&Frame::Binary(bytes))?);
        }
    }

    async fn say_as(&self, session: &str, token: &str, message: Value) -> Result<tests::http::Response> {
        let body = json!({ "frame": frame(&[message])?, "connection": self.connection, "session": session });
        self.server.post(&self.path).bearer(token).json(&body).send().await
    }

    async fn say(&self, message: Value) -> Result<()> {
        let answer = self.say_as(SESSION, &self.token, message).await?.ok()?;
        ensure!(answer == json!({}), "{answer}");
        Ok(())
    }
}

#[tokio::test]
async fn r_stream_1_all_of_the_protocol_passes_by_http() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:streamed";
    let mut ann = Streaming::open(&server, room, "ann", &json!({ "presence": "here" })).await?;
    let welcome = ann.hear(|m| m["t"] == "welcome").await?;
    assert_eq!((&welcome["connection"], &welcome["user"]), (&ann.connection, &json!("ann")));

    let mut bob = server.visit(room, "bob").join().await?;
    let ann_there =
        bob.welcome["members"].as_array().into_iter().flatten().find(|member| member["user"] == "ann");
    assert_eq!(ann_there.context("ann is a member")?["data"], "here");
    ann.hear(|m| m["t"] == "presence" && m["joined"][0]["user"] == "bob").await?;
    bob.publish(json!({ "text": "hello" })).await?;
    let heard = ann.hear(|m| m["t"] == "publication").await?;
    assert_eq!(heard["data"], json!({ "text": "hello" }));

    ann.say(json!({ "t": "publish", "id": 1, "data": [1], "key": "k" })).await?;
    let reply = ann.hear(|m| m["t"] == "reply" && m["id"] == 1).await?;
    assert_eq!(reply["result"]["offset"], 2);
    bob.published(&json!([1])).await?;
    ann.say(json!({ "t": "leave", "id": 2 })).await?;
    ann.hear(|m| m["t"] == "reply" && m["id"] == 2).await?;
    Ok(())
}

#[tokio::test]
async fn r_stream_2_a_lost_stream_has_its_grace_and_its_recovery() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:stream-lost";
    let mut ann = Streaming::open(&server, room, "ann", &json!({})).await?;
    let welcome = ann.hear(|m| m["t"] == "welcome").await?;
    let epoch = welcome["epoch"].clone();
    drop(ann);
    server.publish(room, &json!({ "data": "missed" })).await?;
    let members = server.members(room).await?;
    assert_eq!(members["members"][0]["user"], "ann", "{members}");
    let recover = json!({ "recover": { "epoch": epoch, "offset": 0 } });
    let mut ann = Streaming::open(&server, room, "ann", &recover).await?;
    let welcome = ann.hear(|m| m["t"] == "welcome").await?;
    assert_eq!(welcome["recovered"], true, "{welcome}");
    assert_eq!(welcome["publications"][0]["data"], "missed");

    server
        .call(http::Method::DELETE, &format!("/v1/rooms/{room}"))
        .bearer(&server.api_key())
        .send()
        .await?
        .ok()?;
    let close = ann.stream.until("close").await?;
    assert_eq!(close.data["code"], 3510, "{close:?}");
    Ok(())
}

#[tokio::test]
async fn r_stream_3_only_who_opened_a_stream_speaks_on_it() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:stream-whose";
    let mut ann = Streaming::open(&server, room, "ann", &json!({})).await?;
    ann.hear(|m| m["t"] == "welcome").await?;
    let publish = |id: u32| json!({ "t": "publish", "id": id, "data": id });
    let mallory = server.mint("mallory", &json!({ room: ["*"] }), 600).await?;
    ann.say_as("another-session", &ann.token, publish(1)).await?.problem(404, "not_found")?;
    ann.say_as(SESSION, &mallory, publish(2)).await?.problem(404, "not_found")?;
    ann.say_as(SESSION, "no.token.at-all", publish(3)).await?.problem(401, "unauthorized")?;
    let wrong = [
        (json!({ "frame": "AP8" }), "frame"),
        (json!({ "frame": "", "session": SESSION }), "connection"),
        (json!({ "frame": "", "connection": ann.connection }), "session"),
        (json!({ "frame": "", "connection": "x", "session": SESSION }), "connection"),
    ];
    for (body, path) in wrong {
        let answer = server.post(&ann.path).bearer(&ann.token).json(&body).send().await?;
        let problem = answer.problem(400, "invalid_argument")?;
        assert_eq!(problem["details"][0]["path"], path, "{body}: {problem}");
    }
    ann.say(publish(4)).await?;
    ann.hear(|m| m["t"] == "reply" && m["id"] == 4).await?;
    let stored: Vec<_> = server.history(room).await?.publications.into_values().collect();
    assert_eq!(stored.len(), 1, "{stored:?}");
    Ok(())
}

#[tokio::test]
async fn r_cli_33_the_package_lives_where_no_upgrade_passes() -> Result<()> {
    let server = Server::start().await?;
    server.node("blocked.mjs").await
}
