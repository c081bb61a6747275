//! What the room says to listeners, judged word by word.

use std::collections::BTreeMap;

use schemas::{
    Capability, CloseCode, ConnectionId, ErrorCode, Frame, Offset, Position, ServerMessage,
    client_message::History,
    codec, limits,
    server_message::{
        NoticeCode, Publication, RecoveryFailure, Reply, RequestError, RequestResult, Tags, Welcome,
    },
};

use crate::{
    kept::{Fact, Log, Stamp, number_of},
    link::Signal,
    listener::{Asked, Line, Listener, What, in_order},
    network::Peer,
    observer::{Ending, Sight},
    player::name_of_failure,
    world::World,
};

/// A frame beyond it may be one of several that one flush sent.
const WHOLE_FRAME_BYTES_MAX: usize = 500_000;

impl World {
    /// A listener's time has come: to connect, to ping, or to give up.
    pub(crate) fn listener_due(&mut self, index: usize) {
        let now = self.clock.real;
        let listener = &mut self.listeners[index];
        if listener.is_gone || listener.due_at() > now {
            return;
        }
        match listener.line {
            Line::Waiting { .. } => self.listener_connects(index),
            Line::Greeting { connection, .. } => self.listener_gives_up(index, connection),
            Line::Online { connection, .. } => {
                if self.listeners[index].ping(now) {
                    self.send_up(connection, Frame::Text("ping".into()));
                } else {
                    self.listener_gives_up(index, connection);
                }
            }
        }
    }

    pub(crate) fn listener_gives_up(&mut self, index: usize, connection: ConnectionId) {
        self.close_from_client(connection, 3002);
        let until = self.clock.real + self.random.below(3_000);
        self.listeners[index].hang_up(until);
    }

    fn listener_connects(&mut self, index: usize) {
        let (epoch, head) = (self.object.storage.truth.epoch(), self.object.storage.truth.head());
        let listener = &mut self.listeners[index];
        let came_at = listener.came_at.filter(|(of, _)| of.is_none() || *of == epoch);
        listener.came_at = Some(came_at.unwrap_or((epoch, head)));
        let token_ms = listener.token_ms.filter(|_| !self.is_healing);
        let (codec, claims) = (listener.codec, listener.claims.clone());
        let claims = self.with_token(&claims, token_ms);
        self.listeners[index].claims = claims.clone();
        let Some(connection) = self.open(Peer::Listener { index }, codec, claims) else {
            let until = self.clock.real + 1 + self.random.below(3_000);
            return self.listeners[index].hang_up(until);
        };
        let recover = self.where_to_recover_from(index);
        let hello =
            self.listeners[index].hello(self.clock.real, connection, recover, self.object.storage.era);
        self.send_up(connection, hello);
    }

    /// Mostly where it stands; now and then the edge of what is kept, the beginning, or what never was.
    fn where_to_recover_from(&mut self, index: usize) -> Option<Position> {
        let (known, head) = (self.listeners[index].position, self.object.storage.truth.head());
        let is_flooded = std::mem::take(&mut self.listeners[index].is_flooded);
        let truth = &self.object.storage.truth;
        if is_flooded || self.is_healing || self.random.chance(60) {
            return known;
        }
        let epoch = truth.epoch().or(known.map(|position| position.epoch))?;
        let (floor, _) = truth.log().floor(&self.object.setup.config.log, head, self.clock.now().room);
        let offset = match self.random.below(10) {
            0 => Offset::ZERO,
            1 => return Some(Position { epoch: schemas::Epoch::new(self.random.bits()), offset: head }),
            2 => Offset::new(head.value() + 1 + self.random.below(3)).unwrap_or_default(),
            3 => floor.back(1),
            4 | 5 => floor,
            6 => floor.next(),
            7 => head,
            8 => head.back(1),
            _ => head.back(self.random.below(40)),
        };
        Some(Position { epoch, offset })
    }

