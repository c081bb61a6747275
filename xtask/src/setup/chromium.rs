//! The browser that tests drive.

use crate::process::find_program;
use crate::setup::debian::apt_install;
use anyhow::{Context as _, Result, ensure};
use std::path::PathBuf;

/// Names a browser that is nowhere on the search path.
const VARIABLE: &str = "CHROMIUM";
const NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// A Chromium that is installed.
#[must_use]
pub fn find() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).map(PathBuf::from).or_else(|| find_program(&NAMES))
}

/// Installs one where there is none.
pub(super) fn ensure() -> Result<PathBuf> {
    if let Some(found) = find() {
        ensure!(found.is_file(), "{VARIABLE} names {}, which is not there", found.display());
        return Ok(found);
    }
    let hint = || format!("install a Chromium and name it in {VARIABLE}");
    apt_install(&["chromium"]).with_context(hint)?;
    find().with_context(hint)
}
