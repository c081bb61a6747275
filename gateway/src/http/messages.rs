//! `/v1/rooms/{room}/publish` and `/v1/rooms/{room}/messages`: publishing, reading, editing, removing.

use auth::Refusal;
use schemas::{
    Capability, Offset, Payload,
    config::KindConfig,
    http::{AmendCall, EditBody, FromBody, PublishBody, PublishCall, RoomCall, ScopedKey},
    ids, limits,
    payload::UncheckedPayload,
    server_message::Author,
};
use worker::Response;

use super::query::{self, Query};
use crate::{
    access::{Call, Caller},
    body,
    exchange::Exchange,
    failure::Failure,
};

/// What a publish's body may hold beside its payload.
pub(super) const BODY_SLACK_BYTES: usize = 16 * 1024;

/// The fields of a publish's body that are objects.
const OBJECTS: [&str; 2] = ["to", "from"];

/// The header that is a publish's `key`.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Types that only their own requests make.
const RESERVED_TYPES: [&str; 3] = ["edit", "remove", "react"];

pub(crate) async fn publish(exchange: &mut Exchange<'_>, room: &str) -> Result<Response, Failure> {
    let call = exchange.allow(room, Capability::Publish).await?;
    let header = exchange.header(IDEMPOTENCY_KEY);
    let body = exchange.body(payload_bytes_max(call.kind) + BODY_SLACK_BYTES).await?;
    let publish = publish_call(parse_publish(&body)?, header, &call)?;
    exchange.ask_as(&call, RoomCall::Publish(publish)).await
}

pub(crate) async fn list(exchange: &Exchange<'_>, room: &str) -> Result<Response, Failure> {
    let call = exchange.allow(room, Capability::History).await?;
    let messages = messages_call(&exchange.query(), &call.caller)?;
    exchange.ask_as(&call, messages).await
}

pub(crate) async fn edit(exchange: &mut Exchange<'_>, room: &str, offset: &str) -> Result<Response, Failure> {
    let call = exchange.allow_any(room, &[Capability::EditOwn, Capability::EditAny]).await?;
    let target = target(offset)?;
    let bytes_max = payload_bytes_max(call.kind);
    let body: EditBody = body::parse_object(&exchange.body(bytes_max + BODY_SLACK_BYTES).await?, &[])?;
    let data = payload("data", body.data, bytes_max)?;
    exchange.ask_as(&call, amend_call(target, Some(data), &call.caller)).await
}

pub(crate) async fn remove(exchange: &Exchange<'_>, room: &str, offset: &str) -> Result<Response, Failure> {
    let removes = [Capability::EditOwn, Capability::EditAny, Capability::Moderate];
    let call = exchange.allow_any(room, &removes).await?;
    exchange.ask_as(&call, amend_call(target(offset)?, None, &call.caller)).await
}

/// The last segment of a message's address.
fn target(segment: &str) -> Result<Offset, Failure> {
    query::offset(segment)
        .filter(|offset| *offset > Offset::ZERO)
        .ok_or_else(|| Failure::invalid("offset", "is a whole number from 1, below 2^53"))
}

fn amend_call(target: Offset, data: Option<Payload>, caller: &Caller) -> RoomCall {
    let (reader, author, capabilities) = (caller.reader(), caller.author(), caller.capabilities());
    RoomCall::Amend(AmendCall { target, data, reader, author, capabilities })
}

pub(super) fn payload_bytes_max(kind: &KindConfig) -> usize {
    kind.limits.payload_bytes as usize
}

pub(super) fn parse_publish(body: &[u8]) -> Result<PublishBody, Failure> {
    body::parse_object(body, &OBJECTS)
}

pub(super) fn publish_call(
    body: PublishBody,
    header: Option<String>,
    call: &Call<'_>,
) -> Result<PublishCall, Failure> {
    let data = payload("data", body.data, payload_bytes_max(call.kind))?;
    if let Some(kind) = &body.kind {
        check_type(kind)?;
    }
    check_tags(&body.tags, limits::TAGS_PUBLICATION_MAX)?;
    check_unreserved(&body.tags)?;
    if let Some(to) = &body.to {
        if to.len() > limits::TO_MAX {
            return Err(Failure::invalid("to", format!("names at most {}", limits::TO_MAX)));
        }
        if !to.connections.is_empty() && !body.ephemeral {
            return Err(Failure::invalid("to.connections", "is for ephemerals"));
        }
    }
    let key =
        key(body.key, header, body.ephemeral)?.map(|key| ScopedKey { scope: call.caller.key_scope(), key });
    let author = author(body.from, &call.caller)?;
    let PublishBody { kind, tags, to, ephemeral, .. } = body;
    Ok(PublishCall { data, kind, tags, to, ephemeral, author, key })
}