    pub(crate) fn listener_heard(&mut self, index: usize, connection: ConnectionId, signal: Signal) {
        if self.listeners[index].connection() != Some(connection) {
            return;
        }
        match signal {
            Signal::Closed(code) => {
                let Listener { paces, asked, .. } = &self.listeners[index];
                let is_answered = paces.last.is_none_or(|last| !asked.contains_key(&last));
                let is_due = (paces.is_out && is_answered) || paces.era != self.object.storage.era;
                assert!(code != CloseCode::RateLimited.code() || is_due, "R-RATE-2: closed before the 100th");
                let until = self.clock.real + self.random.below(3_000);
                self.listeners[index].hang_up(until);
            }
            Signal::Frame(Frame::Text(text), _) if text == "pong" => self.listeners[index].heard(),
            Signal::Frame(frame, stamp) => {
                self.listeners[index].heard();
                let bytes = frame.len();
                let messages = codec::decode_server(&frame).expect("R-FRAME-2: the room's words can be read");
                let is_of_members = |message: &ServerMessage| {
                    matches!(message, ServerMessage::Presence(_) | ServerMessage::Occupancy(_))
                };
                // Who may see members now is shown them ahead of the flush.
                let is_shown = messages.iter().all(is_of_members);
                let mut is_flushed = frame.len() < WHOLE_FRAME_BYTES_MAX && !is_shown;
                if is_flushed {
                    self.judge_conflation(index, connection, &messages);
                }
                for message in in_order(messages) {
                    is_flushed &= !matches!(
                        message,
                        ServerMessage::Welcome(_)
                            | ServerMessage::Expiring { .. }
                            | ServerMessage::Notice { code: NoticeCode::Restarted, .. }
                            | ServerMessage::Error(RequestError { id: None, .. })
                            | ServerMessage::Error(RequestError { code: ErrorCode::RateLimited, .. })
                    );
                    self.listener_told(index, connection, message, stamp);
                }
                self.judge_position(index, is_flushed, stamp);
                if let Some(ack) = self.listeners[index].has_read(bytes) {
                    self.say(index, &ack);
                }
            }
        }
    }

    fn listener_told(
        &mut self,
        index: usize,
        connection: ConnectionId,
        message: ServerMessage,
        stamp: Stamp,
    ) {
        let is_greeting = matches!(self.listeners[index].line, Line::Greeting { .. });
        let is_strict = self.lists_everyone();
        match message {
            ServerMessage::Welcome(welcome) => {
                assert!(is_greeting, "R-HELLO-2: a welcome comes once");
                self.listener_welcomed(index, connection, *welcome, stamp);
            }
            ServerMessage::Error(error) => self.listener_refused(index, error, stamp),
            _ if is_greeting => panic!("R-HELLO-2: {message:?} came ahead of the welcome"),
            ServerMessage::Publication(publication) => self.listener_saw(index, &publication, stamp),
            ServerMessage::Position { offset } => {
                self.tally.count("positions told");
                self.listeners[index].advance(offset);
            }
            ServerMessage::Presence(diff) => {
                self.tally.count("presence diffs told");
                self.listeners[index].begins_to_see_members();
                self.listeners[index].apply(&diff, is_strict);
            }
            ServerMessage::Reply(reply) => self.listener_answered(index, reply, stamp),
            ServerMessage::Returned(_) => panic!("R-CALL-1: nobody called a method"),
            ServerMessage::Occupancy(_) => self.tally.count("occupancies told"),
            ServerMessage::Notice { code: NoticeCode::Restarted, .. } => {
                self.tally.count_in("notices", "restarted")
            }
            ServerMessage::State(change) => {
                self.tally.count("shared state told to listeners");
                self.listeners[index].write(change);
                self.judge_listener_state(index);
            }
            ServerMessage::Ephemeral(_) | ServerMessage::Expiring { .. } | ServerMessage::Notice { .. } => {}
        }
        let truth = &self.object.storage.truth;
        let listener = &mut self.listeners[index];
        if let Some(position) = listener.position.filter(|_| self.keeps_log && listener.is_online()) {
            listener.observer.positioned(position, truth);
        }
    }

    /// R-PUB-12: of a flush's ephemerals of one connection and name, the last comes.
    fn judge_conflation(&mut self, index: usize, connection: ConnectionId, messages: &[ServerMessage]) {
        let mut came = BTreeMap::new();
        if self.listeners[index].asked.values().any(|asked| asked.is_in_doubt) {
            return;
        }
        for message in messages {
            let ServerMessage::Ephemeral(ephemeral) = message else { continue };
            let number = number_of(&ephemeral.data);
            let Some(name) = self.conflated.get(&number) else { continue };
            let other = came.insert(*name, number);
            assert_eq!(other, None, "R-PUB-12: {number} came along under {name:?}");
        }
        let mut last: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for message in messages {
            let ServerMessage::Reply(reply) = message else { continue };
            let asked = self.listeners[index].asked.get(&reply.id);
            let Some(Asked { what: What::Ephemeral(number, Some(name)), .. }) = asked else { continue };
            let (count, latest) = last.entry(name).or_default();
            (*count, *latest) = (*count + 1, (*latest).max(*number));
        }
        for (name, (count, latest)) in last {
            self.tally.count_many("", "ephemerals that another stood for", count - 1);
            let shown = came.get(&(connection, name));
            // One that is slow to read gets none.
            let may_be_slow = shown.is_none() && self.tally.of("notices: ephemerals_dropped") > 0;
            assert!(may_be_slow || shown == Some(&latest), "R-PUB-12: {shown:?} stood for {latest}");
        }
    }

