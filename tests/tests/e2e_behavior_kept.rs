//! What a room's behavior keeps, through sleep, restarts and the end of the room: values, SQL, timers, machines. The
//! behavior is `tests/behavior`.

use anyhow::{Result, ensure};
use hyper::Method;
use serde_json::{Value, json};
use tests::eventually;
use tests::http::Call;
use tests::lines::Lines;
use tests::log;
use tests::server::Server;

const ROOM: &str = "fixture:one";

const KINDS: &str = "kinds.fixture.behavior = 'fixture'";

async fn server() -> Result<Server> {
    Server::with_faults(KINDS).await
}

fn http(server: &Server, method: &str) -> Call {
    server.post(&format!("/v1/rooms/{ROOM}/call/{method}")).bearer(&server.api_key())
}

/// What a method returns to the backend.
async fn call(server: &Server, method: &str, args: Value) -> Result<Value> {
    http(server, method).json(&args).send().await?.ok()
}

/// What puts an end to the room's memory.
#[derive(Debug, Clone, Copy)]
enum End {
    Sleep,
    Kill,
    Stop,
}

impl End {
    const ALL: [End; 3] = [End::Sleep, End::Kill, End::Stop];

    async fn come(self, server: &mut Server) -> Result<()> {
        match self {
            End::Sleep => return server.evict(ROOM).await,
            End::Kill => server.kill().await?,
            End::Stop => server.stop().await?,
        }
        server.start_again(0).await
    }
}

#[tokio::test]
async fn r_beh_1_memory_is_a_cache() -> Result<()> {
    let mut server = server().await?;
    call(&server, "add", json!({ "by": 2 })).await?;
    for end in End::ALL {
        assert_eq!(call(&server, "remember", Value::Null).await?, 1, "{end:?}");
        assert_eq!(call(&server, "remember", Value::Null).await?, 2, "{end:?}");
        end.come(&mut server).await?;
    }
    assert_eq!(call(&server, "remember", Value::Null).await?, 1);
    assert_eq!(call(&server, "add", json!({ "by": 1 })).await?, 3, "what was stored is there");
    Ok(())
}

#[tokio::test]
async fn r_beh_4_values_are_listed_in_the_order_of_their_keys() -> Result<()> {
    let mut server = server().await?;
    let values = json!({ "a": "0", "v/a": "1", "v/b": "2", "v/é": "3", "v/z": "4", "w": "5" });
    call(&server, "put", json!({ "values": values })).await?;
    let many: serde_json::Map<String, Value> =
        (0..250).map(|n| (format!("many/{n:03}"), json!(n.to_string()))).collect();
    call(&server, "put", json!({ "values": many })).await?;
    for end in End::ALL {
        let rows = [
            (json!({ "prefix": "v/" }), vec!["v/a", "v/b", "v/z", "v/é"]),
            (json!({ "prefix": "v/", "reverse": true, "limit": 2 }), vec!["v/é", "v/z"]),
            (json!({ "prefix": "v/", "start": "v/b", "end": "v/z" }), vec!["v/b"]),
            (json!({ "start": "v/z" }), vec!["v/z", "v/é", "w"]),
            (json!({ "prefix": "v/c" }), vec![]),
            (json!({ "prefix": "many/1", "limit": 1, "reverse": true }), vec!["many/199"]),
        ];
        for (list, expected) in rows {
            let found = call(&server, "list", list.clone()).await?;
            let keys: Vec<&str> =
                found.as_array().into_iter().flatten().filter_map(|pair| pair[0].as_str()).collect();
            assert_eq!(keys, expected, "{list}");
        }
        let keys: Vec<String> = (0..250).map(|n| format!("many/{n:03}")).collect();
        let found = call(&server, "get", json!({ "keys": keys })).await?;
        assert_eq!(found, Value::Object(many.clone()), "{end:?}");
        end.come(&mut server).await?;
    }
    let keys: Vec<String> = (0..249).map(|n| format!("many/{n:03}")).collect();
    call(&server, "delete", json!({ "keys": keys })).await?;
    assert_eq!(call(&server, "list", json!({ "prefix": "many/" })).await?, json!([["many/249", "249"]]));
    Ok(())
}

