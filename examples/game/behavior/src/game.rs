//! The room that runs the game: inputs in, a frame a tick out, seats as shared state.

use crate::brain::Brain;
use crate::frame::Frame;
use crate::lobby::{BOTS_MAX, Full, Lobby};
use crate::motion::Wish;
use crate::round::{COUNTDOWN_TICKS, Event, Phase, Quorum, TRANSITIONS, due};
use crate::view::View;
use crate::world::{SEATS, Seat, World};
use garde::Validate;
use room_core::behavior::{
    Admission, Behavior, Context, Failure, Interface, Joining, Leaving, Message, Payload, PublicSession,
    Publishing, Refusal, StateMachine, Tick, Verdict,
};
use schemas::{ConnectionId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use ts_rs::TS;

/// The shared state that says who sits where.
const LOBBY: &str = "lobby";
/// The value that a restart goes on from.
const WORLD: &str = "world";
/// How often that is written while a round is played: so much of it a crash may cost. A frame that goes with it waits
/// for the disk.
const SAVE_EVERY_TICKS: u32 = 100;
/// Connections that are named at once; with more a full frame is for all.
const NEWCOMERS_MAX: usize = 100;

/// A round's phases, kept by the room.
#[derive(Debug)]
pub struct Round;

impl StateMachine for Round {
    const NAME: &'static str = "round";
    type State = Phase;
    type Event = Event;
    const INITIAL: Phase = Phase::Lobby;
    const TRANSITIONS: &'static [(Phase, Event, Phase)] = TRANSITIONS;
}

/// What a player wants in one tick, as the ephemeral `input`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Counted from 1 since they sat down, rising.
    pub n: u32,
    /// Where the stick is, to the right and down: at most 127 from its middle, and brought back where it is not.
    pub x: i32,
    pub y: i32,
    pub dash: bool,
}

/// One frame, in bytes (`behavior/src/frame.rs`), as the ephemeral `frame`.
#[derive(Debug, TS)]
pub struct FrameBytes(#[ts(type = "Uint8Array")] pub Vec<u8>);

/// A seat that is yours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Taken {
    pub seat: Seat,
}

/// Whether one is ready for the next round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, Validate)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    #[garde(skip)]
    pub ready: bool,
}

/// How many bots of the room's own are to play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, Validate)]
#[serde(deny_unknown_fields)]
pub struct Bots {
    #[garde(range(max = BOTS_MAX))]
    pub count: usize,
}

/// Why a player is told no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum GameError {
    #[error("all {SEATS} seats are taken")]
    Full,
    #[error("you have no seat")]
    NotSeated,
    #[error("only someone who is connected can play")]
    NotHere,
    #[error("a round is on")]
    Playing,
}

/// What a token's `info` says of a player.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Info {
    name: String,
    bot: bool,
}

/// What a restart goes on from.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    /// A full frame's bytes.
    frame: Vec<u8>,
}

/// An arena.
#[derive(Debug)]
pub struct Game {
    world: World,
    lobby: Lobby,
    /// Connections that have seen nothing of the world.
    newcomers: Vec<ConnectionId>,
    /// Nobody has: it was made anew, or taken from storage.
    is_news: bool,
    /// Who sat on each seat last, and so whose its paint is.
    painters: [Option<UserId>; SEATS],
    /// The room's own bots', by seat.
    brains: BTreeMap<Seat, Brain>,
}

impl Behavior for Game {
    const NAME: &'static str = "game";
    const TICK_MS: u64 = 50;

    fn describe(interface: &mut Interface<Game>) {
        interface.method("sit", Game::sit);
        interface.method("stand", Game::stand);
        interface.method("ready", Game::ready);
        interface.method("bots", Game::bots);
        interface.client_event::<Input>("input");
        interface.client_event::<()>("resync");
        interface.event::<FrameBytes>("frame");
        interface.state::<Lobby>(LOBBY);
    }

    fn started(ctx: &mut Context<'_>) -> Result<Game, Failure> {
        let seed = ctx.random();
        let saved = ctx.get::<Saved>(WORLD).and_then(|saved| Frame::decode(&saved.frame).ok());
        let phase = ctx.machine::<Round>();
        let lobby = Lobby { phase, ..ctx.shared(LOBBY).unwrap_or_default() };
        let mut world = match saved {
            Some(frame) if frame.phase == phase => World::resume(&frame, seed),
            _ => World::new(seed),
        };
        if world.phase() != phase {
            world.begin(phase, phase.ticks(lobby.quorum()));
        }
        place(&lobby, &mut world);
        let brains = BTreeMap::new();
        Ok(Game { brains, world, lobby, newcomers: Vec::new(), is_news: true, painters: Default::default() })
    }

