//! Hostile and wrong credentials, each with its stated answer over WebSocket and HTTP, and none touches a room.
//!
//! The answers are written by hand from the contract's table.

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use tests::client::Upgrade;
use tests::keys;
use tests::server::Server;
use tests::tokens::{Signature, claims, jwt, jwt_of_texts, now_s};
use tests::wire::Codec;

const ROOM: &str = "chat:guarded";
const STRICT_KID: &str = "strict";
const STRICT_SECRET: &[u8; 32] = b"thirty-two bytes for the strict ";

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
const BAD_ROOM: Refusal = Refusal { status: 400, code: "bad_room_name", close: 3500 };
const UNKNOWN_KIND: Refusal = Refusal { status: 404, code: "unknown_kind", close: 3507 };

type Row = (&'static str, String, Refusal);

/// A key beside the usual ones, whose tokens must name an issuer, an audience and a tenant.
fn strict_keys() -> String {
    let mut entries: Value = serde_json::from_str(&keys::configured()).expect("a list");
    let secret = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(STRICT_SECRET);
    let (iss, aud) = ("https://issuer.example", "roomcast");
    let entry = json!({ "kid": STRICT_KID, "alg": "HS256", "secret": secret, "iss": iss, "aud": aud, "tenant": "acme" });
    entries.as_array_mut().expect("a list").push(entry);
    entries.to_string()
}

fn all() -> Value {
    claims("mallory", ROOM, &json!(["*"]))
}

/// `base` with these fields set, or removed where they are null.
fn changed(mut base: Value, changes: Value) -> Value {
    let fields = base.as_object_mut().expect("an object");
    for (name, change) in changes.as_object().expect("an object") {
        match change {
            Value::Null => drop(fields.remove(name)),
            change => drop(fields.insert(name.clone(), change.clone())),
        }
    }
    base
}

fn with(changes: Value) -> String {
    keys::good(&changed(all(), changes))
}

fn header_with(changes: Value) -> String {
    jwt(&changed(keys::ed_header(), changes), &all(), &keys::ed())
}

/// Rights in whatever this pattern matches.
fn pattern(pattern: &str) -> String {
    with(json!({ "rooms": { pattern: ["*"] } }))
}

/// An HS256 token with these changes to its header.
fn hs_with(changes: Value, secret: &[u8]) -> String {
    jwt(&changed(keys::hs_header(), changes), &all(), &Signature::Hs256(secret.to_vec()))
}

fn unauthorized(rows: Vec<(&'static str, String)>) -> Vec<Row> {
    rows.into_iter().map(|(name, token)| (name, token, UNAUTHORIZED)).collect()
}

/// What nobody's key signed as it stands.
fn forgeries() -> Vec<Row> {
    let good = keys::good(&all());
    let parts: Vec<&str> = good.split('.').collect();
    let bob = keys::good(&claims("bob", ROOM, &json!([])));
    let other_ed = Signature::EdDsa(Box::new(SigningKey::from_bytes(&[7; 32])));
    let standard = format!("{}.{}.{}", parts[0], STANDARD.encode(all().to_string()), parts[2]);
    let rows = vec![
        ("no JWT at all", "rubbish".to_owned()),
        ("three parts of rubbish", "a.b.c".to_owned()),
        ("dots alone", "..".to_owned()),
        ("truncated in the signature", good[..good.len() - 12].to_owned()),
        ("without its signature", format!("{}.{}.", parts[0], parts[1])),
        ("without its third part", format!("{}.{}", parts[0], parts[1])),
        ("with a fourth part", format!("{good}.{}", parts[2])),
        ("the parts in another order", format!("{}.{}.{}", parts[1], parts[0], parts[2])),
        ("in the other base64 alphabet", standard),
        (
            "another token's claims",
            format!("{}.{}.{}", parts[0], bob.split('.').nth(1).unwrap_or(""), parts[2]),
        ),
        (
            "another token's signature",
            format!("{}.{}.{}", parts[0], parts[1], bob.split('.').nth(2).unwrap_or("")),
        ),
        ("signed by another EdDSA key", jwt(&keys::ed_header(), &all(), &other_ed)),
        ("signed by another HS256 key", hs_with(json!({}), &[7; 32])),
        ("signed with the empty secret", hs_with(json!({}), &[])),
        ("random bytes for a signature", jwt(&keys::ed_header(), &all(), &Signature::Bytes(vec![1; 64]))),
        ("zeros for a signature", jwt(&keys::ed_header(), &all(), &Signature::Bytes(vec![0; 64]))),
    ];
    unauthorized(rows)
}

/// Headers that would choose how they are verified.
fn headers() -> Vec<Row> {
    let none = |alg: &str| jwt(&json!({ "alg": alg, "typ": "JWT" }), &all(), &Signature::Empty);
    let public = keys::ed_public();
    let public_text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(public);
    let rows = vec![
        ("alg none", none("none")),
        ("alg None", none("None")),
        ("alg NONE", none("NONE")),
        ("alg nOnE", none("nOnE")),
        (
            "alg none with a kid",
            jwt(&changed(keys::ed_header(), json!({ "alg": "none" })), &all(), &Signature::Empty),
        ),
        ("alg none with a good signature", header_with(json!({ "alg": "none" }))),
        ("the empty alg", header_with(json!({ "alg": "" }))),
        ("alg absent", header_with(json!({ "alg": null }))),
        ("alg a list", header_with(json!({ "alg": ["EdDSA"] }))),
        ("alg in other letters", header_with(json!({ "alg": "eddsa" }))),
        ("alg with a look-alike", header_with(json!({ "alg": "\u{415}dDSA" }))),
        ("HS256 with the public key as the secret", hs_with(json!({ "kid": keys::ED_KID }), &public)),
        (
            "HS256 with the public key's text as the secret",
            hs_with(json!({ "kid": keys::ED_KID }), public_text.as_bytes()),
        ),
        ("HS256 with the public key, no kid", hs_with(json!({ "kid": null }), &public)),
        ("the HS256 key's kid on an EdDSA token", header_with(json!({ "kid": keys::HS_KID }))),
        ("RS256 under the EdDSA key", header_with(json!({ "alg": "RS256" }))),
        (
            "HS384 under the HS256 key",
            jwt(&changed(keys::hs_header(), json!({ "alg": "HS384" })), &all(), &keys::hs()),
        ),
        (
            "HS512 under the HS256 key",
            jwt(&changed(keys::hs_header(), json!({ "alg": "HS512" })), &all(), &keys::hs()),
        ),
        ("an unknown kid", header_with(json!({ "kid": "who" }))),
        ("kid in other letters", header_with(json!({ "kid": "TEST-ED" }))),
        ("the empty kid", header_with(json!({ "kid": "" }))),
        ("a path for a kid", header_with(json!({ "kid": "../../../../dev/null" }))),
        ("SQL for a kid", header_with(json!({ "kid": "test-ed' OR '1'='1" }))),
        ("a NUL behind the kid", header_with(json!({ "kid": "test-ed\0" }))),
        ("an address for a kid", header_with(json!({ "kid": "http://127.0.0.1:1/keys" }))),
        ("kid a number", header_with(json!({ "kid": 0 }))),
        ("kid an object", header_with(json!({ "kid": { "$ne": "" } }))),
        ("crit", header_with(json!({ "crit": ["exp"] }))),
        ("crit with b64", header_with(json!({ "crit": ["b64"], "b64": false }))),
        ("jku", header_with(json!({ "jku": "http://127.0.0.1:1/keys" }))),
        ("x5u", header_with(json!({ "x5u": "http://127.0.0.1:1/keys" }))),
        ("x5c", header_with(json!({ "x5c": ["MIIB"] }))),
        ("jwk", header_with(json!({ "jwk": { "kty": "OKP", "crv": "Ed25519", "x": public_text } }))),
        (
            "alg twice",
            jwt_of_texts(r#"{"alg":"EdDSA","kid":"test-ed","alg":"none"}"#, &all().to_string(), &keys::ed()),
        ),
        ("a list for a header", jwt_of_texts(r#"["EdDSA","test-ed"]"#, &all().to_string(), &keys::ed())),
    ];
    unauthorized(rows)
}

/// What the right key signed and is wrong all the same.
fn misissued() -> Vec<Row> {
    let texts = |claims: &str| jwt_of_texts(&keys::ed_header().to_string(), claims, &keys::ed());
    let usual = all().to_string();
    let inner = usual.trim_start_matches('{');
    vec![
        ("expired", with(json!({ "exp": now_s() - 31 })), EXPIRED),
        ("expired long ago", with(json!({ "exp": 1 })), EXPIRED),
        ("without exp", with(json!({ "exp": null })), UNAUTHORIZED),
        ("exp as text", with(json!({ "exp": "9999999999" })), UNAUTHORIZED),
        ("exp in a list", with(json!({ "exp": [now_s() + 60] })), UNAUTHORIZED),
        ("exp below zero", with(json!({ "exp": -1 })), UNAUTHORIZED),
        ("exp in microseconds", with(json!({ "exp": 1_800_000_000_000_000_i64 })), UNAUTHORIZED),
        ("exp beyond every number", texts(r#"{"sub":"ann","rooms":{"*":["*"]},"exp":1e999}"#), UNAUTHORIZED),
        ("not valid yet", with(json!({ "nbf": now_s() + 120 })), UNAUTHORIZED),
        ("nbf as text", with(json!({ "nbf": "0" })), UNAUTHORIZED),
        ("issued in the future", with(json!({ "iat": now_s() + 120 })), UNAUTHORIZED),
        ("without sub", with(json!({ "sub": null })), UNAUTHORIZED),
        ("an empty sub", with(json!({ "sub": "" })), UNAUTHORIZED),
        ("a sub of 129 bytes", with(json!({ "sub": "s".repeat(129) })), UNAUTHORIZED),
        ("a sub that is a number", with(json!({ "sub": 7 })), UNAUTHORIZED),
        ("a sub that is a list", with(json!({ "sub": ["mallory"] })), UNAUTHORIZED),
        ("over 8 KiB", with(json!({ "padding": "p".repeat(8192) })), UNAUTHORIZED),
        ("rooms a list", with(json!({ "rooms": [ROOM] })), UNAUTHORIZED),
        ("rooms a text", with(json!({ "rooms": "*" })), UNAUTHORIZED),
        ("capabilities a text", with(json!({ "rooms": { ROOM: "*" } })), UNAUTHORIZED),
        ("an unknown capability", with(json!({ "rooms": { ROOM: ["*", "root"] } })), UNAUTHORIZED),
        ("a capability in other letters", with(json!({ "rooms": { ROOM: ["JOIN"] } })), UNAUTHORIZED),
        ("a tenant with a slash", with(json!({ "tenant": "default/chat:guarded" })), UNAUTHORIZED),
        ("a tenant that climbs", with(json!({ "tenant": "../default" })), UNAUTHORIZED),
        ("a tenant that is a number", with(json!({ "tenant": 1 })), UNAUTHORIZED),
        ("nine tags", with(json!({ "tags": vec!["t"; 9] })), UNAUTHORIZED),
        ("info over 1 KiB", with(json!({ "info": "x".repeat(1100) })), UNAUTHORIZED),
        ("a jti that is a number", with(json!({ "jti": 1 })), UNAUTHORIZED),
        ("sub twice", texts(&format!(r#"{{"sub":"root",{inner}"#)), UNAUTHORIZED),
        ("exp twice", texts(&format!(r#"{{"exp":9999999999,{inner}"#)), UNAUTHORIZED),
        ("sub twice, once escaped", texts(&format!(r#"{{"su\u0062":"root",{inner}"#)), UNAUTHORIZED),
        ("two objects of claims", texts(&format!("{usual}{usual}")), UNAUTHORIZED),
        ("null for claims", texts("null"), UNAUTHORIZED),
        ("claims 4,000 deep", texts(&"[".repeat(4000)), UNAUTHORIZED),
        ("without rooms", with(json!({ "rooms": null })), FORBIDDEN),
        ("an empty list", with(json!({ "rooms": { ROOM: [] } })), FORBIDDEN),
        (
            "neither join nor what the calls need",
            with(json!({ "rooms": { ROOM: ["presence", "state"] } })),
            FORBIDDEN,
        ),
    ]
}

/// Under a key with issuer, audience and tenant.
fn misdirected() -> Vec<Row> {
    let header = json!({ "alg": "HS256", "kid": STRICT_KID });
    let right = changed(all(), json!({ "iss": "https://issuer.example", "aud": "roomcast" }));
    let signed = |changes: Value| {
        jwt(&header, &changed(right.clone(), changes), &Signature::Hs256(STRICT_SECRET.to_vec()))
    };
    vec![
        ("no issuer", signed(json!({ "iss": null })), UNAUTHORIZED),
        ("another issuer", signed(json!({ "iss": "https://evil.example" })), UNAUTHORIZED),
        ("the issuer with a slash", signed(json!({ "iss": "https://issuer.example/" })), UNAUTHORIZED),
        ("the issuer in a list", signed(json!({ "iss": ["https://issuer.example"] })), UNAUTHORIZED),
        ("no audience", signed(json!({ "aud": null })), UNAUTHORIZED),
        ("another audience", signed(json!({ "aud": "other" })), UNAUTHORIZED),
        ("other audiences", signed(json!({ "aud": ["other", "Roomcast", "roomcast "] })), UNAUTHORIZED),
        ("an audience that is a number", signed(json!({ "aud": 1 })), UNAUTHORIZED),
        ("another tenant", signed(json!({ "tenant": "default" })), FORBIDDEN),
    ]
}

/// Patterns that look as if they matched.
fn patterns() -> Vec<Row> {
    let as_star = keys::good(&claims("*", "chat:{sub}", &json!(["*"])));
    let as_kind = keys::good(&claims("chat:*", "{sub}", &json!(["*"])));
    let rows = vec![
        ("another room", pattern("chat:other")),
        ("another kind", pattern("game:*")),
        ("a name that goes on", pattern("chat:guarded2")),
        ("a name that stops short", pattern("chat:guarde")),
        ("chat:*:x", pattern("chat:*:x")),
        ("chat:gua*", pattern("chat:gua*")),
        ("chat*", pattern("chat*")),
        ("chat:**", pattern("chat:**")),
        ("*:*", pattern("*:*")),
        ("*:guarded", pattern("*:guarded")),
        ("nothing", pattern("")),
        ("a kind in capitals", pattern("CHAT:*")),
        ("a name in capitals", pattern("chat:GUARDED")),
        ("a percent-encoded colon", pattern("chat%3A*")),
        ("a percent-encoded letter", pattern("chat:%67uarded")),
        ("a look-alike letter", pattern("ch\u{430}t:*")),
        ("a look-alike star", pattern("chat:\u{ff0a}")),
        ("a look-alike colon", pattern("chat\u{ff1a}guarded")),
        ("a letter composed otherwise", pattern("chat:guarde\u{301}d")),
        ("a space before", pattern(" chat:*")),
        ("a space behind", pattern("chat:guarded ")),
        ("a NUL behind", pattern("chat:guarded\0")),
        ("the object's name", pattern("default/chat:guarded")),
        ("a regular expression", pattern("^chat:.*$")),
        ("a set of letters", pattern("chat:[a-z]*")),
        ("a user called *", as_star),
        ("a user called chat:*", as_kind),
    ];
    rows.into_iter().map(|(name, token)| (name, token, FORBIDDEN)).collect()
}

/// Bearers that are no token: API keys that are none, and keys where only tokens count.
fn keys_that_are_none() -> Vec<Row> {
    let rows = vec![
        ("an API key of nobody", "rk_nobody_secret".to_owned()),
        ("an API key with another secret", "rk_dev_wrong".to_owned()),
        ("an API key without a secret", "rk_dev_".to_owned()),
        ("an API key that is a prefix", "rk_".to_owned()),
        ("an API key in capitals", "RK_DEV_SECRET".to_owned()),
        ("an API key's digest", "0".repeat(64)),
    ];
    unauthorized(rows)
}

async fn close_code(upgrade: Upgrade, codec: Codec, name: &str) -> Result<tests::client::Close> {
    let mut client = upgrade.connect(codec).await.with_context(|| format!("{name}: as a browser"))?;
    let close = client.closed().await.with_context(|| name.to_owned())?;
    ensure!(client.seen.is_empty(), "{name}: was sent {:?}", client.seen);
    Ok(close)
}

fn plain(server: &Server, room: &str) -> Upgrade {
    Upgrade { url: server.connect_url(room), subprotocols: Vec::new(), headers: Vec::new() }
}

/// Shows the bearer in each place where one may stand, to an upgrade and to calls.
async fn check(server: &Server, room: &str, (name, bearer, expected): &Row) -> Result<()> {
    for codec in Codec::BOTH {
        let upgrade = Upgrade::new(server.connect_url(room), codec, Some(bearer));
        let close = close_code(upgrade, codec, name).await?;
        ensure!(close.code == expected.close, "{name}: closed {close:?}, not {expected:?}");
        ensure!(!close.reason.contains(bearer.as_str()), "{name}: the reason shows it");
    }
    let upgrade = plain(server, room).header("authorization", format!("Bearer {bearer}"));
    let refusal = upgrade.refused().await.with_context(|| format!("{name}: without a subprotocol"))?;
    let got = (refusal.status, refusal.code()?);
    ensure!(got == (expected.status, expected.code.to_owned()), "{name}: {got:?}, not {expected:?}");
    let calls = [
        server.get(&format!("/v1/rooms/{room}/messages")),
        server.get(&format!("/v1/rooms/{room}")),
        server.post(&format!("/v1/rooms/{room}/publish")).json(&json!({ "data": 1 })),
    ];
    for call in calls {
        let answer = call.bearer(bearer).send().await?;
        answer.problem(expected.status, expected.code).with_context(|| (*name).to_owned())?;
        ensure!(!answer.text().contains(bearer.as_str()), "{name}: the problem shows it");
    }
    Ok(())
}

async fn check_all(rows: Vec<Row>) -> Result<()> {
    let server = Server::with_secret("", "ROOMCAST_KEYS", strict_keys()).await?;
    for row in &rows {
        check(&server, ROOM, row).await?;
    }
    ensure!(server.databases()?.is_empty(), "a room was touched: {:?}", server.databases()?);
    Ok(())
}

#[tokio::test]
async fn r_auth_1_what_no_key_signed_is_unauthorized_and_touches_no_room() -> Result<()> {
    check_all(forgeries()).await?;
    check_all(headers()).await
}

#[tokio::test]
async fn r_auth_2_what_says_the_wrong_things_is_refused_as_stated_and_touches_no_room() -> Result<()> {
    check_all(misissued()).await?;
    check_all(misdirected()).await
}

#[tokio::test]
async fn r_auth_3_patterns_that_nearly_match_open_nothing() -> Result<()> {
    check_all(patterns()).await
}

#[tokio::test]
async fn r_auth_7_what_is_no_api_key_is_unauthorized() -> Result<()> {
    check_all(keys_that_are_none()).await
}

#[tokio::test]
async fn r_auth_8_names_that_are_none_are_told_ahead_of_the_token() -> Result<()> {
    let server = Server::start().await?;
    let token = keys::good(&claims("ann", "*", &json!(["*"])));
    let rooms = [
        ("CHAT:guarded", BAD_ROOM),
        ("chat:", BAD_ROOM),
        ("chat", BAD_ROOM),
        (":guarded", BAD_ROOM),
        ("chat:%2F", BAD_ROOM),
        ("chat:guarded%2F..%2Fother", BAD_ROOM),
        ("chat:guarded%00", BAD_ROOM),
        ("chat:guarded%20", BAD_ROOM),
        ("chat:guarded%0A", BAD_ROOM),
        ("chat%253Aguarded", BAD_ROOM),
        ("chat:%D0%B0", BAD_ROOM),
        ("ch%D0%B0t:guarded", BAD_ROOM),
        ("default%2Fchat:guarded", BAD_ROOM),
        ("chat:*", BAD_ROOM),
        ("chats:guarded", UNKNOWN_KIND),
        ("c:guarded", UNKNOWN_KIND),
    ];
    for (room, expected) in rooms {
        check(&server, room, &("a good token", token.clone(), expected)).await.context(room)?;
        check(&server, room, &("a bad one", "x.y.z".into(), expected)).await.context(room)?;
    }
    ensure!(server.databases()?.is_empty(), "a room was touched: {:?}", server.databases()?);
    Ok(())
}

#[tokio::test]
async fn r_auth_5_a_token_counts_in_one_place_and_under_one_scheme() -> Result<()> {
    let server = Server::start().await?;
    let good = keys::good(&all());
    let bad = "x.y.z";
    let schemes = [
        ("no scheme", good.clone()),
        ("Basic", format!("Basic {good}")),
        ("Basic with a user", format!("Basic {}", STANDARD.encode(format!("mallory:{good}")))),
        ("Token", format!("Token {good}")),
        ("Bearer twice", format!("Bearer Bearer {good}")),
        ("two tokens", format!("Bearer {good} {good}")),
        ("two tokens and a comma", format!("Bearer {good}, Bearer {good}")),
        ("a bad one first", format!("Bearer {bad}, Bearer {good}")),
        ("quoted", format!("Bearer \"{good}\"")),
        ("a tab", format!("Bearer\t{good}")),
        ("a colon", format!("Bearer: {good}")),
        ("nothing", "Bearer ".to_owned()),
        ("the scheme alone", "Bearer".to_owned()),
        ("a look-alike scheme", format!("B\u{435}arer {good}")),
    ];
    for (name, authorization) in &schemes {
        let refusal = plain(&server, ROOM).header("authorization", authorization.clone()).refused().await?;
        assert_eq!((refusal.status, refusal.code()?), (401, "unauthorized".to_owned()), "{name}");
        let call = server.get(&format!("/v1/rooms/{ROOM}/messages"));
        let answer = call.header("authorization", authorization.clone()).send().await?;
        answer.problem(401, "unauthorized").context(*name)?;
    }

    // The subprotocol's goes first, whatever else is there.
    let both = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(bad))
        .header("authorization", format!("Bearer {good}"));
    assert_eq!(close_code(both, Codec::Json, "two places").await?.code, 3501);
    let mut twice = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(bad));
    twice.subprotocols.push(format!("roomcast.token.{good}"));
    assert_eq!(close_code(twice, Codec::Json, "two subprotocols").await?.code, 3501);
    let mut key = Upgrade::new(server.connect_url(ROOM), Codec::Json, Some(&server.api_key()));
    assert_eq!(close_code(key.clone(), Codec::Json, "an API key as a token").await?.code, 3501);
    key.subprotocols.truncate(1);
    let key = key.header("authorization", format!("Bearer {}", server.api_key()));
    assert_eq!(close_code(key, Codec::Json, "an API key on an upgrade").await?.code, 3501);

    // In the address it counts only where configured, and an API key never.
    for credential in [good.as_str(), &server.api_key()] {
        let upgrade =
            Upgrade::new(format!("{}?token={credential}", server.connect_url(ROOM)), Codec::Json, None);
        assert_eq!(close_code(upgrade, Codec::Json, "in the address").await?.code, 3501);
        let call = server.get(&format!("/v1/rooms/{ROOM}/messages?token={credential}"));
        call.send().await?.problem(401, "unauthorized")?;
    }
    ensure!(server.databases()?.is_empty(), "a room was touched: {:?}", server.databases()?);
    Ok(())
}

#[tokio::test]
async fn r_auth_11_headers_from_outside_are_no_credential() -> Result<()> {
    let server = Server::start().await?;
    let claimed =
        json!({ "user": "root", "capabilities": ["*"], "sub": "root", "rooms": { "*": ["*"] } }).to_string();
    let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&claimed);
    let names = [
        "x-roomcast-claims",
        "X-Roomcast-Claims",
        "x-roomcast-codec",
        "x-roomcast-user",
        "x-roomcast-tenant",
        "x-roomcast-object",
        "x-forwarded-user",
        "x-api-key",
        "cookie",
    ];
    for name in names {
        for value in [&claimed, &encoded, &server.api_key()] {
            let upgrade =
                Upgrade::new(server.connect_url(ROOM), Codec::Json, None).header(name, value.clone());
            assert_eq!(close_code(upgrade, Codec::Json, name).await?.code, 3501);
            let call = server.post(&format!("/v1/rooms/{ROOM}/publish")).json(&json!({ "data": 1 }));
            call.header(name, value.clone()).send().await?.problem(401, "unauthorized").context(name)?;
        }
    }
    ensure!(server.databases()?.is_empty(), "a room was touched: {:?}", server.databases()?);
    Ok(())
}

#[test]
fn r_auth_1_the_tables_have_more_than_60_rows() {
    let rows =
        [forgeries(), headers(), misissued(), misdirected(), patterns(), keys_that_are_none()].concat();
    assert!(rows.len() > 120, "{}", rows.len());
}
