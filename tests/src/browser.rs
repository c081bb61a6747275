//! Scenarios in Chromium, which node plays, and the outside of them: servers that die, cables that are pulled.

use crate::proxy::Proxy;
use crate::server::Server;
use anyhow::{Context as _, Result, bail, ensure};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

/// A scenario's whole run; far beyond what it takes.
pub const LIMIT: std::time::Duration = std::time::Duration::from_secs(240);

/// Ways to the server whose cables are pulled one by one.
const PROXIES: usize = 5;

/// Runs that scenario of a script of `tests/browser`, and does what it asks of the outside.
///
/// # Errors
/// It failed, or did not end in time.
pub async fn play(mut server: Server, script: &str, scenario: &str) -> Result<()> {
    let mut proxies = Vec::new();
    for _ in 0..PROXIES {
        proxies.push(Proxy::start(server.authority()).await?);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser").join(script);
    let mut node = Command::new("node")
        .arg(script)
        .arg(scenario)
        .arg(format!("http://{}/", server.authority()))
        .args(proxies.iter().map(|proxy| format!("http://{}/", proxy.authority())))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("start node")?;
    let mut answers = node.stdin.take().context("node's input is piped")?;
    let mut lines = BufReader::new(node.stdout.take().context("node's output is piped")?).lines();
    let conversation = converse(&mut server, &proxies, &mut lines, &mut answers);
    tokio::time::timeout(LIMIT, conversation).await.context("the scenario does not end")??;
    let status = node.wait().await?;
    ensure!(status.success(), "{scenario} ended with {status}; its output is above");
    Ok(())
}

async fn converse(
    server: &mut Server,
    proxies: &[Proxy],
    lines: &mut Lines<BufReader<ChildStdout>>,
    answers: &mut ChildStdin,
) -> Result<()> {
    let port = server.port();
    while let Some(line) = lines.next_line().await? {
        println!("{line}");
        let Some(wish) = line.strip_prefix('@') else { continue };
        let (wish, which) = wish.split_once(' ').unwrap_or((wish, "0"));
        let proxy = proxies.get(which.parse::<usize>()?).context("there are not so many proxies")?;
        match wish {
            "cut" => proxy.cut(),
            "silence" => proxy.silence(),
            "heal" => proxy.heal(),
            "kill" => server.kill().await?,
            "stop" => server.stop().await?,
            "start" => server.start_again(port).await?,
            "move" => {
                server.start_again(0).await?;
                proxies.iter().for_each(|proxy| proxy.redirect(server.authority()));
            }
            _ => bail!("the scenario wishes for {wish:?}"),
        }
        answers.write_all(b"done\n").await?;
    }
    Ok(())
}
