<<<<<<< HEAD
//! The npm package `@roomcast/client`.
=======
//! The npm package `@roomcast/client` and the pages that are built on it.
>>>>>>> df0b697 (The game's page is served under /game/)

use crate::build::TOOL;
use crate::process::{command, run_quiet, step};
use crate::repository::{build_directory, root};
use crate::wasm::{Crate, Host};
use crate::{fingerprint, setup, sources};
use anyhow::Result;
use std::path::PathBuf;

/// As it is imported.
pub const NAME: &str = "@roomcast/client";

/// The package's folder.
#[must_use]
pub fn package() -> PathBuf {
    root().join("client-sdk/ts")
}

/// The client's module.
const CLIENT: Module = Module {
    name: "client_sdk",
    title: "the client",
    folder: "wasm",
    krate: Crate {
        package: "client-sdk",
        host: Host::Web,
        profile: "release-client",
        features: &[],
        optimise: Some(&["-Oz", "-Oz", "--strip-debug", "--strip-producers", "--strip-target-features"]),
    },
};

/// The rooms in memory, for applications' tests.
const TESTING: Module = Module {
    name: "client_testing",
    title: "the rooms in memory",
    folder: "wasm/testing",
    krate: Crate { package: "client-testing", optimise: None, ..CLIENT.krate },
};

struct Module {
    name: &'static str,
    title: &'static str,
    /// Where it is put, of the package's.
    folder: &'static str,
    krate: Crate,
}

/// All that the package is built from.
pub fn sources() -> Result<Vec<PathBuf>> {
    let mut sources = Vec::from(own_sources());
    for module in [CLIENT, TESTING] {
        sources.extend(sources::of(&root(), module.krate.package)?);
    }
    Ok(sources)
}

fn own_sources() -> [PathBuf; 6] {
    ["package.json", "package-lock.json", "tsconfig.json", "src", "src/generated", "scripts"]
        .map(|name| package().join(name))
}

/// The package as it is published: its modules in `wasm/`, its JavaScript and declarations in `dist/`.
pub fn build() -> Result<()> {
    let package = package();
    let mut inputs = Vec::new();
    for module in [CLIENT, TESTING] {
        inputs.extend(module.build()?);
    }
    if package.join("package-lock.json").exists() {
        setup::packages(&package)?;
    }
    inputs.extend(own_sources());
    let inputs = fingerprint::of(&inputs, &[TOOL])?;
    let outputs = [package.join("dist")];
    fingerprint::unless_done(&build_directory().join("stamps/client"), &inputs, &outputs, || {
        step("build @roomcast/client", || {
            run_quiet(command("npm").current_dir(&package).args(["run", "build"])).map(drop)
        })
    })?;
    Ok(())
}

impl Module {
    /// Compiles and binds it, where its sources changed. Returns the module, its glue and the glue's declarations.
    fn build(&self) -> Result<[PathBuf; 3]> {
        let inputs = sources::of(&root(), self.krate.package)?;
        let inputs = fingerprint::of(&inputs, &[TOOL, &setup::target::compiler()?])?;
        let directory = package().join(self.folder);
        let outputs = ["_bg.wasm", ".js", ".d.ts"].map(|end| directory.join(format!("{}{end}", self.name)));
        let stamp = build_directory().join("stamps").join(self.krate.package);
        fingerprint::unless_done(&stamp, &inputs, &outputs, || {
            let module = step(&format!("compile {}", self.title), || self.krate.compile(&root()))?;
            step(&format!("bind {}", self.title), || self.krate.bind(&module, &directory, self.name))
        })?;
        Ok(outputs)
    }
}
<<<<<<< HEAD
=======

/// A page that `dev` serves: its sources, and under which folder of the demo.
struct Page {
    source: &'static str,
    folder: &'static str,
}

const PAGES: [Page; 2] =
    [Page { source: "examples/chat", folder: "" }, Page { source: "examples/game", folder: "game" }];

/// What `dev` serves: the chat at `/`, the game at `/game/`; each its page, script and style, and the client's module.
pub fn demo(mode: Mode) -> Result<()> {
    PAGES.iter().try_for_each(|page| page.build(mode))
}

impl Page {
    fn build(&self, mode: Mode) -> Result<()> {
        let source = root().join(self.source);
        let name = self.source.rsplit('/').next().unwrap_or(self.source);
        let demo = build_directory().join("demo").join(self.folder);
        let dist = package().join("dist");
        let mut roots: Vec<PathBuf> = entries(&source)?.into_iter().filter(|entry| entry.is_file()).collect();
        roots.extend(["src", "src/generated"].map(|folder| source.join(folder)));
        // Named one by one: folders of this name are skipped as products everywhere else.
        roots.extend(entries(&dist)?);
        let inputs = fingerprint::of(&roots, &[TOOL, mode.name()])?;
        let outputs = [demo.join("index.html"), demo.join("main.js")];
        let stamp = build_directory().join("stamps").join(format!("demo-{name}"));
        fingerprint::unless_done(&stamp, &inputs, &outputs, || {
            let next = build_directory().join(format!("demo-{name}.next"));
            step(&format!("bundle the {name}"), || {
                bundle_demo(&source, &source.join("src/main.ts"), &dist, &next, mode)
            })?;
            replace_files(&next, &demo)
        })?;
        Ok(())
    }
}

fn bundle_demo(source: &Path, entry: &Path, dist: &Path, demo: &Path, mode: Mode) -> Result<()> {
    if demo.exists() {
        std::fs::remove_dir_all(demo).with_context(|| format!("cannot empty {}", demo.display()))?;
    }
    std::fs::create_dir_all(demo).with_context(|| format!("cannot make {}", demo.display()))?;
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
    std::fs::create_dir_all(demo).with_context(|| format!("cannot make {}", demo.display()))?;
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
>>>>>>> df0b697 (The game's page is served under /game/)
