use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;
use deployment::settings::Texts;
use futures_util::FutureExt as _;

/// Nothing here waits: what the token is worth is known at once.
fn at_once<T>(answer: impl Future<Output = Result<T, Failure>>) -> Result<T, Refusal> {
    answer.now_or_never().expect("nothing is waited for").map_err(|failure| match failure {
        Failure::Refused(refusal) => refusal,
        other => panic!("{other}"),
    })
}

/// What a token is worth at a time, by the keys that are configured.
fn verify(settings: &Settings, now_ms: u64) -> impl AsyncFn(&str) -> Result<Token, Failure> {
    async move |token: &str| Ok(settings.verify(token, now_ms)?)
}

fn connect(
    settings: &Settings,
    room: &str,
    presented: &Presented,
    now_ms: u64,
) -> Result<Connection, Refusal> {
    at_once(super::connect(settings, room, presented, verify(settings, now_ms)))
}

fn listen(
    settings: &Settings,
    room: &str,
    presented: &Presented,
    now_ms: u64,
) -> Result<Connection, Refusal> {
    at_once(super::listen(settings, room, presented, now_ms, verify(settings, now_ms)))
}

fn service<'a>(settings: &'a Settings, presented: &Presented, now_ms: u64) -> Result<&'a ApiKey, Refusal> {
    at_once(super::service(settings, presented, now_ms, verify(settings, now_ms)))
}

fn call<'a>(
    settings: &'a Settings,
    room: &str,
    presented: &Presented,
    needed: Capability,
    now_ms: u64,
) -> Result<Call<'a>, Refusal> {
    call_any(settings, room, presented, &[needed], now_ms)
}

fn call_any<'a>(
    settings: &'a Settings,
    room: &str,
    presented: &Presented,
    any_of: &[Capability],
    now_ms: u64,
) -> Result<Call<'a>, Refusal> {
    at_once(super::call(settings, room, presented, any_of, now_ms, verify(settings, now_ms)))
}

const NOW_MS: u64 = 1_800_000_000_000;
/// SHA-256 of `rk_ci_secret`, by `sha256sum`.
const CI_SHA256: &str = "c3affaed5b7bd54f9d12cde8446958fa76b2e3c22b07b21b40c020f84136c342";

fn settings(changes: Value) -> Settings {
    let mut config = json!({ "kinds": {
        "chat": {},
        "open": { "access": "public", "default_capabilities": ["join", "history"] },
        "hook": { "access": "service" },
        "user": {},
        "wall": { "access": "public", "default_capabilities": [] },
    } });
    for (name, change) in changes.as_object().expect("an object") {
        config[name] = change.clone();
    }
    let seed = URL_SAFE_NO_PAD.encode([7; 32]);
    let api_keys = json!([{ "id": "ci", "sha256": CI_SHA256, "tenant": "acme" }]);
    Settings::parse(Texts {
        config: Some(config.to_string()),
        api_keys: Some(api_keys.to_string()),
        signing_key: Some(seed),
        ..Texts::default()
    })
    .expect("settings")
}

fn token(settings: &Settings, rooms: Value) -> String {
    let body =
        json!({ "sub": "ann", "rooms": rooms, "ttl": 60, "info": { "name": "Ann" }, "tags": ["$vip"] });
    let body = serde_json::from_value(body).expect("a body");
    let key = settings.signing_key.as_ref().expect("a key");
    auth::mint(key, &Tenant::default_tenant(), &body, NOW_MS).expect("a token").token
}

fn socket(subprotocols: &str) -> Presented {
    Presented { subprotocols: Some(subprotocols.into()), ..Presented::default() }
}

fn bearer(credentials: &str) -> Presented {
    let scope = Some(Scope::Read);
    Presented { authorization: Some(format!("Bearer {credentials}")), scope, ..Presented::default() }
}

