//! Answers: problems as RFC 9457 has them, and what every answer carries.

use schemas::{
    config::Config,
    http::{INTERNAL_HEADER_PREFIX, Problem, REQUEST_ID_HEADER},
};
use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{Headers, Response};

use crate::{access::origin_allowed, failure::Failure, route::Route};

const REQUEST_ID_BYTES_MAX: usize = 64;

/// What a page may send beside what every page may, and read of an answer.
const ALLOWED_HEADERS: &str = "authorization, content-type, idempotency-key, last-event-id, x-request-id";
const EXPOSED_HEADERS: &str = "x-request-id, retry-after, allow, www-authenticate";

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = randomUUID)]
    fn random_uuid() -> String;
}

/// The id of a request: the caller's, where it is fit for a log line, or a new one.
pub(crate) fn request_id(headers: &Headers) -> String {
    let fit = |id: &String| {
        let byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(byte)
    };
    headers.get(REQUEST_ID_HEADER).ok().flatten().filter(fit).unwrap_or_else(random_uuid)
}

/// The value of `Access-Control-Allow-Origin`, where the browser's page may read the answer.
pub(crate) fn allowed_origin(config: Option<&Config>, origin: Option<&str>) -> Option<String> {
    let any = || Some("*".to_owned());
    match config {
        None => any(),
        Some(config) if config.allowed_origins.is_empty() => any(),
        Some(config) => origin.filter(|origin| origin_allowed(config, origin)).map(ToOwned::to_owned),
    }
}

pub(crate) fn json<T: Serialize>(value: &T) -> Result<Response, Failure> {
    Response::from_json(value).map_err(Failure::platform("write the answer"))
}

pub(crate) fn problem(failure: &Failure) -> worker::Result<Response> {
    let response = with_problem(&failure.problem())?;
    let headers = response.headers();
    match failure {
        Failure::MethodNotAllowed { allow } => headers.set("allow", allow)?,
        Failure::RateLimited { retry_after_ms } => {
            headers.set("retry-after", &retry_after_ms.div_ceil(1_000).max(1).to_string())?;
        }
        Failure::UpgradeRequired => headers.set("upgrade", "websocket")?,
        Failure::Refused(refusal) if refusal.http_status() == 401 => {
            headers.set("www-authenticate", "Bearer")?
        }
        _ => {}
    }
    Ok(response)
}

pub(crate) fn with_problem(problem: &Problem) -> worker::Result<Response> {
    let response = Response::from_json(problem)?.with_status(problem.status);
    let headers = response.headers();
    headers.set("content-type", "application/problem+json")?;
    if let Some(seconds) = problem.retry_after_seconds() {
        headers.set("retry-after", &seconds.to_string())?;
    }
    Ok(response)
}

/// The answer to a browser that asks what it may.
pub(crate) fn preflight(route: &Route) -> worker::Result<Response> {
    let response = Response::empty()?.with_status(204);
    let headers = response.headers();
    headers.set("allow", route.allow())?;
    headers.set("access-control-allow-methods", route.allow())?;
    headers.set("access-control-allow-headers", ALLOWED_HEADERS)?;
    headers.set("access-control-max-age", "600")?;
    Ok(response)
}

/// Adds what every answer carries. The headers are copied, since those of another's answer cannot be changed; a
/// WebSocket stays with its answer.
pub(crate) fn finish(response: Response, request_id: &str, origin: Option<&str>) -> worker::Result<Response> {
    let headers = response.headers().clone();
    let internal: Vec<String> =
        headers.keys().filter(|name| name.starts_with(INTERNAL_HEADER_PREFIX)).collect();
    for name in internal {
        headers.delete(&name)?;
    }
    headers.set(REQUEST_ID_HEADER, request_id)?;
    if !headers.has("cache-control")? {
        headers.set("cache-control", "no-store")?;
    }
    headers.append("vary", "Origin")?;
    if let Some(origin) = origin {
        headers.set("access-control-allow-origin", origin)?;
        headers.set("access-control-expose-headers", EXPOSED_HEADERS)?;
    }
    Ok(response.with_headers(headers))
}
