//! What an operator wrote.

use auth::{ApiKeys, Keys, SigningKey};
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
    let _ = parse_duration(&text);
}

/// It was parsed whole: nothing stands behind it.
fn check_json(text: &str) {
    serde_json::from_str::<serde::de::IgnoredAny>(text).expect("what is accepted is one JSON value");
}
