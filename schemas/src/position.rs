//! Where in a room's log something stands.

use alloc::{format, string::String};
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A publication's place in its room's order: rises by one a publication, the first is 1, below 2^53 so that
/// every JavaScript number holds it. 0 stands for "before the first".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "number"))]
#[serde(transparent)]
pub struct Offset(u64);

/// The largest integer that JavaScript holds exactly, 2^53 − 1.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

impl Offset {
    pub const ZERO: Offset = Offset(0);

    /// `None` at 2^53 and above.
    #[must_use]
    pub fn new(value: u64) -> Option<Offset> {
        (value <= INTEGER_MAX).then_some(Offset(value))
    }

    #[must_use]
    pub fn value(self) -> u64 {
        self.0
    }

    /// The offset of the publication after this one.
    ///
    /// # Panics
    /// After 2^53 publications in one epoch, which at a million a second takes 285 years.
    #[must_use]
    pub fn next(self) -> Offset {
        Offset::new(self.0 + 1).expect("a log does not live to hold 2^53 publications")
    }

    /// The offset `count` places before this one, or 0.
    #[must_use]
    pub fn back(self, count: u64) -> Offset {
        Offset(self.0.saturating_sub(count))
    }

    /// The offset `count` places after this one, or the last there is.
    #[must_use]
    pub fn ahead(self, count: u64) -> Offset {
        Offset(self.0.saturating_add(count).min(INTEGER_MAX))
    }

    /// How many publications lie in `(earlier, self]`.
    #[must_use]
    pub fn since(self, earlier: Offset) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = u64::deserialize(deserializer)?;
        Offset::new(value).ok_or_else(|| de::Error::custom("an offset is below 2^53"))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The identity of a log: 16 hex digits. A new log is a new epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "string"))]
pub struct Epoch(u64);

impl Epoch {
    #[must_use]
    pub fn new(random: u64) -> Epoch {
        Epoch(random)
    }

    /// `None` for anything but 16 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Epoch> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 16 && text.bytes().all(hex))
            .then(|| u64::from_str_radix(text, 16).ok().map(Epoch))
            .flatten()
    }

    #[must_use]
    pub fn value(self) -> u64 {
        self.0
    }

    /// As it is written.
    #[must_use]
    pub fn hex(self) -> String {
        hex(self.0, 16)
    }
}

/// The low digits of a number. (The browser's module has no formatting machinery: it would be a fifth of it.)
pub(crate) fn hex(number: u64, digits: u32) -> String {
    (0..digits).rev().filter_map(|place| char::from_digit((number >> (4 * place)) as u32 & 15, 16)).collect()
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl Serialize for Epoch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{self}"))
    }
}

impl<'de> Deserialize<'de> for Epoch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Epoch::parse(&text).ok_or_else(|| de::Error::custom("an epoch is 16 hex digits"))
    }
}

/// What a client has of a log: everything it may see up to and including `offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Position {
    pub epoch: Epoch,
    pub offset: Offset,
}
