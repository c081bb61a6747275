//! Data of other versions: what the first release wrote is read, edited and kept; what a later one wrote is refused.
//!
//! `fixtures/layout-1` is a data directory of the first release: room `chat:legacy`, five publications by `ada`, who
//! was a member when the process ended. `fixtures/layout-2` is one of the release with edits, keys and shared state:
//! room `chat:second`. `fixtures/layout-3` is one of the release before rooms had server logic: room `chat:third`, where
//! eve is kept out. `fixtures/layout-99` is the first, said to be of a layout yet to come.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tests::client::Client;
use tests::roster::list;
use tests::server::{Server, repository};
use tests::wire::Codec;

const ROOM: &str = "chat:legacy";
const EPOCH: &str = "ae76c3dd6660d04f";
const SESSION: &str = "session-legacy";
const SECOND_EPOCH: &str = "0033aa9b2b4d7241";
const THIRD_EPOCH: &str = "6c6491c58a0875f8";
/// In milliseconds since 1970.
const SECOND_MADE_BY: u64 = 1_795_260_820_000;

/// The fixtures grow old.
const LONG_LOG: &str = "kinds.chat.log.age = '3650d'\nkinds.chat.presence.grace = '12s'";

async fn server_on(fixture: &str) -> Result<Server> {
    let mut server = Server::prepared(LONG_LOG)?;
    let from = repository().join("tests/fixtures").join(fixture);
    copy(&from, &server.data())?;
    server.start_again(0).await?;
    Ok(server)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to)?;
        } else {
            std::fs::copy(&from, &to).with_context(|| to.display().to_string())?;
        }
    }
    Ok(())
}

fn payloads() -> Vec<Value> {
    vec![
        json!({ "n": 1 }),
        json!({ "n": 2 }),
        json!({ "n": 3 }),
        json!({ "n": 4 }),
        json!({ "$bin": "AP8=" }),
    ]
}

async fn messages(server: &Server) -> Result<Vec<Value>> {
    let path = format!("/v1/rooms/{ROOM}/messages");
    let page = server.get(&path).bearer(&server.api_key()).send().await?.ok()?;
    assert_eq!(page["epoch"], EPOCH);
    Ok(list(&page, "messages").to_vec())
}

async fn ada(server: &Server, codec: Codec, session: &str) -> Result<Client> {
    let recover = json!({ "recover": { "epoch": EPOCH, "offset": 0 }, "tags": ["red"] });
    let profile = json!({ "info": { "name": "Ada" } });
    let visit = server.visit(ROOM, "ada").claims(profile).codec(codec).rights(json!(["*"]));
    visit.session(session).hello(recover).join().await
}

#[tokio::test]
async fn r_life_9_the_log_of_the_first_release_is_whole_and_recovered_from_its_beginning() -> Result<()> {
    let mut server = server_on("layout-1").await?;
    for round in 0..2 {
        let log = messages(&server).await?;
        let said: Vec<&Value> = log.iter().map(|message| &message["data"]).collect();
        assert_eq!(said, payloads().iter().collect::<Vec<_>>(), "round {round}");
        assert_eq!((&log[2]["tags"], &log[0]["from"]["user"]), (&json!(["red"]), &json!("ada")));
        for codec in Codec::BOTH {
            let client = ada(&server, codec, "another-session").await?;
            assert_eq!(client.welcome["recovered"], true, "{}", client.welcome);
            assert_eq!(client.payloads(), payloads());
            let hello = json!({ "recover": { "epoch": EPOCH, "offset": 1 } });
            let bob = server.visit(ROOM, "bob").codec(codec).hello(hello).join().await?;
            let (all, filtered) = (payloads(), bob.payloads());
            assert_eq!(filtered, [all[1].clone(), all[4].clone()], "neither red nor ada");
        }
        server.kill().await?;
        server.start_again(0).await?;
    }
    Ok(())
}

