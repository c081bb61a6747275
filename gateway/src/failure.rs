//! Every way a request ends badly, and the problem that its caller gets.

use auth::Refusal;
use deployment::{objects::CallError, revocations::Stop};
use schemas::{CloseCode, ErrorCode, http::Problem, server_message::Detail};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("no such address")]
    NotFound,
    #[error("the address allows {allow}")]
    MethodNotAllowed { allow: &'static str },
    #[error("this address is for a WebSocket upgrade")]
    UpgradeRequired,
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    #[error("{path}: {message}")]
    Invalid { path: String, message: String },
    #[error("{what} is at most {bytes_max} bytes")]
    TooLarge { what: &'static str, bytes_max: usize },
    #[error("the configuration is wrong: see /healthz")]
    Misconfigured,
    #[error("ROOMCAST_SIGNING_KEY is not configured: this gateway makes no tokens")]
    NoSigningKey,
    #[error("the room did not answer in time: whether it did what was asked is unknown")]
    TimedOut,
    /// The platform failed us, not we the caller: worth another try.
    #[error("failed to {doing}")]
    Platform {
        doing: &'static str,
        #[source]
        source: worker::Error,
    },
    #[error("the room did not take the connection")]
    NotConnected,
    /// By a room, before it welcomed anybody.
    #[error("{}", closed_because(*.0))]
    Closed(u16),
    #[error("failed to ask an object")]
    Object(#[source] CallError),
    #[error("the endpoint that this was for is not configured")]
    NoEndpoint,
    #[error("too many requests")]
    RateLimited { retry_after_ms: u64 },
    #[error("whether the token is revoked cannot be told now")]
    RevocationsUnknown(#[source] CallError),
}

impl Failure {
    pub(crate) fn invalid(path: impl Into<String>, message: impl Into<String>) -> Failure {
        Failure::Invalid { path: path.into(), message: message.into() }
    }

    /// As the failure of a part of the body: paths begin at where that stands.
    pub(crate) fn within(self, place: &str) -> Failure {
        match self {
            Failure::Invalid { path, message } if path == "." => Failure::invalid(place, message),
            Failure::Invalid { path, message } => Failure::invalid(format!("{place}.{path}"), message),
            other => other,
        }
    }

    /// For `map_err`: what was being done when the platform failed.
    pub(crate) fn platform(doing: &'static str) -> impl Fn(worker::Error) -> Failure {
        move |source| Failure::Platform { doing, source }
    }

    /// Whether the message may hold something of the request's body or address, which is the caller's to read and
    /// not the log's to keep.
    pub(crate) fn quotes_the_caller(&self) -> bool {
        matches!(self, Failure::NotJson(_) | Failure::Invalid { .. })
    }

    pub(crate) fn problem(&self) -> Problem {
        match self {
            Failure::Refused(refusal) => {
                Problem::new(refusal.http_status(), refusal.code(), self.to_string())
            }
            Failure::MethodNotAllowed { .. } => self.with_status(405, ErrorCode::Unsupported),
            Failure::UpgradeRequired => self.with_status(426, ErrorCode::BadRequest),
            Failure::NotFound => self.with(ErrorCode::NotFound),
            Failure::NotJson(_) => self.with(ErrorCode::BadRequest),
            Failure::Invalid { path, message } => {
                let mut problem = self.with(ErrorCode::InvalidArgument);
                problem.details.push(Detail { path: path.clone(), message: message.clone() });
                problem
            }
            Failure::NoEndpoint => self.with(ErrorCode::Conflict),
            Failure::RateLimited { retry_after_ms } => {
                let mut problem = self.with(ErrorCode::RateLimited);
                problem.retry_after_ms = Some(*retry_after_ms);
                problem
            }
            Failure::TooLarge { .. } => self.with(ErrorCode::TooLarge),
            Failure::NoSigningKey => self.with_status(501, ErrorCode::Unsupported),
            Failure::Object(CallError::Encoding(_) | CallError::Decoding(_)) => {
                self.with(ErrorCode::Internal)
            }
            Failure::Closed(3505) => Problem::new(403, "blocked", self.to_string()),
            Failure::Closed(3506) => Problem::new(503, "room_full", self.to_string()),
            Failure::Misconfigured
            | Failure::TimedOut
            | Failure::NotConnected
            | Failure::Closed(_)
            | Failure::Platform { .. }
            | Failure::Object(_)
            | Failure::RevocationsUnknown(_) => self.with(ErrorCode::Unavailable),
        }
    }

    /// The code that a browser's upgrade is closed with, which cannot read a problem.
    pub(crate) fn close_code(&self) -> CloseCode {
        match self {
            Failure::Refused(refusal) => refusal.close_code(),
            _ => CloseCode::Overloaded,
        }
    }

    fn with(&self, code: ErrorCode) -> Problem {
        Problem::from_code(code, self.to_string())
    }

    fn with_status(&self, status: u16, code: ErrorCode) -> Problem {
        Problem::new(status, code.as_str(), self.to_string())
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Failure {
        match stop {
            Stop::Refused(refusal) => Failure::Refused(refusal),
            Stop::Unknown(error) => Failure::RevocationsUnknown(error),
        }
    }
}

fn closed_because(code: u16) -> String {
    match code {
        3505 => "the user is blocked in this room".into(),
        3506 => "the room, or its share for one user, is full".into(),
        code => format!("the room closed the connection: {code}"),
    }
}
