//! An answer that comes chunk by chunk: a line of JSON each, the last says that it is.

use std::{
    pin::Pin,
    rc::Weak,
    task::{Context, Poll},
};

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::Stream;
use room_core::{Input, RequestId};
use schemas::{
    ErrorCode, Payload,
    http::Problem,
    server_message::{RequestError, RequestResult},
};
use serde::Serialize;

use crate::live::Live;

/// The room's end.
#[derive(Debug)]
pub(crate) struct Feed(UnboundedSender<Piece>);

#[derive(Debug)]
struct Piece {
    line: Vec<u8>,
    is_last: bool,
}

/// The reader's end. Dropped early, the room is told.
#[derive(Debug)]
pub(crate) struct Chunks {
    live: Weak<Live>,
    request: RequestId,
    pieces: UnboundedReceiver<Piece>,
    /// Asked the room for more, and nothing came yet.
    has_asked: bool,
    is_over: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Line {
    Chunk { result: Payload, more: bool },
    End { result: (), more: bool },
    Error { error: Problem },
}

impl Line {
    fn piece(&self) -> Piece {
        let mut line = serde_json::to_vec(self).expect("a line is plain data");
        line.push(b'\n');
        Piece { line, is_last: !matches!(self, Line::Chunk { .. }) }
    }

    /// The room's end is gone, and said nothing.
    fn lost() -> Line {
        let message = "the room went away in the middle of its answer";
        Line::Error { error: Problem::from_code(ErrorCode::Unavailable, message) }
    }
}

pub(crate) fn feed(live: Weak<Live>, request: RequestId) -> (Feed, Chunks) {
    let (sender, pieces) = unbounded();
    (Feed(sender), Chunks { live, request, pieces, has_asked: false, is_over: false })
}

impl Feed {
    /// Bounded by the room: there is no chunk that was not wanted.
    pub(crate) fn send(&self, chunk: Payload) {
        self.line(&Line::Chunk { result: chunk, more: true });
    }

    pub(crate) fn end(self, result: Result<RequestResult, RequestError>) {
        self.line(&match result {
            Ok(_) => Line::End { result: (), more: false },
            Err(error) => Line::Error { error: error.into() },
        });
    }

    fn line(&self, line: &Line) {
        // The reader may be gone.
        drop(self.0.unbounded_send(line.piece()));
    }
}

impl Stream for Chunks {
    type Item = worker::Result<Vec<u8>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        loop {
            if let Poll::Ready(piece) = Pin::new(&mut self.pieces).poll_next(context) {
                let piece = piece.unwrap_or_else(|| Line::lost().piece());
                self.has_asked = false;
                self.is_over = piece.is_last;
                return Poll::Ready(Some(Ok(piece.line)));
            }
            if std::mem::replace(&mut self.has_asked, true) {
                return Poll::Pending;
            }
            if let Some(live) = self.live.upgrade() {
                live.step(Input::Wanted { request: self.request });
            }
        }
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let (live, request) = (self.live.clone(), self.request);
        // The room may be at work.
        wasm_bindgen_futures::spawn_local(async move {
            if let Some(live) = live.upgrade() {
                live.abandon(request);
            }
        });
    }
}
