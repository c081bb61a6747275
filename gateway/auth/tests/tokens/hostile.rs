//! Tokens that must not open anything, each with the flaw that it is refused for: a row that fails for another reason
//! than its own tests nothing.

use crate::support::{
    ED_HEADER, HS_HEADER, HS_SECRET, NOW_MS, NOW_S, base64url, claims, ed_config, ed_key, hs_config, keys,
    keys_of, room, signed_by_ed, signed_by_hs, token, with,
};
use auth::{Flaw, Refusal, verify};
use serde_json::{Value, json};

fn refusal(token: &str) -> Refusal {
    match verify(token, &keys(), NOW_MS) {
        Err(refusal) => refusal,
        Ok(token) => token.claims_for(&room("chat:a")).expect_err("a row of this table opens nothing"),
    }
}

fn check(rows: Vec<(&str, String, Flaw)>) {
    for (name, token, flaw) in rows {
        let got = refusal(&token);
        assert_eq!(got, Refusal::Unauthorized(flaw), "{name}");
        assert_eq!(
            (got.http_status(), got.code(), got.close_code().code()),
            (401, "unauthorized", 3501),
            "{name}"
        );
        assert!(
            token.is_empty() || !got.to_string().contains(&token),
            "{name}: the refusal quotes the token"
        );
    }
}

