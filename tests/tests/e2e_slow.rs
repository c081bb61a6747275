//! Readers that do not read: what they are spared, when they are let go, and that nobody else notices.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tests::client::{Client, fresh_session};
use tests::observer::{History, Trial, Witness};
use tests::raw_socket::{CLOSE, RawSocket};
use tests::server::Server;
use tests::wire::{Codec, Frame};
use tests::{DEADLINE, eventually};

/// About 60 KB of payload, each its own.
fn large(number: u64) -> Value {
    json!(format!("{number:06}{}", "x".repeat(60_000)))
}

/// A member whose socket takes in little, and that reads when told to.
struct Reader {
    socket: RawSocket,
    session: String,
    seen: Vec<Value>,
    closed: Option<u16>,
}

impl Reader {
    async fn join(server: &Server, room: &str, user: &str) -> Result<Reader> {
        let rights = json!(["join", "publish", "presence", "history"]);
        let token = server.mint(user, &json!({ room: rights }), 3600).await?;
        let offered = format!("roomcast.v1.json, roomcast.token.{token}");
        let headers = [("Sec-WebSocket-Protocol", offered.as_str())];
        let path = format!("/v1/rooms/{room}/connect");
        let mut socket = RawSocket::upgrade_narrow(server.authority(), &path, &headers).await?;
        ensure!(socket.head.starts_with("http/1.1 101"), "{}", socket.head);
        let session = fresh_session();
        socket.text(&json!({ "t": "hello", "session": session, "members": false }).to_string()).await?;
        let mut reader = Reader { socket, session, seen: Vec::new(), closed: None };
        reader.until("welcome", |message| message["t"] == "welcome").await?;
        Ok(reader)
    }

    /// Reads a frame; false at the end.
    async fn read(&mut self) -> Result<bool> {
        let Some(frame) = self.socket.next().await? else { return Ok(false) };
        if frame.opcode == CLOSE {
            let code = frame.content.get(..2).context("a close frame with a code")?;
            self.closed = Some(u16::from_be_bytes([code[0], code[1]]));
            self.socket.send(CLOSE, &frame.content).await?;
            return Ok(true);
        }
        let text = String::from_utf8(frame.content).context("text")?;
        self.seen.extend(Codec::Json.decode(&Frame::Text(text))?);
        Ok(true)
    }

    async fn until(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Result<()> {
        while !self.seen.iter().any(&is_it) {
            ensure!(self.read().await?, "the end instead of {what}");
        }
        Ok(())
    }

    /// Reads what is left, and returns the close code.
    async fn read_to_end(&mut self) -> Result<u16> {
        while self.read().await? {}
        self.closed.context("the connection ended without a close frame")
    }

    fn count(&self, t: &str) -> usize {
        self.seen.iter().filter(|message| message["t"] == t).count()
    }

    fn witness(&self) -> Witness {
        let mut witness = Witness::new("slow");
        self.seen.iter().for_each(|message| witness.saw(message));
        witness
    }
}

async fn publish(server: &Server, room: &str, number: u64) -> Result<()> {
    server.publish(room, &json!({ "data": large(number) })).await.map(drop)
}

async fn connections(server: &Server, room: &str) -> Result<u64> {
    server.members(room).await?["connections"].as_u64().context("connections")
}

/// Publishes until so many connections are left, and returns how much it took.
async fn publish_until(server: &Server, room: &str, left: u64) -> Result<u64> {
    for number in 1..=400 {
        publish(server, room, number).await?;
        if number % 4 == 0 && connections(server, room).await? == left {
            return Ok(number);
        }
    }
    bail!("24 MB, and the slow ones are still there")
}

fn client_witness(client: &Client) -> Witness {
    let mut witness = Witness::new("client");
    client.seen.iter().for_each(|message| witness.saw(message));
    witness
}

fn verdict(history: History, witnesses: Vec<Witness>) -> Result<()> {
    Trial { history, answered: Vec::new(), witnesses }.verdict()
}

#[tokio::test]
async fn r_slow_1_a_reader_a_mebibyte_behind_is_spared_ephemerals_and_told_so_once() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:behind";
    // How much the two kernels take in before the platform holds anything is theirs to say.
    let _first = Reader::join(&server, "chat:measure", "slow").await?;
    let closes_at = publish_until(&server, "chat:measure", 0).await?;
    let last = closes_at.checked_sub(25).context("4 MiB are more than 25 publications")?;

    let mut ann = server.visit(room, "ann").join().await?;
    let mut slow = Reader::join(&server, room, "slow").await?;
    let ephemeral = |n: u64| json!({ "t": "publish", "data": n, "ephemeral": true });
    for number in 1..last {
        publish(&server, room, number).await?;
    }
    for n in 1..=5 {
        ann.request(ephemeral(n)).await?.result()?;
        ann.expect("the ephemeral", |m| m["t"] == "ephemeral" && m["data"] == n).await?;
    }
    publish(&server, room, last).await?;
    slow.until("the last", |message| message["offset"] == last).await?;
    assert_eq!(slow.count("publication") as u64, last, "what is logged is never dropped");
    assert_eq!(slow.count("ephemeral"), 0, "ephemerals are");
    let notices: Vec<&Value> = slow.seen.iter().filter(|m| m["t"] == "notice").collect();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(notices[0]["code"], "ephemerals_dropped");

