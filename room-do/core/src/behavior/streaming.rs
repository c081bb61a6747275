//! Streams that are open: whom they are for, when they are asked, and how much at once.

use std::collections::{BTreeMap, BTreeSet};

use schemas::{Claims, ConnectionId, ErrorCode, UserId, limits, server_message::RequestError};

use super::stream::Chunks;
use crate::{input::RequestId, staging::Origin};

/// Streams of one connection, or of one user over HTTP.
const STREAMS_READER_MAX: usize = 8;
/// Streams of API keys and Workers, all together.
const STREAMS_SERVICES_MAX: usize = 256;
/// Streams of a room.
const STREAMS_MAX: usize = 1_000;
/// Chunks that one stream gives in a turn; over HTTP, until its reader has taken them.
const CHUNKS_AT_ONCE: usize = 64;
/// And bytes.
const CHUNK_BYTES_AT_ONCE: usize = 256 * 1024;
/// Bytes that all streams together give in one flush.
pub(crate) const CHUNK_BYTES_IN_FLUSH: usize = 4 * 1024 * 1024;
/// A reader that is slow is looked at again after so long.
const SLOW_MS: u64 = 100;
/// Over HTTP, a reader that takes nothing of what waits for it for so long reads no more.
const UNREAD_MS: u64 = 60_000;

/// Who reads a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reader {
    Connection(ConnectionId, u32),
    Http(RequestId),
}

impl Reader {
    pub(crate) fn of(origin: &Origin) -> Option<Reader> {
        match origin {
            Origin::Connection { connection, request: Some(id) } => {
                Some(Reader::Connection(*connection, *id))
            }
            Origin::Http { request } => Some(Reader::Http(*request)),
            _ => None,
        }
    }

    pub(crate) fn origin(self) -> Origin {
        match self {
            Reader::Connection(connection, id) => Origin::Connection { connection, request: Some(id) },
            Reader::Http(request) => Origin::Http { request },
        }
    }
}

/// When a stream is asked next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    Now,
    At(u64),
    /// Once anything else has run.
    AfterOthers,
}

#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) chunks: Chunks,
    pub(crate) wake: Wake,
    /// Of a user who called over HTTP.
    claims: Option<Box<Claims>>,
    /// Chunks given in this turn; over HTTP, since its reader had taken all.
    count: usize,
    /// And bytes.
    bytes: usize,
    /// When an HTTP reader took something, or had nothing to take.
    read_at: u64,
}

impl Open {
    pub(crate) fn new(chunks: Chunks, claims: Option<Box<Claims>>) -> Open {
        Open { chunks, wake: Wake::Now, claims, count: 0, bytes: 0, read_at: 0 }
    }

    fn user(&self) -> Option<&UserId> {
        self.claims.as_deref()?.user.as_ref()
    }

    /// Whether it may give one more chunk.
    pub(crate) fn has_place(&self) -> bool {
        self.count < CHUNKS_AT_ONCE && self.bytes < CHUNK_BYTES_AT_ONCE
    }

    pub(crate) fn gave(&mut self, now: u64, bytes: usize) {
        if self.count == 0 {
            self.read_at = now;
        }
        self.count += 1;
        self.bytes += bytes;
    }

    /// Its reader has all that it gave.
    pub(crate) fn caught_up(&mut self) {
        (self.count, self.bytes) = (0, 0);
    }

    /// Why it cannot go on, over HTTP.
    fn overdue(&self, now: u64) -> Option<RequestError> {
        let expires_at = self.claims.as_deref().and_then(|claims| claims.expires_at);
        if expires_at.is_some_and(|at| now > at.saturating_add(limits::TOKEN_LEEWAY_MS)) {
            return Some(RequestError::new(None, ErrorCode::Unauthorized, "the token has expired"));
        }
        let is_unread = self.count > 0 && now >= self.read_at + UNREAD_MS;
        is_unread.then(|| {
            let message = format!("nobody read the stream for {} s", UNREAD_MS / 1_000);
            RequestError::new(None, ErrorCode::Unavailable, message)
        })
    }
}

#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) open: BTreeMap<Reader, Open>,
    /// Asked in the flush under decision: where it fails they are told, those that came to their end in it, too.
    pub(crate) asked: BTreeSet<Reader>,
    /// Asked last: of those that are ready, the one behind it comes first.
    pub(crate) last: Option<Reader>,
}

