//! `POST /v1/rooms/{room}/publish` and `GET /v1/rooms/{room}/messages`.

use auth::Refusal;
use schemas::{
    Capability, Payload,
    config::KindConfig,
    http::{FromBody, PublishBody, PublishCall, RoomCall, ScopedKey},
    ids, limits,
    payload::UncheckedPayload,
    server_message::Author,
};
use worker::Response;

use super::query::Query;
use crate::{
    access::{Call, Caller},
    body,
    exchange::Exchange,
    failure::Failure,
};

/// What a publish's body may hold beside its payload.
const BODY_SLACK_BYTES: usize = 16 * 1024;

/// The fields of a publish's body that are objects.
const OBJECTS: [&str; 2] = ["to", "from"];

/// The header that is a publish's `key`.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Types that only their own requests make.
const RESERVED_TYPES: [&str; 3] = ["edit", "remove", "react"];

pub(crate) async fn publish(exchange: &mut Exchange<'_>, room: &str) -> Result<Response, Failure> {
    let call = exchange.allow(room, Capability::Publish).await?;
    let header = exchange.header(IDEMPOTENCY_KEY);
    let bytes_max = payload_bytes_max(call.kind) + BODY_SLACK_BYTES;
    let body = body::parse_object(&exchange.body(bytes_max).await?, &OBJECTS)?;
    let publish = RoomCall::Publish(publish_call(body, header, &call)?);
    exchange.ask(&call.room, &call.tenant, &publish).await
}

pub(crate) async fn list(exchange: &Exchange<'_>, room: &str) -> Result<Response, Failure> {
    let call = exchange.allow(room, Capability::History).await?;
    let messages = messages_call(&exchange.query(), &call.caller)?;
    exchange.ask(&call.room, &call.tenant, &messages).await
}

fn payload_bytes_max(kind: &KindConfig) -> usize {
    kind.limits.payload_bytes as usize
}

fn publish_call(body: PublishBody, header: Option<String>, call: &Call<'_>) -> Result<PublishCall, Failure> {
    let data = payload("data", body.data, payload_bytes_max(call.kind))?;
    if let Some(kind) = &body.kind {
        check_type(kind)?;
    }
    check_tags(&body.tags, limits::TAGS_PUBLICATION_MAX)?;
    if let Some((index, _)) = body.tags.iter().enumerate().find(|(_, tag)| ids::is_reserved_tag(tag)) {
        let message = "begins with $, which tokens and room logic alone give";
        return Err(Failure::invalid(format!("tags[{index}]"), message));
    }
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

fn payload(path: &'static str, data: UncheckedPayload, bytes_max: usize) -> Result<Payload, Failure> {
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

fn check_tags(tags: &[String], count_max: usize) -> Result<(), Failure> {
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
    if query.one("raw")?.is_some_and(|raw| raw != "false") {
        return Err(Failure::Unsupported("the raw log is not served yet"));
    }
    let limit = query.limit(limits::HISTORY_PAGE_DEFAULT, limits::HISTORY_PAGE_MAX)?;
    let tags: Vec<String> = query
        .all("tags")
        .flat_map(|tags| tags.split(','))
        .filter(|tag| !tag.is_empty())
        .map(ToOwned::to_owned)
        .collect();
    check_tags(&tags, limits::TAGS_SUBSCRIBED_MAX)?;
    Ok(RoomCall::Messages { before, after, limit, tags, reader: caller.reader() })
}

#[cfg(test)]
mod tests;
