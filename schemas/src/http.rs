//! The HTTP API's bodies, and what the gateway and a room say to one another.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{
    claims::{Capabilities, Claims},
    client_message::{StateOp, To},
    codes::ErrorCode,
    config::parse_duration,
    ids::{ConnectionId, PublicSession, Session, Tenant, UserId},
    limits,
    payload::{Payload, UncheckedPayload},
    position::Offset,
    revocation::Revocation,
    server_message::{Author, BatchItem, Detail, Published, RequestError},
};

/// Headers beginning with this carry trust from the gateway to a room; the gateway strips any that come from outside.
pub const INTERNAL_HEADER_PREFIX: &str = "x-roomcast-";
/// On an upgrade: the connection's [`Claims`](crate::Claims), JSON in base64url.
pub const CLAIMS_HEADER: &str = "x-roomcast-claims";
/// On an upgrade: the subprotocol that was chosen.
pub const CODEC_HEADER: &str = "x-roomcast-codec";
/// On every answer, and in every log line about it.
pub const REQUEST_ID_HEADER: &str = "x-request-id";

/// The body of `POST /v1/rooms/{room}/publish`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
#[serde(deny_unknown_fields)]
pub struct PublishBody {
    #[cfg_attr(feature = "ts", ts(type = "unknown"))]
    pub data: UncheckedPayload,
    #[serde(default, rename = "type")]
    #[cfg_attr(feature = "openapi", schemars(length(min = 1, max = crate::limits::TYPE_BYTES_MAX)))]
    pub kind: Option<String>,
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schemars(length(max = crate::limits::TAGS_PUBLICATION_MAX)))]
    #[cfg_attr(feature = "ts", ts(optional, as = "Option<Vec<String>>"))]
    pub tags: Vec<String>,
    #[serde(default)]
    pub to: Option<To>,
    #[serde(default)]
    #[cfg_attr(feature = "ts", ts(optional, as = "Option<bool>"))]
    pub ephemeral: bool,
    /// As the header `Idempotency-Key`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schemars(length(min = 1, max = crate::limits::KEY_BYTES_MAX)))]
    pub key: Option<String>,
    /// In whose name a backend publishes; absent: no `from`.
    #[serde(default)]
    pub from: Option<FromBody>,
}

/// In whose name a backend publishes.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
#[serde(deny_unknown_fields)]
pub struct FromBody {
    pub user: UserId,
    #[serde(default)]
    #[cfg_attr(feature = "ts", ts(optional, type = "unknown"))]
    pub info: Option<UncheckedPayload>,
}

/// The body of `POST /v1/publish`: each message is a [`PublishBody`] with the field `room` besides.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BatchBody {
    /// 1 to 100.
    #[cfg_attr(
        feature = "openapi",
        schemars(with = "Vec<crate::openapi::BatchMessage>", length(min = 1, max = crate::limits::BATCH_MAX))
    )]
    pub messages: Vec<alloc::boxed::Box<serde_json::value::RawValue>>,
}

/// What `POST /v1/publish` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct BatchAnswer {
    /// One for each message, in their order.
    pub results: Vec<BatchResult>,
}

/// What became of one message of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(untagged)]
pub enum BatchResult {
    Refused {
        error: Problem,
    },
    Published(Published),
    /// An ephemeral.
    Done {},
}

impl From<BatchItem> for BatchResult {
    fn from(item: BatchItem) -> BatchResult {
        match item {
            BatchItem::Published(published) => BatchResult::Published(published),
            BatchItem::Done {} => BatchResult::Done {},
            BatchItem::Refused { error } => BatchResult::Refused { error: error.into() },
        }
    }
}

/// The body of `PATCH /v1/rooms/{room}/messages/{offset}`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EditBody {
    pub data: UncheckedPayload,
}

/// The body of `PATCH /v1/rooms/{room}/state`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StateBody {
    /// 1 to 100; each is a [`StateOpBody`].
    #[cfg_attr(
        feature = "openapi",
        schemars(with = "Vec<StateOpBody>", length(min = 1, max = crate::limits::STATE_OPS_MAX))
    )]
    pub ops: Vec<alloc::boxed::Box<serde_json::value::RawValue>>,
}

/// One operation on shared state: it has one of `set` and `delete`, and `value` with `set` alone.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", schemars(extend("oneOf" = crate::openapi::state_op_ways())))]
#[serde(deny_unknown_fields)]
pub struct StateOpBody {
    #[serde(default)]
    pub set: Option<String>,
    #[serde(default)]
    pub delete: Option<String>,
    #[serde(default, deserialize_with = "crate::payload::present")]
    pub value: Option<UncheckedPayload>,
    /// The version that the key must have, 0 for absent.
    #[serde(default, rename = "if")]
    pub expected: Option<u64>,
    /// Only a session can own a key: false, or absent.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schemars(extend("const" = false)))]
    pub owned: bool,
}

