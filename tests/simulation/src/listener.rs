//! A listener: a raw connection of either codec, without a client core that would forgive. It says hello, asks odd
//! things, recovers from odd places, and holds every word of the room against what the protocol promises.

use std::collections::{BTreeMap, BTreeSet};

use room_core::public_session;
use schemas::{
    Capability, Claims, ClientMessage, Codec, ConnectionId, Epoch, ErrorCode, Frame, Offset, Position,
    PublicSession, ServerMessage, Session,
    client_message::{Hello, History},
    codec,
    config::Rates,
    limits,
    server_message::{
        Member, PresenceDiff, RequestResult, StateChange, StateEntry, StateSnapshot, StateWrite,
    },
};

use crate::{
    asking::Wish,
    observer::{Eyes, Observer},
    pace::{Paces, Pass},
    player::{some_capabilities, some_own_tags, user},
    random::Random,
    refreshing::Worth,
};

/// A pong is awaited so long; a welcome too.
const PATIENCE_MS: u64 = 10_000;

#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) codec: Codec,
    session: Session,
    pub(crate) claims: Claims,
    pub(crate) token_ms: Option<u64>,
    /// What its hello asks for, where its token allows it.
    rewinds: Option<u32>,
    pub(crate) rewind: Option<u32>,
    pub(crate) observer: Observer,
    pub(crate) line: Line,
    /// Everything visible up to here was brought, or was said to be missing.
    pub(crate) position: Option<Position>,
    /// The head when it first came, in this epoch.
    pub(crate) came_at: Option<(Option<Epoch>, Offset)>,
    /// What the hello under way asked for.
    pub(crate) recover: Option<Position>,
    pub(crate) last_id: u32,
    pub(crate) asked: BTreeMap<u32, Asked>,
    pub(crate) paces: Paces,
    /// Whether it says what it has read, where it is asked to; and what that is, since the upgrade and the last ack.
    acks: bool,
    is_asked_for_acks: bool,
    read_frames: u64,
    unacked: (u64, u64),
    /// Much came while it was away: the next hello asks for all of it.
    pub(crate) is_flooded: bool,
    pub(crate) wants_members: bool,
    pub(crate) sees_members: bool,
    /// Tags beside its token's.
    pub(crate) subscribed: Vec<String>,
    /// What the newer token is worth that it has shown, until that is answered.
    pub(crate) refresh: Option<Worth>,
    pub(crate) roster: BTreeMap<PublicSession, Member>,
    pub(crate) state: StateSnapshot,
    /// Numbers published on this connection that it wants no echo of.
    pub(crate) unechoed_here: BTreeSet<u64>,
    /// Its network went for good, just before the end.
    pub(crate) is_gone: bool,
}

/// Where its connection is. What comes from another connection is old news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    Waiting { until: u64 },
    Greeting { connection: ConnectionId, until: u64 },
    Online { connection: ConnectionId, ping_at: u64, pong_until: Option<u64> },
}

/// A request under way.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) what: What,
    /// Nobody knows which of two tokens it is judged by.
    pub(crate) is_in_doubt: bool,
    /// By the room's clock.
    pub(crate) reached_at: Option<u64>,
    /// What its rate makes of it.
    pub(crate) pass: Option<Pass>,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Publish,
    /// With its number, and the name under which later ones stand for it.
    Ephemeral(u64, Option<&'static str>),
    History(History),
    Members {
        limit: u32,
    },
    /// Whether the tag is subscribed to, or no longer.
    Tags(String, bool),
    Presence,
    Auth,
    Wish(Wish),
    /// It must be refused with this code.
    Odd(ErrorCode),
}

impl What {
    /// What a token must allow for it.
    fn capability(&self) -> Option<Capability> {
        match self {
            What::Publish | What::Ephemeral(..) => Some(Capability::Publish),
            What::History(_) => Some(Capability::History),
            What::Members { .. } | What::Presence => Some(Capability::Presence),
            What::Tags(..) | What::Auth | What::Odd(_) | What::Wish(_) => None,
        }
    }
}