impl Streams {
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether there is place for one more of this reader's: over HTTP a user's, or else a service's. `opened` are
    /// those of the flush under decision.
    pub(crate) fn has_place(&self, reader: Reader, user: Option<&UserId>, opened: &[(Reader, Open)]) -> bool {
        let opening = opened.iter().map(|(reader, open)| (reader, open));
        let of_same = self.open.iter().chain(opening).filter(|(other, open)| match (reader, other) {
            (Reader::Connection(this, _), Reader::Connection(other, _)) => this == *other,
            (Reader::Http(_), Reader::Http(_)) => user == open.user(),
            _ => false,
        });
        let max = match (reader, user) {
            (Reader::Http(_), None) => STREAMS_SERVICES_MAX,
            _ => STREAMS_READER_MAX,
        };
        of_same.count() < max && self.open.len() + opened.len() < STREAMS_MAX
    }

    /// The calls of a connection that stream.
    pub(crate) fn of(&self, connection: ConnectionId) -> impl Iterator<Item = u32> {
        let all = Reader::Connection(connection, 0)..=Reader::Connection(connection, u32::MAX);
        self.open.range(all).filter_map(|(reader, _)| match reader {
            Reader::Connection(_, id) => Some(*id),
            Reader::Http(_) => None,
        })
    }

    pub(crate) fn forget_connection(&mut self, connection: ConnectionId) {
        self.open.retain(|reader, _| !matches!(reader, Reader::Connection(of, _) if *of == connection));
    }

    /// Something ran: whoever waited for that is asked again.
    pub(crate) fn others_ran(&mut self) {
        for open in self.open.values_mut().filter(|open| open.wake == Wake::AfterOthers) {
            open.wake = Wake::Now;
        }
    }

    /// An HTTP reader has taken what there was.
    pub(crate) fn wanted(&mut self, request: RequestId) {
        if let Some(open) = self.open.get_mut(&Reader::Http(request)) {
            open.caught_up();
        }
    }

    /// An HTTP reader has taken something.
    pub(crate) fn read(&mut self, now: u64, request: RequestId) {
        if let Some(open) = self.open.get_mut(&Reader::Http(request)) {
            open.read_at = now;
        }
    }

    /// Ends those over HTTP that cannot go on.
    pub(crate) fn take_overdue(&mut self, now: u64) -> Vec<(RequestId, RequestError)> {
        self.take_if(|open| open.overdue(now))
    }

    /// Ends those of users over HTTP of whom `why` gives a reason.
    pub(crate) fn take_of_users(
        &mut self,
        why: impl Fn(&Claims) -> Option<RequestError>,
    ) -> Vec<(RequestId, RequestError)> {
        self.take_if(|open| why(open.claims.as_deref()?))
    }

    fn take_if(&mut self, why: impl Fn(&Open) -> Option<RequestError>) -> Vec<(RequestId, RequestError)> {
        let over = self.open.iter().filter_map(|(reader, open)| match reader {
            Reader::Http(request) => Some((*request, why(open)?)),
            Reader::Connection(..) => None,
        });
        let over: Vec<(RequestId, RequestError)> = over.collect();
        for (request, _) in &over {
            self.open.remove(&Reader::Http(*request));
        }
        over
    }

    /// Those to be asked now, in turns; `is_slow` tells of connections that have much unsent.
    pub(crate) fn ready(&self, now: u64, is_slow: impl Fn(ConnectionId) -> bool) -> Vec<Reader> {
        let is_ready = |(reader, open): &(&Reader, &Open)| {
            let is_due = match open.wake {
                Wake::Now => true,
                Wake::At(at) => at <= now,
                Wake::AfterOthers => false,
            };
            let reads = match reader {
                Reader::Connection(connection, _) => !is_slow(*connection),
                Reader::Http(_) => open.has_place(),
            };
            is_due && reads
        };
        let mut ready: Vec<Reader> = self.open.iter().filter(is_ready).map(|(reader, _)| *reader).collect();
        let behind = ready.partition_point(|reader| Some(*reader) <= self.last);
        ready.rotate_left(behind);
        ready
    }

    /// When one that is not ready may be: by its own time, or because its reader has caught up.
    pub(crate) fn next_at(&self, now: u64) -> Option<u64> {
        let waits = self.open.iter().filter_map(|(reader, open)| match (open.wake, reader) {
            (Wake::At(at), _) if at > now => Some(at),
            (Wake::AfterOthers, _) | (_, Reader::Http(_)) => None,
            (Wake::Now | Wake::At(_), Reader::Connection(..)) => Some(now + SLOW_MS),
        });
        waits.min()
    }

    /// The clock went back: waits keep their distance.
    pub(crate) fn step_back(&mut self, by_ms: u64) {
        for open in self.open.values_mut() {
            open.read_at = open.read_at.saturating_sub(by_ms);
            if let Wake::At(at) = &mut open.wake {
                *at = at.saturating_sub(by_ms);
            }
        }
    }
}

/// What a reader is told whose stream went with the room's memory.
pub(crate) fn interrupted(id: Option<u32>) -> RequestError {
    let message = "the room lost its memory while it streamed: ask again";
    RequestError::new(id, ErrorCode::Unavailable, message)
}
