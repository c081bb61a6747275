//! What a backend writes over HTTP: edits, shared state, the log as it is, batches.

use anyhow::{Result, ensure};
use hyper::Method;
use serde_json::{Value, json};
use tests::http::Call;
use tests::roster::list;
use tests::server::Server;
use tests::wire::Codec;

const ROOM: &str = "chat:backend";

fn call(server: &Server, method: Method, path: &str, key: &str) -> Call {
    server.call(method, &format!("/v1/rooms/{ROOM}/{path}")).bearer(key)
}

#[tokio::test]
async fn r_write_1_messages_are_edited_and_removed() -> Result<()> {
    let server = Server::start().await?;
    let key = server.api_key();
    for codec in Codec::BOTH {
        let mut ann = server.visit(ROOM, "ann").codec(codec).join().await?;
        let said = ann.publish(json!("tpyo")).await?["offset"].as_u64().unwrap_or_default();
        let edit = call(&server, Method::PATCH, &format!("messages/{said}"), &key);
        let edited = edit.json(&json!({ "data": "typo" })).send().await?.ok()?;
        assert_eq!(edited, json!({ "offset": said + 1 }));
        let told = ann.expect("the edit", |m| m["type"] == "edit" && m["ref"] == said).await?;
        ensure!(told["data"] == "typo" && told.get("from").is_none(), "{told}");
        let removed = call(&server, Method::DELETE, &format!("messages/{said}"), &key).send().await?.ok()?;
        assert_eq!(removed, json!({ "offset": said + 2 }));
        ann.expect("the removal", |m| m["type"] == "remove" && m["ref"] == said).await?;
        let gone = call(&server, Method::DELETE, &format!("messages/{said}"), &key).send().await?;
        gone.problem(404, "not_found")?;
    }
    let wrong = [("messages/0", json!({ "data": 1 }), "offset"), ("messages/1", json!({ "dat": 1 }), "dat")];
    for (path, body, at) in wrong {
        let answer = call(&server, Method::PATCH, path, &key).json(&body).send().await?;
        assert_eq!(answer.problem(400, "invalid_argument")?["details"][0]["path"], at);
    }
    let long = json!({ "data": "x".repeat(70_000) });
    call(&server, Method::PATCH, "messages/1", &key).json(&long).send().await?.problem(413, "too_large")?;
    Ok(())
}

#[tokio::test]
async fn r_write_1_a_users_token_changes_its_own() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit(ROOM, "ann").join().await?;
    ann.publish(json!("mine")).await?;
    let token = async |user: &str, rights: Value| server.visit(ROOM, user).rights(rights).token().await;
    let edit =
        |token: &str| call(&server, Method::PATCH, "messages/1", token).json(&json!({ "data": "new" }));
    let remove = |token: &str| call(&server, Method::DELETE, "messages/1", token);
    edit(&token("bob", json!(["edit-own"])).await?).send().await?.problem(403, "forbidden")?;
    edit(&token("ann", json!(["publish", "history"])).await?).send().await?.problem(403, "forbidden")?;
    edit(&token("mod", json!(["moderate"])).await?).send().await?.problem(403, "forbidden")?;
    edit(&token("ann", json!(["edit-own"])).await?).send().await?.ok()?;
    let told = ann.expect("the edit", |m| m["type"] == "edit").await?;
    assert_eq!(told["from"]["user"], "ann", "{told}");
    remove(&token("mod", json!(["moderate"])).await?).send().await?.ok()?;
    Ok(())
}

#[tokio::test]
async fn r_write_2_shared_state_is_read_and_written() -> Result<()> {
    let mut server = Server::start().await?;
    let key = server.api_key();
    let empty = call(&server, Method::GET, "state", &key).send().await?.ok()?;
    assert_eq!(empty, json!({ "version": 0, "entries": {} }));
    let mut ann = server.visit(ROOM, "ann").rights(json!(["*"])).join().await?;
    let own = json!({ "t": "state", "ops": [{ "set": "own", "value": 1, "owned": true }] });
    ann.request(own).await?.result()?;
    let write =
        |ops: Value, key: &str| call(&server, Method::PATCH, "state", key).json(&json!({ "ops": ops }));
    let wrote = write(json!([{ "set": "topic", "value": { "a": [1.0] } }]), &key).send().await?.ok()?;
    assert_eq!(wrote, json!({ "version": 2 }));
    ann.expect("the change", |m| m["t"] == "state" && m["version"] == 2).await?;
    let conflict = write(json!([{ "delete": "own" }, { "delete": "topic", "if": 1 }]), &key).send().await?;
    assert_eq!(conflict.problem(409, "conflict")?["details"][0]["path"], "ops[1].if");
    let owned = write(json!([{ "set": "x", "value": 1, "owned": true }]), &key).send().await?;
    assert_eq!(owned.problem(400, "invalid_argument")?["details"][0]["path"], "ops[0].owned");
    let bob = server.visit(ROOM, "bob").rights(json!(["join", "state"])).token().await?;
    write(json!([{ "delete": "own" }]), &bob).send().await?.problem(403, "forbidden")?;
    let joins = server.visit(ROOM, "bob").rights(json!(["join"])).token().await?;
    write(json!([{ "delete": "topic" }]), &joins).send().await?.problem(403, "forbidden")?;
    write(json!([{ "delete": "own" }]), &key).send().await?.ok()?;
    ann.close(1000).await?;
    server.kill().await?;
    server.start_again(0).await?;
    let joins = server.visit(ROOM, "bob").rights(json!(["join"])).token().await?;
    for key in [&key, &joins] {
        let state = call(&server, Method::GET, "state", key).send().await?.ok()?;
        assert_eq!(state["version"], 3);
        assert_eq!(state["entries"], json!({ "topic": { "value": { "a": [1.0] }, "version": 2 } }));
    }
    Ok(())
}

