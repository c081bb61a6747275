//! The HTTP fuzzer that tests drive: a Python package, in an environment of its own below the target directory.

use crate::process::{command, find_program, run_quiet, step};
use crate::repository::{root, target_directory};
use crate::setup::debian::apt_install;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

/// What is installed, and the stamp that it was.
const REQUIREMENTS: &str = "tests/schemathesis/requirements.txt";
const STAMP: &str = "roomcast-requirements";

/// The program, installed where it is missing or another version is pinned.
pub fn ensure() -> Result<PathBuf> {
    let environment = target_directory().join("schemathesis");
    let program = environment.join("bin/schemathesis");
    let requirements = root().join(REQUIREMENTS);
    let wanted = std::fs::read_to_string(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let stamp = environment.join(STAMP);
    if program.exists() && std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(program);
    }
    step("install schemathesis", || install(&environment, &requirements))?;
    std::fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(program)
}

fn install(environment: &Path, requirements: &Path) -> Result<()> {
    let make = || run_quiet(command("python3").args(["-m", "venv", "--clear"]).arg(environment));
    if find_program(&["python3"]).is_none() || make().is_err() {
        let hint = "install Python 3.10 or newer with venv";
        apt_install(&["python3", "python3-venv"]).context(hint)?;
        make().context(hint)?;
    }
    let mut pip = command(environment.join("bin/python"));
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--requirement"]).arg(requirements);
    run_quiet(&mut pip).map(drop)
}
