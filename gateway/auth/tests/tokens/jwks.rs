//! Sets of keys that issuers publish: which keys count, and when a set is fetched.

use auth::{
    Fetch, Flaw, JWKS_FETCH_MS, JWKS_FIRST_RETRY_MS, JWKS_FRESH_MS, JWKS_STALE_RETRY_MS, JWKS_UNKNOWN_KID_MS,
    JwksError, Keys, Refusal, Wanted, verify,
};
use serde_json::{Value, json};

use crate::{
    rfc7515::{p256_jwk, rsa_jwk},
    support::{NOW_MS, NOW_S, Signer, base64url, claims, ed_key, keys_of, with},
};

const ISS: &str = "https://issuer.example";
const URL: &str = "https://issuer.example/jwks";

fn ed_jwk() -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(ed_key().verifying_key().as_bytes()) })
}

fn issuer() -> Value {
    json!({ "jwks_url": URL, "iss": ISS, "tenant": "acme", "aud": "roomcast" })
}

fn claims_of(iss: &str) -> Value {
    with(claims(), &json!({ "iss": iss, "aud": "roomcast", "exp": NOW_S + 1_000_000 }))
}

/// A token by that signer, of [`ISS`].
fn token(signer: Signer<'_>, alg: &str, kid: Option<&str>) -> String {
    let mut header = json!({ "alg": alg });
    if let Some(kid) = kid {
        header["kid"] = json!(kid);
    }
    signer.sign(&header, &claims_of(ISS))
}

fn by_ed(kid: &str) -> String {
    token(Signer::Ed, "EdDSA", Some(kid))
}

fn set(keys: Value) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

fn named(jwk: Value, kid: &str) -> Value {
    with(jwk, &json!({ "kid": kid }))
}

/// What verifying came to: a user, a code, or that a fetch is wanted.
fn outcome(keys: &Keys, token: &str, now_ms: u64) -> Result<String, &'static str> {
    match verify(token, keys, now_ms) {
        Ok(token) => Ok(token.user.to_string()),
        Err(Refusal::Unready(_)) => Err("wanted"),
        Err(refusal) => Err(refusal.code()),
    }
}

fn wanted(keys: &Keys, token: &str, now_ms: u64) -> Wanted {
    match verify(token, keys, now_ms) {
        Err(Refusal::Unready(wanted)) => wanted,
        other => panic!("no fetch is wanted: {other:?}"),
    }
}

/// Wants a fetch for the token, and gets it answered.
fn answer(keys: &mut Keys, token: &str, body: Option<&[u8]>, now_ms: u64) -> Result<(), JwksError> {
    let wanted = wanted(keys, token, now_ms);
    assert_eq!(keys.fetch(wanted, now_ms), Fetch::Get { url: URL.into(), private: false });
    assert_eq!(keys.fetch(wanted, now_ms), Fetch::Wait, "one at a time");
    match body {
        Some(body) => keys.fetched(wanted, body, now_ms),
        None => {
            keys.failed(wanted);
            Ok(())
        }
    }
}

/// Keys with one issuer that has answered with this set.
fn loaded(keys: Value) -> Keys {
    let mut loaded = keys_of(&json!([issuer()]));
    answer(&mut loaded, &by_ed("any"), Some(&set(keys)), NOW_MS).expect("a set");
    loaded
}

#[test]
fn r_jwks_1_a_token_of_an_issuer_is_verified_by_the_keys_that_it_publishes() {
    let keys = loaded(json!([named(rsa_jwk(), "rsa"), named(p256_jwk(), "ec"), named(ed_jwk(), "ed")]));
    for (signer, alg, kid) in
        [(Signer::Rs256, "RS256", "rsa"), (Signer::Es256, "ES256", "ec"), (Signer::Ed, "EdDSA", "ed")]
    {
        let token = token(signer, alg, Some(kid));
        let verified = verify(&token, &keys, NOW_MS).expect(alg);
        assert_eq!((verified.user.as_str(), verified.tenant.as_str()), ("ann", "acme"));
    }
    let refused = |changes: Value| {
        let claims = with(claims_of(ISS), &changes);
        let token = Signer::Ed.sign(&json!({ "alg": "EdDSA", "kid": "ed" }), &claims);
        verify(&token, &keys, NOW_MS).expect_err("refused")
    };
    assert_eq!(refused(json!({ "aud": "other" })), Flaw::Audience.into());
    assert_eq!(refused(json!({ "tenant": "other" })).code(), "forbidden");
    assert_eq!(refused(json!({ "iss": "https://other.example" })), Flaw::UnknownKey.into());
    assert_eq!(refused(json!({ "iss": null })), Flaw::UnknownKey.into());
    assert_eq!(refused(json!({ "iss": format!("{ISS}/") })), Flaw::UnknownKey.into());
    let confused = token(Signer::Es256, "ES256", Some("rsa"));
    assert_eq!(outcome(&keys, &confused, NOW_MS), Err("wanted"), "it might have changed");
}

