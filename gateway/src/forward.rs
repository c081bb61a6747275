//! The one call to the room's object.
//!
//! What goes there is a request of our own making: nothing of the caller's headers, so that no header from outside
//! ever looks like a word of the gateway's.

use std::{future::Future, pin::pin, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::{Either, select};
use js_sys::Uint8Array;
use schemas::{
    RoomName, Tenant,
    http::{CLAIMS_HEADER, CODEC_HEADER, REQUEST_ID_HEADER, RoomCall},
    limits::REQUEST_TIMEOUT_MS,
};
use worker::{Delay, Env, Headers, Method, Request, RequestInit, Response, Stub};

use crate::{access::Connection, failure::Failure};

const NAMESPACE: &str = "ROOMS";

/// Hands an upgrade to its room, and brings back the room's answer with its WebSocket.
pub(crate) async fn connect(
    env: &Env,
    connection: &Connection,
    request_id: &str,
) -> Result<Response, Failure> {
    let claims = serde_json::to_vec(&connection.claims)
        .map_err(|error| Failure::Platform { doing: "write the claims", source: error.into() })?;
    let headers = [
        ("upgrade", "websocket"),
        (CLAIMS_HEADER, &URL_SAFE_NO_PAD.encode(claims)),
        (CODEC_HEADER, connection.codec.subprotocol()),
        (REQUEST_ID_HEADER, request_id),
    ];
    let request = request("https://room/connect", Method::Get, &headers, None)
        .map_err(Failure::platform("write the request to the room"))?;
    fetch(&stub(env, &connection.room, &connection.tenant)?, request).await
}

/// Asks a room, and brings back its answer as it is.
pub(crate) async fn call(
    env: &Env,
    room: &RoomName,
    tenant: &Tenant,
    call: &RoomCall,
    request_id: &str,
) -> Result<Response, Failure> {
    let body = rmp_serde::to_vec_named(call).map_err(Failure::Encoding)?;
    let headers = [("content-type", "application/msgpack"), (REQUEST_ID_HEADER, request_id)];
    let request = request("https://room/call", Method::Post, &headers, Some(&body))
        .map_err(Failure::platform("write the request to the room"))?;
    fetch(&stub(env, room, tenant)?, request).await
}

/// Passes on what is to go wrong.
#[cfg(feature = "faults")]
pub(crate) async fn fault(env: &Env, room: &RoomName, body: &[u8]) -> Result<Response, Failure> {
    let request = request("https://room/fault", Method::Post, &[], Some(body))
        .map_err(Failure::platform("write the request to the room"))?;
    fetch(&stub(env, room, &Tenant::default_tenant())?, request).await
}

fn stub(env: &Env, room: &RoomName, tenant: &Tenant) -> Result<Stub, Failure> {
    env.durable_object(NAMESPACE)
        .and_then(|rooms| rooms.get_by_name(&room.object_name(tenant)))
        .map_err(Failure::platform("find the room's object"))
}

fn request(
    url: &str,
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
    Request::new_with_init(url, &init)
}

/// A panic in an object's fetch can leave its caller without an answer, so there is an end to waiting.
async fn fetch(stub: &Stub, request: Request) -> Result<Response, Failure> {
    within(REQUEST_TIMEOUT_MS, stub.fetch_with_request(request))
        .await
        .ok_or(Failure::TimedOut)?
        .map_err(Failure::platform("reach the room"))
}

async fn within<T>(limit_ms: u64, work: impl Future<Output = T>) -> Option<T> {
    let deadline = Delay::from(Duration::from_millis(limit_ms));
    match select(pin!(work), pin!(deadline)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(((), _)) => None,
    }
}
