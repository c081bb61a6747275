//! Chromium: the game, as people play it among bots (`browser/game.mjs`); the page's own copy of the movement
//! (`browser/game_golden.mjs`), and its dealings with the network (`browser/game_lag.mjs`).

use anyhow::Result;
use game_bots::bot::Bot;
use game_bots::tokens::Tokens;
use std::path::Path;
use std::time::Duration;
use tests::browser::play;
use tests::server::Server;
use tokio::process::Command;
use tokio::task::JoinSet;

/// Bots in the arena that the scenarios play in, until they are dropped.
fn bots(server: &Server, count: u64) -> JoinSet<Result<()>> {
    let url = format!("http://{}", server.authority());
    let mut bots = JoinSet::new();
    for seed in 0..count {
        let (tokens, room) = (Tokens::new(&url, None), "arena:test".to_owned());
        let (user, name) = (format!("bot-{seed}"), format!("Bot {seed}"));
        let bot = Bot { url: url.clone(), room, tokens, user, name, seed, warm_up: Duration::ZERO };
        bots.spawn(bot.play(drop));
    }
    bots
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn r_game_4_two_people_and_ten_bots_hear_of_every_tick_of_a_round() -> Result<()> {
    let server = Server::start().await?;
    let bots = bots(&server, 10);
    play(server, "game.mjs", "round").await?;
    drop(bots);
    Ok(())
}

#[tokio::test]
async fn r_game_1_a_lost_connection_and_a_reload_keep_the_seat_and_who_is_late_sees_the_floor() -> Result<()>
{
    play(Server::start().await?, "game.mjs", "away").await
}

#[tokio::test]
async fn r_game_9_a_round_goes_on_after_kill_9_and_a_restart() -> Result<()> {
    play(Server::start().await?, "game.mjs", "restart").await
}

#[tokio::test]
async fn r_game_8_whoever_is_alone_plays_against_bots_in_one_tab_at_a_time() -> Result<()> {
    play(Server::start().await?, "game.mjs", "alone").await
}

#[tokio::test]
async fn who_hears_nothing_any_more_is_told() -> Result<()> {
    play(Server::start().await?, "game.mjs", "silence").await
}

#[tokio::test]
async fn a_tab_that_nobody_looks_at_leaves_and_comes_back_when_it_is_seen() -> Result<()> {
    play(Server::start().await?, "game.mjs", "unseen").await
}

#[tokio::test]
async fn what_has_to_be_pressed_is_on_the_screen_of_a_phone_however_it_is_held() -> Result<()> {
    play(Server::start().await?, "game.mjs", "phones").await
}

#[tokio::test]
async fn the_page_moves_and_reads_as_the_room_does() -> Result<()> {
    node("game_golden.mjs").await
}

#[tokio::test]
async fn nobody_is_thrown_about_where_the_network_is_slow_and_uneven() -> Result<()> {
    node("game_lag.mjs").await
}

/// Runs a script of `browser/` that needs neither server nor browser.
async fn node(script: &str) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser").join(script);
    let status = Command::new("node").arg(script).status().await?;
    anyhow::ensure!(status.success(), "it ended with {status}; its output is above");
    Ok(())
}
