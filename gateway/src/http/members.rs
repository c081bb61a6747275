//! `GET /v1/rooms/{room}/members`.

use schemas::{Capability, http::RoomCall, limits};
use worker::Response;

use super::query::Query;
use crate::{exchange::Exchange, failure::Failure};

/// A cursor is the room's to make; no longer than this in any version.
const CURSOR_BYTES_MAX: usize = 512;

pub(crate) async fn list(exchange: &Exchange<'_>, room: &str) -> Result<Response, Failure> {
    let call = exchange.allow(room, Capability::Presence).await?;
    exchange.ask_as(&call, members_call(&exchange.query())?).await
}

fn members_call(query: &Query) -> Result<RoomCall, Failure> {
    let cursor = query.one("cursor")?.map(ToOwned::to_owned);
    if cursor.as_ref().is_some_and(|cursor| cursor.len() > CURSOR_BYTES_MAX) {
        return Err(Failure::invalid("cursor", "is what an answer's `next` gave"));
    }
    Ok(RoomCall::Members {
        cursor,
        limit: query.limit(limits::MEMBERS_PAGE_DEFAULT, limits::MEMBERS_PAGE_MAX)?,
    })
}
