//! What the gateway tells of requests that it did not serve.

use deployment::log;

use crate::failure::Failure;

/// A request that was not served: `warn` where the caller was wrong, `error` with its causes where we were.
pub(crate) fn failed(request_id: &str, route: &str, failure: &Failure) {
    let problem = failure.problem();
    let line = match problem.status >= 500 {
        true => log::error("request_failed").caused_by(failure),
        false => log::warn("request_failed"),
    };
    let line = line.request(request_id).with("route", route);
    let line = line.with("status", problem.status).with("code", problem.code);
    match failure.quotes_the_caller() {
        true => line.write(),
        false => line.message(problem.title).write(),
    }
}