    fn judge_listener_state(&self, index: usize) {
        let Listener { state, position: Some(position), .. } = &self.listeners[index] else { return };
        let shared = &self.object.storage.truth.of(position.epoch).shared;
        shared.judge(state.version, state.entries.iter());
    }

    /// R-TAG-4: who filters is told where the head is.
    fn judge_position(&self, index: usize, is_flushed: bool, stamp: Stamp) {
        let Some(position) = self.listeners[index].position.filter(|_| self.keeps_log && is_flushed) else {
            return;
        };
        let behind = stamp.head.since(position.offset);
        assert!(behind < limits::POSITION_WITH_BATCH, "R-TAG-4: {behind} behind, and not told");
    }

    fn listener_saw(&mut self, index: usize, publication: &Publication, stamp: Stamp) {
        self.tally.count("publications told to listeners");
        let listener = &mut self.listeners[index];
        let Some(position) = listener.position else { panic!("R-HELLO-2: a publication without a welcome") };
        let offset = publication.offset;
        assert!(offset > position.offset, "R-PUB-2: {offset} came behind {}", position.offset);
        if self.keeps_log {
            let log = self.object.storage.truth.of(position.epoch);
            let number = log.get(offset).and_then(|fact| fact.number);
            let is_unwanted = number.is_some_and(|number| listener.unechoed_here.contains(&number));
            assert!(!is_unwanted, "R-PUB-5: an echo that was not wanted");
            listener.observer.published(publication, log, stamp.heads());
        } else {
            self.sightings.seen(position.epoch, publication);
        }
        listener.advance(offset);
    }

    fn listener_welcomed(&mut self, index: usize, id: ConnectionId, welcome: Welcome, stamp: Stamp) {
        let now = self.clock.real;
        self.tally.count("listeners welcomed");
        let log = self.object.storage.truth.of(welcome.epoch);
        let listener = &mut self.listeners[index];
        listener.welcomed(now, id, welcome.limits.ack);
        assert!(
            !self.keeps_log || stamp.epoch == Some(welcome.epoch),
            "R-HELLO-5: an epoch nobody committed"
        );
        let (came_in, came_at) = listener.came_at.unwrap_or_default();
        if came_in != Some(welcome.epoch) {
            // The room was founded since, or begun anew.
            let came_at = if came_in.is_none() { came_at } else { Offset::ZERO };
            listener.came_at = Some((Some(welcome.epoch), came_at));
        }
        let recover = listener.recover;
        listener.observer.welcomed();
        let floors = log.floor(&self.object.setup.config.log, welcome.offset, stamp.at);
        match (recover, welcome.recovered) {
            (Some(from), true) => {
                self.tally.count("recoveries");
                assert!(from.epoch == welcome.epoch && from.offset <= welcome.offset, "R-REC-2: {from:?}");
                assert!(from.offset >= floors.0, "R-REC-1: {from:?} is below {floors:?} and was recovered");
                let is_since = listener.came_at.is_some_and(|(_, came_at)| from.offset >= came_at);
                let may = is_since || listener.may(Capability::History);
                assert!(may, "R-REC-3: {from:?} is from before {:?}", listener.came_at);
                listener.observer.begins_at(from);
                listener.position = Some(from);
            }
            (None, true) => panic!("R-REC-1: recovered without having asked"),
            (Some(from), false) => {
                let reason = welcome.reason.expect("R-REC-1: a failed recovery has a reason");
                self.tally.count_in("recoveries failed", name_of_failure(reason));
                let has_history = listener.may(Capability::History);
                let is_true = match reason {
                    RecoveryFailure::EpochChanged => from.epoch != welcome.epoch,
                    RecoveryFailure::Ahead => from.offset > welcome.offset,
                    RecoveryFailure::Trimmed => from.offset < stamp.floor_high,
                    RecoveryFailure::TooFarBehind => {
                        let missed = log.between(from.offset, welcome.offset);
                        is_too_far(missed, &listener.observer, welcome.offset)
                    }
                    RecoveryFailure::NoLog => !self.keeps_log,
                    RecoveryFailure::Forbidden => !has_history,
                };
                assert!(is_true, "R-REC-2: {from:?} is not {reason:?}: {floors:?} {stamp:?}");
                listener.observer.gap();
                listener.position = None;
            }
            (None, false) => {
                listener.observer.gap();
                listener.position = None;
            }
        }
        let begin = Position { epoch: welcome.epoch, offset: Offset::ZERO };
        listener.position.get_or_insert(begin);
        if self.keeps_log && !welcome.recovered {
            judge_rewind(listener, &welcome, log, (floors.0, stamp.floor_high));
        }
        listener.roster =
            welcome.members.iter().flatten().map(|member| (member.session.clone(), member.clone())).collect();
        listener.state = welcome.state;
        for publication in &welcome.publications {
            self.listener_saw(index, publication, stamp);
        }
        self.listeners[index].advance(welcome.offset);
        self.judge_listener_state(index);
    }

