//! Both codecs, written from the contract's page alone: nothing here knows crate `schemas`, so a mistake in the
//! wire shows as a fault instead of cancelling itself out.
//!
//! Tests speak JSON values. In MessagePack a payload travels as str (JSON text) or bin (bytes); on this side it
//! is the JSON value, or `{"$bin": base64}`, so that both codecs can be compared.

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// One of the two encodings of protocol version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    Json,
    Msgpack,
}

/// The content of one WebSocket message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    Text(String),
    Binary(Vec<u8>),
}

/// Fields whose value is a payload wherever they occur in a message.
const PAYLOAD_FIELDS: [&str; 4] = ["data", "value", "args", "info"];

/// The largest integer that JSON readers agree on.
const INTEGER_MAX: u64 = (1 << 53) - 1;

impl Codec {
    pub const BOTH: [Codec; 2] = [Codec::Json, Codec::Msgpack];

    #[must_use]
    pub fn subprotocol(self) -> &'static str {
        match self {
            Codec::Json => "roomcast.v1.json",
            Codec::Msgpack => "roomcast.v1.msgpack",
        }
    }

    /// One WebSocket message that carries all of `messages`.
    pub fn encode(self, messages: &[Value]) -> Result<Frame> {
        match self {
            Codec::Json => {
                let lines: Vec<String> = messages.iter().map(Value::to_string).collect();
                Ok(Frame::Text(lines.join("\n")))
            }
            Codec::Msgpack => {
                let mut bytes = Vec::new();
                for message in messages {
                    rmpv::encode::write_value(&mut bytes, &message_to_msgpack(message)?)
                        .context("encode MessagePack")?;
                }
                Ok(Frame::Binary(bytes))
            }
        }
    }

    /// The protocol messages in a WebSocket message from the server; an error is the server's fault.
    pub fn decode(self, frame: &Frame) -> Result<Vec<Value>> {
        let messages = match (self, frame) {
            (Codec::Json, Frame::Text(text)) => decode_lines(text)?,
            (Codec::Msgpack, Frame::Binary(bytes)) => decode_values(bytes)?,
            (_, frame) => bail!("{self:?} must not carry {frame:?}"),
        };
        ensure!(!messages.is_empty(), "an empty WebSocket message");
        for message in &messages {
            ensure!(message["t"].is_string(), "no string field t in {message}");
            check_integers(message)?;
        }
        Ok(messages)
    }
}

fn decode_lines(text: &str) -> Result<Vec<Value>> {
    text.strip_suffix('\n')
        .unwrap_or(text)
        .split('\n')
        .map(|line| {
            serde_json::from_str(line).with_context(|| format!("not one JSON value a line: {line:?}"))
        })
        .collect()
}

fn decode_values(bytes: &[u8]) -> Result<Vec<Value>> {
    let mut rest = bytes;
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let value = rmpv::decode::read_value(&mut rest).context("not MessagePack")?;
        messages.push(from_msgpack(value)?);
    }
    Ok(messages)
}

