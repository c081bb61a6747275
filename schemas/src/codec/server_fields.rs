//! Reading a server's message in one pass, as `client_fields` reads a client's.

use alloc::{borrow::Cow, boxed::Box, collections::BTreeMap, format, string::String, vec::Vec};

use serde::Deserialize;

use super::ServerDecodeError;
use crate::{
    codes::ErrorCode,
    ids::{ConnectionId, PublicSession, RoomName, UserId},
    payload::Payload,
    position::{Epoch, Offset},
    server_message::{
        Amended, Author, Detail, Edited, Ephemeral, HistoryPage, Left, Member, MembersPage, NoticeCode,
        Occupancy, PresenceDiff, Publication, Published, Reaction, RecoveryFailure, Refreshed, Reply,
        RequestError, RequestResult, Returned, ServerMessage, StateChange, StateSnapshot, StateVersion,
        StateWrite, Tags, Welcome, WelcomeLimits,
    },
};

#[derive(Deserialize)]
struct ServerFields<'a> {
    #[serde(borrow)]
    t: Cow<'a, str>,
    id: Option<u32>,
    connection: Option<ConnectionId>,
    session: Option<PublicSession>,
    user: Option<UserId>,
    room: Option<RoomName>,
    kind: Option<String>,
    epoch: Option<Epoch>,
    offset: Option<Offset>,
    recovered: Option<bool>,
    reason: Option<RecoveryFailure>,
    publications: Option<Vec<Publication>>,
    members: Option<MembersOrCount>,
    members_next: Option<String>,
    users: Option<u32>,
    occupancy: Option<Occupancy>,
    tags: Option<Vec<String>>,
    limits: Option<WelcomeLimits>,
    server_time: Option<u64>,
    expires_at: Option<u64>,
    time: Option<u64>,
    from: Option<Author>,
    #[serde(rename = "type")]
    publication_kind: Option<String>,
    #[serde(default, deserialize_with = "crate::payload::present")]
    data: Option<Payload>,
    joined: Option<Vec<Member>>,
    left: Option<Vec<Left>>,
    updated: Option<Vec<Member>>,
    #[serde(default, deserialize_with = "crate::payload::present")]
    result: Option<ResultValue>,
    more: Option<bool>,
    code: Option<String>,
    message: Option<String>,
    retryable: Option<bool>,
    retry_after_ms: Option<u64>,
    details: Option<Vec<Detail>>,
    #[serde(rename = "ref")]
    refers: Option<Offset>,
    removed: Option<bool>,
    edited: Option<Edited>,
    reactions: Option<BTreeMap<String, Reaction>>,
    state: Option<StateSnapshot>,
    version: Option<u64>,
    ops: Option<Vec<StateWrite>>,
}

/// `members` is a list in a welcome and a number in `occupancy`.
enum MembersOrCount {
    List(Vec<Member>),
    Count(u32),
}

