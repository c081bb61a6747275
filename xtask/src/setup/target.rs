//! The standard library for wasm32: the toolchain's own, rustup's download, or Debian's sources compiled here.

use crate::process::{self, command, find_program, run_quiet, say, step};
use crate::setup::debian;
use anyhow::{Context as _, Result, bail};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

pub const TARGET: &str = "wasm32-unknown-unknown";
/// `debian` takes Debian's compiler even where the toolchain in use has the target.
const CHOICE: &str = "ROOMCAST_WASM_TOOLCHAIN";

/// Which compiler makes the modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Toolchain {
    /// The one that compiles everything else.
    InUse,
    Debian,
}

/// Installs what is missing.
pub fn ensure() -> Result<()> {
    match std::env::var(CHOICE).as_deref() {
        Ok("debian") => return debian::ensure(),
        Ok(other) => bail!("{CHOICE} is {other:?}; it can be \"debian\" or unset"),
        Err(_) => {}
    }
    if has_target(None) || has_target(Some(debian::TOOLCHAIN)) {
        return Ok(());
    }
    let Err(refusal) = rustup_add() else { return Ok(()) };
    say(format_args!("rustup cannot install {TARGET}:\n{refusal:#}"));
    say("taking Debian's compiler for it instead");
    debian::ensure()
}

/// A cargo that compiles for wasm32, in a workspace.
pub fn cargo(workspace: &Path) -> Result<Command> {
    if chosen()? == Toolchain::InUse {
        return Ok(process::cargo_in(workspace));
    }
    // Rustup's `cargo` follows the variable; `$CARGO` would be that of the toolchain in use.
    let mut cargo = command("cargo");
    cargo
        .current_dir(workspace)
        .env("RUSTUP_TOOLCHAIN", debian::TOOLCHAIN)
        .env_remove("RUSTC")
        .env_remove("CARGO");
    process::forget_own_package(&mut cargo);
    Ok(cargo)
}

/// The compiler's version: another one makes other modules.
pub fn compiler() -> Result<String> {
    let mut rustc = command("rustc");
    if chosen()? == Toolchain::Debian {
        rustc.env("RUSTUP_TOOLCHAIN", debian::TOOLCHAIN);
    }
    run_quiet(rustc.arg("--version"))
}

fn chosen() -> Result<Toolchain> {
    static CHOSEN: OnceLock<Toolchain> = OnceLock::new();
    if let Some(chosen) = CHOSEN.get() {
        return Ok(*chosen);
    }
    let debian_wanted = std::env::var_os(CHOICE).is_some();
    let chosen = if !debian_wanted && has_target(None) {
        Toolchain::InUse
    } else if has_target(Some(debian::TOOLCHAIN)) {
        Toolchain::Debian
    } else {
        bail!("no toolchain can compile for {TARGET}: run `cargo xtask setup`");
    };
    Ok(*CHOSEN.get_or_init(|| chosen))
}

/// Whether a toolchain has the compiled standard library.
pub(super) fn has_target(toolchain: Option<&str>) -> bool {
    let mut rustc = command("rustc");
    // `cargo run` points RUSTUP_TOOLCHAIN at its own toolchain, which is the one in use.
    if let Some(toolchain) = toolchain {
        rustc.env("RUSTUP_TOOLCHAIN", toolchain);
    }
    let Ok(directory) = run_quiet(rustc.args(["--print", "target-libdir", "--target", TARGET])) else {
        return false;
    };
    let Ok(entries) = std::fs::read_dir(directory.trim()) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

fn rustup_add() -> Result<()> {
    find_program(&["rustup"]).context("there is no rustup")?;
    step(&format!("install {TARGET} with rustup"), || {
        run_quiet(command("rustup").args(["target", "add", TARGET])).map(drop)
    })
}
