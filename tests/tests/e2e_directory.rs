//! What a tenant's directory knows of its rooms.

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::roster::list;
use tests::server::Server;
use tests::{eventually, keys};

const SHORT_LIFE: &str =
    "kinds.chat.idle_after = '1s'\nkinds.chat.expire_after = '2s'\nkinds.chat.presence.grace = '1s'";

async fn page(server: &Server, query: &str) -> Result<Value> {
    server.get(&format!("/v1/rooms{query}")).bearer(&server.api_key()).send().await?.ok()
}

fn names(page: &Value) -> Vec<String> {
    list(page, "rooms").iter().filter_map(|room| room["room"].as_str().map(ToOwned::to_owned)).collect()
}

/// Every room, page by page.
async fn all(server: &Server, limit: usize) -> Result<Vec<String>> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = page(server, &format!("?limit={limit}{cursor}")).await?;
        ensure!(list(&page, "rooms").len() <= limit, "a page of at most {limit}: {page}");
        found.extend(names(&page));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(found),
        }
    }
}

/// The entry of a room, once it is listed in this state.
async fn listed(server: &Server, room: &str, state: &str) -> Result<Value> {
    eventually(&format!("{room} is listed as {state}"), async || {
        let page = page(server, &format!("?prefix={room}&limit=1")).await?;
        let entry = list(&page, "rooms").iter().find(|entry| entry["room"] == room).cloned();
        Ok(entry.filter(|entry| entry["lifecycle"] == state))
    })
    .await
}