impl Listener {
    pub(crate) fn new(number: u64, now: u64, random: &mut Random) -> Listener {
        let session = Session::parse(&format!("listener-{number}")).expect("a session");
        let (own, subscribed) = some_own_tags(random);
        let capabilities = some_capabilities(random);
        let eyes = Eyes {
            user: user(number),
            session: public_session(&session),
            tags: [own.clone(), subscribed.clone()].concat(),
            uncertain: Vec::new(),
            unechoed: Vec::new(),
        };
        Listener {
            codec: *random.pick(&[Codec::Json, Codec::Json, Codec::Msgpack]),
            session,
            claims: Claims { user: Some(user(number)), capabilities, tags: own, ..Claims::default() },
            token_ms: random.chance(50).then(|| 30_000 + random.below(120_000)),
            rewinds: random.chance(60).then(|| 1 + random.below(30) as u32),
            rewind: None,
            observer: Observer::new(eyes),
            // Some come when there is a history already.
            line: Line::Waiting { until: now + *random.pick(&[0, 20_000, 200_000]) },
            position: None,
            came_at: None,
            recover: None,
            last_id: 0,
            asked: BTreeMap::new(),
            paces: Paces::default(),
            acks: random.chance(80),
            is_asked_for_acks: false,
            read_frames: 0,
            unacked: (0, 0),
            is_flooded: false,
            wants_members: random.chance(80),
            sees_members: false,
            subscribed,
            refresh: None,
            roster: BTreeMap::new(),
            state: StateSnapshot::default(),
            unechoed_here: BTreeSet::new(),
            is_gone: false,
        }
    }

