//! Requests: what waits to be sent, and what waits for its answer.
//!
//! A request waits in the queue until its turn ends, or, without a connection, until the next welcome. Once sent
//! it is outstanding until its one outcome. Losing the connection makes what is outstanding *unknown*: it is never
//! sent again, since it may have been done.

use schemas::{
    ErrorCode,
    client_message::ClientMessage,
    limits::REQUEST_TIMEOUT_MS,
    server_message::{RequestError, RequestResult},
};

use crate::{
    heartbeat::LATE_MS,
    input::{Call, Request},
    output::{Outcome, Outputs},
};

/// So many may wait; one more is rejected `overloaded`.
pub const QUEUE_MAX: usize = 256;
/// So many bytes may wait (a single larger request may, alone); more are rejected `overloaded`.
pub const QUEUE_BYTES_MAX: usize = 1024 * 1024;
/// So many may be unanswered; what is above stays in the queue.
pub const OUTSTANDING_MAX: usize = 1024;
/// Of what waited for the connection, so many leave with the welcome …
pub const BACKLOG_FIRST: usize = 64;
/// … and so many each second after it, below the default rate of 50 publishes a second.
pub const BACKLOG_STEP: usize = 40;
pub const BACKLOG_STEP_MS: u64 = 1_000;

#[derive(Debug, Clone, Default)]
pub(crate) struct Requests {
    last_id: u32,
    queue: Vec<Queued>,
    queue_bytes: usize,
    /// In the order of their ids, and so of their deadlines.
    outstanding: Vec<Outstanding>,
}

#[derive(Debug, Clone)]
struct Queued {
    /// More than one where presence data was replaced before it was sent.
    calls: Vec<Call>,
    request: Request,
}

#[derive(Debug, Clone)]
struct Outstanding {
    id: u32,
    until: u64,
    patience: Patience,
    purpose: Purpose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    Full,
    /// The deadline was slept through once.
    Last,
}

#[derive(Debug, Clone)]
pub(crate) enum Purpose {
    Calls(Vec<Call>),
    /// The client's own: the next page of the roster.
    MembersPage,
}

/// What an answer, or its absence, means to the connection.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answered {
    Settled,
    MembersPage(Result<RequestResult, RequestError>),
}

pub(crate) fn unavailable(message: &str) -> RequestError {
    RequestError::new(None, ErrorCode::Unavailable, message)
}

fn cancelled() -> RequestError {
    RequestError::new(None, ErrorCode::Cancelled, "cancelled by the application")
}

impl Requests {
    /// Whether the queue would refuse `request`.
    pub(crate) fn is_full_for(&self, request: &Request) -> bool {
        let calls: usize = self.queue.iter().map(|queued| queued.calls.len()).sum();
        calls >= QUEUE_MAX || (calls > 0 && self.queue_bytes + request.bytes() > QUEUE_BYTES_MAX)
    }

    /// Queues `request`, behind all others. Of presence data only the latest is kept, and settles those before.
    pub(crate) fn queue(&mut self, call: Call, request: Request) {
        let mut calls = Vec::new();
        if matches!(request, Request::Presence { .. }) {
            let earlier =
                self.queue.iter().position(|queued| matches!(queued.request, Request::Presence { .. }));
            if let Some(index) = earlier {
                let queued = self.queue.remove(index);
                self.queue_bytes -= queued.request.bytes();
                calls = queued.calls;
            }
        }
        calls.push(call);
        self.queue_bytes += request.bytes();
        self.queue.push(Queued { calls, request });
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn may_send(&self) -> bool {
        !self.queue.is_empty() && self.outstanding.len() < OUTSTANDING_MAX
    }

    /// The next to send, if more may be outstanding; the caller gives it to [`Requests::sent`] or settles it.
    pub(crate) fn next(&mut self) -> Option<(Vec<Call>, Request)> {
        if !self.may_send() {
            return None;
        }
        let Queued { calls, request } = self.queue.remove(0);
        self.queue_bytes -= request.bytes();
        Some((calls, request))
    }

    pub(crate) fn next_id(&mut self) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }

    pub(crate) fn sent(&mut self, now: u64, id: u32, purpose: Purpose) {
        let until = now + REQUEST_TIMEOUT_MS;
        self.outstanding.push(Outstanding { id, until, patience: Patience::Full, purpose });
    }

