//! Codes that end a connection or refuse a request.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Why the server closes a connection. The range tells a client of any age what to do: below 3500 reconnect, from
/// 3500 stop and surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    Normal,
    MessageTooBig,
    GoingAway,
    Restarted,
    HeartbeatTimeout,
    SlowConsumer,
    Overloaded,
    RoomReset,
    TokenExpired,
    BadRequest,
    Unauthorized,
    Forbidden,
    Revoked,
    BlockedOrKicked,
    RoomFull,
    UnknownKind,
    UnsupportedProtocol,
    RateLimited,
    RoomDeleted,
    SessionReplaced,
    /// A behavior's own: 4000 to 4999.
    Application(u16),
}

impl CloseCode {
    #[must_use]
    pub fn code(self) -> u16 {
        self.row().0
    }

    /// The reason sent with the code, at most 123 bytes as RFC 6455 asks.
    #[must_use]
    pub fn reason(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> (u16, &'static str) {
        match self {
            CloseCode::Normal => (1000, "normal"),
            CloseCode::MessageTooBig => (1009, "message too big"),
            CloseCode::GoingAway => (3000, "going_away"),
            CloseCode::Restarted => (3001, "restarted"),
            CloseCode::HeartbeatTimeout => (3002, "heartbeat_timeout"),
            CloseCode::SlowConsumer => (3003, "slow_consumer"),
            CloseCode::Overloaded => (3004, "overloaded"),
            CloseCode::RoomReset => (3005, "room_reset"),
            CloseCode::TokenExpired => (3010, "token_expired"),
            CloseCode::BadRequest => (3500, "bad_request"),
            CloseCode::Unauthorized => (3501, "unauthorized"),
            CloseCode::Forbidden => (3503, "forbidden"),
            CloseCode::Revoked => (3504, "revoked"),
            CloseCode::BlockedOrKicked => (3505, "blocked_or_kicked"),
            CloseCode::RoomFull => (3506, "room_full"),
            CloseCode::UnknownKind => (3507, "unknown_kind"),
            CloseCode::UnsupportedProtocol => (3508, "unsupported_protocol"),
            CloseCode::RateLimited => (3509, "rate_limited"),
            CloseCode::RoomDeleted => (3510, "room_deleted"),
            CloseCode::SessionReplaced => (3511, "session_replaced"),
            CloseCode::Application(code) => (code, "application"),
        }
    }
}

/// What a client of any age does about a close code it may never have heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterClose {
    /// Reconnect with backoff.
    Reconnect,
    /// Reconnect, at the slow end of the backoff: the server is overloaded.
    ReconnectSlowly,
    /// Fetch a new token, then reconnect.
    RefetchToken,
    /// Final: stop and tell the application.
    Stop,
}

impl AfterClose {
    #[must_use]
    pub fn of(code: u16) -> AfterClose {
        match code {
            3004 => AfterClose::ReconnectSlowly,
            3010 => AfterClose::RefetchToken,
            3500..=3999 | 4500..=4999 => AfterClose::Stop,
            _ => AfterClose::Reconnect,
        }
    }
}

/// Why a request is refused. One more, `bad_room_name` and its like, exist in HTTP only ([`crate::http`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    BadRequest,
    InvalidArgument,
    Unauthorized,
    Forbidden,
    Blocked,
    NotFound,
    Conflict,
    RateLimited,
    TooLarge,
    Unsupported,
    MethodFailed,
    InvalidTransition,
    Cancelled,
    Overloaded,
    Unavailable,
    Internal,
}

impl ErrorCode {
    pub const ALL: [ErrorCode; 16] = [
        ErrorCode::BadRequest,
        ErrorCode::InvalidArgument,
        ErrorCode::Unauthorized,
        ErrorCode::Forbidden,
        ErrorCode::Blocked,
        ErrorCode::NotFound,
        ErrorCode::Conflict,
        ErrorCode::RateLimited,
        ErrorCode::TooLarge,
        ErrorCode::Unsupported,
        ErrorCode::MethodFailed,
        ErrorCode::InvalidTransition,
        ErrorCode::Cancelled,
        ErrorCode::Overloaded,
        ErrorCode::Unavailable,
        ErrorCode::Internal,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn retryable(self) -> bool {
        matches!(self, ErrorCode::Overloaded | ErrorCode::Unavailable | ErrorCode::Internal)
    }

    #[must_use]
    pub fn http_status(self) -> u16 {
        self.row().1
    }

    fn row(self) -> (&'static str, u16) {
        match self {
            ErrorCode::BadRequest => ("bad_request", 400),
            ErrorCode::InvalidArgument => ("invalid_argument", 400),
            ErrorCode::Unauthorized => ("unauthorized", 401),
            ErrorCode::Forbidden => ("forbidden", 403),
            ErrorCode::Blocked => ("blocked", 403),
            ErrorCode::NotFound => ("not_found", 404),
            ErrorCode::Conflict => ("conflict", 409),
            ErrorCode::RateLimited => ("rate_limited", 429),
            ErrorCode::TooLarge => ("too_large", 413),
            ErrorCode::Unsupported => ("unsupported", 400),
            ErrorCode::MethodFailed => ("method_failed", 422),
            ErrorCode::InvalidTransition => ("invalid_transition", 409),
            ErrorCode::Cancelled => ("cancelled", 499),
            ErrorCode::Overloaded => ("overloaded", 503),
            ErrorCode::Unavailable => ("unavailable", 503),
            ErrorCode::Internal => ("internal", 500),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a notice tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum NoticeCode {
    /// The room was rebuilt after a fault: what was not answered has an unknown outcome.
    Restarted,
    EphemeralsDropped,
}