/// `S + L` in place of `S`: the same point, written another way (RFC 8032 §5.1.7 refuses it).
fn malleated(token: &str) -> String {
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let (signed, signature) = token.rsplit_once('.').expect("a token");
    let mut signature = URL_SAFE_NO_PAD.decode(signature).expect("a signature");
    let mut carry = 0u16;
    for (byte, add) in signature[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    format!("{signed}.{}", base64url(signature))
}

#[test]
fn r_auth_1_what_is_no_jwt_is_refused() {
    let good = token(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let long = token(&with(claims(), &json!({ "padding": "p".repeat(8192) })));
    check(vec![
        ("empty", String::new(), Flaw::Missing),
        ("rubbish", "rubbish".into(), Flaw::Malformed),
        ("one dot", "a.b".into(), Flaw::Malformed),
        ("dots alone", "..".into(), Flaw::Header),
        ("rubbish in three parts", "a.b.c".into(), Flaw::Malformed),
        ("a fourth part", format!("{good}.{}", parts[2]), Flaw::Malformed),
        ("five parts, as a JWE has", format!("{good}.a.b"), Flaw::Malformed),
        ("no third part", format!("{}.{}", parts[0], parts[1]), Flaw::Malformed),
        ("padding", format!("{good}=="), Flaw::Malformed),
        ("space before", format!(" {good}"), Flaw::Malformed),
        ("a line break behind", format!("{good}\n"), Flaw::Malformed),
        (
            "the other base64 alphabet",
            format!("{}.{}.{}", parts[0], parts[1], "+".repeat(86)),
            Flaw::Malformed,
        ),
        ("unicode", "\u{435}yJ.a.b".into(), Flaw::Malformed),
        ("over 8 KiB", long, Flaw::TooLong),
        ("8 KiB of dots", ".".repeat(8192), Flaw::Header),
    ]);
}

#[test]
fn r_auth_1_a_signature_that_does_not_verify_is_refused() {
    let good = token(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let other = token(&with(claims(), &json!({ "sub": "bob" })));
    let other_claims = other.split('.').nth(1).expect("claims");
    let hs = signed_by_hs(HS_SECRET, HS_HEADER, &claims().to_string());
    let (hs_signed, _) = hs.rsplit_once('.').expect("a token");
    let plain = claims().to_string();
    check(vec![
        ("no signature", format!("{}.{}.", parts[0], parts[1]), Flaw::Signature),
        ("half a signature", good[..good.len() - 43].to_owned(), Flaw::Signature),
        ("random bytes", format!("{}.{}.{}", parts[0], parts[1], base64url([1; 64])), Flaw::Signature),
        ("zeros", format!("{}.{}.{}", parts[0], parts[1], base64url([0; 64])), Flaw::Signature),
        ("65 bytes", format!("{}.{}.{}", parts[0], parts[1], base64url([1; 65])), Flaw::Signature),
        ("another token's claims", format!("{}.{other_claims}.{}", parts[0], parts[2]), Flaw::Signature),
        ("S + L", malleated(&good), Flaw::Signature),
        ("another secret", signed_by_hs(&[7; 32], HS_HEADER, &plain), Flaw::Signature),
        ("the empty secret", signed_by_hs(&[], HS_HEADER, &plain), Flaw::Signature),
        ("an empty tag", format!("{hs_signed}."), Flaw::Signature),
        ("a truncated tag", format!("{hs_signed}.{}", base64url([0; 16])), Flaw::Signature),
    ]);
}

#[test]
fn r_auth_1_a_header_never_chooses_how_it_is_verified() {
    let plain = claims().to_string();
    let ed = |header: &str| signed_by_ed(header, &plain);
    let hs = |header: &str| signed_by_hs(HS_SECRET, header, &plain);
    let public_key = ed_key().verifying_key().to_bytes();
    let unsigned = |header: &str| format!("{}.{}.", base64url(header), base64url(&plain));
    let extra = |field: &str| ed(&format!(r#"{{"alg":"EdDSA","kid":"ed",{field}}}"#));
    check(vec![
        ("none", unsigned(r#"{"alg":"none"}"#), Flaw::NoKey),
        ("None", unsigned(r#"{"alg":"None"}"#), Flaw::NoKey),
        ("nOnE", unsigned(r#"{"alg":"nOnE"}"#), Flaw::NoKey),
        ("none with a kid", unsigned(r#"{"alg":"none","kid":"ed"}"#), Flaw::Algorithm),
        ("the empty alg", ed(r#"{"alg":"","kid":"ed"}"#), Flaw::Algorithm),
        ("no alg", ed(r#"{"kid":"ed"}"#), Flaw::Header),
        ("alg null", ed(r#"{"alg":null,"kid":"ed"}"#), Flaw::Header),
        ("alg a list", ed(r#"{"alg":["EdDSA"],"kid":"ed"}"#), Flaw::Header),
        ("eddsa", ed(r#"{"alg":"eddsa","kid":"ed"}"#), Flaw::Algorithm),
        ("alg twice", ed(r#"{"alg":"EdDSA","kid":"ed","alg":"none"}"#), Flaw::Header),
        (
            "the public key as a secret",
            signed_by_hs(&public_key, r#"{"alg":"HS256","kid":"ed"}"#, &plain),
            Flaw::Algorithm,
        ),
        (
            "the public key as a secret, no kid",
            signed_by_hs(&public_key, r#"{"alg":"HS256"}"#, &plain),
            Flaw::Signature,
        ),
        ("EdDSA under the secret's kid", ed(r#"{"alg":"EdDSA","kid":"hs"}"#), Flaw::Algorithm),
        ("HS512 under an HS256 key", hs(r#"{"alg":"HS512","kid":"hs"}"#), Flaw::Algorithm),
        ("RS256 under an HS256 key", hs(r#"{"alg":"RS256","kid":"hs"}"#), Flaw::Algorithm),
        ("an unknown kid", ed(r#"{"alg":"EdDSA","kid":"who"}"#), Flaw::UnknownKey),
        ("kid in other letters", ed(r#"{"alg":"EdDSA","kid":"ED"}"#), Flaw::UnknownKey),
        ("the empty kid", ed(r#"{"alg":"EdDSA","kid":""}"#), Flaw::UnknownKey),
        ("a path for a kid", ed(r#"{"alg":"EdDSA","kid":"../../dev/null"}"#), Flaw::UnknownKey),
        ("SQL for a kid", ed(r#"{"alg":"EdDSA","kid":"x' UNION SELECT 'ed"}"#), Flaw::UnknownKey),
        ("kid null", ed(r#"{"alg":"EdDSA","kid":null}"#), Flaw::Header),
        ("kid a number", ed(r#"{"alg":"EdDSA","kid":0}"#), Flaw::Header),
        ("crit", extra(r#""crit":["exp"]"#), Flaw::HeaderParameter),
        ("an empty crit", extra(r#""crit":[]"#), Flaw::HeaderParameter),
        ("crit with b64", extra(r#""crit":["b64"],"b64":false"#), Flaw::HeaderParameter),
        ("jku", extra(r#""jku":"https://evil.example/keys""#), Flaw::HeaderParameter),
        ("jku null", extra(r#""jku":null"#), Flaw::HeaderParameter),
        ("jwk", extra(r#""jwk":{"kty":"OKP"}"#), Flaw::HeaderParameter),
        ("x5u", extra(r#""x5u":"https://evil.example/cert""#), Flaw::HeaderParameter),
        ("x5c", extra(r#""x5c":["MII"]"#), Flaw::HeaderParameter),
        ("jku, escaped", extra(r#""\u006aku":"https://evil.example""#), Flaw::HeaderParameter),
        ("typ a number", extra(r#""typ":1"#), Flaw::Header),
        ("a list for a header", ed(r#"["EdDSA","ed"]"#), Flaw::Header),
        ("text for a header", ed(r#""EdDSA""#), Flaw::Header),
        ("two headers", ed(&format!("{ED_HEADER}{ED_HEADER}")), Flaw::Header),
        ("a byte order mark", ed(&format!("\u{feff}{ED_HEADER}")), Flaw::Header),
    ]);
}

/// The usual claims with one field set, or removed by null.
fn changed(name: &str, value: Value) -> String {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().expect("an object").remove(name)),
        value => claims[name] = value,
    }
    token(&claims)
}

#[test]
fn r_auth_2_claims_of_the_wrong_type_or_out_of_bounds_are_refused() {
    let text = |claims: &str| signed_by_ed(ED_HEADER, claims);
    let usual = claims().to_string();
    let inner = usual.trim_start_matches('{');
    check(vec![
        ("no exp", changed("exp", Value::Null), Flaw::Claim("exp")),
        ("exp null", text(r#"{"sub":"ann","exp":null}"#), Flaw::Claim("exp")),
        ("exp as text", changed("exp", json!("9999999999")), Flaw::Claim("exp")),
        ("exp true", changed("exp", json!(true)), Flaw::Claim("exp")),
        ("exp a list", changed("exp", json!([NOW_S + 60])), Flaw::Claim("exp")),
        ("exp below zero", changed("exp", json!(-1)), Flaw::Claim("exp")),
        ("exp beyond 2^53 ms", changed("exp", json!(9_007_199_254_741_u64)), Flaw::Claim("exp")),
        ("exp beyond every number", text(r#"{"sub":"ann","exp":1e999}"#), Flaw::Claim("exp")),
        ("exp NaN", text(r#"{"sub":"ann","exp":NaN}"#), Flaw::Claims),
        ("nbf as text", changed("nbf", json!("0")), Flaw::Claim("nbf")),
        ("iat as text", changed("iat", json!("0")), Flaw::Claim("iat")),
        ("no sub", changed("sub", Value::Null), Flaw::Claim("sub")),
        ("an empty sub", changed("sub", json!("")), Flaw::Claim("sub")),
        ("a sub of 129 bytes", changed("sub", json!("s".repeat(129))), Flaw::Claim("sub")),
        ("a sub that is a number", changed("sub", json!(7)), Flaw::Claim("sub")),
        ("a sub that is an object", changed("sub", json!({ "user": "ann" })), Flaw::Claim("sub")),
        ("rooms a list", changed("rooms", json!(["chat:a"])), Flaw::Claim("rooms")),
        ("rooms a text", changed("rooms", json!("*")), Flaw::Claim("rooms")),
        ("capabilities a text", changed("rooms", json!({ "chat:a": "*" })), Flaw::Claim("rooms")),
        ("an unknown capability", changed("rooms", json!({ "chat:a": ["fly"] })), Flaw::Claim("rooms")),
        (
            "a capability in other letters",
            changed("rooms", json!({ "chat:a": ["Join"] })),
            Flaw::Claim("rooms"),
        ),
        ("tenant a number", changed("tenant", json!(1)), Flaw::Claim("tenant")),
        ("a tenant with a slash", changed("tenant", json!("acme/chat:a")), Flaw::Claim("tenant")),
        ("an empty tenant", changed("tenant", json!("")), Flaw::Claim("tenant")),
        ("iss a list", changed("iss", json!(["a"])), Flaw::Claim("iss")),
        ("aud a number", changed("aud", json!(1)), Flaw::Claim("aud")),
        ("aud a list with a number", changed("aud", json!(["a", 1])), Flaw::Claim("aud")),
        ("jti a number", changed("jti", json!(1)), Flaw::Claim("jti")),
        ("a jti of 257 bytes", changed("jti", json!("j".repeat(257))), Flaw::Claim("jti")),
        ("sub twice", text(&format!(r#"{{"sub":"root",{inner}"#)), Flaw::Claims),
        ("exp twice", text(&format!(r#"{{"exp":9999999999,{inner}"#)), Flaw::Claims),
        ("sub twice, once escaped", text(&format!(r#"{{"su\u0062":"root",{inner}"#)), Flaw::Claims),
        (
            "a pattern twice",
            text(r#"{"sub":"ann","exp":9999999999,"rooms":{"chat:a":[],"chat:a":["*"]}}"#),
            Flaw::Claim("rooms"),
        ),
        ("claims in a list", text(&format!("[{usual}]")), Flaw::Claims),
        ("two claims", text(&format!("{usual}{usual}")), Flaw::Claims),
        ("no claims", text(""), Flaw::Claims),
        ("null for claims", text("null"), Flaw::Claims),
        ("deep rubbish", text(&format!("{}1", "[".repeat(4000))), Flaw::Claims),
    ]);
    let (not_utf8, header) = (base64url(b"{\"sub\":\"\xff\"}"), base64url(ED_HEADER));
    let signed = format!("{header}.{not_utf8}");
    let signature = ed25519_dalek::Signer::sign(&ed_key(), signed.as_bytes()).to_bytes();
    check(vec![("not UTF-8", format!("{signed}.{}", base64url(signature)), Flaw::Claims)]);
}

#[test]
fn r_auth_4_info_and_tags_are_bounded() {
    check(vec![
        ("info over 1 KiB", changed("info", json!("x".repeat(1023))), Flaw::Claim("info")),
        (
            "info over 64 deep",
            {
                let info = format!("{}{}", "[".repeat(65), "]".repeat(65));
                signed_by_ed(ED_HEADER, &format!(r#"{{"sub":"ann","exp":9999999999,"info":{info}}}"#))
            },
            Flaw::Claim("info"),
        ),
        ("nine tags", changed("tags", json!(vec!["t"; 9])), Flaw::Claim("tags")),
        ("a tag of 65 bytes", changed("tags", json!(["t".repeat(65)])), Flaw::Claim("tags")),
        ("an empty tag", changed("tags", json!([""])), Flaw::Claim("tags")),
        ("tags a text", changed("tags", json!("t")), Flaw::Claim("tags")),
        ("a tag that is a number", changed("tags", json!([1])), Flaw::Claim("tags")),
    ]);
    let exact = changed("info", json!("x".repeat(1022)));
    assert!(verify(&exact, &keys(), NOW_MS).is_ok());
    let exact = changed("tags", json!(vec!["t".repeat(64); 8]));
    assert!(verify(&exact, &keys(), NOW_MS).is_ok());
    let absent = signed_by_ed(ED_HEADER, r#"{"sub":"ann","exp":9999999999,"info":null}"#);
    assert!(verify(&absent, &keys(), NOW_MS).is_ok_and(|token| token.info.is_none()));
}

#[test]
fn r_auth_2_times_are_checked_with_a_leeway_of_30_s() {
    let at = |changes: Value| {
        verify(&token(&with(claims(), &changes)), &keys(), NOW_MS).map(|token| token.expires_at)
    };
    let early = Refusal::Unauthorized(Flaw::NotYetValid);
    assert_eq!(at(json!({ "exp": NOW_S - 30 })), Err(Refusal::TokenExpired));
    assert_eq!(at(json!({ "exp": NOW_S - 29 })), Ok(NOW_MS - 29_000));
    assert_eq!(at(json!({ "exp": 0 })), Err(Refusal::TokenExpired));
    assert_eq!(at(json!({ "exp": NOW_S as f64 + 0.5 })), Ok(NOW_MS + 500));
    assert_eq!(at(json!({ "nbf": NOW_S + 31 })), Err(early));
    assert!(at(json!({ "nbf": NOW_S + 30 })).is_ok());
    assert_eq!(at(json!({ "iat": NOW_S + 31 })), Err(early));
    assert!(at(json!({ "iat": NOW_S + 30 })).is_ok());
    assert_eq!(at(json!({ "exp": NOW_S - 100, "nbf": NOW_S + 100 })), Err(Refusal::TokenExpired));
    let expired = Refusal::TokenExpired;
    assert_eq!(
        (expired.http_status(), expired.code(), expired.close_code().code()),
        (401, "token_expired", 3010)
    );
}

#[test]
fn r_auth_2_issuer_and_audience_are_the_keys_where_it_names_them() {
    let key = with(ed_config(), &json!({ "iss": "https://a.example", "aud": "roomcast" }));
    let keys = keys_of(&json!([key]));
    let right = json!({ "iss": "https://a.example", "aud": "roomcast" });
    let flaw = |changes: Value| {
        let claims = with(with(claims(), &right), &changes);
        verify(&token(&claims), &keys, NOW_MS).err()
    };
    assert_eq!(flaw(json!({})), None);
    assert_eq!(flaw(json!({ "aud": ["x", "roomcast"] })), None);
    for iss in ["https://a.example/", "https://A.example", "https://b.example", ""] {
        assert_eq!(flaw(json!({ "iss": iss })), Some(Flaw::Issuer.into()), "{iss}");
    }
    for aud in [json!("x"), json!(["x"]), json!([]), json!(["roomcast "]), json!("")] {
        assert_eq!(flaw(json!({ "aud": aud })), Some(Flaw::Audience.into()), "{aud}");
    }
    assert_eq!(verify(&token(&claims()), &keys, NOW_MS).err(), Some(Flaw::Issuer.into()), "absent");
}

#[test]
fn r_auth_3_a_token_opens_what_its_patterns_name_and_nothing_else() {
    let opens = |rooms: Value, name: &str| {
        let token = verify(&changed("rooms", rooms), &keys(), NOW_MS).expect("a token");
        token.claims_for(&room(name)).map(|claims| claims.capabilities)
    };
    let forbidden = [
        (Value::Null, "chat:a"),
        (json!({}), "chat:a"),
        (json!({ "chat:a": [] }), "chat:a"),
        (json!({ "chat:b": ["*"] }), "chat:a"),
        (json!({ "chat:a": ["*"] }), "chat:A"),
        (json!({ "chat:a": ["*"] }), "chat:ab"),
        (json!({ "game:*": ["*"] }), "chat:a"),
        (json!({ "chat:*:x": ["*"] }), "chat:x"),
        (json!({ "chat*": ["*"] }), "chat:a"),
        (json!({ "chat:{sub}": ["*"] }), "chat:a"),
        (json!({ "ch\u{430}t:*": ["*"] }), "chat:a"),
        (json!({ "chat%3A*": ["*"] }), "chat:a"),
    ];
    for (rooms, name) in forbidden {
        let refusal = opens(rooms.clone(), name).expect_err("opens nothing");
        let shown = (refusal.http_status(), refusal.code(), refusal.close_code().code());
        assert_eq!(shown, (403, "forbidden", 3503), "{rooms} on {name}");
    }
    let union =
        json!({ "*": ["join"], "chat:*": ["history"], "chat:of-{sub}": ["publish"], "chat:x": ["call"] });
    let names = |capabilities: schemas::Capabilities| {
        capabilities.iter().map(schemas::Capability::as_str).collect::<Vec<_>>()
    };
    assert_eq!(opens(union.clone(), "chat:of-ann").map(names), Ok(vec!["join", "publish", "history"]));
    assert_eq!(opens(union.clone(), "chat:of-bob").map(names), Ok(vec!["join", "history"]));
    assert_eq!(opens(union, "game:a").map(names), Ok(vec!["join"]));
    assert_eq!(opens(json!({ "*": ["*"] }), "chat:a"), Ok(schemas::Capabilities::all()));
}

#[test]
fn r_addr_3_a_tenant_is_the_keys_or_else_the_claims_and_they_may_not_disagree() {
    let keys = keys_of(&json!([with(hs_config(), &json!({ "tenant": "acme" })), ed_config()]));
    let by_acme = |changes: Value| {
        let claims = with(claims(), &changes).to_string();
        verify(&signed_by_hs(HS_SECRET, HS_HEADER, &claims), &keys, NOW_MS)
            .map(|token| token.tenant.to_string())
    };
    let by_any = |changes: Value| {
        verify(&token(&with(claims(), &changes)), &keys, NOW_MS).map(|token| token.tenant.to_string())
    };
    assert_eq!(by_acme(json!({})), Ok("acme".into()));
    assert_eq!(by_acme(json!({ "tenant": "acme" })), Ok("acme".into()));
    assert_eq!(by_any(json!({})), Ok("default".into()));
    assert_eq!(by_any(json!({ "tenant": "other" })), Ok("other".into()));
    for tenant in ["other", "default"] {
        let refusal = by_acme(json!({ "tenant": tenant })).expect_err(tenant);
        assert_eq!((refusal.code(), refusal.close_code().code()), ("forbidden", 3503));
    }
}
