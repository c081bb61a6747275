//! Finds the tools that the build needs, and installs those that are missing.
//!
//! Every step is quiet where nothing is to be done, says what it does where something is, and can be repeated.

pub mod chromium;
mod debian;
mod npm;
pub mod schemathesis;
pub mod target;

use anyhow::Result;

/// What `dev` and `build` need.
pub fn run() -> Result<()> {
    target::ensure()?;
    npm::ensure(&crate::repository::root())
}

/// The same, and what `test` drives: bundlers, a browser and an HTTP fuzzer.
pub fn run_for_tests() -> Result<()> {
    run()?;
    npm::ensure(&crate::repository::root().join("tests/bundlers"))?;
    chromium::ensure()?;
    schemathesis::ensure()?;
    Ok(())
}

/// The packages of a further `package.json`, such as the client's.
pub fn packages(directory: &std::path::Path) -> Result<()> {
    npm::ensure(directory)
}
