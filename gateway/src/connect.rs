//! `GET /v1/rooms/{room}/connect`: from an upgrade to a room's connection, or to a close code that says why not.

use schemas::CloseCode;
use worker::{Response, WebSocketPair};

use crate::{exchange::Exchange, failure::Failure, forward, log};

pub(crate) async fn answer(exchange: &Exchange<'_>, room: &str) -> Result<Response, Failure> {
    if !is_upgrade(exchange) {
        return Err(Failure::UpgradeRequired);
    }
    let Exchange { presented, request_id, .. } = exchange;
    match exchange.allow_connection(room).await {
        Ok(connection) => forward::connect(exchange.env, &connection, request_id).await,
        Err(failure) => match presented.refusable_subprotocol() {
            Some(subprotocol) => {
                log::failed(request_id, "connect", &failure);
                refuse(failure.close_code(), subprotocol).map_err(Failure::platform("refuse the upgrade"))
            }
            None => Err(failure),
        },
    }
}

fn is_upgrade(exchange: &Exchange<'_>) -> bool {
    let upgrade = exchange.header("upgrade");
    upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"))
}

/// Accepts an upgrade to close it at once: a browser cannot read the HTTP status of a failed upgrade, but reads a
/// close code.
fn refuse(close: CloseCode, subprotocol: &str) -> worker::Result<Response> {
    let pair = WebSocketPair::new()?;
    pair.server.accept()?;
    pair.server.close(Some(close.code()), Some(close.reason()))?;
    let response = Response::from_websocket(pair.client)?;
    response.headers().set("sec-websocket-protocol", subprotocol)?;
    Ok(response)
}