#[test]
fn r_auth_8_the_first_thing_that_is_wrong_is_the_one_that_is_told() {
    let settings = settings(json!({ "allowed_origins": ["https://app.example"] }));
    let refusal = |room: &str, origin: &str, token: Option<&str>| {
        let mut presented = socket("nothing.we.speak");
        presented.origin = Some(origin.into());
        presented.authorization = token.map(|token| format!("Bearer {token}"));
        connect(&settings, room, &presented, NOW_MS).expect_err("refused").code()
    };
    let (good, foreign) = ("https://app.example", "https://evil.example");
    let none = token(&settings, json!({}));
    let reads = token(&settings, json!({ "*": ["history"] }));
    let joins = token(&settings, json!({ "*": ["join"] }));
    assert_eq!(refusal("CHAT:a", foreign, None), "bad_room_name");
    assert_eq!(refusal("none:a", foreign, None), "unknown_kind");
    assert_eq!(refusal("chat:a", foreign, None), "forbidden");
    assert_eq!(refusal("chat:a", good, None), "unauthorized");
    assert_eq!(refusal("chat:a", good, Some("x.y.z")), "unauthorized");
    assert_eq!(refusal("chat:a", good, Some(&none)), "forbidden");
    assert_eq!(refusal("chat:a", good, Some(&reads)), "forbidden");
    assert_eq!(refusal("chat:a", good, Some(&joins)), "unsupported_protocol");
}

#[test]
fn r_auth_5_a_token_comes_as_subprotocol_or_header_and_in_the_query_where_configured() {
    let (plain, with_query) = (settings(json!({})), settings(json!({ "query_token": true })));
    let token = token(&plain, json!({ "chat:a": ["join"] }));
    let user = |settings: &Settings, presented: &Presented| {
        connect(settings, "chat:a", presented, NOW_MS).map(|connection| connection.claims.user)
    };
    let ann = Ok(UserId::parse("ann"));
    assert_eq!(user(&plain, &socket(&format!("roomcast.v1.json, roomcast.token.{token}"))), ann);
    assert_eq!(user(&plain, &socket(&format!("roomcast.token.{token},roomcast.v1.json"))), ann);
    let header = |scheme: &str| Presented {
        authorization: Some(format!("{scheme} {token}")),
        ..socket("roomcast.v1.json")
    };
    assert_eq!(user(&plain, &header("Bearer")), ann);
    assert_eq!(user(&plain, &header("bearer")), ann);
    assert_eq!(user(&plain, &header("Basic")), Err(Flaw::Missing.into()));
    let query = Presented { query_token: Some(token), ..socket("roomcast.v1.json") };
    assert_eq!(user(&plain, &query), Err(Flaw::Missing.into()));
    assert_eq!(user(&with_query, &query), ann);
    let both =
        Presented { query_token: query.query_token, ..socket("roomcast.v1.json, roomcast.token.x.y.z") };
    assert!(user(&with_query, &both).is_err(), "the subprotocol's token wins");
}

#[test]
fn r_frame_1_the_codec_is_the_first_offered_that_is_spoken() {
    let settings = settings(json!({}));
    let codec = |subprotocols: Option<&str>| {
        let presented = Presented { subprotocols: subprotocols.map(Into::into), ..Presented::default() };
        connect(&settings, "open:a", &presented, NOW_MS).map(|connection| connection.codec)
    };
    assert_eq!(codec(Some("roomcast.v1.msgpack, roomcast.v1.json")), Ok(Codec::Msgpack));
    assert_eq!(codec(Some("mqtt,roomcast.v1.json,roomcast.v1.msgpack")), Ok(Codec::Json));
    for none in [None, Some(""), Some("roomcast.v2.json"), Some("Roomcast.v1.json"), Some("mqtt")] {
        assert_eq!(codec(none), Err(Refusal::UnsupportedProtocol), "{none:?}");
    }
}

