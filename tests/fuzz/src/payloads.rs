//! What an application sends.

use schemas::{
    limits::PAYLOAD_DEPTH_MAX,
    payload::{Payload, UncheckedPayload},
};
use serde_json::value::RawValue;

/// Any text as a payload, alone and as either codec holds it. What is accepted is one JSON value, shallow and free
/// of line breaks; and what is that and no object is accepted.
pub fn payloads(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    check(&text, Payload::from_json(text.clone()).ok());
    let packed = rmp_serde::to_vec(&text).expect("text is MessagePack");
    let unchecked: UncheckedPayload = rmp_serde::from_slice(&packed).expect("text may be a payload");
    check(&text, unchecked.check().ok());
    if let Ok(unchecked) = rmp_serde::from_slice::<UncheckedPayload>(bytes) {
        drop(unchecked.check());
    }
    if let Ok(unchecked) = serde_json::from_str::<UncheckedPayload>(&text) {
        check(&text, unchecked.check().ok());
    }
}

fn check(text: &str, payload: Option<Payload>) {
    let json = serde_json::from_str::<&RawValue>(text);
    match payload {
        Some(Payload::Json(accepted)) => {
            assert!(json.is_ok(), "what is accepted is JSON");
            let again: &RawValue = serde_json::from_str(accepted.as_str()).expect("is JSON still");
            assert!(!nests_deeper(again, PAYLOAD_DEPTH_MAX), "nests no deeper than the bound");
            assert!(!accepted.as_str().contains(['\n', '\r']), "is free of line breaks");
            let same = without_space(text) == without_space(accepted.as_str());
            assert!(same, "nothing but space was taken away");
        }
        Some(Payload::Bytes(bytes)) => {
            let json = json.expect("what is accepted is JSON");
            assert!(json.get().starts_with('{') && bytes.len() < text.len(), "bytes are an object in JSON");
        }
        None => {
            if let Ok(json) = json {
                let may_be_bytes = json.get().starts_with('{') && json.get().contains("$bin");
                let plain = !may_be_bytes && !nests_deeper(json, PAYLOAD_DEPTH_MAX);
                assert!(!plain, "a JSON value that is no $bin object is a payload");
            }
        }
    }
}

/// Outside strings alone: JSON has no raw line breaks within.
fn without_space(text: &str) -> String {
    text.chars().filter(|letter| !matches!(letter, ' ' | '\t' | '\n' | '\r')).collect()
}

/// Whether a JSON value nests deeper than `bound`, told by another way than the crate's own.
fn nests_deeper(json: &RawValue, bound: usize) -> bool {
    let within: Vec<&RawValue> = match json.get().as_bytes()[0] {
        b'[' => serde_json::from_str(json.get()).expect("is a list"),
        b'{' => serde_json::from_str::<Values<'_>>(json.get()).expect("is an object").0,
        _ => return false,
    };
    bound == 0 || within.into_iter().any(|json| nests_deeper(json, bound - 1))
}

/// The values of an object, those of names that stand twice included.
struct Values<'a>(Vec<&'a RawValue>);

impl<'de> serde::Deserialize<'de> for Values<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Values<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some((_, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    values.push(value);
                }
                Ok(Values(values))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}
