//! A Worker beside Roomcast: it opens polls, and votes in them. `ROOMS` is the class `Room` of the Worker `roomcast`.

#[cfg(feature = "fixture")]
mod fixture;

use poll_behavior::{Open, Poll, PollError, Vote};
use room_stub::{CallError, NameError, RoomStub, Rooms};
use serde::Serialize;
use serde_json::json;
use worker::{Context, Env, Method, Request, Response, event};

#[event(fetch)]
async fn fetch(mut request: Request, env: Env, _: Context) -> worker::Result<Response> {
    let rooms = Rooms::of(&env, "ROOMS")?;
    let path = request.path();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (request.method(), segments.as_slice()) {
        // A room that nobody has named before.
        (Method::Post, ["polls"]) => opened(rooms.near("weur").unique("poll"), request.json().await?).await,
        // The one that everyone knows.
        (Method::Put, ["polls", "daily"]) => opened(rooms.singleton("poll"), request.json().await?).await,
        (Method::Post, ["polls", room, "votes"]) => voted(rooms.by_name(room), request.json().await?).await,
        (Method::Post, ["tenants", tenant, "polls", room]) => {
            let room = rooms.tenant(tenant).and_then(|rooms| rooms.by_name(room));
            opened(room, request.json().await?).await
        }
        (Method::Post, ["jurisdictions", name, "polls", room]) => {
            let room = rooms.jurisdiction(name).and_then(|rooms| rooms.by_name(room));
            opened(room, request.json().await?).await
        }
        #[cfg(feature = "fixture")]
        (Method::Post, ["numbers", room]) => {
            fixture::numbers(rooms.by_name(room), request.json().await?).await
        }
        _ => Response::error("no such address", 404),
    }
}

async fn opened(poll: Result<RoomStub<Poll>, NameError>, open: Open) -> worker::Result<Response> {
    let Ok(poll) = poll.as_ref() else { return named_wrong(poll) };
    match poll.call(Poll::open, open).await {
        Ok(()) => Ok(Response::from_json(&json!({ "room": poll.name() }))?.with_status(201)),
        Err(error) => failed(&error),
    }
}

async fn voted(poll: Result<RoomStub<Poll>, NameError>, vote: Vote) -> worker::Result<Response> {
    let Ok(poll) = poll.as_ref() else { return named_wrong(poll) };
    match poll.call(Poll::vote, vote).await {
        Ok(tally) => Response::from_json(&tally),
        Err(error) => failed(&error),
    }
}

fn named_wrong(poll: Result<RoomStub<Poll>, NameError>) -> worker::Result<Response> {
    let message = poll.err().map(|error| error.to_string()).unwrap_or_default();
    told(400, &json!({ "wrong": "name", "message": message }))
}

/// What went wrong, for whoever asked this Worker.
fn failed(error: &CallError<PollError>) -> worker::Result<Response> {
    let (message, retryable) = (error.to_string(), error.is_retryable());
    match error {
        CallError::Failed(failed) => {
            told(409, &json!({ "wrong": "refused", "message": message, "error": failed.error() }))
        }
        CallError::Invalid { details, .. } => told(400, &json!({ "wrong": "invalid", "details": details })),
        CallError::NotFound(_) => told(404, &json!({ "wrong": "not_found", "message": message })),
        CallError::Overloaded { .. } | CallError::Unavailable(_) | CallError::Unreadable(_) => {
            told(503, &json!({ "wrong": "unavailable", "message": message, "retryable": retryable }))
        }
    }
}

fn told(status: u16, body: &impl Serialize) -> worker::Result<Response> {
    Ok(Response::from_json(body)?.with_status(status))
}