#[test]
fn r_auth_10_a_refused_upgrade_is_never_answered_under_its_token() {
    let rows = [
        ("roomcast.v1.json, roomcast.token.x", Some("roomcast.v1.json")),
        ("roomcast.token.x, roomcast.v1.msgpack", Some("roomcast.v1.msgpack")),
        ("roomcast.v9.cbor, roomcast.v1.json", Some("roomcast.v1.json")),
        ("roomcast.token.x, roomcast.v9.cbor", Some("roomcast.v9.cbor")),
        ("roomcast.token.x", None),
        ("mqtt", None),
        ("", None),
    ];
    for (subprotocols, expected) in rows {
        assert_eq!(socket(subprotocols).refusable_subprotocol(), expected, "{subprotocols}");
    }
    assert_eq!(Presented::default().refusable_subprotocol(), None);
}

#[test]
fn r_auth_9_an_origin_is_compared_exactly_and_may_be_missing() {
    let settings = settings(json!({ "allowed_origins": ["https://app.example", "http://127.0.0.1:8080"] }));
    let admitted = |origin: Option<&str>| {
        let presented = Presented { origin: origin.map(Into::into), ..socket("roomcast.v1.json") };
        connect(&settings, "open:a", &presented, NOW_MS).is_ok()
    };
    for origin in [None, Some("https://app.example"), Some("http://127.0.0.1:8080")] {
        assert!(admitted(origin), "{origin:?}");
    }
    let foreign = [
        "https://evil.example",
        "http://app.example",
        "https://app.example:444",
        "https://app.example/",
        "https://APP.example",
        "https://app.example.evil.example",
        "https://sub.app.example",
        "http://127.0.0.1:8081",
        "null",
        "",
    ];
    for origin in foreign {
        assert!(!admitted(Some(origin)), "{origin}");
    }
}

#[test]
fn r_auth_6_a_kind_is_public_or_for_tokens_or_for_services() {
    let settings = settings(json!({}));
    let token = token(&settings, json!({ "*": ["join", "publish"] }));
    let anonymous = socket("roomcast.v1.json");
    let ann = Presented { authorization: Some(format!("Bearer {token}")), ..anonymous.clone() };
    let key = Presented { subprotocols: anonymous.subprotocols.clone(), ..bearer("rk_ci_secret") };
    let claims = |room: &str, presented: &Presented| {
        connect(&settings, room, presented, NOW_MS).map(|connection| connection.claims)
    };

    let open = claims("open:a", &anonymous).expect("public");
    assert_eq!((open.user, open.expires_at), (None, None));
    assert_eq!(open.capabilities.iter().collect::<Vec<_>>(), [Capability::Join, Capability::History]);
    let with_token = claims("open:a", &ann).expect("public");
    assert_eq!(with_token.user, UserId::parse("ann"));
    assert!(!with_token.capabilities.has(Capability::History), "the token's word, where there is one");
    assert!(claims("wall:a", &anonymous).is_err_and(|refusal| refusal.code() == "forbidden"));
    let bad = socket("roomcast.v1.json, roomcast.token.x.y.z");
    assert!(claims("open:a", &bad).is_err_and(|refusal| refusal.code() == "unauthorized"));

    assert_eq!(claims("chat:a", &anonymous), Err(Flaw::Missing.into()));
    assert!(claims("chat:a", &key).is_err_and(|refusal| refusal.code() == "unauthorized"));
    for presented in [&anonymous, &ann, &key] {
        assert_eq!(claims("hook:a", presented), Err(SERVICE_ONLY));
    }
    let called =
        |presented: &Presented| call(&settings, "hook:a", presented, Capability::Publish, NOW_MS).is_ok();
    assert!(called(&key) && !called(&ann));
}

