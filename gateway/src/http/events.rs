//! `GET /v1/rooms/{room}/events`: server-sent events, over a connection of the gateway's own to the room.

mod feed;

use deployment::clock;
use schemas::{
    Epoch, Frame, Offset, Position,
    http::{Reader, RoomCall},
    limits::TAGS_SUBSCRIBED_MAX,
    position::INTEGER_MAX,
};
use serde::Deserialize;
use serde_json::json;
use worker::{Response, ResponseBuilder};

pub(super) use self::feed::event;
use self::feed::{Feed, LAST_EVENT_ID, Start};
use super::{following, messages};
use crate::{exchange::Exchange, failure::Failure};

pub(crate) async fn answer(exchange: &Exchange<'_>, room: &str) -> Result<Response, Failure> {
    let query = exchange.query();
    let last_event_id = exchange.header(LAST_EVENT_ID);
    let start = Start::read(last_event_id.as_deref(), query.one("after").ok().flatten());
    if matches!(start, Ok(Start::Over)) {
        return Ok(ResponseBuilder::new().with_status(204).empty());
    }
    let connection = exchange.listen(room).await?;
    query.one("after")?;
    let tags = query.list("tags");
    messages::check_tags(&tags, TAGS_SUBSCRIBED_MAX)?;
    messages::check_unreserved(&tags)?;
    let recover = match start? {
        Start::Live | Start::Over => None,
        Start::After(position) => Some(position),
        Start::AfterOffset(offset) => {
            // The emptiest page there is says which epoch it is.
            let (before, after) = (None, Offset::new(INTEGER_MAX));
            let call =
                RoomCall::Messages { before, after, limit: 1, tags: Vec::new(), reader: Reader::Service };
            let mut page = exchange.ask(&connection.room, &connection.tenant, &call).await?;
            if page.status_code() != 200 {
                return Ok(page);
            }
            let page: Page = page.json().await.map_err(Failure::platform("read the room's answer"))?;
            Some(Position { epoch: page.epoch, offset })
        }
    };
    let mut hello = json!({
        "t": "hello",
        "session": format!("sse-{:016x}{:016x}", clock::random(), clock::random()),
        "tags": tags,
        "members": false,
    });
    if let Some(position) = recover {
        hello["recover"] = json!(position);
    }
    let hello = Frame::Text(hello.to_string());
    following::follow(exchange, &connection, &hello, Feed::new(recover.is_some())).await
}

/// What is needed of a page of messages.
#[derive(Deserialize)]
struct Page {
    epoch: Epoch,
}
