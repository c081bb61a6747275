//! Whether what `roomcast new` begins builds, and passes its own tests.

use crate::counted::{Count, counted};
use crate::process::{cargo, cargo_in, command, run_quiet, step};
use crate::repository::{root, target_directory};
use anyhow::{Context as _, Result};
use std::path::Path;

const NAME: &str = "tea-room";

/// Begins a project on this checkout, anew each time, and runs its `cargo xtask test`. What it compiles is kept.
pub fn check() -> Result<Count> {
    let folder = target_directory().join("scaffold");
    let project = folder.join(NAME);
    if project.exists() {
        std::fs::remove_dir_all(&project).with_context(|| format!("cannot remove {}", project.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    step("begin a project", || begin(&folder))?;
    let mut tests = cargo_in(&project);
    counted(tests.args(["xtask", "test"]).env("CARGO_TARGET_DIR", folder.join("target")))
}

fn begin(folder: &Path) -> Result<()> {
    run_quiet(cargo().args(["build", "--quiet", "--package", "roomcast"]))?;
    let mut roomcast = command(target_directory().join("debug/roomcast"));
    roomcast.current_dir(folder).args(["new", NAME, "--json", "--path"]).arg(root());
    run_quiet(&mut roomcast).map(drop)
}
