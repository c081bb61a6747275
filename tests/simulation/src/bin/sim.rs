//! Runs fresh worlds until the time is over or one fails: `cargo xtask sim --help` tells how.

use std::{
    panic::PanicHookInfo,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use simulation::{Tally, World, run};

const HELP: &str = "\
Runs simulated worlds, each from its seed, until one breaks a promise or the time is over.

  --hours H    how long, as a decimal number; without it and --worlds: one minute
  --worlds N   how many at most
  --seed S     the first seed; the next ones follow it. Without: from the clock
  --steps K    steps a world (1000)
  --json       the result as one line of JSON, and no progress";

/// A line of progress at most so often.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// What a panic hook can know: release builds end at a panic, so there it is the last to speak.
static SEED: AtomicU64 = AtomicU64::new(0);
static STEPS: AtomicU64 = AtomicU64::new(0);
static DONE: AtomicU64 = AtomicU64::new(0);

struct Wanted {
    time: Option<Duration>,
    worlds: Option<u64>,
    seed: u64,
    steps: u32,
    json: bool,
}

fn wanted() -> Result<Wanted, String> {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs() * 1_000_000);
    let mut wanted = Wanted { time: None, worlds: None, seed, steps: run::STEPS, json: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let text = arguments.next().ok_or_else(|| format!("{argument} wants a number"))?;
            text.parse::<f64>().map_err(|_| format!("{argument} wants a number, and {text:?} is none"))
        };
        match argument.as_str() {
            "--hours" => wanted.time = Some(Duration::from_secs_f64(number()?.max(0.0) * 3_600.0)),
            "--worlds" => wanted.worlds = Some(number()? as u64),
            "--seed" => wanted.seed = number()? as u64,
            "--steps" => wanted.steps = number()? as u32,
            "--json" => wanted.json = true,
            _ => return Err(HELP.to_owned()),
        }
    }
    if wanted.time.is_none() && wanted.worlds.is_none() {
        wanted.time = Some(Duration::from_secs(60));
    }
    Ok(wanted)
}

fn main() -> ExitCode {
    let wanted = match wanted() {
        Ok(wanted) => wanted,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    STEPS.store(wanted.steps.into(), Ordering::Relaxed);
    let json = wanted.json;
    std::panic::set_hook(Box::new(move |panic| failed(panic, json)));
    let (began, mut told_at) = (Instant::now(), Instant::now());
    let (mut tally, mut worlds) = (Tally::default(), 0);
    let is_over = |worlds: u64| {
        wanted.time.is_some_and(|time| began.elapsed() >= time)
            || wanted.worlds.is_some_and(|most| worlds >= most)
    };
    while !is_over(worlds) {
        let seed = wanted.seed + worlds;
        SEED.store(seed, Ordering::Relaxed);
        tally.add(&World::new(seed).run(wanted.steps));
        worlds += 1;
        DONE.store(worlds, Ordering::Relaxed);
        if !json && told_at.elapsed() >= PROGRESS_EVERY {
            told_at = Instant::now();
            println!("{}", progress(worlds, &tally, began.elapsed()));
        }
    }
    let took = began.elapsed();
    if json {
        let facts: Vec<String> = tally.facts().map(|(what, count)| format!("{what:?}:{count}")).collect();
        let (seconds, facts) = (took.as_secs_f64(), facts.join(","));
        println!(
            "{{\"ok\":true,\"worlds\":{worlds},\"seed\":{},\"seconds\":{seconds:.1},\"tally\":{{{facts}}}}}",
            wanted.seed
        );
    } else {
        println!("{tally}");
        println!("{}: no promise was broken", progress(worlds, &tally, took));
    }
    ExitCode::SUCCESS
}

fn progress(worlds: u64, tally: &Tally, took: Duration) -> String {
    let (steps, faults) = (tally.of("steps"), tally.of("faults"));
    let rate = steps as f64 / took.as_secs_f64().max(0.001);
    let seconds = took.as_secs();
    format!("{seconds:>6} s  {worlds:>7} worlds  {steps:>10} steps  {rate:>8.0} steps/s  {faults:>9} faults")
}

/// Names the world, and ends the process.
fn failed(panic: &PanicHookInfo<'_>, json: bool) {
    let message = panic.payload_as_str().unwrap_or("a panic without words").to_owned();
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let (seed, steps) = (SEED.load(Ordering::Relaxed), STEPS.load(Ordering::Relaxed));
    let worlds = DONE.load(Ordering::Relaxed);
    if json {
        println!(
            "{{\"ok\":false,\"worlds\":{worlds},\"seed\":{seed},\"message\":{message:?},\"place\":{place:?}}}"
        );
    } else {
        let failure = run::Failure { seed, steps: steps as u32, message: format!("{message} ({place})") };
        println!("{failure}");
    }
    std::process::exit(1);
}
