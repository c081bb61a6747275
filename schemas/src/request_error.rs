//! Why a request was refused.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{codes::ErrorCode, payload::Payload};

/// A refused request, or (without `id`) a message that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RequestError {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub id: Option<u32>,
    pub code: ErrorCode,
    pub message: String,
    pub retryable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional, type = "number"))]
    pub retry_after_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "ts", ts(optional, as = "Option<Vec<Detail>>"))]
    pub details: Vec<Detail>,
    /// The error of a method as its behavior declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional, type = "unknown"))]
    pub data: Option<Payload>,
}

impl RequestError {
    #[must_use]
    pub fn new(id: Option<u32>, code: ErrorCode, message: impl Into<String>) -> RequestError {
        RequestError {
            id,
            code,
            message: message.into(),
            retryable: code.retryable(),
            retry_after_ms: None,
            details: Vec::new(),
            data: None,
        }
    }

    /// `invalid_argument` for the field at `path`.
    #[must_use]
    pub fn invalid(id: Option<u32>, path: &str, message: impl Into<String>) -> RequestError {
        let message = message.into();
        let mut error =
            RequestError::new(id, ErrorCode::InvalidArgument, alloc::format!("{path}: {message}"));
        error.details.push(Detail { path: path.into(), message });
        error
    }
}

/// Which field was wrong, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Detail {
    pub path: String,
    pub message: String,
}
