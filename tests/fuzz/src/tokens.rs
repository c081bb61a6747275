//! What comes with an upgrade or a call, before anything is believed.

use std::sync::LazyLock;

use auth::{ApiKeys, Keys, Refusal, SigningKey, mint, verify};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use schemas::{RoomName, Tenant, http::TokenBody, limits};
use sha2::Sha256;

const NOW_S: u64 = 1_800_000_000;
const NOW_MS: u64 = NOW_S * 1000;
const SECRET: &[u8; 32] = b"a secret of thirty-two bytes ...";
const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const PUBLIC_KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const HEADER: &str = r#"{"alg":"HS256","kid":"hs"}"#;
const CLAIMS: &str = r#"{"sub":"ann","rooms":{"chat:a":["join"]},"exp":1800000060}"#;
const API_KEYS: &str =
    r#"[{"id":"ci","sha256":"0000000000000000000000000000000000000000000000000000000000000000"}]"#;

struct Trusted {
    keys: Keys,
    own: SigningKey,
    api_keys: ApiKeys,
    hs256: Hmac<Sha256>,
}

static TRUSTED: LazyLock<Trusted> = LazyLock::new(|| {
    let secret = URL_SAFE_NO_PAD.encode(SECRET);
    let config = format!(
        r#"[{{"kid":"hs","alg":"HS256","secret":"{secret}"}},{{"kid":"ed","alg":"EdDSA","public_key":"{PUBLIC_KEY}"}}]"#
    );
    let own = SigningKey::parse(&URL_SAFE_NO_PAD.encode([7; 32])).expect("a seed");
    let mut keys = Keys::parse(&config).expect("keys");
    keys.trust(&own).expect("another key");
    assert!(SigningKey::parse(SEED).is_ok(), "the seed of RFC 8037");
    let api_keys = ApiKeys::parse(API_KEYS).expect("API keys");
    Trusted { keys, own, api_keys, hs256: Hmac::new_from_slice(SECRET).expect("a secret") }
});

/// Any text as a token, as an API key, and as what a trusted key has signed: a token's claims, and its header. What
/// is minted from it verifies.
pub fn tokens(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    check(&text);
    let api_key = TRUSTED.api_keys.authorize(&text, NOW_MS).map(|key| key.id.clone());
    assert!(api_key.is_err(), "nobody guesses a key");
    check(&signed(HEADER.as_bytes(), bytes));
    check(&signed(bytes, CLAIMS.as_bytes()));
    check_minted(&text);
}

fn signed(header: &[u8], claims: &[u8]) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let tag = TRUSTED.hs256.clone().chain_update(&signed).finalize().into_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn check(text: &str) {
    let token = match verify(text, &TRUSTED.keys, NOW_MS) {
        Ok(token) => token,
        Err(refusal) => return check_refusal(refusal, text),
    };
    assert!(text.len() <= limits::TOKEN_BYTES_MAX, "a token has a bound");
    assert!(token.expires_at + limits::TOKEN_LEEWAY_MS > NOW_MS, "a token has not expired");
    assert!(token.tags.len() <= limits::TAGS_TOKEN_MAX, "a token has few tags");
    assert!(token.info.as_ref().is_none_or(|info| info.len() <= limits::INFO_BYTES_MAX), "info is small");
    for room in ["chat:a", "dm:ann"] {
        let room = RoomName::parse(room).expect("a room's name");
        match token.claims_for(&room) {
            Ok(claims) => assert!(!claims.capabilities.is_empty(), "claims allow something"),
            Err(refusal) => check_refusal(refusal, text),
        }
    }
}

fn check_refusal(refusal: Refusal, text: &str) {
    assert!((400..500).contains(&refusal.http_status()), "it is the caller's mistake");
    // Words shorter than any signature may well stand in a sentence.
    assert!(text.len() < 43 || !refusal.to_string().contains(text), "a refusal quotes no token");
}

fn check_minted(text: &str) {
    let Ok(body) = serde_json::from_str::<TokenBody>(text) else { return };
    let Ok(minted) = mint(&TRUSTED.own, &Tenant::default_tenant(), &body, NOW_MS) else { return };
    let token = verify(&minted.token, &TRUSTED.keys, NOW_MS).expect("what is minted verifies");
    assert_eq!(token.user, body.sub);
    assert_eq!(token.expires_at, minted.expires_at);
}