    fn join(&mut self, _: &mut Context<'_>, joining: &Joining) -> Result<Admission, Refusal> {
        self.show_all_to(joining.connection);
        Ok(Admission::default())
    }

    fn leave(&mut self, ctx: &mut Context<'_>, left: &Leaving) {
        self.free(ctx, &left.session);
    }

    fn publish(&mut self, ctx: &mut Context<'_>, publishing: &Publishing<'_>) -> Verdict {
        if ctx.caller().is_service() {
            return Verdict::Pass;
        }
        let taken = match publishing.kind {
            "input" if publishing.ephemeral => self.input(publishing),
            "resync" if publishing.ephemeral => {
                publishing.connection.into_iter().for_each(|connection| self.show_all_to(connection));
                Ok(())
            }
            _ => Err(Failure::invalid("type", "players send the ephemerals `input` and `resync` alone")),
        };
        taken.map_or_else(Verdict::Refuse, |()| Verdict::Consume)
    }

    fn tick(&mut self, ctx: &mut Context<'_>, _: Tick) {
        self.turn(ctx);
        self.bots_want();
        self.world.step();
        self.show(ctx);
        if self.world.phase() == Phase::Playing && self.world.tick_number().is_multiple_of(SAVE_EVERY_TICKS) {
            self.save(ctx);
        }
    }
}

