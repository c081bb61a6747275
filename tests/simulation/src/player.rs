//! A player: one of the client core's clients, its observer, and what happens to both.

use std::collections::BTreeMap;

use client_core::{
    Attempt, Call, Client, Event, Failure, Input as ClientInput, Options, Outcome, Output as ClientOutput,
    Request, Status, TokenSource,
};
use room_core::public_session;
use schemas::{
    Capabilities, Capability, Claims, Codec, ConnectionId, ErrorCode, Payload, RoomName, Session, UserId,
    server_message::{RecoveryFailure, RequestResult},
};

use crate::{
    asking::Wish,
    kept::{Stamp, Truth},
    link::Signal,
    network::Peer,
    observer::{Ending, Eyes, Observer},
    random::Random,
    world::{TAGS, USERS, World},
};

#[derive(Debug)]
pub(crate) struct Player {
    pub(crate) core: Client,
    pub(crate) claims: Claims,
    /// How long its tokens live, where they expire.
    token_ms: Option<u64>,
    pub(crate) observer: Observer,
    /// What it last said of itself; outlives reconnects.
    pub(crate) presence: Option<Payload>,
    /// What it said before: what the client refused to take was not said.
    pub(crate) presence_before: Option<Payload>,
    /// The request that said so, and whether anybody knows what became of it.
    presence_call: Option<u32>,
    pub(crate) presence_is_unknown: bool,
    /// Requests under way that can be judged by what was committed.
    pub(crate) wishes: BTreeMap<u32, Wish>,
    pub(crate) sees_members: bool,
    pub(crate) is_joined: bool,
    /// Its network went for good, just before the end.
    pub(crate) is_gone: bool,
    /// And the room was told.
    pub(crate) is_known_gone: bool,
    /// Of the frame that it was given last.
    pub(crate) stamp: Stamp,
    /// What it believes shared state to be is to be judged.
    has_news_of_state: bool,
    /// When its core wants to be asked again.
    pub(crate) due_at: Option<u64>,
    /// The socket that it has, if any.
    socket: Option<(Attempt, ConnectionId)>,
}

/// What a token allows: most may do most.
pub(crate) fn some_capabilities(random: &mut Random) -> Capabilities {
    let mut capabilities = vec![Capability::Join];
    for (capability, percent) in [
        (Capability::Publish, 95),
        (Capability::Presence, 80),
        (Capability::History, 70),
        (Capability::State, 85),
        (Capability::EditOwn, 60),
        (Capability::EditAny, 20),
        (Capability::Moderate, 20),
    ] {
        if random.chance(percent) {
            capabilities.push(capability);
        }
    }
    capabilities.into_iter().collect()
}

/// Tags of a token, and tags to subscribe to.
pub(crate) fn some_own_tags(random: &mut Random) -> (Vec<String>, Vec<String>) {
    let mut tags: Vec<String> =
        TAGS.iter().filter(|_| random.chance(40)).map(|tag| (*tag).to_owned()).collect();
    let subscribed = tags.split_off(random.index(tags.len() + 1));
    (tags, subscribed)
}

pub(crate) fn user(number: u64) -> UserId {
    UserId::parse(&format!("user-{}", number % USERS)).expect("a user")
}

impl Player {
    pub(crate) fn new(number: u64, now: u64, random: &mut Random) -> Player {
        let session = Session::parse(&format!("session-{number}")).expect("a session");
        let capabilities = some_capabilities(random);
        let (own, tags) = some_own_tags(random);
        let eyes = Eyes {
            user: user(number),
            session: public_session(&session),
            tags: [own.clone(), tags.clone()].concat(),
            uncertain: Vec::new(),
            unechoed: Vec::new(),
        };
        let claims = Claims { user: Some(user(number)), capabilities, tags: own, ..Claims::default() };
        let sees_members = capabilities.has(Capability::Presence) && random.chance(90);
        let has_token = random.chance(60);
        let options = Options {
            room: RoomName::parse("chat:lobby").expect("a room's name"),
            session,
            token: if has_token { TokenSource::Function } else { TokenSource::None },
            position: None,
            rewind: random.chance(50).then(|| 1 + random.below(20) as u32),
            tags,
            presence: None,
            members: sees_members,
            fallback: false,
        };
        Player {
            core: Client::new(now, random.bits(), options),
            claims,
            token_ms: (has_token && random.chance(50)).then(|| 30_000 + random.below(120_000)),
            observer: Observer::new(eyes),
            presence: None,
            presence_before: None,
            presence_call: None,
            presence_is_unknown: false,
            wishes: BTreeMap::new(),
            sees_members,
            is_joined: false,
            is_gone: false,
            is_known_gone: false,
            stamp: Stamp::default(),
            has_news_of_state: false,
            due_at: None,
            socket: None,
        }
    }

