//! What the application sends: opaque, which means not interpreted.
//!
//! On entry a payload is checked to be exactly one JSON value of depth ≤ 64 and freed of line breaks outside
//! strings, since a line break in a MessagePack client's text would start a new message for JSON clients. From
//! then on it is copied, never parsed. In MessagePack it is str (JSON text) or bin (bytes); in JSON it is any
//! value, and bytes are an object whose only key is `$bin`, with base64.

use alloc::{string::String, vec::Vec};
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits::PAYLOAD_DEPTH_MAX;

#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Payload {
    Json(JsonText),
    Bytes(Vec<u8>),
}

/// Exactly one JSON value, without line breaks outside strings. (Without the feature `json` the text is trusted to
/// be JSON: the browser's `JSON.stringify` wrote it, or a server that checked it.)
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct JsonText(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    #[error("must be exactly one JSON value")]
    NotJson,
    #[error("must not nest deeper than {PAYLOAD_DEPTH_MAX}")]
    TooDeep,
    #[error("$bin must be base64")]
    NotBase64,
}

impl JsonText {
    /// # Errors
    /// When the text is not one JSON value, or nests deeper than 64.
    pub fn check(text: String) -> Result<JsonText, PayloadError> {
        let scanned = scan(&text);
        if scanned.depth > PAYLOAD_DEPTH_MAX {
            return Err(PayloadError::TooDeep);
        }
        #[cfg(feature = "json")]
        serde_json::from_str::<de::IgnoredAny>(&text).map_err(|_| PayloadError::NotJson)?;
        Ok(JsonText(if scanned.has_line_breaks { without_line_breaks(&text) } else { text }))
    }

    /// A text that was checked before it was stored: it is not looked at again.
    #[must_use]
    pub fn trusted(text: String) -> JsonText {
        JsonText(text)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Payload {
    /// A JSON text as a payload; an object whose only key is `$bin` becomes bytes.
    ///
    /// # Errors
    /// As [`JsonText::check`], and when `$bin` holds no base64.
    pub fn from_json(text: String) -> Result<Payload, PayloadError> {
        let text = JsonText::check(text)?;
        #[cfg(feature = "json")]
        if let Some(bytes) = bytes_in_json(&text.0)? {
            return Ok(Payload::Bytes(bytes));
        }
        Ok(Payload::Json(text))
    }

    /// A value of our own as a payload.
    ///
    /// # Panics
    /// Where it has no JSON form: maps with other keys than strings.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn of(value: &impl Serialize) -> Payload {
        Payload::Json(JsonText(serde_json::to_string(value).expect("a value of ours has a JSON form")))
    }

    /// Size on the wire in bytes, as limits count it.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Payload::Json(text) => text.0.len(),
            Payload::Bytes(bytes) => bytes.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

struct Scanned {
    depth: usize,
    has_line_breaks: bool,
}

/// Nesting and line breaks outside strings, in one pass; of use only where the text is JSON.
fn scan(text: &str) -> Scanned {
    let (mut depth, mut depth_max, mut has_line_breaks) = (0usize, 0, false);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                depth_max = depth_max.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'\n' | b'\r' => has_line_breaks = true,
            _ => {}
        }
    }
    Scanned { depth: depth_max, has_line_breaks }
}

/// JSON strings cannot hold raw line breaks, so every one in the text stands outside them.
fn without_line_breaks(text: &str) -> String {
    text.chars().filter(|char| !matches!(char, '\n' | '\r')).collect()
}

#[cfg(feature = "json")]
fn bytes_in_json(text: &str) -> Result<Option<Vec<u8>>, PayloadError> {
    use base64::Engine as _;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Bin {
        #[serde(rename = "$bin")]
        base64: String,
    }
    // Serde would take a list for the fields in their order.
    if !text.trim_ascii_start().starts_with('{') || !text.contains("\"$bin\"") {
        return Ok(None);
    }
    let Ok(bin) = serde_json::from_str::<Bin>(text) else { return Ok(None) };
    base64::engine::general_purpose::STANDARD
        .decode(bin.base64)
        .map(Some)
        .map_err(|_| PayloadError::NotBase64)
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return match self {
                Payload::Json(text) => serializer.serialize_str(&text.0),
                Payload::Bytes(bytes) => serializer.serialize_bytes(bytes),
            };
        }
        #[cfg(feature = "json")]
        return json::serialize(self, serializer);
        #[cfg(not(feature = "json"))]
        return Err(serde::ser::Error::custom("built without the JSON codec"));
    }
}

#[cfg(feature = "json")]
mod json {
    use base64::Engine as _;
    use serde::{Serialize, Serializer, ser, ser::SerializeMap};

    use super::Payload;

    pub(super) fn serialize<S: Serializer>(payload: &Payload, serializer: S) -> Result<S::Ok, S::Error> {
        match payload {
            Payload::Json(text) => {
                let raw: &serde_json::value::RawValue =
                    serde_json::from_str(&text.0).map_err(ser::Error::custom)?;
                raw.serialize(serializer)
            }
            Payload::Bytes(bytes) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("$bin", &base64::engine::general_purpose::STANDARD.encode(bytes))?;
                map.end()
            }
        }
    }
}

/// Reads what a *checked* payload was written as, in a log row or by a server. What a client sends comes in as a
/// [`UncheckedPayload`].
impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        UncheckedPayload::deserialize(deserializer)?.check().map_err(de::Error::custom)
    }
}

/// A payload as it came from outside. Decoding keeps it apart, so that a bad one refuses its request and not the
/// whole frame.
#[derive(Debug, Clone)]
pub enum UncheckedPayload {
    Text(String),
    Bytes(Vec<u8>),
}

impl UncheckedPayload {
    /// # Errors
    /// As [`Payload::from_json`].
    pub fn check(self) -> Result<Payload, PayloadError> {
        match self {
            UncheckedPayload::Text(text) => Payload::from_json(text),
            UncheckedPayload::Bytes(bytes) => Ok(Payload::Bytes(bytes)),
        }
    }
}

impl<'de> Deserialize<'de> for UncheckedPayload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return deserializer.deserialize_any(BinaryVisitor);
        }
        #[cfg(feature = "json")]
        return alloc::boxed::Box::<serde_json::value::RawValue>::deserialize(deserializer)
            .map(|raw| UncheckedPayload::Text(String::from(alloc::boxed::Box::<str>::from(raw))));
        #[cfg(not(feature = "json"))]
        return Err(de::Error::custom("built without the JSON codec"));
    }
}

/// For a field that may be missing, but whose JSON `null` is a payload like any other.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

struct BinaryVisitor;

impl de::Visitor<'_> for BinaryVisitor {
    type Value = UncheckedPayload;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a payload: str (JSON text) or bin (bytes)")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(UncheckedPayload::Text(text.into()))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(UncheckedPayload::Bytes(bytes.into()))
    }
}

/// Payloads never reach a log line: their size does.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Payload::Json(text) => write!(f, "Json({} bytes)", text.0.len()),
            Payload::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
        }
    }
}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonText({} bytes)", self.0.len())
    }
}
