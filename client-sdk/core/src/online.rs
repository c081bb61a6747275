//! A connection from its welcome on: what the server says, and what leaves at the end of a turn.

use schemas::{
    CloseCode, ErrorCode, Frame, Offset, Position, ServerMessage,
    client_message::ClientMessage,
    limits::FRAME_BYTES_MAX,
    server_message::{
        Member, MembersPage, NoticeCode, PresenceDiff, Publication, RecoveryFailure, RequestError,
        RequestResult, Welcome,
    },
};

use crate::{
    client::{Client, Me},
    heartbeat::{Heartbeat, Verdict},
    input::Attempt,
    output::{Deadline, Due, Event, Outcome, Output, Outputs},
    presence::{Roster, apply, difference},
    requests::{Answered, BACKLOG_FIRST, BACKLOG_STEP, BACKLOG_STEP_MS, Purpose, Requests},
    state::State,
    wire,
};

/// A page of members that was not served is asked for again after so long.
const PAGE_RETRY_MS: u64 = 1_000;

#[derive(Debug, Clone)]
pub(crate) struct Online {
    pub(crate) attempt: Attempt,
    pub(crate) since: u64,
    heartbeat: Heartbeat,
    frame_bytes_max: usize,
    backlog: Backlog,
    listing: Option<Listing>,
}

/// Of the queue's front, what waited for this connection.
#[derive(Debug, Clone)]
struct Backlog {
    left: usize,
    next_at: u64,
}

/// A snapshot of the roster that has more pages. The roster shown stays the old one until it is complete.
#[derive(Debug, Clone)]
struct Listing {
    listed: Roster,
    cursor: String,
    page: Page,
}

#[derive(Debug, Clone, Copy)]
enum Page {
    Awaited,
    AskAgain { at: u64 },
}

impl Online {
    pub(crate) fn deadline(&self, now: u64, requests: &Requests) -> Deadline {
        let (at, pong) = self.heartbeat.deadline();
        let mut soonest = Deadline { at_ms: at, due: if pong { Due::Pong } else { Due::Ping } };
        let mut offer = |at_ms: u64, due: Due| {
            if at_ms < soonest.at_ms {
                soonest = Deadline { at_ms, due };
            }
        };
        if let Some(at) = requests.deadline() {
            offer(at, Due::Reply);
        }
        if let Some(Listing { page: Page::AskAgain { at }, .. }) = self.listing {
            offer(at, Due::MembersPage);
        }
        if requests.may_send() {
            match self.backlog.left {
                0 => offer(now, Due::TurnEnd),
                _ => offer(self.backlog.next_at, Due::Backlog),
            }
        }
        soonest
    }

    /// How many requests may leave now.
    fn allowance(&mut self, now: u64, queued: usize) -> usize {
        self.backlog.left = self.backlog.left.min(queued);
        if self.backlog.left == 0 {
            return usize::MAX;
        }
        if now < self.backlog.next_at {
            return 0;
        }
        let step = self.backlog.left.min(BACKLOG_STEP);
        self.backlog.left -= step;
        self.backlog.next_at = now + BACKLOG_STEP_MS;
        step
    }
}

impl Client {
    pub(crate) fn on_frame(&mut self, now: u64, attempt: Attempt, frame: &Frame, out: &mut Outputs) {
        if self.state.socket() != Some(attempt) {
            return;
        }
        if let State::Online(online) = &mut self.state {
            online.heartbeat.received();
        }
        match frame {
            // The one text there is, `pong`, has no more to say than that it came.
            Frame::Text(_) => {}
            Frame::Binary(bytes) => match wire::decode(bytes) {
                Ok(messages) => {
                    for message in messages {
                        self.on_message(now, message, out);
                    }
                }
                // The same bytes would come again after a reconnect.
                Err(_) => {
                    let code = CloseCode::UnsupportedProtocol;
                    out.push(Output::CloseSocket { attempt, code });
                    self.fail(code.code(), "the server's message cannot be read".into(), out);
                }
            },
        }
    }

    fn on_message(&mut self, now: u64, message: ServerMessage, out: &mut Outputs) {
        match (&mut self.state, message) {
            (State::Greeting { .. }, ServerMessage::Welcome(welcome)) => self.on_welcome(now, *welcome, out),
            (State::Online(_), ServerMessage::Publication(publication)) => {
                self.on_publication(publication, out)
            }
            (State::Online(_), ServerMessage::Ephemeral(ephemeral)) => out.emit(Event::Fanned(ephemeral)),
            (State::Online(_), ServerMessage::Position { offset }) => self.advance(offset),
            (State::Online(_), ServerMessage::Presence(diff)) => self.on_presence(diff, out),
            (State::Online(_), ServerMessage::Occupancy(occupancy)) => {
                out.emit(Event::OccupancyChanged(occupancy));
            }
            (State::Online(_), ServerMessage::Expiring { expires_at }) => {
                out.emit(Event::Expiring { expires_at })
            }
            (State::Online(_), ServerMessage::Notice { code, message }) => {
                self.on_notice(now, code, message, out)
            }
            (State::Online(_) | State::Leaving { .. }, ServerMessage::Reply(reply)) => {
                self.on_answer(now, reply.id, Ok(reply.result), out);
            }
            (State::Online(_) | State::Leaving { .. }, ServerMessage::Error(error)) => match error.id {
                Some(id) => self.on_answer(now, id, Err(error), out),
                None => out.emit(Event::Refused(error)),
            },
            // Out of place: before the welcome, a second welcome, or after `leave`.
            (
                State::Idle
                | State::FetchingToken { .. }
                | State::Opening { .. }
                | State::Greeting { .. }
                | State::Online(_)
                | State::Waiting { .. }
                | State::Leaving { .. }
                | State::Failed(_)
                | State::Left,
                _,
            ) => {}
        }
    }

