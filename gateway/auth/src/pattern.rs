//! The patterns under a token's `rooms`.

use schemas::{RoomName, UserId};

/// Stands for the token's user.
const SUB: &str = "{sub}";

/// What a pattern is, is decided before `{sub}` is filled in: a user called `*` gains no rights by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// `*`
    Any,
    /// `chat:*`
    Kind(String),
    /// Anything else, compared byte by byte; what is no room's name matches no room.
    Exact(String),
}

impl Pattern {
    pub(crate) fn new(text: &str, user: &UserId) -> Pattern {
        let filled = |text: &str| text.replace(SUB, user.as_str());
        match text.strip_suffix(":*") {
            Some(kind) => Pattern::Kind(filled(kind)),
            None if text == "*" => Pattern::Any,
            None => Pattern::Exact(filled(text)),
        }
    }

    pub(crate) fn matches(&self, room: &RoomName) -> bool {
        match self {
            Pattern::Any => true,
            Pattern::Kind(kind) => kind == room.kind(),
            Pattern::Exact(name) => name == room.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, user: &str, room: &str) -> bool {
        let user = UserId::parse(user).expect("a user");
        Pattern::new(pattern, &user).matches(&RoomName::parse(room).expect("a room"))
    }

    #[test]
    fn r_auth_3_a_pattern_matches_byte_by_byte() {
        let rows = [
            ("*", "ann", "chat:a", true),
            ("chat:*", "ann", "chat:a", true),
            ("chat:a", "ann", "chat:a", true),
            ("chat:a", "ann", "chat:A", false),
            ("chat:a", "ann", "chat:ab", false),
            ("chat:ab", "ann", "chat:a", false),
            ("Chat:*", "ann", "chat:a", false),
            ("cha:*", "ann", "chat:a", false),
            ("chat", "ann", "chat:a", false),
            ("chat:", "ann", "chat:a", false),
            ("chat*", "ann", "chat:a", false),
            ("cha*", "ann", "chat:a", false),
            ("chat:a*", "ann", "chat:ab", false),
            ("chat:*:x", "ann", "chat:x", false),
            ("chat:*b", "ann", "chat:ab", false),
            ("*:a", "ann", "chat:a", false),
            ("*:*", "ann", "chat:a", false),
            ("**", "ann", "chat:a", false),
            ("", "ann", "chat:a", false),
            (":*", "ann", "chat:a", false),
            (" chat:*", "ann", "chat:a", false),
            ("chat:* ", "ann", "chat:a", false),
            ("chat:%61", "ann", "chat:a", false),
            ("ch\u{430}t:*", "ann", "chat:a", false),
            ("default/chat:a", "ann", "chat:a", false),
        ];
        for (pattern, user, room, expected) in rows {
            assert_eq!(matches(pattern, user, room), expected, "{pattern} on {room}");
        }
    }

    #[test]
    fn r_auth_3_sub_stands_for_the_user_and_never_becomes_a_wildcard() {
        let rows = [
            ("user:{sub}", "ann", "user:ann", true),
            ("user:{sub}", "ann", "user:bob", false),
            ("dm:{sub}-{sub}", "ann", "dm:ann-ann", true),
            ("{sub}", "user:ann", "user:ann", true),
            ("{sub}", "*", "chat:a", false),
            ("chat:{sub}", "*", "chat:a", false),
            ("{sub}:*", "*", "chat:a", false),
            ("{sub}a", "chat:*:", "chat:a", false),
            ("user:{sub}", "{sub}", "user:ann", false),
            ("user:{SUB}", "ann", "user:ann", false),
            ("user:{sub", "ann", "user:ann", false),
        ];
        for (pattern, user, room, expected) in rows {
            assert_eq!(matches(pattern, user, room), expected, "{pattern} of {user} on {room}");
        }
    }
}
