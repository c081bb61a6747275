//! Every way to say no before a room is touched.

use schemas::CloseCode;

use crate::issuer::Wanted;

/// Why somebody is not let in: the refusal table of docs/PROTOCOL.md, in the order in which it is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{}", schemas::RoomName::SHAPE)]
    BadRoomName,
    #[error("no kind of that name is configured")]
    UnknownKind,
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("{0}")]
    Unauthorized(Flaw),
    #[error("the token has expired")]
    TokenExpired,
    #[error("the token was revoked")]
    Revoked,
    /// Fetch them and ask again.
    #[error("the keys of the token's issuer have not come yet")]
    Unready(Wanted),
    #[error("the keys of the token's issuer cannot be fetched")]
    KeysUnavailable,
    #[error("the WebSocket subprotocol must be roomcast.v1.msgpack or roomcast.v1.json")]
    UnsupportedProtocol,
}

impl Refusal {
    #[must_use]
    pub fn http_status(self) -> u16 {
        self.row().0
    }

    /// The code in the problem of an HTTP answer.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.row().1
    }

    #[must_use]
    pub fn close_code(self) -> CloseCode {
        self.row().2
    }

    fn row(self) -> (u16, &'static str, CloseCode) {
        match self {
            Refusal::BadRoomName => (400, "bad_room_name", CloseCode::BadRequest),
            Refusal::UnknownKind => (404, "unknown_kind", CloseCode::UnknownKind),
            Refusal::Forbidden(_) => (403, "forbidden", CloseCode::Forbidden),
            Refusal::Unauthorized(_) => (401, "unauthorized", CloseCode::Unauthorized),
            Refusal::TokenExpired => (401, "token_expired", CloseCode::TokenExpired),
            Refusal::Revoked => (401, "revoked", CloseCode::Revoked),
            Refusal::Unready(_) | Refusal::KeysUnavailable => (503, "unavailable", CloseCode::Overloaded),
            Refusal::UnsupportedProtocol => (400, "unsupported_protocol", CloseCode::UnsupportedProtocol),
        }
    }
}

/// What is wrong with a token or an API key. The text helps whoever issues them, and never quotes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("a token is needed")]
    Missing,
    #[error("the token is longer than 8 KiB")]
    TooLong,
    #[error("the token is not a JWT of three base64url parts")]
    Malformed,
    #[error("the token's header is not an object of the registered types, each name once")]
    Header,
    #[error("the token's header carries crit, jku, jwk, x5u or x5c, which are refused")]
    HeaderParameter,
    #[error("the token's kid names no key of its issuer")]
    UnknownKey,
    #[error("the token has no kid, and its alg is not that of exactly one key of its issuer")]
    NoKey,
    #[error("the token's alg is not its key's")]
    Algorithm,
    #[error("the token's signature does not verify")]
    Signature,
    #[error("the token's claims are not an object, each name once")]
    Claims,
    #[error("the token's claim {0} is missing, of the wrong type or out of bounds")]
    Claim(&'static str),
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the token's issuer is not its key's")]
    Issuer,
    #[error("the token is for another audience")]
    Audience,
    #[error("the API key is not known")]
    ApiKey,
    #[error("the API key has expired")]
    ApiKeyExpired,
}

impl From<Flaw> for Refusal {
    fn from(flaw: Flaw) -> Refusal {
        Refusal::Unauthorized(flaw)
    }
}
