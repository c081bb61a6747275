//! What a crate is compiled from: asked of cargo, so that no list of folders has to be kept.

use crate::fingerprint::SKIPPED;
use crate::process::{cargo_in, run_quiet};
use crate::repository::root;
use crate::setup::target::TARGET;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What cargo compiles for tests alone.
const TESTS: [&str; 3] = ["tests", "benches", "examples"];
/// What shows that a folder is a package.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "package.json"];

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
        sources.extend(of_folder(folder)?);
    }
    Ok(sources.into_iter().collect())
}

/// What a crate's folder has, beside its tests, products, and packages of their own: a crate may include any of it.
fn of_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        let is_other = name.starts_with('.') || SKIPPED.contains(&&*name) || TESTS.contains(&&*name);
        let is_package = MANIFESTS.iter().any(|manifest| path.join(manifest).is_file());
        if !is_other && !is_package {
            found.push(path);
        }
    }
    Ok(found)
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
    use super::{of, of_folder};
    use crate::fingerprint::files;
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

    #[test]
    fn a_crate_may_include_what_lies_beside_its_sources_and_call_its_modules_as_it_likes() {
        let folder = tempfile::tempdir().expect("can be made");
        let compiled =
            ["Cargo.toml", "build.rs", "migrations/1.sql", "src/build/mod.rs", "src/lib.rs", "src/wasm.rs"];
        let not = [
            "target/debug/x.rs",
            "tests/x.rs",
            "core/Cargo.toml",
            "core/src/lib.rs",
            "ts/package.json",
            ".git/x",
        ];
        for file in compiled.iter().chain(&not).map(|file| folder.path().join(file)) {
            std::fs::create_dir_all(file.parent().expect("has a folder")).expect("can be made");
            std::fs::write(file, "").expect("can be written");
        }
        let found = files(&of_folder(folder.path()).expect("can be listed")).expect("can be listed");
        let found: Vec<&str> =
            found.iter().filter_map(|file| file.strip_prefix(folder.path()).ok()?.to_str()).collect();
        assert_eq!(found, compiled);
    }
}
