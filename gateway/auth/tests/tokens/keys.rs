//! Keys of every sort: what they may be configured as, and what they make and open.

use crate::rfc7515::{P256_PEM, RSA_PEM, rsa_jwk};
use crate::support::{
    NOW_MS, NOW_S, base64url, claims, ed_config, ed_key, hs_config, keys, keys_of, room, signed_by_ed, token,
    with,
};
use auth::{ApiKeys, Flaw, Keys, Refusal, Scope, SigningKey, mint, verify};
use schemas::{Tenant, http::TokenBody};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

#[test]
fn r_conf_2_a_mistake_in_the_keys_names_its_path_and_never_the_secret() {
    let hs = |changes: Value| json!([ed_config(), with(hs_config(), &changes)]);
    let ed = |changes: Value| json!([with(ed_config(), &changes)]);
    let identity = base64url([
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
    let rows = [
        (json!({}), "."),
        (json!([1]), "[0]"),
        (json!([{ "kid": "a" }]), "[0].alg"),
        (json!([{ "alg": "HS256" }]), "[0].kid"),
        (hs(json!({ "kid": "" })), "[1].kid"),
        (hs(json!({ "kid": "k".repeat(129) })), "[1].kid"),
        (hs(json!({ "kid": "ed" })), "[1].kid"),
        (hs(json!({ "alg": "none" })), "[1].alg"),
        (hs(json!({ "alg": "HS384" })), "[1].secret"),
        (hs(json!({ "alg": "HS512", "secret": base64url([7; 63]) })), "[1].secret"),
        (hs(json!({ "alg": "RS256" })), "[1].secret"),
        (hs(json!({ "alg": "ES384" })), "[1].alg"),
        (hs(json!({ "algs": ["HS256"] })), "[1].algs"),
        (hs(json!({ "allow_http": true })), "[1].allow_http"),
        (hs(json!({ "jwk": rsa_jwk() })), "[1].jwk"),
        (hs(json!({ "alg": "hs256" })), "[1].alg"),
        (hs(json!({ "secret": base64url([7; 31]) })), "[1].secret"),
        (hs(json!({ "secret": "not base64url: SECRET" })), "[1].secret"),
        (hs(json!({ "secret": ["SECRET"] })), "[1].secret"),
        (hs(json!({ "secret": null })), "[1].secret"),
        (hs(json!({ "public_key": "x" })), "[1].public_key"),
        (hs(json!({ "tenant": "Acme" })), "[1].tenant"),
        (hs(json!({ "iss": 1 })), "[1].iss"),
        (ed(json!({ "secret": "SECRET" })), "[0].secret"),
        (ed(json!({ "jwk": rsa_jwk() })), "[0].jwk"),
        (ed(json!({ "alg": "RS256" })), "[0].public_key"),
        (ed(json!({ "alg": "ES256", "public_key": RSA_PEM })), "[0].public_key"),
        (ed(json!({ "alg": "RS256", "public_key": P256_PEM })), "[0].public_key"),
        (ed(json!({ "public_key": RSA_PEM })), "[0].public_key"),
        (
            ed(json!({ "public_key": "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----" })),
            "[0].public_key",
        ),
        (ed(json!({ "public_key": { "SECRET": 1 } })), "[0].public_key"),
        (ed(json!({ "public_key": null })), "[0].public_key"),
        (ed(json!({ "public_key": base64url([7; 31]) })), "[0].public_key"),
        (ed(json!({ "public_key": base64url([7; 33]) })), "[0].public_key"),
        (ed(json!({ "public_key": identity })), "[0].public_key"),
        (ed(json!({ "public_key": base64url([0; 32]) })), "[0].public_key"),
    ];
    check_mistakes(rows.into());
    assert!(Keys::parse("").is_err() && Keys::parse("[] []").is_err());
    assert!(Keys::parse("[]").is_ok());
}

fn check_mistakes(rows: Vec<(Value, &str)>) {
    for (config, path) in rows {
        let error = Keys::parse(&config.to_string()).expect_err(path);
        assert_eq!(error.path, path, "{config}: {error}");
        assert!(!error.message.contains("SECRET"), "{error}");
    }
}

#[test]
fn r_conf_2_a_mistake_in_a_jwk_or_an_issuer_names_its_path() {
    let jwk = |changes: Value| json!([with(json!({ "kid": "a", "jwk": rsa_jwk() }), &changes)]);
    let of_jwk = |changes: Value| jwk(json!({ "jwk": with(rsa_jwk(), &changes) }));
    let issuer = |changes: Value| {
        json!([with(json!({ "jwks_url": "https://a.example/keys?v=1", "iss": "a" }), &changes)])
    };
    assert!(
        [jwk(json!({})), of_jwk(json!({})), issuer(json!({}))]
            .iter()
            .all(|config| Keys::parse(&config.to_string()).is_ok())
    );
    let rows = [
        (jwk(json!({ "kid": null })), "[0].kid"),
        (jwk(json!({ "alg": "ES256" })), "[0].alg"),
        (jwk(json!({ "alg": "HS256" })), "[0].jwk"),
        (jwk(json!({ "jwk": "SECRET" })), "[0].jwk"),
        (of_jwk(json!({ "kid": "b" })), "[0].kid"),
        (of_jwk(json!({ "d": "SECRET" })), "[0].jwk"),
        (of_jwk(json!({ "kty": "oct", "k": "SECRET" })), "[0].jwk"),
        (of_jwk(json!({ "alg": "RS512" })), "[0].jwk"),
        (of_jwk(json!({ "use": "enc" })), "[0].jwk"),
        (of_jwk(json!({ "n": base64url([0xf1; 255]) })), "[0].jwk"),
        (issuer(json!({ "iss": null })), "[0].iss"),
        (issuer(json!({ "kid": "a" })), "[0].kid"),
        (issuer(json!({ "alg": "RS256" })), "[0].alg"),
        (issuer(json!({ "secret": "SECRET" })), "[0].secret"),
        (issuer(json!({ "public_key": RSA_PEM })), "[0].public_key"),
        (issuer(json!({ "jwk": rsa_jwk() })), "[0].jwk"),
        (issuer(json!({ "algs": [] })), "[0].algs"),
        (issuer(json!({ "algs": ["RS256", "HS256"] })), "[0].algs[1]"),
        (issuer(json!({ "algs": ["none"] })), "[0].algs[0]"),
        (issuer(json!({ "jwks_url": "http://a.example/" })), "[0].jwks_url"),
        (issuer(json!({ "jwks_url": "a.example" })), "[0].jwks_url"),
        (issuer(json!({ "jwks_url": "https://" })), "[0].jwks_url"),
        (issuer(json!({ "jwks_url": "https:///keys" })), "[0].jwks_url"),
        (issuer(json!({ "jwks_url": "https://SECRET:x@a.example/" })), "[0].jwks_url"),
        (issuer(json!({ "jwks_url": "https://a.example/#k" })), "[0].jwks_url"),
        (issuer(json!({ "jwks_url": "https://a.example/ k" })), "[0].jwks_url"),
        (issuer(json!({ "jwks_url": "file:///etc/keys", "allow_http": true })), "[0].jwks_url"),
        (issuer(json!({ "jwks_url": format!("https://a.example/{}", "k".repeat(2048)) })), "[0].jwks_url"),
        (issuer(json!({ "jwks_url": 7 })), "[0].jwks_url"),
        (json!([issuer(json!({}))[0], issuer(json!({ "aud": "b" }))[0]]), "[1].iss"),
    ];
    check_mistakes(rows.into());
    assert!(
        Keys::parse(&issuer(json!({ "jwks_url": "http://a.example/", "allow_http": true })).to_string())
            .is_ok()
    );
    let one_kid_of_two_issuers =
        json!([with(hs_config(), &json!({ "iss": "a" })), with(hs_config(), &json!({ "iss": "b" }))]);
    assert!(Keys::parse(&one_kid_of_two_issuers.to_string()).is_ok());
}

#[test]
fn r_auth_1_a_token_without_kid_needs_exactly_one_key_of_its_alg() {
    let without_kid = signed_by_ed(r#"{"alg":"EdDSA"}"#, &claims().to_string());
    let opens = |keys: &Keys| verify(&without_kid, keys, NOW_MS).map(|token| token.user.to_string());
    let second = json!({ "kid": "second", "alg": "EdDSA", "public_key":
        base64url(ed25519_dalek::SigningKey::from_bytes(&[9; 32]).verifying_key().as_bytes()) });
    assert_eq!(opens(&keys()), Ok("ann".into()));
    assert_eq!(opens(&keys_of(&json!([hs_config()]))), Err(Flaw::NoKey.into()));
    assert_eq!(opens(&keys_of(&json!([ed_config(), second]))), Err(Flaw::NoKey.into()));
    assert_eq!(opens(&keys_of(&json!([second]))), Err(Flaw::Signature.into()));
    assert_eq!(opens(&Keys::default()), Err(Flaw::NoKey.into()));

    let own = SigningKey::parse(&base64url(ed_key().to_bytes())).expect("a seed");
    let mut only_own = keys_of(&json!([hs_config()]));
    only_own.trust(&own).expect("trust");
    assert_eq!(opens(&only_own), Ok("ann".into()));
    let mut beside_own = keys_of(&json!([second]));
    beside_own.trust(&own).expect("trust");
    assert_eq!(opens(&beside_own), Err(Flaw::Signature.into()), "the configured key goes first");
}

#[test]
fn r_auth_1_keys_rotate_side_by_side() {
    let (old, new) = (ed_config(), with(hs_config(), &json!({ "kid": "new" })));
    let both = keys_of(&json!([old, new]));
    assert!(verify(&token(&claims()), &both, NOW_MS).is_ok());
    let renamed = keys_of(&json!([with(ed_config(), &json!({ "kid": "retired" }))]));
    assert_eq!(verify(&token(&claims()), &renamed, NOW_MS).err(), Some(Flaw::UnknownKey.into()));
}

fn body(changes: &Value) -> TokenBody {
    let body = json!({ "sub": "ann", "rooms": { "chat:a": ["join"], "chat:*": ["history"] }, "ttl": 3600 });
    serde_json::from_value(with(body, changes)).expect("a body")
}

#[test]
fn r_http_6_a_minted_token_opens_what_was_asked_until_its_end() {
    let key = SigningKey::parse(&base64url([3; 32])).expect("a seed");
    let mut keys = keys();
    keys.trust(&key).expect("trust");
    let tenant = Tenant::parse("acme").expect("a tenant");
    let asked = body(&json!({ "info": { "name": "Ann" }, "tags": ["$vip"] }));
    let answer = mint(&key, &tenant, &asked, NOW_MS + 7).expect("a token");
    assert_eq!(answer.expires_at, (NOW_S + 3600) * 1000);
    let token = verify(&answer.token, &keys, NOW_MS).expect("a token");
    assert_eq!((token.user.as_str(), token.tenant.as_str()), ("ann", "acme"));
    let claims = token.claims_for(&room("chat:a")).expect("claims");
    let names: Vec<_> = claims.capabilities.iter().map(schemas::Capability::as_str).collect();
    assert_eq!(names, ["join", "history"]);
    assert_eq!((claims.expires_at, claims.tags), (Some(answer.expires_at), vec!["$vip".to_owned()]));
    assert_eq!(claims.info, schemas::Payload::from_json(r#"{"name":"Ann"}"#.into()).ok());

    let end = answer.expires_at + auth::LEEWAY_MS;
    assert!(verify(&answer.token, &keys, end - 1).is_ok());
    assert_eq!(verify(&answer.token, &keys, end).err(), Some(Refusal::TokenExpired));
    let other = SigningKey::parse(&base64url([4; 32])).expect("a seed");
    let mut others = Keys::default();
    others.trust(&other).expect("trust");
    assert_eq!(verify(&answer.token, &others, NOW_MS).err(), Some(Flaw::UnknownKey.into()));
}

#[test]
fn r_http_6_what_cannot_be_minted_names_its_path() {
    let key = SigningKey::parse(&base64url([3; 32])).expect("a seed");
    let many =
        (0..600).map(|n| (format!("chat:room-{n}"), json!(["join"]))).collect::<serde_json::Map<_, _>>();
    let rows = [
        (json!({ "ttl": 0 }), "ttl"),
        (json!({ "ttl": 86_401 }), "ttl"),
        (json!({ "ttl": u64::MAX }), "ttl"),
        (json!({ "tags": vec!["t"; 9] }), "tags"),
        (json!({ "tags": [""] }), "tags"),
        (json!({ "info": "x".repeat(1023) }), "info"),
        (json!({ "rooms": many }), "rooms"),
    ];
    for (changes, path) in rows {
        let error = mint(&key, &Tenant::default_tenant(), &body(&changes), NOW_MS).expect_err(path);
        assert_eq!(error.path, path, "{error}");
    }
    assert!(mint(&key, &Tenant::default_tenant(), &body(&json!({ "ttl": 86_400 })), NOW_MS).is_ok());
}

#[test]
fn r_conf_2_a_signing_key_is_32_bytes_and_no_configured_key_takes_its_name() {
    for seed in ["", "short", "not base64url!", &base64url([1; 31]), &base64url([1; 33])] {
        let error = SigningKey::parse(seed).expect_err("no seed");
        assert!(seed.is_empty() || !error.message.contains(seed));
    }
    let key = SigningKey::parse(&format!("{}=\n", base64url([3; 32])))
        .expect("padding and a line break do no harm");
    assert!(!format!("{key:?}").contains(&base64url([3; 32])));
    let mut keys = keys_of(&json!([with(hs_config(), &json!({ "kid": key.kid() }))]));
    assert_eq!(keys.trust(&key).expect_err("taken").path, "[0].kid");
}

fn sha256_hex(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn r_auth_7_an_api_key_is_known_by_its_digest() {
    let keys = json!([
        { "id": "ci", "sha256": sha256_hex("rk_ci_s3cret_with_underscores"), "tenant": "acme" },
        { "id": "ops", "sha256": sha256_hex("rk_ops_other").to_uppercase() },
    ]);
    let keys = ApiKeys::parse(&keys.to_string()).expect("keys");
    let tenant = |text: &str| keys.authorize(text, NOW_MS).map(|key| key.tenant.to_string());
    assert_eq!(tenant("rk_ci_s3cret_with_underscores"), Ok("acme".into()));
    assert_eq!(tenant("rk_ops_other"), Ok("default".into()));
    let wrong = [
        "",
        "rk_",
        "rk_ci",
        "rk_ci_",
        "rk_ci_s3cret_with_underscore",
        "rk_ci_s3cret_with_underscores ",
        "rk_ci_S3CRET_WITH_UNDERSCORES",
        "rk_ops_s3cret_with_underscores",
        "rk_who_other",
        "RK_ops_other",
        "ops_other",
        &sha256_hex("rk_ops_other"),
    ];
    for text in wrong {
        assert_eq!(tenant(text), Err(Flaw::ApiKey.into()), "{text}");
    }
    assert_eq!(ApiKeys::default().authorize("rk_ops_other", NOW_MS).err(), Some(Flaw::ApiKey.into()));
}

#[test]
fn r_auth_13_an_api_key_is_for_its_scopes_until_it_expires() {
    let key = |changes: Value| {
        let config = with(json!({ "id": "ci", "sha256": sha256_hex("rk_ci_x") }), &changes);
        ApiKeys::parse(&json!([config]).to_string()).expect("keys")
    };
    let scopes = |changes: Value| -> Vec<&str> {
        let keys = key(changes);
        let key = keys.authorize("rk_ci_x", NOW_MS).expect("a key");
        Scope::ALL.into_iter().filter(|scope| key.has(*scope)).map(Scope::as_str).collect()
    };
    let all = ["publish", "read", "edit", "moderate", "admin", "tokens", "revoke", "metrics", "call"];
    assert_eq!(scopes(json!({})), all);
    assert_eq!(scopes(json!({ "scopes": null })), all);
    assert_eq!(scopes(json!({ "scopes": [] })), Vec::<&str>::new());
    assert_eq!(scopes(json!({ "scopes": ["metrics", "read", "read"] })), ["read", "metrics"]);
    for name in all {
        assert_eq!(scopes(json!({ "scopes": [name] })), [name]);
    }

    let expiring = key(json!({ "expires_at": NOW_MS }));
    assert!(expiring.authorize("rk_ci_x", NOW_MS - 1).is_ok());
    assert_eq!(expiring.authorize("rk_ci_x", NOW_MS).err(), Some(Flaw::ApiKeyExpired.into()));
    assert_eq!(
        expiring.authorize("rk_ci_y", NOW_MS).err(),
        Some(Flaw::ApiKey.into()),
        "not told when it ends"
    );
}

#[test]
fn r_conf_2_a_mistake_in_the_api_keys_names_its_path() {
    let good = || json!({ "id": "ci", "sha256": sha256_hex("rk_ci_x") });
    let rows = [
        (json!([with(good(), &json!({ "id": "" }))]), "[0].id"),
        (json!([with(good(), &json!({ "id": "a_b" }))]), "[0].id"),
        (json!([good(), good()]), "[1].id"),
        (json!([with(good(), &json!({ "sha256": "00" }))]), "[0].sha256"),
        (json!([with(good(), &json!({ "sha256": "z".repeat(64) }))]), "[0].sha256"),
        (json!([with(good(), &json!({ "tenant": "" }))]), "[0].tenant"),
        (json!([with(good(), &json!({ "scopes": ["publish", "fly"] }))]), "[0].scopes[1]"),
        (json!([with(good(), &json!({ "scopes": ["Publish"] }))]), "[0].scopes[0]"),
        (json!([with(good(), &json!({ "scopes": ["*"] }))]), "[0].scopes[0]"),
        (json!([with(good(), &json!({ "scopes": "publish" }))]), "[0].scopes"),
        (json!([with(good(), &json!({ "expires_at": "soon" }))]), "[0].expires_at"),
        (json!([with(good(), &json!({ "key": "rk_ci_x" }))]), "[0].key"),
    ];
    for (config, path) in rows {
        assert_eq!(ApiKeys::parse(&config.to_string()).expect_err(path).path, path, "{config}");
    }
}
