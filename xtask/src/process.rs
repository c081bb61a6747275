//! Running other programs, saying what runs, and saying why it failed.

use anyhow::{Context as _, Result, bail};
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Lines of a failed program's output that are worth showing.
const TAIL_LINES: usize = 60;

/// Says what begins, on stderr.
pub fn say(text: impl std::fmt::Display) {
    eprintln!("xtask: {text}");
}

/// Runs `work`, saying what it is before and how long it took after.
pub fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    say(format_args!("{what} …"));
    let started = Instant::now();
    let value = work().with_context(|| format!("failed to {what}"))?;
    say(format_args!("{what}: {:.1} s", started.elapsed().as_secs_f32()));
    Ok(value)
}

/// A command with standard input closed.
#[must_use]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

/// `cargo`, the one that runs us, in this repository.
#[must_use]
pub fn cargo() -> Command {
    cargo_in(&crate::repository::root())
}

/// The same in another workspace.
#[must_use]
pub fn cargo_in(workspace: &Path) -> Command {
    let mut command = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace);
    forget_own_package(&mut command);
    command
}

/// `cargo run` tells us about our own package; left in place it would reach build scripts and rerun them.
pub fn forget_own_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
}

/// Runs to the end with the output shown as it comes.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", name(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", line(command));
    }
    Ok(())
}

/// Runs to the end quietly; the output's end is part of the error. The standard output is returned.
pub fn run_quiet(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {}", name(command)))?;
    if !output.status.success() {
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        bail!("{} ended with {}:\n{}", line(command), output.status, tail(&text));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program can be started and ends well.
#[must_use]
pub fn works(program: &str, arguments: &[&str]) -> bool {
    command(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The first of `names` on the search path.
#[must_use]
pub fn find_program(names: &[&str]) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    names.iter().find_map(|name| {
        std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
    })
}

/// The last lines of a long output.
#[must_use]
pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program()).to_string_lossy();
    command.get_args().fold(program.into_owned(), |line, argument| line + " " + &argument.to_string_lossy())
}
