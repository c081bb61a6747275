//! What a crate is compiled from: asked of cargo, so that no list of folders has to be kept.

use crate::process::{cargo_in, run_quiet};
use crate::repository::root;
use crate::setup::target::TARGET;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    /// Of a registry or a repository; none for a folder of this machine.
    source: Option<String>,
    manifest_path: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

/// The files and folders that `package` of `workspace` is compiled from for Wasm: its own, and those of each crate it
/// depends on that lies in a folder of this machine. What comes from elsewhere the lock file pins, which is one too.
///
/// # Errors
/// Where cargo cannot tell, or knows no such package.
pub fn of(workspace: &Path, package: &str) -> Result<Vec<PathBuf>> {
    let mut cargo = cargo_in(workspace);
    cargo.args(["metadata", "--quiet", "--format-version=1", "--all-features", "--filter-platform", TARGET]);
    let printed = run_quiet(&mut cargo)?;
    let metadata: Metadata = serde_json::from_str(&printed).context("cargo's metadata")?;
    let mut sources = BTreeSet::from(["Cargo.toml", "Cargo.lock", ".cargo"].map(|name| workspace.join(name)));
    // What all of Roomcast's crates share, and the one file that a crate includes from outside its folder.
    sources.extend(["Cargo.toml", "docs/openapi.json"].map(|name| root().join(name)));
    for folder in metadata.folders(package)? {
        sources.extend(["Cargo.toml", "build.rs", "src"].map(|name| folder.join(name)));
    }
    Ok(sources.into_iter().collect())
}

impl Metadata {
    /// The folders of `package` and of the local crates that it depends on, other than for its tests.
    fn folders(&self, package: &str) -> Result<Vec<&Path>> {
        let packages: BTreeMap<&str, &Package> =
            self.packages.iter().map(|package| (package.id.as_str(), package)).collect();
        let nodes: BTreeMap<&str, &Node> =
            self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let local = |id: &str| packages.get(id).copied().filter(|package| package.source.is_none());
        let first = self.packages.iter().find(|other| other.source.is_none() && other.name == package);
        let first = first.with_context(|| format!("the workspace has no package {package}"))?;
        let mut found = BTreeMap::new();
        let mut open = vec![first];
        while let Some(package) = open.pop() {
            if found.contains_key(package.id.as_str()) {
                continue;
            }
            found.insert(
                package.id.as_str(),
                package.manifest_path.parent().context("a manifest has a folder")?,
            );
            let dependencies = nodes.get(package.id.as_str()).into_iter().flat_map(|node| &node.deps);
            let compiled = dependencies.filter(|dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev"))
            });
            open.extend(compiled.filter_map(|dependency| local(&dependency.pkg)));
        }
        Ok(found.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::repository::root;

    #[test]
    fn a_worker_is_compiled_from_the_crates_it_depends_on_and_no_others() {
        let sources = of(&root(), "roomcast-worker").expect("cargo tells");
        for folder in ["gateway/worker", "gateway", "room-do", "room-do/core", "limiter/core", "schemas"] {
            assert!(sources.contains(&root().join(folder).join("src")), "{folder} is missing");
        }
        for folder in ["client-sdk", "tests", "xtask"] {
            assert!(!sources.contains(&root().join(folder).join("src")), "{folder} is not compiled into it");
        }
        assert!(of(&root(), "no-such-package").is_err());
    }
}
