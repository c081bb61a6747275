//! Reading a client's message in one pass: all fields that any message has, then the message that `t` names.
//!
//! Serde's own tagged enums would copy every field into a buffer before they know the tag, and know no raw JSON.

use alloc::{borrow::Cow, format, string::String, vec::Vec};

use serde::Deserialize;

use crate::{
    client_message::{ClientMessage, Hello, History, Members, Publish, StateOp, To, TokenText},
    codes::ErrorCode,
    ids::Session,
    limits,
    payload::{Payload, UncheckedPayload},
    position::{Offset, Position},
    server_message::RequestError,
};

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub error: RequestError,
    /// Not even a message: counts towards the close that repeated malformed input earns.
    pub malformed: bool,
}

impl Refusal {
    pub(crate) fn malformed(message: impl Into<String>) -> Refusal {
        Refusal { error: RequestError::new(None, ErrorCode::BadRequest, message), malformed: true }
    }

    fn invalid(id: Option<u32>, path: &str, message: impl Into<String>) -> Refusal {
        Refusal { error: RequestError::invalid(id, path, message), malformed: false }
    }
}

#[derive(Deserialize)]
struct ClientFields<'a> {
    #[serde(borrow)]
    t: Cow<'a, str>,
    id: Option<u32>,
    session: Option<String>,
    recover: Option<Position>,
    rewind: Option<u32>,
    tags: Option<Vec<String>>,
    presence: Option<UncheckedPayload>,
    members: Option<bool>,
    #[serde(default, deserialize_with = "crate::payload::present")]
    data: Option<UncheckedPayload>,
    to: Option<To>,
    ephemeral: Option<bool>,
    echo: Option<bool>,
    #[serde(rename = "type")]
    kind: Option<String>,
    before: Option<Offset>,
    after: Option<Offset>,
    limit: Option<u32>,
    cursor: Option<String>,
    key: Option<String>,
    conflate: Option<String>,
    offset: Option<Offset>,
    name: Option<String>,
    on: Option<bool>,
    ops: Option<Vec<OpFields>>,
    frames: Option<u64>,
    token: Option<String>,
    method: Option<String>,
    #[serde(default, deserialize_with = "crate::payload::present")]
    args: Option<UncheckedPayload>,
}

#[derive(Deserialize)]
struct OpFields {
    set: Option<String>,
    delete: Option<String>,
    #[serde(default, deserialize_with = "crate::payload::present")]
    value: Option<UncheckedPayload>,
    #[serde(rename = "if")]
    expected: Option<u64>,
    owned: Option<bool>,
}

pub(super) fn read_json(line: &str) -> Result<ClientMessage, Refusal> {
    // Serde would take a list for the fields in their order.
    if !line.trim_ascii_start().starts_with('{') {
        return Err(Refusal::malformed("not a JSON message: a message is an object"));
    }
    let mut deserializer = serde_json::Deserializer::from_str(line);
    let fields: ClientFields<'_> = match ClientFields::deserialize(&mut deserializer) {
        Ok(fields) => fields,
        Err(error) => return Err(unreadable_json(line, &error)),
    };
    deserializer.end().map_err(|error| unreadable_json(line, &error))?;
    fields.message()
}

/// Names the field that has the wrong type, and keeps the request's id where that much can be read.
fn unreadable_json(line: &str, error: &serde_json::Error) -> Refusal {
    #[derive(Deserialize)]
    struct Id {
        id: Option<u32>,
    }
    let id = serde_json::from_str::<Id>(line).ok().and_then(|found| found.id);
    if error.is_data() {
        let mut deserializer = serde_json::Deserializer::from_str(line);
        if let Err(error) = serde_path_to_error::deserialize::<_, ClientFields<'_>>(&mut deserializer) {
            let path = alloc::string::ToString::to_string(error.path());
            let mut refusal = Refusal::invalid(id, &path, format!("{}", error.inner()));
            refusal.error.code = ErrorCode::BadRequest;
            refusal.malformed = true;
            return refusal;
        }
    }
    let mut refusal = Refusal::malformed(format!("not a JSON message: {error}"));
    refusal.error.id = id;
    refusal
}

