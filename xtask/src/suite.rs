//! `cargo xtask test`: everything that is checked, part by part. A part that fails fails the run; the others still
//! run.

use crate::build::Mode;
use crate::counted::{Count, counted};
use crate::process::{command, find_program, say};
use crate::project::Project;
use crate::repository::{build_directory, npm_tool, target_directory};
use crate::setup::chromium;
use crate::{build, client, codegen, package, page, scaffold, tidy};
use anyhow::{Context as _, Result, bail, ensure};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// A part of what is checked: its name, what it is about, and how it is run.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    name: &'static str,
    about: &'static str,
    run: fn(&Project) -> Result<Count>,
}

/// What is checked of this repository.
pub const ROOMCAST: [Part; 9] = [
    Part { name: "tidy", about: "formatting, lints, and the rules of the house", run: |_| one(tidy::run()) },
    Part {
        name: "codegen",
        about: "the committed TypeScript types and OpenAPI document are those of the crates",
        run: |project| one(codegen::check(project)),
    },
    Part { name: "native", about: "scenarios on the cores, the simulation, wire goldens", run: native },
    Part {
        name: "build",
        about: "the release build, and one with faults on command",
        run: |project| one(build_release(project)),
    },
    Part { name: "end-to-end", about: "clients, faults and Chromium on a real workerd", run: end_to_end },
    Part { name: "client", about: "the TypeScript client's own tests", run: |_| client_tests() },
    Part {
        name: "deploy",
        about: "wrangler accepts the configuration and the bundle",
        run: |project| one(dry_run(project)),
    },
    Part {
        name: "pack",
        about: "the npm package works in Node, a bundler and a type check",
        run: |_| one(package::smoke()),
    },
    Part {
        name: "scaffold",
        about: "a project that `roomcast new` begins builds and passes its own tests",
        run: |_| scaffold::check(),
    },
];

/// What is checked of a project of a team's own.
pub const PROJECT: [Part; 5] = [
    Part {
        name: "codegen",
        about: "the TypeScript types that are there are those of the behaviors",
        run: |project| one(codegen::check(project)),
    },
    Part { name: "native", about: "the rooms, without a server", run: native },
    Part {
        name: "build",
        about: "the Worker and the pages, quickly, against wrangler.toml",
        run: |project| one(build::run(project, Mode::Dev)),
    },
    Part { name: "page", about: "the types of the pages", run: |project| one(check_pages(project)) },
    Part { name: "end-to-end", about: "clients on a real workerd", run: end_to_end },
];

/// Names the parts.
pub fn list(parts: &[Part]) {
    for part in parts {
        println!("{:<12} {}", part.name, part.about);
    }
}

/// # Errors
/// Where one of `names` is that of no part.
pub fn check_names(parts: &[Part], names: &[String]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| parts.iter().all(|part| part.name != **name)) {
        bail!("there is no part {unknown:?}: `cargo xtask test --list` names them");
    }
    Ok(())
}

/// Runs the parts named, or all. The closing lines are for people and for CI.
pub fn run(project: &Project, parts: &[Part], names: &[String]) -> Result<ExitCode> {
    let wanted = parts.iter().filter(|part| names.is_empty() || names.iter().any(|name| name == part.name));
    let results: Vec<Done> = wanted.map(|part| run_part(project, part)).collect();
    summarise(&results)
}

struct Done {
    name: &'static str,
    took: Duration,
    count: Count,
    error: Option<String>,
}

fn run_part(project: &Project, part: &Part) -> Done {
    say(format_args!("=== {}: {}", part.name, part.about));
    let started = Instant::now();
    let result = (part.run)(project);
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

/// All but what starts a workerd: the integration tests of that package. The module itself is compiled for Wasm alone.
fn native(project: &Project) -> Result<Count> {
    let (package, worker) = (project.end_to_end(), project.worker());
    let mut cargo = project.cargo();
    if has_nextest() {
        let filter = format!("not (package({package}) and kind(test))");
        cargo.args(["nextest", "run", "--no-tests=fail", "--workspace", "--exclude", worker, "-E", &filter]);
        return counted(&mut cargo);
    }
    cargo.args(["test", "--no-fail-fast", "--workspace", "--exclude", worker, "--exclude", package]);
    let mut count = counted(&mut cargo)?;
    count += counted(project.cargo().args(["test", "--package", package, "--lib"]))?;
    Ok(count)
}

fn build_release(project: &Project) -> Result<()> {
    build::run(project, Mode::Release)?;
    build::faults(project)?;
    for made in ["worker/index.js", "worker/index_bg.wasm", "demo/index.html", "demo/main.js"] {
        ensure!(build_directory().join(made).exists(), "build/{made} was not built");
    }
    crate::size::run()
}

fn check_pages(project: &Project) -> Result<()> {
    project.pages().iter().try_for_each(|page| page::check(project, page))
}

fn end_to_end(project: &Project) -> Result<Count> {
    let package = project.end_to_end();
    let mut cargo = project.cargo();
    if has_nextest() {
        cargo.args(["nextest", "run", "--no-tests=fail", "--package", package, "-E", "kind(test)"]);
    } else {
        // Two at a time, as nextest's group has it.
        cargo.args(["test", "--no-fail-fast", "--package", package, "--test", "*", "--", "--test-threads=2"]);
    }
    cargo.env("ROOMCAST_BUILD", project.build_directory());
    if let Some(chromium) = chromium::find() {
        cargo.env("CHROMIUM", chromium);
    }
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

fn dry_run(project: &Project) -> Result<()> {
    let into = target_directory().join("deploy");
    let mut wrangler = command(npm_tool("wrangler"));
    wrangler.current_dir(project.root()).args(["deploy", "--dry-run", "--outdir"]).arg(&into);
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
