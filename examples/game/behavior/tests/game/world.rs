//! What players can do to the floor and to each other.

use crate::support::{Random, stir};
use game_behavior::floor::{Floor, TILES, middle_of};
use game_behavior::motion::{Body, COOLDOWN_TICKS, FIELD, RADIUS, Wish};
use game_behavior::round::Phase;
use game_behavior::world::{SEATS, Seat, World};

const ALL: [Seat; 6] = [0, 3, 7, 11, 19, 23];

fn peopled(seed: u64, phase: Phase) -> World {
    let mut world = World::new(seed);
    ALL.iter().for_each(|seat| world.enter(*seat));
    world.begin(phase, 2_000);
    world
}

/// Two players side by side on row 16, facing each other, everyone else absent.
fn duel(phase: Phase) -> World {
    let mut world = World::new(1);
    world.enter(0);
    world.enter(1);
    let mut frame = world.full_frame();
    let middle = FIELD / 2;
    for (standing, x) in frame.standings.iter_mut().zip([middle - 3 * RADIUS, middle + 3 * RADIUS]) {
        standing.body = Body { fx: if x < middle { 127 } else { -127 }, fy: 0, ..Body::at(x, middle) };
    }
    let mut world = World::resume(&frame, 1);
    world.begin(phase, 2_000);
    world
}

fn body(world: &World, seat: Seat) -> Body {
    *world.body(seat).expect("they sit there")
}

#[test]
fn the_same_wishes_and_seed_come_to_the_same_world() {
    let play = |seed| {
        let (mut world, mut random) = (peopled(seed, Phase::Playing), Random(9));
        (1..400).for_each(|number| stir(&mut world, &ALL, number, &mut random));
        world.full_frame()
    };
    assert_eq!(play(5), play(5));
    assert_ne!(play(5), play(6), "the seed puts players and buckets elsewhere");
}

#[test]
fn nobody_leaves_the_floor_whatever_they_want() {
    let (mut world, mut random) = (peopled(2, Phase::Playing), Random(3));
    for number in 1..3_000 {
        stir(&mut world, &ALL, number, &mut random);
        for seat in ALL {
            let Body { x, y, .. } = body(&world, seat);
            let inside = RADIUS..=FIELD - RADIUS;
            assert!(inside.contains(&x) && inside.contains(&y), "seat {seat} is at {x}, {y}");
        }
    }
}

#[test]
fn who_walks_paints_and_who_waits_for_the_start_or_looks_at_the_result_does_not() {
    for (phase, paints) in
        [(Phase::Lobby, true), (Phase::Countdown, false), (Phase::Playing, true), (Phase::Finished, false)]
    {
        let mut world = duel(phase);
        let before = body(&world, 0);
        for number in 1..20 {
            world.wish(0, number, Wish::new(0, -127, false));
            world.step();
        }
        assert_eq!(world.tiles_of(0) > 20, paints, "{phase:?}");
        assert_eq!(body(&world, 0).y < before.y, phase != Phase::Countdown, "{phase:?}");
    }
}

#[test]
fn a_dash_bumps_and_leaves_a_splash_where_the_other_stood() {
    let mut world = duel(Phase::Playing);
    let mut bumps = Vec::new();
    for number in 1..8 {
        world.wish(0, number, Wish::new(127, 0, number == 1));
        world.step();
        bumps.extend(world.frame(false).into_iter().flat_map(|frame| frame.bumps));
    }
    assert_eq!(bumps.iter().map(|bump| (bump.by, bump.who)).collect::<Vec<_>>(), [(0, 1)]);
    let bumped = body(&world, 1);
    assert!(bumped.stun > 0 && bumped.vx > 0, "{bumped:?}");
    assert!(world.tiles_of(0) > 25, "the splash alone is that large");
    let painted = world.tiles_of(1);
    for number in 1..=u32::from(body(&world, 1).stun) {
        assert!(world.tiles_of(1) <= painted, "who is stunned paints nothing");
        world.wish(1, number, Wish::new(0, 127, true));
        world.step();
    }
    assert!(body(&world, 1).shield > 0, "and is left alone for a while");
}

#[test]
fn two_who_dash_bump_each_other() {
    let mut world = duel(Phase::Playing);
    for number in 1..4 {
        world.wish(0, number, Wish::new(127, 0, true));
        world.wish(1, number, Wish::new(-127, 0, true));
        world.step();
    }
    let bumps = world.frame(false).expect("much happened").bumps;
    assert_eq!(bumps.len(), 2);
    assert!(body(&world, 0).vx < 0 && body(&world, 1).vx > 0);
}

#[test]
fn who_only_walks_into_another_pushes_and_bumps_nobody() {
    let mut world = duel(Phase::Playing);
    for number in 1..40 {
        world.wish(0, number, Wish::new(127, 0, false));
        world.step();
    }
    assert!(body(&world, 1).x > FIELD / 2 + 3 * RADIUS, "pushed along");
    assert_eq!(body(&world, 1).stun, 0);
    assert!(body(&world, 1).x - body(&world, 0).x >= RADIUS, "not through them");
}

