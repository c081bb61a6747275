//! Tokens, origins and room names at the gate: each refusal as stated, and the room's object untouched.

use anyhow::{Context as _, Result, ensure};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use tests::client::Upgrade;
use tests::keys;
use tests::server::Server;
use tests::tokens::{Signature, claims, jwt, now_s};
use tests::wire::Codec;

const ROOM: &str = "chat:guarded";

/// A refusal as the contract's table states it.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    status: u16,
    code: &'static str,
    close: u16,
}

const UNAUTHORIZED: Refusal = Refusal { status: 401, code: "unauthorized", close: 3501 };
const EXPIRED: Refusal = Refusal { status: 401, code: "token_expired", close: 3010 };
const FORBIDDEN: Refusal = Refusal { status: 403, code: "forbidden", close: 3503 };

fn all() -> Value {
    claims("mallory", ROOM, &json!(["*"]))
}

/// The usual claims with one field set, or removed by null.
fn with(name: &str, value: Value) -> Value {
    let mut claims = all();
    match value {
        Value::Null => {
            claims.as_object_mut().expect("claims are an object").remove(name);
        }
        value => claims[name] = value,
    }
    claims
}

fn header_with(name: &str, value: Value) -> Value {
    let mut header = keys::ed_header();
    header[name] = value;
    header
}

/// Tokens that nobody's key signed as they stand.
fn forgeries() -> Vec<(&'static str, String)> {
    let good = keys::good(&all());
    let parts: Vec<&str> = good.split('.').collect();
    let bob = keys::good(&claims("bob", ROOM, &json!([])));
    let other_ed = Signature::EdDsa(Box::new(SigningKey::from_bytes(&[7; 32])));
    let other_hs = Signature::Hs256(vec![7; 32]);
    let none = |alg: &str| jwt(&json!({ "alg": alg, "typ": "JWT" }), &all(), &Signature::Empty);
    let none_kid = jwt(&header_with("alg", json!("none")), &all(), &Signature::Empty);
    let public_as_secret = Signature::Hs256(keys::ed_public().to_vec());
    vec![
        ("no JWT at all", "rubbish".to_owned()),
        ("three parts of rubbish", "a.b.c".to_owned()),
        ("dots alone", "..".to_owned()),
        ("truncated in the signature", good[..good.len() - 12].to_owned()),
        ("without its signature", format!("{}.{}.", parts[0], parts[1])),
        ("without its third part", format!("{}.{}", parts[0], parts[1])),
        ("with a fourth part", format!("{good}.{}", parts[2])),
        (
            "another token's claims",
            format!("{}.{}.{}", parts[0], bob.split('.').nth(1).unwrap_or(""), parts[2]),
        ),
        ("signed by another EdDSA key", jwt(&keys::ed_header(), &all(), &other_ed)),
        ("signed by another HS256 key", jwt(&keys::hs_header(), &all(), &other_hs)),
        ("alg none", none("none")),
        ("alg None", none("None")),
        ("alg nOnE", none("nOnE")),
        ("alg none with a kid", none_kid),
        ("alg absent", jwt(&json!({ "kid": keys::ED_KID }), &all(), &keys::ed())),
        ("HS256 with the public key as the secret", {
            let header = json!({ "alg": "HS256", "typ": "JWT", "kid": keys::ED_KID });
            jwt(&header, &all(), &public_as_secret)
        }),
        ("HS256 with the public key, no kid", {
            jwt(&json!({ "alg": "HS256", "typ": "JWT" }), &all(), &public_as_secret)
        }),
        ("the HS256 key's kid on an EdDSA token", {
            let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": keys::HS_KID });
            jwt(&header, &all(), &keys::ed())
        }),
        ("the HS256 key under the name HS512", {
            let header = json!({ "alg": "HS512", "typ": "JWT", "kid": keys::HS_KID });
            jwt(&header, &all(), &keys::hs())
        }),
        ("an unknown kid", jwt(&header_with("kid", json!("who")), &all(), &keys::ed())),
        ("crit", jwt(&header_with("crit", json!(["exp"])), &all(), &keys::ed())),
        ("jku", jwt(&header_with("jku", json!("http://127.0.0.1:1/keys")), &all(), &keys::ed())),
        ("x5u", jwt(&header_with("x5u", json!("http://127.0.0.1:1/keys")), &all(), &keys::ed())),
        ("jwk", jwt(&header_with("jwk", json!({ "kty": "OKP", "crv": "Ed25519" })), &all(), &keys::ed())),
        ("random bytes for a signature", jwt(&keys::ed_header(), &all(), &Signature::Bytes(vec![1; 64]))),
    ]
}

