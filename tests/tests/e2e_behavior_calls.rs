//! Methods of a room's behavior: called by clients, by HTTP, streamed. The behavior is `tests/behavior`.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use roomcast_client::{Error, Roomcast, TokenError};
use serde_json::{Value, json};
use tests::client::{Answer, Client};
use tests::eventually;
use tests::http::Call;
use tests::keys;
use tests::lines::Lines;
use tests::server::Server;
use tests::wire::Codec;

const ROOM: &str = "fixture:one";

const KINDS: &str = "kinds.fixture.behavior = 'fixture'\nkinds.fixture.presence.grace = '1s'";

async fn server() -> Result<Server> {
    Server::with_faults(KINDS).await
}

async fn ann(server: &Server, codec: Codec) -> Result<Client> {
    server.visit(ROOM, "ann").rights(json!(["*"])).codec(codec).join().await
}

async fn call(client: &mut Client, method: &str, args: Value) -> Result<Answer> {
    client.request(json!({ "t": "call", "method": method, "args": args })).await
}

fn http(server: &Server, method: &str) -> Call {
    server.post(&format!("/v1/rooms/{ROOM}/call/{method}"))
}

#[tokio::test]
async fn r_call_1_a_method_is_called_and_returns() -> Result<()> {
    let server = server().await?;
    for codec in Codec::BOTH {
        let mut ann = ann(&server, codec).await?;
        let Answer::Reply(reply) = call(&mut ann, "echo", json!({ "text": "hi", "times": 2 })).await? else {
            anyhow::bail!("refused")
        };
        assert_eq!((&reply["result"], &reply["more"]), (&json!("hihi"), &json!(false)), "{codec:?}");
        assert_eq!(call(&mut ann, "echo", json!({ "text": "hi" })).await?.result()?, "hi", "its default");
        let who = call(&mut ann, "who", Value::Null).await?.result()?;
        assert_eq!((&who["user"], &who["connected"]), (&json!("ann"), &json!(true)));
        assert_eq!(who["session"], ann.public_session(), "{codec:?}");
    }
    Ok(())
}

#[tokio::test]
async fn r_call_2_arguments_are_checked_before_the_method_runs() -> Result<()> {
    let server = server().await?;
    let mut ann = ann(&server, Codec::Msgpack).await?;
    let rows = [
        (json!({}), "text"),
        (json!({ "text": 7 }), "text"),
        (json!({ "text": "" }), "text"),
        (json!({ "text": "a", "times": 4 }), "times"),
        (json!({ "text": "a", "within": [{ "digit": 1 }, { "digit": 10 }] }), "within[1].digit"),
        (json!({ "text": "a", "within": [{ "digit": -1 }] }), "within[0].digit"),
        (json!({ "text": "a", "more": 1 }), "more"),
        (json!("text"), "args"),
    ];
    for (args, path) in rows {
        let error = call(&mut ann, "echo", args.clone()).await?.refused("invalid_argument")?;
        assert_eq!(error["details"][0]["path"], path, "{args}: {error}");
        ensure!(
            error["details"][0]["message"].as_str().is_some_and(|message| !message.is_empty()),
            "{error}"
        );
        let answer = http(&server, "echo").bearer(&server.api_key()).json(&args).send().await?;
        let problem = answer.problem(400, "invalid_argument")?;
        assert_eq!(problem["details"], error["details"], "{args}");
    }
    Ok(())
}

