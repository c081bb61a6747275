//! Why a hook or a method says no.

use std::fmt;

use schemas::{
    CloseCode, ErrorCode, Payload,
    server_message::{Detail, RequestError},
};
use serde::Serialize;

use crate::storage::SqlError;

/// What a caller is told instead of a result. Whatever the hook or method did until then is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: ErrorCode,
    pub message: String,
    /// Which arguments were wrong, and how.
    pub details: Vec<Detail>,
    /// The behavior's own error, as its types declare it.
    pub data: Option<Payload>,
    /// What the operator reads in the place of `message`. Never sent.
    pub(super) cause: Option<String>,
}

impl Failure {
    /// `method_failed`, with a sentence for people.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Failure {
        Failure::with_code(ErrorCode::MethodFailed, message)
    }

    #[must_use]
    pub fn with_code(code: ErrorCode, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into(), details: Vec::new(), data: None, cause: None }
    }

    /// `invalid_argument` for the argument at `path`, such as `options[2].label`.
    #[must_use]
    pub fn invalid(path: impl Into<String>, message: impl Into<String>) -> Failure {
        Failure::invalid_all(vec![Detail { path: path.into(), message: message.into() }])
    }

    /// `invalid_argument` for each of these, of which there is at least one.
    pub(crate) fn invalid_all(details: Vec<Detail>) -> Failure {
        let said: Vec<String> = details
            .iter()
            .map(|Detail { path, message }| match path.as_str() {
                "" => message.clone(),
                path => format!("{path}: {message}"),
            })
            .collect();
        Failure { details, ..Failure::with_code(ErrorCode::InvalidArgument, said.join("; ")) }
    }

    /// With `data`, which callers get as JSON.
    ///
    /// # Panics
    /// Where it has no JSON form: maps with other keys than strings.
    #[must_use]
    pub fn data(self, data: &impl Serialize) -> Failure {
        Failure { data: Some(Payload::of(data)), ..self }
    }

    pub(super) fn caused_by(self, cause: impl Into<String>) -> Failure {
        Failure { cause: Some(cause.into()), ..self }
    }

    /// What may be logged: what could not be read says what it read, and that is somebody's.
    pub(crate) fn for_operator(&self) -> String {
        match (&self.cause, self.code) {
            (Some(cause), _) => cause.clone(),
            (None, ErrorCode::InvalidArgument) => {
                let paths: Vec<&str> = self.details.iter().map(|detail| detail.path.as_str()).collect();
                format!("could not be read: {}", paths.join(", "))
            }
            (None, _) => self.message.clone(),
        }
    }

    pub(crate) fn into_error(self, id: Option<u32>) -> RequestError {
        let Failure { code, message, details, data, cause: _ } = self;
        RequestError { details, data, ..RequestError::new(id, code, message) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// A statement that SQLite refused is the behavior's mistake: callers learn of no more than that, the operator of all.
impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Failure {
        Failure::with_code(ErrorCode::Internal, "a statement of the behavior was refused")
            .caused_by(error.to_string())
    }
}

/// What a method returns in the place of a result: a [`Failure`], or a type of the behavior's own, which callers get
/// as `data` of a `method_failed` and the client's types know.
pub trait MethodError {
    fn into_failure(self) -> Failure;
    /// Its TypeScript, and that of what it is made of.
    fn describe(into: &mut super::types::Types) -> String;
}

impl MethodError for Failure {
    fn into_failure(self) -> Failure {
        self
    }

    fn describe(_: &mut super::types::Types) -> String {
        "never".to_owned()
    }
}

impl<E: Serialize + fmt::Display + super::types::Typed> MethodError for E {
    fn into_failure(self) -> Failure {
        Failure::new(self.to_string()).data(&self)
    }

    fn describe(into: &mut super::types::Types) -> String {
        into.add::<E>()
    }
}

/// Why somebody may not join: the connection is closed with this code and reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub(crate) code: CloseCode,
    pub(crate) reason: String,
}

impl Refusal {
    /// Final: the client stops and tells its application. `code` is 4500 to 4999, and clamped to it; `reason` is cut
    /// to 123 bytes.
    #[must_use]
    pub fn last(code: u16, reason: &str) -> Refusal {
        Refusal::of(CloseCode::Application(code.clamp(4500, 4999)), reason)
    }

    /// For now: the client comes back with backoff. `code` is 4000 to 4499, and clamped to it; `reason` is cut to 123
    /// bytes.
    #[must_use]
    pub fn for_now(code: u16, reason: &str) -> Refusal {
        Refusal::of(CloseCode::Application(code.clamp(4000, 4499)), reason)
    }

    /// As a room that has no place: closed 3506.
    #[must_use]
    pub fn full() -> Refusal {
        Refusal::of(CloseCode::RoomFull, CloseCode::RoomFull.reason())
    }

    /// As one who may not be here: closed 3503.
    #[must_use]
    pub fn forbidden(reason: &str) -> Refusal {
        Refusal::of(CloseCode::Forbidden, reason)
    }

    fn of(code: CloseCode, reason: &str) -> Refusal {
        let mut end = reason.len().min(REASON_BYTES_MAX);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        Refusal { code, reason: reason[..end].to_owned() }
    }
}

/// As RFC 6455 has it.
const REASON_BYTES_MAX: usize = 123;
