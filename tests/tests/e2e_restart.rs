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

/// Rounds of kill -9, each at a step that the load itself decides; `ROOMCAST_KILL_ROUNDS` asks for more.
const ROUNDS: usize = 6;

fn rounds() -> usize {
    std::env::var("ROOMCAST_KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS)
}

/// Nothing is trimmed while a run is judged.
const LONG_LOG: &str = "kinds.chat.log.count = 1000000";

async fn talkers(server: &Server, orders: &watch::Receiver<Orders>) -> Result<JoinSet<Result<Account>>> {
    let mut set = JoinSet::new();
    let kinds = [
        ("json", Codec::Json, 8),
        ("pack", Codec::Msgpack, 8),
        ("listener", Codec::Json, 0),
        ("listener-pack", Codec::Msgpack, 0),
    ];
    for (name, codec, in_flight_max) in kinds {
        let token = server.mint(name, &json!({ ROOM: ["*"] }), 3600).await?;
        let talker = Talker { name: name.to_owned(), room: ROOM.to_owned(), token, codec, in_flight_max };
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
        ensure!(account.connections > restarts, "{name} had {} connections", account.connections);
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
async fn r_pub_3_kill_9_under_load_loses_no_answered_publish_and_doubles_none() -> Result<()> {
    let mut server = Server::with(LONG_LOG).await?;
    let (send, orders) = watch::channel(Orders { base: server.ws(), wind_up: false });
    let set = talkers(&server, &orders).await?;
    let rounds = rounds();
    for round in 0..rounds {
        grown(&server, 20 + 13 * (u64::try_from(round)? % 7))
            .await
            .with_context(|| format!("round {round}"))?;
        server.kill().await?;
        server.start_again(0).await?;
        send.send_modify(|orders| orders.base = server.ws());
    }
    grown(&server, 20).await?;
    send.send_modify(|orders| orders.wind_up = true);
    judge(&server, finish(set).await?, rounds).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_life_1_a_graceful_stop_loses_nothing_either() -> Result<()> {
    let mut server = Server::with(LONG_LOG).await?;
    let (send, orders) = watch::channel(Orders { base: server.ws(), wind_up: false });
    let set = talkers(&server, &orders).await?;
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
