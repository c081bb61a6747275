//! Worlds whose room has a behavior: all that is judged elsewhere is judged here too, and each commit besides.

use simulation::run::{STEPS, witnessed};

/// Other worlds than those of `worlds.rs`.
const FIRST: u64 = 100_000;
const WORLDS: u64 = 100;

fn run(part: u64) {
    for seed in FIRST + part * WORLDS..FIRST + (part + 1) * WORLDS {
        witnessed(seed, STEPS).unwrap_or_else(|failure| panic!("{failure}, with a behavior"));
    }
}

#[test]
fn r_beh_2_a_hook_and_what_it_saw_are_committed_together_part_1() {
    run(0);
}

#[test]
fn r_beh_2_a_hook_and_what_it_saw_are_committed_together_part_2() {
    run(1);
}
