//! What is told of a world, and what can be made of it.

use crate::support::{Random, stir};
use game_behavior::frame::Frame;
use game_behavior::motion::Wish;
use game_behavior::round::Phase;
use game_behavior::view::{Missing, View};
use game_behavior::world::{Seat, World};

/// All of what a view knows, as a full frame would say it.
fn known(view: &View, like: &Frame) -> Frame {
    Frame {
        is_full: true,
        tick: view.tick,
        since: 0,
        phase: view.phase,
        left: view.left,
        standings: view.standings().copied().collect(),
        gone: Vec::new(),
        buckets: view.buckets.clone(),
        tiles: view.floor.painted(),
        bumps: like.bumps.clone(),
    }
}

#[test]
fn the_whole_and_the_changes_after_it_are_the_world_at_every_tick() {
    for seed in 0..6 {
        let (mut world, mut random, mut view) = (World::new(seed), Random(seed), View::default());
        let mut seats: Vec<Seat> = Vec::new();
        view.apply(&world.full_frame()).expect("a full frame is enough");
        for number in 1..1_200_u32 {
            match random.below(60) {
                0 => {
                    let seat = random.below(24) as Seat;
                    world.enter(seat);
                    seats.push(seat);
                }
                1 => seats.drain(..).take(1).for_each(|seat| world.exit(seat)),
                2 if number % 7 == 0 => world.begin(Phase::Countdown, 40),
                3 => world.begin(Phase::Playing, 100),
                _ => {}
            }
            stir(&mut world, &seats, number, &mut random);
            let Some(frame) = world.frame(false) else { continue };
            let read = Frame::decode(&frame.encode()).expect("what was written is read");
            assert_eq!(read, frame);
            assert_eq!(view.apply(&read), Ok(()), "nothing is missing");
            assert_eq!(known(&view, &world.full_frame()), world.full_frame(), "seed {seed}, tick {number}");
        }
    }
}

#[test]
fn r_game_4_whoever_misses_a_frame_knows_and_a_full_one_helps() {
    let mut world = World::new(3);
    world.enter(2);
    world.begin(Phase::Playing, 500);
    let mut view = View::default();
    let mut frames = (1..6).map(|number| {
        world.wish(2, number, Wish::new(127, 0, false));
        world.step();
        (world.frame(false).expect("they move"), world.full_frame())
    });
    let mut next = || frames.next().expect("there are five");
    assert_eq!(view.apply(&next().0), Err(Missing), "there was no full one yet");
    let (frame, full) = next();
    assert_eq!((view.apply(&full), view.is_whole()), (Ok(()), true));
    assert_eq!(view.apply(&frame), Ok(()), "known already");
    drop(next());
    assert_eq!((view.apply(&next().0), view.is_whole()), (Err(Missing), false));
    assert_eq!((view.apply(&next().1), view.is_whole()), (Ok(()), true));
}

#[test]
fn r_game_4_where_nothing_happens_little_is_said() {
    let mut world = World::new(3);
    world.step();
    assert!(world.frame(false).is_some_and(|frame| frame.since == 1) || world.tick_number() == 1);
    let said = (0..200).filter(|_| {
        world.step();
        world.frame(false).is_some()
    });
    assert_eq!(said.count(), 10, "once a second");
}

#[test]
fn a_world_goes_on_from_a_full_frame() {
    let (mut world, mut random) = (World::new(3), Random(1));
    (0..8).for_each(|seat| world.enter(seat));
    world.begin(Phase::Playing, 700);
    (1..300).for_each(|number| stir(&mut world, &[0, 1, 2, 3, 4, 5, 6, 7], number, &mut random));
    let saved = world.full_frame();
    let resumed = World::resume(&Frame::decode(&saved.encode()).expect("it is one"), 9).full_frame();
    let without_acks = |frame: Frame| Frame {
        standings: frame
            .standings
            .iter()
            .map(|standing| game_behavior::frame::Standing { ack: 0, ..*standing })
            .collect(),
        ..frame
    };
    assert_eq!(without_acks(resumed), without_acks(saved));
}

#[test]
fn bytes_that_are_no_frame_are_refused() {
    let (mut world, mut random) = (World::new(3), Random(1));
    (0..4).for_each(|seat| world.enter(seat));
    world.begin(Phase::Playing, 700);
    (1..90).for_each(|number| stir(&mut world, &[0, 1, 2, 3], number, &mut random));
    let bytes = world.full_frame().encode();
    for end in 0..bytes.len() {
        assert!(Frame::decode(&bytes[..end]).is_err(), "{end} of {}", bytes.len());
    }
    assert!(Frame::decode(&[&bytes[..], &[0]].concat()).is_err());
    for _ in 0..20_000 {
        let mut broken = bytes.clone();
        for _ in 0..1 + random.below(4) {
            let at = random.below(broken.len() as i32) as usize;
            broken[at] = random.draw() as u8;
        }
        // Either is fine; what is read can be played on with.
        if let Ok(frame) = Frame::decode(&broken) {
            World::resume(&frame, 1).step();
            drop(View::default().apply(&frame));
        }
    }
}