#[tokio::test]
async fn r_life_9_old_publications_can_be_edited_removed_and_reacted_to() -> Result<()> {
    let mut server = server_on("layout-1").await?;
    let mut client = ada(&server, Codec::Json, SESSION).await?;
    let edit = json!({ "t": "edit", "offset": 2, "data": { "n": "two" } });
    assert_eq!(client.request(edit).await?.result()?["offset"], 6);
    client.request(json!({ "t": "remove", "offset": 1 })).await?.result()?;
    client.request(json!({ "t": "edit", "offset": 3, "data": "red, edited" })).await?.result()?;
    client.request(json!({ "t": "remove", "offset": 3 })).await?.result()?;
    let react = json!({ "t": "react", "offset": 5, "name": "+1", "on": true });
    client.request(react).await?.result()?;
    let keyed = json!({ "t": "publish", "data": "new", "key": "k" });
    assert_eq!(client.request(keyed.clone()).await?.result()?["offset"], 11);
    client.request(json!({ "t": "state", "ops": [{ "set": "k", "value": 1 }] })).await?.result()?;
    for round in ["before", "evicted", "killed"] {
        match round {
            "evicted" => server.evict(ROOM).await?,
            "killed" => {
                server.kill().await?;
                server.start_again(0).await?;
            }
            _ => {}
        }
        let log = messages(&server).await?;
        let said: Vec<&Value> = log.iter().map(|message| &message["data"]).collect();
        let expected = [
            Value::Null,
            json!({ "n": "two" }),
            Value::Null,
            json!({ "n": 4 }),
            json!({ "$bin": "AP8=" }),
            json!("new"),
        ];
        assert_eq!(said, expected.iter().collect::<Vec<_>>(), "{round}");
        for erased in [&log[0], &log[2]] {
            ensure!(erased["removed"] == true && erased.get("data").is_none(), "{round}: {erased}");
        }
        assert_eq!(log[1]["edited"]["offset"], 6, "{round}");
        assert_eq!(log[4]["reactions"], json!({ "+1": { "count": 1, "users": ["ada"] } }), "{round}");
        let mut again = ada(&server, Codec::Msgpack, "another-session").await?;
        let recovered = list(&again.welcome, "publications");
        assert_eq!(recovered.len(), 11, "{round}: {}", again.welcome);
        for offset in [1, 3, 8] {
            let erased = &recovered[offset - 1];
            ensure!(erased["removed"] == true && erased.get("data").is_none(), "{round}: {erased}");
        }
        let everything = format!("{log:?}{recovered:?}");
        let erased =
            [json!({ "n": 1 }), json!({ "n": 3 }), json!("red, edited")].map(|data| format!("{data:?}"));
        ensure!(!erased.iter().any(|data| everything.contains(data)), "{round}: {everything}");
        assert_eq!(again.request(keyed.clone()).await?.result()?["duplicate"], true, "{round}");
        assert_eq!(again.welcome["state"]["entries"]["k"]["value"], 1, "{round}");
    }
    Ok(())
}

#[tokio::test]
async fn r_life_9_an_old_member_that_returns_is_the_same_and_one_that_does_not_leaves() -> Result<()> {
    let server = server_on("layout-1").await?;
    let mut watcher = server.visit(ROOM, "watcher").join().await?;
    let roster = watcher.until_members(&["ada", "watcher"]).await?;
    let member = roster.values().find(|member| member["user"] == "ada").context("ada")?;
    assert_eq!((&member["info"], &member["data"]), (&json!({ "name": "Ada" }), &json!({ "typing": false })));
    let mut client = ada(&server, Codec::Json, SESSION).await?;
    watcher.barrier().await?;
    let told = |m: &&Value| m["t"] == "presence";
    assert_eq!(watcher.seen.iter().filter(told).count(), 0, "a return changes nothing: {:?}", watcher.seen);
    client.close(1000).await?;
    watcher.until_members(&["watcher"]).await?;

    let server = server_on("layout-1").await?;
    let mut watcher = server.visit(ROOM, "watcher").join().await?;
    watcher.until_members(&["ada", "watcher"]).await?;
    watcher.until_members(&["watcher"]).await?;
    Ok(())
}

#[tokio::test]
async fn r_life_9_a_migrated_rooms_life_begins_and_it_can_be_deleted() -> Result<()> {
    let server = server_on("layout-1").await?;
    let path = format!("/v1/rooms/{ROOM}");
    let info = server.get(&path).bearer(&server.api_key()).send().await?.ok()?;
    ensure!(["occupied", "vacant"].iter().any(|state| info["lifecycle"] == *state), "{info}");
    assert_eq!((&info["log"]["epoch"], &info["log"]["head"]), (&json!(EPOCH), &json!(5)));
    ensure!(info["created_at"].as_u64().is_some_and(|at| at > 1_700_000_000_000), "{info}");
    server.call(hyper::Method::DELETE, &path).bearer(&server.api_key()).send().await?.ok()?;
    let next = server.publish(ROOM, &json!({ "data": "new" })).await?;
    assert_eq!(next["offset"], 1);
    ensure!(next["epoch"] != EPOCH, "{next}");
    Ok(())
}

