//! Names of rooms, tenants, users, sessions and connections.

use alloc::{
    format,
    string::{String, ToString},
};
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::position::{INTEGER_MAX, hex};

/// One WebSocket; a new one on every reconnect. Random, below 2^53 so that a JavaScript number holds it; shown as
/// 14 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "string"))]
pub struct ConnectionId(u64);

impl ConnectionId {
    /// Takes the low 53 bits.
    #[must_use]
    pub fn new(random: u64) -> ConnectionId {
        ConnectionId(random & INTEGER_MAX)
    }

    #[must_use]
    pub fn value(self) -> u64 {
        self.0
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<ConnectionId> {
        if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        u64::from_str_radix(text, 16).ok().filter(|value| *value <= INTEGER_MAX).map(ConnectionId)
    }

    /// As it is written.
    #[must_use]
    pub fn hex(self) -> String {
        hex(self.0, 14)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl Serialize for ConnectionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{self}"))
    }
}

impl<'de> Deserialize<'de> for ConnectionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        ConnectionId::parse(&text).ok_or_else(|| de::Error::custom("a connection id is 14 hex digits"))
    }
}

/// A checked string: the macro's `$valid` says which, `$what` says so to whoever sent another.
macro_rules! checked_string {
    ($(#[$doc:meta])* $name:ident, $what:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "string"))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// What a valid one looks like, for error messages.
            pub const SHAPE: &str = $what;

            #[must_use]
            pub fn parse(text: &str) -> Option<$name> {
                let valid: fn(&str) -> bool = $valid;
                valid(text).then(|| $name(text.to_string()))
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                $name::parse(&text).ok_or_else(|| de::Error::custom($what))
            }
        }
    };
}

checked_string!(
    /// The token's `sub`: 1 to 128 bytes.
    UserId,
    "a user is 1 to 128 bytes",
    |text| (1..=128).contains(&text.len())
);

checked_string!(
    /// One client instance across its reconnects, chosen by it and secret, scoped to its user. Others see its
    /// [`PublicSession`].
    Session,
    "a session is 8 to 64 of [A-Za-z0-9_-]",
    |text| (8..=64).contains(&text.len()) && text.bytes().all(is_base64url)
);

checked_string!(
    /// What others see of a session: the first 16 characters of base64url(SHA-256(session)).
    PublicSession,
    "a public session is 16 of [A-Za-z0-9_-]",
    |text| text.len() == 16 && text.bytes().all(is_base64url)
);

checked_string!(
    /// What stands for a token's `jti` in what is kept: the first 16 characters of base64url(SHA-256(jti)).
    TokenId,
    "a token's id is 16 of [A-Za-z0-9_-]",
    |text| text.len() == 16 && text.bytes().all(is_base64url)
);

checked_string!(
    /// Isolates everything: 1 to 64 of `[a-z0-9-]`.
    Tenant,
    "a tenant is 1 to 64 of [a-z0-9-]",
    |text| (1..=64).contains(&text.len()) && text.bytes().all(is_lower_or_dash)
);

checked_string!(
    /// A room's configuration class: `[a-z][a-z0-9-]{0,31}`.
    KindName,
    "a kind is [a-z][a-z0-9-]{0,31}",
    |text| (1..=32).contains(&text.len())
        && text.as_bytes()[0].is_ascii_lowercase()
        && text.bytes().all(is_lower_or_dash)
);

impl Tenant {
    /// The tenant of keys that name none.
    #[must_use]
    pub fn default_tenant() -> Tenant {
        Tenant("default".to_string())
    }
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_lower_or_dash(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

/// `kind:id`, compared byte by byte; id `[A-Za-z0-9._~-]{1,128}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "string"))]
pub struct RoomName {
    text: String,
    colon: usize,
}

impl RoomName {
    pub const SHAPE: &str = "a room is kind:id, kind [a-z][a-z0-9-]{0,31}, id [A-Za-z0-9._~-]{1,128}";

    #[must_use]
    pub fn parse(text: &str) -> Option<RoomName> {
        let colon = text.find(':')?;
        let (kind, id) = (&text[..colon], &text[colon + 1..]);
        KindName::parse(kind)?;
        let id_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'-');
        ((1..=128).contains(&id.len()) && id.bytes().all(id_byte))
            .then(|| RoomName { text: text.to_string(), colon })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn kind(&self) -> &str {
        &self.text[..self.colon]
    }

    #[must_use]
    pub fn id(&self) -> &str {
        &self.text[self.colon + 1..]
    }

    /// The name of the room's object: `tenant/kind:id`.
    #[must_use]
    pub fn object_name(&self, tenant: &Tenant) -> String {
        format!("{tenant}/{}", self.text)
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for RoomName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for RoomName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        RoomName::parse(&text).ok_or_else(|| de::Error::custom(RoomName::SHAPE))
    }
}

/// A label on connections and publications: 1 to 64 bytes. Tags that begin with `$` come from the token or room
/// logic alone.
#[must_use]
pub fn is_tag(text: &str) -> bool {
    (1..=crate::limits::TAG_BYTES_MAX).contains(&text.len())
}

#[must_use]
pub fn is_reserved_tag(text: &str) -> bool {
    text.starts_with('$')
}
