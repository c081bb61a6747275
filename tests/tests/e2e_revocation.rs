//! Revoked tokens: refused where they come in, and closed where they are.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::time::Instant;
use tests::client::{Client, Upgrade};
use tests::server::Server;
use tests::tokens::{claims, jwt, now_s};
use tests::wire::Codec;
use tests::{eventually, keys};

const ROOM: &str = "chat:revoked";

async fn revoke(server: &Server, body: &Value) -> Result<Value> {
    server.post("/v1/revocations").bearer(&server.api_key()).json(body).send().await?.ok()
}

fn token(sub: &str, more: &Value) -> String {
    let mut claims = claims(sub, ROOM, &json!(["*"]));
    let more = more.as_object().expect("claims are an object").clone();
    claims.as_object_mut().expect("claims are an object").extend(more);
    jwt(&keys::ed_header(), &claims, &keys::ed())
}

async fn join(server: &Server, token: &str) -> Result<Client> {
    let mut client =
        Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(token)).connect(Codec::Json).await?;
    client.hello(json!({})).await?;
    Ok(client)
}

/// Waits until new connections and calls are refused, as they are within 5 s.
async fn until_refused(server: &Server, token: &str) -> Result<()> {
    eventually("a new connection is refused", async || {
        let upgrade = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(token));
        let mut client = upgrade.connect(Codec::Json).await?;
        // A connection that is let in says nothing until it is greeted.
        let close = client.closed_within(std::time::Duration::from_millis(300)).await;
        Ok(close.is_ok_and(|close| close.code == 3504).then_some(()))
    })
    .await?;
    let answer = server.get(&format!("/v1/rooms/{ROOM}/messages")).bearer(token).send().await?;
    answer.problem(401, "revoked").map(drop)
}

async fn until_occupied(server: &Server) -> Result<()> {
    eventually("the directory knows of the room", async || {
        let page = server.get("/v1/rooms").bearer(&server.api_key()).send().await?.ok()?;
        Ok((page["rooms"][0]["lifecycle"] == "occupied").then_some(()))
    })
    .await
}

#[tokio::test]
async fn r_rev_1_a_revoked_user_is_closed_and_refused_and_another_is_not() -> Result<()> {
    let server = Server::start().await?;
    let issued = now_s() - 60;
    let (ann, bob) = (token("ann", &json!({ "iat": issued })), token("bob", &json!({ "iat": issued })));
    let (mut live, mut other) = (join(&server, &ann).await?, join(&server, &bob).await?);
    until_occupied(&server).await?;
    let answer = revoke(&server, &json!({ "user": "ann", "ttl": 3600 })).await?;
    assert_eq!((&answer["closed"], &answer["complete"]), (&json!(1), &json!(true)), "{answer}");
    ensure!(answer["until"].as_i64().is_some_and(|until| until > (now_s() + 3_500) * 1_000), "{answer}");
    assert_eq!(live.closed().await?.code, 3504);
    until_refused(&server, &ann).await?;
    other.publish(json!("unharmed")).await?;
    // What she is given from now on is another token.
    let renewed = token("ann", &json!({ "iat": now_s() + 5 }));
    join(&server, &renewed).await?;
    Ok(())
}

#[tokio::test]
async fn r_rev_1_one_token_by_its_jti_and_all_of_a_tenant_by_their_time() -> Result<()> {
    let server = Server::start().await?;
    let old = now_s() - 3_600;
    let one = token("ann", &json!({ "jti": "stolen", "iat": old }));
    let two = token("ann", &json!({ "jti": "kept", "iat": old }));
    let (mut first, mut second) = (join(&server, &one).await?, join(&server, &two).await?);
    until_occupied(&server).await?;
    revoke(&server, &json!({ "jti": "stolen", "ttl": 3600 })).await?;
    assert_eq!(first.closed().await?.code, 3504);
    until_refused(&server, &one).await?;
    second.publish(json!("unharmed")).await?;
    revoke(&server, &json!({ "issued_before": (now_s() - 1_800) * 1_000, "ttl": 3600 })).await?;
    assert_eq!(second.closed().await?.code, 3504);
    until_refused(&server, &two).await?;
    join(&server, &token("zoe", &json!({ "iat": now_s() }))).await?;
    Ok(())
}