impl Game {
    /// Gives the caller a seat, or the one that their user has. They play from this session, whose inputs count from 1
    /// again.
    pub fn sit(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<Taken, GameError> {
        let caller = ctx.caller();
        let (Some(user), Some(session)) = (caller.user.clone(), caller.session.clone()) else {
            return Err(GameError::NotHere);
        };
        let Info { name, bot } = caller.info.as_ref().map(info).unwrap_or_default();
        let members = ctx.members();
        let is_users = |session: &str| {
            members.iter().any(|member| member.user == user && member.session.as_str() == session)
        };
        let taken = self.lobby.sit(session.as_str(), is_users, &name, bot);
        let seat = taken.map_err(|Full| GameError::Full)?;
        if self.brains.remove(&seat).is_some() {
            self.world.exit(seat);
        }
        self.settle(seat, user);
        ctx.share(LOBBY, &self.lobby);
        Ok(Taken { seat })
    }

    /// Puts a user down who sits on that seat. What another left on the floor before is not theirs.
    fn settle(&mut self, seat: Seat, user: UserId) {
        let before =
            self.painters.get_mut(usize::from(seat)).and_then(|painter| painter.replace(user.clone()));
        if self.world.body(seat).is_none() && before.as_ref() != Some(&user) {
            self.world.wipe(seat);
        }
        self.world.enter(seat);
    }

    /// Frees the caller's seat; they stay and watch.
    pub fn stand(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<(), GameError> {
        let session = ctx.caller().session.clone().ok_or(GameError::NotHere)?;
        self.free(ctx, &session);
        Ok(())
    }

    /// Says whether the caller is ready for the next round.
    pub fn ready(&mut self, ctx: &mut Context<'_>, Ready { ready }: Ready) -> Result<(), GameError> {
        let session = ctx.caller().session.clone().ok_or(GameError::NotHere)?;
        if !self.lobby.ready(session.as_str(), ready) {
            return Err(GameError::NotSeated);
        }
        ctx.share(LOBBY, &self.lobby);
        Ok(())
    }

    /// Has so many bots of the room's own play, as far as there are seats: company for whoever is alone. They get up when
    /// nobody else sits any more, and for whoever finds no other seat.
    pub fn bots(&mut self, ctx: &mut Context<'_>, Bots { count }: Bots) -> Result<(), GameError> {
        let session = ctx.caller().session.clone().ok_or(GameError::NotHere)?;
        self.lobby.seat_of(session.as_str()).ok_or(GameError::NotSeated)?;
        if matches!(self.world.phase(), Phase::Countdown | Phase::Playing) {
            return Err(GameError::Playing);
        }
        self.seat_bots(count);
        ctx.share(LOBBY, &self.lobby);
        Ok(())
    }

    fn seat_bots(&mut self, count: usize) {
        self.lobby.seat_bots(count);
        place(&self.lobby, &mut self.world);
        self.brains.retain(|seat, _| self.lobby.bots().any(|bot| bot.seat == *seat));
    }

    /// They see what everyone sees, and are a little slower than a person can be.
    fn bots_want(&mut self) {
        if self.lobby.bots().next().is_none() {
            return;
        }
        let (mut view, number) = (View::default(), self.world.tick_number().wrapping_add(1));
        if view.apply(&self.world.full_frame()).is_err() {
            return;
        }
        for bot in self.lobby.bots() {
            let seed = u64::from(number) << 8 | u64::from(bot.seat);
            let brain = self.brains.entry(bot.seat).or_insert_with(|| Brain::new(seed));
            let Wish { x, y, dash } = brain.think(&view, bot.seat);
            self.world.wish(bot.seat, number, Wish::new(x * 4 / 5, y * 4 / 5, dash));
        }
    }

    fn free(&mut self, ctx: &mut Context<'_>, session: &PublicSession) {
        if let Some(seat) = self.lobby.stand(session.as_str()) {
            self.world.exit(seat);
            if self.lobby.quorum() == Quorum::Nobody {
                self.seat_bots(0);
            }
            ctx.share(LOBBY, &self.lobby);
        }
    }

    fn input(&mut self, publishing: &Publishing<'_>) -> Result<(), Failure> {
        let Input { n, x, y, dash } = publishing.data()?;
        let session = publishing.author.and_then(|author| author.session.as_ref());
        let Some(seat) = session.and_then(|session| self.lobby.seat_of(session.as_str())) else {
            return Err(Failure::new(GameError::NotSeated.to_string()).data(&GameError::NotSeated));
        };
        self.world.wish(seat, n, Wish::new(x, y, dash));
        Ok(())
    }

    /// Goes on to the next phase where that is due.
    fn turn(&mut self, ctx: &mut Context<'_>) {
        let quorum = self.lobby.quorum();
        if self.world.phase() == Phase::Countdown && quorum == Quorum::All {
            self.world.hurry(COUNTDOWN_TICKS);
        }
        let Some(event) = due(self.world.phase(), quorum, self.world.left()) else { return };
        // The machine allows what is due; it says where that leads.
        let Ok(phase) = ctx.fire::<Round>(event) else { return };
        self.lobby.begin(phase, |seat| self.world.tiles_of(seat));
        self.world.begin(phase, phase.ticks(quorum));
        ctx.share(LOBBY, &self.lobby);
        self.save(ctx);
    }

    /// Tells everyone what changed, and newcomers everything.
    fn show(&mut self, ctx: &mut Context<'_>) {
        let newcomers = std::mem::take(&mut self.newcomers);
        let is_news = std::mem::take(&mut self.is_news);
        let frame = self.world.frame(is_news || !newcomers.is_empty());
        if is_news || !newcomers.is_empty() {
            let whole = message(&self.world.full_frame());
            ctx.send(if is_news { whole } else { whole.to_connections(newcomers) });
        }
        if let Some(frame) = frame.filter(|_| !is_news) {
            ctx.send(message(&frame));
        }
    }

    fn show_all_to(&mut self, connection: ConnectionId) {
        if self.newcomers.len() >= NEWCOMERS_MAX {
            self.is_news = true;
        } else if !self.newcomers.contains(&connection) {
            self.newcomers.push(connection);
        }
    }

    fn save(&mut self, ctx: &mut Context<'_>) {
        ctx.put(WORLD, &Saved { frame: self.world.full_frame().encode() });
    }
}

/// Whoever sits is in the world, and nobody else.
fn place(lobby: &Lobby, world: &mut World) {
    for seat in 0..SEATS as Seat {
        if !lobby.seats.iter().any(|seated| seated.seat == seat) {
            world.exit(seat);
        } else if world.body(seat).is_none() {
            world.wipe(seat);
            world.enter(seat);
        }
    }
}

fn message(frame: &Frame) -> Message {
    Message::of("frame", Payload::Bytes(frame.encode()))
}

fn info(info: &Payload) -> Info {
    match info {
        Payload::Json(text) => serde_json::from_str(text.as_str()).unwrap_or_default(),
        Payload::Bytes(_) => Info::default(),
    }
}
