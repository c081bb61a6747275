//! Requests: what waits to be sent, and what waits for its answer.
//!
//! A request waits in the queue until its turn ends, or, without a connection, until the next welcome. Once sent
//! it is outstanding until its one outcome. Losing the connection makes what is outstanding *unknown*: it is never
//! sent again, since it may have been done. The exception is a publish with a key: as long as the room remembers
//! the key, it takes the publish once, however often it comes. So that goes back to the front of the queue.

use alloc::{boxed::Box, vec::Vec};

use schemas::{
    ErrorCode, Payload,
    client_message::ClientMessage,
    limits::REQUEST_TIMEOUT_MS,
    server_message::{RequestError, RequestResult},
};

use crate::{
    heartbeat::LATE_MS,
    input::{Call, Request},
    output::{Event, Outcome, Outputs},
};

/// So many may wait; one more is rejected `overloaded`.
pub const QUEUE_MAX: usize = 256;
/// So many bytes may wait (a single larger request may, alone); more are rejected `overloaded`.
pub const QUEUE_BYTES_MAX: usize = 1024 * 1024;
/// So many may be unanswered; what is above stays in the queue.
pub const OUTSTANDING_MAX: usize = 1024;
/// So many bytes of publishes with a key may be unanswered (and one more publish); what is above stays in the queue.
pub const KEPT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Of what waited for the connection, so many publishes leave with the welcome …
pub const BACKLOG_FIRST: usize = 64;
/// … and so many each second after it, below the default rate of 50 a second. Other requests count twice: theirs
/// is 20 a second.
pub const BACKLOG_STEP: usize = 40;
pub const BACKLOG_STEP_MS: u64 = 1_000;

#[derive(Debug, Clone, Default)]
pub(crate) struct Requests {
    last_id: u32,
    /// In front, in the order in which they were first sent, those that are sent again.
    queue: Vec<Asked>,
    queue_bytes: usize,
    /// In the order of their ids, and so of their deadlines.
    outstanding: Vec<Outstanding>,
    kept_bytes: usize,
    /// Calls that returned something and have more to come, by their ids: no deadline is theirs.
    streams: Vec<(u32, Call)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// More than one where presence data was replaced before it was sent.
    calls: Vec<Call>,
    request: Request,
    first_sent: Option<FirstSent>,
    /// The answer to an earlier time was lost.
    is_again: bool,
}

/// When a request first went out, by this side's clock and by the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FirstSent {
    pub(crate) now: u64,
    pub(crate) server_time: u64,
}

impl FirstSent {
    /// By the clock that says more: one may have stood while the machine slept.
    fn age(self, now: FirstSent) -> u64 {
        (now.now - self.now).max(now.server_time.saturating_sub(self.server_time))
    }
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
    /// A publish with a key, kept to be sent again.
    Keyed(Box<Asked>),
    /// A call of the room's logic.
    Invocation(Call),
    /// The client's own: the next page of the roster.
    MembersPage,
    /// The client's own: a newer token.
    Auth,
}

/// What else was lost with answers that will not come.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lost {
    /// So many are in the queue again.
    pub(crate) sent_again: usize,
    /// A page of members was among them.
    pub(crate) page: bool,
    /// A newer token was.
    pub(crate) auth: bool,
}

/// What an answer, or its absence, means to the connection.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answered {
    Settled,
    MembersPage(Result<RequestResult, RequestError>),
    Auth(Result<RequestResult, RequestError>),
}

pub(crate) fn unavailable(message: &str) -> RequestError {
    RequestError::new(None, ErrorCode::Unavailable, message)
}

fn cancelled() -> RequestError {
    RequestError::new(None, ErrorCode::Cancelled, "cancelled by the application")
}

/// A refusal to take a publish again says nothing of the time before; but a key with another publish under it does.
fn refusal(is_again: bool, error: &RequestError) -> fn(RequestError) -> Outcome {
    if is_again && error.code != ErrorCode::Conflict { Outcome::Unknown } else { Outcome::Rejected }
}

impl Asked {
    /// Whether the room may not know its key any more.
    pub(crate) fn is_forgotten(&self, now: FirstSent, key_window: u64) -> bool {
        self.is_again && self.first_sent.is_some_and(|first| first.age(now) >= key_window)
    }

    /// The message to send, and what is to be known of it until its answer.
    pub(crate) fn begin(self, now: FirstSent, id: u32) -> (Vec<u8>, Purpose) {
        if self.request.is_keyed() {
            let message = self.request.clone().encode(id);
            let first_sent = self.first_sent.or(Some(now));
            return (message, Purpose::Keyed(Box::new(Asked { first_sent, ..self })));
        }
        let purpose = match (&self.request, self.calls.first()) {
            (Request::Call { .. }, Some(call)) => Purpose::Invocation(*call),
            _ => Purpose::Calls(self.calls),
        };
        (self.request.encode(id), purpose)
    }

    pub(crate) fn refuse(self, error: &RequestError, out: &mut Outputs) {
        out.refuse(self.calls, refusal(self.is_again, error), error);
    }
}

