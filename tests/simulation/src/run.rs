//! One world after another, and what is said of one that fails.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Tally, World};

/// Steps of a world.
pub const STEPS: u32 = 1_000;

/// A broken promise.
#[derive(Debug, Clone)]
pub struct Failure {
    pub seed: u64,
    pub steps: u32,
    pub message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Failure { seed, steps, message } = self;
        writeln!(f, "world {seed} failed: {message}")?;
        write!(f, "run it alone: cargo xtask sim --seed {seed} --worlds 1 --steps {steps}")
    }
}

/// Runs the world of one seed to its end.
///
/// # Errors
/// When a promise was broken: which, and where.
pub fn world(seed: u64, steps: u32) -> Result<Tally, Failure> {
    run(World::new, seed, steps)
}

/// As [`world`], with a behavior that writes down what it sees.
///
/// # Errors
/// As [`world`].
pub fn witnessed(seed: u64, steps: u32) -> Result<Tally, Failure> {
    run(World::witnessed, seed, steps)
}

fn run(make: fn(u64) -> World, seed: u64, steps: u32) -> Result<Tally, Failure> {
    catch_unwind(AssertUnwindSafe(|| make(seed).run(steps))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Failure { seed, steps, message: text.unwrap_or("a panic without words").to_owned() }
    })
}

/// Runs the worlds of `seeds` in turn, up to the first that fails.
///
/// # Errors
/// The failure.
pub fn worlds(seeds: impl Iterator<Item = u64>, steps: u32) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    for seed in seeds {
        tally.add(&world(seed, steps)?);
    }
    Ok(tally)
}