#[test]
fn r_jwks_1_a_set_counts_the_keys_that_can_verify_and_skips_the_others() {
    let x = base64url(ed_key().verifying_key().as_bytes());
    let small = json!({ "kty": "RSA", "n": base64url([0xf1; 128]), "e": "AQAB" });
    let huge = json!({ "kty": "RSA", "n": base64url([0xf1; 1024]), "e": "AQAB" });
    let rows = [
        ("a secret", json!({ "kty": "oct", "k": x })),
        ("for encryption", with(ed_jwk(), &json!({ "use": "enc" }))),
        ("for signing alone", with(ed_jwk(), &json!({ "key_ops": ["sign"] }))),
        ("its private half", with(ed_jwk(), &json!({ "d": x }))),
        ("an unknown type", with(ed_jwk(), &json!({ "kty": "AKP" }))),
        ("a type in other letters", with(ed_jwk(), &json!({ "kty": "okp" }))),
        ("no type", with(ed_jwk(), &json!({ "kty": null }))),
        ("an unknown curve", with(ed_jwk(), &json!({ "crv": "X25519" }))),
        ("no curve", with(ed_jwk(), &json!({ "crv": null }))),
        ("another alg", with(ed_jwk(), &json!({ "alg": "ES256" }))),
        ("HS256 for a public key", with(ed_jwk(), &json!({ "alg": "HS256" }))),
        ("an alg that is none", with(ed_jwk(), &json!({ "alg": "none" }))),
        ("31 bytes", with(ed_jwk(), &json!({ "x": base64url([7; 31]) }))),
        ("the identity", with(ed_jwk(), &json!({ "x": base64url([0; 32]) }))),
        ("no x", with(ed_jwk(), &json!({ "x": null }))),
        ("x a number", with(ed_jwk(), &json!({ "x": 7 }))),
        ("RSA of 1024 bits", small),
        ("RSA of 8192 bits", huge),
        ("RSA with e = 1", with(rsa_jwk(), &json!({ "e": "AQ" }))),
        ("RSA with an even e", with(rsa_jwk(), &json!({ "e": "Ag" }))),
        ("RSA without n", with(rsa_jwk(), &json!({ "n": null }))),
        ("PS256", with(rsa_jwk(), &json!({ "alg": "PS256" }))),
        ("RS512", with(rsa_jwk(), &json!({ "alg": "RS512" }))),
        ("a point off the curve", with(p256_jwk(), &json!({ "y": base64url([7; 32]) }))),
        ("P-384", with(p256_jwk(), &json!({ "crv": "P-384" }))),
        ("a kid of 129 bytes", named(ed_jwk(), &"k".repeat(129))),
        ("the empty kid", named(ed_jwk(), "")),
        ("kid a number", with(ed_jwk(), &json!({ "kid": 7 }))),
    ];
    for (name, jwk) in rows {
        let jwk = if jwk["kid"].is_null() { named(jwk, "bad") } else { jwk };
        let kid = jwk["kid"].as_str().unwrap_or("7").to_owned();
        let keys = loaded(json!([jwk, named(ed_jwk(), "good"), null, 7, "text", []]));
        assert_eq!(outcome(&keys, &by_ed("good"), NOW_MS), Ok("ann".into()), "beside {name}");
        for (signer, alg) in [(Signer::Ed, "EdDSA"), (Signer::Rs256, "RS256"), (Signer::Es256, "ES256")] {
            let token = token(signer, alg, Some(&kid));
            assert_eq!(outcome(&keys, &token, NOW_MS), Err("wanted"), "{name}, {alg}: no such key");
        }
    }
}

