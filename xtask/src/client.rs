//! The npm package `@roomcast/client` and the demo that is built on it.

use crate::build::{Mode, TOOL, crate_sources};
use crate::process::{command, run_quiet, step};
use crate::repository::{build_directory, npm_tool, root};
use crate::wasm::{Crate, Host};
use crate::{fingerprint, setup};
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};

/// The package's folder.
#[must_use]
pub fn package() -> PathBuf {
    root().join("client-sdk/ts")
}

/// The package as it is published: its module in `wasm/`, its JavaScript and declarations in `dist/`.
pub fn build() -> Result<()> {
    module()?;
    let package = package();
    if package.join("package-lock.json").exists() {
        setup::packages(&package)?;
    }
    let sources =
        ["package.json", "package-lock.json", "tsconfig.json", "src", "wasm/client_sdk.js", "scripts"];
    let mut inputs = sources.map(|source| package.join(source)).to_vec();
    inputs.extend(
        ["src/generated", "wasm/client_sdk.d.ts", "wasm/client_sdk_bg.wasm"].map(|path| package.join(path)),
    );
    let inputs = fingerprint::of(&inputs, &[TOOL])?;
    let outputs = [package.join("dist")];
    fingerprint::unless_done(&build_directory().join("stamps/client"), &inputs, &outputs, || {
        step("build @roomcast/client", || {
            run_quiet(command("npm").current_dir(&package).args(["run", "build"])).map(drop)
        })
    })?;
    Ok(())
}

fn module() -> Result<()> {
    let krate = Crate {
        package: "client-sdk",
        host: Host::Web,
        profile: "release-client",
        features: &[],
        optimise: Some("-Oz"),
    };
    let root = root();
    let mut inputs: Vec<PathBuf> = ["Cargo.toml", "Cargo.lock", ".cargo"].map(|name| root.join(name)).into();
    for package in ["schemas", "client-sdk/core", "client-sdk"] {
        inputs.extend(crate_sources(package));
    }
    let inputs = fingerprint::of(&inputs, &[TOOL, &setup::target::compiler()?])?;
    let directory = package().join("wasm");
    let outputs = ["client_sdk.js", "client_sdk_bg.wasm", "client_sdk.d.ts"].map(|name| directory.join(name));
    fingerprint::unless_done(&build_directory().join("stamps/client-module"), &inputs, &outputs, || {
        let module = step("compile the client", || krate.compile())?;
        step("bind the client", || krate.bind(&module, &directory, "client_sdk"))
    })?;
    Ok(())
}

/// The chat that `dev` serves at `/`: one page, its script and style, and the client's module.
pub fn demo(mode: Mode) -> Result<()> {
    let source = root().join("examples/chat");
    let entry = source.join("src/main.ts");
    let demo = build_directory().join("demo");
    let dist = package().join("dist");
    let mut roots = vec![source.clone()];
    // Named one by one: folders of this name are skipped as products everywhere else.
    roots.extend(entries(&dist)?);
    let inputs = fingerprint::of(&roots, &[TOOL, mode.name()])?;
    let outputs = [demo.join("index.html"), demo.join("main.js")];
    fingerprint::unless_done(&build_directory().join("stamps/demo"), &inputs, &outputs, || {
        let next = demo.with_extension("next");
        step("bundle the demo", || bundle_demo(&source, &entry, &dist, &next, mode))?;
        replace_files(&next, &demo)
    })?;
    Ok(())
}

fn bundle_demo(source: &Path, entry: &Path, dist: &Path, demo: &Path, mode: Mode) -> Result<()> {
    if demo.exists() {
        std::fs::remove_dir_all(demo).context("cannot empty build/demo.next")?;
    }
    std::fs::create_dir_all(demo).context("cannot make build/demo.next")?;
    copy_static(source, demo)?;
    let mut esbuild = command(npm_tool("esbuild"));
    esbuild
        .current_dir(root())
        .arg(entry)
        .args(["--bundle", "--format=esm", "--target=es2022", "--log-level=warning", "--legal-comments=none"])
        .args(["--loader:.wasm=file", "--asset-names=[name]-[hash]"])
        .arg(format!("--alias:@roomcast/client={}", dist.display()))
        .arg(format!("--outfile={}", demo.join("main.js").display()));
    esbuild.arg(if mode == Mode::Release { "--minify" } else { "--sourcemap=inline" });
    run_quiet(&mut esbuild)?;
    copy_module(dist, demo)
}

/// File by file: a workerd that serves the folder holds it open, and would not see another one of its name.
fn replace_files(next: &Path, demo: &Path) -> Result<()> {
    std::fs::create_dir_all(demo).context("cannot make build/demo")?;
    for file in entries(next)? {
        let Some(name) = file.file_name() else { continue };
        std::fs::rename(&file, demo.join(name)).with_context(|| format!("cannot move {}", file.display()))?;
    }
    Ok(())
}

/// The page, its style and pictures: all that is beside `src/`.
fn copy_static(source: &Path, demo: &Path) -> Result<()> {
    for file in entries(source)? {
        let Some(name) = file.file_name() else { continue };
        let kind = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if file.is_file() && matches!(kind, "html" | "css" | "svg" | "png" | "ico" | "webmanifest" | "txt") {
            std::fs::copy(&file, demo.join(name))
                .with_context(|| format!("cannot copy {}", file.display()))?;
        }
    }
    Ok(())
}

/// The client asks for its module beside the script that holds it.
fn copy_module(dist: &Path, demo: &Path) -> Result<()> {
    for file in entries(dist)? {
        if file.extension().is_some_and(|extension| extension == "wasm")
            && let Some(name) = file.file_name()
        {
            std::fs::copy(&file, demo.join(name))
                .with_context(|| format!("cannot copy {}", file.display()))?;
        }
    }
    Ok(())
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    if !directory.is_dir() {
        bail!("{} is missing: it is built by `npm run build` in client-sdk/ts", directory.display());
    }
    let entries =
        std::fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    entries.map(|entry| Ok(entry.context("cannot list a folder")?.path())).collect()
}
