//! The game itself: who stands where, what is painted, who bumped whom. Knows no room, no clock and no network; the
//! same wishes and the same seed come to the same world.

use crate::floor::{Floor, Paint, Tile, middle_of};
use crate::frame::{Bump, Frame, Standing};
use crate::motion::{Body, FIELD, RADIUS, STUN_TICKS, UNITS, Wish, root};
use crate::queue::Queue;
use crate::random;
use crate::round::Phase;

/// How many can play at once.
pub const SEATS: usize = 24;
/// A player's number, below [`SEATS`].
pub type Seat = u8;

const BRUSH: i32 = 300;
const DASH_BRUSH: i32 = 430;
const BUMP_SPLASH: i32 = 3 * UNITS;
const BUCKET_SPLASH: i32 = 4 * UNITS + UNITS / 2;
/// How fast someone flies who was bumped, in units a tick.
const BUMP_SPEED: i32 = 300;
/// Buckets of paint that stand about at once.
const BUCKETS_MAX: usize = 3;
/// How often one is put down.
const BUCKET_EVERY_TICKS: u32 = 70;
/// In the lobby a frame is sent at least this often, though nothing changed.
const QUIET_TICKS_MAX: u8 = 20;

/// Twenty-four directions, clockwise from the right, as long as the stick reaches.
const RING: [(i32, i32); SEATS] = [
    (127, 0),
    (123, 33),
    (110, 64),
    (90, 90),
    (64, 110),
    (33, 123),
    (0, 127),
    (-33, 123),
    (-64, 110),
    (-90, 90),
    (-110, 64),
    (-123, 33),
    (-127, 0),
    (-123, -33),
    (-110, -64),
    (-90, -90),
    (-64, -110),
    (-33, -123),
    (0, -127),
    (33, -123),
    (64, -110),
    (90, -90),
    (110, -64),
    (123, -33),
];

#[derive(Debug, Clone)]
struct Player {
    body: Body,
    queue: Queue,
}

/// Everything that a frame tells of, and what the players still want.
#[derive(Debug, Clone)]
pub struct World {
    tick: u32,
    phase: Phase,
    /// Ticks until the phase is over; 0 where it has no end.
    left: u16,
    players: [Option<Player>; SEATS],
    floor: Floor,
    buckets: Vec<Tile>,
    bumps: Vec<Bump>,
    random: u64,
    told: Told,
}

/// What the frames so far said, so that the next says only what is new.
#[derive(Debug, Clone, Default)]
struct Told {
    tick: u32,
    phase: Phase,
    standings: [Option<Standing>; SEATS],
    buckets: Vec<Tile>,
}

impl World {
    /// An empty, bare world. Nothing about it is random but what `seed` makes so.
    #[must_use]
    pub fn new(seed: u64) -> World {
        World {
            tick: 0,
            phase: Phase::Lobby,
            left: 0,
            players: std::array::from_fn(|_| None),
            floor: Floor::bare(),
            buckets: Vec::new(),
            bumps: Vec::new(),
            random: seed,
            told: Told::default(),
        }
    }

    /// Goes on from a full frame: all of it but what the players wanted next.
    #[must_use]
    pub fn resume(frame: &Frame, seed: u64) -> World {
        let mut world = World { tick: frame.tick, phase: frame.phase, left: frame.left, ..World::new(seed) };
        for standing in &frame.standings {
            if let Some(place) = world.players.get_mut(usize::from(standing.seat)) {
                *place = Some(Player { body: standing.body, queue: Queue::default() });
            }
        }
        frame.tiles.iter().for_each(|(tile, paint)| world.floor.set(*tile, *paint));
        world.buckets = frame.buckets.iter().copied().take(BUCKETS_MAX).collect();
        world
    }

    #[must_use]
    pub fn tick_number(&self) -> u32 {
        self.tick
    }

    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Ticks until the phase is over; 0 where it has no end, or is over.
    #[must_use]
    pub fn left(&self) -> u16 {
        self.left
    }

    /// How many tiles a seat has.
    #[must_use]
    pub fn tiles_of(&self, seat: Seat) -> u16 {
        self.floor.count(paint_of(seat))
    }

    #[must_use]
    pub fn body(&self, seat: Seat) -> Option<&Body> {
        self.players.get(usize::from(seat))?.as_ref().map(|player| &player.body)
    }

    /// Puts a player down somewhere; in a round dazed for a moment, so that nobody gains by getting up and sitting down
    /// again. One who is there already stays where they are, and counts their wishes anew.
    pub fn enter(&mut self, seat: Seat) {
        let margin = 2 * UNITS;
        let (x, y) = (self.somewhere(margin), self.somewhere(margin));
        let stun = if self.phase == Phase::Playing { STUN_TICKS } else { 0 };
        if let Some(place) = self.players.get_mut(usize::from(seat)) {
            let body = place.take().map_or(Body { stun, ..Body::at(x, y) }, |player| player.body);
            *place = Some(Player { body, queue: Queue::default() });
        }
    }

