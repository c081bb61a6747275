//! Finds the tools that the build needs, and installs those that are missing.
//!
//! Every step is quiet where nothing is to be done, says what it does where something is, and can be repeated.

pub mod chromium;
mod debian;
mod npm;
pub mod schemathesis;
pub mod target;

use crate::client;
use crate::project::Project;
use crate::repository::root;
use anyhow::{Context as _, Result};
use std::os::unix::fs::symlink;
use std::path::Path;

/// What `dev` and `build` need.
pub fn run(project: &Project) -> Result<()> {
    target::ensure()?;
    npm::ensure(&root())?;
    if project.is_roomcast() {
        return Ok(());
    }
    if project.root().join("package-lock.json").exists() {
        npm::ensure(project.root())?;
    }
    link_client(project.root())
}

/// The same, and what `test` drives in this repository: bundlers, a browser and an HTTP fuzzer.
pub fn run_for_tests(project: &Project) -> Result<()> {
    run(project)?;
    npm::ensure(&root().join("tests/bundlers"))?;
    chromium::ensure()?;
    schemathesis::ensure()?;
    Ok(())
}

/// The packages of a further `package.json`, such as the client's.
pub fn packages(directory: &Path) -> Result<()> {
    npm::ensure(directory)
}

/// Puts the client where editors and compilers look for it: the one of the checkout that the project depends on.
fn link_client(project: &Path) -> Result<()> {
    let link = project.join("node_modules").join(client::NAME);
    let package = client::package();
    if std::fs::read_link(&link).is_ok_and(|linked| linked == package) {
        return Ok(());
    }
    let cannot = || format!("cannot link {} to {}", link.display(), package.display());
    if let Some(folder) = link.parent() {
        std::fs::create_dir_all(folder).with_context(cannot)?;
    }
    if link.is_symlink() {
        std::fs::remove_file(&link).with_context(cannot)?;
    }
    symlink(&package, &link).with_context(cannot)
}