    /// The request for the page of members behind `cursor`.
    pub(crate) fn members_page(&mut self, now: u64, cursor: &str) -> ClientMessage {
        let id = self.next_id();
        self.sent(now, id, Purpose::MembersPage);
        ClientMessage::Members(schemas::client_message::Members {
            id,
            cursor: Some(cursor.into()),
            limit: schemas::limits::MEMBERS_PAGE_MAX,
        })
    }

    /// An answer to nothing known is an answer that came too late.
    pub(crate) fn answered(
        &mut self,
        id: u32,
        answer: Result<RequestResult, RequestError>,
        out: &mut Outputs,
    ) -> Answered {
        match self.take(id) {
            Some(Purpose::Calls(calls)) => {
                let outcome = match answer {
                    Ok(result) => Outcome::Acknowledged(result),
                    Err(error) => Outcome::Rejected(error),
                };
                out.settle(calls, outcome);
                Answered::Settled
            }
            Some(Purpose::MembersPage) => Answered::MembersPage(answer),
            None => Answered::Settled,
        }
    }

    pub(crate) fn cancel(&mut self, call: Call, out: &mut Outputs) {
        for index in 0..self.queue.len() {
            if !self.queue[index].calls.contains(&call) {
                continue;
            }
            self.queue[index].calls.retain(|other| *other != call);
            if self.queue[index].calls.is_empty() {
                self.queue_bytes -= self.queue.remove(index).request.bytes();
            }
            return out.settle([call], Outcome::Rejected(cancelled()));
        }
        for outstanding in &mut self.outstanding {
            if let Purpose::Calls(calls) = &mut outstanding.purpose
                && calls.contains(&call)
            {
                calls.retain(|other| *other != call);
                return out.settle([call], Outcome::Unknown(cancelled()));
            }
        }
    }

    /// When the oldest unanswered request becomes unknown.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.outstanding.first().map(|outstanding| outstanding.until)
    }

    /// Makes unknown what was unanswered for too long. A deadline slept through is moved, once: the answer may lie
    /// in the socket unread. `true` where a page of members is among them.
    pub(crate) fn expire(&mut self, now: u64, out: &mut Outputs) -> bool {
        let late =
            |request: &Outstanding| request.patience == Patience::Full && now >= request.until + LATE_MS;
        if self.outstanding.iter().any(late) {
            for outstanding in &mut self.outstanding {
                outstanding.until = outstanding.until.max(now + LATE_MS);
                outstanding.patience = Patience::Last;
            }
            return false;
        }
        let expired = self.outstanding.iter().take_while(|request| request.until <= now).count();
        self.forget_first(expired, "unanswered for 10 s: whether it was done is unknown", out)
    }

    fn forget_first(&mut self, count: usize, message: &str, out: &mut Outputs) -> bool {
        let mut page_lost = false;
        for outstanding in self.outstanding.drain(..count) {
            match outstanding.purpose {
                Purpose::Calls(calls) => out.settle(calls, Outcome::Unknown(unavailable(message))),
                Purpose::MembersPage => page_lost = true,
            }
        }
        page_lost
    }

    fn take(&mut self, id: u32) -> Option<Purpose> {
        let index = self.outstanding.iter().position(|request| request.id == id)?;
        Some(self.outstanding.remove(index).purpose)
    }

    /// The answers will not come: the connection is lost, or the room was rebuilt. `true` where a page of members
    /// is among them.
    pub(crate) fn forget_answers(&mut self, message: &str, out: &mut Outputs) -> bool {
        self.forget_first(self.outstanding.len(), message, out)
    }

    /// Ephemerals are for now or never.
    pub(crate) fn drop_ephemerals(&mut self, out: &mut Outputs) {
        let (dropped, kept): (Vec<_>, Vec<_>) =
            self.queue.drain(..).partition(|queued| queued.request.is_ephemeral());
        self.queue = kept;
        for queued in dropped {
            self.queue_bytes -= queued.request.bytes();
            out.settle(queued.calls, Outcome::Rejected(unavailable("not connected: ephemerals do not wait")));
        }
    }

    /// Nothing that waits will be sent.
    pub(crate) fn reject_queue(&mut self, error: &RequestError, out: &mut Outputs) {
        self.queue_bytes = 0;
        for queued in self.queue.drain(..) {
            out.settle(queued.calls, Outcome::Rejected(error.clone()));
        }
    }
}