#[tokio::test]
async fn r_beh_5_tables_of_ones_own_are_migrated_once_and_rolled_back_whole() -> Result<()> {
    let mut server = server().await?;
    for (round, end) in End::ALL.into_iter().enumerate() {
        call(&server, "note", json!({ "text": "it's", "stars": round })).await?;
        end.come(&mut server).await?;
    }
    let notes = call(&server, "notes", json!({ "at_least": 1 })).await?;
    assert_eq!(notes, json!([{ "text": "it's", "stars": 1 }, { "text": "it's", "stars": 2 }]));
    let pairs = json!({ "pairs": [["a", "b"], ["c", "no"], ["d", "e"]] });
    assert_eq!(call(&server, "note_pairs", pairs).await?, 2);
    let notes = call(&server, "notes", json!({})).await?;
    let texts: Vec<&Value> = notes.as_array().into_iter().flatten().map(|note| &note["text"]).collect();
    assert_eq!(texts[3..], ["a", "b", "d", "e"], "a pair is noted whole, or not");
    let last = call(&server, "get", json!({ "keys": ["last noted"] })).await?;
    assert_eq!(last, json!({ "last noted": "e" }));
    // A transaction that fails at its end takes the statements along.
    server.arm(ROOM, "fail_commit 1").await?;
    let failed = http(&server, "note_pairs").json(&json!({ "pairs": [["x", "y"]] })).send().await?;
    failed.problem(503, "unavailable")?;
    assert_eq!(call(&server, "notes", json!({})).await?, notes);
    Ok(())
}

#[tokio::test]
async fn r_beh_8_nothing_of_a_behavior_outlives_its_room() -> Result<()> {
    let mut server = server().await?;
    call(&server, "note", json!({ "text": "gone" })).await?;
    call(&server, "put", json!({ "values": { "k": "v" } })).await?;
    call(&server, "schedule", json!({ "name": "never", "after": "1h" })).await?;
    call(&server, "door", json!({ "event": "lock" })).await?;
    let room = format!("/v1/rooms/{ROOM}");
    server.call(Method::DELETE, &room).bearer(&server.api_key()).send().await?.ok()?;
    for round in ["in memory", "restarted"] {
        assert_eq!(call(&server, "list", json!({})).await?, json!([]), "{round}");
        assert_eq!(call(&server, "notes", json!({})).await?, json!([]), "{round}");
        assert_eq!(call(&server, "timers", Value::Null).await?, json!([]), "{round}");
        server.kill().await?;
        server.start_again(0).await?;
    }
    assert_eq!(call(&server, "door", json!({ "event": "open" })).await?, "opened");
    Ok(())
}

#[tokio::test]
async fn r_beh_19_timers_fire_whatever_comes_between() -> Result<()> {
    for end in End::ALL {
        let mut server = server().await?;
        call(&server, "schedule", json!({ "name": "cancelled", "after": "2s" })).await?;
        call(&server, "schedule", json!({ "name": "soon", "after": "1h", "note": "replaced" })).await?;
        call(&server, "schedule", json!({ "name": "soon", "after": "2s", "note": "tea" })).await?;
        call(&server, "schedule", json!({ "name": "twice", "after": "1s", "fails": 1 })).await?;
        call(&server, "schedule", json!({ "name": "later", "after": "2d" })).await?;
        let cancelled = call(&server, "unschedule", json!({ "keys": ["cancelled", "nothing"] })).await?;
        assert_eq!(cancelled, 1);
        end.come(&mut server).await?;
        eventually("both rang", async || {
            let rang = server.history(ROOM).await?.publications;
            Ok((rang.len() >= 2).then_some(()))
        })
        .await?;
        let mut rang: Vec<Value> = server.history(ROOM).await?.publications.into_values().collect();
        rang.sort_by_key(|rang| rang["data"]["name"].to_string());
        let said: Vec<&Value> = rang.iter().map(|rang| &rang["data"]).collect();
        let expected = [
            json!({ "name": "soon", "attempt": 1, "note": "tea" }),
            json!({ "name": "twice", "attempt": 2, "note": "" }),
        ];
        assert_eq!(said, expected.iter().collect::<Vec<_>>(), "{end:?}");
        let failed = |line: &Value| line["event"] == "hook_failed" && line["hook"] == "timer";
        log::line(&server, "the firing that failed", failed).await?;
        let kept = call(&server, "get", json!({ "keys": ["half done"] })).await?;
        assert_eq!(kept, json!({}), "a firing that failed kept nothing");
        let left = call(&server, "timers", Value::Null).await?;
        assert_eq!(left, json!([{ "name": "later", "attempt": 1 }]), "{end:?}");
        let info = server.get(&format!("/v1/rooms/{ROOM}")).bearer(&server.api_key()).send().await?.ok()?;
        ensure!(info["timers"].as_array().is_some_and(|timers| !timers.is_empty()), "{info}");
    }
    Ok(())
}

