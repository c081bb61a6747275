//! Noticing that sources changed, by their times: a few hundred files are looked at in milliseconds, on every file
//! system.

use crate::fingerprint::times;
use crate::project::Project;
use crate::{client, sources};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What the sources looked like.
#[derive(Debug)]
pub struct Watch {
    roots: Vec<PathBuf>,
    built: Times,
    latest: Times,
}

type Times = Vec<(PathBuf, Option<SystemTime>, u64)>;

impl Watch {
    /// Watches `config` and all that the project is built from, from now on.
    pub fn begin(project: &Project, config: &Path) -> Result<Watch> {
        let mut roots = sources::of(project.root(), project.worker())?;
        roots.extend(client::sources()?);
        roots.extend(project.pages().iter().map(|page| project.root().join(page.folder)));
        roots.extend([project.config(), config.to_path_buf()]);
        let now = times(&roots)?;
        Ok(Watch { roots, built: now.clone(), latest: now })
    }

    /// Whether something changed since the last time that this was true, and then stood still from one call to the
    /// next: an editor writes in several steps.
    pub fn settled_change(&mut self) -> Result<bool> {
        let now = times(&self.roots)?;
        let settled = now == self.latest;
        self.latest = now;
        if !settled || self.latest == self.built {
            return Ok(false);
        }
        self.built.clone_from(&self.latest);
        Ok(true)
    }
}
