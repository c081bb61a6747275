//! The npm packages that a `package-lock.json` pins.

use crate::process::{command, run_quiet, step};
use anyhow::{Context as _, Result, bail, ensure};
use std::path::Path;

/// The oldest Node that every pinned package runs on.
const NODE_MAJOR_MIN: u32 = 20;

/// Installs what the lock pins, unless what is installed came from the same lock.
pub(super) fn ensure(directory: &Path) -> Result<()> {
    let lock = directory.join("package-lock.json");
    let wanted = std::fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let stamp = directory.join("node_modules/.roomcast-lock");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    check_node()?;
    step(&format!("install npm packages in {}", directory.display()), || {
        // No package here needs its install script, and some would download.
        run_quiet(command("npm").current_dir(directory).args(["ci", "--ignore-scripts"])).map(drop)
    })?;
    std::fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

fn check_node() -> Result<()> {
    let Ok(version) = run_quiet(command("node").arg("--version")) else {
        bail!("Node is missing: install Node {NODE_MAJOR_MIN} or newer with npm");
    };
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    let major: u32 = major.with_context(|| format!("node --version says {version:?}"))?;
    ensure!(major >= NODE_MAJOR_MIN, "Node {} is too old: {NODE_MAJOR_MIN} is the least", version.trim());
    run_quiet(command("npm").arg("--version")).context("npm is missing: install it beside Node")?;
    Ok(())
}