    fn listener_refused(&mut self, index: usize, error: RequestError, stamp: Stamp) {
        self.tally.count_in("refusals", ErrorCode::as_str(error.code));
        let listener = &mut self.listeners[index];
        let Some(id) = error.id else { return };
        let Some(asked) = listener.asked.remove(&id) else {
            panic!("R-PUB-1: {id} was answered twice, or never asked: {error:?}");
        };
        let is_limited = error.code == ErrorCode::RateLimited;
        listener.judge_pace(&asked, is_limited, self.object.storage.era);
        if matches!(asked.what, What::Publish) {
            listener.observer.settled(id, Ending::Rejected, &self.object.storage.truth);
        }
        if matches!(asked.what, What::Auth) {
            return self.listener_kept_token(index, &error);
        }
        if asked.is_in_doubt {
            if let What::Wish(wish) = &asked.what {
                self.note_refusal(wish, Err(&error));
            }
            return;
        }
        if error.code == ErrorCode::Unauthorized {
            let (at, end) = (asked.reached_at, listener.claims.expires_at);
            let has_expired = listener.was_expired(&asked);
            assert!(has_expired, "R-AUTH-12: refused as expired at {at:?}, and it expires at {end:?}");
            if let What::Wish(wish) = &asked.what {
                self.note_refusal(wish, Err(&error));
            }
            return;
        }
        if let What::Wish(wish) = &asked.what {
            return self.listener_wish_answered(index, wish, Err(&error), stamp);
        }
        if is_limited {
            return assert!(error.retry_after_ms.is_some(), "R-RATE-1: it says when: {error:?}");
        }
        let expected = match asked.what {
            What::Odd(code) => error.code == code,
            _ => error.code == ErrorCode::Unavailable,
        };
        assert!(
            expected || error.code == ErrorCode::Unavailable,
            "{:?} was refused with {error:?}",
            asked.what
        );
    }

