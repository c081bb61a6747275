//! Schemas of the types that read and write themselves, and of answers that have no type.

use alloc::{borrow::Cow, collections::BTreeMap, vec::Vec};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::{
    claims::{Capabilities, Capability},
    ids::{ConnectionId, PublicSession, RoomName, Session, Tenant, UserId},
    payload::{Payload, UncheckedPayload},
    position::{Epoch, INTEGER_MAX, Offset},
};

macro_rules! schema {
    ($($type:ty => $schema:expr),* $(,)?) => {
        $(
            impl JsonSchema for $type {
                fn schema_name() -> Cow<'static, str> {
                    let path = stringify!($type);
                    path.into()
                }

                fn inline_schema() -> bool {
                    true
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    $schema
                }
            }
        )*
    };
}

schema! {
    UserId => json_schema!({ "type": "string", "minLength": 1, "maxLength": 128 }),
    PublicSession => json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{16}$" }),
    Session => json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{8,64}$" }),
    ConnectionId => json_schema!({ "type": "string", "pattern": "^[0-9a-f]{14}$" }),
    Tenant => json_schema!({ "type": "string", "pattern": "^[a-z0-9-]{1,64}$" }),
    RoomName => json_schema!({ "type": "string", "pattern": "^[a-z][a-z0-9-]{0,31}:[A-Za-z0-9._~-]{1,128}$" }),
    Epoch => json_schema!({ "type": "string", "pattern": "^[0-9a-f]{16}$" }),
    Offset => json_schema!({ "type": "integer", "minimum": 0, "maximum": INTEGER_MAX }),
    Payload => json_schema!({ "description": "Any JSON value; bytes are `{\"$bin\": base64}`." }),
    UncheckedPayload => json_schema!({ "description": "Any JSON value; bytes are `{\"$bin\": base64}`." }),
    Capabilities => json_schema!({
        "type": "array",
        "items": {
            "type": "string",
            "enum": Capability::ALL.map(Capability::as_str).into_iter().chain(["*"]).collect::<Vec<_>>(),
        },
    }),
}

/// An answer that says no more than that it was done.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Empty {}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "its shape is what is read")]
pub(super) struct Health {
    /// `ok`.
    status: alloc::string::String,
    version: alloc::string::String,
}

/// RFC 7517.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "its shape is what is read")]
pub(super) struct Jwks {
    keys: Vec<Value>,
}

/// An OpenAPI 3.1 document.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "its shape is what is read")]
pub(super) struct OpenApi {
    openapi: alloc::string::String,
    info: Value,
    paths: Value,
}

/// A method's arguments.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "its shape is what is read")]
pub(super) struct Args(Payload);

/// A line of a streamed answer.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "its shape is what is read")]
pub(super) enum Chunk {
    More { result: Payload, more: bool },
    Failed { error: crate::http::Problem },
}

/// What a publish answers.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "its shape is what is read")]
pub(super) enum PublishAnswer {
    Logged(crate::server_message::Published),
    Ephemeral(Empty),
}

/// A [`PublishBody`](crate::http::PublishBody) and where it goes.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "its shape is what is read")]
pub struct BatchMessage {
    room: RoomName,
    #[serde(flatten)]
    publish: crate::http::PublishBody,
}

/// `oneOf` for a body of which each way to write it has some fields, which are not null, and none of others.
pub(crate) fn ways(ways: &[(&[&str], &[&str])]) -> Value {
    let way = |(present, absent): &(&[&str], &[&str])| {
        let not_null = present.iter().map(|name| (*name, json!({ "not": { "type": "null" } })));
        let null = absent.iter().map(|name| (*name, json!({ "type": "null" })));
        let properties: BTreeMap<&str, Value> = not_null.chain(null).collect();
        json!({ "title": present.first().unwrap_or(&"neither"), "required": present, "properties": properties })
    };
    ways.iter().map(way).collect()
}

/// `oneOf` for an operation on shared state, in which a value may be null.
pub(crate) fn state_op_ways() -> Value {
    json!([
        {
            "title": "set", "required": ["set", "value"],
            "properties": { "set": { "type": "string" }, "delete": { "type": "null" } },
        },
        {
            "title": "delete", "required": ["delete"],
            "properties": { "delete": { "type": "string" }, "set": { "type": "null" }, "value": false },
        },
    ])
}

/// Seconds, or a duration.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
pub enum BlockFor {
    Seconds(u64),
    Duration(alloc::string::String),
}