#[test]
fn r_auth_7_an_api_key_may_all_and_a_token_what_its_capabilities_allow() {
    let settings = settings(json!({}));
    let ask = |presented: &Presented, needed| call(&settings, "chat:a", presented, needed, NOW_MS);
    let service = ask(&bearer("rk_ci_secret"), Capability::Publish).expect("a service");
    assert_eq!((service.tenant.as_str(), service.caller.reader()), ("acme", Reader::Service));
    assert_eq!(service.caller.author(), None);

    let ann = bearer(&token(&settings, json!({ "chat:a": ["publish"] })));
    let user = ask(&ann, Capability::Publish).expect("a user");
    assert_eq!(user.tenant.as_str(), "default");
    let reader = Reader::User { user: UserId::parse("ann").expect("a user"), tags: vec!["$vip".into()] };
    assert_eq!(user.caller.reader(), reader);
    let author = user.caller.author().expect("an author");
    assert_eq!(
        (author.user.as_str(), author.info.map(|info| info.len())),
        ("ann", Some(r#"{"name":"Ann"}"#.len()))
    );
    for needed in [Capability::History, Capability::Presence] {
        assert!(ask(&ann, needed).is_err_and(|refusal| refusal.code() == "forbidden"));
    }
}

#[test]
fn r_auth_7_without_credentials_a_call_is_unauthorized_even_where_sockets_are_public() {
    let settings = settings(json!({}));
    let wrong = [
        Presented::default(),
        bearer(""),
        bearer("rk_ci_wrong"),
        bearer("rk_ci_secretx"),
        bearer("rk_nobody_secret"),
        bearer("rk_"),
        bearer("rk_ci"),
        bearer("x.y.z"),
        Presented { authorization: Some("Basic dXNlcjpwYXNz".into()), ..Presented::default() },
        Presented { authorization: Some("rk_ci_secret".into()), ..Presented::default() },
        Presented { query_token: Some("rk_ci_secret".into()), ..Presented::default() },
    ];
    for presented in wrong {
        for room in ["chat:a", "open:a", "hook:a"] {
            let refusal = call(&settings, room, &presented, Capability::History, NOW_MS).expect_err(room);
            assert_eq!(refusal.code(), "unauthorized", "{room} {presented:?}");
        }
    }
}

#[test]
fn r_auth_7_an_api_key_opens_what_it_has_the_scope_for() {
    let seed = json!([
        { "id": "ci", "sha256": CI_SHA256, "scopes": ["publish", "tokens"] },
    ]);
    let settings = Settings::parse(Texts {
        config: Some(r#"{"kinds":{"chat":{}}}"#.into()),
        api_keys: Some(seed.to_string()),
        ..Texts::default()
    })
    .expect("settings");
    let code = |scope: Option<Scope>| {
        let presented = Presented { scope, ..bearer("rk_ci_secret") };
        let called = call(&settings, "chat:a", &presented, Capability::Publish, NOW_MS).map(|_| ());
        let served = service(&settings, &presented, NOW_MS).map(|_| ());
        let heard = listen(&settings, "chat:a", &presented, NOW_MS).map(|_| ());
        assert_eq!((&called, &called), (&served, &heard), "{scope:?}");
        called.map_err(Refusal::code)
    };
    assert_eq!((code(Some(Scope::Publish)), code(Some(Scope::Tokens))), (Ok(()), Ok(())));
    for missing in [None, Some(Scope::Read), Some(Scope::Admin), Some(Scope::Metrics)] {
        assert_eq!(code(missing), Err("forbidden"), "{missing:?}");
    }
}

#[test]
fn r_sse_1_who_listens_is_no_member_and_may_only_listen() {
    let settings = settings(json!({}));
    let heard = |room: &str, presented: &Presented| listen(&settings, room, presented, NOW_MS);
    let token = token(&settings, json!({ "chat:a": ["*"], "chat:b": ["history"] }));
    let in_address = Presented { query_token: Some(token.clone()), ..Presented::default() };
    for presented in [bearer(&token), in_address] {
        let connection = heard("chat:a", &presented).expect("a listener");
        assert_eq!(connection.claims.user, UserId::parse("ann"));
        assert_eq!(connection.claims.tags, ["$vip"]);
        let may: Vec<Capability> = connection.claims.capabilities.iter().collect();
        assert_eq!((may, connection.codec), (vec![Capability::Join, Capability::History], Codec::Json));
        assert_eq!(heard("chat:b", &presented).expect_err("no join").code(), "forbidden");
        assert_eq!(heard("hook:a", &presented).expect_err("service").code(), "forbidden");
    }
    let key = heard("hook:a", &bearer("rk_ci_secret")).expect("a listener");
    assert_eq!((key.claims.user, key.tenant.as_str()), (None, "acme"));
    assert!(heard("open:a", &Presented::default()).is_ok());
    assert_eq!(heard("chat:a", &Presented::default()).expect_err("nothing").code(), "unauthorized");
    let key_in_address = Presented { query_token: Some("rk_ci_secret".into()), ..Presented::default() };
    assert_eq!(heard("chat:a", &key_in_address).expect_err("a key").code(), "unauthorized");
}

#[test]
fn r_write_1_any_of_the_capabilities_is_enough() {
    let settings = settings(json!({}));
    let token = token(&settings, json!({ "*": ["moderate"] }));
    let ask = |any_of: &[Capability]| call_any(&settings, "chat:a", &bearer(&token), any_of, NOW_MS).is_ok();
    assert!(ask(&[Capability::EditOwn, Capability::Moderate]));
    assert!(!ask(&[Capability::EditOwn, Capability::EditAny]) && !ask(&[]));
}

#[test]
fn r_own_1_a_personal_room_is_for_the_user_that_it_is_named_for() {
    let settings = settings(json!({}));
    let every = token(&settings, json!({ "*": ["*"] }));
    let exact = token(&settings, json!({ "user:bob": ["*"], "user:ann": ["*"], "user:*": ["join"] }));
    for token in [every, exact] {
        let joins = |room: &str| {
            let presented = Presented { subprotocols: Some("roomcast.v1.json".into()), ..bearer(&token) };
            connect(&settings, room, &presented, NOW_MS).map(drop).map_err(Refusal::close_code)
        };
        assert_eq!(joins("user:ann"), Ok(()));
        for room in ["user:bob", "user:Ann", "user:ann.", "user:a"] {
            assert_eq!(joins(room), Err(schemas::CloseCode::Forbidden), "{room}");
        }
        for capability in Capability::ALL {
            let may = |room: &str| call(&settings, room, &bearer(&token), capability, NOW_MS).is_ok();
            let reads = ["join", "history", "presence", "state"].contains(&capability.as_str());
            assert_eq!((may("user:ann"), may("user:bob")), (true, !reads), "{capability:?}");
            assert!(call(&settings, "user:bob", &bearer("rk_ci_secret"), capability, NOW_MS).is_ok());
        }
    }
    let open = super::tests::settings(json!({ "kinds": { "user": { "access": "public" } } }));
    let nobody = connect(&open, "user:ann", &socket("roomcast.v1.json"), NOW_MS);
    assert!(nobody.is_err_and(|refusal| refusal.code() == "forbidden"));
}

#[test]
fn r_addr_4_what_is_sent_to_a_tenants_host_is_that_tenants() {
    let settings = settings(json!({ "tenants": { "acme.example": "acme", "other.example": "other" } }));
    let at = |host: &str, presented: Presented| Presented {
        tenant: crate::tenant::resolve(&settings.config, host),
        scope: Some(Scope::Read),
        ..presented
    };
    let key =
        |host| call(&settings, "chat:a", &at(host, bearer("rk_ci_secret")), Capability::History, NOW_MS);
    assert_eq!(key("acme.example").expect("its own host").tenant.as_str(), "acme");
    assert_eq!(key("elsewhere.example").expect("a host that says nothing").tenant.as_str(), "acme");
    assert_eq!(key("other.example").expect_err("another's host").code(), "forbidden");

    let nobody = Presented { subprotocols: Some("roomcast.v1.json".into()), ..Presented::default() };
    let public = |host| connect(&settings, "open:a", &at(host, nobody.clone()), NOW_MS);
    assert_eq!(public("acme.example").expect("a public room").tenant.as_str(), "acme");
    assert_eq!(public("elsewhere.example").expect("a public room").tenant.as_str(), "default");
}