#[tokio::test]
async fn r_write_3_the_raw_log_is_for_backends() -> Result<()> {
    let server = Server::start().await?;
    let key = server.api_key();
    let mut ann = server.visit(ROOM, "ann").rights(json!(["*"])).join().await?;
    ann.publish(json!(1)).await?;
    ann.request(json!({ "t": "edit", "offset": 1, "data": 2 })).await?.result()?;
    ann.request(json!({ "t": "react", "offset": 1, "name": "+", "on": true })).await?.result()?;
    let raw = call(&server, Method::GET, "messages?raw=true", &key).send().await?.ok()?;
    let rows: Vec<_> =
        list(&raw, "messages").iter().map(|m| (m["type"].clone(), m["data"].clone())).collect();
    let expected = [("message", json!(1)), ("edit", json!(2)), ("react", json!({ "name": "+", "on": true }))];
    assert_eq!(rows, expected.map(|(kind, data)| (json!(kind), data)));
    let page = call(&server, Method::GET, "messages?raw=true&after=1&limit=1", &key).send().await?.ok()?;
    assert_eq!((&page["messages"][0]["offset"], &page["next"]), (&json!(2), &json!(2)));
    let token = server.visit(ROOM, "ann").rights(json!(["*"])).token().await?;
    call(&server, Method::GET, "messages?raw=true", &token).send().await?.problem(403, "forbidden")?;
    call(&server, Method::GET, "messages?raw=yes", &key).send().await?.problem(400, "invalid_argument")?;
    Ok(())
}

#[tokio::test]
async fn r_write_4_a_batch_publishes_what_it_can() -> Result<()> {
    let server = Server::start().await?;
    let key = server.api_key();
    let mut ann = server.visit(ROOM, "ann").join().await?;
    let messages = json!([
        { "room": ROOM, "data": 1, "key": "k" },
        { "room": "chat", "data": 2 },
        { "room": "none:a", "data": 3 },
        { "room": "chat:elsewhere", "data": 4 },
        { "room": ROOM, "data": 5, "tags": [""] },
        { "room": ROOM, "data": 6 },
        { "room": ROOM, "data": 1, "key": "k" },
        { "room": ROOM, "data": 7, "ephemeral": true },
        7,
    ]);
    let post = |body: &Value, key: &str| server.post("/v1/publish").bearer(key).json(body);
    let answer = post(&json!({ "messages": messages }), &key).send().await?.ok()?;
    let results = list(&answer, "results");
    let found: Vec<Value> = results
        .iter()
        .map(|result| match result.get("error") {
            Some(error) => error["code"].clone(),
            None => result["offset"].clone(),
        })
        .collect();
    let expected =
        json!([1, "bad_room_name", "unknown_kind", 1, "invalid_argument", 2, 1, null, "invalid_argument"]);
    assert_eq!(json!(found), expected, "{answer}");
    assert_eq!(results[4]["error"]["details"][0]["path"], "messages[4].tags[0]");
    assert_eq!((&results[6]["duplicate"], &results[7]), (&json!(true), &json!({})));
    ann.published(&json!(6)).await?;
    assert_eq!(ann.payloads(), [json!(1), json!(6)], "in their order, and once");

    let many: Vec<Value> =
        (0..100).map(|n| json!({ "room": format!("chat:b{}", n % 30), "data": n })).collect();
    let answer = post(&json!({ "messages": many }), &key).send().await?.ok()?;
    for (n, result) in list(&answer, "results").iter().enumerate() {
        assert_eq!(result["offset"], n / 30 + 1, "{n}: {result}");
    }
    Ok(())
}

#[tokio::test]
async fn r_write_4_a_batch_as_a_whole_has_its_bounds() -> Result<()> {
    let server = Server::start().await?;
    let key = server.api_key();
    let post = |body: &Value, key: &str| server.post("/v1/publish").bearer(key).json(body);
    let one = json!({ "room": ROOM, "data": 1 });
    for (body, path) in [
        (json!({ "messages": [] }), "messages"),
        (json!({ "messages": vec![one.clone(); 101] }), "messages"),
        (json!({ "messages": one }), "messages"),
        (json!([one]), "."),
    ] {
        let problem = post(&body, &key).send().await?.problem(400, "invalid_argument")?;
        assert_eq!(problem["details"][0]["path"], path, "{problem}");
    }
    let keyed = post(&json!({ "messages": [one] }), &key).header("idempotency-key", "k");
    assert_eq!(
        keyed.send().await?.problem(400, "invalid_argument")?["details"][0]["path"],
        "idempotency-key"
    );
    let large = json!({ "messages": vec![json!({ "room": ROOM, "data": "x".repeat(60_000) }); 80] });
    post(&large, &key).send().await?.problem(413, "too_large")?;
    post(&json!({ "messages": [one] }), "x.y.z").send().await?.problem(401, "unauthorized")?;
    let token = server.mint("ann", &json!({ "chat:mine": ["publish"] }), 60).await?;
    let both = json!({ "messages": [{ "room": "chat:mine", "data": 1 }, one] });
    let answer = post(&both, &token).send().await?.ok()?;
    assert_eq!(answer["results"][0]["offset"], 1);
    assert_eq!(answer["results"][1]["error"]["code"], "forbidden", "{answer}");
    Ok(())
}
