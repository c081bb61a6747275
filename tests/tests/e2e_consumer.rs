//! The example Workers beside the rooms, in one workerd with the gateway.

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use serde_json::{Value, json};
use tests::http::Call;
use tests::server::{Server, repository};
use tokio::process::Command;
use xtask::workerd::Neighbour;

const NAME: &str = "polls";

/// The gateway, and the example in this language beside it.
struct Scene {
    server: Server,
    polls: String,
    _bundle: tempfile::TempDir,
}

impl Scene {
    async fn set(language: &str) -> Result<Scene> {
        let bundle = tempfile::tempdir()?;
        let folder = repository().join("examples/consumer-worker").join(language);
        let worker = match language {
            "typescript" => {
                let mut esbuild = Command::new(repository().join("node_modules/.bin/esbuild"));
                let outfile = format!("--outfile={}", bundle.path().join("index.js").display());
                esbuild.arg(folder.join("src/index.ts")).args([
                    "--bundle",
                    "--format=esm",
                    "--log-level=error",
                ]);
                ensure!(esbuild.arg(outfile).status().await?.success(), "the example cannot be bundled");
                bundle.path().to_owned()
            }
            _ => repository().join("build/consumer"),
        };
        let mut server = Server::not_yet_with_faults("kinds.fixture.behavior = 'fixture'")?;
        server.add_neighbour(Neighbour { name: NAME.into(), worker, config: folder.join("wrangler.toml") });
        server.set_secret("ROOMCAST_API_KEY", server.api_key());
        server.start_again(0).await?;
        let polls = server.neighbour(NAME)?;
        Ok(Scene { server, polls, _bundle: bundle })
    }

    fn call(&self, method: Method, path: &str, body: &Value) -> Call {
        Call::new(&self.polls, method, path).json(body)
    }

    fn post(&self, path: &str, body: &Value) -> Call {
        self.call(Method::POST, path, body)
    }
}

fn lunch() -> Value {
    json!({ "question": "Lunch?", "options": ["soup", "salad"], "seconds": 3600 })
}

/// The gateway and the other Worker mean the same room.
async fn the_tally(server: &Server, room: &str) -> Result<Value> {
    let state =
        server.get(&format!("/v1/rooms/{room}/state")).bearer(&server.api_key()).send().await?.ok()?;
    Ok(state["entries"]["tally"]["value"]["votes"].clone())
}

#[tokio::test]
async fn r_call_15_a_worker_in_rust_calls_rooms_by_their_functions() -> Result<()> {
    let scene = Scene::set("rust").await?;
    let opened = scene.post("/polls", &lunch()).send().await?;
    ensure!(opened.status == 201, "{}", opened.text());
    let room = opened.json()?["room"].as_str().context("a room")?.to_owned();
    ensure!(room.starts_with("poll:") && room.len() > 30, "{room} is one that nobody named before");
    let votes = format!("/polls/{room}/votes");
    let tally = scene.post(&votes, &json!({ "option": 1 })).send().await?.ok()?;
    assert_eq!(tally["votes"], json!([0, 1]));
    assert_eq!(the_tally(&scene.server, &room).await?, json!([0, 1]));
    let refused = scene.post(&votes, &json!({ "option": 7 })).send().await?;
    assert_eq!((refused.status, &refused.json()?["error"]), (409, &json!("NoSuchOption")));
    let closed = scene.post("/polls/poll:never/votes", &json!({ "option": 0 })).send().await?;
    assert_eq!((closed.status, &closed.json()?["error"]), (409, &json!("Closed")));
    let mut wrong = lunch();
    wrong["options"] = json!(["soup"]);
    let invalid = scene.post("/polls", &wrong).send().await?;
    assert_eq!((invalid.status, &invalid.json()?["details"][0]["path"]), (400, &json!("options")));
    let elsewhere = scene.post("/polls/chat:lobby/votes", &json!({ "option": 0 })).send().await?;
    assert_eq!((elsewhere.status, &elsewhere.json()?["wrong"]), (404, &json!("not_found")));
    let unnamed = scene.post("/polls/lunch/votes", &json!({ "option": 0 })).send().await?;
    assert_eq!((unnamed.status, &unnamed.json()?["wrong"]), (400, &json!("name")));
    Ok(())
}

#[tokio::test]
async fn r_call_14_a_worker_in_rust_reads_what_a_method_streams_to_its_end() -> Result<()> {
    let scene = Scene::set("rust").await?;
    let numbers = |asked: Value| scene.post("/numbers/fixture:one", &asked).send();
    let all = numbers(json!({ "to": 20_000, "fails": false })).await?.ok()?;
    let expected: Vec<u32> = (0..20_000).collect();
    assert_eq!(all, json!({ "read": expected, "wrong": null }));
    let none = numbers(json!({ "to": 0, "fails": false })).await?.ok()?;
    assert_eq!(none, json!({ "read": [], "wrong": null }));
    let cut = numbers(json!({ "to": 3, "fails": true })).await?.ok()?;
    assert_eq!(cut, json!({ "read": [0, 1, 2], "wrong": "method_failed: asked to fail" }));
    let refused = numbers(json!({ "to": 100_001, "fails": false })).await?.ok()?;
    ensure!(refused["refused"].as_str().is_some_and(|why| !why.is_empty()), "{refused}");
    Ok(())
}

