//! The wire's messages in MessagePack: what a client writes, what it reads. The types are those of `schemas`, and
//! so is the truth: the tests hold the two codecs side by side.

use schemas::{
    ClientMessage, ConnectionId, Epoch, ErrorCode, Offset, Payload, PublicSession, RoomName, ServerMessage,
    UserId,
    client_message::{Hello, Publish, To},
    payload::UncheckedPayload,
    server_message::{
        Author, Detail, Ephemeral, HistoryPage, LeaveReason, Left, Member, MembersPage, NoticeCode,
        Occupancy, PresenceDiff, Publication, Published, RecoveryFailure, Reply, RequestError, RequestResult,
        Tags, Welcome, WelcomeLimits,
    },
};

use crate::msgpack::{Map, MapWriter, Reader, Unreadable, Value};

/// The messages of a server's frame. One whose `t` this version does not know is skipped.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<ServerMessage>, Unreadable> {
    let mut reader = Reader(bytes);
    let mut messages = Vec::new();
    while !reader.0.is_empty() {
        let value = reader.value()?;
        messages.extend(message(value.as_map().ok_or(Unreadable)?)?);
    }
    Ok(messages)
}

fn message(map: &Map<'_>) -> Result<Option<ServerMessage>, Unreadable> {
    let message = match map.text("t").ok_or(Unreadable)? {
        "welcome" => welcome(map).map(|welcome| ServerMessage::Welcome(Box::new(welcome))),
        "publication" => publication(map).map(ServerMessage::Publication),
        "ephemeral" => ephemeral(map).map(ServerMessage::Ephemeral),
        "position" => offset(map, "offset").map(|offset| ServerMessage::Position { offset }),
        "presence" => presence(map).map(ServerMessage::Presence),
        "occupancy" => occupancy(map).map(ServerMessage::Occupancy),
        "reply" => reply(map).map(ServerMessage::Reply),
        "error" => error(map).map(ServerMessage::Error),
        "expiring" => map.number("expires_at").map(|expires_at| ServerMessage::Expiring { expires_at }),
        "notice" => {
            let code = match map.text("code") {
                Some("restarted") => NoticeCode::Restarted,
                Some("ephemerals_dropped") => NoticeCode::EphemeralsDropped,
                _ => return Ok(None),
            };
            let message = map.text("message").unwrap_or_default().into();
            Some(ServerMessage::Notice { code, message })
        }
        _ => return Ok(None),
    };
    message.map(Some).ok_or(Unreadable)
}

fn welcome(map: &Map<'_>) -> Option<Welcome> {
    let limits = map.map("limits")?;
    Some(Welcome {
        connection: ConnectionId::parse(map.text("connection")?)?,
        session: PublicSession::parse(map.text("session")?)?,
        user: UserId::parse(map.text("user")?)?,
        room: RoomName::parse(map.text("room")?)?,
        kind: map.text("kind")?.into(),
        epoch: Epoch::parse(map.text("epoch")?)?,
        offset: offset(map, "offset")?,
        recovered: map.truth("recovered")?,
        reason: map.text("reason").and_then(recovery_failure),
        publications: all(map.list("publications").unwrap_or_default(), publication)?,
        members: match map.list("members") {
            Some(members) => Some(all(members, member)?),
            None => None,
        },
        members_next: map.text("members_next").map(String::from),
        occupancy: occupancy(map.map("occupancy")?)?,
        tags: texts(map, "tags"),
        limits: WelcomeLimits {
            payload_bytes: limits.small("payload_bytes")?,
            presence_bytes: limits.small("presence_bytes")?,
            tags: limits.small("tags")?,
            frame_bytes: limits.small("frame_bytes")?,
        },
        server_time: map.number("server_time")?,
        expires_at: map.number("expires_at"),
    })
}

fn publication(map: &Map<'_>) -> Option<Publication> {
    Some(Publication {
        offset: offset(map, "offset")?,
        time: map.number("time")?,
        from: author(map)?,
        kind: map.text("type")?.into(),
        data: payload(map, "data")??,
        tags: texts(map, "tags"),
    })
}

fn ephemeral(map: &Map<'_>) -> Option<Ephemeral> {
    Some(Ephemeral {
        time: map.number("time")?,
        from: author(map)?,
        kind: map.text("type")?.into(),
        data: payload(map, "data")??,
        tags: texts(map, "tags"),
    })
}