#[tokio::test]
async fn r_dir_6_rooms_are_listed_by_name_page_by_page() -> Result<()> {
    let server = Server::start().await?;
    let expected: BTreeSet<String> =
        (0..60).map(|number| format!("{}:listed-{number}", ["chat", "game", "live"][number % 3])).collect();
    for room in &expected {
        server.publish(room, &json!({ "data": 1 })).await?;
    }
    let expected: Vec<String> = expected.into_iter().collect();
    eventually("every room is listed", async || Ok((all(&server, 200).await? == expected).then_some(())))
        .await?;
    for limit in [1, 7, 20, 60] {
        assert_eq!(all(&server, limit).await?, expected, "in pages of {limit}");
    }
    let chats = page(&server, "?prefix=chat:&limit=100").await?;
    let only: Vec<String> = expected.iter().filter(|room| room.starts_with("chat:")).cloned().collect();
    assert_eq!(names(&chats), only);
    assert_eq!(names(&page(&server, "?prefix=nothing").await?), Vec::<String>::new());
    let entry = &list(&chats, "rooms")[0];
    assert_eq!((&entry["kind"], &entry["lifecycle"]), (&json!("chat"), &json!("vacant")), "{entry}");
    assert_eq!((&entry["publications"], &entry["members"]), (&json!(1), &json!(0)), "{entry}");
    ensure!(entry["stored_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{entry}");
    for query in ["?limit=0", "?limit=1001", "?limit=x", "?cursor=a&cursor=b"] {
        let answer = server.get(&format!("/v1/rooms{query}")).bearer(&server.api_key()).send().await?;
        answer.problem(400, "invalid_argument").with_context(|| query.to_owned())?;
    }
    Ok(())
}

#[tokio::test]
async fn r_dir_2_the_directory_follows_a_rooms_life() -> Result<()> {
    let server = Server::with(SHORT_LIFE).await?;
    let room = "chat:followed";
    let mut ann = server.visit(room, "ann").join().await?;
    let occupied = listed(&server, room, "occupied").await?;
    assert_eq!((&occupied["members"], &occupied["connections"]), (&json!(1), &json!(1)), "{occupied}");
    ann.publish(json!("said")).await?;
    ann.close(1000).await?;
    eventually("the room is gone from the list", async || {
        Ok(page(&server, "?prefix=chat:followed").await.map(|page| names(&page).is_empty())?.then_some(()))
    })
    .await?;
    let mut ann = server.visit(room, "ann").join().await?;
    listed(&server, room, "occupied").await?;
    let deleted = server.call(Method::DELETE, &format!("/v1/rooms/{room}"));
    deleted.bearer(&server.api_key()).send().await?.ok()?;
    ensure!(ann.closed().await?.code == 3510, "closed with the room");
    eventually("the deleted room is not listed", async || {
        Ok(page(&server, "?prefix=chat:followed").await.map(|page| names(&page).is_empty())?.then_some(()))
    })
    .await
}

#[tokio::test]
async fn r_dir_2_an_occupied_room_that_was_killed_is_listed_as_vacated_once_it_wakes() -> Result<()> {
    let mut server = Server::with("kinds.chat.presence.grace = '1s'").await?;
    let room = "chat:killed";
    let _ann = server.visit(room, "ann").join().await?;
    listed(&server, room, "occupied").await?;
    server.kill().await?;
    server.start_again(0).await?;
    // Nobody has told the directory, and no socket is left.
    listed(&server, room, "occupied").await?;
    server.members(room).await?;
    let vacated = listed(&server, room, "vacant").await?;
    assert_eq!((&vacated["members"], &vacated["connections"]), (&json!(0), &json!(0)), "{vacated}");
    Ok(())
}

#[tokio::test]
async fn r_dir_2_a_room_whose_report_was_lost_tells_when_it_wakes() -> Result<()> {
    let mut server = Server::start().await?;
    // Killed at once: some of the reports are lost, and what was answered is not.
    let rooms: BTreeSet<String> = (0..12).map(|number| format!("chat:lost-{number}")).collect();
    for room in &rooms {
        server.publish(room, &json!({ "data": 1 })).await?;
    }
    server.kill().await?;
    server.start_again(0).await?;
    for room in &rooms {
        server.members(room).await?;
    }
    let rooms: Vec<String> = rooms.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    eventually("every room is listed", async || Ok((all(&server, 100).await? == rooms).then_some(()))).await
}

#[tokio::test]
async fn r_dir_4_usage_counts_each_kind_once_through_kill_9() -> Result<()> {
    let mut server = Server::start().await?;
    let mut ann = server.visit("chat:used", "ann").join().await?;
    for number in 0..5 {
        ann.publish(json!(number)).await?;
    }
    server.publish("game:used", &json!({ "data": 1 })).await?;
    let usage = async |server: &Server| -> Result<Value> {
        server.get("/v1/usage").bearer(&server.api_key()).send().await?.ok()
    };
    let told = eventually("what was done is counted", async || {
        let usage = usage(&server).await?;
        Ok((usage["kinds"]["chat"]["messages_in"] == 6 && usage["kinds"]["game"]["rooms"] == 1)
            .then_some(usage))
    })
    .await?;
    assert_eq!(told["tenant"], "default");
    let chat = &told["kinds"]["chat"];
    let expected =
        [("rooms", 1), ("members", 1), ("connections", 1), ("connections_opened", 1), ("publications", 5)];
    for (name, value) in expected {
        assert_eq!(chat[name], value, "{name}: {told}");
    }
    assert_eq!(told["total"]["publications"], 6, "{told}");
    ensure!(chat["bytes_in"].as_u64().is_some_and(|bytes| bytes > 100), "{told}");
    server.kill().await?;
    server.start_again(0).await?;
    let again = usage(&server).await?;
    assert_eq!(again["kinds"]["chat"]["messages_in"], 6, "{again}");
    Ok(())
}

#[tokio::test]
async fn r_dir_7_a_users_connections_are_closed_everywhere() -> Result<()> {
    let server = Server::start().await?;
    let rooms: Vec<String> = (0..10).map(|number| format!("chat:every-{number}")).collect();
    let (mut anns, mut bobs) = (Vec::new(), Vec::new());
    for room in &rooms {
        anns.push(server.visit(room, "ann").join().await?);
        bobs.push(server.visit(room, "bob").join().await?);
        listed(&server, room, "occupied").await?;
    }
    let path = "/v1/users/ann/disconnect";
    let body = json!({ "reason": "enough" });
    let answer = server.post(path).bearer(&server.api_key()).json(&body).send().await?.ok()?;
    assert_eq!(answer, json!({ "closed": 10, "complete": true }));
    for ann in &mut anns {
        let close = ann.closed().await?;
        assert_eq!((close.code, close.reason.as_str()), (3505, "enough"));
    }
    for bob in &mut bobs {
        bob.publish(json!("still here")).await?;
    }
    let nobody = server.post("/v1/users/zoe/disconnect").bearer(&server.api_key()).send().await?.ok()?;
    assert_eq!(nobody["closed"], 0);
    let long = json!({ "reason": "r".repeat(124) });
    let wrong = server.post(path).bearer(&server.api_key()).json(&long).send().await?;
    assert_eq!(wrong.problem(400, "invalid_argument")?["details"][0]["path"], "reason");
    Ok(())
}

#[tokio::test]
async fn r_dir_8_the_directory_is_for_api_keys_with_its_scopes() -> Result<()> {
    let server = Server::start().await?;
    let token = server.mint("ann", &json!({ "*": ["*"] }), 60).await?;
    let rows = [
        (Method::GET, "/v1/rooms", "admin"),
        (Method::GET, "/v1/usage", "admin"),
        (Method::GET, "/metrics", "metrics"),
        (Method::POST, "/v1/users/ann/disconnect", "moderate"),
        (Method::POST, "/v1/revocations", "revoke"),
    ];
    for (method, path, scope) in rows {
        let call = || server.call(method.clone(), path);
        call().send().await?.problem(401, "unauthorized")?;
        call().bearer(&token).send().await?.problem(403, "forbidden")?;
        for other in ["none", "publish", "read", "edit", "tokens"] {
            call().bearer(&keys::api_key(other)).send().await?.problem(403, "forbidden")?;
        }
        let body = json!({ "user": "nobody", "ttl": 1 });
        let allowed = call().bearer(&keys::api_key(scope));
        let allowed = if path == "/v1/revocations" { allowed.json(&body) } else { allowed };
        ensure!(allowed.send().await?.status == 200, "{path} with {scope}");
    }
    Ok(())
}

#[tokio::test]
async fn r_dir_9_what_is_not_parked_is_not_found() -> Result<()> {
    let server = Server::start().await?;
    let parked = "/v1/webhooks/parked";
    let call = |method: Method, path: &str| server.call(method, path).bearer(&server.api_key());
    assert_eq!(call(Method::GET, parked).send().await?.ok()?, json!({ "parked": [] }));
    let one = format!("{parked}/0123456789abcdef.hook.1-3");
    call(Method::DELETE, &one).send().await?.problem(404, "not_found")?;
    call(Method::POST, &format!("{one}/replay")).send().await?.problem(404, "not_found")?;
    let wrong = call(Method::GET, &format!("{parked}?cursor=x")).send().await?;
    assert_eq!(wrong.problem(400, "invalid_argument")?["details"][0]["path"], "cursor");
    let moderator = server.get(parked).bearer(&keys::api_key("moderate")).send().await?;
    moderator.problem(403, "forbidden")?;
    Ok(())
}
