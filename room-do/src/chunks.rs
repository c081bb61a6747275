//! An answer that comes chunk by chunk: a line of JSON each, the last says that it is. While nothing comes, a space
//! now and then tells that it lives: the platform notices a reader that is gone only when it writes.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::{Rc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use deployment::clock;
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

/// A reader that takes one piece after another is told of so often, in milliseconds.
const READS_EVERY_MS: u64 = 10_000;

/// The room's end.
#[derive(Debug)]
pub(crate) struct Feed {
    sender: UnboundedSender<Piece>,
    pieces: Pieces,
}

/// What the reader has not taken: the room may take it back.
type Pieces = Rc<RefCell<UnboundedReceiver<Piece>>>;

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
    pieces: Pieces,
    /// When the room was last told that something was taken.
    told_at: u64,
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
    let pieces = Rc::new(RefCell::new(pieces));
    let feed = Feed { sender, pieces: Rc::clone(&pieces) };
    let told_at = clock::now();
    (feed, Chunks { live, request, pieces, told_at, has_asked: false, beat: None, is_over: false })
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

    /// Ends it in place of what was not taken.
    pub(crate) fn cut(self, error: RequestError) {
        while let Ok(piece) = self.pieces.borrow_mut().try_recv() {
            drop(piece);
        }
        self.end(Err(error));
    }

    fn line(&self, line: &Line) {
        // The reader may be gone.
        drop(self.sender.unbounded_send(line.piece()));
    }
}

impl Chunks {
    /// Tells the room now and then that its reader reads, though it has not taken all.
    fn taken(&mut self) {
        let now = clock::now();
        if now.abs_diff(self.told_at) < READS_EVERY_MS {
            return;
        }
        self.told_at = now;
        if let Some(live) = self.live.upgrade() {
            live.step(Input::Reading { request: self.request });
        }
    }
}

impl Stream for Chunks {
    type Item = worker::Result<Vec<u8>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        loop {
            // Not held while the room is told: it may take pieces back.
            let polled = Pin::new(&mut *self.pieces.borrow_mut()).poll_next(context);
            if let Poll::Ready(piece) = polled {
                let piece = piece.unwrap_or_else(|| Line::lost().piece());
                (self.has_asked, self.beat) = (false, None);
                self.is_over = piece.is_last;
                if !self.is_over {
                    self.taken();
                }
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