/// The body's `key`, or the header's.
fn key(field: Option<String>, header: Option<String>, ephemeral: bool) -> Result<Option<String>, Failure> {
    if let (Some(field), Some(header)) = (&field, &header)
        && field != header
    {
        return Err(Failure::invalid("key", "is not what the header Idempotency-Key says"));
    }
    let Some(key) = field.or(header) else { return Ok(None) };
    if ephemeral {
        return Err(Failure::invalid("key", "is for what is logged"));
    }
    if !(1..=limits::KEY_BYTES_MAX).contains(&key.len()) {
        return Err(Failure::invalid("key", format!("is 1 to {} bytes", limits::KEY_BYTES_MAX)));
    }
    Ok(Some(key))
}

pub(super) fn payload(
    path: &'static str,
    data: UncheckedPayload,
    bytes_max: usize,
) -> Result<Payload, Failure> {
    let data = data.check().map_err(|error| Failure::invalid(path, error.to_string()))?;
    if data.len() > bytes_max { Err(Failure::TooLarge { what: path, bytes_max }) } else { Ok(data) }
}

fn check_type(kind: &str) -> Result<(), Failure> {
    if !(1..=limits::TYPE_BYTES_MAX).contains(&kind.len()) {
        return Err(Failure::invalid("type", format!("is 1 to {} bytes", limits::TYPE_BYTES_MAX)));
    }
    if RESERVED_TYPES.contains(&kind) {
        return Err(Failure::invalid("type", format!("{kind} has a request of its own")));
    }
    Ok(())
}

pub(super) fn check_tags(tags: &[String], count_max: usize) -> Result<(), Failure> {
    if tags.len() > count_max {
        return Err(Failure::invalid("tags", format!("are at most {count_max}")));
    }
    match tags.iter().position(|tag| !ids::is_tag(tag)) {
        Some(index) => Err(Failure::invalid(
            format!("tags[{index}]"),
            format!("is 1 to {} bytes", limits::TAG_BYTES_MAX),
        )),
        None => Ok(()),
    }
}

pub(super) fn check_unreserved(tags: &[String]) -> Result<(), Failure> {
    match tags.iter().position(|tag| ids::is_reserved_tag(tag)) {
        Some(index) => {
            let message = "begins with $, which tokens and room logic alone give";
            Err(Failure::invalid(format!("tags[{index}]"), message))
        }
        None => Ok(()),
    }
}

/// A backend may publish in a user's name; a user publishes in its own, and may not say otherwise.
fn author(from: Option<FromBody>, caller: &Caller) -> Result<Option<Author>, Failure> {
    let Some(from) = from else { return Ok(caller.author()) };
    if let Caller::User { .. } = caller {
        return Err(Refusal::Forbidden("`from` is for API keys").into());
    }
    let info = from.info.map(|info| payload("from.info", info, limits::INFO_BYTES_MAX)).transpose()?;
    Ok(Some(Author { user: from.user, session: None, info }))
}

fn messages_call(query: &Query, caller: &Caller) -> Result<RoomCall, Failure> {
    let (before, after) = (query.offset("before")?, query.offset("after")?);
    if before.is_some() && after.is_some() {
        return Err(Failure::invalid("before", "excludes `after`"));
    }
    let is_raw = match query.one("raw")? {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Failure::invalid("raw", "is true or false")),
    };
    let limit = query.limit(limits::HISTORY_PAGE_DEFAULT, limits::HISTORY_PAGE_MAX)?;
    let tags = query.list("tags");
    check_tags(&tags, limits::TAGS_SUBSCRIBED_MAX)?;
    match caller {
        Caller::Service { .. } if is_raw => Ok(RoomCall::RawMessages { before, after, limit, tags }),
        Caller::User { .. } if is_raw => Err(Refusal::Forbidden("the raw log is for API keys").into()),
        _ => Ok(RoomCall::Messages { before, after, limit, tags, reader: caller.reader() }),
    }
}

#[cfg(test)]
mod tests;