fn author(map: &Map<'_>) -> Option<Option<Author>> {
    let Some(from) = map.map("from") else { return Some(None) };
    Some(Some(Author {
        user: UserId::parse(from.text("user")?)?,
        session: from.text("session").and_then(PublicSession::parse),
        info: payload(from, "info")?,
    }))
}

fn presence(map: &Map<'_>) -> Option<PresenceDiff> {
    Some(PresenceDiff {
        joined: all(map.list("joined").unwrap_or_default(), member)?,
        left: all(map.list("left").unwrap_or_default(), left)?,
        updated: all(map.list("updated").unwrap_or_default(), member)?,
    })
}

fn member(map: &Map<'_>) -> Option<Member> {
    Some(Member {
        session: PublicSession::parse(map.text("session")?)?,
        user: UserId::parse(map.text("user")?)?,
        info: payload(map, "info")?,
        data: payload(map, "data")?,
        since: map.number("since")?,
    })
}

fn left(map: &Map<'_>) -> Option<Left> {
    Some(Left {
        session: PublicSession::parse(map.text("session")?)?,
        user: UserId::parse(map.text("user")?)?,
        // A reason of a later version is a way of being gone all the same.
        reason: if map.text("reason")? == "left" { LeaveReason::Left } else { LeaveReason::Lost },
    })
}

fn occupancy(map: &Map<'_>) -> Option<Occupancy> {
    Some(Occupancy { members: map.small("members")?, users: map.small("users")? })
}

fn reply(map: &Map<'_>) -> Option<Reply> {
    Some(Reply { id: map.small("id")?, result: result(map.map("result")?)? })
}

fn result(map: &Map<'_>) -> Option<RequestResult> {
    let epoch = map.text("epoch").and_then(Epoch::parse);
    if let (Some(epoch), Some(messages)) = (epoch, map.list("messages")) {
        let messages = all(messages, publication)?;
        return Some(RequestResult::History(HistoryPage { epoch, messages, next: offset(map, "next") }));
    }
    if let (Some(epoch), Some(offset)) = (epoch, offset(map, "offset")) {
        let duplicate = map.truth("duplicate").unwrap_or(false);
        return Some(RequestResult::Published(Published { epoch, offset, duplicate }));
    }
    if let Some(members) = map.list("members") {
        return Some(RequestResult::Members(MembersPage {
            members: all(members, member)?,
            next: map.text("next").map(String::from),
            users: map.small("users").unwrap_or(0),
            connections: map.small("connections").unwrap_or(0),
        }));
    }
    if let (Some(_), Some(offset)) = (map.list("tags"), offset(map, "offset")) {
        return Some(RequestResult::Tags(Tags { tags: texts(map, "tags"), offset }));
    }
    Some(RequestResult::Done {})
}

fn error(map: &Map<'_>) -> Option<RequestError> {
    let code = map.text("code")?;
    let retryable = map.truth("retryable").unwrap_or(false);
    // A code of a later version is told by whether a retry may help.
    let unknown = if retryable { ErrorCode::Unavailable } else { ErrorCode::Unsupported };
    Some(RequestError {
        id: map.small("id"),
        code: ErrorCode::ALL.into_iter().find(|known| known.as_str() == code).unwrap_or(unknown),
        message: map.text("message").unwrap_or(code).into(),
        retryable,
        retry_after_ms: map.number("retry_after_ms"),
        details: all(map.list("details").unwrap_or_default(), |detail| {
            Some(Detail { path: detail.text("path")?.into(), message: detail.text("message")?.into() })
        })?,
    })
}

fn recovery_failure(text: &str) -> Option<RecoveryFailure> {
    match text {
        "too_far_behind" => Some(RecoveryFailure::TooFarBehind),
        "trimmed" => Some(RecoveryFailure::Trimmed),
        "epoch_changed" => Some(RecoveryFailure::EpochChanged),
        "ahead" => Some(RecoveryFailure::Ahead),
        "forbidden" => Some(RecoveryFailure::Forbidden),
        "no_log" => Some(RecoveryFailure::NoLog),
        _ => None,
    }
}

fn offset(map: &Map<'_>, key: &str) -> Option<Offset> {
    map.number(key).and_then(Offset::new)
}