#[tokio::test]
async fn r_call_15_rooms_are_found_by_tenant_as_a_singleton_and_by_jurisdiction_where_there_is_one()
-> Result<()> {
    let scene = Scene::set("rust").await?;
    let opened = scene.call(Method::PUT, "/polls/daily", &lunch()).send().await?;
    assert_eq!(opened.json()?, json!({ "room": "poll:singleton" }));
    let again = scene.call(Method::PUT, "/polls/daily", &lunch()).send().await?;
    assert_eq!((again.status, &again.json()?["error"]), (409, &json!("Opened")));
    assert_eq!(the_tally(&scene.server, "poll:singleton").await?, json!([0, 0]));
    let of_acme = scene.post("/tenants/acme/polls/poll:singleton", &lunch()).send().await?;
    ensure!(of_acme.status == 201, "another tenant's is another room: {}", of_acme.text());
    let nobodys = scene.post("/tenants/ACME/polls/poll:x", &lunch()).send().await?;
    assert_eq!((nobodys.status, &nobodys.json()?["wrong"]), (400, &json!("name")));
    let in_the_eu = scene.post("/jurisdictions/eu/polls/poll:x", &lunch()).send().await?;
    let told = in_the_eu.json()?;
    assert_eq!(
        (in_the_eu.status, &told["wrong"]),
        (400, &json!("name")),
        "workerd by itself has none: {told}"
    );
    ensure!(told["message"].as_str().is_some_and(|message| message.contains("urisdiction")), "{told}");
    Ok(())
}

#[tokio::test]
async fn r_call_15_errors_of_a_room_that_is_lost_may_be_tried_again() -> Result<()> {
    let scene = Scene::set("rust").await?;
    let room = "poll:lost";
    scene
        .server
        .get(&format!("/v1/rooms/{room}/state"))
        .bearer(&scene.server.api_key())
        .send()
        .await?
        .ok()?;
    scene.server.arm(room, "fail_commit 1").await?;
    let daily = scene.call(Method::PUT, "/polls/daily", &lunch()).send().await?;
    assert_eq!(daily.status, 503, "{}", daily.text());
    let told = daily.json()?;
    assert_eq!((&told["wrong"], &told["retryable"]), (&json!("unavailable"), &json!(true)));
    let daily = scene.call(Method::PUT, "/polls/daily", &lunch()).send().await?;
    assert_eq!(daily.status, 201, "{}", daily.text());
    Ok(())
}

#[tokio::test]
async fn r_call_15_a_worker_in_typescript_calls_rooms_and_speaks_http_through_its_bindings() -> Result<()> {
    let scene = Scene::set("typescript").await?;
    let opened = scene.post("/polls", &lunch()).send().await?;
    ensure!(opened.status == 201, "{}", opened.text());
    let room = opened.json()?["room"].as_str().context("a room")?.to_owned();
    let votes = format!("/polls/{room}/votes");
    let tally = scene.post(&votes, &json!({ "option": 0 })).send().await?.ok()?;
    assert_eq!(tally["votes"], json!([1, 0]));
    assert_eq!(the_tally(&scene.server, &room).await?, json!([1, 0]));
    let said: Vec<Value> = scene.server.history("chat:lobby").await?.publications.into_values().collect();
    assert_eq!(said[0]["data"]["text"], format!("Lunch? Vote in {room}."));
    let refused = scene.post(&votes, &json!({ "option": 7 })).send().await?;
    let told = refused.json()?;
    assert_eq!(
        (refused.status, &told["code"], &told["data"]),
        (422, &json!("method_failed"), &json!("NoSuchOption"))
    );
    let invalid = scene.post(&votes, &json!({ "option": "soup" })).send().await?;
    assert_eq!((invalid.status, &invalid.json()?["details"][0]["path"]), (400, &json!("option")));
    let elsewhere = scene.post("/polls/chat:lobby/votes", &json!({ "option": 0 })).send().await?;
    assert_eq!(elsewhere.json()?["code"], "unsupported");
    Ok(())
}

#[tokio::test]
async fn r_call_15_the_typescript_example_is_typed_end_to_end() -> Result<()> {
    let folder = repository().join("examples/consumer-worker/typescript");
    let tsc = repository().join("node_modules/.bin/tsc");
    let checked = Command::new(tsc).arg("--project").arg(folder).output().await?;
    ensure!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    Ok(())
}