    pub(crate) fn is_listed(&self) -> bool {
        self.claims.capabilities.has(Capability::Presence)
    }
}

impl World {
    pub(crate) fn join(&mut self, index: usize) {
        self.players[index].is_joined = true;
        // Who was closed for good knows where it was, and goes on from there.
        if !matches!(self.players[index].core.status(), Status::Failed(_)) {
            self.players[index].observer.joining();
        }
        self.client(index, ClientInput::JoinRequested);
    }

    pub(crate) fn leave(&mut self, index: usize) {
        self.players[index].is_joined = false;
        self.tally.count("leaves");
        self.client(index, ClientInput::LeaveRequested);
    }

    /// Asks for something that concerns the publication, or the presence data, with `number`.
    pub(crate) fn call(&mut self, index: usize, number: u64, request: Request) -> u32 {
        self.next_call += 1;
        let call = self.next_call;
        if matches!(request, Request::Presence { .. }) {
            self.players[index].presence_call = Some(call);
            self.players[index].presence_is_unknown = false;
        }
        self.players[index].observer.asked(call, Some(number));
        self.client(index, ClientInput::Requested { call: Call(call), request });
        call
    }

    pub(crate) fn client(&mut self, index: usize, input: ClientInput) {
        let outputs = self.players[index].core.handle(self.clock.real, input);
        for output in outputs {
            match output {
                ClientOutput::FetchToken { attempt } => {
                    let token = "t".to_owned();
                    self.client(index, ClientInput::TokenFetched { attempt, token });
                }
                ClientOutput::OpenSocket { attempt, .. } => self.open_for_player(index, attempt),
                ClientOutput::Send { attempt, frame } => {
                    if let Some(connection) = self.players[index].socket_of(attempt) {
                        self.send_up(connection, frame);
                    }
                }
                ClientOutput::CloseSocket { attempt, code } => {
                    if let Some(connection) = self.players[index].socket_of(attempt) {
                        self.close_from_client(connection, code.code());
                    }
                }
                ClientOutput::Emit(event) => self.emitted(index, &event),
            }
        }
        let player = &mut self.players[index];
        player.due_at = player.core.poll_timeout().map(|deadline| deadline.at_ms);
        if self.keeps_log
            && let Some(position) = player.core.position()
        {
            player.observer.positioned(position, &self.object.storage.truth);
        }
        if std::mem::take(&mut player.has_news_of_state) {
            self.tally.count("shared state told to players");
            player.judge_state(&self.object.storage.truth);
        }
    }

    pub(crate) fn player_heard(&mut self, index: usize, attempt: Attempt, signal: Signal) {
        let input = match signal {
            Signal::Frame(frame, stamp) => {
                self.players[index].stamp = stamp;
                ClientInput::FrameReceived { attempt, frame }
            }
            Signal::Closed(code) => ClientInput::SocketClosed { attempt, code, reason: String::new() },
        };
        self.client(index, input);
    }

    fn open_for_player(&mut self, index: usize, attempt: Attempt) {
        let claims = self.players[index].claims.clone();
        let token_ms = self.players[index].token_ms.filter(|_| !self.is_healing);
        let claims = self.with_token(&claims, token_ms);
        let opened = if self.players[index].is_gone {
            None
        } else {
            self.open(Peer::Player { index, attempt }, Codec::Msgpack, claims)
        };
        match opened {
            Some(connection) => {
                self.players[index].socket = Some((attempt, connection));
                self.client(index, ClientInput::SocketOpened { attempt });
            }
            None => {
                let reason = String::new();
                self.client(index, ClientInput::SocketClosed { attempt, code: 1006, reason });
            }
        }
    }