#[test]
fn r_jwks_1_a_key_without_kid_counts_where_it_is_alone() {
    let nameless = token(Signer::Ed, "EdDSA", None);
    let keys = loaded(json!([ed_jwk()]));
    assert_eq!(outcome(&keys, &nameless, NOW_MS), Ok("ann".into()));
    assert_eq!(outcome(&keys, &by_ed("x"), NOW_MS), Err("wanted"), "it has no name");
    let keys = loaded(json!([ed_jwk(), { "kty": "oct", "k": "AA" }]));
    assert_eq!(outcome(&keys, &nameless, NOW_MS), Ok("ann".into()), "alone among those that count");
    let keys = loaded(json!([ed_jwk(), named(rsa_jwk(), "rsa")]));
    assert_eq!(outcome(&keys, &nameless, NOW_MS), Err("wanted"));
    let keys = loaded(json!([named(ed_jwk(), "ed"), named(rsa_jwk(), "rsa")]));
    assert_eq!(outcome(&keys, &nameless, NOW_MS), Ok("ann".into()), "the one of its algorithm");
    let keys = loaded(json!([named(ed_jwk(), "a"), named(ed_jwk(), "b")]));
    assert_eq!(outcome(&keys, &nameless, NOW_MS), Err("wanted"), "which?");
}

#[test]
fn r_jwks_1_a_token_without_kid_waits_for_the_set_though_a_key_of_its_algorithm_is_configured() {
    let configured = json!({ "kid": "own", "alg": "EdDSA", "public_key": ed_jwk()["x"] });
    let mut keys = keys_of(&json!([configured, issuer()]));
    let nameless = token(Signer::Ed, "EdDSA", None);
    answer(&mut keys, &nameless, Some(&set(json!([named(rsa_jwk(), "rsa")]))), NOW_MS).expect("a set");
    assert_eq!(outcome(&keys, &nameless, NOW_MS), Ok("ann".into()));
    assert_eq!(outcome(&keys, &by_ed("own"), NOW_MS), Ok("ann".into()));
}

