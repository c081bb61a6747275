//! Structured log lines: one JSON object each, with the request's id. Neither tokens nor payloads come near them.

use std::error::Error as _;

use serde_json::json;
use worker::{console_error, console_warn};

use crate::failure::Failure;

/// A request that was not served: `warn` where the caller was wrong, `error` with its causes where we were.
pub(crate) fn failed(request_id: &str, route: &str, failure: &Failure) {
    let problem = failure.problem();
    let ours = problem.status >= 500;
    let mut line = json!({
        "level": if ours { "error" } else { "warn" },
        "event": "request_failed",
        "request_id": request_id,
        "route": route,
        "status": problem.status,
        "code": problem.code,
    });
    if !failure.quotes_the_caller() {
        line["message"] = json!(problem.title);
    }
    if ours {
        line["causes"] = json!(causes(failure));
        console_error!("{line}");
    } else {
        console_warn!("{line}");
    }
}

fn causes(failure: &Failure) -> Vec<String> {
    let mut causes = Vec::new();
    let mut next = failure.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes
}
