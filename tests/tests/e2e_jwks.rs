//! Tokens of an issuer that is not ours, made by another library in another language; its set of keys as it rotates,
//! hangs and answers nonsense.

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tests::client::Upgrade;
use tests::eventually;
use tests::issuer::Issuer;
use tests::server::Server;
use tests::tokens::now_s;
use tests::wire::Codec;

const ROOM: &str = "chat:issued";
const KEYS: &str = "ROOMCAST_KEYS";

async fn server_with(entries: &[Value]) -> Result<Server> {
    Server::with_secret("", KEYS, json!(entries).to_string()).await
}

/// What a token comes to over HTTP: 200, or the problem's status and code.
async fn outcome(server: &Server, token: &str) -> Result<(u16, String)> {
    let answer = server.get(&format!("/v1/rooms/{ROOM}/messages")).bearer(token).send().await?;
    match answer.status {
        200 => Ok((200, String::new())),
        status => Ok((status, answer.json()?["code"].as_str().unwrap_or_default().to_owned())),
    }
}

async fn expect(server: &Server, token: &str, status: u16, code: &str, what: &str) -> Result<()> {
    let got = outcome(server, token).await?;
    ensure!(got == (status, code.to_owned()), "{what}: {got:?}, not {status} {code}");
    Ok(())
}

async fn opens(server: &Server, token: &str, what: &str) -> Result<()> {
    expect(server, token, 200, "", what).await
}

#[tokio::test]
async fn r_auth_1_another_librarys_tokens_of_each_algorithm_open_the_room() -> Result<()> {
    let issuer = Issuer::start().await?;
    let algorithms = ["HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA"];
    let mut entries = Vec::new();
    for alg in algorithms {
        entries.push(issuer.make(&format!("{alg}-configured"), alg).await?);
    }
    let server = server_with(&entries).await?;
    for alg in algorithms {
        let token = issuer.token(&format!("{alg}-configured"), ROOM).await?;
        let upgrade = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&token));
        let mut client = upgrade.connect(Codec::Json).await?;
        client.hello(json!({})).await?;
        assert_eq!(client.welcome["user"], "ann", "{alg}");
        opens(&server, &token, alg).await?;
        let unknown = issuer
            .sign(
                &format!("{alg}-configured"),
                &json!({ "sub": "ann", "exp": now_s() + 60 }),
                &json!({ "kid": "other" }),
            )
            .await?;
        expect(&server, &unknown, 401, "unauthorized", alg).await?;
    }
    Ok(())
}

#[tokio::test]
async fn r_jwks_1_tokens_by_published_keys_open_the_room_over_both_ways_in() -> Result<()> {
    let issuer = Issuer::start().await?;
    let server = server_with(&[issuer.entry()]).await?;
    for alg in ["RS256", "ES256", "EdDSA"] {
        let token = issuer.token(alg, ROOM).await?;
        for codec in Codec::BOTH {
            let upgrade = Upgrade::new(server.connect_url(ROOM), codec, Some(&token));
            upgrade.connect(codec).await?.hello(json!({})).await?;
        }
        opens(&server, &token, alg).await?;
    }
    assert_eq!(issuer.asked().await?, 1, "one set serves them all");
    let claims =
        |iss: &str| json!({ "iss": iss, "sub": "ann", "rooms": { "*": ["*"] }, "exp": now_s() + 60 });
    for iss in ["https://other.example", "https://issuer.example/", "HTTPS://issuer.example", ""] {
        let token = issuer.sign("EdDSA", &claims(iss), &json!({})).await?;
        expect(&server, &token, 401, "unauthorized", iss).await?;
    }
    assert_eq!(issuer.asked().await?, 1, "others' tokens make nobody ask");
    Ok(())
}

#[tokio::test]
async fn r_jwks_3_requests_that_come_at_once_share_a_fetch() -> Result<()> {
    let issuer = Issuer::start().await?;
    issuer.serve("slow").await?;
    let server = server_with(&[issuer.entry()]).await?;
    let token = issuer.token("EdDSA", ROOM).await?;
    try_join_all((0..20).map(|_| opens(&server, &token, "one of many"))).await?;
    assert_eq!(issuer.asked().await?, 1);
    Ok(())
}

#[tokio::test]
async fn r_jwks_4_keys_rotate_without_downtime_and_strangers_cannot_make_us_ask() -> Result<()> {
    let issuer = Issuer::start().await?;
    let server = server_with(&[issuer.entry()]).await?;
    let old = issuer.token("EdDSA", ROOM).await?;
    opens(&server, &old, "before").await?;
    issuer.make("next", "EdDSA").await?;
    issuer.publish(&["EdDSA", "next"]).await?;
    let new = issuer.token("next", ROOM).await?;
    opens(&server, &new, "the new key").await?;
    opens(&server, &old, "the old key beside it").await?;
    assert_eq!(issuer.asked().await?, 2);
    for kid in ["../../../etc/passwd", "' OR '1'='1", "next\0", "http://127.0.0.1/", "NEXT"] {
        let claims = json!({ "iss": tests::issuer::ISS, "sub": "ann", "exp": now_s() + 60 });
        let token = issuer.sign("next", &claims, &json!({ "kid": kid })).await?;
        expect(&server, &token, 401, "unauthorized", kid).await?;
    }
    assert_eq!(issuer.asked().await?, 2, "at most once a minute");
    Ok(())
}

