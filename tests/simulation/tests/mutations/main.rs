//! What the simulation is worth: known bugs are put into a copy of the room, and each must be found.
//!
//! `ROOMCAST_MUTATION=n` tries one of them alone.

mod copy;
mod list;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use list::MUTATIONS;

/// A bug that so many worlds do not find has survived.
const WORLDS_MAX: u64 = 1_600;
/// And so many worlds must find nothing where there is no bug.
const WORLDS_WITHOUT: u64 = 100;
const THREADS: usize = 2;

/// What running with one bug came to.
struct Found {
    /// `None`: nothing was found.
    by: Option<String>,
    worlds: u64,
    seconds: f64,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Builds the copy, and returns the simulation's program.
fn build() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../mutations");
    let (workspace, target) = (folder.join("workspace"), folder.join("target"));
    copy::write(&root(), &workspace);
    let output = Command::new(env!("CARGO"))
        .current_dir(&workspace)
        .args(["build", "--quiet", "--offline", "--package", "simulation", "--bin", "sim", "--target-dir"])
        .arg(&target)
        .env("RUSTFLAGS", "--cap-lints=allow")
        .stdin(Stdio::null())
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the mutated copy does not build:\n{said}");
    target.join("debug/sim")
}

fn run(program: &Path, mutation: usize, worlds: u64) -> Found {
    let began = Instant::now();
    let output = Command::new(program)
        .args(["--json", "--seed", "1", "--worlds", &worlds.to_string()])
        .env("ROOMCAST_MUTATION", mutation.to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .expect("the simulation runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let after = |key: &str| said.split_once(key).map(|(_, rest)| rest);
    let worlds = after("\"worlds\":").and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or(0);
    let by = after("\"message\":\"").map(|rest| first_line(rest).to_owned());
    let by = if output.status.success() { None } else { by.or_else(|| Some(output.status.to_string())) };
    Found { by, worlds, seconds: began.elapsed().as_secs_f64() }
}

/// Of a message in JSON, what tells most in little room.
fn first_line(message: &str) -> &str {
    let end = message.find("\\n").or_else(|| message.find("\",\"place\"")).unwrap_or(message.len());
    let line = &message[..end];
    let line = line.strip_prefix("assertion `left == right` failed: ").unwrap_or(line);
    let cut = line.char_indices().nth(80).map_or(line.len(), |(index, _)| index);
    &line[..cut]
}

#[test]
fn the_simulation_finds_every_known_bug() {
    let program = build();
    let alone: Option<usize> = std::env::var("ROOMCAST_MUTATION").ok().and_then(|text| text.parse().ok());
    let numbers: Vec<usize> = match alone {
        Some(number) => vec![number],
        None => (0..=MUTATIONS.len()).collect(),
    };
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(number) = numbers.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let worlds = if *number == 0 { WORLDS_WITHOUT } else { WORLDS_MAX };
                    let result = run(&program, *number, worlds);
                    found.lock().expect("no thread panics with it").push((*number, result));
                }
            });
        }
    });
    let mut found = found.into_inner().expect("no thread panics with it");
    found.sort_by_key(|(number, _)| *number);
    judge(&found);
}

fn judge(found: &[(usize, Found)]) {
    let (mut table, mut survivors) = (String::new(), Vec::new());
    for (number, Found { by, worlds, seconds }) in found {
        let name = number.checked_sub(1).map_or("no bug", |index| MUTATIONS[index].name);
        let result = by.as_deref().unwrap_or("nothing found");
        writeln!(table, "{number:>3}  {name:<58} {:>4} {seconds:>5.1} s  {result}", worlds + 1)
            .expect("a string can be written");
        if *number > 0 && by.is_none() {
            survivors.push(name);
        }
    }
    let bugs = found.iter().filter(|(number, _)| *number > 0).count();
    println!("  #  bug, worlds until it was found, and by what\n{table}");
    println!("mutation score: {} of {bugs}", bugs - survivors.len());
    let without = found.iter().find(|(number, _)| *number == 0);
    assert!(without.is_none_or(|(_, found)| found.by.is_none()), "without a bug, one is found\n{table}");
    assert!(survivors.is_empty(), "not found within {WORLDS_MAX} worlds: {survivors:?}\n{table}");
}
