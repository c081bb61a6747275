//! The rules of the house, as a test.

mod dependencies;
mod documents;
mod mask;
mod rules;
mod shape;
mod text;

use crate::process::{cargo, command, find_program, run as run_shown, run_quiet, say, step};
use crate::repository::root;
use crate::setup::target::{self, TARGET};
use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;

/// The crates without IO.
const CORES: [(&str, &str); 6] = [
    ("schemas", "schemas"),
    ("room-core", "room-do/core"),
    ("directory-core", "directory/core"),
    ("limiter-core", "limiter/core"),
    ("auth", "gateway/auth"),
    ("client-core", "client-sdk/core"),
];

/// One mistake, with where it is.
type Findings = Vec<String>;

/// A file that is committed, or would be.
#[derive(Debug)]
struct File {
    /// From the root, with slashes.
    path: String,
    text: String,
}

impl File {
    fn is(&self, extension: &str) -> bool {
        self.path.ends_with(extension)
    }
}

type Tool = fn() -> Result<()>;
type Check = fn(&[File]) -> Result<Findings>;

const CHECKS: [(&str, Check); 5] = [
    ("lengths of files and functions", shape::check),
    ("words that must not occur", text::check),
    ("dependencies of the cores", dependencies::check),
    ("rules and the tests that cite them", rules::check),
    ("documents and their links", documents::check),
];

/// All findings at once, then formatting, lints and licences.
pub fn run() -> Result<()> {
    let files = committed_files()?;
    let mut findings = Findings::new();
    for (name, check) in CHECKS {
        let found = check(&files).with_context(|| format!("cannot check {name}"))?;
        say(format_args!(
            "tidy: {name}: {}",
            if found.is_empty() { "right".into() } else { found.len().to_string() }
        ));
        findings.extend(found);
    }
    let tools: [(&str, Tool); 4] = [
        ("check the format", || run_quiet(cargo().args(["fmt", "--all", "--check"])).map(drop)),
        ("lint", lint),
        ("compile the cores for wasm32", cores_for_wasm),
        ("check licences and sources", licences),
    ];
    for (name, tool) in tools {
        if let Err(error) = step(name, tool) {
            findings.push(format!("{error:#}"));
        }
    }
    if findings.is_empty() {
        return Ok(());
    }
    bail!("{} findings\n{}", findings.len(), findings.join("\n"))
}

fn lint() -> Result<()> {
    let mut cargo = cargo();
    run_shown(cargo.args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
}

fn cores_for_wasm() -> Result<()> {
    let packages = CORES.iter().flat_map(|(package, _)| ["--package", package]);
    let mut cargo = target::cargo(&root())?;
    cargo.args(["check", "--quiet", "--target", TARGET, "--profile", "release"]).args(packages);
    run_shown(&mut cargo)
}

fn licences() -> Result<()> {
    if find_program(&["cargo-deny"]).is_none() {
        say("cargo-deny is not installed: licences, bans and sources were not checked");
        return Ok(());
    }
    run_shown(cargo().args(["deny", "--log-level", "error", "check", "licenses", "bans", "sources"]))
}

/// Text files that git knows or would add.
fn committed_files() -> Result<Vec<File>> {
    let mut git = command("git");
    git.current_dir(root()).args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
    let listed = run_quiet(&mut git).context("cannot list the committed files")?;
    let mut paths: Vec<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut files = Vec::new();
    for path in paths {
        let absolute: PathBuf = root().join(path);
        // One that is deleted and not yet committed so is listed; one that is not text has no rules.
        let Ok(bytes) = std::fs::read(&absolute) else { continue };
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(File { path: path.to_owned(), text });
        }
    }
    Ok(files)
}