fn check_integers(value: &Value) -> Result<()> {
    match value {
        Value::Number(number) => {
            let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            ensure!(magnitude.is_none_or(|n| n <= INTEGER_MAX), "{number} is beyond 2^53");
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(check_integers),
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| !is_payload(name))
            .try_for_each(|(_, value)| check_integers(value)),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

fn is_payload(field: &str) -> bool {
    PAYLOAD_FIELDS.contains(&field)
}

fn message_to_msgpack(message: &Value) -> Result<rmpv::Value> {
    let Value::Object(fields) = message else { return to_msgpack(message) };
    let hello = fields.get("t").and_then(Value::as_str) == Some("hello");
    map_to_msgpack(fields, hello)
}

fn map_to_msgpack(fields: &Map<String, Value>, hello: bool) -> Result<rmpv::Value> {
    let pairs = fields.iter().map(|(name, value)| {
        let value = if is_payload(name) || (hello && name == "presence") {
            payload_to_msgpack(value)?
        } else {
            to_msgpack(value)?
        };
        Ok((rmpv::Value::from(name.as_str()), value))
    });
    Ok(rmpv::Value::Map(pairs.collect::<Result<_>>()?))
}

/// A JSON value as the MessagePack of the same shape, payload fields inside it as payloads.
fn to_msgpack(value: &Value) -> Result<rmpv::Value> {
    Ok(match value {
        Value::Null => rmpv::Value::Nil,
        Value::Bool(flag) => rmpv::Value::from(*flag),
        Value::Number(number) => {
            if let Some(n) = number.as_u64() {
                rmpv::Value::from(n)
            } else if let Some(n) = number.as_i64() {
                rmpv::Value::from(n)
            } else {
                rmpv::Value::from(number.as_f64().context("a number is an integer or a float")?)
            }
        }
        Value::String(text) => rmpv::Value::from(text.as_str()),
        Value::Array(items) => rmpv::Value::Array(items.iter().map(to_msgpack).collect::<Result<_>>()?),
        Value::Object(fields) => map_to_msgpack(fields, false)?,
    })
}

fn payload_to_msgpack(value: &Value) -> Result<rmpv::Value> {
    Ok(match bytes_of(value) {
        Some(text) => rmpv::Value::Binary(STANDARD.decode(text).context("$bin is base64")?),
        None => rmpv::Value::from(value.to_string()),
    })
}

fn bytes_of(value: &Value) -> Option<&str> {
    let fields = value.as_object()?;
    if fields.len() == 1 { fields.get("$bin")?.as_str() } else { None }
}

fn from_msgpack(value: rmpv::Value) -> Result<Value> {
    Ok(match value {
        rmpv::Value::Nil => Value::Null,
        rmpv::Value::Boolean(flag) => Value::from(flag),
        rmpv::Value::Integer(n) => match n.as_u64() {
            Some(n) => Value::from(n),
            None => Value::from(n.as_i64().context("an integer is u64 or i64")?),
        },
        rmpv::Value::F32(n) => Value::from(n),
        rmpv::Value::F64(n) => Value::from(n),
        rmpv::Value::String(text) => Value::from(text.into_str().context("str is UTF-8")?),
        rmpv::Value::Array(items) => items.into_iter().map(from_msgpack).collect::<Result<_>>()?,
        rmpv::Value::Map(pairs) => Value::Object(map_from_msgpack(pairs)?),
        rmpv::Value::Binary(bytes) => bail!("bytes outside a payload: {bytes:?}"),
        rmpv::Value::Ext(kind, _) => bail!("an extension of type {kind}"),
    })
}

fn map_from_msgpack(pairs: Vec<(rmpv::Value, rmpv::Value)>) -> Result<Map<String, Value>> {
    let mut fields = Map::new();
    // What a method returned is a payload, and comes with `more`; other results are not.
    let is_returned = pairs.iter().any(|(name, _)| name.as_str() == Some("more"));
    for (name, value) in pairs {
        let rmpv::Value::String(name) = name else { bail!("a key that is not a str: {name}") };
        let name = name.into_str().context("a key is UTF-8")?;
        let is_payload = is_payload(&name) || (is_returned && name == "result");
        let value = if is_payload { payload_from_msgpack(value)? } else { from_msgpack(value)? };
        ensure!(fields.insert(name.clone(), value).is_none(), "field {name} twice");
    }
    Ok(fields)
}

fn payload_from_msgpack(value: rmpv::Value) -> Result<Value> {
    match value {
        rmpv::Value::String(text) => {
            let text = text.into_str().context("JSON text is UTF-8")?;
            ensure!(!text.contains('\n'), "a raw line break in a payload: {text:?}");
            serde_json::from_str(&text).with_context(|| format!("a payload that is no JSON text: {text:?}"))
        }
        rmpv::Value::Binary(bytes) => Ok(bin(&bytes)),
        other => bail!("a payload is str or bin, not {other}"),
    }
}

/// Bytes as a payload.
#[must_use]
pub fn bin(bytes: &[u8]) -> Value {
    serde_json::json!({ "$bin": STANDARD.encode(bytes) })
}