    pub(crate) fn may(&self, capability: Capability) -> bool {
        self.claims.capabilities.has(capability)
    }

    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        match self.line {
            Line::Waiting { .. } => None,
            Line::Greeting { connection, .. } | Line::Online { connection, .. } => Some(connection),
        }
    }

    pub(crate) fn is_online(&self) -> bool {
        matches!(self.line, Line::Online { .. })
    }

    pub(crate) fn due_at(&self) -> u64 {
        match self.line {
            Line::Waiting { until } | Line::Greeting { until, .. } => until,
            Line::Online { ping_at, pong_until, .. } => pong_until.map_or(ping_at, |at| at.min(ping_at)),
        }
    }

    /// The connection is open; this is what to say.
    pub(crate) fn hello(
        &mut self,
        now: u64,
        connection: ConnectionId,
        recover: Option<Position>,
        era: u64,
    ) -> Frame {
        self.paces = Paces::of_new(era);
        (self.is_asked_for_acks, self.read_frames, self.unacked) = (false, 0, (0, 0));
        self.line = Line::Greeting { connection, until: now + PATIENCE_MS };
        self.asked.clear();
        self.unechoed_here.clear();
        self.recover = recover;
        let eyes = &mut self.observer.eyes;
        // What was asked for and not answered is settled by asking anew.
        eyes.uncertain.clear();
        let own = &self.claims.tags;
        let tags: Vec<String> = eyes.tags.iter().filter(|tag| !own.contains(tag)).cloned().collect();
        self.subscribed.clone_from(&tags);
        self.refresh = None;
        self.rewind = self.rewinds.filter(|_| self.may(Capability::History));
        self.sees_members = self.wants_members && self.may(Capability::Presence);
        let hello = Hello {
            session: self.session.clone(),
            recover,
            rewind: self.rewind,
            tags,
            presence: None,
            members: self.wants_members,
        };
        self.frame(&ClientMessage::Hello(hello))
    }

    pub(crate) fn frame(&self, message: &ClientMessage) -> Frame {
        let fragment = codec::encode(self.codec, message);
        codec::join(self.codec, [fragment.as_slice()])
    }

    pub(crate) fn next_id(&mut self, what: What) -> u32 {
        self.last_id += 1;
        // A refusal for want of the capability is as good as any.
        let lacks = what.capability().is_some_and(|capability| !self.may(capability));
        let what = if lacks { What::Odd(ErrorCode::Forbidden) } else { what };
        let is_in_doubt = self.refresh.is_some();
        self.asked.insert(self.last_id, Asked { what, is_in_doubt, reached_at: None, pass: None });
        self.last_id
    }

    /// The room is about to read this: what it does with it depends on its clock now.
    pub(crate) fn reached_room(&mut self, connection: ConnectionId, frame: &Frame, at: u64, rates: Rates) {
        let is_idle = self.claims.expires_at.is_none() && rates == Rates::OFF;
        if is_idle || self.connection() != Some(connection) {
            return;
        }
        for message in codec::decode_client(self.codec, frame) {
            let message = message.ok();
            let pass = self.paces.pass(at, rates, message.as_ref());
            let id = message.and_then(|message| message.id());
            if let Some(asked) = id.and_then(|id| self.asked.get_mut(&id)) {
                asked.reached_at = Some(at);
                asked.pass = Some(pass);
            }
        }
    }

    /// R-RATE-1, R-RATE-2: whether an answer is one that the connection's rate allows.
    pub(crate) fn judge_pace(&self, asked: &Asked, is_limited: bool, era: u64) {
        let is_foretold = self.paces.era == era;
        match asked.pass.filter(|_| is_foretold) {
            Some(Pass::Taken) => assert!(!is_limited, "R-RATE-1: {asked:?} was in time"),
            Some(Pass::Limited) => assert!(is_limited, "R-RATE-1: {asked:?} was too much"),
            Some(Pass::Out) => panic!("R-RATE-2: {asked:?} was answered behind the last refusal"),
            None => {}
        }
    }

    /// Whether the room took a request long after the token's end.
    pub(crate) fn was_expired(&self, asked: &Asked) -> bool {
        let end = self.claims.expires_at.map(|at| at + limits::TOKEN_LEEWAY_MS);
        // A newer token is shown at any time.
        let end = end.filter(|_| !asked.is_in_doubt && !matches!(asked.what, What::Auth));
        asked.reached_at.zip(end).is_some_and(|(reached_at, end)| reached_at > end)
    }

    /// The connection is lost.
    pub(crate) fn hang_up(&mut self, until: u64) {
        self.line = Line::Waiting { until };
    }

    pub(crate) fn welcomed(&mut self, now: u64, connection: ConnectionId, asks_acks: bool) {
        self.is_asked_for_acks = asks_acks;
        let ping_at = now + limits::PING_AFTER_MS;
        self.line = Line::Online { connection, ping_at, pong_until: None };
    }

    /// Any word of the room's is a sign of life.
    pub(crate) fn heard(&mut self) {
        if let Line::Online { pong_until, .. } = &mut self.line {
            *pong_until = None;
        }
    }

    /// Time for a ping, or for giving up: then `false`.
    pub(crate) fn ping(&mut self, now: u64) -> bool {
        let Line::Online { ping_at, pong_until, .. } = &mut self.line else { return false };
        if pong_until.is_some_and(|until| until <= now) {
            return false;
        }
        *ping_at = now + limits::PING_AFTER_MS;
        *pong_until = Some(now + PATIENCE_MS);
        true
    }

    /// It has handled a frame: what it says to that, if anything (R-SLOW-2).
    pub(crate) fn has_read(&mut self, bytes: usize) -> Option<ClientMessage> {
        self.read_frames += 1;
        let (frames, sum) = (self.unacked.0 + 1, self.unacked.1 + bytes as u64);
        self.unacked = (frames, sum);
        let is_due = frames >= limits::ACK_FRAMES || sum >= limits::ACK_BYTES;
        if !(self.acks && self.is_asked_for_acks && is_due) {
            return None;
        }
        self.unacked = (0, 0);
        Some(ClientMessage::Ack { frames: self.read_frames })
    }

    pub(crate) fn advance(&mut self, offset: Offset) {
        if let Some(position) = &mut self.position {
            position.offset = position.offset.max(offset);
        }
    }

    /// R-STATE-3: the snapshot and the changes since are the next snapshot.
    pub(crate) fn write(&mut self, change: StateChange) {
        let known = &mut self.state;
        assert!(change.version > known.version, "R-STATE-3: {change:?} came at {}", known.version);
        let mut last = known.version;
        known.version = change.version;
        for op in change.ops {
            match op {
                StateWrite::Set { key, value, version, owner } => {
                    assert!(version > last, "R-STATE-3: {key} at {version} came behind {last}");
                    last = version;
                    known.entries.insert(key, StateEntry { value, version, owner });
                }
                StateWrite::Delete { key } => drop(known.entries.remove(&key)),
            }
        }
    }

    /// The snapshot and the diffs since make the next snapshot. Where members are now listed and now counted
    /// (`is_strict` is false), lists begin anew in between.
    pub(crate) fn apply(&mut self, diff: &PresenceDiff, is_strict: bool) {
        assert!(self.sees_members, "R-PRES-2: who wants no members is told of none");
        for member in &diff.joined {
            let known = self.roster.insert(member.session.clone(), member.clone());
            assert!(known.is_none() || !is_strict, "R-PRES-2: {member:?} joined and was here: {known:?}");
        }
        for member in &diff.updated {
            let known = self.roster.insert(member.session.clone(), member.clone());
            assert!(known.is_some() || !is_strict, "R-PRES-2: {member:?} was updated and is not here");
        }
        for left in &diff.left {
            let known = self.roster.remove(&left.session);
            assert!(known.is_some() || !is_strict, "R-PRES-2: {left:?} left and was not here");
        }
    }
}

/// Messages of a frame in the order to judge them in: a subscription's answer tells how the publications beside it were
/// filtered, so it comes first; in its order with those to changes, which go by what was subscribed to when they came.
pub(crate) fn in_order(messages: Vec<ServerMessage>) -> Vec<ServerMessage> {
    let is_first = |message: &ServerMessage| match message {
        ServerMessage::Reply(reply) => {
            matches!(
                reply.result,
                RequestResult::Tags(_) | RequestResult::Refreshed(_) | RequestResult::Amended(_)
            )
        }
        ServerMessage::Error(error) => error.id.is_some(),
        _ => false,
    };
    let (mut first, rest): (Vec<_>, Vec<_>) = messages.into_iter().partition(is_first);
    first.extend(rest);
    first
}
