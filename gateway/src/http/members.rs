//! `GET /v1/rooms/{room}/members`.

use schemas::{Capability, http::RoomCall, limits};
use worker::{Date, Env, Request, Response};

use super::query::Query;
use crate::{
    access::{self, Presented},
    config::Settings,
    failure::Failure,
    forward,
};

/// A cursor is the room's to make; no longer than this in any version.
const CURSOR_BYTES_MAX: usize = 512;

pub(crate) async fn list(
    env: &Env,
    settings: &Settings,
    request: &Request,
    presented: &Presented,
    room: &str,
    request_id: &str,
) -> Result<Response, Failure> {
    let now_ms = Date::now().as_millis();
    let call = access::call(settings, room, presented, Capability::Presence, now_ms)?;
    let members = members_call(&Query::of(request))?;
    forward::call(env, &call.room, &call.tenant, &members, request_id).await
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
