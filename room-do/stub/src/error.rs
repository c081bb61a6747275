//! What can go wrong with a call.

use std::{fmt, marker::PhantomData};

use js_sys::Reflect;
use schemas::{ErrorCode, Payload, http::Problem, server_message::Detail};
use serde::de::DeserializeOwned;

/// Why a call has no result. `E` is the method's own error.
#[derive(Debug, thiserror::Error)]
pub enum CallError<E> {
    /// The room's behavior has no such method, or its kind no behavior: the two Workers are of different versions, or
    /// the room is of another kind.
    #[error("not found: {0}")]
    NotFound(String),
    /// The arguments broke the method's constraints: which, and how.
    #[error("{message}")]
    Invalid { message: String, details: Vec<Detail> },
    /// The method ran, and refused. Nothing of what it did was kept.
    #[error(transparent)]
    Failed(Failed<E>),
    /// The room, or its platform, has too much to do: the call did not run.
    #[error("overloaded: {message}")]
    Overloaded { message: String, retry_after_ms: Option<u64> },
    /// The room could not be reached, or was lost in the middle: whether the call ran is unknown.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// What was said cannot be read, or written: the types of the two Workers differ.
    #[error("unreadable: {0}")]
    Unreadable(String),
}

/// What a method refused.
pub struct Failed<E> {
    /// `method_failed`, or the code that the method gave.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    data: Option<Payload>,
    of: PhantomData<fn() -> E>,
}

impl<E: DeserializeOwned> Failed<E> {
    /// The method's own error. `None` where it failed otherwise.
    #[must_use]
    pub fn error(&self) -> Option<E> {
        match self.data.as_ref()? {
            Payload::Json(text) => serde_json::from_str(text.as_str()).ok(),
            Payload::Bytes(_) => None,
        }
    }
}

impl<E> CallError<E> {
    /// Whether the same call may succeed later. Of [`CallError::Unavailable`] it may have had its effect already: a
    /// method that must not run twice takes a key.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, CallError::Overloaded { .. } | CallError::Unavailable(_))
    }

    /// What a room answered in the place of a result.
    pub(crate) fn told(problem: Problem) -> CallError<E> {
        let Problem { title: message, code, details, retry_after_ms, data, status, .. } = problem;
        let is = |codes: &[ErrorCode]| codes.iter().any(|known| known.as_str() == code);
        if is(&[ErrorCode::NotFound, ErrorCode::Unsupported]) && data.is_none() {
            CallError::NotFound(message)
        } else if is(&[ErrorCode::InvalidArgument]) {
            CallError::Invalid { message, details }
        } else if is(&[ErrorCode::Overloaded, ErrorCode::RateLimited]) {
            CallError::Overloaded { message, retry_after_ms }
        } else if status >= 500 {
            CallError::Unavailable(message)
        } else {
            CallError::Failed(Failed { code, message, data: data.map(|data| *data), of: PhantomData })
        }
    }
}

/// The platform says what it had too much of: <https://developers.cloudflare.com/durable-objects/best-practices/error-handling/>.
impl<E> From<worker::Error> for CallError<E> {
    fn from(error: worker::Error) -> CallError<E> {
        let says =
            |name: &str| Reflect::get(&error.to_js_value(), &name.into()).is_ok_and(|said| said.is_truthy());
        let message = error.to_string();
        if says("overloaded") {
            CallError::Overloaded { message, retry_after_ms: None }
        } else {
            CallError::Unavailable(message)
        }
    }
}

impl<E> fmt::Debug for Failed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failed")
            .field("code", &self.code)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

impl<E> fmt::Display for Failed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl<E> std::error::Error for Failed<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    enum Why {
        Closed,
    }

    fn told(code: ErrorCode, data: Option<&str>) -> CallError<Why> {
        let mut problem = Problem::from_code(code, "so it is");
        problem.data = data.map(|text| Box::new(Payload::from_json(text.into()).expect("JSON")));
        problem.retry_after_ms = Some(7);
        problem.details.push(Detail { path: "option".into(), message: "is too high".into() });
        CallError::told(problem)
    }

    #[test]
    fn r_call_15_what_went_wrong_is_told_apart() {
        assert!(matches!(told(ErrorCode::NotFound, None), CallError::NotFound(_)));
        assert!(matches!(told(ErrorCode::Unsupported, None), CallError::NotFound(_)));
        let CallError::Invalid { details, .. } = told(ErrorCode::InvalidArgument, None) else {
            panic!("invalid")
        };
        assert_eq!(details[0].path, "option");
        let overloaded = told(ErrorCode::Overloaded, None);
        assert!(matches!(overloaded, CallError::Overloaded { retry_after_ms: Some(7), .. }));
        let unavailable = told(ErrorCode::Unavailable, None);
        assert!(matches!(unavailable, CallError::Unavailable(_)));
        assert!(overloaded.is_retryable() && unavailable.is_retryable());
        let CallError::Failed(failed) = told(ErrorCode::MethodFailed, Some(r#""Closed""#)) else {
            panic!("failed")
        };
        assert_eq!(
            (failed.error(), failed.to_string()),
            (Some(Why::Closed), "method_failed: so it is".into())
        );
        let CallError::Failed(failed) = told(ErrorCode::Conflict, None) else { panic!("a code of its own") };
        assert_eq!((failed.error(), failed.code.as_str()), (None, "conflict"));
    }
}
