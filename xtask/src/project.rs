//! What is built, served and checked: this repository, or a project of a team's own that depends on it.

use crate::process;
use crate::repository;
use crate::wrangler::Wrangler;
use anyhow::{Context as _, Result, ensure};
use room_core::behavior::{Behaviors, Hosted};
use std::collections::BTreeSet;
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
    behaviors: fn() -> Behaviors,
    pages: Vec<Page>,
    types: Vec<Types>,
}

/// A folder with an `index.html`, what lies beside it, and `src/main.ts`, which becomes `main.js`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// From the project's root.
    pub folder: &'static str,
    /// Where `cargo xtask dev` serves it: the path without slashes around it, empty for `/`.
    pub at: &'static str,
}

/// Where the TypeScript of behaviors is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types {
    /// From the project's root; each behavior has a file of its name there.
    pub folder: &'static str,
    /// Of which behaviors; of all where it is empty.
    pub of: &'static [&'static str],
}

impl Project {
    /// The project in a folder. `worker` is the package with the `cdylib`, `end_to_end` the one whose tests start a
    /// server, which [`crate::command::run`] builds first, and `behaviors` those that the module registers.
    #[must_use]
    pub fn new(
        root: impl AsRef<Path>,
        worker: &'static str,
        end_to_end: &'static str,
        behaviors: fn() -> Behaviors,
    ) -> Project {
        let root = root.as_ref();
        // One that is not there is named as it was given by whatever needs it first.
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        Project { root, worker, end_to_end, behaviors, pages: Vec::new(), types: Vec::new() }
    }

    /// With a page more.
    #[must_use]
    pub fn page(mut self, page: Page) -> Project {
        self.pages.push(page);
        self
    }

    /// With the TypeScript of its behaviors written to one more folder.
    #[must_use]
    pub fn types(mut self, types: Types) -> Project {
        self.types.push(types);
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

    /// Each file of TypeScript that is written of its behaviors, and of which.
    ///
    /// # Errors
    /// Where types are wanted of a behavior that is not registered.
    pub fn typescript(&self) -> Result<Vec<(PathBuf, Hosted)>> {
        let behaviors = (self.behaviors)();
        let mut files = Vec::new();
        for Types { folder, of } in &self.types {
            for name in *of {
                ensure!(behaviors.find(name).is_some(), "{folder}: no behavior is registered as {name:?}");
            }
            let wanted = behaviors.iter().filter(|behavior| of.is_empty() || of.contains(&behavior.name()));
            let file = |behavior: &Hosted| self.root.join(folder).join(format!("{}.ts", behavior.name()));
            files.extend(wanted.map(|behavior| (file(&behavior), behavior)));
        }
        Ok(files)
    }

    /// Reads a `wrangler.toml` and holds it against the behaviors.
    ///
    /// # Errors
    /// Where it cannot be read, and where something in it is not right, which is named with its path.
    pub fn wrangler(&self, config: &Path) -> Result<Wrangler> {
        let wrangler = Wrangler::read(config)?;
        wrangler
            .check_behaviors(&self.registered())
            .with_context(|| format!("{} is not right", config.display()))?;
        Ok(wrangler)
    }

    /// Says which of the behaviors no kind has: no room runs them, which is no mistake while one is written.
    pub(crate) fn say_idle_behaviors(&self, wrangler: &Wrangler) -> Result<()> {
        for name in wrangler.idle_behaviors(&self.registered())? {
            process::say(format_args!(
                "no room runs the behavior {name:?}: no kind in wrangler.toml names it (`behavior = {name:?}`)"
            ));
        }
        Ok(())
    }

    fn registered(&self) -> BTreeSet<&'static str> {
        (self.behaviors)().iter().map(Hosted::name).collect()
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