    /// Takes a seat's paint off the floor.
    pub fn wipe(&mut self, seat: Seat) {
        let mut tiles = self.floor.painted();
        tiles.retain(|(_, paint)| *paint == paint_of(seat));
        tiles.into_iter().for_each(|(tile, _)| self.floor.set(tile, 0));
    }

    /// Takes a player away; the paint stays.
    pub fn exit(&mut self, seat: Seat) {
        if let Some(place) = self.players.get_mut(usize::from(seat)) {
            *place = None;
        }
    }

    /// Takes in what a player wants in a tick. Wishes are numbered from 1 since they entered, rising; others are
    /// dropped, as are those of an empty seat.
    pub fn wish(&mut self, seat: Seat, number: u32, wish: Wish) {
        if let Some(Some(player)) = self.players.get_mut(usize::from(seat)) {
            player.queue.push(number, wish);
        }
    }

    /// The next phase. A countdown clears the floor and puts all in their places around it.
    pub fn begin(&mut self, phase: Phase, ticks: u16) {
        (self.phase, self.left) = (phase, ticks);
        if phase == Phase::Countdown {
            self.floor.painted().iter().for_each(|(tile, _)| self.floor.set(*tile, 0));
            self.buckets.clear();
            self.line_up();
        }
    }

    /// At most so many ticks are left.
    pub fn hurry(&mut self, ticks: u16) {
        self.left = self.left.min(ticks);
    }

    /// One tick of the game.
    pub fn step(&mut self) {
        self.tick = self.tick.wrapping_add(1);
        self.left = self.left.saturating_sub(1);
        self.move_all();
        self.push_apart();
        if self.phase == Phase::Playing {
            self.put_down_bucket();
            self.take_buckets();
        }
    }

    fn move_all(&mut self) {
        let (may_move, may_paint) = (self.phase != Phase::Countdown, self.phase.paints());
        for index in self.order() {
            let Some(player) = &mut self.players[index] else { continue };
            let wish = player.queue.grant();
            player.body.step(if may_move { wish } else { Wish::default() });
            let body = player.body;
            if may_paint && body.stun == 0 {
                let brush = if body.dash > 0 { DASH_BRUSH } else { BRUSH };
                self.floor.splash(body.x, body.y, brush, paint_at(index));
            }
        }
    }

    /// All seats, beginning at another one each tick: whoever comes last on a tile has it.
    fn order(&self) -> impl Iterator<Item = usize> + use<> {
        let first = self.tick as usize % SEATS;
        (0..SEATS).map(move |index| (first + index) % SEATS)
    }

    fn push_apart(&mut self) {
        for one in 0..SEATS {
            for other in one + 1..SEATS {
                self.meet(one, other);
            }
        }
    }

    /// Two who touch: whoever dashes bumps whoever does not; two who dash bump each other; else both give way.
    fn meet(&mut self, one: usize, other: usize) {
        let (head, tail) = self.players.split_at_mut(other);
        let (Some(Some(a)), Some(Some(b))) = (head.get_mut(one), tail.first_mut()) else { return };
        let (nx, ny, overlap) = touching(&a.body, &b.body);
        if overlap <= 0 {
            return;
        }
        let (by_a, by_b) = (bumps(&a.body, &b.body), bumps(&b.body, &a.body));
        for (body, sign) in [(&mut a.body, -1), (&mut b.body, 1)] {
            body.x = (body.x + sign * nx * overlap / 512).clamp(RADIUS, FIELD - RADIUS);
            body.y = (body.y + sign * ny * overlap / 512).clamp(RADIUS, FIELD - RADIUS);
        }
        if by_a {
            fly(&mut b.body, nx, ny);
        }
        if by_b {
            fly(&mut a.body, -nx, -ny);
        }
        let places = [(a.body.x, a.body.y), (b.body.x, b.body.y)];
        if by_a {
            self.bumped(one, other, places[1]);
        }
        if by_b {
            self.bumped(other, one, places[0]);
        }
    }

    fn bumped(&mut self, by: usize, who: usize, (x, y): (i32, i32)) {
        if self.phase.paints() {
            self.floor.splash(x, y, BUMP_SPLASH, paint_at(by));
        }
        self.bumps.push(Bump { by: seat_at(by), who: seat_at(who) });
        if let Some(Some(player)) = self.players.get_mut(by)
            && player.body.stun == 0
        {
            player.body.dash = 0;
            (player.body.vx, player.body.vy) = (-player.body.vx / 4, -player.body.vy / 4);
        }
    }

    fn put_down_bucket(&mut self) {
        if self.tick.is_multiple_of(BUCKET_EVERY_TICKS) && self.buckets.len() < BUCKETS_MAX {
            let (column, row) = (self.somewhere(3 * UNITS) / UNITS, self.somewhere(3 * UNITS) / UNITS);
            let tile = Tile::try_from(row * crate::motion::SIDE + column).unwrap_or(0);
            if !self.buckets.contains(&tile) {
                self.buckets.push(tile);
            }
        }
    }

