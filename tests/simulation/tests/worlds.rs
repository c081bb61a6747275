//! Two thousand worlds, each from its seed, in eight parts: a test runner has one process a test, and so uses every
//! core. `ROOMCAST_SEED=n` runs one world alone, `ROOMCAST_WORLDS=n` so many.

use simulation::{
    Tally,
    expected::{EXPECTED, TIMES, WORLDS},
    run::{STEPS, worlds},
};

const PARTS: u64 = 8;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// Runs the worlds of `seeds`; a failing one is named, and how to run it again.
fn run(seeds: impl Iterator<Item = u64>) -> Tally {
    worlds(seeds, STEPS).unwrap_or_else(|failure| panic!("{failure}, or ROOMCAST_SEED={}", failure.seed))
}

/// Runs one part, and holds its tally against its share of what must happen. Parts share no memory, so each answers for
/// itself; all together then reach the whole.
fn part(number_of_part: u64) {
    if let Some(seed) = number("ROOMCAST_SEED") {
        if number_of_part == 0 {
            println!("{}", run(seed..=seed));
        }
        return;
    }
    let in_part = number("ROOMCAST_WORLDS").unwrap_or(WORLDS) / PARTS;
    let first = 1 + number_of_part * in_part;
    let tally = run(first..first + in_part);
    println!("{tally}");
    let share = (TIMES * in_part).div_ceil(WORLDS);
    let missing = tally.missing(EXPECTED, share);
    assert!(missing.is_empty(), "the worlds are too tame: less than {share} times: {missing:?}\n{tally}");
}

macro_rules! parts {
    ($($name:ident: $number:literal),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                part($number);
            }
        )+
    };
}

// Architecture invariants 1 to 6, in worlds where everything that can go wrong does.
parts! {
    r_life_1_every_world_converges_part_1: 0,
    r_life_1_every_world_converges_part_2: 1,
    r_life_1_every_world_converges_part_3: 2,
    r_life_1_every_world_converges_part_4: 3,
    r_life_1_every_world_converges_part_5: 4,
    r_life_1_every_world_converges_part_6: 5,
    r_life_1_every_world_converges_part_7: 6,
    r_life_1_every_world_converges_part_8: 7,
}
