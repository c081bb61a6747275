//! `cargo xtask bench game`: an arena of bots and two people in Chromium, and how each one's frames came.

use crate::build::{self, Mode};
use crate::process::{cargo, command, run, say, step};
use crate::project::Project;
use crate::repository::root;
use crate::setup::{self, chromium};
use crate::workerd::{Options, Workerd};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// Bots that play, beside the two.
const BOTS: &str = "20";
const ROOM: &str = "bench";
/// The two come in and warm up while the bots play already; nobody counts that.
const WARM_UP_SECONDS: u64 = 25;

/// `arguments`: `--seconds <count>`, 120 where it is not given.
pub fn run_game(project: &Project, arguments: &[String]) -> Result<()> {
    let seconds = match arguments {
        [] => 120,
        [name, count] if name == "--seconds" => count.parse().context("--seconds takes a number")?,
        _ => anyhow::bail!("the game takes --seconds <count>"),
    };
    setup::run_for_tests(project)?;
    build::run(project, Mode::Release)?;
    step("compile the bots", || {
        run(cargo().args(["build", "--quiet", "--release", "--package", "game-bots"]))
    })?;
    let data = project.build_directory().join("bench-game");
    if data.exists() {
        std::fs::remove_dir_all(&data).context("cannot remove the rooms of the bench before")?;
    }
    let gateway = Workerd::start(&Options { data, ..Options::default() })?;
    let url = format!("http://127.0.0.1:{}", gateway.port());
    say(format_args!("{BOTS} bots and two people play for {seconds} s"));
    let mut bots = cargo();
    bots.args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "game-bots",
        "--",
        "--url",
        &url,
        "--count",
        BOTS,
    ]);
    bots.args(["--room", &format!("arena:{ROOM}")]);
    bots.args(["--warm-up", &WARM_UP_SECONDS.to_string()]);
    bots.args(["--seconds", &(seconds + WARM_UP_SECONDS).to_string()]);
    let mut people = command("node");
    if let Some(chromium) = chromium::find() {
        people.env("ROOMCAST_CHROMIUM", chromium);
    }
    people.arg(root().join("tests/browser/game_bench.mjs")).args([&url, ROOM, &seconds.to_string()]);
    let bots = Playing::start(bots)?;
    let people = Playing::start(people)?.told(Some('@'))?;
    let bots = bots.told(None)?;
    print(&people, &bots)
}

/// Ended when dropped.
struct Playing(Child);

impl Playing {
    fn start(mut command: Command) -> Result<Playing> {
        Ok(Playing(command.stdout(Stdio::piped()).spawn().context("cannot start the players")?))
    }

    /// The lines of JSON that it prints until it ends, behind `mark`.
    fn told(mut self, mark: Option<char>) -> Result<Vec<Value>> {
        let output = self.0.stdout.take().context("its output is piped")?;
        let mut told = Vec::new();
        for line in BufReader::new(output).lines() {
            let line = line?;
            let wanted = mark.map_or(Some(line.as_str()), |mark| line.strip_prefix(mark));
            told.extend(wanted.map(serde_json::from_str::<Value>).transpose()?);
        }
        ensure!(self.0.wait()?.success(), "the players ended badly");
        Ok(told)
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn print(people: &[Value], bots: &[Value]) -> Result<()> {
    ensure!(people.len() == 2 && !bots.is_empty(), "not everyone told how it went");
    println!(
        "{:<10} {:>9} {:>7} {:>5} {:>5} {:>8} {:>10} {:>10} {:>10}",
        "", "frames/s", "changed", "least", "most", "missing", "worst gap", "frame B/s", "socket B/s"
    );
    for person in people {
        row(person["name"].as_str().unwrap_or_default(), std::slice::from_ref(person), ("span", "worstGap"));
    }
    row("20 bots", bots, ("span_ms", "worst_gap_ms"));
    Ok(())
}

/// The mean of rates, and the worst of what has one.
fn row(name: &str, of: &[Value], (span, gap): (&str, &str)) {
    let number = |value: &Value, field: &str| value[field].as_f64().unwrap_or(f64::NAN);
    let mean = |field: &str| {
        let rates = of.iter().map(|one| number(one, field) / (number(one, span) / 1e3));
        rates.sum::<f64>() / of.len() as f64
    };
    let worst = |field: &str| of.iter().map(|one| number(one, field)).fold(f64::NAN, f64::max);
    let least = of.iter().map(|one| number(one, "fewest")).fold(f64::NAN, f64::min);
    // Bots see frames, and nothing of their sockets.
    let received = Some(mean("received")).filter(|rate| rate.is_finite());
    println!(
        "{name:<10} {:>9.2} {:>7.2} {least:>5} {:>5} {:>8} {:>7.0} ms {:>10.0} {:>10}",
        mean("frames"),
        mean("changed"),
        worst("most"),
        worst("missing"),
        worst(gap),
        mean("bytes"),
        received.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}")),
    );
}
