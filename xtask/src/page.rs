//! A page of a project, joined with the client.

use crate::build::{Mode, TOOL};
use crate::process::{command, run_quiet, step};
use crate::project::{Page, Project};
use crate::repository::npm_tool;
use crate::{client, fingerprint};
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};

/// What lies beside `src/` and is served as it is.
const SERVED: [&str; 7] = ["html", "css", "svg", "png", "ico", "webmanifest", "txt"];

/// Bundles it to `build/demo`, at its path: the page itself, its script and style, and the client's module.
pub fn build(project: &Project, page: &Page, mode: Mode) -> Result<()> {
    let source = project.root().join(page.folder);
    let build = project.build_directory();
    let served = build.join("demo").join(page.at);
    let dist = client::package().join("dist");
    // Named one by one: folders of these names are skipped as products everywhere else.
    let mut roots = vec![source.clone(), source.join("src/generated")];
    roots.extend(entries(&dist)?);
    let inputs = fingerprint::of(&roots, &[TOOL, mode.name()])?;
    let outputs = [served.join("index.html"), served.join("main.js")];
    let stamp = build.join("stamps/pages").join(page.folder);
    fingerprint::unless_done(&stamp, &inputs, &outputs, || {
        let next = build.join("demo.next");
        step(&format!("bundle {}", page.folder), || bundle(project, &source, &dist, &next, mode))?;
        replace_files(&next, &served)
    })?;
    Ok(())
}

/// Checks its types against those of the client that it is bundled with.
pub fn check(project: &Project, page: &Page) -> Result<()> {
    let mut tsc = command(npm_tool("tsc"));
    run_quiet(tsc.current_dir(project.root()).arg("--noEmit").arg("--project").arg(page.folder)).map(drop)
}

fn bundle(project: &Project, source: &Path, dist: &Path, next: &Path, mode: Mode) -> Result<()> {
    if next.exists() {
        std::fs::remove_dir_all(next).with_context(|| format!("cannot empty {}", next.display()))?;
    }
    std::fs::create_dir_all(next).with_context(|| format!("cannot make {}", next.display()))?;
    copy(source, next, &SERVED)?;
    let mut esbuild = command(npm_tool("esbuild"));
    esbuild
        .current_dir(project.root())
        .arg(source.join("src/main.ts"))
        .args(["--bundle", "--format=esm", "--target=es2022", "--log-level=warning", "--legal-comments=none"])
        .args(["--loader:.wasm=file", "--asset-names=[name]-[hash]"])
        .arg(format!("--alias:@roomcast/client={}", dist.display()))
        .arg(format!("--outfile={}", next.join("main.js").display()));
    esbuild.arg(if mode == Mode::Release { "--minify" } else { "--sourcemap=inline" });
    run_quiet(&mut esbuild)?;
    // The client asks for its module beside the script that holds it.
    copy(dist, next, &["wasm"])
}

/// File by file: a workerd that serves the folder holds it open, and would not see another one of its name.
fn replace_files(next: &Path, served: &Path) -> Result<()> {
    std::fs::create_dir_all(served).with_context(|| format!("cannot make {}", served.display()))?;
    for file in entries(next)? {
        let Some(name) = file.file_name() else { continue };
        std::fs::rename(&file, served.join(name))
            .with_context(|| format!("cannot move {}", file.display()))?;
    }
    Ok(())
}

/// The files of a folder that end so, without those of the folders in it.
fn copy(from: &Path, to: &Path, endings: &[&str]) -> Result<()> {
    for file in entries(from)? {
        let Some(name) = file.file_name() else { continue };
        let ending = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if file.is_file() && endings.contains(&ending) {
            std::fs::copy(&file, to.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
        }
    }
    Ok(())
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    if !directory.is_dir() {
        bail!("{} is missing", directory.display());
    }
    let entries =
        std::fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    entries.map(|entry| Ok(entry.context("cannot list a folder")?.path())).collect()
}
