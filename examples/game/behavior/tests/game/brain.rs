//! Bots among themselves, without a network.

use game_behavior::brain::Brain;
use game_behavior::motion::Wish;
use game_behavior::round::Phase;
use game_behavior::view::View;
use game_behavior::world::{Seat, World};

/// Plays so many ticks with a bot on each of these seats.
fn play(world: &mut World, seats: &[Seat], ticks: u32) -> View {
    let mut view = View::default();
    view.apply(&world.full_frame()).expect("a full frame is enough");
    let mut brains: Vec<(Seat, Brain)> =
        seats.iter().map(|seat| (*seat, Brain::new(u64::from(*seat)))).collect();
    for _ in 0..ticks {
        let number = world.tick_number() + 1;
        for (seat, brain) in &mut brains {
            world.wish(*seat, number, brain.think(&view, *seat));
        }
        world.step();
        if let Some(frame) = world.frame(false) {
            view.apply(&frame).expect("nothing is missing");
        }
    }
    view
}

#[test]
fn bots_cover_the_floor_and_fight_for_it() {
    let mut world = World::new(1);
    let seats: Vec<Seat> = (0..8).collect();
    seats.iter().for_each(|seat| world.enter(*seat));
    world.begin(Phase::Playing, 1_500);
    let mut bumps = 0;
    for _ in 0..15 {
        play(&mut world, &seats, 60);
        bumps += usize::from(
            seats.iter().any(|seat| world.body(*seat).is_some_and(|body| body.stun > 0 || body.shield > 0)),
        );
    }
    let tiles: Vec<u16> = seats.iter().map(|seat| world.tiles_of(*seat)).collect();
    assert!(tiles.iter().sum::<u16>() > 900, "of 1024: {tiles:?}");
    assert!(tiles.iter().all(|tiles| *tiles > 20), "nobody is asleep: {tiles:?}");
    assert!(bumps > 0);
}

#[test]
fn a_bot_beats_someone_who_goes_round_in_circles() {
    let mut world = World::new(2);
    world.enter(0);
    world.enter(1);
    world.begin(Phase::Playing, 1_500);
    let (mut view, mut brain) = (View::default(), Brain::new(3));
    view.apply(&world.full_frame()).expect("a full frame is enough");
    for number in 1..=1_200_u32 {
        world.wish(0, number, brain.think(&view, 0));
        let (x, y) = [(127, 0), (0, 127), (-127, 0), (0, -127)][(number / 20 % 4) as usize];
        world.wish(1, number, Wish::new(x, y, false));
        world.step();
        if let Some(frame) = world.frame(false) {
            view.apply(&frame).expect("nothing is missing");
        }
    }
    assert!(world.tiles_of(0) > 3 * world.tiles_of(1), "{} to {}", world.tiles_of(0), world.tiles_of(1));
}

#[test]
fn who_sees_nothing_wants_nothing() {
    assert_eq!(Brain::new(1).think(&View::default(), 3), Wish::default());
}
