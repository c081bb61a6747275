//! Chromium: the demo, as two people use it (`browser/demo.mjs`), and pages without the SDK (`browser/events.mjs`).

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use std::path::Path;
use std::process::Stdio;
use tests::proxy::Proxy;
use tests::server::Server;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

/// A scenario's whole run; far beyond what it takes.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(240);

async fn play(scenario: &str) -> Result<()> {
    play_of("demo.mjs", scenario).await
}

/// Runs a scenario of that script and does what it asks of the outside.
async fn play_of(script: &str, scenario: &str) -> Result<()> {
    let mut server = Server::start().await?;
    let proxy = Proxy::start(server.authority()).await?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser").join(script);
    let mut node = Command::new("node")
        .arg(script)
        .arg(scenario)
        .arg(format!("http://{}/", server.authority()))
        .arg(format!("http://{}/", proxy.authority()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("start node")?;
    let mut answers = node.stdin.take().context("node's input is piped")?;
    let mut lines = BufReader::new(node.stdout.take().context("node's output is piped")?).lines();
    let conversation = converse(&mut server, &proxy, &mut lines, &mut answers);
    tokio::time::timeout(LIMIT, conversation).await.context("the scenario does not end")??;
    let status = node.wait().await?;
    ensure!(status.success(), "{scenario} ended with {status}; its output is above");
    Ok(())
}

async fn converse(
    server: &mut Server,
    proxy: &Proxy,
    lines: &mut Lines<BufReader<ChildStdout>>,
    answers: &mut ChildStdin,
) -> Result<()> {
    let port = server.port();
    while let Some(line) = lines.next_line().await? {
        println!("{line}");
        let Some(wish) = line.strip_prefix('@') else { continue };
        match wish {
            "cut" => proxy.cut(),
            "heal" => proxy.heal(),
            "kill" => server.kill().await?,
            "start" => server.start_again(port).await?,
            _ => bail!("the scenario wishes for {wish:?}"),
        }
        answers.write_all(b"done\n").await?;
    }
    Ok(())
}

#[tokio::test]
async fn r_pres_2_two_tabs_join_see_each_other_and_talk() -> Result<()> {
    play("talk").await
}

#[tokio::test]
async fn r_hist_1_a_reload_keeps_the_history() -> Result<()> {
    play("reload").await
}

#[tokio::test]
async fn r_rec_1_a_tab_that_was_offline_comes_back_with_nothing_missing_or_doubled() -> Result<()> {
    play("offline").await
}

#[tokio::test]
async fn r_life_1_both_tabs_recover_from_kill_9_and_a_restart() -> Result<()> {
    play("kill").await
}

#[tokio::test]
async fn r_sse_2_a_browsers_event_source_comes_back_by_itself_and_stops_when_told_to() -> Result<()> {
    play_of("events.mjs", "listen").await
}

#[tokio::test]
async fn r_http_10_the_reference_shows_every_operation() -> Result<()> {
    play_of("events.mjs", "docs").await
}

#[tokio::test]
async fn bundles_of_vite_webpack_and_esbuild_and_a_page_without_a_bundler_join_and_hear_themselves()
-> Result<()> {
    let server = Server::start().await?;
    let pages = built(&["vite", "webpack", "esbuild", "script"]).await?;
    let token = server.mint("ann", &json!({ "chat:bundled": ["join", "publish"] }), 600).await?;
    let url = format!("http://{}", server.authority());
    run(script("browser/bundles.mjs").arg(pages.path()).args([url, token])).await
}

#[tokio::test]
async fn r_view_5_in_the_react_example_one_message_renders_one_list() -> Result<()> {
    let server = Server::start().await?;
    let pages = built(&["react"]).await?;
    let url = format!("http://{}", server.authority());
    run(script("browser/react.mjs").arg(pages.path()).arg(url)).await
}

/// A folder with what the bundlers of these names made.
async fn built(names: &[&str]) -> Result<tempfile::TempDir> {
    let pages = tempfile::tempdir()?;
    run(script("bundlers/build.mjs").arg(pages.path()).args(names)).await?;
    Ok(pages)
}

fn script(path: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
    node
}

/// To its end, which must be a good one.
async fn run(command: &mut Command) -> Result<()> {
    let status = tokio::time::timeout(LIMIT, command.kill_on_drop(true).status()).await??;
    ensure!(status.success(), "{command:?} ended with {status}; its output is above");
    Ok(())
}