#[tokio::test]
async fn r_rev_2_while_the_directory_cannot_be_reached_no_token_opens_anything() -> Result<()> {
    let server = Server::with_faults("").await?;
    let ann = token("ann", &json!({}));
    let mut live = join(&server, &ann).await?;
    let messages = format!("/v1/rooms/{ROOM}/messages");
    let read = async |credential: &str| server.get(&messages).bearer(credential).send().await;
    read(&ann).await?.ok()?;

    server.arm(ROOM, "lose_directory").await?;
    // The list that was heard before is used until it is 5 s old.
    let refused = eventually("tokens are no longer taken", async || {
        let answer = read(&ann).await?;
        Ok((answer.status != 200).then_some(answer))
    })
    .await?;
    refused.problem(503, "unavailable")?;
    let mut upgrade = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&ann));
    let close = upgrade.connect(Codec::Json).await?.closed().await?;
    assert_eq!(close.code, 3004, "come back later");
    upgrade.subprotocols.clear();
    let refusal = upgrade.header("authorization", format!("Bearer {ann}")).refused().await?;
    assert_eq!((refusal.status, refusal.code()?.as_str()), (503, "unavailable"));
    live.request(json!({ "t": "auth", "token": ann })).await?.refused("unavailable")?;
    // What needs no list goes on.
    live.publish(json!("still here")).await?;
    read(&server.api_key()).await?.ok()?;

    server.arm(ROOM, "find_directory").await?;
    read(&ann).await?.ok()?;
    join(&server, &ann).await?;
    live.request(json!({ "t": "auth", "token": ann })).await?.result()?;
    Ok(())
}

#[tokio::test]
async fn r_rev_4_a_revocation_survives_kill_9() -> Result<()> {
    let mut server = Server::start().await?;
    let ann = token("ann", &json!({ "iat": now_s() - 60 }));
    join(&server, &ann).await?;
    revoke(&server, &json!({ "user": "ann", "ttl": 3600 })).await?;
    server.kill().await?;
    server.start_again(0).await?;
    let upgrade = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&ann));
    let mut client = upgrade.connect(Codec::Json).await?;
    assert_eq!(client.closed().await?.code, 3504, "at once: nobody has heard otherwise");
    Ok(())
}

#[tokio::test]
async fn r_rev_6_a_wrong_revocation_is_told_where() -> Result<()> {
    let server = Server::start().await?;
    let rows = [
        (json!({ "user": "ann" }), "."),
        (json!({ "user": "ann", "ttl": 0 }), "ttl"),
        (json!({ "ttl": 60 }), "user"),
        (json!({ "user": "ann", "jti": "x", "ttl": 60 }), "jti"),
        (json!({ "user": "", "ttl": 60 }), "user"),
        (json!({ "jti": "", "ttl": 60 }), "jti"),
        (json!({ "user": "ann", "ttl": 60, "surprise": 1 }), "surprise"),
    ];
    for (body, path) in rows {
        let answer = server.post("/v1/revocations").bearer(&server.api_key()).json(&body).send().await?;
        let problem = answer.problem(400, "invalid_argument")?;
        assert_eq!(problem["details"][0]["path"], path, "{body}: {problem}");
    }
    Ok(())
}

/// As many as are told within 5 s.
const MANY: usize = 1_000;

#[tokio::test]
async fn r_rev_3_everyone_in_a_thousand_rooms_is_told() -> Result<()> {
    let server = Server::start().await?;
    let mut live = Vec::new();
    for number in 0..MANY {
        live.push(server.visit(&format!("chat:many-{number}"), "ann").join().await?);
    }
    eventually("the directory knows of every room", async || {
        let page = server.get("/v1/rooms?limit=1000").bearer(&server.api_key()).send().await?.ok()?;
        let rooms = page["rooms"].as_array().into_iter().flatten();
        let occupied = rooms.filter(|room| room["lifecycle"] == "occupied").count();
        Ok((occupied == MANY).then_some(()))
    })
    .await?;
    let began = Instant::now();
    let answer = revoke(&server, &json!({ "user": "ann", "ttl": 3600 })).await?;
    let answered = began.elapsed();
    for client in &mut live {
        assert_eq!(client.closed().await?.code, 3504);
    }
    let all = began.elapsed();
    println!("{MANY} rooms: answered {answer} after {answered:?}, everyone closed after {all:?}");
    Ok(())
}