/// Tokens that the right key signed and that are wrong all the same.
fn misissued() -> Vec<(&'static str, Value, Refusal)> {
    vec![
        ("expired", with("exp", json!(now_s() - 31)), EXPIRED),
        ("expired long ago", with("exp", json!(1)), EXPIRED),
        ("without exp", with("exp", Value::Null), UNAUTHORIZED),
        ("exp as text", with("exp", json!("9999999999")), UNAUTHORIZED),
        ("not valid yet", with("nbf", json!(now_s() + 120)), UNAUTHORIZED),
        ("without sub", with("sub", Value::Null), UNAUTHORIZED),
        ("an empty sub", with("sub", json!("")), UNAUTHORIZED),
        ("a sub of 129 bytes", with("sub", json!("s".repeat(129))), UNAUTHORIZED),
        ("a sub that is a number", with("sub", json!(7)), UNAUTHORIZED),
        ("over 8 KiB", with("padding", json!("p".repeat(8192))), UNAUTHORIZED),
        ("for another room", with("rooms", json!({ "chat:other": ["*"] })), FORBIDDEN),
        ("for another kind", with("rooms", json!({ "game:*": ["*"] })), FORBIDDEN),
        ("for a room whose name goes on", with("rooms", json!({ "chat:guarded2": ["*"] })), FORBIDDEN),
        ("for a prefix that is no pattern", with("rooms", json!({ "chat:gua*": ["*"] })), FORBIDDEN),
        ("without rooms", with("rooms", Value::Null), FORBIDDEN),
        ("without join", with("rooms", json!({ ROOM: ["publish", "history"] })), FORBIDDEN),
        ("with an empty list", with("rooms", json!({ ROOM: [] })), FORBIDDEN),
    ]
}

async fn check_upgrades(server: &Server, name: &str, token: Option<&str>, expected: Refusal) -> Result<()> {
    for codec in Codec::BOTH {
        let browser = Upgrade::new(server.connect_url(ROOM), codec, token);
        let mut client = browser.connect(codec).await.with_context(|| format!("{name}: as a browser"))?;
        let close = client.closed().await.with_context(|| name.to_owned())?;
        ensure!(close.code == expected.close, "{name}: closed {close:?}, expected {expected:?}");
        ensure!(
            token.is_none_or(|token| !close.reason.contains(token)),
            "{name}: the reason shows the token"
        );
        ensure!(client.seen.is_empty(), "{name}: was sent {:?}", client.seen);
    }
    let mut plain = Upgrade { url: server.connect_url(ROOM), subprotocols: Vec::new(), headers: Vec::new() };
    if let Some(token) = token {
        plain = plain.header("authorization", format!("Bearer {token}"));
    }
    let refusal = plain.refused().await.with_context(|| format!("{name}: without a subprotocol"))?;
    let got = (refusal.status, refusal.code()?);
    ensure!(got == (expected.status, expected.code.to_owned()), "{name}: {got:?}, expected {expected:?}");
    Ok(())
}

#[tokio::test]
async fn r_auth_1_a_good_token_of_either_algorithm_opens_the_room() -> Result<()> {
    let server = Server::start().await?;
    for token in [keys::good(&all()), jwt(&keys::hs_header(), &all(), &keys::hs())] {
        let upgrade = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&token));
        upgrade.connect(Codec::Json).await?.hello(json!({})).await?;
    }
    let within_leeway = keys::good(&with("exp", json!(now_s() - 5)));
    let upgrade = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&within_leeway));
    upgrade.connect(Codec::Json).await?.hello(json!({})).await?;
    Ok(())
}

#[tokio::test]
async fn r_auth_1_no_token_and_forged_ones_are_unauthorized_and_wake_no_room() -> Result<()> {
    let server = Server::start().await?;
    check_upgrades(&server, "absent", None, UNAUTHORIZED).await?;
    for (name, token) in forgeries() {
        check_upgrades(&server, name, Some(&token), UNAUTHORIZED).await?;
        let path = format!("/v1/rooms/{ROOM}/messages");
        let answer = server.get(&path).bearer(&token).send().await?;
        answer.problem(401, "unauthorized").context(name)?;
        ensure!(!answer.text().contains(&token), "{name}: the problem shows the token");
    }
    ensure!(server.databases()?.is_empty(), "a room was woken: {:?}", server.databases()?);
    Ok(())
}

#[tokio::test]
async fn r_auth_2_wrong_claims_get_their_stated_refusal_and_wake_no_room() -> Result<()> {
    let server = Server::start().await?;
    for (name, claims, expected) in misissued() {
        check_upgrades(&server, name, Some(&keys::good(&claims)), expected).await?;
    }
    let path = format!("/v1/rooms/{ROOM}/messages");
    let expired = keys::good(&with("exp", json!(1)));
    server.get(&path).bearer(&expired).send().await?.problem(401, "token_expired")?;
    ensure!(server.databases()?.is_empty(), "a room was woken: {:?}", server.databases()?);
    Ok(())
}