/// `Some(None)` where there is none, `None` where it is not as a payload must be.
fn payload(map: &Map<'_>, key: &str) -> Option<Option<Payload>> {
    match map.get(key) {
        None | Some(Value::Other) => Some(None),
        Some(Value::Text(text)) => UncheckedPayload::Text((*text).into()).check().ok().map(Some),
        Some(Value::Bytes(bytes)) => Some(Some(Payload::Bytes(bytes.to_vec()))),
        Some(Value::Bool(_) | Value::Unsigned(_) | Value::List(_) | Value::Map(_)) => None,
    }
}

fn texts(map: &Map<'_>, key: &str) -> Vec<String> {
    let texts = map.list(key).unwrap_or_default().iter().filter_map(|value| match value {
        Value::Text(text) => Some((*text).to_string()),
        _ => None,
    });
    texts.collect()
}

fn all<'a, T>(values: &[Value<'a>], each: impl Fn(&Map<'a>) -> Option<T>) -> Option<Vec<T>> {
    values.iter().map(|value| each(value.as_map()?)).collect()
}

/// One message as a fragment of a frame.
pub(crate) fn encode(message: &ClientMessage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut map = MapWriter::new(&mut bytes);
    match message {
        ClientMessage::Hello(hello) => write_hello(&mut map, hello),
        ClientMessage::Publish(publish) => write_publish(&mut map, publish),
        ClientMessage::Presence { id, data } => {
            map.text("t", "presence");
            map.number("id", (*id).into());
            write_payload(&mut map, "data", data);
        }
        ClientMessage::Subscribe { id, tags } => write_tags(&mut map, "subscribe", *id, tags),
        ClientMessage::Unsubscribe { id, tags } => write_tags(&mut map, "unsubscribe", *id, tags),
        ClientMessage::History(history) => {
            map.text("t", "history");
            map.number("id", history.id.into());
            if let Some(before) = history.before {
                map.number("before", before.value());
            }
            if let Some(after) = history.after {
                map.number("after", after.value());
            }
            map.number("limit", history.limit.into());
            map.texts("tags", &history.tags, String::clone);
        }
        ClientMessage::Members(members) => {
            map.text("t", "members");
            map.number("id", members.id.into());
            if let Some(cursor) = &members.cursor {
                map.text("cursor", cursor);
            }
            map.number("limit", members.limit.into());
        }
        ClientMessage::Leave { id } => {
            map.text("t", "leave");
            map.number("id", (*id).into());
        }
    }
    bytes
}

fn write_hello(map: &mut MapWriter<'_>, hello: &Hello) {
    map.text("t", "hello");
    map.text("session", hello.session.as_str());
    if let Some(position) = hello.recover {
        let mut recover = map.map("recover");
        recover.text("epoch", &position.epoch.to_string());
        recover.number("offset", position.offset.value());
    }
    if let Some(rewind) = hello.rewind {
        map.number("rewind", rewind.into());
    }
    map.texts("tags", &hello.tags, String::clone);
    if let Some(presence) = &hello.presence {
        write_payload(map, "presence", presence);
    }
    map.truth("members", hello.members);
}

fn write_publish(map: &mut MapWriter<'_>, publish: &Publish) {
    map.text("t", "publish");
    if let Some(id) = publish.id {
        map.number("id", id.into());
    }
    write_payload(map, "data", &publish.data);
    map.texts("tags", &publish.tags, String::clone);
    if let Some(To { users, sessions, connections }) = &publish.to {
        let mut to = map.map("to");
        to.texts("users", users, ToString::to_string);
        to.texts("sessions", sessions, ToString::to_string);
        to.texts("connections", connections, ToString::to_string);
    }
    if publish.ephemeral {
        map.truth("ephemeral", true);
    }
    if !publish.echo {
        map.truth("echo", false);
    }
    if let Some(kind) = &publish.kind {
        map.text("type", kind);
    }
}

fn write_tags(map: &mut MapWriter<'_>, t: &str, id: u32, tags: &[String]) {
    map.text("t", t);
    map.number("id", id.into());
    map.texts("tags", tags, String::clone);
}

fn write_payload(map: &mut MapWriter<'_>, key: &str, payload: &Payload) {
    match payload {
        Payload::Json(text) => map.text(key, text.as_str()),
        Payload::Bytes(bytes) => map.bytes(key, bytes),
    }
}

#[cfg(test)]
mod tests;