    fn take_buckets(&mut self) {
        for index in self.order() {
            let Some(Player { body, .. }) = self.players[index] else { continue };
            if body.stun > 0 {
                continue;
            }
            let taken = self.buckets.iter().position(|tile| {
                let (x, y) = middle_of(*tile);
                let reach = RADIUS + UNITS / 2;
                (x - body.x).pow(2) + (y - body.y).pow(2) <= reach * reach
            });
            if let Some(taken) = taken {
                let (x, y) = middle_of(self.buckets.remove(taken));
                self.floor.splash(x, y, BUCKET_SPLASH, paint_at(index));
            }
        }
    }

    /// All in a ring around the middle, as far from each other as can be.
    fn line_up(&mut self) {
        let count = self.players.iter().flatten().count();
        for (index, player) in self.players.iter_mut().flatten().enumerate() {
            let (x, y) = RING[index * SEATS / count.max(1) % SEATS];
            player.body = Body::at(FIELD / 2 + x * 22, FIELD / 2 + y * 22);
        }
    }

    /// A place at least `margin` from the walls.
    fn somewhere(&mut self, margin: i32) -> i32 {
        let room = u64::try_from(FIELD - 2 * margin).unwrap_or(1);
        i32::try_from(random::draw(&mut self.random) % room).unwrap_or(0) + margin
    }

    /// What changed since the last frame; in the lobby none where nothing did, for a second at most, but where `wanted`:
    /// next to a full frame, whose readers go on from its tick.
    pub fn frame(&mut self, wanted: bool) -> Option<Frame> {
        let full = self.full_frame();
        let tiles = self.floor.take_changes();
        let bumps = std::mem::take(&mut self.bumps);
        let since = u8::try_from(self.tick.wrapping_sub(self.told.tick)).unwrap_or(u8::MAX);
        let mut standings: [Option<Standing>; SEATS] = std::array::from_fn(|_| None);
        for standing in full.standings {
            standings[usize::from(standing.seat)] = Some(standing);
        }
        let pairs = || standings.iter().zip(&self.told.standings);
        let changed: Vec<Standing> =
            pairs().filter(|(now, before)| now != before).filter_map(|(now, _)| *now).collect();
        let gone: Vec<Seat> = pairs()
            .filter(|(now, _)| now.is_none())
            .filter_map(|(_, before)| before.map(|standing| standing.seat))
            .collect();
        let is_news = !tiles.is_empty()
            || !bumps.is_empty()
            || !changed.is_empty()
            || !gone.is_empty()
            || self.buckets != self.told.buckets
            || self.phase != self.told.phase;
        if !is_news && !wanted && since < QUIET_TICKS_MAX && self.phase == Phase::Lobby {
            return None;
        }
        self.told = Told { tick: self.tick, phase: self.phase, standings, buckets: self.buckets.clone() };
        Some(Frame { is_full: false, since, standings: changed, gone, tiles, bumps, ..full })
    }

    /// The whole world, for whoever has seen nothing of it.
    #[must_use]
    pub fn full_frame(&self) -> Frame {
        let standing = |(seat, player): (Seat, &Option<Player>)| {
            player.as_ref().map(|player| Standing { seat, ack: player.queue.done(), body: player.body })
        };
        Frame {
            is_full: true,
            tick: self.tick,
            since: 0,
            phase: self.phase,
            left: self.left,
            standings: (0..).zip(&self.players).filter_map(standing).collect(),
            gone: Vec::new(),
            buckets: self.buckets.clone(),
            tiles: self.floor.painted(),
            bumps: Vec::new(),
        }
    }
}

/// The direction from one to the other, 256 long, and how far they stand in each other.
fn touching(a: &Body, b: &Body) -> (i32, i32, i32) {
    let towards = |across: i32, down: i32| {
        let apart = root(across * across + down * down);
        // Exactly on one another: sideways.
        let (nx, ny) = if apart == 0 { (256, 0) } else { (across * 256 / apart, down * 256 / apart) };
        (nx, ny, 2 * RADIUS - apart)
    };
    let (across, down) = (b.x - a.x, b.y - a.y);
    let (nx, ny, overlap) = towards(across, down);
    let (away_x, away_y) = (b.vx - a.vx, b.vy - a.vy);
    let passed = a.dash > 0 && b.dash > 0 && nx * away_x + ny * away_y > 0;
    if passed {
        // They went through each other in this tick: as they stood in its middle.
        let (nx, ny, _) = towards(across - away_x, down - away_y);
        return (nx, ny, overlap);
    }
    (nx, ny, overlap)
}

/// Whether one bumps the other who touches them.
fn bumps(by: &Body, who: &Body) -> bool {
    by.dash > 0 && who.stun == 0 && who.shield == 0
}

fn fly(body: &mut Body, nx: i32, ny: i32) {
    (body.vx, body.vy) = (nx * BUMP_SPEED / 256, ny * BUMP_SPEED / 256);
    (body.dash, body.stun) = (0, STUN_TICKS);
}

/// The paint of a seat.
#[must_use]
pub fn paint_of(seat: Seat) -> Paint {
    seat + 1
}

fn seat_at(index: usize) -> Seat {
    Seat::try_from(index).unwrap_or(Seat::MAX)
}

fn paint_at(index: usize) -> Paint {
    paint_of(seat_at(index))
}