#[tokio::test]
async fn r_life_9_a_room_of_the_second_layout_goes_on_and_can_block() -> Result<()> {
    let mut server = server_on("layout-2").await?;
    let (room, key) = ("chat:second", server.api_key());
    let path = |rest: &str| format!("/v1/rooms/{room}{rest}");
    for round in 0..2 {
        let page = server.get(&path("/messages")).bearer(&key).send().await?.ok()?;
        assert_eq!(page["epoch"], SECOND_EPOCH, "round {round}");
        let log = list(&page, "messages");
        let said: Vec<&Value> = log.iter().map(|message| &message["data"]).collect();
        let expected = [Value::Null, json!({ "n": "two" }), json!({ "n": 3 }), json!({ "$bin": "AP8=" })];
        assert_eq!(said, expected.iter().collect::<Vec<_>>(), "round {round}");
        assert_eq!((&log[0]["removed"], &log[1]["edited"]["offset"]), (&json!(true), &json!(5)));
        assert_eq!(log[2]["reactions"], json!({ "+1": { "count": 1, "users": ["ada"] } }));
        let info = server.get(&path("")).bearer(&key).send().await?.ok()?;
        ensure!(
            info["created_at"].as_u64().is_some_and(|at| at < SECOND_MADE_BY),
            "its life went on: {info}"
        );
        let state = server.get(&path("/state")).bearer(&key).send().await?.ok()?;
        assert_eq!(state["entries"]["topic"]["value"], "old");
        if round == 0 {
            let body = json!({ "user": "eve", "block_for": "365d" });
            server.post(&path("/disconnect")).bearer(&key).json(&body).send().await?.ok()?;
            // What ada owned goes with her membership, which the end of the process put an end to.
            server.visit(room, "bob").join().await?.until_members(&["bob"]).await?;
            let state = server.get(&path("/state")).bearer(&key).send().await?.ok()?;
            assert_eq!(
                state,
                json!({ "version": 3, "entries": { "topic": { "value": "old", "version": 1 } } })
            );
        }
        server.kill().await?;
        server.start_again(0).await?;
    }
    let mut eve = server.visit(room, "eve").connect().await?;
    assert_eq!(eve.closed().await?.code, 3505);
    Ok(())
}

#[tokio::test]
async fn r_life_9_a_room_of_the_third_layout_goes_on() -> Result<()> {
    let mut server = server_on("layout-3").await?;
    let (room, key) = ("chat:third", server.api_key());
    for round in 0..2 {
        let path = format!("/v1/rooms/{room}/messages");
        let page = server.get(&path).bearer(&key).send().await?.ok()?;
        assert_eq!(page["epoch"], THIRD_EPOCH, "round {round}");
        let said: Vec<&Value> = list(&page, "messages").iter().map(|message| &message["data"]).collect();
        assert_eq!(said[..2], [&json!({ "n": 1 }), &json!({ "n": "two" })], "round {round}");
        let published = server.publish(room, &json!({ "data": round })).await?;
        assert_eq!(published["offset"], 4 + round);
        let state = server.get(&format!("/v1/rooms/{room}/state")).bearer(&key).send().await?.ok()?;
        assert_eq!(state["entries"]["topic"]["value"], "old");
        server.kill().await?;
        server.start_again(0).await?;
    }
    let mut eve = server.visit(room, "eve").connect().await?;
    assert_eq!(eve.closed().await?.code, 3505);
    Ok(())
}

fn room_file(server: &Server) -> PathBuf {
    let name = "5dedb31bfee006dac70ebdef0987a357405299b02ff4952c379a6fc582dd05a1.sqlite";
    server.data().join("objects/roomcast-Room").join(name)
}

/// Every door of `room` says that it cannot be opened, and another room is unharmed.
async fn check_refused(server: &Server) -> Result<()> {
    let (key, pid) = (server.api_key(), server.pid());
    let mut other = server.visit("chat:other", "ann").join().await?;
    let publish = server.post(&format!("/v1/rooms/{ROOM}/publish")).json(&json!({ "data": 1, "key": "k" }));
    let doors = [
        publish,
        server.get(&format!("/v1/rooms/{ROOM}/messages")),
        server.get(&format!("/v1/rooms/{ROOM}/members")),
        server.get(&format!("/v1/rooms/{ROOM}")),
        server.call(hyper::Method::DELETE, &format!("/v1/rooms/{ROOM}")),
    ];
    for door in doors {
        let answer = door.bearer(&key).send().await?;
        answer.problem(503, "unavailable")?;
        let request_id = answer.header("x-request-id").context("an id")?.to_owned();
        // By the room, or where not even its object comes up, by the gateway.
        let why = |line: &Value| {
            ["not_rebuilt", "request_failed"].iter().any(|event| line["event"] == *event)
                && line["request_id"] == request_id
        };
        tests::log::line(server, "why it was refused", why).await?;
    }
    match server.visit(ROOM, "ann").connect().await {
        Ok(mut refused) => {
            let close = refused.closed().await?;
            ensure!(close.code < 3500, "not for good: {close:?}");
        }
        Err(error) => ensure!(format!("{error:#}").contains("503"), "{error:#}"),
    }
    other.publish(json!("unharmed")).await?;
    other.published(&json!("unharmed")).await?;
    ensure!(server.pid() == pid, "the process lives");
    Ok(())
}

#[tokio::test]
async fn r_life_9_a_room_of_a_newer_layout_is_refused_untouched() -> Result<()> {
    let mut server = server_on("layout-99").await?;
    let before = std::fs::read(room_file(&server))?;
    check_refused(&server).await?;
    server.stop().await?;
    ensure!(std::fs::read(room_file(&server))? == before, "its file was written to");
    server.start_again(0).await?;
    check_refused(&server).await
}

#[tokio::test]
async fn r_life_3_a_room_whose_file_is_no_database_harms_no_other() -> Result<()> {
    let mut server = Server::prepared(LONG_LOG)?;
    copy(&repository().join("tests/fixtures/layout-1"), &server.data())?;
    std::fs::write(room_file(&server), "this is no database ".repeat(1_000))?;
    server.start_again(0).await?;
    check_refused(&server).await
}