#[test]
fn a_dash_has_to_cool_down() {
    let mut world = duel(Phase::Lobby);
    let mut dashes = 0;
    for number in 1..=3 * u32::from(COOLDOWN_TICKS) {
        let before = body(&world, 0).dash;
        world.wish(0, number, Wish::new(0, 127, true));
        world.step();
        dashes += u32::from(body(&world, 0).dash > before);
    }
    assert_eq!(dashes, 3);
}

#[test]
fn buckets_stand_about_while_a_round_is_played_and_burst_where_they_are_taken() {
    let mut world = World::new(4);
    world.enter(5);
    world.begin(Phase::Playing, 2_000);
    (0..300).for_each(|_| world.step());
    let frame = world.full_frame();
    assert_eq!(frame.buckets.len(), 3, "never more than three");
    let mut standing = frame.standings[0];
    (standing.body.x, standing.body.y) = middle_of(frame.buckets[0]);
    let before = world.tiles_of(5);
    let mut world =
        World::resume(&game_behavior::frame::Frame { standings: vec![standing], ..frame.clone() }, 4);
    world.step();
    assert!(!world.full_frame().buckets.contains(&frame.buckets[0]));
    assert!(world.tiles_of(5) > before + 40, "a bucket is worth a lot");
    world.begin(Phase::Countdown, 60);
    assert!(world.full_frame().buckets.is_empty(), "the next round begins without any");
}

#[test]
fn a_countdown_clears_the_floor_and_keeps_everyone_apart() {
    let mut world = World::new(8);
    (0..SEATS as Seat).for_each(|seat| world.enter(seat));
    (0..50).for_each(|_| world.step());
    assert!(!world.full_frame().tiles.is_empty());
    world.begin(Phase::Countdown, 60);
    let frame = world.full_frame();
    assert!(frame.tiles.is_empty());
    for one in &frame.standings {
        for other in frame.standings.iter().filter(|other| other.seat != one.seat) {
            let apart = (one.body.x - other.body.x).abs().max((one.body.y - other.body.y).abs());
            assert!(apart > RADIUS, "{one:?} {other:?}");
        }
    }
}

#[test]
fn who_leaves_is_gone_and_their_paint_stays() {
    let (mut world, mut random) = (peopled(2, Phase::Playing), Random(3));
    (1..60).for_each(|number| stir(&mut world, &ALL, number, &mut random));
    let tiles = world.tiles_of(7);
    assert!(tiles > 0);
    world.exit(7);
    assert_eq!((world.body(7), world.tiles_of(7)), (None, tiles));
    world.wish(7, 1, Wish::new(1, 1, true));
    world.step();
    assert_eq!(world.body(7), None, "the wishes of an empty seat are nobody's");
    world.wish(200, 1, Wish::default());
    world.exit(200);
    world.enter(200);
    assert_eq!(world.full_frame().standings.len(), ALL.len() - 1, "there is no such seat");
}

#[test]
fn r_game_6_who_gets_up_and_sits_down_again_in_a_round_is_dazed_for_a_moment_and_paints_nothing() {
    let mut world = peopled(6, Phase::Playing);
    for number in 0..60 {
        world.exit(3);
        world.enter(3);
        assert!(body(&world, 3).stun > 0);
        world.wish(3, 1, Wish::new(127, 0, number % 2 == 0));
        world.step();
    }
    assert_eq!(world.tiles_of(3), 0, "no way to be everywhere at once");
    for number in 2..40 {
        world.wish(3, number, Wish::new(127, 0, false));
        world.step();
    }
    assert!(world.tiles_of(3) > 0, "and then they play");
    let mut open = peopled(6, Phase::Lobby);
    open.exit(3);
    open.enter(3);
    assert_eq!(body(&open, 3).stun, 0, "where nothing counts nobody waits");
}

#[test]
fn a_seat_can_be_wiped_of_its_paint() {
    let (mut world, mut random) = (peopled(2, Phase::Playing), Random(3));
    (1..60).for_each(|number| stir(&mut world, &ALL, number, &mut random));
    drop(world.frame(false));
    let (lost, others) = (world.tiles_of(7), world.tiles_of(3));
    assert!(lost > 0 && others > 0);
    world.wipe(7);
    assert_eq!((world.tiles_of(7), world.tiles_of(3)), (0, others));
    let told = world.frame(false).expect("there is news").tiles;
    assert_eq!(told.iter().filter(|(_, paint)| *paint == 0).count(), usize::from(lost));
}

#[test]
fn paint_outside_the_floor_is_nobodys() {
    let mut floor = Floor::bare();
    floor.splash(-5_000, -5_000, 300, 1);
    floor.splash(FIELD + 5_000, FIELD / 2, 300, 1);
    floor.set(TILES as u16, 1);
    assert!(floor.painted().is_empty() && floor.take_changes().is_empty());
    floor.splash(0, 0, 2 * FIELD, 2);
    assert_eq!(usize::from(floor.count(2)), TILES);
    assert_eq!(floor.take_changes().len(), TILES);
    assert!(floor.take_changes().is_empty(), "each change is told once");
}
