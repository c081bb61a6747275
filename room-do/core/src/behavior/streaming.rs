//! Streams that are open: whom they are for, when they are asked, and how much at once.

use std::collections::{BTreeMap, BTreeSet};

use schemas::{ConnectionId, ErrorCode, server_message::RequestError};

use super::stream::Chunks;
use crate::{input::RequestId, staging::Origin};

/// Streams of one connection.
pub(crate) const STREAMS_CONNECTION_MAX: usize = 8;
/// Streams of a room.
pub(crate) const STREAMS_MAX: usize = 1_000;
/// Chunks that one stream gives in a turn; over HTTP, until its reader has taken them.
pub(crate) const CHUNKS_AT_ONCE: usize = 64;
/// And bytes.
pub(crate) const CHUNK_BYTES_AT_ONCE: usize = 256 * 1024;
/// A reader that is slow is looked at again after so long.
const SLOW_MS: u64 = 100;

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
    /// Chunks that an HTTP reader still wants.
    pub(crate) wanted: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) open: BTreeMap<Reader, Open>,
    /// Asked in the flush under decision: where it fails they are told, those that came to their end in it, too.
    pub(crate) asked: BTreeSet<Reader>,
}

impl Streams {
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(crate) fn add(&mut self, reader: Reader, chunks: Chunks) {
        self.open.insert(reader, Open { chunks, wake: Wake::Now, wanted: CHUNKS_AT_ONCE });
    }

    /// Whether there is place for one more of this reader's.
    pub(crate) fn has_place(&self, reader: Reader) -> bool {
        let of_same = match reader {
            Reader::Connection(connection, _) => self.of(connection).count(),
            Reader::Http(_) => 0,
        };
        of_same < STREAMS_CONNECTION_MAX && self.open.len() < STREAMS_MAX
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
            open.wanted = CHUNKS_AT_ONCE;
        }
    }

    /// Those to be asked now; `is_slow` tells of connections that have much unsent.
    pub(crate) fn ready(&self, now: u64, is_slow: impl Fn(ConnectionId) -> bool) -> Vec<Reader> {
        let is_ready = |(reader, open): &(&Reader, &Open)| {
            let is_due = match open.wake {
                Wake::Now => true,
                Wake::At(at) => at <= now,
                Wake::AfterOthers => false,
            };
            let reads = match reader {
                Reader::Connection(connection, _) => !is_slow(*connection),
                Reader::Http(_) => open.wanted > 0,
            };
            is_due && reads
        };
        self.open.iter().filter(is_ready).map(|(reader, _)| *reader).collect()
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