#[tokio::test]
async fn r_call_3_a_methods_own_error_comes_with_its_data_and_nothing_is_kept() -> Result<()> {
    let server = server().await?;
    let mut ann = ann(&server, Codec::Json).await?;
    assert_eq!(call(&mut ann, "add", json!({ "by": 7 })).await?.result()?, 7);
    ann.published(&json!(7)).await?;
    let error = call(&mut ann, "add", json!({ "by": 4 })).await?.refused("method_failed")?;
    assert_eq!(error["data"], json!({ "why": "too_high", "max": 10, "would_be": 11 }));
    assert_eq!(error["message"], "the counter ends at 10, and would be 11");
    let answer = http(&server, "add").bearer(&server.api_key()).json(&json!({ "by": 4 })).send().await?;
    assert_eq!(answer.problem(422, "method_failed")?["data"], error["data"]);
    assert_eq!(call(&mut ann, "add", json!({ "by": 1 })).await?.result()?, 8, "nothing of it was kept");
    let history = server.history(ROOM).await?;
    let said: Vec<&Value> = history.publications.values().map(|message| &message["data"]).collect();
    assert_eq!(said, [&json!(7), &json!(8)]);
    let error = call(&mut ann, "overflow", Value::Null).await?.refused("too_large")?;
    ensure!(error["message"].as_str().is_some_and(|message| message.contains("does not fit")), "{error}");
    let kept = call(&mut ann, "list", json!({ "prefix": "fits" })).await?.result()?;
    assert_eq!(kept, json!([]), "what fitted went with it");
    Ok(())
}

#[tokio::test]
async fn r_call_13_methods_are_called_over_http() -> Result<()> {
    let server = server().await?;
    let key = server.api_key();
    let echoed = http(&server, "echo").bearer(&key).json(&json!({ "text": "hi" })).send().await?.ok()?;
    assert_eq!(echoed, "hi");
    let service = http(&server, "who").bearer(&key).send().await?.ok()?;
    assert_eq!(service, json!({ "user": null, "session": null, "connected": false, "service": true }));
    let token = server.mint("ann", &json!({ ROOM: ["call"] }), 600).await?;
    let user = http(&server, "who").bearer(&token).body("null").send().await?.ok()?;
    assert_eq!(user, json!({ "user": "ann", "session": null, "connected": false, "service": false }));
    let broken = http(&server, "echo").bearer(&key).body("{\"text\":").send().await?;
    assert_eq!(broken.problem(400, "invalid_argument")?["details"][0]["path"], "args");
    let long = json!({ "text": "x".repeat(100_000) });
    http(&server, "echo").bearer(&key).json(&long).send().await?.problem(413, "too_large")?;
    Ok(())
}

#[tokio::test]
async fn r_call_5_who_may_call_what() -> Result<()> {
    let server = server().await?;
    let mut ann = ann(&server, Codec::Json).await?;
    let mut bob = server.visit(ROOM, "bob").join().await?;
    call(&mut bob, "who", Value::Null).await?.refused("forbidden")?;
    call(&mut ann, "close", json!({ "text": "bye" })).await?.refused("forbidden")?;
    let token = server.mint("ann", &json!({ ROOM: ["*"] }), 600).await?;
    let closing = http(&server, "close").json(&json!({ "text": "bye" }));
    closing.clone().bearer(&token).send().await?.problem(403, "forbidden")?;
    closing.clone().bearer(&keys::api_key("publish")).send().await?.problem(403, "forbidden")?;
    closing.bearer(&keys::api_key("call")).send().await?.ok()?;
    ann.published(&json!("bye")).await?;
    call(&mut ann, "nothing", Value::Null).await?.refused("not_found")?;
    http(&server, "nothing").bearer(&server.api_key()).send().await?.problem(404, "not_found")?;
    for empty in [format!("/v1/rooms/{ROOM}/call"), format!("/v1/rooms/{ROOM}/call/")] {
        server.post(&empty).bearer(&server.api_key()).send().await?.problem(404, "not_found")?;
    }
    let relay = "chat:relay";
    let answer = server.post(&format!("/v1/rooms/{relay}/call/who")).bearer(&server.api_key()).send().await?;
    answer.problem(400, "unsupported")?;
    let mut carl = server.visit(relay, "carl").rights(json!(["*"])).join().await?;
    call(&mut carl, "who", Value::Null).await?.refused("unsupported")?;
    Ok(())
}

/// The chunks of a streamed call, and how it ends.
async fn streamed(client: &mut Client, id: u32) -> Result<(Vec<Value>, Value)> {
    let mut chunks = Vec::new();
    loop {
        let told = client.expect("a chunk or the end", |m| m["id"] == id).await?;
        if told["more"] != true {
            return Ok((chunks, told));
        }
        chunks.push(told["result"].clone());
    }
}

