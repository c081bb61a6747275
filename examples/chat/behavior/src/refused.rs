//! Why the chat says no.

use room_core::behavior::{ErrorCode, Failure, MethodError, SqlError, Types};
use serde::Serialize;
use ts_rs::TS;

/// What callers get as an error's `data`, and publishers too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, thiserror::Error)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum ChatError {
    /// A moderator took the user's voice, until then (milliseconds since 1970).
    #[error("a moderator muted you")]
    Muted { until: u64 },
    #[error("the room is in slow mode: wait {wait_ms} ms")]
    SlowMode { wait_ms: u64 },
    #[error("only moderators may do that")]
    NotAModerator,
    /// Whoever never came in, listed among those who are here, has read nothing.
    #[error("you were never here")]
    NeverHere,
    #[error("there is no such message")]
    NoSuchMessage,
    /// What is wrong with a message, by the path in its data.
    #[error("{path} of a message is not as it should be")]
    Malformed { path: String },
}

/// A refusal of the chat's own, or of the room that it runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    Because(ChatError),
    Failed(Failure),
}

impl From<ChatError> for Refused {
    fn from(error: ChatError) -> Refused {
        Refused::Because(error)
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Refused {
        Refused::Failed(failure)
    }
}

impl From<SqlError> for Refused {
    fn from(error: SqlError) -> Refused {
        Refused::Failed(error.into())
    }
}

impl Refused {
    /// As the answer to a publish, which has codes that clients know already.
    pub(crate) fn of_publish(self) -> Failure {
        let error = match self {
            Refused::Because(error) => error,
            Refused::Failed(failure) => return failure,
        };
        let code = match error {
            ChatError::Muted { .. } | ChatError::NotAModerator | ChatError::NeverHere => ErrorCode::Forbidden,
            ChatError::SlowMode { .. } => ErrorCode::RateLimited,
            ChatError::NoSuchMessage => ErrorCode::NotFound,
            ChatError::Malformed { .. } => ErrorCode::InvalidArgument,
        };
        Failure::with_code(code, error.to_string()).data(&error)
    }
}

impl MethodError for Refused {
    fn into_failure(self) -> Failure {
        match self {
            Refused::Because(error) => error.into_failure(),
            Refused::Failed(failure) => failure,
        }
    }

    fn describe(into: &mut Types) -> String {
        into.add::<ChatError>()
    }
}
