//! Deliveries a second and latency of a room beside a peer, in one run on one machine.
//!
//! Both servers are workerd processes on loopback, measured in turn, round after round: what the machine does
//! meanwhile falls on both. Both get the same load: one sender with so many messages in flight, each a WebSocket
//! message of its own with a 100-byte payload, and so many receivers. A *delivery* is one payload at one receiver.
//! Latency is from the sender's write to a receiver's
//! read, at every tenth receiver. The room's log is on: what it delivers is
//! committed. The peer stores nothing; a second one inserts each message before it sends it.

mod load;
mod report;

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use anyhow::{Context as _, Result};
use clap::Parser;

use load::{Dialect, Load, Measurement};

/// Measures two running servers; `cargo xtask bench` starts them.
#[derive(Debug, Parser)]
struct Arguments {
    /// `127.0.0.1:<port>` of a gateway in dev mode.
    #[arg(long)]
    gateway: String,
    /// `127.0.0.1:<port>` of the peer.
    #[arg(long)]
    peer: String,
    /// Measured time of each round, in seconds; one more warms up.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    #[arg(long, default_value_t = 100)]
    receivers: usize,
    #[arg(long, default_value_t = 32)]
    in_flight: usize,
    /// How often each server is measured; the report shows medians.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// One JSON document instead of a table.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut room, mut peer, mut storing) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=arguments.rounds {
        eprintln!("bench: round {round} of {}", arguments.rounds);
        room.push(runtime.block_on(measure_room(&arguments, round)).context("failed to measure the room")?);
        peer.push(runtime.block_on(measure_peer(&arguments, "")).context("failed to measure the peer")?);
        let stored = runtime.block_on(measure_peer(&arguments, "stored"));
        storing.push(stored.context("failed to measure the storing peer")?);
    }
    let report = report::Report::new(&room, &peer, &storing);
    println!("{}", if arguments.json { report.json() } else { report.table() });
    Ok(())
}

async fn measure_room(arguments: &Arguments, round: usize) -> Result<Measurement> {
    let token = mint(&arguments.gateway).context("failed to mint a token")?;
    let url =
        format!("ws://{}/v1/rooms/load:bench-{}-{round}/connect", arguments.gateway, std::process::id());
    load_of(arguments, url, Dialect::Roomcast { token }).run().await
}

async fn measure_peer(arguments: &Arguments, path: &str) -> Result<Measurement> {
    load_of(arguments, format!("ws://{}/{path}", arguments.peer), Dialect::Raw).run().await
}

fn mint(gateway: &str) -> Result<String> {
    let body = r#"{"sub":"bench","rooms":{"load:*":["*"]},"ttl":3600}"#;
    let mut stream = TcpStream::connect(gateway)?;
    let length = body.len();
    write!(
        stream,
        "POST /dev/token HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let json = answer.find('{').map(|at| &answer[at..]).unwrap_or_default();
    let json = &json[..=json.rfind('}').context("no token in the answer")?];
    let answer: serde_json::Value = serde_json::from_str(json)?;
    Ok(answer["token"].as_str().context("no token in the answer")?.to_owned())
}

fn load_of(arguments: &Arguments, url: String, dialect: Dialect) -> Load {
    let Arguments { receivers, in_flight, seconds, .. } = *arguments;
    Load { url, dialect, receivers, in_flight, seconds }
}