    fn on_welcome(&mut self, now: u64, welcome: Welcome, out: &mut Outputs) {
        let State::Greeting { attempt, recover, .. } = self.state else { return };
        self.state = State::Online(Box::new(Online {
            attempt,
            since: now,
            heartbeat: Heartbeat::started(now),
            frame_bytes_max: (welcome.limits.frame_bytes as usize).min(FRAME_BYTES_MAX),
            backlog: Backlog { left: self.requests.queued(), next_at: now },
            listing: None,
        }));
        let me = Me {
            connection: welcome.connection,
            session: welcome.session,
            user: welcome.user,
            tags: welcome.tags,
            limits: welcome.limits,
            expires_at: welcome.expires_at,
        };
        self.me = Some(me.clone());
        out.emit(Event::Welcomed(me));
        if recover.is_some() && !welcome.recovered {
            out.emit(Event::Gap { reason: welcome.reason.unwrap_or(RecoveryFailure::TooFarBehind) });
        }
        // What was emitted before a gap still counts, unless the log is another or was cut back.
        let seen = recover
            .filter(|position| position.epoch == welcome.epoch && position.offset <= welcome.offset)
            .map_or(Offset::ZERO, |position| position.offset);
        self.position = Some(Position { epoch: welcome.epoch, offset: seen });
        for publication in welcome.publications {
            self.on_publication(publication, out);
        }
        self.advance(welcome.offset);
        self.on_snapshot(now, welcome.members.unwrap_or_default(), welcome.members_next, out);
        out.emit(Event::OccupancyChanged(welcome.occupancy));
        self.flush_backlog(now, out);
    }

    /// The first of what waited goes out with the welcome.
    fn flush_backlog(&mut self, now: u64, out: &mut Outputs) {
        let State::Online(online) = &mut self.state else { return };
        let first = online.backlog.left.min(BACKLOG_FIRST);
        online.backlog.left -= first;
        online.backlog.next_at = now + BACKLOG_STEP_MS;
        self.send_queued(now, first, None, out);
    }

    fn on_publication(&mut self, publication: Publication, out: &mut Outputs) {
        if self.position.is_some_and(|position| publication.offset > position.offset) {
            self.advance(publication.offset);
            out.emit(Event::Published(publication));
        }
    }

    fn advance(&mut self, offset: Offset) {
        if let Some(position) = &mut self.position {
            position.offset = position.offset.max(offset);
        }
    }

    fn on_snapshot(&mut self, now: u64, members: Vec<Member>, next: Option<String>, out: &mut Outputs) {
        let listed = members.into_iter().collect();
        match next {
            None => self.show(listed, out),
            Some(cursor) => self.ask_page(now, listed, cursor, out),
        }
    }

    pub(crate) fn show(&mut self, roster: Roster, out: &mut Outputs) {
        let diff = difference(&self.roster, &roster);
        self.roster = roster;
        if !diff.is_empty() {
            out.emit(Event::PresenceChanged(diff));
        }
    }

    fn ask_page(&mut self, now: u64, listed: Roster, cursor: String, out: &mut Outputs) {
        let State::Online(online) = &mut self.state else { return };
        let attempt = online.attempt;
        let ask = self.requests.members_page(now, &cursor);
        online.listing = Some(Listing { listed, cursor, page: Page::Awaited });
        online.heartbeat.sent(now);
        self.send(attempt, wire::encode(&ask), out);
    }

    fn on_page(&mut self, now: u64, answer: Result<RequestResult, RequestError>, out: &mut Outputs) {
        let State::Online(online) = &mut self.state else { return };
        let Some(mut listing) = online.listing.take() else { return };
        match answer {
            Ok(RequestResult::Members(MembersPage { members, next, .. })) => {
                for member in members {
                    listing.listed.insert(member);
                }
                match next {
                    None => self.show(listing.listed, out),
                    Some(cursor) => self.ask_page(now, listing.listed, cursor, out),
                }
            }
            Err(error) if error.retryable || error.retry_after_ms.is_some() => {
                let at = now + error.retry_after_ms.unwrap_or(PAGE_RETRY_MS);
                online.listing = Some(Listing { page: Page::AskAgain { at }, ..listing });
            }
            // There is no more to be had; what was listed is true as far as it goes.
            Ok(_) | Err(_) => self.show(listing.listed, out),
        }
    }

