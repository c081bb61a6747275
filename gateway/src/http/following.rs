//! Server-sent events over a connection of the gateway's own to the room.

use std::time::Duration;

use deployment::{clock, log, objects};
use futures_util::{
    StreamExt as _,
    future::{Either, select},
    stream,
};
use schemas::{CloseCode, Frame, codec::ServerDecodeError, limits::REQUEST_TIMEOUT_MS};
use worker::{Delay, Response, ResponseBuilder};

use super::line::{Heard, Line};
use crate::{access::Connection, exchange::Exchange, failure::Failure, forward};

/// A comment goes out, and the room is pinged, each time so long has passed.
const TICK: Duration = Duration::from_secs(15);

/// What a proxy and a reader see of a stream on which nothing happens.
const COMMENT: &str = ": \n\n";

/// How long a browser waits before it comes back: random between these, so that not all come back at once.
const RETRY_MS: std::ops::Range<u64> = 1_000..4_000;

/// What becomes of a connection's frames. Pure.
pub(super) trait Carry {
    /// What the room is told where the reader goes.
    const PARTING: CloseCode;

    /// Whether the room has said welcome.
    fn is_welcomed(&self) -> bool;

    /// The events that a frame of the room makes.
    ///
    /// # Errors
    /// When the frame cannot be read: the stream is of no more use.
    fn frame(&mut self, frame: Frame) -> Result<String, ServerDecodeError>;

    /// What the room is to be sent now that the events so far were taken, if anything.
    fn ack(&mut self) -> Option<Frame>;

    /// The last event, if there is one.
    fn closed(code: u16, reason: &str) -> String;
}

/// A stream that has begun. Dropping it closes its connection to the room.
pub(super) struct Following<T> {
    request_id: String,
    line: Line,
    carry: T,
    tick: Delay,
    /// Anything was heard of the room since the last tick.
    is_alive: bool,
    is_over: bool,
}

/// Connects, says hello, and answers with the stream. Until the welcome a refusal is an HTTP status.
pub(super) async fn follow<T: Carry + 'static>(
    exchange: &Exchange<'_>,
    connection: &Connection,
    hello: &Frame,
    carry: T,
) -> Result<Response, Failure> {
    let (following, greeting) = Following::open(exchange, connection, hello, carry).await?;
    let retry = RETRY_MS.start + clock::random() % (RETRY_MS.end - RETRY_MS.start);
    let first = stream::iter([format!("retry: {retry}\n\n{greeting}")]);
    let chunks = first
        .chain(stream::unfold(following, Following::next))
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

impl<T: Carry> Following<T> {
    /// Comes back with what the welcome makes.
    async fn open(
        exchange: &Exchange<'_>,
        connection: &Connection,
        hello: &Frame,
        mut carry: T,
    ) -> Result<(Following<T>, String), Failure> {
        let answer = forward::connect(exchange.env, connection, &exchange.request_id).await?;
        if answer.status_code() != 101 {
            return Err(Failure::NotConnected);
        }
        let socket = answer.websocket().ok_or(Failure::NotConnected)?;
        let mut line =
            Line::open(&socket, T::PARTING).map_err(Failure::platform("open a connection to the room"))?;
        line.send(hello);
        let mut greeting = String::new();
        while !carry.is_welcomed() {
            match objects::within(REQUEST_TIMEOUT_MS, line.next()).await.ok_or(Failure::TimedOut)? {
                Heard::Frame(frame) => {
                    greeting += &carry.frame(frame).map_err(|_| Failure::NotConnected)?;
                }
                Heard::Closed { code, .. } => return Err(Failure::Closed(code)),
            }
        }
        let (request_id, tick) = (exchange.request_id.clone(), Delay::from(TICK));
        Ok((Following { request_id, line, carry, tick, is_alive: true, is_over: false }, greeting))
    }

    /// The next piece of text, and the stream behind it.
    async fn next(mut self) -> Option<(String, Following<T>)> {
        while !self.is_over {
            let heard = match select(std::pin::pin!(self.line.next()), &mut self.tick).await {
                Either::Left((heard, _)) => Some(heard),
                Either::Right(((), _)) => None,
            };
            let text = match heard {
                Some(Heard::Frame(frame)) => self.hear(frame),
                Some(Heard::Closed { code, reason }) => {
                    self.is_over = true;
                    T::closed(code, &reason)
                }
                None => self.tick(),
            };
            if !text.is_empty() {
                return Some((text, self));
            }
        }
        None
    }

    fn hear(&mut self, frame: Frame) -> String {
        self.is_alive = true;
        if frame == Frame::Text("pong".into()) {
            return String::new();
        }
        let events = self.carry.frame(frame).unwrap_or_else(|error| {
            log::error("events_failed").request(&self.request_id).message(error).write();
            self.is_over = true;
            String::new()
        });
        if let Some(ack) = self.carry.ack() {
            self.line.send(&ack);
        }
        events
    }

    fn tick(&mut self) -> String {
        self.tick = Delay::from(TICK);
        self.is_over = !std::mem::replace(&mut self.is_alive, false);
        self.line.send(&Frame::Text("ping".into()));
        COMMENT.into()
    }
}