impl Purpose {
    pub(crate) fn refuse(self, error: &RequestError, out: &mut Outputs) {
        match self {
            Purpose::Calls(calls) => out.refuse(calls, Outcome::Rejected, error),
            Purpose::Invocation(call) => out.settle(call, Outcome::Rejected(error.clone())),
            Purpose::Keyed(asked) => asked.refuse(error, out),
            Purpose::MembersPage | Purpose::Auth => {}
        }
    }

    fn calls(&mut self) -> Option<&mut Vec<Call>> {
        match self {
            Purpose::Calls(calls) => Some(calls),
            Purpose::Keyed(asked) => Some(&mut asked.calls),
            Purpose::Invocation(_) | Purpose::MembersPage | Purpose::Auth => None,
        }
    }

    fn kept_bytes(&self) -> usize {
        match self {
            Purpose::Keyed(asked) => asked.request.bytes(),
            Purpose::Calls(_) | Purpose::Invocation(_) | Purpose::MembersPage | Purpose::Auth => 0,
        }
    }
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
        self.queue.push(Asked { calls, request, first_sent: None, is_again: false });
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn may_send(&self) -> bool {
        let unanswered = self.outstanding.len() + self.streams.len();
        !self.queue.is_empty() && unanswered < OUTSTANDING_MAX && self.kept_bytes < KEPT_BYTES_MAX
    }

    /// How many of the queue's front cost no more than `budget` publishes.
    pub(crate) fn affordable(&self, budget: usize) -> usize {
        let (mut count, mut cost) = (0, 0);
        for asked in &self.queue {
            cost += if asked.request.is_publish() { 1 } else { 2 };
            if cost > budget {
                break;
            }
            count += 1;
        }
        count
    }

    /// The next to send, if more may be outstanding; the caller gives it to [`Requests::sent`] or settles it.
    pub(crate) fn next(&mut self) -> Option<Asked> {
        if !self.may_send() {
            return None;
        }
        let asked = self.queue.remove(0);
        self.queue_bytes -= asked.request.bytes();
        Some(asked)
    }

