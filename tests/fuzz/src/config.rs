//! What an operator wrote.

use auth::{ApiKeys, Fetch, JWKS_BYTES_MAX, Keys, Refusal, SigningKey, verify};
use schemas::config::{Config, parse_duration};

/// Any text as the configuration and as the secrets beside it.
pub fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(config) = Config::parse(&text) {
        assert!(!config.kinds.is_empty(), "a configuration declares a kind");
        check_json(&text);
    }
    if Keys::parse(&text).is_ok() {
        check_json(&text);
    }
    if ApiKeys::parse(&text).is_ok() {
        check_json(&text);
    }
    drop(SigningKey::parse(&text));
    fetched(bytes);
    let _ = parse_duration(&text);
}

/// It was parsed whole: nothing stands behind it.
fn check_json(text: &str) {
    serde_json::from_str::<serde::de::IgnoredAny>(text).expect("what is accepted is one JSON value");
}

/// A token, not signed, that says it is from the issuer.
const OF_ISSUER: &str =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJpIiwic3ViIjoiYW5uIiwiZXhwIjo5OTk5OTk5OTk5fQ.AAAA";

/// Any bytes as the set that an issuer publishes: nobody gets in by it without a signature.
fn fetched(bytes: &[u8]) {
    let mut keys = Keys::parse(r#"[{"jwks_url":"https://a.example/","iss":"i"}]"#).expect("an issuer");
    let Err(Refusal::Unready(wanted)) = verify(OF_ISSUER, &keys, 0) else { panic!("there is no set yet") };
    assert_eq!(keys.fetch(wanted, 0), Fetch::Get { url: "https://a.example/".into(), private: false });
    if keys.fetched(wanted, bytes, 0).is_ok() {
        assert!(bytes.len() <= JWKS_BYTES_MAX, "a set has a bound");
    }
    assert!(verify(OF_ISSUER, &keys, 0).is_err(), "nothing signed it");
}
