//! What a room answers over HTTP, as the response that the gateway passes on.

use schemas::{codes::ErrorCode, http::Problem, server_message::Detail};
use worker::{Headers, Response, ResponseBuilder, Result};

use crate::live::Answer;

pub(crate) fn response(answer: Answer) -> Result<Response> {
    match answer {
        Answer::Whole(Ok(result)) => json(200, "application/json", &serde_json::to_string(&result)?),
        Answer::Whole(Err(error)) => problem(&error.into()),
        Answer::Chunks(chunks) => ResponseBuilder::new()
            .with_header("content-type", "application/x-ndjson")?
            .with_header("cache-control", "no-store")?
            .with_header("x-accel-buffering", "no")?
            .from_stream(chunks),
    }
}

pub(crate) fn refusal(code: ErrorCode, title: &str) -> Result<Response> {
    problem(&Problem::from_code(code, title))
}

/// What a caller that is no gateway said is not as it must be.
pub(crate) fn invalid(path: &str, message: &str) -> Result<Response> {
    let mut refusal = Problem::from_code(ErrorCode::InvalidArgument, format!("{path}: {message}"));
    refusal.details.push(Detail { path: path.into(), message: message.into() });
    problem(&refusal)
}

fn problem(problem: &Problem) -> Result<Response> {
    let response = json(problem.status, "application/problem+json", &serde_json::to_string(problem)?)?;
    if let Some(seconds) = problem.retry_after_seconds() {
        response.headers().set("retry-after", &seconds.to_string())?;
    }
    Ok(response)
}

fn json(status: u16, content_type: &str, body: &str) -> Result<Response> {
    let headers = Headers::new();
    headers.set("content-type", content_type)?;
    Ok(ResponseBuilder::new().with_status(status).with_headers(headers).fixed(body.as_bytes().to_vec()))
}
