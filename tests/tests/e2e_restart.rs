//! The process ends, gracefully or not, and comes back on the same data.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use std::collections::BTreeSet;
use tests::observer::Trial;
use tests::server::Server;
use tests::talker::{Account, Orders, Talker};
use tests::wire::Codec;
use tests::{DEADLINE, eventually};
use tokio::sync::watch;
use tokio::task::JoinSet;

const ROOM: &str = "chat:killed";

/// Times that the process is killed, each at a step that the load itself decides; `ROOMCAST_KILLS` asks for more.
const KILLS: usize = 20;

fn kills() -> usize {
    std::env::var("ROOMCAST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS)
}

/// Nothing is trimmed while a run is judged.
const LONG_LOG: &str = "kinds.chat.log.count = 1000000";

/// So many publishers, every other one with keys, and two who listen; both codecs.
async fn talkers(
    server: &Server,
    orders: &watch::Receiver<Orders>,
    publishers: usize,
) -> Result<JoinSet<Result<Account>>> {
    let mut set = JoinSet::new();
    for number in 0..publishers + 2 {
        let name = format!("talker-{number}");
        let token = server.mint(&name, &json!({ ROOM: ["*"] }), 3600).await?;
        let in_flight_max = if number < publishers { 4 } else { 0 };
        let (codec, keyed) = (Codec::BOTH[number % 2], number / 2 % 2 == 0);
        let talker = Talker { name, room: ROOM.to_owned(), token, codec, in_flight_max, keyed };
        set.spawn(talker.run(orders.clone()));
    }
    Ok(set)
}

async fn head(server: &Server) -> Result<u64> {
    let path = format!("/v1/rooms/{ROOM}/messages?limit=1");
    let page = server.get(&path).bearer(&server.api_key()).send().await?.ok()?;
    Ok(page["messages"][0]["offset"].as_u64().unwrap_or_default())
}

/// Waits until the log has grown by `count`: the load is on.
async fn grown(server: &Server, count: u64) -> Result<()> {
    let start = head(server).await?;
    eventually("the log grows", async || Ok((head(server).await? >= start + count).then_some(()))).await
}

async fn finish(mut set: JoinSet<Result<Account>>) -> Result<Vec<Account>> {
    let mut accounts = Vec::new();
    while let Some(account) = tokio::time::timeout(4 * DEADLINE, set.join_next()).await.context("settle")? {
        accounts.push(account??);
    }
    Ok(accounts)
}

async fn judge(server: &Server, accounts: Vec<Account>, restarts: usize) -> Result<()> {
    let history = server.history(ROOM).await?;
    for account in &accounts {
        let name = &account.witness.name;
        // Somebody may not be back before the next kill.
        ensure!(account.connections > restarts / 2, "{name} had {} connections", account.connections);
        ensure!(account.refusals.is_empty(), "{name} could not recover: {:?}", account.refusals);
        assert_eq!(account.recoveries, account.connections - 1, "{name} recovered each time");
    }
    let answered = accounts.iter().flat_map(|account| account.answered.clone()).collect();
    let witnesses = accounts.into_iter().map(|account| account.witness).collect();
    let trial = Trial { history, answered, witnesses };
    ensure!(trial.answered.len() > 50, "only {} publishes were answered", trial.answered.len());
    trial.verdict()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_key_3_kill_9_under_32_publishers_loses_no_answered_publish_and_doubles_none() -> Result<()> {
    let mut server = Server::with(LONG_LOG).await?;
    let (send, orders) = watch::channel(Orders { base: server.ws(), wind_up: false });
    let set = talkers(&server, &orders, 32).await?;
    let kills = kills();
    for round in 0..kills {
        grown(&server, 40 + 13 * (u64::try_from(round)? % 7))
            .await
            .with_context(|| format!("round {round}"))?;
        server.kill().await?;
        server.start_again(0).await?;
        send.send_modify(|orders| orders.base = server.ws());
    }
    grown(&server, 20).await?;
    send.send_modify(|orders| orders.wind_up = true);
    judge(&server, finish(set).await?, kills).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_life_1_a_graceful_stop_loses_nothing_either() -> Result<()> {
    let mut server = Server::with(LONG_LOG).await?;
    let (send, orders) = watch::channel(Orders { base: server.ws(), wind_up: false });
    let set = talkers(&server, &orders, 4).await?;
    grown(&server, 50).await?;
    server.stop().await?;
    server.start_again(0).await?;
    send.send_modify(|orders| orders.base = server.ws());
    grown(&server, 20).await?;
    send.send_modify(|orders| orders.wind_up = true);
    judge(&server, finish(set).await?, 1).await
}

#[tokio::test]
async fn r_life_1_a_restarted_room_is_the_same_room() -> Result<()> {
    let mut server = Server::start().await?;
    let mut before = server.visit("chat:same", "ann").join().await?;
    before.publish(json!("one")).await?;
    before.published(&json!("one")).await?;
    let position = before.position()?;
    server.kill().await?;
    let close = before.closed().await?;
    ensure!(close.code == 1006, "{close:?}");
    server.start_again(0).await?;
    let mut after = server
        .visit("chat:same", "ann")
        .session(&before.session)
        .hello(json!({ "recover": position }))
        .join()
        .await?;
    assert_eq!(after.welcome["epoch"], before.welcome["epoch"]);
    assert_eq!((&after.welcome["recovered"], &after.welcome["offset"]), (&json!(true), &json!(1)));
    assert_eq!(after.publish(json!("two")).await?["offset"], 2);
    Ok(())
}

#[tokio::test]
async fn r_hist_2_the_log_is_trimmed_by_the_alarm_after_a_restart_too() -> Result<()> {
    let mut server = Server::with("kinds.chat.log.count = 10").await?;
    for n in 0..25 {
        server.publish("chat:trim", &json!({ "data": n })).await?;
    }
    server.kill().await?;
    server.start_again(0).await?;
    let offsets: BTreeSet<u64> = eventually("the alarm trims to log.count", async || {
        let history = server.history("chat:trim").await?;
        Ok((history.publications.len() == 10).then(|| history.publications.into_keys().collect()))
    })
    .await?;
    assert_eq!(offsets, (16..=25).collect());
    assert_eq!(server.publish("chat:trim", &json!({ "data": "next" })).await?["offset"], 26);
    Ok(())
}

#[tokio::test]
async fn r_close_1_a_graceful_stop_tells_clients_that_it_goes_away() -> Result<()> {
    let mut server = Server::start().await?;
    let mut ann = server.visit("chat:drain", "ann").join().await?;
    server.stop().await?;
    let close = ann.closed().await?;
    ensure!([3000, 1001, 1006, 1012].contains(&close.code), "a temporary close: {close:?}");
    Ok(())
}

#[tokio::test]
async fn r_hello_5_an_epoch_that_was_shown_survives_kill_9() -> Result<()> {
    let mut server = Server::start().await?;
    let mut shown = Vec::new();
    for n in 0..10 {
        let room = format!("chat:epoch-{n}");
        let client = server.visit(&room, "ann").join().await?;
        shown.push((room, client.welcome["epoch"].clone()));
    }
    server.kill().await?;
    server.start_again(0).await?;
    for (room, epoch) in shown {
        let client = server.visit(&room, "ann").join().await?;
        assert_eq!(client.welcome["epoch"], epoch, "{room}");
    }
    Ok(())
}