#[tokio::test]
async fn r_auth_3_patterns_grant_the_union_of_all_that_match() -> Result<()> {
    let server = Server::start().await?;
    let rooms = json!({ "*": ["join"], "chat:*": ["history"], "chat:of-{sub}": ["publish"] });
    let token = server.mint("ann", &rooms, 60).await?;
    let join = async |room: &str| -> Result<tests::client::Client> {
        let upgrade = Upgrade::new(server.connect_url(room), Codec::Json, Some(&token));
        let mut client = upgrade.connect(Codec::Json).await?;
        client.hello(json!({})).await?;
        Ok(client)
    };
    let mut own = join("chat:of-ann").await?;
    own.publish(json!(1)).await?;
    own.request(json!({ "t": "history" })).await?.result()?;
    let mut other = join("chat:of-bob").await?;
    other.request(json!({ "t": "publish", "data": 1 })).await?.refused("forbidden")?;
    other.request(json!({ "t": "history" })).await?.result()?;
    Ok(())
}

#[tokio::test]
async fn r_auth_9_a_foreign_origin_is_refused_and_an_allowed_or_missing_one_is_not() -> Result<()> {
    let server = Server::with("allowed_origins = ['https://app.example', 'http://127.0.0.1:8080']").await?;
    let token = keys::good(&all());
    let foreign = [
        "https://evil.example",
        "http://app.example",
        "https://app.example:444",
        "https://app.example.evil.example",
        "https://sub.app.example",
        "null",
        "https://app.example/",
        "http://127.0.0.1:8081",
    ];
    for origin in foreign {
        let upgrade =
            Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&token)).header("origin", origin);
        let close = upgrade.connect(Codec::Json).await?.closed().await?;
        assert_eq!(close.code, 3503, "{origin}");
        let plain = Upgrade { url: server.connect_url(ROOM), subprotocols: Vec::new(), headers: Vec::new() }
            .header("authorization", format!("Bearer {token}"))
            .header("origin", origin);
        let refusal = plain.refused().await?;
        assert_eq!((refusal.status, refusal.code()?), (403, "forbidden".to_owned()), "{origin}");
    }
    ensure!(server.databases()?.is_empty(), "a room was woken: {:?}", server.databases()?);
    for origin in [Some("https://app.example"), Some("http://127.0.0.1:8080"), None] {
        let mut upgrade = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&token));
        if let Some(origin) = origin {
            upgrade = upgrade.header("origin", origin);
        }
        upgrade.connect(Codec::Json).await?.hello(json!({})).await?;
    }
    Ok(())
}

#[tokio::test]
async fn r_auth_10_bad_names_and_unknown_kinds_are_closed_with_their_code_ahead_of_the_token() -> Result<()> {
    let server = Server::start().await?;
    let token = server.mint("ann", &json!({ "*": ["*"] }), 60).await?;
    let cases = [("chat:%2F", 3500, 400), ("CHAT:x", 3500, 400), ("nokind:x", 3507, 404)];
    for (room, close, status) in cases {
        for token in [Some(token.as_str()), None] {
            let upgrade = Upgrade::new(server.connect_url(room), Codec::Json, token);
            assert_eq!(upgrade.connect(Codec::Json).await?.closed().await?.code, close, "{room} {token:?}");
        }
        let plain = Upgrade { url: server.connect_url(room), subprotocols: Vec::new(), headers: Vec::new() };
        assert_eq!(plain.refused().await?.status, status, "{room}");
    }
    ensure!(server.databases()?.is_empty(), "a room was woken: {:?}", server.databases()?);
    Ok(())
}

#[tokio::test]
async fn r_auth_8_a_flood_of_new_names_without_rights_creates_no_files() -> Result<()> {
    let server = Server::start().await?;
    let token = server.mint("mallory", &json!({ "chat:mine": ["*"] }), 60).await?;
    for n in 0..200 {
        let room = format!("chat:flood-{n}");
        let upgrade = Upgrade::new(server.connect_url(&room), Codec::Json, Some(&token));
        assert_eq!(upgrade.connect(Codec::Json).await?.closed().await?.code, 3503);
        let messages = server.get(&format!("/v1/rooms/{room}/messages")).bearer(&token);
        messages.send().await?.problem(403, "forbidden")?;
    }
    ensure!(server.databases()?.is_empty(), "files were created: {}", server.databases()?.len());
    server.visit("chat:mine", "ann").join().await?;
    ensure!(!server.databases()?.is_empty(), "this is how one sees that a room was touched");
    Ok(())
}

#[tokio::test]
async fn r_auth_11_headers_that_claim_to_come_from_the_gateway_are_worth_nothing() -> Result<()> {
    let server = Server::start().await?;
    let token = server.mint("ann", &json!({ ROOM: ["join"] }), 60).await?;
    let claimed = json!({ "sub": "root", "rooms": { "*": ["*"] }, "exp": now_s() + 999 }).to_string();
    let mut upgrade = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&token));
    for name in
        ["x-roomcast-claims", "roomcast-claims", "x-roomcast-user", "x-roomcast-verified", "x-roomcast"]
    {
        upgrade = upgrade.header(name, claimed.clone());
    }
    let mut client = upgrade.connect(Codec::Json).await?;
    client.hello(json!({})).await?;
    assert_eq!(client.welcome["user"], "ann");
    client.request(json!({ "t": "publish", "data": 1 })).await?.refused("forbidden")?;
    Ok(())
}