impl<'de> Deserialize<'de> for MembersOrCount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = MembersOrCount;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("members, or their number")
            }

            fn visit_u64<E: serde::de::Error>(self, count: u64) -> Result<Self::Value, E> {
                u32::try_from(count).map(MembersOrCount::Count).map_err(E::custom)
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = list.next_element()? {
                    members.push(member);
                }
                Ok(MembersOrCount::List(members))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A call's result is a payload, and comes with `more`; every other is a map.
enum ResultValue {
    Json(Box<serde_json::value::RawValue>),
    Fields(ResultFields),
    Payload(Payload),
}

impl<'de> Deserialize<'de> for ResultValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = ResultValue;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("a request's result")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let fields = serde::de::value::MapAccessDeserializer::new(map);
                ResultFields::deserialize(fields).map(ResultValue::Fields)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Payload::from_json(text.into()).map(ResultValue::Payload).map_err(E::custom)
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(ResultValue::Payload(Payload::Bytes(bytes.to_vec())))
            }
        }
        if deserializer.is_human_readable() {
            return Box::<serde_json::value::RawValue>::deserialize(deserializer).map(ResultValue::Json);
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl ResultValue {
    fn reply(self, id: u32, more: Option<bool>) -> Result<ServerMessage, ServerDecodeError> {
        let unreadable = |error: String| ServerDecodeError(format!("result: {error}"));
        let result = match (self, more) {
            (ResultValue::Json(json), Some(_)) => {
                Payload::from_json(json.get().into()).map_err(|error| unreadable(format!("{error}")))?
            }
            (ResultValue::Payload(payload), _) => payload,
            (ResultValue::Json(json), None) => {
                let fields: ResultFields =
                    serde_json::from_str(json.get()).map_err(|error| unreadable(format!("{error}")))?;
                return Ok(ServerMessage::Reply(Reply { id, result: fields.result() }));
            }
            (ResultValue::Fields(fields), _) => {
                return Ok(ServerMessage::Reply(Reply { id, result: fields.result() }));
            }
        };
        Ok(ServerMessage::Returned(Returned { id, result, more: more.unwrap_or(false) }))
    }
}

#[derive(Deserialize)]
struct ResultFields {
    epoch: Option<Epoch>,
    offset: Option<Offset>,
    duplicate: Option<bool>,
    messages: Option<Vec<Publication>>,
    next: Option<OffsetOrCursor>,
    members: Option<Vec<Member>>,
    users: Option<u32>,
    connections: Option<u32>,
    tags: Option<Vec<String>>,
    version: Option<u64>,
    expires_at: Option<u64>,
}

/// `next` is an offset in history and a cursor in member lists.
enum OffsetOrCursor {
    Offset(Offset),
    Cursor(String),
}

impl<'de> Deserialize<'de> for OffsetOrCursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = OffsetOrCursor;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("an offset or a cursor")
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Self::Value, E> {
                Offset::new(value)
                    .map(OffsetOrCursor::Offset)
                    .ok_or_else(|| E::custom("an offset is below 2^53"))
            }

            fn visit_str<E: serde::de::Error>(self, cursor: &str) -> Result<Self::Value, E> {
                Ok(OffsetOrCursor::Cursor(cursor.into()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

pub(super) fn read_json(line: &str) -> Result<Option<ServerMessage>, ServerDecodeError> {
    serde_json::from_str::<ServerFields<'_>>(line)
        .map_err(|error| ServerDecodeError(format!("{error}")))?
        .message()
}

pub(super) fn read_msgpack(mut bytes: &[u8]) -> Result<Vec<ServerMessage>, ServerDecodeError> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let fields = ServerFields::deserialize(&mut rmp_serde::Deserializer::new(&mut bytes))
            .map_err(|error| ServerDecodeError(format!("{error}")))?;
        messages.extend(fields.message()?);
    }
    Ok(messages)
}

fn required<T>(value: Option<T>, path: &str) -> Result<T, ServerDecodeError> {
    value.ok_or_else(|| ServerDecodeError(format!("{path} is missing")))
}

impl ServerFields<'_> {
    fn message(self) -> Result<Option<ServerMessage>, ServerDecodeError> {
        Ok(Some(match self.t.as_ref() {
            "welcome" => ServerMessage::Welcome(Box::new(self.welcome()?)),
            "publication" => ServerMessage::Publication(self.publication()?),
            "ephemeral" => ServerMessage::Ephemeral(Ephemeral {
                time: required(self.time, "time")?,
                from: self.from,
                kind: required(self.publication_kind, "type")?,
                data: required(self.data, "data")?,
                tags: self.tags.unwrap_or_default(),
            }),
            "position" => ServerMessage::Position { offset: required(self.offset, "offset")? },
            "presence" => ServerMessage::Presence(PresenceDiff {
                joined: self.joined.unwrap_or_default(),
                left: self.left.unwrap_or_default(),
                updated: self.updated.unwrap_or_default(),
            }),
            "occupancy" => match self.members {
                Some(MembersOrCount::Count(members)) => {
                    ServerMessage::Occupancy(Occupancy { members, users: required(self.users, "users")? })
                }
                _ => return Err(ServerDecodeError("members is missing".into())),
            },
            "state" => ServerMessage::State(StateChange {
                version: required(self.version, "version")?,
                ops: self.ops.unwrap_or_default(),
            }),
            "reply" => {
                let id = required(self.id, "id")?;
                required(self.result, "result")?.reply(id, self.more)?
            }
            "error" => ServerMessage::Error(self.error()?),
            "expiring" => ServerMessage::Expiring { expires_at: required(self.expires_at, "expires_at")? },
            "notice" => match self.code.as_deref() {
                Some("restarted") => self.notice(NoticeCode::Restarted),
                Some("ephemerals_dropped") => self.notice(NoticeCode::EphemeralsDropped),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        }))
    }

    fn welcome(self) -> Result<Welcome, ServerDecodeError> {
        Ok(Welcome {
            connection: required(self.connection, "connection")?,
            session: required(self.session, "session")?,
            user: required(self.user, "user")?,
            room: required(self.room, "room")?,
            kind: required(self.kind, "kind")?,
            epoch: required(self.epoch, "epoch")?,
            offset: required(self.offset, "offset")?,
            recovered: required(self.recovered, "recovered")?,
            reason: self.reason,
            publications: self.publications.unwrap_or_default(),
            members: self.members.and_then(|members| match members {
                MembersOrCount::List(list) => Some(list),
                MembersOrCount::Count(_) => None,
            }),
            members_next: self.members_next,
            occupancy: required(self.occupancy, "occupancy")?,
            state: self.state.unwrap_or_default(),
            tags: self.tags.unwrap_or_default(),
            limits: required(self.limits, "limits")?,
            server_time: required(self.server_time, "server_time")?,
            expires_at: self.expires_at,
        })
    }

    fn publication(self) -> Result<Publication, ServerDecodeError> {
        Ok(Publication {
            offset: required(self.offset, "offset")?,
            time: required(self.time, "time")?,
            from: self.from,
            kind: required(self.publication_kind, "type")?,
            data: self.data,
            tags: self.tags.unwrap_or_default(),
            refers: self.refers,
            removed: self.removed.unwrap_or(false),
            edited: self.edited,
            reactions: self.reactions.unwrap_or_default(),
        })
    }

    fn error(self) -> Result<RequestError, ServerDecodeError> {
        let code = required(self.code, "code")?;
        let retryable = self.retryable.unwrap_or(false);
        // A code of a later version is told by whether a retry may help.
        let unknown = if retryable { ErrorCode::Unavailable } else { ErrorCode::Unsupported };
        Ok(RequestError {
            id: self.id,
            code: ErrorCode::ALL.into_iter().find(|known| known.as_str() == code).unwrap_or(unknown),
            message: self.message.unwrap_or(code),
            retryable,
            retry_after_ms: self.retry_after_ms,
            details: self.details.unwrap_or_default(),
            data: self.data,
        })
    }

    fn notice(self, code: NoticeCode) -> ServerMessage {
        ServerMessage::Notice { code, message: self.message.unwrap_or_default() }
    }
}

impl ResultFields {
    fn result(self) -> RequestResult {
        match self {
            ResultFields { epoch: Some(epoch), messages: Some(messages), next, .. } => {
                let next = match next {
                    Some(OffsetOrCursor::Offset(offset)) => Some(offset),
                    Some(OffsetOrCursor::Cursor(_)) | None => None,
                };
                RequestResult::History(HistoryPage { epoch, messages, next })
            }
            ResultFields { epoch: Some(epoch), offset: Some(offset), duplicate, .. } => {
                RequestResult::Published(Published { epoch, offset, duplicate: duplicate.unwrap_or(false) })
            }
            ResultFields { members: Some(members), users, connections, next, .. } => {
                let next = match next {
                    Some(OffsetOrCursor::Cursor(cursor)) => Some(cursor),
                    Some(OffsetOrCursor::Offset(_)) | None => None,
                };
                RequestResult::Members(MembersPage {
                    members,
                    next,
                    users: users.unwrap_or(0),
                    connections: connections.unwrap_or(0),
                })
            }
            ResultFields { tags: Some(tags), offset: Some(offset), .. } => {
                RequestResult::Tags(Tags { tags, offset })
            }
            ResultFields { offset: Some(offset), .. } => RequestResult::Amended(Amended { offset }),
            ResultFields { version: Some(version), .. } => RequestResult::State(StateVersion { version }),
            ResultFields { expires_at: Some(expires_at), .. } => {
                RequestResult::Refreshed(Refreshed { expires_at })
            }
            _ => RequestResult::Done {},
        }
    }
}