async fn begin(client: &mut Client, method: &str, args: Value) -> Result<u32> {
    let id = client.next_id();
    client.send(&json!({ "t": "call", "id": id, "method": method, "args": args })).await?;
    Ok(id)
}

#[tokio::test]
async fn r_call_8_a_streamed_result_comes_chunk_by_chunk() -> Result<()> {
    let server = server().await?;
    for codec in Codec::BOTH {
        let mut ann = ann(&server, codec).await?;
        let id = begin(&mut ann, "numbers", json!({ "to": 300 })).await?;
        let (chunks, end) = streamed(&mut ann, id).await?;
        assert_eq!(chunks, (0..300).map(|n| json!(n)).collect::<Vec<_>>(), "{codec:?}");
        assert_eq!((&end["t"], &end["result"], &end["more"]), (&json!("reply"), &Value::Null, &json!(false)));
        let id = begin(&mut ann, "numbers", json!({ "to": 2, "fails": true })).await?;
        let (chunks, end) = streamed(&mut ann, id).await?;
        assert_eq!((chunks.len(), &end["code"], &end["data"]), (2, &json!("method_failed"), &json!(2)));
    }
    let mut lines =
        Lines::open(http(&server, "numbers").bearer(&server.api_key()).json(&json!({ "to": 300 }))).await?;
    let (chunks, end) = lines.rest().await?;
    assert_eq!(chunks, (0..300).map(|n| json!(n)).collect::<Vec<_>>());
    assert_eq!(end, json!({ "result": null, "more": false }));
    let failing = http(&server, "numbers").bearer(&server.api_key()).json(&json!({ "to": 2, "fails": true }));
    let (chunks, end) = Lines::open(failing).await?.rest().await?;
    assert_eq!((chunks.len(), &end["error"]["code"]), (2, &json!("method_failed")));
    assert_eq!((&end["error"]["status"], &end["error"]["data"]), (&json!(422), &json!(2)));
    let refused = http(&server, "numbers").bearer(&server.api_key()).json(&json!({ "to": "x" }));
    refused.send().await?.problem(400, "invalid_argument")?;
    Ok(())
}

#[tokio::test]
async fn r_call_9_a_stream_waits_for_what_comes_and_is_cancelled() -> Result<()> {
    let server = server().await?;
    let mut ann = ann(&server, Codec::Msgpack).await?;
    let id = begin(&mut ann, "counts", Value::Null).await?;
    let mut lines = Lines::open(http(&server, "counts").bearer(&server.api_key())).await?;
    let chunk = |m: &Value| m["id"] == id && m["more"] == true;
    assert_eq!(ann.expect("the first", chunk).await?["result"], 0);
    assert_eq!(lines.chunk().await?, 0);
    for expected in [3, 6, 9] {
        call(&mut ann, "add", json!({ "by": 3 })).await?.result()?;
        assert_eq!(ann.expect("the next", chunk).await?["result"], expected);
        assert_eq!(lines.chunk().await?, expected);
    }
    ann.send(&json!({ "t": "cancel", "id": id })).await?;
    let ended = ann.expect("its end", |m| m["id"] == id && m["t"] == "error").await?;
    assert_eq!(ended["code"], "cancelled");
    call(&mut ann, "add", json!({ "by": 1 })).await?.result()?;
    assert_eq!(lines.rest().await?, (vec![json!(10)], json!({ "result": null, "more": false })));
    ensure!(!ann.seen.iter().any(|m| m["id"] == id && m["result"] == 10), "nothing behind the cancellation");
    // What is answered, and what never was asked, has nothing to cancel.
    for id in [id, 4_000_000] {
        ann.send(&json!({ "t": "cancel", "id": id })).await?;
    }
    assert_eq!(call(&mut ann, "inputs", Value::Null).await?.result()?, 0);
    Ok(())
}

