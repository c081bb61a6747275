//! One try: sign, post, and say what came of it.

use auth::SigningKey;
use js_sys::{Array, JsString, Reflect};
use schemas::webhook::ANSWER_WITHIN_MS;
use wasm_bindgen::prelude::*;
use worker::Env;

use super::{Endpoint, signatures};
use crate::clock;

/// Where endpoints with `allow_private` are reached from, where it is bound: a network that knows private addresses.
const PRIVATE_NETWORK: &str = "PRIVATE_NETWORK";

#[wasm_bindgen(inline_js = r#"
export async function postOnce(network, url, headers, body, withinMs) {
  const signal = AbortSignal.timeout(withinMs);
  const init = { method: "POST", headers: Object.fromEntries(headers), body, redirect: "manual", signal };
  const answer = await (network ? network.fetch(url, init) : fetch(url, init));
  // What it says is of no interest, and unread it would hold the connection.
  if (answer.body) answer.body.cancel().catch(() => {});
  return [answer.status, answer.headers.get("retry-after")];
}
"#)]
extern "C" {
    #[wasm_bindgen(catch, js_name = postOnce)]
    async fn post_once(
        network: &JsValue,
        url: &str,
        headers: &Array,
        body: &str,
        within_ms: f64,
    ) -> Result<JsValue, JsValue>;
}

/// What a receiver answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answer {
    /// `None` where there was no answer within 10 s, or no connection.
    pub status: Option<u16>,
    /// Its `Retry-After`, in milliseconds from now.
    pub retry_after_ms: Option<u64>,
}

/// Posts `body` under the name `id`, signed as of now. Redirects are not followed.
pub async fn post(env: &Env, key: &SigningKey, endpoint: &Endpoint, id: &str, body: &str) -> Answer {
    let timestamp = clock::now() / 1_000;
    let secret = endpoint.secret.as_ref().map(super::Secret::bytes);
    let signature = signatures(key, secret, id, timestamp, body);
    let timestamp = timestamp.to_string();
    let pairs = [
        ("content-type", "application/json"),
        ("user-agent", concat!("roomcast/", env!("CARGO_PKG_VERSION"))),
        ("webhook-id", id),
        ("webhook-timestamp", &timestamp),
        ("webhook-signature", &signature),
    ];
    let headers: Array = pairs.iter().map(|(name, value)| pair(name, value)).collect();
    let network = match endpoint.allow_private {
        true => Reflect::get(env, &JsValue::from_str(PRIVATE_NETWORK)).unwrap_or(JsValue::UNDEFINED),
        false => JsValue::UNDEFINED,
    };
    match post_once(&network, &endpoint.url, &headers, body, ANSWER_WITHIN_MS as f64).await {
        Ok(answer) => read(&answer.into()),
        Err(_) => Answer::default(),
    }
}

fn pair(name: &str, value: &str) -> Array {
    Array::of2(&JsString::from(name), &JsString::from(value))
}

fn read(answer: &Array) -> Answer {
    let status = answer.get(0).as_f64().map(|status| status as u16);
    let retry_after = answer.get(1).as_string();
    Answer { status, retry_after_ms: retry_after.and_then(|text| retry_after_ms(&text, clock::now())) }
}

/// Seconds, or a date.
fn retry_after_ms(text: &str, now: u64) -> Option<u64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(u64::from(seconds) * 1_000);
    }
    let at = js_sys::Date::parse(text);
    at.is_finite().then(|| (at as u64).saturating_sub(now))
}
