//! The npm package `@roomcast/client`.

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