    pub(crate) fn next_id(&mut self) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }

    pub(crate) fn sent(&mut self, now: u64, id: u32, purpose: Purpose) {
        let until = now + REQUEST_TIMEOUT_MS;
        self.kept_bytes += purpose.kept_bytes();
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

    /// The id of a request that shows a newer token.
    pub(crate) fn auth(&mut self, now: u64) -> u32 {
        let id = self.next_id();
        self.sent(now, id, Purpose::Auth);
        id
    }

    /// An answer to nothing known is an answer that came too late.
    pub(crate) fn answered(
        &mut self,
        id: u32,
        answer: Result<RequestResult, RequestError>,
        out: &mut Outputs,
    ) -> Answered {
        let Some(mut purpose) = self.take(id) else { return Answered::Settled };
        match purpose {
            Purpose::Auth => return Answered::Auth(answer),
            Purpose::Invocation(call) => {
                out.settle(call, answer.map_or_else(Outcome::Rejected, Outcome::Acknowledged));
                return Answered::Settled;
            }
            Purpose::Calls(_) | Purpose::Keyed(_) | Purpose::MembersPage => {}
        }
        match (purpose.calls(), answer) {
            (None, answer) => return Answered::MembersPage(answer),
            (Some(calls), Ok(result)) => {
                // Presence data alone has several who asked, and an answer that says nothing.
                let last = calls.pop();
                for call in calls.drain(..) {
                    out.settle(call, Outcome::Acknowledged(RequestResult::Done {}));
                }
                if let Some(call) = last {
                    out.settle(call, Outcome::Acknowledged(result));
                }
            }
            (Some(_), Err(error)) => purpose.refuse(&error, out),
        }
        Answered::Settled
    }

    /// What a call returned. One that has more to come has as long as it likes.
    pub(crate) fn returned(&mut self, id: u32, value: Payload, more: bool, out: &mut Outputs) {
        let invoked =
            |request: &Outstanding| request.id == id && matches!(request.purpose, Purpose::Invocation(_));
        if !self.streams.iter().any(|(known, _)| *known == id) && !self.outstanding.iter().any(invoked) {
            return;
        }
        let Some(Purpose::Invocation(call)) = self.take(id) else { return };
        out.emit(Event::Returned { call, value, more });
        if more {
            self.streams.push((id, call));
        } else {
            out.settle(call, Outcome::Acknowledged(RequestResult::Done {}));
        }
    }

    /// Returns the id of what the server may stop doing.
    pub(crate) fn cancel(&mut self, call: Call, out: &mut Outputs) -> Option<u32> {
        for index in 0..self.queue.len() {
            if !self.queue[index].calls.contains(&call) {
                continue;
            }
            self.queue[index].calls.retain(|other| *other != call);
            let is_again = self.queue[index].is_again;
            if self.queue[index].calls.is_empty() {
                self.queue_bytes -= self.queue.remove(index).request.bytes();
            }
            let error = cancelled();
            out.settle(call, refusal(is_again, &error)(error));
            return None;
        }
        let invoked = |outstanding: &&Outstanding| matches!(outstanding.purpose, Purpose::Invocation(known) if known == call);
        let waiting = self.outstanding.iter().find(invoked).map(|outstanding| outstanding.id);
        let streaming = self.streams.iter().find(|(_, known)| *known == call).map(|(id, _)| *id);
        if let Some(id) = waiting.or(streaming) {
            self.take(id);
            out.settle(call, Outcome::Unknown(cancelled()));
            return Some(id);
        }
        for outstanding in &mut self.outstanding {
            if let Some(calls) = outstanding.purpose.calls()
                && calls.contains(&call)
            {
                calls.retain(|other| *other != call);
                out.settle(call, Outcome::Unknown(cancelled()));
                break;
            }
        }
        None
    }

    /// When the oldest unanswered request becomes unknown.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.outstanding.first().map(|outstanding| outstanding.until)
    }

    /// Makes unknown what was unanswered for too long. A deadline slept through is moved, once: the answer may lie
    /// in the socket unread.
    pub(crate) fn expire(&mut self, now: u64, out: &mut Outputs) -> Lost {
        let late =
            |request: &Outstanding| request.patience == Patience::Full && now >= request.until + LATE_MS;
        if self.outstanding.iter().any(late) {
            for outstanding in &mut self.outstanding {
                outstanding.until = outstanding.until.max(now + LATE_MS);
                outstanding.patience = Patience::Last;
            }
            return Lost::default();
        }
        let expired = self.outstanding.iter().take_while(|request| request.until <= now).count();
        self.lose_first(expired, "unanswered for 10 s: whether it was done is unknown", out)
    }

    fn lose_first(&mut self, count: usize, message: &str, out: &mut Outputs) -> Lost {
        let mut lost = Lost::default();
        let rest = self.outstanding.split_off(count);
        for outstanding in core::mem::replace(&mut self.outstanding, rest) {
            self.kept_bytes -= outstanding.purpose.kept_bytes();
            match outstanding.purpose {
                Purpose::Calls(calls) => out.refuse(calls, Outcome::Unknown, &unavailable(message)),
                Purpose::Invocation(call) => out.settle(call, Outcome::Unknown(unavailable(message))),
                Purpose::Keyed(asked) if asked.calls.is_empty() => {}
                Purpose::Keyed(asked) => {
                    lost.sent_again += 1;
                    self.queue_again(*asked);
                }
                Purpose::MembersPage => lost.page = true,
                Purpose::Auth => lost.auth = true,
            }
        }
        lost
    }

    fn queue_again(&mut self, asked: Asked) {
        let is_earlier = |other: &&Asked| other.is_again && other.first_sent <= asked.first_sent;
        let index = self.queue.iter().take_while(is_earlier).count();
        self.queue_bytes += asked.request.bytes();
        self.queue.insert(index, Asked { is_again: true, ..asked });
    }

    fn take(&mut self, id: u32) -> Option<Purpose> {
        if let Some(index) = self.streams.iter().position(|(known, _)| *known == id) {
            return Some(Purpose::Invocation(self.streams.remove(index).1));
        }
        let index = self.outstanding.iter().position(|request| request.id == id)?;
        let purpose = self.outstanding.remove(index).purpose;
        self.kept_bytes -= purpose.kept_bytes();
        Some(purpose)
    }

    /// The answers will not come: the connection is lost, or the room was rebuilt.
    pub(crate) fn lose_answers(&mut self, message: &str, out: &mut Outputs) -> Lost {
        for (_, call) in core::mem::take(&mut self.streams) {
            out.settle(call, Outcome::Unknown(unavailable(message)));
        }
        self.lose_first(self.outstanding.len(), message, out)
    }

    /// The answers will not come, and nothing will be sent again.
    pub(crate) fn forget_answers(&mut self, message: &str, out: &mut Outputs) {
        self.lose_answers(message, out);
        self.forget_keys(message, out);
    }

    /// What waits to be sent again will not be: the room does not know its key.
    pub(crate) fn forget_keys(&mut self, message: &str, out: &mut Outputs) {
        while self.queue.first().is_some_and(|asked| asked.is_again) {
            let asked = self.queue.remove(0);
            self.queue_bytes -= asked.request.bytes();
            asked.refuse(&unavailable(message), out);
        }
    }

    /// Ephemerals are for now or never.
    pub(crate) fn drop_ephemerals(&mut self, out: &mut Outputs) {
        let (dropped, kept): (Vec<_>, Vec<_>) =
            self.queue.drain(..).partition(|queued| queued.request.is_ephemeral());
        self.queue = kept;
        for queued in dropped {
            self.queue_bytes -= queued.request.bytes();
            queued.refuse(&unavailable("not connected: ephemerals do not wait"), out);
        }
    }

    /// Nothing that waits will be sent.
    pub(crate) fn reject_queue(&mut self, error: &RequestError, out: &mut Outputs) {
        self.queue_bytes = 0;
        for asked in self.queue.drain(..) {
            asked.refuse(error, out);
        }
    }
}
