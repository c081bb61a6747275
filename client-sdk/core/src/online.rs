//! A connection from its welcome on: what the server says, and what leaves at the end of a turn.

use alloc::{boxed::Box, string::String, vec::Vec};

use schemas::{
    CloseCode, ErrorCode, Frame, Offset, Position,
    client_message::ClientMessage,
    limits::FRAME_BYTES_MAX,
    server_message::{
        Member, MembersPage, NoticeCode, PresenceDiff, Publication, RecoveryFailure, RequestError,
        RequestResult,
    },
};

use crate::{
    acks::Acks,
    backoff::Backoff,
    client::Client,
    heartbeat::{Heartbeat, Verdict},
    input::{Attempt, Call},
    output::{Deadline, Due, Event, Output, Outputs},
    presence::{Roster, apply, difference},
    refresh::Refresh,
    requests::{
        Answered, BACKLOG_FIRST, BACKLOG_STEP, BACKLOG_STEP_MS, FirstSent, Lost, Requests, unavailable,
    },
    shared_state::{self, SharedState},
    state::State,
    wire::{self, Message, Welcome},
};

/// A page of members that was not served is asked for again after so long.
const PAGE_RETRY_MS: u64 = 1_000;

#[derive(Debug, Clone)]
pub(crate) struct Online {
    pub(crate) attempt: Attempt,
    pub(crate) since: u64,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) refresh: Refresh,
    pub(crate) refresh_backoff: Backoff,
    /// When the present token came.
    pub(crate) token_since: u64,
    frame_bytes_max: usize,
    backlog: Backlog,
    listing: Option<Listing>,
}

