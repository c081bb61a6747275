//! The HTTP API: publish, messages, members, health, and how it says no.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use hyper::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::http::Response;
use tests::roster::list;
use tests::server::Server;

fn offsets(page: &Value) -> Vec<u64> {
    list(page, "messages").iter().map(|message| message["offset"].as_u64().unwrap_or_default()).collect()
}

#[tokio::test]
async fn r_http_1_a_publish_over_http_reaches_sockets_and_the_log() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit("chat:http", "ann").join().await?;
    let plain = server.publish("chat:http", &json!({ "data": { "from": "backend" } })).await?;
    let expected = json!({ "epoch": ann.welcome["epoch"], "offset": 1, "duplicate": false });
    assert_eq!(plain, expected);
    let seen = ann.published(&json!({ "from": "backend" })).await?;
    ensure!(seen.get("from").is_none(), "from absent: no `from` {seen}");
    assert_eq!(seen["type"], "message");

    let body = json!({ "data": 2, "type": "news", "tags": [], "from": { "user": "bot", "info": { "name": "Bot" } } });
    server.publish("chat:http", &body).await?;
    let seen = ann.published(&json!(2)).await?;
    assert_eq!((&seen["from"]["user"], &seen["from"]["info"]), (&json!("bot"), &json!({ "name": "Bot" })));
    assert_eq!(seen["type"], "news");
    Ok(())
}

#[tokio::test]
async fn r_http_1_a_users_token_may_call_what_its_capabilities_allow() -> Result<()> {
    let server = Server::start().await?;
    let token =
        server.mint("ann", &json!({ "chat:own": ["join", "publish", "history", "presence"] }), 60).await?;
    let mut bob = server.visit("chat:own", "bob").join().await?;
    let body = json!({ "data": "hi", "from": { "user": "someone-else" } });
    let answer = server.post("/v1/rooms/chat:own/publish").bearer(&token).json(&body).send().await?;
    if answer.status == 200 {
        let seen = bob.published(&json!("hi")).await?;
        assert_eq!(seen["from"]["user"], "ann", "a user publishes as itself");
    } else {
        ensure!((400..500).contains(&answer.status), "{answer:?}");
        let body = json!({ "data": "hi" });
        server.post("/v1/rooms/chat:own/publish").bearer(&token).json(&body).send().await?.ok()?;
        assert_eq!(bob.published(&json!("hi")).await?["from"]["user"], "ann");
    }
    let page = server.get("/v1/rooms/chat:own/messages").bearer(&token).send().await?.ok()?;
    assert_eq!(offsets(&page), [1]);
    server.get("/v1/rooms/chat:own/members").bearer(&token).send().await?.ok()?;
    let elsewhere = server.get("/v1/rooms/chat:other/messages").bearer(&token).send().await?;
    elsewhere.problem(403, "forbidden")?;
    Ok(())
}

#[tokio::test]
async fn r_auth_7_each_route_needs_its_capability_and_touches_no_room_without() -> Result<()> {
    let server = Server::start().await?;
    let token = server.mint("ann", &json!({ "chat:rights": ["join"] }), 60).await?;
    let body = json!({ "data": 1 });
    let publish = server.post("/v1/rooms/chat:rights/publish").json(&body);
    publish.clone().bearer(&token).send().await?.problem(403, "forbidden")?;
    let messages = server.get("/v1/rooms/chat:rights/messages");
    messages.clone().bearer(&token).send().await?.problem(403, "forbidden")?;
    let members = server.get("/v1/rooms/chat:rights/members");
    members.clone().bearer(&token).send().await?.problem(403, "forbidden")?;
    for call in [publish, messages, members] {
        call.clone().send().await?.problem(401, "unauthorized")?;
        call.clone().bearer("rk_wrong_key").send().await?.problem(401, "unauthorized")?;
        call.clone().bearer(&format!("{}x", server.api_key())).send().await?.problem(401, "unauthorized")?;
        call.clone().bearer("").send().await?.problem(401, "unauthorized")?;
        call.header("authorization", "Basic dXNlcjpwYXNz").send().await?.problem(401, "unauthorized")?;
    }
    ensure!(server.databases()?.is_empty(), "a room was touched: {:?}", server.databases()?);
    Ok(())
}

