//! The life of a room: fresh, occupied, vacant, idle, gone; and its deletion.

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use serde_json::{Value, json};
use tests::http::Response;
use tests::roster::list;
use tests::server::Server;
use tests::wire::Codec;
use tests::{client::Client, eventually};

const SHORT_LIFE: &str =
    "kinds.chat.idle_after = '1s'\nkinds.chat.expire_after = '3s'\nkinds.chat.presence.grace = '1s'";

/// A room rests, and does not end while a test looks.
const LONG_REST: &str = "kinds.chat.idle_after = '1s'\nkinds.chat.presence.grace = '1s'";

fn path(room: &str) -> String {
    format!("/v1/rooms/{room}")
}

async fn info(server: &Server, room: &str) -> Result<Value> {
    server.get(&path(room)).bearer(&server.api_key()).send().await?.ok()
}

async fn delete(server: &Server, room: &str) -> Result<Response> {
    server.call(Method::DELETE, &path(room)).bearer(&server.api_key()).send().await
}

/// Waits until the room is in this state; looking is no touch.
async fn until(server: &Server, room: &str, state: &str) -> Result<Value> {
    eventually(&format!("{room} is {state}"), async || {
        let info = info(server, room).await?;
        Ok((info["lifecycle"] == state).then_some(info))
    })
    .await
}

fn timers(info: &Value) -> Vec<&str> {
    list(info, "timers").iter().filter_map(|timer| timer["name"].as_str()).collect()
}

async fn joined(server: &Server, room: &str, user: &str) -> Result<Client> {
    server.visit(room, user).rights(json!(["*"])).join().await
}

#[tokio::test]
async fn r_life_4_a_room_is_fresh_until_something_is_stored_and_looking_stores_nothing() -> Result<()> {
    let server = Server::start().await?;
    let fresh = info(&server, "chat:looked-at").await?;
    assert_eq!((&fresh["room"], &fresh["kind"]), (&json!("chat:looked-at"), &json!("chat")));
    assert_eq!(fresh["lifecycle"], "fresh");
    for absent in ["since", "created_at", "active_at"] {
        ensure!(fresh.get(absent).is_none(), "{absent}: {fresh}");
    }
    ensure!(fresh["log"].get("epoch").is_none() && fresh["log"]["head"] == 0, "{fresh}");
    assert_eq!(
        (&fresh["occupancy"], &fresh["connections"]),
        (&json!({ "members": 0, "users": 0 }), &json!(0))
    );
    assert_eq!(fresh["state"], json!({ "version": 0, "keys": 0, "bytes": 0 }));
    assert_eq!(fresh["timers"], json!([]));
    server.evict("chat:looked-at").await?;
    assert_eq!(info(&server, "chat:looked-at").await?, fresh);
    Ok(())
}