    fn emitted(&mut self, index: usize, event: &Event) {
        let player = &mut self.players[index];
        let truth = &self.object.storage.truth;
        match event {
            Event::Gap { reason } => {
                self.tally.count_in("gaps", name_of_failure(*reason));
                player.observer.gap();
            }
            Event::Welcomed(_) => {
                self.tally.count("welcomes");
                player.observer.welcomed();
            }
            Event::Published(publication) => {
                self.tally.count("publications delivered");
                let epoch = player.core.position().map(|position| position.epoch);
                let epoch = epoch.expect("R-CLI-10: who was shown something has a position");
                if self.keeps_log {
                    player.observer.published(publication, truth.of(epoch), player.stamp.heads());
                } else {
                    self.sightings.seen(epoch, publication);
                }
            }
            Event::Settled { call, outcome } => {
                let (group, what) = name_of_outcome(outcome);
                self.tally.count_in(group, what);
                let is_unknown = matches!(outcome, Outcome::Unknown(_));
                if player.presence_call == Some(call.0) {
                    player.presence_is_unknown |= is_unknown || what == ErrorCode::RateLimited.as_str();
                    if what == ErrorCode::Overloaded.as_str() {
                        player.presence = player.presence_before.clone();
                    }
                }
                let wish = player.wishes.remove(&call.0);
                let is_keyed = matches!(wish, Some(Wish::Keyed(_)));
                let ending = match outcome {
                    Outcome::Acknowledged(RequestResult::Published(published)) if self.keeps_log => {
                        Ending::Published(published.epoch, published.offset)
                    }
                    // What is published again under its key may stand from before.
                    Outcome::Rejected(_) if !is_keyed => Ending::Rejected,

                    Outcome::Acknowledged(_) | Outcome::Rejected(_) | Outcome::Unknown(_) => Ending::Other,
                };
                player.observer.settled(call.0, ending, truth);
                match (wish, outcome) {
                    (Some(wish), Outcome::Acknowledged(result)) => {
                        self.player_answered(index, &wish, Ok(result))
                    }
                    (Some(wish), Outcome::Rejected(error)) => self.player_answered(index, &wish, Err(error)),
                    (Some(_), Outcome::Unknown(_)) | (None, _) => {}
                }
            }
            Event::StatusChanged(Status::Failed(Failure { code, .. })) => {
                let code = *code;
                player.is_joined = false;
                assert!(self.may_end(code), "R-CLOSE-1: a player was closed for good with {code}");
                self.tally.count("players closed for good");
            }
            Event::Expiring { .. } => self.tally.count("tokens said to expire"),
            Event::StateChanged(_) => player.has_news_of_state = true,
            Event::Fanned(_) => self.tally.count("ephemerals delivered"),
            _ => {}
        }
    }
}

impl Player {
    /// R-CLI-27: the state as it was at its version; empty where the room is not joined.
    pub(crate) fn judge_state(&self, truth: &Truth) {
        let state = self.core.state();
        let shown = state.entries().iter().map(|(key, entry)| (key, entry));
        match self.core.position() {
            Some(position) => truth.of(position.epoch).shared.judge(state.version(), shown),
            None => assert_eq!((state.version(), shown.count()), (0, 0), "R-CLI-27: leaving empties it"),
        }
    }

    fn socket_of(&self, attempt: Attempt) -> Option<ConnectionId> {
        self.socket.filter(|(of, _)| *of == attempt).map(|(_, connection)| connection)
    }
}

pub(crate) fn name_of_failure(reason: RecoveryFailure) -> &'static str {
    match reason {
        RecoveryFailure::TooFarBehind => "too_far_behind",
        RecoveryFailure::Trimmed => "trimmed",
        RecoveryFailure::EpochChanged => "epoch_changed",
        RecoveryFailure::Ahead => "ahead",
        RecoveryFailure::Forbidden => "forbidden",
        RecoveryFailure::NoLog => "no_log",
    }
}

fn name_of_outcome(outcome: &Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Acknowledged(_) => ("", "requests acknowledged"),
        Outcome::Rejected(error) => ("rejections", ErrorCode::as_str(error.code)),
        Outcome::Unknown(_) => ("", "requests with unknown outcome"),
    }
}