    fn listener_answered(&mut self, index: usize, reply: Reply, stamp: Stamp) {
        let truth = &self.object.storage.truth;
        let listener = &mut self.listeners[index];
        let Some(asked) = listener.asked.remove(&reply.id) else {
            panic!("R-PUB-1: {} was answered twice, or never asked", reply.id);
        };
        assert!(!listener.was_expired(&asked), "R-AUTH-12: {asked:?} was taken from an expired token");
        listener.judge_pace(&asked, false, self.object.storage.era);
        match (&asked.what, reply.result) {
            (What::Auth, result) => self.listener_refreshed(index, &result, stamp),
            (What::Wish(wish), result) if asked.is_in_doubt => self.note_refusal(wish, Ok(&result)),
            (What::History(_) | What::Odd(ErrorCode::Forbidden), _) if asked.is_in_doubt => {
                self.tally.count("requests beside a newer token");
            }
            (What::Publish, RequestResult::Published(published)) => {
                let ending = if self.keeps_log {
                    Ending::Published(published.epoch, published.offset)
                } else {
                    Ending::Other
                };
                listener.observer.settled(reply.id, ending, truth);
            }
            (What::History(history), RequestResult::History(got)) => {
                self.tally.count("pages of history");
                if self.keeps_log {
                    let log = truth.of(got.epoch);
                    let floors = log.floor(&self.object.setup.config.log, stamp.head, stamp.at);
                    if floors.0 == stamp.floor_high && listener.observer.eyes.uncertain.is_empty() {
                        let sees = |fact: &Fact| listener.observer.eyes.see(fact) != Sight::Never;
                        let expected = page(history, (log, floors.0, stamp.head), sees);
                        assert_eq!((got.messages, got.next), expected, "R-HIST-1, R-EDIT-5: {history:?}");
                    }
                } else {
                    assert_eq!(got.messages, [], "R-PUB-10: no log, no history");
                }
            }
            (What::Members { limit }, RequestResult::Members(page)) => {
                self.tally.count("pages of members");
                assert!(page.members.len() <= *limit as usize, "R-PRES-5: a page has its limit");
            }
            (What::Tags(tag, is_on), RequestResult::Tags(Tags { tags, offset })) => {
                self.tally.count("subscriptions changed");
                listener.subscribed.retain(|other| other != tag);
                listener.subscribed.extend(is_on.then(|| tag.clone()));
                let carries =
                    |tag: &String| listener.claims.tags.contains(tag) || listener.subscribed.contains(tag);
                let is_all =
                    tags.iter().all(carries) && listener.subscribed.iter().all(|tag| tags.contains(tag));
                assert!(is_all, "R-FRESH-1: {tags:?}, and the token has {:?}", listener.claims.tags);
                if let Some(position) = listener.position.filter(|_| self.keeps_log) {
                    listener.observer.subscribed(Position { offset, ..position }, tags, truth);
                    listener.advance(offset);
                } else {
                    listener.observer.eyes.tags = tags;
                }
            }
            (What::Presence | What::Ephemeral(..), RequestResult::Done {}) => {}
            (What::Wish(wish), result) => self.listener_wish_answered(index, wish, Ok(&result), stamp),
            (what, result) => panic!("{what:?} was answered with {result:?}"),
        }
    }
}

fn is_too_far(missed: &[Fact], observer: &crate::observer::Observer, head: Offset) -> bool {
    let visible = missed.iter().filter(|fact| observer.eyes.see(fact) != Sight::Never);
    let (count, bytes) = visible.fold((0, 0), |(count, sum), fact| (count + 1, sum + fact.bytes(head)));
    count > limits::RECOVERY_PUBLICATIONS_MAX || bytes > limits::RECOVERY_BYTES_MAX
}

/// R-HELLO-6: the newest that may be seen, as a page of history shows them.
fn judge_rewind(listener: &Listener, welcome: &Welcome, log: &Log, floors: (Offset, Offset)) {
    let wanted = listener.rewind.unwrap_or(0);
    let count = welcome.publications.len();
    assert!(count <= wanted as usize, "R-HELLO-6: {count} where {wanted} were asked for");
    // The room may have let go of more, under a clock that was ahead.
    if floors.0 != floors.1 || wanted == 0 {
        return;
    }
    let history = History { id: 0, before: None, after: None, limit: wanted, tags: Vec::new() };
    let sees = |fact: &Fact| listener.observer.eyes.see(fact) != Sight::Never;
    let (expected, _) = page(&history, (log, floors.0, welcome.offset), sees);
    assert_eq!(welcome.publications, expected, "R-HELLO-6: of {wanted} that were asked for");
}

/// R-HIST-1, R-EDIT-5: a page and what comes next, for a log, its floor and its head.
pub(crate) fn page(
    history: &History,
    (log, floor, head): (&Log, Offset, Offset),
    sees: impl Fn(&Fact) -> bool,
) -> (Vec<Publication>, Option<Offset>) {
    let wanted = |fact: &&Fact| {
        fact.refers.is_none()
            && sees(fact)
            && history.after.is_none_or(|after| fact.offset() > after)
            && history.before.is_none_or(|before| fact.offset() < before)
    };
    let mut all: Vec<&Fact> = log.between(floor, head).iter().filter(wanted).collect();
    if history.after.is_none() {
        all.reverse();
    }
    let (mut bytes, mut page) = (0, Vec::new());
    for fact in all.iter().take(history.limit as usize) {
        bytes += fact.bytes(head);
        if bytes > limits::RECOVERY_BYTES_MAX && !page.is_empty() {
            break;
        }
        page.push(log.folded(fact, head));
    }
    let next = page.last().filter(|_| all.len() > page.len()).map(|last| last.offset);
    if history.after.is_none() {
        page.reverse();
    }
    (page, next)
}
