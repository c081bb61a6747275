//! The example receivers, run as they stand against a real workerd: independent libraries verify what it signs.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use tests::DEADLINE;
use tests::receiver::{SECRET, published_x};
use tests::server::{Server, repository};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;
use webhook_receiver::{Receiver, Verifier};

const ROOM: &str = "chat:example";
const TOLD: &str = "kinds.chat.webhooks = ['member.joined', 'message.published']";

/// A server that is told of the receiver's port by a restart: the receiver needs its key first.
async fn server() -> Result<Server> {
    Server::with(TOLD).await
}

async fn restart_with(server: &mut Server, port: u16) -> Result<()> {
    let url = format!("http://127.0.0.1:{port}/");
    let endpoints = json!([{ "id": "example", "url": url, "allow_private": true, "secret": SECRET }]);
    server.set_secret("ROOMCAST_WEBHOOKS", endpoints.to_string());
    let port = server.port();
    server.stop().await?;
    server.start_again(port).await
}

async fn make_news(server: &Server) -> Result<()> {
    let mut ann = server.visit(ROOM, "ann").join().await?;
    ann.publish(json!("h\u{e9}llo")).await?;
    Ok(())
}

#[tokio::test]
async fn r_hook_11_r_srv_4_the_typescript_example_verifies_with_the_standards_library_and_the_published_key()
-> Result<()> {
    let mut server = server().await?;
    let directory = tempfile::tempdir()?;
    let bundle = directory.path().join("receiver.cjs");
    let source = repository().join("examples/webhook-receiver/typescript/receiver.ts");
    let mut esbuild = Command::new(repository().join("node_modules/.bin/esbuild"));
    esbuild.arg(source).args(["--bundle", "--platform=node", "--log-level=error"]);
    let outfile = format!("--outfile={}", bundle.display());
    ensure!(esbuild.arg(outfile).status().await?.success(), "the example cannot be bundled");
    let mut node = Command::new("node")
        .arg(bundle)
        .env("PORT", "0")
        .env("ROOMCAST_URL", format!("http://{}", server.authority()))
        .env("ROOMCAST_WEBHOOK_SECRET", SECRET)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("start node")?;
    let mut lines = BufReader::new(node.stdout.take().context("node's output is piped")?).lines();
    let first = timeout(DEADLINE, lines.next_line()).await??.context("the receiver says its port")?;
    let port = first.strip_prefix("listening on ").context(first.clone())?.parse()?;
    restart_with(&mut server, port).await?;
    make_news(&server).await?;
    for expected in ["member.joined chat:example ", "message.published chat:example "] {
        let line = timeout(DEADLINE, lines.next_line()).await??.context("another line")?;
        ensure!(line.starts_with(expected), "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn r_hook_11_the_rust_example_verifies_with_the_standards_library_and_the_published_key() -> Result<()>
{
    let mut server = server().await?;
    let x = published_x(server.authority()).await?;
    let (ports, mut port) = mpsc::unbounded_channel();
    let (events, mut told) = mpsc::unbounded_channel::<Value>();
    // Not the runtime's: a test that fails does not wait for it.
    let serving = std::thread::spawn(move || {
        let receiver = Receiver::new(Verifier::new(Some(SECRET), Some(&x))?);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut left = 2;
        let take = |event: &Value| {
            left -= 1;
            events.send(event.clone()).is_ok() && left > 0
        };
        receiver.serve(address, |port| ports.send(port).unwrap_or_default(), take)
    });
    let port = timeout(DEADLINE, port.recv()).await?.context("a port")?;
    restart_with(&mut server, port).await?;
    make_news(&server).await?;
    for expected in ["member.joined", "message.published"] {
        let event = timeout(DEADLINE, told.recv()).await?.context("another event")?;
        ensure!(event["type"] == expected, "{event}");
    }
    serving.join().expect("the receiver ends")
}