/// The body of `POST /v1/rooms/{room}/stream`: what a client says that has no WebSocket. With `connection` and
/// `session` it belongs to a stream that is open; without them it opens one.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", schemars(extend("oneOf" = crate::openapi::ways(&[
    (&["connection", "session"], &[]),
    (&[], &["connection", "session"]),
]))))]
#[serde(deny_unknown_fields)]
pub struct StreamBody {
    /// Protocol messages in MessagePack, one after another, in base64. The first is hello where a stream is opened.
    pub frame: String,
    /// As the stream's `open` said.
    #[serde(default)]
    pub connection: Option<ConnectionId>,
    /// The secret one, as hello said.
    #[serde(default)]
    pub session: Option<Session>,
}

/// The body of `POST /v1/rooms/{room}/disconnect`: exactly one of `user`, `session` and `connection`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", schemars(extend("oneOf" = crate::openapi::ways(&[
    (&["user"], &["session", "connection"]),
    (&["session"], &["user", "connection"]),
    (&["connection"], &["user", "session"]),
]))))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
#[serde(deny_unknown_fields)]
pub struct DisconnectBody {
    #[serde(default)]
    pub user: Option<UserId>,
    /// The public one, as others see it.
    #[serde(default)]
    pub session: Option<PublicSession>,
    #[serde(default)]
    pub connection: Option<ConnectionId>,
    /// What the client reads beside the close code: at most 123 bytes.
    #[serde(default)]
    pub reason: Option<String>,
    /// Seconds, or a duration such as `"10m"`; at most 365 days. 0 ends a block. In milliseconds here.
    #[serde(default, rename = "block_for", deserialize_with = "block_ms")]
    #[cfg_attr(feature = "openapi", schemars(with = "Option<crate::openapi::BlockFor>"))]
    #[cfg_attr(feature = "ts", ts(optional, type = "number | string"))]
    pub block_ms: Option<u64>,
}

fn block_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Seconds(u64),
        Duration(String),
        None,
    }
    let ms = match Written::deserialize(deserializer) {
        Ok(Written::None) => return Ok(None),
        Ok(Written::Seconds(seconds)) => seconds.checked_mul(1_000),
        Ok(Written::Duration(text)) => parse_duration(&text),
        Err(_) => None,
    };
    match ms.filter(|ms| *ms <= limits::BLOCK_MAX_MS) {
        Some(ms) => Ok(Some(ms)),
        None => Err(de::Error::custom("is seconds, or a duration such as \"10m\", and at most 365 days")),
    }
}

/// The body of `POST /v1/tokens`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
#[serde(deny_unknown_fields)]
pub struct TokenBody {
    pub sub: UserId,
    #[cfg_attr(feature = "ts", ts(type = "{ [pattern in string]: Array<Capability | \"*\"> }"))]
    pub rooms: alloc::collections::BTreeMap<String, crate::claims::Capabilities>,
    /// Seconds, at most 24 h.
    #[cfg_attr(feature = "openapi", schemars(range(min = 1, max = 86_400)))]
    pub ttl: u64,
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schemars(with = "Option<UncheckedPayload>"))]
    #[cfg_attr(feature = "ts", ts(optional, type = "unknown"))]
    pub info: Option<alloc::boxed::Box<serde_json::value::RawValue>>,
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schemars(length(max = crate::limits::TAGS_TOKEN_MAX)))]
    #[cfg_attr(feature = "ts", ts(optional, as = "Option<Vec<String>>"))]
    pub tags: Vec<String>,
}

/// A signed token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct TokenAnswer {
    pub token: String,
    /// Milliseconds since 1970.
    pub expires_at: u64,
}

/// The answer of `GET /v1/usage`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct Usage {
    pub tenant: Tenant,
    pub kinds: alloc::collections::BTreeMap<String, KindUsage>,
    /// All kinds together.
    pub total: KindUsage,
}

/// What the rooms of one kind hold now, and what they did since the tenant's first day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct KindUsage {
    /// Rooms that are occupied or have stored data.
    pub rooms: u64,
    pub members: u64,
    pub connections: u64,
    pub connections_opened: u64,
    /// Protocol messages.
    pub messages_in: u64,
    /// Protocol messages, for each connection.
    pub messages_out: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Publications that are kept.
    pub publications: u64,
    /// Bytes of the rooms' databases.
    pub stored_bytes: u64,
}

impl KindUsage {
    /// Adds another's to these.
    pub fn add(&mut self, other: &KindUsage) {
        self.rooms += other.rooms;
        self.members += other.members;
        self.connections += other.connections;
        self.connections_opened += other.connections_opened;
        self.messages_in += other.messages_in;
        self.messages_out += other.messages_out;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.publications += other.publications;
        self.stored_bytes += other.stored_bytes;
    }
}

/// The answer of `POST /v1/revocations`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct RevocationAnswer {
    /// When the revocation ends, in milliseconds since 1970.
    pub until: u64,
    /// Live connections that were closed while this was answered.
    pub closed: u64,
    /// Whether every occupied room was reached; otherwise the rest follows.
    pub complete: bool,
}