#[tokio::test]
async fn r_call_12_a_stream_is_read_no_faster_than_its_reader() -> Result<()> {
    let server = server().await?;
    let key = server.api_key();
    let asked = async || -> Result<u64> {
        let asked = http(&server, "streaming").bearer(&key).send().await?.ok()?;
        asked.as_u64().context("a count")
    };
    let blocks = http(&server, "blocks").bearer(&key).json(&json!({ "count": 3_000, "bytes": 20_000 }));
    let mut lines = Lines::open(blocks).await?;
    lines.chunk().await?;
    let mut before = asked().await?;
    // Buffers on the way fill, then nothing is asked for.
    eventually("the stream stands still", async || {
        let more = asked().await?;
        let stands = more == 0;
        before += more;
        Ok(stands.then_some(()))
    })
    .await?;
    ensure!(before < 2_000, "{before} of 3,000 blocks of 20 kB were made for a reader that does not read");
    drop(lines);
    // Whoever reads no more is forgotten.
    let again = http(&server, "numbers").bearer(&key).json(&json!({ "to": 1 }));
    assert_eq!(Lines::open(again).await?.rest().await?.0, [json!(0)]);
    Ok(())
}

#[tokio::test]
async fn r_call_10_what_streams_ends_with_its_instance() -> Result<()> {
    let server = server().await?;
    let mut ann = ann(&server, Codec::Json).await?;
    let mut lines = Lines::open(http(&server, "counts").bearer(&server.api_key())).await?;
    assert_eq!(lines.chunk().await?, 0);
    let id = begin(&mut ann, "counts", Value::Null).await?;
    ann.expect("the first", |m| m["id"] == id).await?;
    server.arm(ROOM, "trap_on_message 1").await?;
    ann.send(&json!({ "t": "call", "id": 99, "method": "who", "args": null })).await?;
    let (chunks, end) = lines.rest().await?;
    assert_eq!((chunks.len(), &end["error"]["code"]), (0, &json!("unavailable")), "{end}");
    ann.expect("the notice", |m| m["t"] == "notice" && m["code"] == "restarted").await?;
    assert_eq!(ann.closed().await?.code, 3001);
    let who = http(&server, "who").bearer(&server.api_key()).send().await?.ok()?;
    assert_eq!(who["service"], true, "the next instance has its behaviors");
    Ok(())
}

#[tokio::test]
async fn r_rust_2_the_client_for_rust_calls_and_reads_streams() -> Result<()> {
    let server = Arc::new(server().await?);
    let (minting, authority) = (Arc::clone(&server), server.authority().to_owned());
    let client = Roomcast::new(&format!("http://{authority}"))?.token(move |room| {
        let server = Arc::clone(&minting);
        async move {
            let rooms = json!({ room.to_string(): ["*"] });
            server.mint("ann", &rooms, 3600).await.map_err(|error| TokenError::Failed(error.to_string()))
        }
    });
    let (room, _) = client.room(ROOM)?.open();
    room.join().await?;
    let echo: String = room.call("echo", &json!({ "text": "hi", "times": 2 })).await?;
    assert_eq!(echo, "hihi");
    let Err(Error::Rejected(error)) = room.call::<String>("echo", &json!({ "text": 7 })).await else {
        anyhow::bail!("it is no text")
    };
    assert_eq!(error.details[0].path, "text");
    let mut numbers = room.stream::<u64>("numbers", &json!({ "to": 300 })).await?;
    let mut seen = Vec::new();
    while let Some(number) = numbers.next().await {
        seen.push(number?);
    }
    assert_eq!(seen, (0..300).collect::<Vec<_>>());
    let mut failing = room.stream::<u64>("numbers", &json!({ "to": 1, "fails": true })).await?;
    assert!(matches!(failing.next().await, Some(Ok(0))));
    assert!(matches!(failing.next().await, Some(Err(Error::Rejected(_)))));
    assert!(failing.next().await.is_none());
    let mut misread = room.stream::<String>("numbers", &json!({ "to": 300 })).await?;
    assert!(matches!(misread.next().await, Some(Err(Error::Invalid(_)))));
    assert!(misread.next().await.is_none(), "nothing is behind an error");
    // Eight are open at most: those that were dropped are cancelled.
    for _ in 0..20 {
        let mut counts = room.stream::<u64>("counts", &Value::Null).await?;
        assert!(matches!(counts.next().await, Some(Ok(0))));
    }
    Ok(())
}
