//! MessagePack, as much of it as the wire has.
//!
//! `schemas` reads and writes through serde, which instantiates its decoder for every type there is: 280 kB of the
//! browser's module. This reads into a tree of borrowed values, once, in 3 kB.

use alloc::{string::String, vec::Vec};

/// Deeper than any message of the wire, which is told from an attack by it.
const DEPTH_MAX: u32 = 16;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Bool(bool),
    Unsigned(u64),
    Text(&'a str),
    Bytes(&'a [u8]),
    List(Vec<Value<'a>>),
    Map(Map<'a>),
    /// Nil, and kinds of values that no field of the wire has.
    Other,
}

/// Entries with text for a key, in their order; the others are dropped.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Map<'a>(Vec<(&'a str, Value<'a>)>);

/// The bytes end early, hold what MessagePack does not, or nest too deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// Bytes not yet read.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn value(&mut self) -> Result<Value<'a>, Unreadable> {
        self.value_within(DEPTH_MAX)
    }

    fn value_within(&mut self, depth: u32) -> Result<Value<'a>, Unreadable> {
        let marker = self.take(1)?[0];
        match marker {
            0x00..=0x7f => Ok(Value::Unsigned(marker.into())),
            0x80..=0x8f => self.map(u64::from(marker & 0x0f), depth),
            0x90..=0x9f => self.list(u64::from(marker & 0x0f), depth),
            0xa0..=0xbf => self.text(u64::from(marker & 0x1f)),
            0xc0 | 0xe0..=0xff => Ok(Value::Other),
            0xc1 => Err(Unreadable),
            0xc2 | 0xc3 => Ok(Value::Bool(marker == 0xc3)),
            0xc4..=0xc6 => {
                let length = self.number(1 << (marker - 0xc4))?;
                Ok(Value::Bytes(self.take(length)?))
            }
            0xc7..=0xc9 => {
                let length = self.number(1 << (marker - 0xc7))?;
                self.skip(length.saturating_add(1))
            }
            0xca => self.skip(4),
            0xcb => self.skip(8),
            0xcc..=0xcf => Ok(Value::Unsigned(self.number(1 << (marker - 0xcc))?)),
            0xd0..=0xd3 => self.signed(1 << (marker - 0xd0)),
            0xd4..=0xd8 => self.skip((1 << (marker - 0xd4)) + 1),
            0xd9..=0xdb => {
                let length = self.number(1 << (marker - 0xd9))?;
                self.text(length)
            }
            0xdc | 0xdd => {
                let length = self.number(2 << (marker - 0xdc))?;
                self.list(length, depth)
            }
            0xde | 0xdf => {
                let length = self.number(2 << (marker - 0xde))?;
                self.map(length, depth)
            }
        }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Unreadable> {
        let length = usize::try_from(length).map_err(|_| Unreadable)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Unreadable)?;
        self.0 = rest;
        Ok(taken)
    }

    fn skip(&mut self, length: u64) -> Result<Value<'a>, Unreadable> {
        self.take(length).map(|_| Value::Other)
    }

    fn number(&mut self, bytes: u64) -> Result<u64, Unreadable> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn signed(&mut self, bytes: u64) -> Result<Value<'a>, Unreadable> {
        let number = self.number(bytes)?;
        let is_negative = number >> (bytes * 8 - 1) == 1;
        Ok(if is_negative { Value::Other } else { Value::Unsigned(number) })
    }

    fn text(&mut self, length: u64) -> Result<Value<'a>, Unreadable> {
        str::from_utf8(self.take(length)?).map(Value::Text).map_err(|_| Unreadable)
    }

    /// No room is made by a claimed length: each value takes a byte at least, so the frame is the bound.
    fn list(&mut self, length: u64, depth: u32) -> Result<Value<'a>, Unreadable> {
        let depth = depth.checked_sub(1).ok_or(Unreadable)?;
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(self.value_within(depth)?);
        }
        Ok(Value::List(list))
    }

    fn map(&mut self, length: u64, depth: u32) -> Result<Value<'a>, Unreadable> {
        let depth = depth.checked_sub(1).ok_or(Unreadable)?;
        let mut map = Vec::new();
        for _ in 0..length {
            let (key, value) = (self.value_within(depth)?, self.value_within(depth)?);
            if let Value::Text(key) = key {
                map.push((key, value));
            }
        }
        Ok(Value::Map(Map(map)))
    }
}

