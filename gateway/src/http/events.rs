//! `GET /v1/rooms/{room}/events`: server-sent events, over a connection of the gateway's own to the room.

mod feed;
mod line;

use std::time::Duration;

use deployment::{clock, log, objects};
use futures_util::{
    StreamExt as _,
    future::{Either, select},
    stream,
};
use schemas::{
    Epoch, Offset, Position,
    http::{Reader, RoomCall},
    limits::{REQUEST_TIMEOUT_MS, TAGS_SUBSCRIBED_MAX},
    position::INTEGER_MAX,
};
use serde::Deserialize;
use serde_json::json;
use worker::{Delay, Response, ResponseBuilder};

use self::{
    feed::{COMMENT, Feed, LAST_EVENT_ID, Start},
    line::{Heard, Line},
};
use super::messages;
use crate::{access::Connection, exchange::Exchange, failure::Failure, forward};

/// A comment goes out, and the room is pinged, each time so long has passed.
const TICK: Duration = Duration::from_secs(15);

/// How long a browser waits before it comes back: random between these, so that not all come back at once.
const RETRY_MS: std::ops::Range<u64> = 1_000..4_000;

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
    let (events, greeting) = Events::open(exchange, &connection, recover, &tags).await?;
    let retry = RETRY_MS.start + clock::random() % (RETRY_MS.end - RETRY_MS.start);
    let first = stream::iter([format!("retry: {retry}\n\n{greeting}")]);
    let chunks = first
        .chain(stream::unfold(events, Events::next))
        .map(|text| Ok::<Vec<u8>, worker::Error>(text.into_bytes()));
    let write = || {
        let response = ResponseBuilder::new()
            .with_header("content-type", "text/event-stream")?
            .with_header("cache-control", "no-store")?
            .with_header("x-accel-buffering", "no")?;
        response.from_stream(chunks)
    };
    write().map_err(Failure::platform("write the answer"))
}

/// What is needed of a page of messages.
#[derive(Deserialize)]
struct Page {
    epoch: Epoch,
}

/// A stream that has begun. Dropping it closes its connection to the room.
struct Events {
    request_id: String,
    line: Line,
    feed: Feed,
    tick: Delay,
    /// Anything was heard of the room since the last tick.
    is_alive: bool,
    is_over: bool,
}

impl Events {
    /// Connects and says hello; comes back with what the welcome makes of it. Until then a refusal is an HTTP status.
    async fn open(
        exchange: &Exchange<'_>,
        connection: &Connection,
        recover: Option<Position>,
        tags: &[String],
    ) -> Result<(Events, String), Failure> {
        let answer = forward::connect(exchange.env, connection, &exchange.request_id).await?;
        if answer.status_code() != 101 {
            return Err(Failure::NotConnected);
        }
        let socket = answer.websocket().ok_or(Failure::NotConnected)?;
        let mut line = Line::open(&socket).map_err(Failure::platform("open a connection to the room"))?;
        let mut hello = json!({
            "t": "hello",
            "session": format!("sse-{:016x}{:016x}", clock::random(), clock::random()),
            "tags": tags,
            "members": false,
        });
        if let Some(position) = recover {
            hello["recover"] = json!(position);
        }
        line.send(&hello.to_string());
        let mut feed = Feed::new(recover.is_some());
        let mut greeting = String::new();
        while !feed.is_welcomed() {
            match objects::within(REQUEST_TIMEOUT_MS, line.next()).await.ok_or(Failure::TimedOut)? {
                Heard::Frame(frame) => {
                    greeting += &feed.frame(frame).map_err(|_| Failure::NotConnected)?;
                }
                Heard::Closed { code, .. } => return Err(Failure::Closed(code)),
            }
        }
        let (request_id, tick) = (exchange.request_id.clone(), Delay::from(TICK));
        let events = Events { request_id, line, feed, tick, is_alive: true, is_over: false };
        Ok((events, greeting))
    }

    /// The next piece of text, and the stream behind it.
    async fn next(mut self) -> Option<(String, Events)> {
        while !self.is_over {
            let heard = match select(std::pin::pin!(self.line.next()), &mut self.tick).await {
                Either::Left((heard, _)) => Some(heard),
                Either::Right(((), _)) => None,
            };
            let text = match heard {
                Some(Heard::Frame(frame)) => self.hear(frame),
                Some(Heard::Closed { code, reason }) => {
                    self.is_over = true;
                    Feed::closed(code, &reason)
                }
                None => self.tick(),
            };
            if !text.is_empty() {
                return Some((text, self));
            }
        }
        None
    }

    fn hear(&mut self, frame: String) -> String {
        self.is_alive = true;
        if frame == "pong" {
            return String::new();
        }
        let events = self.feed.frame(frame).unwrap_or_else(|error| {
            log::error("events_failed").request(&self.request_id).message(error).write();
            self.is_over = true;
            String::new()
        });
        if let Some(ack) = self.feed.ack() {
            self.line.send(&ack);
        }
        events
    }

    fn tick(&mut self) -> String {
        self.tick = Delay::from(TICK);
        self.is_over = !std::mem::replace(&mut self.is_alive, false);
        self.line.send("ping");
        COMMENT.into()
    }
}
