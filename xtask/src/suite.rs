//! `cargo xtask test`: everything that CI checks, part by part. A part that fails fails the run; the others still
//! run.

use crate::build::Mode;
use crate::counted::{Count, counted};
use crate::process::{cargo, command, find_program, say};
use crate::repository::{build_directory, npm_tool, root, target_directory};
use crate::setup::chromium;
use crate::{build, client, codegen, package, setup, tidy};
use anyhow::{Context as _, Result, bail, ensure};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

struct Part {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<Count>,
}

const PARTS: [Part; 8] = [
    Part { name: "tidy", about: "formatting, lints, and the rules of the house", run: || one(tidy::run()) },
    Part {
        name: "codegen",
        about: "the committed TypeScript types and OpenAPI document are those of the crate schemas",
        run: || one(codegen::check()),
    },
    Part { name: "native", about: "scenarios on the cores, the simulation, wire goldens", run: native },
    Part {
        name: "build",
        about: "the release build, and one with faults on command",
        run: || one(build_release()),
    },
    Part { name: "end-to-end", about: "clients, faults and Chromium on a real workerd", run: end_to_end },
    Part { name: "client", about: "the TypeScript client's own tests", run: client_tests },
    Part {
        name: "deploy",
        about: "wrangler accepts the configuration and the bundle",
        run: || one(dry_run()),
    },
    Part {
        name: "pack",
        about: "the npm package works in Node, a bundler and a type check",
        run: || one(package::smoke()),
    },
];

/// Names the parts.
pub fn list() {
    for part in &PARTS {
        println!("{:<12} {}", part.name, part.about);
    }
}

/// Runs the parts named, or all. The closing lines are for people and for CI.
pub fn run(names: &[String]) -> Result<ExitCode> {
    if let Some(unknown) = names.iter().find(|name| PARTS.iter().all(|part| part.name != **name)) {
        bail!("there is no part {unknown:?}: `cargo xtask test --list` names them");
    }
    setup::run_for_tests()?;
    let wanted = PARTS.iter().filter(|part| names.is_empty() || names.iter().any(|name| name == part.name));
    let results: Vec<Done> = wanted.map(run_part).collect();
    summarise(&results)
}

struct Done {
    name: &'static str,
    took: Duration,
    count: Count,
    error: Option<String>,
}

fn run_part(part: &Part) -> Done {
    say(format_args!("=== {}: {}", part.name, part.about));
    let started = Instant::now();
    let result = (part.run)();
    let took = started.elapsed();
    let (count, error) = match result {
        Ok(count) if count.failed > 0 => (count, Some(format!("{} failed", count.failed))),
        // A runner that found nothing to run is a part that vanished.
        Ok(count) if count.passed == 0 => (Count { failed: 1, ..count }, Some("no test ran".to_owned())),
        Ok(count) => (count, None),
        Err(error) => (Count { passed: 0, failed: 1 }, Some(format!("{error:#}"))),
    };
    match &error {
        Some(error) => {
            say(format_args!("=== {} FAILED after {:.0} s: {error}", part.name, took.as_secs_f32()))
        }
        None => say(format_args!("=== {} passed: {:.0} s", part.name, took.as_secs_f32())),
    }
    Done { name: part.name, took, count, error }
}

fn summarise(results: &[Done]) -> Result<ExitCode> {
    println!("\n{:<12} {:>7} {:>7} {:>7}", "part", "passed", "failed", "s");
    for done in results {
        let Count { passed, failed } = done.count;
        println!("{:<12} {passed:>7} {failed:>7} {:>7.0}", done.name, done.took.as_secs_f32());
    }
    for done in results {
        if let Some(error) = &done.error {
            let first = error.lines().next().unwrap_or_default();
            println!("FAILED {}: {first}", done.name);
        }
    }
    let slowest = results.iter().max_by_key(|done| done.took).context("no part ran")?;
    let total: Duration = results.iter().map(|done| done.took).sum();
    println!(
        "slowest: {} ({:.0} s of {:.0} s)",
        slowest.name,
        slowest.took.as_secs_f32(),
        total.as_secs_f32()
    );
    let passed: u64 = results.iter().map(|done| done.count.passed).sum();
    let failed: u64 = results.iter().map(|done| done.count.failed).sum();
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A part that is one check.
fn one(result: Result<()>) -> Result<Count> {
    result.map(|()| Count { passed: 1, failed: 0 })
}

fn has_nextest() -> bool {
    find_program(&["cargo-nextest"]).is_some()
}

/// All but what starts a workerd: the integration tests of the crate `tests`.
fn native() -> Result<Count> {
    let mut cargo = cargo();
    if has_nextest() {
        let filter = "not (package(tests) and kind(test))";
        return counted(cargo.args(["nextest", "run", "--no-tests=fail", "--workspace", "-E", filter]));
    }
    let mut count = counted(cargo.args(["test", "--no-fail-fast", "--workspace", "--exclude", "tests"]))?;
    count += counted(crate::process::cargo().args(["test", "--package", "tests", "--lib"]))?;
    Ok(count)
}

fn build_release() -> Result<()> {
    build::run(Mode::Release)?;
    build::faults()?;
    for made in ["worker/index.js", "worker/index_bg.wasm", "demo/index.html", "demo/main.js"] {
        ensure!(build_directory().join(made).exists(), "build/{made} was not built");
    }
    crate::size::run()
}

fn end_to_end() -> Result<Count> {
    let mut cargo = cargo();
    if has_nextest() {
        cargo.args(["nextest", "run", "--no-tests=fail", "--package", "tests", "-E", "kind(test)"]);
    } else {
        // Two at a time, as nextest's group has it.
        cargo.args(["test", "--no-fail-fast", "--package", "tests", "--test", "*", "--", "--test-threads=2"]);
    }
    cargo.env("ROOMCAST_BUILD", build_directory());
    cargo.env("CHROMIUM", chromium::find().context("there is no Chromium")?);
    counted(&mut cargo)
}

/// The package's own tests, the bound on what an application loads, its benchmark's checks, and the reference.
fn client_tests() -> Result<Count> {
    client::build()?;
    let mut count = counted(command("npm").current_dir(client::package()).args(["test"]))?;
    count += one(crate::size::check_chat())?;
    count += one(crate::bench_client::smoke())?;
    count += one(crate::reference::write())?;
    Ok(count)
}

fn dry_run() -> Result<()> {
    let into = target_directory().join("deploy");
    let mut wrangler = command(npm_tool("wrangler"));
    wrangler.current_dir(root()).args(["deploy", "--dry-run", "--outdir"]).arg(&into);
    crate::process::run(offline(&mut wrangler))?;
    ensure!(into.join("index.js").exists(), "wrangler wrote no index.js to {}", into.display());
    Ok(())
}

/// Wrangler without its reports, its update check and any account.
fn offline(wrangler: &mut Command) -> &mut Command {
    wrangler
        .envs([("WRANGLER_SEND_METRICS", "false"), ("WRANGLER_HIDE_BANNER", "true"), ("CI", "true")])
        .env("WRANGLER_LOG_PATH", target_directory().join("wrangler-logs"))
        .env_remove("CLOUDFLARE_API_TOKEN")
}
