//! Where things of Roomcast's own are: in the checkout that this crate was compiled in, be it this repository's or one
//! that a project of a team's own depends on.

use std::path::{Path, PathBuf};

/// The root of the checkout; `ROOMCAST_ROOT` overrides it.
#[must_use]
pub fn root() -> PathBuf {
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    std::env::var_os("ROOMCAST_ROOT").map_or_else(|| built_in.to_path_buf(), PathBuf::from)
}

/// The directory that `build` fills.
#[must_use]
pub fn build_directory() -> PathBuf {
    root().join("build")
}

/// Cargo's target directory.
#[must_use]
pub fn target_directory() -> PathBuf {
    target_directory_of(&root())
}

/// The same of another workspace.
#[must_use]
pub fn target_directory_of(workspace: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from)
}

/// An executable that an npm package of the root `package.json` ships.
#[must_use]
pub fn npm_tool(name: &str) -> PathBuf {
    root().join("node_modules/.bin").join(name)
}