    fn lose_page(&mut self, now: u64) {
        if let State::Online(online) = &mut self.state
            && let Some(listing) = &mut online.listing
        {
            listing.page = Page::AskAgain { at: now + PAGE_RETRY_MS };
        }
    }

    fn on_presence(&mut self, diff: PresenceDiff, out: &mut Outputs) {
        let State::Online(online) = &mut self.state else { return };
        match &mut online.listing {
            Some(listing) => apply(&mut listing.listed, &diff),
            None => {
                apply(&mut self.roster, &diff);
                out.emit(Event::PresenceChanged(diff));
            }
        }
    }

    fn on_notice(&mut self, now: u64, code: NoticeCode, message: String, out: &mut Outputs) {
        match code {
            NoticeCode::Restarted => {
                if self.requests.forget_answers("the room was rebuilt before the answer", out) {
                    self.lose_page(now);
                }
            }
            NoticeCode::EphemeralsDropped => {}
        }
        out.emit(Event::Noticed { code, message });
    }

    fn on_answer(
        &mut self,
        now: u64,
        id: u32,
        answer: Result<RequestResult, RequestError>,
        out: &mut Outputs,
    ) {
        if let State::Leaving { attempt, leave, .. } = self.state
            && leave == id
        {
            return self.end_leaving(attempt, out);
        }
        match self.requests.answered(id, answer, out) {
            Answered::Settled => {}
            Answered::MembersPage(answer) => self.on_page(now, answer, out),
        }
    }

    /// Sends what the turn queued, and `last` behind it.
    pub(crate) fn flush(&mut self, now: u64, last: Option<&ClientMessage>, out: &mut Outputs) {
        if let State::Online(online) = &mut self.state {
            let allowance = online.allowance(now, self.requests.queued());
            self.send_queued(now, allowance, last, out);
        }
    }

    fn send_queued(&mut self, now: u64, allowance: usize, last: Option<&ClientMessage>, out: &mut Outputs) {
        let State::Online(online) = &mut self.state else { return };
        let (attempt, bytes_max) = (online.attempt, online.frame_bytes_max);
        let mut frames = Frames { attempt, bytes_max, bytes: Vec::new() };
        for _ in 0..allowance {
            let Some((calls, request)) = self.requests.next() else { break };
            let id = self.requests.next_id();
            let fragment = wire::encode(&request.message(id));
            if fragment.len() > bytes_max {
                let error = RequestError::new(None, ErrorCode::TooLarge, "larger than the server takes");
                out.settle(calls, Outcome::Rejected(error));
                continue;
            }
            online.heartbeat.sent(now);
            frames.add(fragment, out);
            self.requests.sent(now, id, Purpose::Calls(calls));
        }
        if let Some(message) = last {
            frames.add(wire::encode(message), out);
        }
        frames.send(out);
    }

    pub(crate) fn on_online_timeout(&mut self, now: u64, out: &mut Outputs) {
        let State::Online(online) = &mut self.state else { return };
        let attempt = online.attempt;
        match online.heartbeat.looked_at(now) {
            Verdict::Fine => {}
            Verdict::Ping => ping(attempt, out),
            Verdict::Dead => return self.give_up_socket(now, out),
        }
        if let Some(listing) = online.listing.take_if(|listing| listing.is_due(now)) {
            self.ask_page(now, listing.listed, listing.cursor, out);
        }
        if self.requests.expire(now, out) {
            self.lose_page(now);
        }
        self.flush(now, None, out);
    }

    /// Makes sure of the peer, where there is reason to doubt.
    pub(crate) fn doubt(&mut self, now: u64, out: &mut Outputs) {
        if let State::Online(online) = &mut self.state
            && online.heartbeat.doubted(now)
        {
            ping(online.attempt, out);
        }
    }
}

impl Listing {
    fn is_due(&self, now: u64) -> bool {
        match self.page {
            Page::Awaited => false,
            Page::AskAgain { at } => at <= now,
        }
    }
}

fn ping(attempt: Attempt, out: &mut Outputs) {
    out.push(Output::Send { attempt, frame: Frame::Text("ping".into()) });
}

/// Fragments joined into as few frames as the server's bound allows.
struct Frames {
    attempt: Attempt,
    bytes_max: usize,
    bytes: Vec<u8>,
}

impl Frames {
    fn add(&mut self, mut fragment: Vec<u8>, out: &mut Outputs) {
        if self.bytes.len() + fragment.len() > self.bytes_max {
            self.send(out);
        }
        self.bytes.append(&mut fragment);
    }

    fn send(&mut self, out: &mut Outputs) {
        if !self.bytes.is_empty() {
            let frame = Frame::Binary(std::mem::take(&mut self.bytes));
            out.push(Output::Send { attempt: self.attempt, frame });
        }
    }
}