/// Of the queue's front, what waited for this connection, or is sent again on it.
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
    pub(crate) fn deadline(&self, now: u64, requests: &Requests, acks: &Acks) -> Deadline {
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
        if let Some(at) = self.refresh.deadline() {
            offer(at, Due::Token);
        }
        if let Some(Listing { page: Page::AskAgain { at }, .. }) = self.listing {
            offer(at, Due::MembersPage);
        }
        if acks.is_due() {
            offer(now, Due::TurnEnd);
        }
        if requests.may_send() {
            match self.backlog.left {
                0 => offer(now, Due::TurnEnd),
                _ if self.backlog.next_at <= now => offer(now, Due::TurnEnd),
                _ => offer(self.backlog.next_at, Due::Backlog),
            }
        }
        soonest
    }

    /// How many requests may leave now.
    fn allowance(&mut self, now: u64, requests: &Requests) -> usize {
        self.backlog.left = self.backlog.left.min(requests.queued());
        if self.backlog.left == 0 {
            return usize::MAX;
        }
        if now < self.backlog.next_at {
            return 0;
        }
        self.next_step(now, BACKLOG_STEP, requests)
    }

    fn next_step(&mut self, now: u64, budget: usize, requests: &Requests) -> usize {
        let step = requests.affordable(budget).min(self.backlog.left);
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
        // The one text there is, `pong`, has no more to say than that it came.
        let Frame::Binary(bytes) = frame else { return };
        self.acks.received(bytes.len());
        match wire::decode(bytes) {
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
        }
    }

    fn on_message(&mut self, now: u64, message: Message, out: &mut Outputs) {
        match (&mut self.state, message) {
            (State::Greeting { .. }, Message::Welcome(welcome)) => self.on_welcome(now, *welcome, out),
            (State::Online(_), Message::Publication(publication)) => self.on_publication(publication, out),
            (State::Online(_), Message::Ephemeral(ephemeral)) => out.emit(Event::Fanned(ephemeral)),
            (State::Online(_), Message::Position { offset }) => self.advance(offset),
            (State::Online(_), Message::Presence(diff)) => self.on_presence(diff, out),
            (State::Online(_), Message::Occupancy(occupancy)) => {
                out.emit(Event::OccupancyChanged(occupancy));
            }
            (State::Online(_), Message::State(change)) => {
                if let Some(change) = self.shared.apply(change) {
                    out.emit(Event::StateChanged(change));
                }
            }
            (State::Online(_), Message::Expiring { expires_at }) => self.on_expiring(now, expires_at, out),
            (State::Online(_), Message::Notice { code, message }) => self.on_notice(now, code, message, out),
            (State::Online(_) | State::Leaving { .. }, Message::Returned { id, value, more }) => {
                self.requests.returned(id, value, more, out);
            }
            (State::Online(_) | State::Leaving { .. }, Message::Reply(reply)) => {
                self.on_answer(now, reply.id, Ok(reply.result), out);
            }
            (State::Online(_) | State::Leaving { .. }, Message::Error(error)) => match error.id {
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
        self.server_clock = (welcome.server_time, now);
        self.ways.welcomed(now);
        // A key is known in its epoch, and of its user.
        let is_other_epoch = self.position.is_some_and(|position| position.epoch != welcome.epoch);
        if is_other_epoch || self.me.as_ref().is_some_and(|me| me.user != welcome.me.user) {
            self.requests.forget_keys("the room or the user is another since it was sent", out);
        }
        self.state = State::Online(Box::new(Online {
            attempt,
            since: now,
            heartbeat: Heartbeat::started(now),
            refresh: Refresh::Rests,
            refresh_backoff: self.backoff.split(),
            token_since: now,
            frame_bytes_max: (welcome.me.limits.frame_bytes as usize).min(FRAME_BYTES_MAX),
            backlog: Backlog { left: self.requests.queued(), next_at: now },
            listing: None,
        }));
        let me = welcome.me;
        self.acks.wanted = me.limits.ack;
        self.me = Some(me.clone());
        self.foresee(now);
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
        self.on_snapshot(now, welcome.members, welcome.members_next, out);
        out.emit(Event::OccupancyChanged(welcome.occupancy));
        self.show_state(welcome.state, out);
        self.flush_backlog(now, out);
    }

    /// The first of what waited goes out with the welcome.
    fn flush_backlog(&mut self, now: u64, out: &mut Outputs) {
        let State::Online(online) = &mut self.state else { return };
        let first = online.next_step(now, BACKLOG_FIRST, &self.requests);
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

    pub(crate) fn show_state(&mut self, state: SharedState, out: &mut Outputs) {
        let change = shared_state::difference(&self.shared, &state);
        if !change.ops.is_empty() || self.shared.version() != state.version() {
            out.emit(Event::StateChanged(change));
        }
        self.shared = state;
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
                let at = now.saturating_add(error.retry_after_ms.unwrap_or(PAGE_RETRY_MS));
                online.listing = Some(Listing { page: Page::AskAgain { at }, ..listing });
            }
            // There is no more to be had; what was listed is true as far as it goes.
            Ok(_) | Err(_) => self.show(listing.listed, out),
        }
    }

    /// What is to be sent again goes at the pace of what waited for a connection, and nothing overtakes it.
    fn lost_answers(&mut self, now: u64, lost: Lost) {
        let State::Online(online) = &mut self.state else { return };
        if lost.sent_again > 0 {
            if online.backlog.left == 0 {
                online.backlog.next_at = now;
            }
            online.backlog.left += lost.sent_again;
        }
        if lost.page
            && let Some(listing) = &mut online.listing
        {
            listing.page = Page::AskAgain { at: now + PAGE_RETRY_MS };
        }
        if lost.auth {
            self.refresh_later(now);
        }
    }

    fn on_presence(&mut self, diff: PresenceDiff, out: &mut Outputs) {
        let me = self.me.as_ref().map(|me| &me.session);
        let is_gone = diff.left.iter().any(|left| Some(&left.session) == me);
        let State::Online(online) = &mut self.state else { return };
        match &mut online.listing {
            Some(listing) if !is_gone => apply(&mut listing.listed, &diff),
            Some(_) | None => {
                online.listing = None;
                apply(&mut self.roster, &diff);
                out.emit(Event::PresenceChanged(diff));
                // A newer token does not let this session be listed, and so sees nobody.
                if is_gone {
                    self.show(Roster::default(), out);
                }
            }
        }
    }

    fn on_notice(&mut self, now: u64, code: NoticeCode, message: String, out: &mut Outputs) {
        match code {
            NoticeCode::Restarted => {
                let lost = self.requests.lose_answers("the room was rebuilt before the answer", out);
                self.lost_answers(now, lost);
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
        if let Ok(RequestResult::Tags(subscribed)) = &answer {
            self.on_subscribed(&subscribed.tags);
        }
        match self.requests.answered(id, answer, out) {
            Answered::Settled => {}
            Answered::MembersPage(answer) => self.on_page(now, answer, out),
            Answered::Auth(answer) => self.on_refreshed(now, answer, out),
        }
    }

    /// Sends what the turn queued, and `last` behind it.
    pub(crate) fn flush(&mut self, now: u64, last: Option<&ClientMessage>, out: &mut Outputs) {
        if let State::Online(online) = &mut self.state {
            let allowance = online.allowance(now, &self.requests);
            self.send_queued(now, allowance, last, out);
        }
    }

    fn send_queued(&mut self, now: u64, allowance: usize, last: Option<&ClientMessage>, out: &mut Outputs) {
        let clocks = FirstSent { now, server_time: self.server_time(now) };
        let State::Online(online) = &mut self.state else { return };
        let (attempt, bytes_max) = (online.attempt, online.frame_bytes_max);
        let key_window = self.me.as_ref().map_or(0, |me| me.limits.key_window_ms);
        let mut frames = Frames { attempt, bytes_max, bytes: Vec::new() };
        for _ in 0..allowance {
            let Some(asked) = self.requests.next() else { break };
            if asked.is_forgotten(clocks, key_window) {
                asked.refuse(&unavailable("unanswered for so long that its key is forgotten"), out);
                continue;
            }
            let id = self.requests.next_id();
            let (fragment, purpose) = asked.begin(clocks, id);
            if fragment.len() > bytes_max {
                let error = RequestError::new(None, ErrorCode::TooLarge, "larger than the server takes");
                purpose.refuse(&error, out);
                continue;
            }
            online.heartbeat.sent(now);
            frames.add(fragment, out);
            self.requests.sent(now, id, purpose);
        }
        if let Some(read) = self.acks.take() {
            frames.add(wire::encode(&ClientMessage::Ack { frames: read }), out);
            online.heartbeat.sent(now);
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
        self.refresh(now, out);
        let lost = self.requests.expire(now, out);
        self.lost_answers(now, lost);
        self.flush(now, None, out);
    }

    /// What the room agreed to is said again at the next hello; the token's tags come by themselves.
    fn on_subscribed(&mut self, tags: &[String]) {
        self.tags = tags.iter().filter(|tag| !tag.starts_with('$')).cloned().collect();
        if let Some(me) = &mut self.me {
            me.tags = tags.into();
        }
    }

    pub(crate) fn on_cancelled(&mut self, now: u64, call: Call, out: &mut Outputs) {
        let Some(id) = self.requests.cancel(call, out) else { return };
        if let State::Online(online) = &mut self.state {
            let attempt = online.attempt;
            online.heartbeat.sent(now);
            self.send(attempt, wire::encode(&ClientMessage::Cancel { id }), out);
        }
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
            let frame = Frame::Binary(core::mem::take(&mut self.bytes));
            out.push(Output::Send { attempt: self.attempt, frame });
        }
    }
}