/// MessagePack nesting in fields that this version ignores; payloads are str or bin and do not nest.
const MSGPACK_DEPTH_MAX: usize = 128;

pub(super) fn read_msgpack(mut bytes: &[u8]) -> Vec<Result<ClientMessage, Refusal>> {
    let mut messages = Vec::new();
    while let Some(first) = bytes.first() {
        // Serde would take a list for the fields in their order.
        if !matches!(first, 0x80..=0x8f | 0xde | 0xdf) {
            messages.push(Err(Refusal::malformed("not a MessagePack message: a message is a map")));
            break;
        }
        let mut deserializer = rmp_serde::Deserializer::new(&mut bytes);
        deserializer.set_max_depth(MSGPACK_DEPTH_MAX);
        match ClientFields::deserialize(&mut deserializer) {
            Ok(fields) => messages.push(fields.message()),
            Err(error) => {
                messages.push(Err(Refusal::malformed(format!("not a MessagePack message: {error}"))));
                break;
            }
        }
    }
    messages
}

impl ClientFields<'_> {
    fn message(self) -> Result<ClientMessage, Refusal> {
        match self.t.as_ref() {
            "hello" => self.hello().map(ClientMessage::Hello),
            "publish" => self.publish().map(ClientMessage::Publish),
            "presence" => {
                let id = self.required_id()?;
                let data = payload(Some(id), "data", self.data)?;
                Ok(ClientMessage::Presence { id, data: required(id, "data", data)? })
            }
            "subscribe" => {
                let id = self.required_id()?;
                Ok(ClientMessage::Subscribe { id, tags: required(id, "tags", self.tags)? })
            }
            "unsubscribe" => {
                let id = self.required_id()?;
                Ok(ClientMessage::Unsubscribe { id, tags: required(id, "tags", self.tags)? })
            }
            "history" => self.history().map(ClientMessage::History),
            "members" => {
                let id = self.required_id()?;
                let limit = limit(id, self.limit, limits::MEMBERS_PAGE_DEFAULT, limits::MEMBERS_PAGE_MAX)?;
                Ok(ClientMessage::Members(Members { id, cursor: self.cursor, limit }))
            }
            "edit" | "remove" | "react" => self.amend(),
            "state" => self.state(),
            "ack" => {
                let frames = self.frames.ok_or_else(|| Refusal::invalid(self.id, "frames", "is missing"))?;
                Ok(ClientMessage::Ack { frames })
            }
            "auth" => {
                let id = self.required_id()?;
                let token = required(id, "token", self.token)?;
                if token.len() > limits::TOKEN_BYTES_MAX {
                    let message = format!("is at most {} bytes", limits::TOKEN_BYTES_MAX);
                    return Err(Refusal::invalid(Some(id), "token", message));
                }
                Ok(ClientMessage::Auth { id, token: TokenText(token) })
            }
            "call" => {
                let id = self.required_id()?;
                let args = payload(Some(id), "args", self.args)?;
                let method = required(id, "method", self.method)?;
                Ok(ClientMessage::Call { id, method, args: args.unwrap_or_else(|| Payload::of(&())) })
            }
            "cancel" => Ok(ClientMessage::Cancel { id: self.required_id()? }),
            "leave" => Ok(ClientMessage::Leave { id: self.required_id()? }),
            other => Err(Refusal {
                error: RequestError::new(
                    self.id,
                    ErrorCode::Unsupported,
                    format!("no message is called {other:?}"),
                ),
                malformed: false,
            }),
        }
    }

    fn amend(self) -> Result<ClientMessage, Refusal> {
        let id = self.required_id()?;
        let offset = required(id, "offset", self.offset)?;
        Ok(match self.t.as_ref() {
            "edit" => {
                let data = payload(Some(id), "data", self.data)?;
                ClientMessage::Edit { id, offset, data: required(id, "data", data)? }
            }
            "remove" => ClientMessage::Remove { id, offset },
            _ => {
                let name = required(id, "name", self.name)?;
                ClientMessage::React { id, offset, name, on: required(id, "on", self.on)? }
            }
        })
    }

    fn state(self) -> Result<ClientMessage, Refusal> {
        let id = self.required_id()?;
        let ops = required(id, "ops", self.ops)?.into_iter().enumerate();
        let ops = ops.map(|(index, op)| op.check(id, index)).collect::<Result<_, _>>()?;
        Ok(ClientMessage::State { id, ops })
    }

    fn hello(self) -> Result<Hello, Refusal> {
        let session = self.session.ok_or_else(|| Refusal::invalid(None, "session", "is missing"))?;
        let session =
            Session::parse(&session).ok_or_else(|| Refusal::invalid(None, "session", Session::SHAPE))?;
        if self.rewind.is_some_and(|count| count > limits::HISTORY_PAGE_MAX) {
            return Err(Refusal::invalid(None, "rewind", format!("is at most {}", limits::HISTORY_PAGE_MAX)));
        }
        Ok(Hello {
            session,
            recover: self.recover,
            rewind: self.rewind,
            tags: self.tags.unwrap_or_default(),
            presence: payload(None, "presence", self.presence)?,
            members: self.members.unwrap_or(true),
        })
    }

    fn publish(self) -> Result<Publish, Refusal> {
        let ephemeral = self.ephemeral.unwrap_or(false);
        if self.id.is_none() && !ephemeral {
            return Err(Refusal::invalid(None, "id", "is missing: only ephemerals may omit it"));
        }
        let data = payload(self.id, "data", self.data)?
            .ok_or_else(|| Refusal::invalid(self.id, "data", "is missing"))?;
        Ok(Publish {
            id: self.id,
            data,
            tags: self.tags.unwrap_or_default(),
            to: self.to,
            ephemeral,
            echo: self.echo.unwrap_or(true),
            kind: self.kind,
            key: self.key,
            conflate: self.conflate,
        })
    }

    fn history(self) -> Result<History, Refusal> {
        let id = self.required_id()?;
        if self.before.is_some() && self.after.is_some() {
            return Err(Refusal::invalid(Some(id), "after", "excludes before"));
        }
        Ok(History {
            id,
            before: self.before,
            after: self.after,
            limit: limit(id, self.limit, limits::HISTORY_PAGE_DEFAULT, limits::HISTORY_PAGE_MAX)?,
            tags: self.tags.unwrap_or_default(),
        })
    }

    fn required_id(&self) -> Result<u32, Refusal> {
        self.id.ok_or_else(|| Refusal::invalid(None, "id", "is missing"))
    }
}

