//! An answer that comes chunk by chunk: a line of JSON each, the last says that it is. While nothing comes, a space
//! now and then tells that it lives: the platform notices a reader that is gone only when it writes.

use std::{
    pin::Pin,
    rc::Weak,
    task::{Context, Poll},
    time::Duration,
};

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::{FutureExt as _, Stream};
use room_core::{Input, RequestId};
use schemas::{
    ErrorCode, Payload,
    http::Problem,
    server_message::{RequestError, RequestResult},
};
use serde::Serialize;

use worker::Delay;

use crate::live::Live;

/// A space is written each time nothing came for so long.
const BEAT: Duration = Duration::from_secs(5);
const SIGN_OF_LIFE: &[u8] = b" ";

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
    /// Runs while nothing comes.
    beat: Option<Delay>,
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
    (Feed(sender), Chunks { live, request, pieces, has_asked: false, beat: None, is_over: false })
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
                (self.has_asked, self.beat) = (false, None);
                self.is_over = piece.is_last;
                return Poll::Ready(Some(Ok(piece.line)));
            }
            if std::mem::replace(&mut self.has_asked, true) {
                let beat = self.beat.get_or_insert_with(|| Delay::from(BEAT));
                if beat.poll_unpin(context).is_pending() {
                    return Poll::Pending;
                }
                self.beat = None;
                return Poll::Ready(Some(Ok(SIGN_OF_LIFE.to_vec())));
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