#[tokio::test]
async fn r_http_2_messages_page_in_both_directions_and_filter_by_tag() -> Result<()> {
    let server = Server::start().await?;
    for n in 1..=7 {
        let tags = if n % 3 == 0 { json!(["third"]) } else { json!([]) };
        server.publish("chat:pages", &json!({ "data": n, "tags": tags })).await?;
    }
    let page = async |query: &str| -> Result<Value> {
        let path = format!("/v1/rooms/chat:pages/messages{query}");
        server.get(&path).bearer(&server.api_key()).send().await?.ok()
    };
    let newest = page("?limit=3").await?;
    assert_eq!(offsets(&newest), [5, 6, 7]);
    let older = page(&format!("?limit=3&before={}", newest["next"])).await?;
    assert_eq!(offsets(&older), [2, 3, 4]);
    let first = page("?limit=3&after=0").await?;
    assert_eq!(offsets(&first), [1, 2, 3]);
    let second = page(&format!("?limit=3&after={}", first["next"])).await?;
    assert_eq!(offsets(&second), [4, 5, 6]);
    assert_eq!(offsets(&page("").await?), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(offsets(&page("?tags=third").await?), [3, 6]);
    let message = &list(&newest, "messages")[2];
    assert_eq!((&message["data"], &message["type"]), (&json!(7), &json!("message")));
    ensure!(message["time"].is_u64(), "{message}");
    Ok(())
}

#[tokio::test]
async fn r_http_2_a_room_nobody_used_answers_empty() -> Result<()> {
    let server = Server::start().await?;
    let key = server.api_key();
    let page = server.get("/v1/rooms/chat:new/messages").bearer(&key).send().await?.ok()?;
    assert_eq!(page["messages"], json!([]));
    ensure!(page["epoch"].as_str().is_some_and(|epoch| epoch.len() == 16), "{page}");
    let members = server.members("chat:new").await?;
    assert_eq!((&members["members"], &members["users"]), (&json!([]), &json!(0)));
    Ok(())
}

#[tokio::test]
async fn r_http_3_bad_requests_get_a_problem_that_says_what_is_wrong() -> Result<()> {
    let server = Server::start().await?;
    let key = server.api_key();
    let publish = || server.post("/v1/rooms/chat:bad/publish").bearer(&key);
    let json_type =
        |body: &str| publish().header("content-type", "application/json").body(body.to_owned()).send();
    for body in ["", "{", "nul", "{\"data\":1} x", "\u{0}"] {
        json_type(body).await?.problem(400, "bad_request")?;
    }
    for body in [
        json!({}),
        json!([1]),
        json!({ "data": 1, "tags": "one" }),
        json!({ "data": 1, "tags": [1] }),
        json!({ "data": 1, "to": [] }),
        json!({ "data": 1, "type": "remove" }),
        json!({ "data": 1, "type": 7 }),
        json!({ "data": 1, "key": "k".repeat(129) }),
    ] {
        let answer = publish().json(&body).send().await?;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        let code = answer.json()?["code"].clone();
        ensure!(code == "invalid_argument" || code == "bad_request", "{body}: {code}");
        answer.problem(400, code.as_str().context("a code")?)?;
    }
    let large = json!({ "data": "x".repeat(65_535) });
    publish().json(&large).send().await?.problem(413, "too_large")?;
    for query in ["limit=0", "limit=x", "limit=-1", "limit=201", "after=x", "before=-3", "after=1&before=2"] {
        let path = format!("/v1/rooms/chat:bad/messages?{query}");
        let answer = server.get(&path).bearer(&key).send().await?;
        ensure!(answer.status == 400 || query == "limit=201", "{query}: {} {}", answer.status, answer.text());
        if answer.status == 400 {
            answer.problem(400, "invalid_argument")?;
        }
    }
    assert_eq!(server.history("chat:bad").await?.publications.len(), 0, "nothing bad was logged");
    Ok(())
}

#[tokio::test]
async fn r_http_5_a_body_far_beyond_the_bound_is_refused_unread_or_read() -> Result<()> {
    let server = Server::start().await?;
    let body = json!({ "data": "x".repeat(3 << 20) });
    let call = server.post("/v1/rooms/chat:huge/publish").bearer(&server.api_key()).json(&body);
    call.send().await?.problem(413, "too_large")?;
    server.publish("chat:huge", &json!({ "data": "fine" })).await?;
    Ok(())
}

#[tokio::test]
async fn r_http_7_unknown_paths_and_methods_are_problems_too() -> Result<()> {
    let server = Server::start().await?;
    let key = server.api_key();
    for path in ["/v1", "/v1/nothing", "/v1/rooms/chat:x/nothing"] {
        server.get(path).bearer(&key).send().await?.problem(404, "not_found")?;
    }
    let deleted = server.call(Method::DELETE, "/v1/rooms/chat:x/publish").bearer(&key).send().await?;
    assert_eq!(deleted.status, 405, "{}", deleted.text());
    ensure!(deleted.header("allow").is_some_and(|allow| allow.contains("POST")), "{deleted:?}");
    for method in ["QUERY", "PUT", "PROPFIND"] {
        let unknown = server.call(Method::from_bytes(method.as_bytes())?, "/v1/rooms/chat:x").bearer(&key);
        assert_eq!(unknown.send().await?.status, 405, "{method}");
    }
    let upgrade = server.get("/v1/rooms/chat:x/connect").bearer(&key).send().await?;
    assert_eq!(upgrade.status, 426, "connect without an upgrade: {}", upgrade.text());
    Ok(())
}

#[tokio::test]
async fn r_addr_1_a_bad_room_name_is_400_and_touches_no_room() -> Result<()> {
    let server = Server::start().await?;
    let key = server.api_key();
    let long = format!("chat:{}", "x".repeat(129));
    let long_kind = format!("{}:x", "k".repeat(33));
    let bad = [
        "chat",
        "chat:",
        ":x",
        "Chat:x",
        "1chat:x",
        "chat:a:b",
        "chat:%2F",
        "chat:..%2F..%2Fx",
        "chat:a%20b",
        "ch%C3%A4t:x",
        "chat:%C3%A9",
        "chat:%E2%80%A4",
        "chat:a%00",
        "chat:%252F",
        "chat:%zz",
        "default%2Fchat:x",
        "chat:a%0Ab",
        "chat:a+b",
        &long,
        &long_kind,
    ];
    for room in bad {
        let path = format!("/v1/rooms/{room}/messages");
        server
            .get(&path)
            .bearer(&key)
            .send()
            .await?
            .problem(400, "bad_room_name")
            .context(room.to_owned())?;
    }
    ensure!(server.databases()?.is_empty(), "a room was touched: {:?}", server.databases()?);
    let longest = format!("/v1/rooms/chat:{}/messages", "x".repeat(128));
    server.get(&longest).bearer(&key).send().await?.ok()?;
    server.get("/v1/rooms/chat:A.b_c~d-9/messages").bearer(&key).send().await?.ok()?;
    Ok(())
}

#[tokio::test]
async fn r_http_3_every_answer_carries_its_own_request_id() -> Result<()> {
    let server = Server::start().await?;
    let mut ids = BTreeSet::new();
    for path in
        ["/healthz", "/v1/rooms/chat:x/messages", "/v1/rooms/CHAT/messages", "/nothing", "/v1/nothing"]
    {
        for _ in 0..2 {
            let answer = server.get(path).bearer(&server.api_key()).send().await?;
            let id = answer.header("x-request-id").with_context(|| format!("{path} has no x-request-id"))?;
            ensure!(ids.insert(id.to_owned()), "{id} twice");
        }
    }
    Ok(())
}

#[tokio::test]
async fn r_http_4_health_answers_without_a_key_and_wakes_nothing() -> Result<()> {
    let server = Server::start().await?;
    let answer = server.get("/healthz").send().await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    ensure!(server.databases()?.is_empty());
    Ok(())
}

#[tokio::test]
async fn r_pub_2_many_publishes_at_once_get_dense_offsets() -> Result<()> {
    let server = Server::start().await?;
    let publishes = (0..50).map(|n| {
        let server = &server;
        async move { server.publish("chat:burst", &json!({ "data": n })).await }
    });
    let results = futures_util::future::join_all(publishes).await;
    let mut offsets = Vec::new();
    for result in results {
        offsets.push(result?["offset"].as_u64().context("an offset")?);
    }
    offsets.sort_unstable();
    assert_eq!(offsets, (1..=50).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn r_addr_2_an_unknown_kind_is_404_on_every_route_and_touches_no_room() -> Result<()> {
    let server = Server::start().await?;
    let key = server.api_key();
    let body = json!({ "data": 1 });
    for call in [
        server.get("/v1/rooms/nokind:x/messages"),
        server.get("/v1/rooms/nokind:x/members"),
        server.post("/v1/rooms/nokind:x/publish").json(&body),
    ] {
        call.clone().bearer(&key).send().await?.problem(404, "unknown_kind")?;
        call.send().await?.problem(404, "unknown_kind").context("ahead of the credentials")?;
    }
    ensure!(server.databases()?.is_empty(), "a room was touched: {:?}", server.databases()?);
    Ok(())
}

/// The development server lets every page read an answer; it serves none to a foreign origin all the same.
#[tokio::test]
async fn r_http_8_browsers_of_allowed_origins_may_call_and_others_may_not() -> Result<()> {
    let server = Server::with("allowed_origins = ['https://app.example']").await?;
    let path = "/v1/rooms/chat:cors/publish";
    let origin = "https://app.example";
    let preflight = server
        .call(Method::OPTIONS, path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type")
        .send()
        .await?;
    assert_eq!(preflight.status, 204, "{}", preflight.text());
    let readable = |answer: &Response| {
        answer.header("access-control-allow-origin").is_some_and(|allowed| allowed == origin)
    };
    ensure!(readable(&preflight), "{preflight:?}");
    let methods = preflight.header("access-control-allow-methods").unwrap_or_default();
    ensure!(methods.contains("POST"), "{preflight:?}");
    let headers = preflight.header("access-control-allow-headers").unwrap_or_default().to_ascii_lowercase();
    ensure!(headers.contains("authorization") && headers.contains("content-type"), "{preflight:?}");

    let token = server.mint("ann", &json!({ "chat:cors": ["publish"] }), 60).await?;
    let publish = |origin: &str| {
        let call = server.post(path).bearer(&token).header("origin", origin);
        call.json(&json!({ "data": 1 })).send()
    };
    publish("https://evil.example").await?.problem(403, "forbidden")?;
    let answer = publish(origin).await?;
    ensure!(readable(&answer), "{answer:?}");
    let vary = answer.header("vary").unwrap_or_default().to_ascii_lowercase();
    ensure!(vary.contains("origin"), "a cache must not serve one origin's answer to another: {answer:?}");
    assert_eq!(answer.ok()?["offset"], 1, "the foreign one left nothing");
    Ok(())
}

#[tokio::test]
async fn r_http_8_the_published_key_is_the_public_half_that_verifies_the_gateways_tokens() -> Result<()> {
    let server = Server::start().await?;
    let set = server.get("/.well-known/jwks.json").send().await?.ok()?;
    let token = server.mint("ann", &json!({}), 60).await?;
    let header = tests::tokens::part(&token, 0).context("a header")?;
    let key =
        list(&set, "keys").iter().find(|key| key["kid"] == header["kid"]).context("the kid is listed")?;
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")));
    ensure!(key.get("d").is_none(), "the private half is out");
    let x = URL_SAFE_NO_PAD.decode(key["x"].as_str().context("x")?)?;
    let public = VerifyingKey::from_bytes(&x.as_slice().try_into()?)?;
    let (signed, signature) = token.rsplit_once('.').context("three parts")?;
    let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature)?)?;
    public.verify_strict(signed.as_bytes(), &signature)?;
    Ok(())
}
