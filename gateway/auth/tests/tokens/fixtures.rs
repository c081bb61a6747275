//! Tokens and keys that others made: the RFCs' examples, and Node's crypto.

use auth::{Flaw, Keys, Refusal, SigningKey, verify};
use schemas::Capability;
use serde_json::json;

use crate::rfc7515;

/// RFC 8037, appendix A.1.
const RFC_8037_SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const RFC_8037_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
/// Appendix A.4. Its payload is "Example of Ed25519 signing", which is no claims.
const RFC_8037_JWS: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

/// RFC 7515, appendix A.1. Its claims have no `sub`.
const RFC_7515_SECRET: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const RFC_7515_JWS: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Appendix A.5.
const RFC_7515_UNSECURED: &str = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";

/// Made by Node 20's `crypto`, with claims of every sort.
const NODE_X: &str = "2DPp19krC-Y6icIt4x2ma9Xj_NIgWD1UcmTxouAGCxI";
const NODE_EDDSA: &str = "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6Im5vZGUifQ.eyJzdWIiOiLDvG7Dry1hbm4iLCJ0ZW5hbnQiOiJhY21lIiwicm9vbXMiOnsiY2hhdDoqIjpbImpvaW4iLCJwdWJsaXNoIl0sImNoYXQ6b2Yte3N1Yn0iOlsiKiJdfSwiaW5mbyI6eyJuYW1lIjoiQW5uIFwiQVwiIn0sInRhZ3MiOlsiJHZpcCIsImRlIl0sImlhdCI6MTgwMDAwMDAwMCwibmJmIjoxODAwMDAwMDAwLCJleHAiOjE4MDAwMDM2MDAsImp0aSI6ImotMSIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJyb29tY2FzdCJdfQ.hX9hHBcBlrVCFamFh_kdYvpUCQ5zI1U9W3lyyFywi0DJZrBtPFFkwnv2F3nRl4AelC_IyKBj7PN3iTq3ga4SCw";
const NODE_SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";
const NODE_HS256: &str = "eyJhbGciOiJIUzI1NiIsImtpZCI6Im5vZGUtaHMifQ.eyJzdWIiOiLDvG7Dry1hbm4iLCJ0ZW5hbnQiOiJhY21lIiwicm9vbXMiOnsiY2hhdDoqIjpbImpvaW4iLCJwdWJsaXNoIl0sImNoYXQ6b2Yte3N1Yn0iOlsiKiJdfSwiaW5mbyI6eyJuYW1lIjoiQW5uIFwiQVwiIn0sInRhZ3MiOlsiJHZpcCIsImRlIl0sImlhdCI6MTgwMDAwMDAwMCwibmJmIjoxODAwMDAwMDAwLCJleHAiOjE4MDAwMDM2MDAsImp0aSI6ImotMSIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOiJyb29tY2FzdCJ9.ere-Do-J9SUBRlHaK0BPgPpaRoARuGFNauWxKwNcFXA";

fn keys() -> Keys {
    let config = json!([
        { "kid": "rfc-8037", "alg": "EdDSA", "public_key": RFC_8037_X },
        { "kid": "rfc-7515", "alg": "HS256", "secret": RFC_7515_SECRET },
        { "kid": "rfc-7515-rsa", "jwk": rfc7515::rsa_jwk() },
        { "kid": "rfc-7515-ec", "jwk": rfc7515::p256_jwk() },
    ]);
    Keys::parse(&config.to_string()).expect("keys")
}

fn flaw(token: &str) -> Flaw {
    match verify(token, &keys(), 0) {
        Err(Refusal::Unauthorized(flaw)) => flaw,
        other => panic!("{other:?}"),
    }
}

/// The last character but one of the signature, so that every bit of the change counts.
fn tampered(token: &str) -> String {
    let at = token.len() - 2;
    let other = if token.as_bytes()[at] == b'A' { 'B' } else { 'A' };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

#[test]
fn r_auth_1_the_signatures_of_the_rfcs_verify_and_their_tampered_copies_do_not() {
    assert_eq!(flaw(RFC_8037_JWS), Flaw::Claims);
    assert_eq!(flaw(&tampered(RFC_8037_JWS)), Flaw::Signature);
    assert_eq!(flaw(RFC_7515_JWS), Flaw::Claim("sub"));
    assert_eq!(flaw(&tampered(RFC_7515_JWS)), Flaw::Signature);
    assert_eq!(flaw(RFC_7515_UNSECURED), Flaw::NoKey);
    for jws in [rfc7515::RS256_JWS, rfc7515::ES256_JWS] {
        assert_eq!(flaw(jws), Flaw::Claim("sub"));
        assert_eq!(flaw(&tampered(jws)), Flaw::Signature);
    }
}

#[test]
fn r_auth_1_the_signing_key_is_published_as_rfc_8037_and_named_as_rfc_7638_have_it() {
    let key = SigningKey::parse(RFC_8037_SEED).expect("a seed");
    assert_eq!(key.jwk()["x"], RFC_8037_X);
    assert_eq!(key.jwk()["kty"], "OKP");
    assert_eq!(key.jwk()["crv"], "Ed25519");
    assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "appendix A.3");
}

#[test]
fn r_auth_3_another_librarys_tokens_mean_what_they_say() {
    let issuer = json!("https://issuer.example");
    let config = json!([
        { "kid": "node", "alg": "EdDSA", "public_key": NODE_X, "iss": issuer, "aud": "roomcast", "tenant": "acme" },
        { "kid": "node-hs", "alg": "HS256", "secret": NODE_SECRET, "iss": issuer, "aud": "roomcast" },
    ]);
    let keys = Keys::parse(&config.to_string()).expect("keys");
    for text in [NODE_EDDSA, NODE_HS256] {
        let token = verify(text, &keys, 1_800_000_000_000).expect("a token");
        assert_eq!((token.user.as_str(), token.tenant.as_str()), ("\u{fc}n\u{ef}-ann", "acme"));
        assert_eq!((token.expires_at, token.issued_at), (1_800_003_600_000, Some(1_800_000_000_000)));
        assert_eq!(token.jti.as_ref().map(schemas::TokenId::as_str), Some("tGFBNCCecq--n7UU"), "of j-1");
        let claims = token.claims_for(&schemas::RoomName::parse("chat:a").expect("a room")).expect("claims");
        assert_eq!(claims.capabilities.iter().collect::<Vec<_>>(), [Capability::Join, Capability::Publish]);
        assert_eq!(claims.tags, ["$vip", "de"]);
        let info = schemas::Payload::from_json(r#"{"name":"Ann \"A\""}"#.into()).ok();
        assert_eq!(claims.info, info);
        assert_eq!(claims.expires_at, Some(1_800_003_600_000));
    }
}