fn required<T>(id: u32, path: &str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::invalid(Some(id), path, "is missing"))
}

fn limit(id: u32, given: Option<u32>, default: u32, max: u32) -> Result<u32, Refusal> {
    match given {
        None => Ok(default),
        Some(limit) if (1..=max).contains(&limit) => Ok(limit),
        Some(_) => Err(Refusal::invalid(Some(id), "limit", format!("is 1 to {max}"))),
    }
}

fn payload(
    id: Option<u32>,
    path: &str,
    unchecked: Option<UncheckedPayload>,
) -> Result<Option<Payload>, Refusal> {
    unchecked
        .map(UncheckedPayload::check)
        .transpose()
        .map_err(|error| Refusal::invalid(id, path, format!("{error}")))
}

impl OpFields {
    fn check(self, id: u32, index: usize) -> Result<StateOp, Refusal> {
        match (self.set, self.delete) {
            (Some(key), None) => {
                let path = format!("ops[{index}].value");
                let value = required(id, &path, payload(Some(id), &path, self.value)?)?;
                Ok(StateOp::Set { key, value, expected: self.expected, owned: self.owned.unwrap_or(false) })
            }
            (None, Some(key)) => Ok(StateOp::Delete { key, expected: self.expected }),
            _ => Err(Refusal::invalid(Some(id), &format!("ops[{index}]"), "has one of set and delete")),
        }
    }
}