#[tokio::test]
async fn r_life_4_from_fresh_by_occupied_vacant_and_idle_to_the_end() -> Result<()> {
    let server = Server::with(SHORT_LIFE).await?;
    let room = "chat:whole-life";
    assert_eq!(info(&server, room).await?["lifecycle"], "fresh");
    let mut ann = joined(&server, room, "ann").await?;
    ann.publish(json!("said")).await?;
    ann.request(json!({ "t": "state", "ops": [{ "set": "k", "value": "v" }] })).await?.result()?;
    let occupied = info(&server, room).await?;
    assert_eq!(occupied["lifecycle"], "occupied", "{occupied}");
    assert_eq!((&occupied["occupancy"]["members"], &occupied["connections"]), (&json!(1), &json!(1)));
    assert_eq!(occupied["log"]["epoch"], ann.welcome["epoch"]);
    assert_eq!((&occupied["log"]["head"], &occupied["log"]["floor"]), (&json!(1), &json!(0)));
    ensure!(occupied["log"]["bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{occupied}");
    assert_eq!((&occupied["state"]["version"], &occupied["state"]["keys"]), (&json!(1), &json!(1)));
    let position = ann.position()?;
    ann.close(1000).await?;
    let vacant = until(&server, room, "vacant").await?;
    ensure!(timers(&vacant).contains(&"idle"), "{vacant}");
    assert_eq!(vacant["created_at"], occupied["created_at"]);
    ensure!(vacant["since"].as_u64() >= occupied["since"].as_u64(), "{vacant}");
    let idle = until(&server, room, "idle").await?;
    ensure!(timers(&idle).contains(&"expire"), "{idle}");
    assert_eq!((&idle["log"]["head"], &idle["active_at"]), (&json!(1), &vacant["active_at"]));
    let gone = until(&server, room, "fresh").await?;
    ensure!(gone["log"].get("epoch").is_none() && gone["timers"] == json!([]), "{gone}");
    assert_eq!(gone["state"], json!({ "version": 0, "keys": 0, "bytes": 0 }));

    let ann = server.visit(room, "ann").hello(json!({ "recover": position })).join().await?;
    ensure!(ann.welcome["epoch"] != position["epoch"], "a new epoch: {}", ann.welcome);
    assert_eq!((&ann.welcome["recovered"], &ann.welcome["reason"]), (&json!(false), &json!("epoch_changed")));
    assert_eq!((&ann.welcome["offset"], &ann.welcome["state"]["version"]), (&json!(0), &json!(0)));
    ensure!(server.history(room).await?.publications.is_empty(), "history is empty");
    Ok(())
}

#[tokio::test]
async fn r_life_4_a_write_touches_an_idle_room_and_members_occupy_it() -> Result<()> {
    let server = Server::with(LONG_REST).await?;
    let room = "chat:touched";
    server.publish(room, &json!({ "data": 1 })).await?;
    let vacant = info(&server, room).await?;
    assert_eq!(vacant["lifecycle"], "vacant", "published from outside: {vacant}");
    until(&server, room, "idle").await?;
    server.history(room).await?;
    assert_eq!(info(&server, room).await?["lifecycle"], "idle", "reading is no touch");
    server.publish(room, &json!({ "data": 2 })).await?;
    let touched = info(&server, room).await?;
    ensure!(touched["lifecycle"] == "vacant" || touched["lifecycle"] == "idle", "{touched}");
    ensure!(touched["since"].as_u64() > vacant["since"].as_u64(), "{touched}");
    until(&server, room, "idle").await?;
    let mut ann = joined(&server, room, "ann").await?;
    assert_eq!(info(&server, room).await?["lifecycle"], "occupied");
    ann.close(1000).await?;
    let idle = until(&server, room, "idle").await?;
    assert_eq!(idle["created_at"], vacant["created_at"], "one life");
    Ok(())
}

#[tokio::test]
async fn r_life_4_each_state_survives_eviction_and_kill_9() -> Result<()> {
    let mut server = Server::with(LONG_REST).await?;
    let keep = ["lifecycle", "since", "created_at", "log", "state"];
    let kept = |info: &Value| keep.map(|field| info[field].clone());
    server.publish("chat:rests", &json!({ "data": 1 })).await?;
    let rests = kept(&until(&server, "chat:rests", "idle").await?);
    let mut ann = joined(&server, "chat:lives", "ann").await?;
    ann.publish(json!(1)).await?;
    let lives = kept(&info(&server, "chat:lives").await?);
    assert_eq!(lives[0], "occupied");
    for room in ["chat:rests", "chat:lives"] {
        server.evict(room).await?;
    }
    assert_eq!(kept(&info(&server, "chat:rests").await?), rests);
    assert_eq!(kept(&info(&server, "chat:lives").await?), lives);
    server.kill().await?;
    server.start_again(0).await?;
    assert_eq!(kept(&info(&server, "chat:rests").await?), rests);
    let mut ann = server.visit("chat:lives", "ann").session(&ann.session).join().await?;
    assert_eq!(kept(&info(&server, "chat:lives").await?), lives);
    ann.close(1000).await?;
    let vacant = info(&server, "chat:lives").await?;
    server.kill().await?;
    server.start_again(0).await?;
    let after = info(&server, "chat:lives").await?;
    ensure!(after["lifecycle"] == "idle" || kept(&after) == kept(&vacant), "{after} after {vacant}");
    until(&server, "chat:lives", "idle").await?;
    assert_eq!(kept(&info(&server, "chat:none").await?)[0], "fresh");
    Ok(())
}

/// Its alarm is all that remembers it: each room is looked at once, and a slow machine has more than one.
#[tokio::test]
async fn r_life_5_a_room_that_nobody_looks_at_expires_by_its_alarm_even_through_kill_9() -> Result<()> {
    let mut server = Server::with(SHORT_LIFE).await?;
    let rooms = ["chat:forgotten-1", "chat:forgotten-2", "chat:forgotten-3"];
    let mut epochs = Vec::new();
    for room in rooms {
        epochs.push(server.publish(room, &json!({ "data": 1 })).await?["epoch"].clone());
    }
    server.kill().await?;
    server.start_again(0).await?;
    let mut pace = tokio::time::interval(std::time::Duration::from_secs(8));
    pace.tick().await;
    for (room, epoch) in rooms.into_iter().zip(epochs) {
        pace.tick().await;
        if info(&server, room).await?["lifecycle"] == "fresh" {
            let next = server.publish(room, &json!({ "data": 1 })).await?;
            ensure!(next["offset"] == 1 && next["epoch"] != epoch, "{room}: {next}");
            return Ok(());
        }
    }
    anyhow::bail!("no room expired by itself")
}

#[tokio::test]
async fn r_life_6_deletion_closes_everyone_and_leaves_nothing() -> Result<()> {
    let mut server = Server::start().await?;
    let room = "chat:deleted";
    for restart in [false, true] {
        let mut ann = joined(&server, room, "ann").await?;
        let mut bob = server.visit(room, "bob").codec(Codec::Msgpack).join().await?;
        let epoch = ann.welcome["epoch"].clone();
        assert_eq!(ann.welcome["offset"], 0);
        let keyed = json!({ "t": "publish", "data": "said", "key": "k" });
        assert_eq!(ann.request(keyed.clone()).await?.result()?["offset"], 1);
        ann.request(json!({ "t": "state", "ops": [{ "set": "k", "value": 1 }] })).await?.result()?;
        let position = ann.position()?;
        if restart {
            server.evict(room).await?;
        }
        let answer = delete(&server, room).await?;
        assert_eq!(answer.json()?, json!({}), "{answer:?}");
        answer.ok()?;
        assert_eq!(ann.closed().await?.code, 3510);
        assert_eq!(bob.closed().await?.code, 3510);
        if restart {
            server.kill().await?;
            server.start_again(0).await?;
        }
        let gone = info(&server, room).await?;
        assert_eq!((&gone["lifecycle"], &gone["timers"]), (&json!("fresh"), &json!([])), "{gone}");
        let mut ann = server.visit(room, "ann").hello(json!({ "recover": position })).join().await?;
        assert_eq!(ann.welcome["reason"], "epoch_changed", "{}", ann.welcome);
        ensure!(ann.welcome["epoch"] != epoch, "{}", ann.welcome);
        assert_eq!(ann.welcome["state"], json!({ "version": 0, "entries": {} }));
        assert_eq!(ann.welcome["occupancy"]["members"], 1, "former members are gone");
        let result = ann.request(keyed).await?.result()?;
        assert_eq!((&result["offset"], &result["duplicate"]), (&json!(1), &json!(false)), "keys are gone");
        delete(&server, room).await?.ok()?;
        assert_eq!(ann.closed().await?.code, 3510);
    }
    delete(&server, room).await?.ok().context("a fresh room can be deleted too")?;
    Ok(())
}

#[tokio::test]
async fn r_life_6_what_was_staged_is_let_go_before_the_end() -> Result<()> {
    let server = Server::with("kinds.chat.flush = '2s'").await?;
    let room = "chat:deleted-staged";
    let mut ann = joined(&server, room, "ann").await?;
    ann.publish(json!("first")).await?;
    let id = ann.next_id();
    ann.send(&json!({ "t": "publish", "id": id, "data": "staged" })).await?;
    ann.ping().await?;
    delete(&server, room).await?.ok()?;
    assert_eq!(ann.closed().await?.code, 3510);
    let answered = ann.seen.iter().find(|m| m["id"] == id).context("the staged publish is answered")?;
    assert_eq!(answered["result"]["offset"], 2, "{answered}");
    ensure!(ann.payloads().contains(&json!("staged")), "and delivered: {:?}", ann.seen);
    Ok(())
}

#[tokio::test]
async fn r_life_6_only_an_api_key_may_look_or_delete() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:guarded";
    let all = server.mint("ann", &json!({ "*": ["*"] }), 60).await?;
    for method in [Method::GET, Method::DELETE] {
        let call = || server.call(method.clone(), &path(room));
        call().send().await?.problem(401, "unauthorized")?;
        call().bearer("rk_dev_wrong").send().await?.problem(401, "unauthorized")?;
        call().bearer(&all).send().await?.problem(403, "forbidden")?;
        let unknown = server.call(method.clone(), "/v1/rooms/nokind:x").bearer(&server.api_key());
        unknown.send().await?.problem(404, "unknown_kind")?;
        let bad = server.call(method.clone(), "/v1/rooms/CHAT:x").bearer(&server.api_key());
        bad.send().await?.problem(400, "bad_room_name")?;
    }
    ensure!(server.databases()?.is_empty(), "a room was touched: {:?}", server.databases()?);
    Ok(())
}

#[tokio::test]
async fn r_http_7_a_rooms_address_has_two_methods() -> Result<()> {
    let server = Server::start().await?;
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::HEAD] {
        let answer = server.call(method.clone(), &path("chat:x")).bearer(&server.api_key()).send().await?;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET, DELETE, OPTIONS"), "{method}");
    }
    let preflight = server
        .call(Method::OPTIONS, &path("chat:x"))
        .header("origin", "https://app.example")
        .header("access-control-request-method", "DELETE")
        .send()
        .await?;
    assert_eq!(preflight.status, 204, "{}", preflight.text());
    let methods = preflight.header("access-control-allow-methods").unwrap_or_default();
    ensure!(methods.contains("DELETE") && methods.contains("GET"), "{preflight:?}");
    for wrong in ["/v1/rooms/", "/v1/rooms/chat:x/"] {
        server.get(wrong).bearer(&server.api_key()).send().await?.problem(404, "not_found")?;
    }
    Ok(())
}
