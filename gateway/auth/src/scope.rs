//! What an API key is for.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// One thing that an API key may be for. What each endpoint needs stands in docs/PROTOCOL.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Scope {
    /// Publish to rooms and users.
    Publish = 1 << 0,
    /// History, members, shared state, a room's info, server-sent events.
    Read = 1 << 1,
    /// Edit and remove messages, write shared state.
    Edit = 1 << 2,
    /// Disconnect and block.
    Moderate = 1 << 3,
    /// List and delete rooms, usage, webhooks.
    Admin = 1 << 4,
    /// Mint tokens.
    Tokens = 1 << 5,
    /// Revoke tokens.
    Revoke = 1 << 6,
    Metrics = 1 << 7,
    /// Call methods of rooms' behaviors.
    Call = 1 << 8,
}

impl Scope {
    pub const ALL: [Scope; 9] = [
        Scope::Publish,
        Scope::Read,
        Scope::Edit,
        Scope::Moderate,
        Scope::Admin,
        Scope::Tokens,
        Scope::Revoke,
        Scope::Metrics,
        Scope::Call,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Publish => "publish",
            Scope::Read => "read",
            Scope::Edit => "edit",
            Scope::Moderate => "moderate",
            Scope::Admin => "admin",
            Scope::Tokens => "tokens",
            Scope::Revoke => "revoke",
            Scope::Metrics => "metrics",
            Scope::Call => "call",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Scope::parse(&text).ok_or_else(|| {
            let names = Scope::ALL.map(Scope::as_str).join(", ");
            de::Error::custom(format!("no scope is called {text:?}: they are {names}"))
        })
    }
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u16);

impl Scopes {
    #[must_use]
    pub fn all() -> Scopes {
        Scope::ALL.into_iter().collect()
    }

    #[must_use]
    pub fn has(self, scope: Scope) -> bool {
        self.0 & scope as u16 != 0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(items: I) -> Self {
        Scopes(items.into_iter().fold(0, |bits, scope| bits | scope as u16))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Scope::ALL.into_iter().filter(|scope| self.has(*scope)).map(Scope::as_str);
        f.debug_set().entries(names).finish()
    }
}