#[test]
fn r_jwks_2_a_set_has_bounds_and_what_is_none_changes_nothing() {
    let good = set(json!([named(ed_jwk(), "ed")]));
    let padded = |bytes: usize| [&good[..], &vec![b' '; bytes - good.len()]].concat();
    let many = |count: usize| set((0..count).map(|n| named(ed_jwk(), &n.to_string())).collect());
    let ed = by_ed("ed");
    type Row = (&'static str, Option<Vec<u8>>, Result<(), JwksError>);
    let rows: [Row; 12] = [
        ("no answer", None, Ok(())),
        ("nothing", Some(Vec::new()), Err(JwksError::NoSet)),
        ("garbage", Some(b"<html>Bad Gateway</html>".to_vec()), Err(JwksError::NoSet)),
        ("an error", Some(br#"{"error":"unavailable"}"#.to_vec()), Err(JwksError::NoSet)),
        ("a list", Some(b"[]".to_vec()), Err(JwksError::NoSet)),
        ("keys no list", Some(br#"{"keys":{}}"#.to_vec()), Err(JwksError::NoSet)),
        ("one key", Some(ed_jwk().to_string().into_bytes()), Err(JwksError::NoSet)),
        ("two sets", Some([&good[..], &good[..]].concat()), Err(JwksError::NoSet)),
        ("half a set", Some(good[..good.len() / 2].to_vec()), Err(JwksError::NoSet)),
        ("not UTF-8", Some(vec![0xff; 100]), Err(JwksError::NoSet)),
        ("over 64 KiB", Some(padded(65_537)), Err(JwksError::TooLong)),
        ("101 keys", Some(many(101)), Err(JwksError::TooManyKeys)),
    ];
    for (name, body, expected) in rows {
        let mut keys = keys_of(&json!([issuer()]));
        assert_eq!(answer(&mut keys, &ed, body.as_deref(), NOW_MS), expected, "{name}");
        assert_eq!(outcome(&keys, &ed, NOW_MS), Err("unavailable"), "{name}: nobody knows");
        let later = NOW_MS + JWKS_FIRST_RETRY_MS;
        answer(&mut keys, &ed, Some(&good), later).expect("a set");
        assert_eq!(outcome(&keys, &ed, later), Ok("ann".into()));
        let stale = later + JWKS_FRESH_MS;
        assert_eq!(answer(&mut keys, &ed, body.as_deref(), stale), expected, "{name}");
        assert_eq!(outcome(&keys, &ed, stale), Ok("ann".into()), "{name}: the last good set stays");
    }
    let mut keys = keys_of(&json!([issuer()]));
    assert_eq!(answer(&mut keys, &ed, Some(&padded(65_536)), NOW_MS), Ok(()));
    assert_eq!(outcome(&keys, &ed, NOW_MS), Ok("ann".into()));
    let mut keys = keys_of(&json!([issuer()]));
    assert_eq!(answer(&mut keys, &ed, Some(&many(100)), NOW_MS), Ok(()));
    assert_eq!(outcome(&keys, &by_ed("99"), NOW_MS), Ok("ann".into()));
}

#[test]
fn r_jwks_3_a_set_is_fetched_when_it_is_needed_and_is_fresh_for_10_minutes() {
    let mut keys = keys_of(&json!([issuer()]));
    let ed = by_ed("ed");
    let good = set(json!([named(ed_jwk(), "ed")]));
    let foreign =
        Signer::Ed.sign(&json!({ "alg": "EdDSA", "kid": "ed" }), &claims_of("https://other.example"));
    assert_eq!(
        outcome(&keys, &foreign, NOW_MS),
        Err("unauthorized"),
        "no token makes us ask but the issuer's"
    );
    answer(&mut keys, &ed, Some(&good), NOW_MS).expect("a set");
    for at in [0, 1, JWKS_FRESH_MS - 1] {
        assert_eq!(outcome(&keys, &ed, NOW_MS + at), Ok("ann".into()), "after {at}");
    }
    let stale = NOW_MS + JWKS_FRESH_MS;
    let fetch = wanted(&keys, &ed, stale);
    assert_eq!(keys.fetch(fetch, stale), Fetch::Get { url: URL.into(), private: false });
    assert_eq!(outcome(&keys, &ed, stale), Ok("ann".into()), "others do not wait for what they have");
    assert_eq!(outcome(&keys, &by_ed("new"), stale), Err("wanted"), "but for what they have not");
    keys.fetched(fetch, &good, stale + 100).expect("a set");
    assert_eq!(keys.fetch(fetch, stale + 100), Fetch::Done, "who waited finds it done");
    assert_eq!(outcome(&keys, &ed, stale + 100 + JWKS_FRESH_MS - 1), Ok("ann".into()));
}

#[test]
fn r_jwks_3_a_clock_that_steps_back_makes_a_set_old() {
    let keys = loaded(json!([named(ed_jwk(), "ed")]));
    assert_eq!(outcome(&keys, &by_ed("ed"), NOW_MS - 1), Err("wanted"));
}

#[test]
fn r_jwks_4_an_unknown_kid_makes_the_set_fetched_again_at_most_once_a_minute() {
    let mut keys = loaded(json!([named(ed_jwk(), "old")]));
    let new = by_ed("new");
    let both = set(json!([named(ed_jwk(), "old"), named(ed_jwk(), "new")]));
    answer(&mut keys, &new, Some(&both), NOW_MS + 1).expect("a set");
    assert_eq!(outcome(&keys, &new, NOW_MS + 1), Ok("ann".into()), "rotation needs no waiting");
    assert_eq!(outcome(&keys, &by_ed("old"), NOW_MS + 1), Ok("ann".into()), "and no downtime");

    for kid in ["x", "y", "../../jwks", "' OR 1=1 --", "z\0"] {
        assert_eq!(outcome(&keys, &by_ed(kid), NOW_MS + 1), Err("unauthorized"), "{kid}");
        let just_before = NOW_MS + JWKS_UNKNOWN_KID_MS;
        assert_eq!(outcome(&keys, &by_ed(kid), just_before), Err("unauthorized"), "{kid}");
    }
    let again = NOW_MS + 1 + JWKS_UNKNOWN_KID_MS;
    let retired = set(json!([named(ed_jwk(), "new")]));
    answer(&mut keys, &by_ed("x"), Some(&retired), again).expect("a set");
    assert_eq!(outcome(&keys, &by_ed("x"), again), Err("unauthorized"));
    assert_eq!(outcome(&keys, &by_ed("old"), again), Err("unauthorized"), "what is retired opens nothing");
    assert_eq!(outcome(&keys, &new, again), Ok("ann".into()));
    let emptied = again + JWKS_UNKNOWN_KID_MS;
    answer(&mut keys, &by_ed("x"), Some(&set(json!([]))), emptied).expect("a set");
    assert_eq!(outcome(&keys, &new, emptied), Err("unauthorized"), "an empty set is the issuer's word");
}

#[test]
fn r_jwks_5_the_last_good_set_counts_while_the_issuer_is_down() {
    let mut keys = loaded(json!([named(ed_jwk(), "ed")]));
    let ed = by_ed("ed");
    let mut now = NOW_MS + JWKS_FRESH_MS;
    for _ in 0..100 {
        answer(&mut keys, &ed, None, now).expect("nothing to read");
        assert_eq!(outcome(&keys, &ed, now), Ok("ann".into()));
        assert_eq!(
            outcome(&keys, &ed, now + JWKS_STALE_RETRY_MS - 1),
            Ok("ann".into()),
            "not asked again yet"
        );
        now += JWKS_STALE_RETRY_MS;
    }
    let unknown = by_ed("new");
    answer(&mut keys, &unknown, None, now).expect("nothing to read");
    assert_eq!(outcome(&keys, &unknown, now), Err("unavailable"), "whether it is a key nobody knows");
    answer(&mut keys, &ed, Some(&set(json!([named(ed_jwk(), "new")]))), now + JWKS_STALE_RETRY_MS)
        .expect("a set");
    assert_eq!(outcome(&keys, &unknown, now + JWKS_STALE_RETRY_MS), Ok("ann".into()));
}

#[test]
fn r_jwks_5_an_issuer_that_never_answered_is_asked_every_5_s() {
    let mut keys = keys_of(&json!([issuer()]));
    let ed = by_ed("ed");
    for n in 0..10 {
        let now = NOW_MS + n * JWKS_FIRST_RETRY_MS;
        answer(&mut keys, &ed, None, now).expect("nothing to read");
        let refusal = verify(&ed, &keys, now + JWKS_FIRST_RETRY_MS - 1).expect_err("no keys");
        let shown = (refusal.http_status(), refusal.code(), refusal.close_code().code());
        assert_eq!(shown, (503, "unavailable", 3004), "no verdict on the token");
    }
}

#[test]
fn r_jwks_5_a_fetch_that_died_with_its_request_is_made_again() {
    let mut keys = keys_of(&json!([issuer()]));
    let ed = by_ed("ed");
    let fetch = wanted(&keys, &ed, NOW_MS);
    assert!(matches!(keys.fetch(fetch, NOW_MS), Fetch::Get { .. }));
    let almost = NOW_MS + JWKS_FETCH_MS + 999;
    assert_eq!(outcome(&keys, &ed, almost), Err("wanted"));
    assert_eq!(keys.fetch(fetch, almost), Fetch::Wait);
    assert!(matches!(keys.fetch(fetch, almost + 1), Fetch::Get { .. }), "nobody has heard of it");
    keys.fetched(fetch, &set(json!([named(ed_jwk(), "ed")])), almost + 2).expect("a set");
    assert_eq!(outcome(&keys, &ed, almost + 2), Ok("ann".into()));
}

#[test]
fn r_jwks_1_algs_says_what_an_issuer_may_sign_with() {
    let mut keys = keys_of(&json!([with(issuer(), &json!({ "algs": ["RS256"] }))]));
    let body = set(json!([named(ed_jwk(), "ed"), named(rsa_jwk(), "rsa")]));
    answer(&mut keys, &by_ed("ed"), Some(&body), NOW_MS).expect("a set");
    assert_eq!(outcome(&keys, &by_ed("ed"), NOW_MS), Err("wanted"), "no such key");
    assert_eq!(outcome(&keys, &token(Signer::Rs256, "RS256", Some("rsa")), NOW_MS), Ok("ann".into()));
}

#[test]
fn r_jwks_1_issuers_do_not_vouch_for_each_other() {
    let other = json!({ "jwks_url": "https://other.example/jwks", "iss": "https://other.example", "tenant": "other" });
    let mut keys = keys_of(&json!([issuer(), other]));
    let same = set(json!([named(ed_jwk(), "1")]));
    answer(&mut keys, &by_ed("1"), Some(&same), NOW_MS).expect("a set");
    let of_other =
        Signer::Ed.sign(&json!({ "alg": "EdDSA", "kid": "1" }), &claims_of("https://other.example"));
    let fetch = wanted(&keys, &of_other, NOW_MS);
    assert_eq!(keys.issuer(fetch), "https://other.example");
    assert_eq!(
        keys.fetch(fetch, NOW_MS),
        Fetch::Get { url: "https://other.example/jwks".into(), private: false }
    );
    keys.fetched(fetch, &set(json!([named(rsa_jwk(), "1")])), NOW_MS).expect("a set");
    assert_eq!(outcome(&keys, &of_other, NOW_MS), Err("wanted"), "it has another key by that name");
    let tenant = |token: &str| verify(token, &keys, NOW_MS).map(|token| token.tenant.to_string());
    assert_eq!(tenant(&by_ed("1")), Ok("acme".into()));
    let by_rsa =
        Signer::Rs256.sign(&json!({ "alg": "RS256", "kid": "1" }), &claims_of("https://other.example"));
    assert_eq!(tenant(&by_rsa), Ok("other".into()));
}
