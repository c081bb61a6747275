//! Hundreds of worlds, each from its seed. `ROOMCAST_SEED=n` runs one alone, `ROOMCAST_WORLDS=n` more.

use std::panic::{AssertUnwindSafe, catch_unwind};

use simulation::{Tally, World};

const STEPS: u32 = 400;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// Runs the worlds of `seeds` in turn; a failing one is named.
fn run(seeds: impl Iterator<Item = u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let world = catch_unwind(AssertUnwindSafe(|| World::new(seed).run(STEPS)));
        match world {
            Ok(one) => tally.add(&one),
            Err(_) => panic!("world {seed} failed; run it alone with ROOMCAST_SEED={seed}"),
        }
    }
    tally
}

/// Architecture invariants 1 to 6, in worlds where everything that can go wrong does.
#[test]
fn r_life_1_every_world_converges_and_no_promise_is_broken_on_the_way() {
    if let Some(seed) = number("ROOMCAST_SEED") {
        println!("{}", run(seed..=seed));
        return;
    }
    let worlds = number("ROOMCAST_WORLDS").unwrap_or(400);
    let tally = run(1..=worlds);
    println!("{tally}");
    for what in [
        "requests acknowledged",
        "requests rejected",
        "requests with unknown outcome",
        "HTTP publishes answered",
        "HTTP publishes refused",
        "publications delivered",
        "cuts",
        "half-open connections",
        "connections refused",
        "evictions",
        "kills",
        "kills behind a commit",
        "commits made to fail",
        "alarms",
        "pings",
        "leaves",
        "restores",
        "closes: heartbeat_timeout",
        "closes: session_replaced",
        "gaps: Trimmed",
        "gaps: Forbidden",
    ] {
        assert!(
            tally.of(what) >= 20,
            "{what} happened {} times: the worlds are too tame\n{tally}",
            tally.of(what)
        );
    }
}