    // It has caught up; the room learns that when it next sends.
    let mut n = 100;
    let again = |message: &Value| message["t"] == "ephemeral";
    eventually("ephemerals come again", async || {
        n += 1;
        ann.request(ephemeral(n)).await?.result()?;
        slow.socket.text("ping").await?;
        let frame = slow.socket.next().await?.context("a pong or an ephemeral")?;
        let text = String::from_utf8(frame.content)?;
        if text != "pong" {
            slow.seen.extend(Codec::Json.decode(&Frame::Text(text))?);
        }
        Ok(slow.seen.iter().any(again).then_some(()))
    })
    .await?;
    assert_eq!(slow.count("notice"), 1, "told once");
    verdict(server.history(room).await?, vec![slow.witness(), client_witness(&ann)])
}

#[tokio::test]
async fn r_slow_1_one_four_mebibytes_behind_is_closed_3003_and_recovers_all_of_it() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:too-slow";
    let mut json = server.visit(room, "json").join().await?;
    let mut pack = server.visit(room, "pack").codec(Codec::Msgpack).join().await?;
    let mut slow = Reader::join(&server, room, "slow").await?;
    let last = publish_until(&server, room, 2).await?;
    for client in [&mut json, &mut pack] {
        client.publication("the last", |m| m["offset"] == last).await?;
        ensure!(!client.seen.iter().any(|m| m["t"] == "notice"), "the others notice nothing");
    }
    assert_eq!(slow.read_to_end().await?, 3003);
    let mut witness = slow.witness();
    let hello = json!({ "recover": witness.recover().context("a position")? });
    let again = server.visit(room, "slow").session(&slow.session).hello(hello).join().await?;
    assert_eq!(again.welcome["recovered"], true, "{:?}", again.welcome["reason"]);
    again.seen.iter().for_each(|message| witness.saw(message));
    let witnesses = vec![witness, client_witness(&json), client_witness(&pack)];
    verdict(server.history(room).await?, witnesses)
}

/// What thirty readers do not take is bounded, and so is what the process holds for them.
#[tokio::test]
async fn r_slow_3_thirty_stalled_readers_slow_nobody_and_cost_bounded_memory() -> Result<()> {
    const READERS: u64 = 30;
    /// 4 MiB each would be 120 MiB; the rest is what the platform and the collector make of it.
    const BOUND: u64 = 400 << 20;
    let server = Server::with("kinds.chat.limits.connections_user = 100").await?;
    let room = "chat:stalled";
    let mut ann = server.visit(room, "ann").join().await?;
    publish(&server, room, 0).await?;
    let before = server.resident_bytes()?;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        readers.push(Reader::join(&server, room, "slow").await?);
    }
    let mut highest = before;
    let mut number = 0;
    let patience = tokio::time::Instant::now() + 3 * DEADLINE;
    while connections(&server, room).await? > 1 {
        ensure!(tokio::time::Instant::now() < patience && number < 400, "the slow ones are still there");
        number += 1;
        publish(&server, room, number).await?;
        ann.published(&large(number)).await?;
        highest = highest.max(server.resident_bytes()?);
    }
    let grown = highest - before;
    ensure!(grown < BOUND, "{} MiB for {READERS} readers", grown >> 20);
    for reader in &mut readers {
        assert_eq!(reader.read_to_end().await?, 3003);
    }
    verdict(server.history(room).await?, vec![client_witness(&ann)])
}

#[tokio::test]
async fn r_slow_2_where_acks_are_asked_for_who_never_acks_is_closed_and_who_does_is_not() -> Result<()> {
    let server = Server::with("acks = 'always'").await?;
    for codec in Codec::BOTH {
        let room = format!("chat:acks-{codec:?}");
        let mut never = server.visit(&room, "never").codec(codec).join().await?;
        let mut acks = server.visit(&room, "acks").codec(codec).join().await?;
        assert_eq!(never.welcome["limits"]["ack"], true);
        let mut was_told = false;
        for number in 1..=100 {
            publish(&server, &room, number).await?;
            acks.published(&large(number)).await?;
            let frames = acks.frames.len();
            acks.send(&json!({ "t": "ack", "frames": frames })).await?;
            if number == 50 {
                let ephemeral = json!({ "t": "publish", "data": "typing", "ephemeral": true });
                acks.request(ephemeral).await?.result()?;
                acks.expect("the ephemeral", |m| m["t"] == "ephemeral").await?;
                never.expect("the notice", |m| m["code"] == "ephemerals_dropped").await?;
                was_told = true;
                server.evict(&room).await?;
            }
        }
        ensure!(was_told && !never.seen.iter().any(|m| m["t"] == "ephemeral"));
        for number in 101..=140 {
            publish(&server, &room, number).await?;
            acks.published(&large(number)).await?;
            let frames = acks.frames.len();
            acks.send(&json!({ "t": "ack", "frames": frames })).await?;
        }
        assert_eq!(never.closed().await?.code, 3003, "though it reads");
        acks.barrier().await?;
        verdict(server.history(&room).await?, vec![client_witness(&acks), client_witness(&never)])?;
    }
    Ok(())
}

#[tokio::test]
async fn r_slow_2_acks_are_asked_for_nowhere_else_and_harm_nothing() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit("chat:no-acks", "ann").join().await?;
    ensure!(ann.welcome["limits"]["ack"] != true, "{}", ann.welcome);
    for frames in [0, 1, 1_u64 << 40] {
        ann.send(&json!({ "t": "ack", "frames": frames })).await?;
    }
    ann.publish(json!(1)).await?;
    ensure!(!ann.seen.iter().any(|m| m["t"] == "error"), "{:?}", ann.seen);
    Ok(())
}