/// Each `None`, where the field is absent or of another kind.
impl<'a> Map<'a> {
    pub(crate) fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        match self.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        match self.get(key)? {
            Value::Unsigned(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn small(&self, key: &str) -> Option<u32> {
        self.number(key)?.try_into().ok()
    }

    pub(crate) fn truth(&self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// As they came; a key may come twice.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, &Value<'a>)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    pub(crate) fn map(&self, key: &str) -> Option<&Map<'a>> {
        self.get(key)?.as_map()
    }

    pub(crate) fn list(&self, key: &str) -> Option<&[Value<'a>]> {
        match self.get(key)? {
            Value::List(list) => Some(list),
            _ => None,
        }
    }
}

impl<'a> Value<'a> {
    pub(crate) fn as_map(&self) -> Option<&Map<'a>> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }
}

/// Writes one map, whose entries are counted as they come.
pub(crate) struct MapWriter<'a> {
    bytes: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> MapWriter<'a> {
    pub(crate) fn new(bytes: &'a mut Vec<u8>) -> MapWriter<'a> {
        let start = bytes.len();
        bytes.push(0x80);
        MapWriter { bytes, start }
    }

    /// # Panics
    /// At the 16th entry of a map; none of the wire's that a client writes has so many fields.
    fn key(&mut self, key: &str) {
        assert!(self.bytes[self.start] < 0x8f, "a client's messages have at most 15 fields");
        self.bytes[self.start] += 1;
        text(self.bytes, key);
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        text(self.bytes, value);
    }

    pub(crate) fn bytes(&mut self, key: &str, value: &[u8]) {
        self.key(key);
        header(self.bytes, value.len(), [0xc4, 0xc5, 0xc6]);
        self.bytes.extend_from_slice(value);
    }

    pub(crate) fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        if value < 0x80 {
            self.bytes.push(value as u8);
        } else if let Ok(value) = u32::try_from(value) {
            self.bytes.push(0xce);
            self.bytes.extend_from_slice(&value.to_be_bytes());
        } else {
            self.bytes.push(0xcf);
            self.bytes.extend_from_slice(&value.to_be_bytes());
        }
    }

    pub(crate) fn truth(&mut self, key: &str, value: bool) {
        self.key(key);
        self.bytes.push(if value { 0xc3 } else { 0xc2 });
    }

    /// Left out where empty, as the wire does.
    pub(crate) fn texts<T>(&mut self, key: &str, values: &[T], as_text: impl Fn(&T) -> String) {
        if values.is_empty() {
            return;
        }
        for value in self.list(key, values) {
            text(self.bytes, &as_text(value));
        }
    }

    pub(crate) fn maps<T>(&mut self, key: &str, values: &[T], write: impl Fn(&mut MapWriter<'_>, &T)) {
        for value in self.list(key, values) {
            write(&mut MapWriter::new(self.bytes), value);
        }
    }

    /// Begins a list; gives those that go into it.
    fn list<'v, T>(&mut self, key: &str, values: &'v [T]) -> &'v [T] {
        self.key(key);
        let count = u16::try_from(values.len()).unwrap_or(u16::MAX);
        self.bytes.push(0xdc);
        self.bytes.extend_from_slice(&count.to_be_bytes());
        &values[..count.into()]
    }

    pub(crate) fn map(&mut self, key: &str) -> MapWriter<'_> {
        self.key(key);
        MapWriter::new(self.bytes)
    }
}

fn text(bytes: &mut Vec<u8>, value: &str) {
    if value.len() < 32 {
        bytes.push(0xa0 | value.len() as u8);
    } else {
        header(bytes, value.len(), [0xd9, 0xda, 0xdb]);
    }
    bytes.extend_from_slice(value.as_bytes());
}

/// # Panics
/// From 4 GiB on, which no queue holds.
fn header(bytes: &mut Vec<u8>, length: usize, markers: [u8; 3]) {
    if let Ok(length) = u8::try_from(length) {
        bytes.extend_from_slice(&[markers[0], length]);
    } else if let Ok(length) = u16::try_from(length) {
        bytes.push(markers[1]);
        bytes.extend_from_slice(&length.to_be_bytes());
    } else {
        let length = u32::try_from(length).expect("a request is bounded far below 4 GiB");
        bytes.push(markers[2]);
        bytes.extend_from_slice(&length.to_be_bytes());
    }
}
