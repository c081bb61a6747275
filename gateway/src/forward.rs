//! The one call to a room's object.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use deployment::objects::{self, CallError, Object};
use schemas::{
    RoomName, Tenant,
    http::{CLAIMS_HEADER, CODEC_HEADER, REQUEST_ID_HEADER, RoomCall},
};
use worker::{Env, Response};

use crate::{access::Connection, failure::Failure};

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
    let name = connection.room.object_name(&connection.tenant);
    Ok(objects::get(env, room(&name), "/connect", &headers).await?)
}

/// Asks a room, and brings back its answer as it is.
pub(crate) async fn call(
    env: &Env,
    name: &RoomName,
    tenant: &Tenant,
    call: &RoomCall,
    request_id: &str,
) -> Result<Response, Failure> {
    let name = name.object_name(tenant);
    Ok(objects::ask(env, room(&name), "/call", call, request_id).await?)
}

/// Passes on what is to go wrong.
#[cfg(feature = "faults")]
pub(crate) async fn fault(env: &Env, name: &RoomName, body: &[u8]) -> Result<Response, Failure> {
    let name = name.object_name(&Tenant::default_tenant());
    Ok(objects::post(env, room(&name), "/fault", &[], body).await?)
}

fn room(name: &str) -> Object<'_> {
    Object { namespace: objects::ROOMS, name }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Failure {
        match error {
            CallError::TimedOut => Failure::TimedOut,
            other => Failure::Object(other),
        }
    }
}
