//! Who someone is and what they may do in one room: a verified token, read for that room.

use alloc::{string::String, vec::Vec};
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    ids::{TokenId, UserId},
    payload::Payload,
    revocation::Bearer,
};

/// One thing that a token may allow in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Capability {
    /// Connect, receive, read state, subscribe to tags.
    Join = 1 << 0,
    /// Publish, ephemeral, react.
    Publish = 1 << 1,
    /// Be listed, set data, see members.
    Presence = 1 << 2,
    /// History, rewind.
    History = 1 << 3,
    /// Write state.
    State = 1 << 4,
    Call = 1 << 5,
    EditOwn = 1 << 6,
    EditAny = 1 << 7,
    /// Remove any, disconnect, write others' owned keys.
    Moderate = 1 << 8,
}

impl Capability {
    pub const ALL: [Capability; 9] = [
        Capability::Join,
        Capability::Publish,
        Capability::Presence,
        Capability::History,
        Capability::State,
        Capability::Call,
        Capability::EditOwn,
        Capability::EditAny,
        Capability::Moderate,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Capability::Join => "join",
            Capability::Publish => "publish",
            Capability::Presence => "presence",
            Capability::History => "history",
            Capability::State => "state",
            Capability::Call => "call",
            Capability::EditOwn => "edit-own",
            Capability::EditAny => "edit-any",
            Capability::Moderate => "moderate",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Capability> {
        Capability::ALL.into_iter().find(|capability| capability.as_str() == text)
    }
}

/// A set of capabilities. In JSON a list of names; in MessagePack, which is for us alone, their bits.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u16);

impl Capabilities {
    pub const NONE: Capabilities = Capabilities(0);

    /// What `["*"]` grants.
    #[must_use]
    pub fn all() -> Capabilities {
        Capability::ALL.into_iter().collect()
    }

    #[must_use]
    pub fn has(self, capability: Capability) -> bool {
        self.0 & capability as u16 != 0
    }

    #[must_use]
    pub fn union(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 | other.0)
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |capability| self.has(*capability))
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(items: I) -> Self {
        Capabilities(items.into_iter().fold(0, |bits, capability| bits | capability as u16))
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Capability::as_str)).finish()
    }
}

impl Serialize for Capabilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_seq(self.iter().map(Capability::as_str))
        } else {
            serializer.serialize_u16(self.0)
        }
    }
}

/// Accepts names and `*`, and in MessagePack also bits (the first layout of attachments has names); what this version
/// does not know is an error.
impl<'de> Deserialize<'de> for Capabilities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_seq(CapabilitiesVisitor)
        } else {
            deserializer.deserialize_any(CapabilitiesVisitor)
        }
    }
}

struct CapabilitiesVisitor;

impl<'de> de::Visitor<'de> for CapabilitiesVisitor {
    type Value = Capabilities;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of capabilities")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut names: A) -> Result<Capabilities, A::Error> {
        let mut set = Capabilities::NONE;
        while let Some(name) = names.next_element::<String>()? {
            set = set.union(match name.as_str() {
                "*" => Capabilities::all(),
                name => Capability::parse(name)
                    .map(|capability| [capability].into_iter().collect())
                    .ok_or_else(|| de::Error::custom(alloc::format!("no capability is called {name:?}")))?,
            });
        }
        Ok(set)
    }

    fn visit_u64<E: de::Error>(self, bits: u64) -> Result<Capabilities, E> {
        let set: Capabilities =
            Capability::ALL.into_iter().filter(|capability| bits & *capability as u64 != 0).collect();
        if u64::from(set.0) == bits { Ok(set) } else { Err(E::custom("unknown capabilities")) }
    }
}

/// What the gateway tells a room about a connection it forwards: verified, and read for this room.
/// The default is nobody, who may do nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Claims {
    /// `None` for a `public` kind without a token: the room then makes `anon-` + the session's public id of it.
    pub user: Option<UserId>,
    pub capabilities: Capabilities,
    /// Public profile shown to others, ≤ 1 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Payload>,
    /// Tags that the connection carries and cannot drop, ≤ 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Milliseconds since 1970; `None` where there was no token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// When the token was issued, where it says so. Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<u64>,
    /// What stands for the token's `jti`, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<TokenId>,
}

impl Claims {
    /// What a revocation asks; `None` where there was no token.
    #[must_use]
    pub fn bearer(&self) -> Option<Bearer<'_>> {
        let user = self.expires_at.and(self.user.as_ref())?;
        Some(Bearer { user, jti: self.jti.as_ref(), issued_at: self.issued_at })
    }
}
