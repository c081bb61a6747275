//! What a client reads.

use alloc::{boxed::Box, string::String, vec::Vec};

use schemas::{
    ConnectionId, Epoch, ErrorCode, Offset, Payload, PublicSession, UserId,
    payload::UncheckedPayload,
    server_message::{
        Amended, Author, Detail, Edited, Ephemeral, HistoryPage, LeaveReason, Left, Member, MembersPage,
        Named, NoticeCode, Occupancy, PresenceDiff, Publication, Published, Reaction, RecoveryFailure,
        Refreshed, Reply, RequestError, RequestResult, StateChange, StateEntry, StateVersion, StateWrite,
        Tags, WelcomeLimits,
    },
};

use super::{Message, Welcome};
use crate::{
    client::Me,
    msgpack::{Map, Reader, Unreadable, Value},
    shared_state::SharedState,
};

/// The messages of a server's frame. One whose `t` this version does not know is skipped.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Message>, Unreadable> {
    let mut reader = Reader(bytes);
    let mut messages = Vec::new();
    while !reader.0.is_empty() {
        let value = reader.value()?;
        messages.extend(message(value.as_map().ok_or(Unreadable)?)?);
    }
    Ok(messages)
}

fn message(map: &Map<'_>) -> Result<Option<Message>, Unreadable> {
    let message = match map.text("t").ok_or(Unreadable)? {
        "welcome" => welcome(map).map(|welcome| Message::Welcome(Box::new(welcome))),
        "publication" => publication(map).map(Message::Publication),
        "ephemeral" => ephemeral(map).map(Message::Ephemeral),
        "position" => offset(map, "offset").map(|offset| Message::Position { offset }),
        "presence" => presence(map).map(Message::Presence),
        "occupancy" => occupancy(map).map(Message::Occupancy),
        "state" => state_change(map).map(Message::State),
        "reply" => returned(map).or_else(|| reply(map).map(Message::Reply)),
        "error" => error(map).map(Message::Error),
        "expiring" => map.number("expires_at").map(|expires_at| Message::Expiring { expires_at }),
        "notice" => {
            let code = match map.text("code") {
                Some("restarted") => NoticeCode::Restarted,
                Some("ephemerals_dropped") => NoticeCode::EphemeralsDropped,
                _ => return Ok(None),
            };
            let message = map.text("message").unwrap_or_default().into();
            Some(Message::Notice { code, message })
        }
        _ => return Ok(None),
    };
    message.map(Some).ok_or(Unreadable)
}

fn welcome(map: &Map<'_>) -> Option<Welcome> {
    let limits = map.map("limits")?;
    Some(Welcome {
        me: Me {
            connection: ConnectionId::parse(map.text("connection")?)?,
            session: PublicSession::parse(map.text("session")?)?,
            user: UserId::parse(map.text("user")?)?,
            tags: texts(map, "tags"),
            limits: WelcomeLimits {
                payload_bytes: limits.small("payload_bytes")?,
                presence_bytes: limits.small("presence_bytes")?,
                tags: limits.small("tags")?,
                frame_bytes: limits.small("frame_bytes")?,
                // A server that tells none knows no keys.
                key_window_ms: limits.number("key_window_ms").unwrap_or(0),
                ack: limits.truth("ack").unwrap_or(false),
            },
            expires_at: map.number("expires_at"),
        },
        server_time: map.number("server_time")?,
        epoch: Epoch::parse(map.text("epoch")?)?,
        offset: offset(map, "offset")?,
        recovered: map.truth("recovered")?,
        reason: map.text("reason").and_then(recovery_failure),
        publications: all(map.list("publications").unwrap_or_default(), publication)?,
        members: all(map.list("members").unwrap_or_default(), member)?,
        members_next: map.text("members_next").map(String::from),
        occupancy: occupancy(map.map("occupancy")?)?,
        state: shared_state(map)?,
    })
}

fn publication(map: &Map<'_>) -> Option<Publication> {
    Some(Publication {
        offset: offset(map, "offset")?,
        time: map.number("time")?,
        from: author(map)?,
        kind: map.text("type")?.into(),
        data: payload(map, "data")?,
        tags: texts(map, "tags"),
        refers: offset(map, "ref"),
        removed: map.truth("removed").unwrap_or(false),
        edited: match map.map("edited") {
            Some(edited) => Some(Edited { offset: offset(edited, "offset")?, time: edited.number("time")? }),
            None => None,
        },
        reactions: reactions(map)?,
    })
}

fn reactions(map: &Map<'_>) -> Option<Named<Reaction>> {
    let mut reactions = Named::new();
    if let Some(map) = map.map("reactions") {
        for (name, value) in map.entries() {
            reactions.extend([(name.into(), reaction(value.as_map()?)?)]);
        }
    }
    Some(reactions)
}

fn reaction(map: &Map<'_>) -> Option<Reaction> {
    let mut users = Vec::new();
    for user in texts(map, "users") {
        users.push(UserId::parse(&user)?);
    }
    Some(Reaction { count: map.small("count")?, users })
}

fn shared_state(map: &Map<'_>) -> Option<SharedState> {
    let Some(map) = map.map("state") else { return Some(SharedState::default()) };
    let mut state = SharedState::at(map.number("version")?);
    if let Some(entries) = map.map("entries") {
        for (key, value) in entries.entries() {
            state.insert(key, state_entry(value.as_map()?)?);
        }
    }
    Some(state)
}

fn state_entry(map: &Map<'_>) -> Option<StateEntry> {
    Some(StateEntry {
        value: payload(map, "value")??,
        version: map.number("version")?,
        owner: map.text("owner").and_then(PublicSession::parse),
    })
}

fn state_change(map: &Map<'_>) -> Option<StateChange> {
    let ops = all(map.list("ops").unwrap_or_default(), |op| match op.text("set") {
        Some(key) => {
            let StateEntry { value, version, owner } = state_entry(op)?;
            Some(StateWrite::Set { key: key.into(), value, version, owner })
        }
        None => Some(StateWrite::Delete { key: op.text("delete")?.into() }),
    })?;
    Some(StateChange { version: map.number("version")?, ops })
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

/// A call's result is a payload; every other is a map.
fn returned(map: &Map<'_>) -> Option<Message> {
    let value = payload(map, "result")??;
    Some(Message::Returned { id: map.small("id")?, value, more: map.truth("more").unwrap_or(false) })
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
    if let Some(offset) = offset(map, "offset") {
        return Some(RequestResult::Amended(Amended { offset }));
    }
    if let Some(version) = map.number("version") {
        return Some(RequestResult::State(StateVersion { version }));
    }
    if let Some(expires_at) = map.number("expires_at") {
        return Some(RequestResult::Refreshed(Refreshed { expires_at }));
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
        data: payload(map, "data")?,
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
    let mut texts = Vec::new();
    for value in map.list(key).unwrap_or_default() {
        if let Value::Text(text) = value {
            texts.push((*text).into());
        }
    }
    texts
}

/// A loop, here and below: iterators that may fail cost thrice the code.
fn all<T>(values: &[Value<'_>], each: fn(&Map<'_>) -> Option<T>) -> Option<Vec<T>> {
    let mut all = Vec::new();
    for value in values {
        all.push(each(value.as_map()?)?);
    }
    Some(all)
}