#[tokio::test]
async fn r_beh_14_machines_keep_their_state_and_name_what_may_happen() -> Result<()> {
    let mut server = server().await?;
    for end in End::ALL {
        assert_eq!(call(&server, "reset_door", Value::Null).await?, json!(["open", "lock"]));
        assert_eq!(call(&server, "door", json!({ "event": "lock" })).await?, "locked");
        end.come(&mut server).await?;
        let refused = http(&server, "door").json(&json!({ "event": "open" })).send().await?;
        let problem = refused.problem(409, "invalid_transition")?;
        let expected = json!({ "state": "locked", "event": "open", "valid_events": ["unlock"] });
        assert_eq!(problem["data"], expected, "{end:?}");
        assert_eq!(call(&server, "door", json!({ "event": "unlock" })).await?, "closed", "{end:?}");
    }
    let unknown = http(&server, "door").json(&json!({ "event": "kick" })).send().await?;
    assert_eq!(unknown.problem(400, "invalid_argument")?["details"][0]["path"], "event");
    Ok(())
}

#[tokio::test]
async fn r_call_10_what_streams_ends_with_a_clear_error_where_the_server_stops() -> Result<()> {
    let mut server = server().await?;
    let mut lines = Lines::open(http(&server, "counts")).await?;
    assert_eq!(lines.chunk().await?, 0);
    let mut ann = server.visit(ROOM, "ann").rights(json!(["*"])).join().await?;
    ann.send(&json!({ "t": "call", "id": 7, "method": "counts" })).await?;
    assert_eq!(ann.expect("the first", |m| m["id"] == 7).await?["result"], 0);
    server.kill().await?;
    match lines.next().await {
        Ok(Some(line)) => assert_eq!(line["error"]["code"], "unavailable", "{line}"),
        Ok(None) => anyhow::bail!("an end without a last line is no end"),
        Err(_) => {}
    }
    server.start_again(0).await?;
    let mut lines = Lines::open(http(&server, "counts")).await?;
    assert_eq!(lines.chunk().await?, 0, "asked again, it begins anew");
    Ok(())
}

#[tokio::test]
async fn r_call_14_a_room_that_streams_stays_in_memory() -> Result<()> {
    let server = server().await?;
    let mut lines = Lines::open(http(&server, "counts")).await?;
    assert_eq!(lines.chunk().await?, 0);
    let mut ann = server.visit(ROOM, "ann").rights(json!(["*"])).join().await?;
    ann.send(&json!({ "t": "call", "id": 7, "method": "counts" })).await?;
    assert_eq!(ann.expect("the first", |m| m["id"] == 7).await?["result"], 0);
    assert_eq!(call(&server, "remember", Value::Null).await?, 1);
    // An object without an event is put to sleep after 10 s.
    tokio::time::sleep(std::time::Duration::from_secs(12)).await;
    assert_eq!(call(&server, "remember", Value::Null).await?, 2);
    assert_eq!(call(&server, "add", json!({ "by": 5 })).await?, 5);
    assert_eq!(lines.chunk().await?, 5);
    assert_eq!(ann.expect("the next", |m| m["id"] == 7).await?["result"], 5);
    ann.send(&json!({ "t": "cancel", "id": 7 })).await?;
    ann.expect("its end", |m| m["id"] == 7 && m["code"] == "cancelled").await?;
    // Whoever breaks the connection is forgotten, too: the room has no more to stay for.
    drop(lines);
    eventually("it sleeps", async || Ok((server.awake()? == 0).then_some(()))).await
}
