//! What is built, served and checked: this repository, or a project of a team's own that depends on it.

use crate::process;
use crate::repository;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A cargo workspace with one `wrangler.toml`, one crate that becomes the Worker's module, and pages.
///
/// Its `main` of `cargo xtask` hands it to [`crate::command::run`].
#[derive(Clone, Debug)]
pub struct Project {
    root: PathBuf,
    worker: &'static str,
    end_to_end: &'static str,
    pages: Vec<Page>,
}

/// A folder with an `index.html`, what lies beside it, and `src/main.ts`, which becomes `main.js`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// From the project's root.
    pub folder: &'static str,
    /// Where `cargo xtask dev` serves it: the path without slashes around it, empty for `/`.
    pub at: &'static str,
}

impl Project {
    /// The project in a folder. `worker` is the package with the `cdylib`, `end_to_end` the one whose tests start a
    /// server, which [`crate::command::run`] builds first.
    #[must_use]
    pub fn new(root: impl AsRef<Path>, worker: &'static str, end_to_end: &'static str) -> Project {
        let root = root.as_ref();
        // One that is not there is named as it was given by whatever needs it first.
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        Project { root, worker, end_to_end, pages: Vec::new() }
    }

    /// With a page more.
    #[must_use]
    pub fn page(mut self, page: Page) -> Project {
        self.pages.push(page);
        self
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The package that becomes the Worker's module.
    #[must_use]
    pub fn worker(&self) -> &'static str {
        self.worker
    }

    /// The package whose tests start a server.
    #[must_use]
    pub fn end_to_end(&self) -> &'static str {
        self.end_to_end
    }

    #[must_use]
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// Its one configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join("wrangler.toml")
    }

    /// What `cargo xtask build` fills.
    #[must_use]
    pub fn build_directory(&self) -> PathBuf {
        self.root.join("build")
    }

    /// Whether it is this repository.
    #[must_use]
    pub fn is_roomcast(&self) -> bool {
        repository::root().canonicalize().is_ok_and(|root| root == self.root)
    }

    /// `cargo` in its folder.
    #[must_use]
    pub fn cargo(&self) -> Command {
        process::cargo_in(&self.root)
    }
}