/// The body of `POST /v1/users/{user}/disconnect`, which may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UserDisconnectBody {
    /// What the clients read beside the close code: at most 123 bytes.
    #[serde(default)]
    pub reason: Option<String>,
}

/// The answer of `POST /v1/users/{user}/disconnect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct DisconnectedAnswer {
    /// Connections that were closed while this was answered.
    pub closed: u64,
    /// Whether every occupied room was reached; otherwise the rest follows.
    pub complete: bool,
}

/// What the gateway asks of a room, once it has checked who asks: the body of a POST to the object, in MessagePack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum RoomCall {
    Publish(PublishCall),
    /// In their order; each has a result of its own.
    Batch(Vec<PublishCall>),
    Messages {
        before: Option<Offset>,
        after: Option<Offset>,
        limit: u32,
        tags: Vec<String>,
        reader: Reader,
    },
    /// The log as it is: edits, removals and reactions are listed, and not applied.
    RawMessages {
        before: Option<Offset>,
        after: Option<Offset>,
        limit: u32,
        tags: Vec<String>,
    },
    Amend(AmendCall),
    Members {
        cursor: Option<String>,
        limit: u32,
    },
    State,
    WriteState {
        ops: Vec<StateOp>,
        /// Whether what others own may be written.
        moderates: bool,
    },
    Disconnect(DisconnectCall),
    /// Closes those who came with a token that counts no longer.
    Revoke(Vec<Revocation>),
    Info,
    Delete,
    /// Calls a method of the room's behavior.
    Method(MethodCall),
    /// A frame of a connection whose client reaches the room by HTTP alone: `session` is the secret one of its hello,
    /// `user` whose the token is that came along.
    Say {
        connection: ConnectionId,
        session: Session,
        user: Option<UserId>,
        frame: Vec<u8>,
    },
    /// What a user asks, with a token that allows it. A room refuses those whom it has blocked.
    ByUser {
        user: UserId,
        capabilities: Capabilities,
        call: alloc::boxed::Box<RoomCall>,
    },
}

/// An edit or a removal of a publication.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AmendCall {
    pub target: Offset,
    /// What it says from now on; `None` removes it.
    pub data: Option<Payload>,
    pub reader: Reader,
    /// Whom the change is told to be from.
    pub author: Option<Author>,
    pub capabilities: Capabilities,
}

/// What a method of the room's behavior is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodCall {
    pub method: String,
    pub args: Payload,
    pub caller: MethodCaller,
}

/// On whose behalf a method is called over HTTP, or from another Worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum MethodCaller {
    /// An API key, or a Worker that is bound to the rooms.
    Service,
    /// With the claims of its token in the room: what is streamed to it ends with them.
    User { user: UserId, claims: Claims },
}

/// Closes connections with 3505.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DisconnectCall {
    pub who: Who,
    /// The close's reason, at most 123 bytes.
    pub reason: Option<String>,
    /// For how long the user is refused from now on, in milliseconds; 0 ends a block.
    pub block_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Who {
    User(UserId),
    Session(PublicSession),
    Connection(ConnectionId),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublishCall {
    pub data: Payload,
    pub kind: Option<String>,
    pub tags: Vec<String>,
    pub to: Option<To>,
    pub ephemeral: bool,
    pub author: Option<Author>,
    pub key: Option<ScopedKey>,
}

/// An idempotency key and whose it is: keys of different users and API keys do not meet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ScopedKey {
    pub scope: KeyScope,
    pub key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum KeyScope {
    User(UserId),
    /// The id of an API key, which is no secret.
    ApiKey(String),
}

/// On whose behalf history is read: publications with `to` are for their audience.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reader {
    /// A backend with an API key sees all.
    Service,
    /// A user with a token sees what is for all, for the tags the token carries, and for the user.
    User { user: UserId, tags: Vec<String> },
}

/// RFC 9457 `application/problem+json`, with the code of [`ErrorCode`] or of the refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub code: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "ts", ts(optional, as = "Option<Vec<Detail>>"))]
    pub details: Vec<Detail>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The error of a method as its behavior declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional, type = "unknown"))]
    pub data: Option<alloc::boxed::Box<Payload>>,
}

impl Problem {
    #[must_use]
    pub fn new(status: u16, code: &str, title: impl Into<String>) -> Problem {
        Problem {
            kind: "about:blank".into(),
            title: title.into(),
            status,
            code: code.into(),
            details: Vec::new(),
            retry_after_ms: None,
            data: None,
        }
    }

    /// The header `Retry-After`: the whole seconds that hold `retry_after_ms`.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after_ms.map(|ms| ms.div_ceil(1000))
    }

    #[must_use]
    pub fn from_code(code: ErrorCode, title: impl Into<String>) -> Problem {
        Problem::new(code.http_status(), code.as_str(), title)
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Problem {
        let mut problem = Problem::from_code(error.code, error.message);
        problem.details = error.details;
        problem.retry_after_ms = error.retry_after_ms;
        problem.data = error.data.map(alloc::boxed::Box::new);
        problem
    }
}
