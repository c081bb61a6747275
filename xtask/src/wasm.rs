//! A crate compiled to a Wasm module with its JavaScript glue: cargo, wasm-bindgen, wasm-opt.

use crate::process::{command, run, run_quiet};
use crate::repository::{npm_tool, target_directory_of};
use crate::setup::target::{self, TARGET};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use wasm_bindgen_cli_support::Bindgen;

/// Post-MVP features that rustc or wasm-bindgen emits; every engine we run on has them.
const FEATURES: [&str; 8] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    // The glue for Workers tells a trap from a JavaScript exception by a tag.
    "--enable-exception-handling",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-multivalue",
];

/// One `cdylib` of a workspace.
#[derive(Clone, Copy, Debug)]
pub struct Crate {
    pub package: &'static str,
    pub profile: &'static str,
    pub features: &'static [&'static str],
    /// What the glue is written for.
    pub host: Host,
    /// wasm-opt's passes, where it runs.
    pub optimise: Option<&'static [&'static str]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// A Worker: the module is imported, and the instance can be replaced after a trap.
    Worker,
    /// A browser or Node: the module is fetched and instantiated by a function of the glue.
    Web,
}

impl Crate {
    /// The path of the module that cargo leaves, compiled afresh where its sources changed.
    pub fn compile(&self, workspace: &Path) -> Result<PathBuf> {
        let mut cargo = target::cargo(workspace)?;
        cargo.args(["build", "--package", self.package, "--profile", self.profile, "--target", TARGET]);
        if !self.features.is_empty() {
            cargo.args(["--features", &self.features.join(",")]);
        }
        run(&mut cargo)?;
        let file = format!("{}.wasm", self.package.replace('-', "_"));
        Ok(target_directory_of(workspace).join(TARGET).join(self.profile).join(file))
    }

    /// Writes `<name>.js` and `<name>_bg.wasm`, for the web `<name>.d.ts` too, to `directory`.
    pub fn bind(&self, module: &Path, directory: &Path, name: &str) -> Result<()> {
        let mut bindgen = Bindgen::new();
        bindgen.input_path(module).out_name(name).remove_producers_section(true);
        match self.host {
            Host::Worker => {
                bindgen
                    .module(true)?
                    .typescript(false)
                    .reset_state_function(true)
                    .force_enable_abort_handler(true);
            }
            Host::Web => {
                bindgen.web(true)?.typescript(true).remove_name_section(true);
            }
        }
        bindgen.generate(directory).context("wasm-bindgen")?;
        if let Some(passes) = self.optimise {
            optimise(&directory.join(format!("{name}_bg.wasm")), passes)?;
        }
        Ok(())
    }
}

fn optimise(module: &Path, passes: &[&str]) -> Result<()> {
    let optimised = module.with_extension("opt.wasm");
    let mut tool = command(npm_tool("wasm-opt"));
    tool.args(passes).args(FEATURES).arg(module).arg("--output").arg(&optimised);
    run_quiet(&mut tool)?;
    std::fs::rename(&optimised, module).context("cannot replace the module by the optimised one")
}
