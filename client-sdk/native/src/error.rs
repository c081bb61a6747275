//! What can go wrong.

use client_core::Failure;
use schemas::{ErrorCode, server_message::RequestError};

/// Why something did not happen, or may not have.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// An argument is not of its shape: nothing was asked.
    #[error("{0}")]
    Invalid(String),
    /// The request had no effect.
    #[error("{}: {}", .0.code.as_str(), .0.message)]
    Rejected(RequestError),
    /// The request was sent, and nobody can say whether it had an effect.
    #[error("unknown outcome: {}", .0.message)]
    Unknown(RequestError),
    /// The room ended the connection for good.
    #[error("closed for good with {}: {}", .0.code, .0.reason)]
    Failed(Failure),
    /// The room was left.
    #[error("the room was left")]
    Left,
}

impl Error {
    /// The request's code, where a room refused it.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Error::Rejected(error) | Error::Unknown(error) => Some(error.code),
            Error::Invalid(_) | Error::Failed(_) | Error::Left => None,
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Error::Rejected(error) if error.retryable)
    }
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not now: it is asked for again, with backoff.
    #[error("no token for now: {0}")]
    Failed(String),
    /// Not ever: the room fails.
    #[error("no token: {0}")]
    Refused(String),
}
