//! For the repository's tests: what a method streams, read to its end.

use fixture_behavior::{Fixture, streams::Numbers};
use room_stub::{NameError, RoomStub};
use serde_json::json;
use worker::Response;

pub(crate) async fn numbers(
    room: Result<RoomStub<Fixture>, NameError>,
    asked: Numbers,
) -> worker::Result<Response> {
    let room = room.map_err(|error| error.to_string())?;
    let mut numbers = match room.stream(Fixture::numbers, asked).await {
        Ok(numbers) => numbers,
        Err(error) => return Response::from_json(&json!({ "refused": error.to_string() })),
    };
    let (mut read, mut wrong) = (Vec::new(), None);
    while let Some(number) = numbers.next().await {
        match number {
            Ok(number) => read.push(number),
            Err(error) => wrong = Some(error.to_string()),
        }
    }
    Response::from_json(&json!({ "read": read, "wrong": wrong }))
}
