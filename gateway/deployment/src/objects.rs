//! Calls to objects.
//!
//! What goes there is a request of our own making: nothing of any caller's headers, so that no header from outside
//! ever looks like a word of the gateway's.

use std::{future::Future, pin::pin, time::Duration};

use futures_util::future::{Either, select};
use js_sys::Uint8Array;
use schemas::{http::REQUEST_ID_HEADER, limits::REQUEST_TIMEOUT_MS};
use serde::{Serialize, de::DeserializeOwned};
use worker::{Delay, Env, Headers, Method, Request, RequestInit, Response};

/// The namespaces' bindings.
pub const ROOMS: &str = "ROOMS";
pub const DIRECTORY: &str = "DIRECTORY";
pub const LIMITER: &str = "LIMITER";

/// Why an object's answer did not come.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Whether it did what was asked is unknown.
    #[error("the object did not answer in time")]
    TimedOut,
    #[error("the object could not be reached")]
    Platform(#[from] worker::Error),
    #[error("the call could not be written")]
    Encoding(#[from] rmp_serde::encode::Error),
    #[error("the answer could not be read")]
    Decoding(#[from] rmp_serde::decode::Error),
    #[error("the object answered {0}")]
    Status(u16),
}

/// An object by the namespace's binding and its own name.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
}

/// Sends a request without a body and brings back the answer as it is.
///
/// # Errors
/// When the object cannot be reached, or does not answer within 10 s.
pub async fn get(
    env: &Env,
    object: Object<'_>,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<Response, CallError> {
    send(env, object, request(path, Method::Get, headers, None)?).await
}

/// Posts bytes and brings back the answer as it is.
///
/// # Errors
/// As [`get`].
pub async fn post(
    env: &Env,
    object: Object<'_>,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Response, CallError> {
    send(env, object, request(path, Method::Post, headers, Some(body))?).await
}

/// Posts a value in MessagePack and brings back the answer as it is.
///
/// # Errors
/// As [`get`].
pub async fn ask<T: Serialize>(
    env: &Env,
    object: Object<'_>,
    path: &str,
    value: &T,
    request_id: &str,
) -> Result<Response, CallError> {
    let body = rmp_serde::to_vec_named(value)?;
    let headers = [("content-type", "application/msgpack"), (REQUEST_ID_HEADER, request_id)];
    post(env, object, path, &headers, &body).await
}

/// As [`ask`], for an answer in MessagePack.
///
/// # Errors
/// As [`get`]; and when the answer is not 200 or cannot be read.
pub async fn ask_for<T: Serialize, A: DeserializeOwned>(
    env: &Env,
    object: Object<'_>,
    path: &str,
    value: &T,
    request_id: &str,
) -> Result<A, CallError> {
    let mut response = ask(env, object, path, value, request_id).await?;
    if response.status_code() != 200 {
        return Err(CallError::Status(response.status_code()));
    }
    Ok(rmp_serde::from_slice(&response.bytes().await?)?)
}

fn request(
    path: &str,
    method: Method,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
) -> worker::Result<Request> {
    let fresh = Headers::new();
    for (name, value) in headers {
        fresh.set(name, value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(method).with_headers(fresh).with_body(body.map(|body| Uint8Array::from(body).into()));
    Request::new_with_init(&format!("https://object{path}"), &init)
}

/// A panic in an object's fetch can leave its caller without an answer, so there is an end to waiting.
async fn send(env: &Env, object: Object<'_>, request: Request) -> Result<Response, CallError> {
    #[cfg(feature = "faults")]
    if crate::faults::is_lost(object.namespace) {
        return Err(CallError::TimedOut);
    }
    let stub = env.durable_object(object.namespace)?.get_by_name(object.name)?;
    let answer = within(REQUEST_TIMEOUT_MS, stub.fetch_with_request(request)).await;
    Ok(answer.ok_or(CallError::TimedOut)??)
}

/// What the work comes to, unless it takes longer: in milliseconds.
pub async fn within<T>(limit_ms: u64, work: impl Future<Output = T>) -> Option<T> {
    let deadline = Delay::from(Duration::from_millis(limit_ms));
    match select(pin!(work), pin!(deadline)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(((), _)) => None,
    }
}