#[tokio::test]
async fn r_jwks_5_the_last_good_set_counts_while_the_issuer_is_down() -> Result<()> {
    let mut issuer = Issuer::start().await?;
    let server = server_with(&[issuer.entry()]).await?;
    let known = issuer.token("ES256", ROOM).await?;
    opens(&server, &known, "while it is up").await?;
    issuer.make("next", "ES256").await?;
    let new = issuer.token("next", ROOM).await?;
    issuer.kill().await?;
    expect(&server, &new, 503, "unavailable", "a key that nobody can look up").await?;
    opens(&server, &known, "a key that is known").await?;
    Ok(())
}

/// The clock of the gateway jumps.
async fn later(server: &Server, seconds: u32) -> Result<()> {
    server.arm(ROOM, &format!("jump_ahead_ms {}", seconds * 1_000)).await
}

#[tokio::test]
async fn r_jwks_3_a_set_is_fetched_again_when_it_is_ten_minutes_old() -> Result<()> {
    let issuer = Issuer::start().await?;
    let mut server = Server::not_yet_with_faults("")?;
    server.set_secret(KEYS, json!([issuer.entry()]).to_string());
    server.start_again(0).await?;
    let known = issuer.token("ES256", ROOM).await?;
    opens(&server, &known, "at first").await?;
    later(&server, 9 * 60).await?;
    opens(&server, &known, "after nine minutes").await?;
    assert_eq!(issuer.asked().await?, 1);
    later(&server, 61).await?;
    opens(&server, &known, "after ten minutes").await?;
    assert_eq!(issuer.asked().await?, 2);
    // What the issuer takes back opens nothing once its set was fetched anew.
    issuer.publish(&["EdDSA"]).await?;
    later(&server, 10 * 60 + 1).await?;
    eventually("the key is gone", async || {
        Ok((outcome(&server, &known).await? == (401, "unauthorized".to_owned())).then_some(()))
    })
    .await
}

#[tokio::test]
async fn r_jwks_5_an_issuer_that_is_down_is_asked_every_half_minute() -> Result<()> {
    let issuer = Issuer::start().await?;
    let mut server = Server::not_yet_with_faults("")?;
    server.set_secret(KEYS, json!([issuer.entry()]).to_string());
    server.start_again(0).await?;
    let known = issuer.token("ES256", ROOM).await?;
    opens(&server, &known, "while it is up").await?;
    issuer.serve("error").await?;
    later(&server, 10 * 60 + 1).await?;
    for asked in [2, 3, 4] {
        eventually("it is asked", async || {
            opens(&server, &known, "by the last good set").await?;
            Ok((issuer.asked().await? == asked).then_some(()))
        })
        .await?;
        opens(&server, &known, "soon after").await?;
        assert_eq!(issuer.asked().await?, asked, "not yet again");
        later(&server, 30).await?;
    }
    Ok(())
}

/// No set was ever there: each mode is a failure, told as one, and over once the issuer is well.
async fn fails_until_it_is_good(mode: &str) -> Result<()> {
    let issuer = Issuer::start().await?;
    issuer.serve(mode).await?;
    let server = server_with(&[issuer.entry()]).await?;
    let token = issuer.token("RS256", ROOM).await?;
    expect(&server, &token, 503, "unavailable", mode).await?;
    let upgrade = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&token));
    let close = upgrade.connect(Codec::Json).await?.closed().await?;
    assert_eq!(close.code, 3004, "{mode}: come back later");
    ensure!(server.databases()?.is_empty(), "{mode}: a room was woken");
    issuer.serve("good").await?;
    eventually("the set comes", async || Ok((outcome(&server, &token).await?.0 == 200).then_some(()))).await
}

#[tokio::test]
async fn r_jwks_2_an_issuer_that_hangs_or_stalls_is_given_up() -> Result<()> {
    fails_until_it_is_good("hang").await?;
    fails_until_it_is_good("stall").await
}

#[tokio::test]
async fn r_jwks_2_nonsense_and_errors_are_no_set() -> Result<()> {
    fails_until_it_is_good("garbage").await?;
    fails_until_it_is_good("error").await
}

#[tokio::test]
async fn r_jwks_2_what_is_too_large_is_not_read_to_its_end() -> Result<()> {
    fails_until_it_is_good("large").await?;
    fails_until_it_is_good("endless").await
}

#[tokio::test]
async fn r_jwks_2_redirects_are_not_followed() -> Result<()> {
    fails_until_it_is_good("redirect").await
}
