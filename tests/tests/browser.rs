//! Chromium: the demo, as two people use it (`browser/demo.mjs`), pages without the SDK (`browser/events.mjs`), and
//! what the SDK lives through (`browser/survival.mjs`).

use anyhow::{Result, ensure};
use serde_json::json;
use std::path::Path;
use tests::browser::{LIMIT, play as play_on};
use tests::server::Server;
use tokio::process::Command;

async fn play(scenario: &str) -> Result<()> {
    play_of("demo.mjs", scenario).await
}

/// Runs a scenario of that script and does what it asks of the outside.
async fn play_of(script: &str, scenario: &str) -> Result<()> {
    play_on(Server::start().await?, script, scenario).await
}

/// Whoever is away is a member all the time: the grace is longer than the scenario.
async fn survive(scenario: &str) -> Result<()> {
    let server = Server::with("kinds.chat.presence.grace = \"120s\"").await?;
    play_on(server, "survival.mjs", scenario).await
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
async fn r_cli_13_half_a_minute_offline_and_sockets_that_died_silently_cost_nothing() -> Result<()> {
    survive("away").await
}

#[tokio::test]
async fn r_cli_14_frozen_and_throttled_tabs_catch_up() -> Result<()> {
    survive("asleep").await
}

#[tokio::test]
async fn r_cli_29_a_token_that_ended_while_the_page_was_away_is_replaced_and_live_ones_in_time() -> Result<()>
{
    survive("expired").await
}

#[tokio::test]
async fn r_cli_26_a_server_killed_and_stopped_under_load_and_back_elsewhere_costs_nothing() -> Result<()> {
    survive("restarted").await
}

#[tokio::test]
async fn r_cli_11_a_hundred_reconnects_leave_no_listener_no_socket_and_no_memory_behind() -> Result<()> {
    survive("hundred").await
}

#[tokio::test]
async fn r_cli_32_a_reload_goes_on_as_the_same_member_and_a_duplicated_tab_as_another() -> Result<()> {
    survive("reloaded").await
}

#[tokio::test]
async fn r_cli_33_bundles_a_page_without_a_bundler_and_a_worker_hear_themselves_and_so_without_websockets()
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
