//! What a bot wants. Pure: it looks at the world as it was told, and at dice of its own.

use crate::floor::{TILES, Tile, middle_of};
use crate::motion::{Body, FIELD, REACH, UNITS, Wish, root};
use crate::random;
use crate::round::Phase;
use crate::view::View;
use crate::world::{Seat, paint_of};

/// Places that are thought about at once.
const CANDIDATES: usize = 18;
/// How long a place is headed for at most.
const PATIENCE_TICKS: u32 = 36;
/// From how far away a bucket tempts.
const BUCKET_REACH: i32 = 11 * UNITS;
/// From how near someone is dashed into.
const DASH_REACH: i32 = 4 * UNITS;

/// One bot's mind.
#[derive(Debug)]
pub struct Brain {
    random: u64,
    goal: Option<Goal>,
    /// How readily it dashes, in percent a tick.
    temper: u64,
}

#[derive(Debug, Clone, Copy)]
struct Goal {
    x: i32,
    y: i32,
    until: u32,
}

impl Brain {
    /// The same seed has the same mind.
    #[must_use]
    pub fn new(seed: u64) -> Brain {
        let mut brain = Brain { random: seed, goal: None, temper: 0 };
        brain.temper = 8 + random::draw(&mut brain.random) % 40;
        brain
    }

    /// What to want in the next tick; to stand still where there is nothing to be seen.
    pub fn think(&mut self, view: &View, seat: Seat) -> Wish {
        let Some(body) = view.body(seat).copied() else { return Wish::default() };
        if !view.is_whole() || view.phase == Phase::Countdown {
            return Wish::default();
        }
        let goal = self.goal(view, seat, &body);
        let (mut x, mut y) = towards(goal.x - body.x, goal.y - body.y);
        let dashes = match prey(view, seat, &body) {
            Some((across, down)) if random::draw(&mut self.random) % 100 < self.temper => {
                (x, y) = towards(across, down);
                true
            }
            // Across open floor, now and then.
            _ => random::draw(&mut self.random).is_multiple_of(90),
        };
        Wish::new(x, y, dashes && body.cooldown == 0)
    }

    fn goal(&mut self, view: &View, seat: Seat, body: &Body) -> Goal {
        let bucket = view.buckets.iter().map(|tile| middle_of(*tile)).min_by_key(|at| far(body, *at));
        if let Some(at) = bucket.filter(|at| far(body, *at) < BUCKET_REACH) {
            return Goal { x: at.0, y: at.1, until: view.tick };
        }
        let is_good = |goal: &Goal| view.tick < goal.until && far(body, (goal.x, goal.y)) > UNITS;
        if let Some(goal) = self.goal.filter(is_good) {
            return goal;
        }
        let candidates: Vec<(i32, i32)> = (0..CANDIDATES).map(|_| self.place()).collect();
        let worth = |at: &(i32, i32)| around(view, seat, *at) * 4 * UNITS - far(body, *at);
        let (x, y) = candidates.into_iter().max_by_key(worth).unwrap_or((FIELD / 2, FIELD / 2));
        let goal = Goal { x, y, until: view.tick + PATIENCE_TICKS };
        self.goal = Some(goal);
        goal
    }

    fn place(&mut self) -> (i32, i32) {
        let tile = Tile::try_from(random::draw(&mut self.random) % TILES as u64).unwrap_or(0);
        middle_of(tile)
    }
}

fn far(body: &Body, (x, y): (i32, i32)) -> i32 {
    root((x - body.x).pow(2) + (y - body.y).pow(2))
}

/// The stick all the way in that direction.
fn towards(across: i32, down: i32) -> (i32, i32) {
    let length = root(across * across + down * down).max(1);
    (across * REACH / length, down * REACH / length)
}

/// How many of the tiles about a place are not ours yet, of nine.
fn around(view: &View, seat: Seat, (x, y): (i32, i32)) -> i32 {
    let steps = [-UNITS, 0, UNITS];
    let near = steps.iter().flat_map(|down| steps.iter().map(move |across| (x + across, y + down)));
    let on_floor = near.filter(|(x, y)| (0..FIELD).contains(x) && (0..FIELD).contains(y));
    let tiles = on_floor.filter_map(|(x, y)| Tile::try_from(y / UNITS * (FIELD / UNITS) + x / UNITS).ok());
    i32::try_from(tiles.filter(|tile| view.floor.paint(*tile) != paint_of(seat)).count()).unwrap_or(0)
}

/// The way to someone near who can be bumped.
fn prey(view: &View, seat: Seat, body: &Body) -> Option<(i32, i32)> {
    let others = view.standings().filter(|standing| standing.seat != seat);
    let open = others.filter(|standing| standing.body.stun == 0 && standing.body.shield == 0);
    let near = open.map(|standing| (standing.body.x, standing.body.y)).min_by_key(|at| far(body, *at))?;
    (far(body, near) < DASH_REACH).then_some((near.0 - body.x, near.1 - body.y))
}
