//! From sources to `build/`: the Worker's module and bundle, the browser client, the pages.

use crate::process::{say, step};
use crate::project::Project;
use crate::repository::{build_directory, root};
use crate::setup::target;
use crate::wasm::{Crate, Host};
use crate::{bundle, client, codegen, consumer, fingerprint, page, sources};
use anyhow::{Context as _, Result};
use std::fs::File;
use std::path::Path;

/// What is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Rebuilt in seconds.
    Dev,
    /// As it is deployed.
    Release,
    /// With faults on command, for tests.
    Faults,
}

impl Mode {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mode::Dev => "dev",
            Mode::Release => "release",
            Mode::Faults => "faults",
        }
    }

    fn profile(self) -> &'static str {
        match self {
            Mode::Dev | Mode::Faults => "dev-wasm",
            Mode::Release => "release",
        }
    }

    fn features(self) -> &'static [&'static str] {
        match self {
            Mode::Dev | Mode::Release => &[],
            Mode::Faults => &["faults"],
        }
    }
}

/// Everything. Steps whose inputs did not change are skipped.
pub fn run(project: &Project, mode: Mode) -> Result<()> {
    let _lock = lock(&project.build_directory())?;
    codegen::write_behaviors(project)?;
    worker(project, mode, &project.build_directory())?;
    if project.pages().is_empty() {
        return Ok(());
    }
    // The client is built where it lies, which others may be doing too.
    let _of_client = if project.is_roomcast() { None } else { Some(lock(&build_directory())?) };
    client::build()?;
    project.pages().iter().try_for_each(|page| page::build(project, page, mode))
}

/// The Worker with faults on command, to `build/faults/worker`; here with the example that calls its rooms.
pub fn faults(project: &Project) -> Result<()> {
    let build = project.build_directory();
    let _lock = lock(&build)?;
    worker(project, Mode::Faults, &build.join("faults"))?;
    match project.is_roomcast() {
        true => step("the Worker beside the rooms", || consumer::build(&build, Mode::Faults.profile())),
        false => Ok(()),
    }
}

/// One build at a time: they share their folders.
fn lock(build: &Path) -> Result<File> {
    std::fs::create_dir_all(build).with_context(|| format!("cannot make {}", build.display()))?;
    let lock = File::create(build.join("lock")).context("cannot make build/lock")?;
    if lock.try_lock().is_err() {
        say("waiting for another build");
        lock.lock().context("cannot lock build/lock")?;
    }
    Ok(lock)
}

fn worker(project: &Project, mode: Mode, build: &Path) -> Result<()> {
    let krate = Crate {
        package: project.worker(),
        host: Host::Worker,
        profile: mode.profile(),
        features: mode.features(),
        optimise: (mode == Mode::Release).then_some(&["-O3"]),
    };
    let shim = root().join("gateway/shim.js");
    let config = project.config();
    let worker = build.join("worker");
    let inputs = fingerprint::of(
        &[sources::of(project.root(), project.worker())?, vec![shim.clone()]].concat(),
        &[mode.name(), TOOL, &target::compiler()?],
    )?;
    let outputs = [worker.join("index.js"), worker.join("index_bg.wasm")];
    let wrangler = project.wrangler(&config)?;
    project.say_idle_behaviors(&wrangler)?;
    fingerprint::unless_done(&build.join("stamps/worker"), &inputs, &outputs, || {
        let module =
            step(&format!("compile {} ({})", krate.package, mode.name()), || krate.compile(project.root()))?;
        // A change to a comment or a test leaves the module as it was.
        let inputs = fingerprint::of(&[module.clone(), shim.clone()], &[mode.name(), TOOL])?;
        let stamp = build.join("stamps/worker-bundle");
        fingerprint::unless_done(&stamp, &inputs, &outputs, || {
            step(&format!("bind and bundle {}", krate.package), || {
                let glue = build.join("glue");
                krate.bind(&module, &glue, "index")?;
                bundle::worker(&shim, &glue, &worker, mode == Mode::Release)
            })
        })
        .map(drop)
    })?;
    bundle::check_classes(&worker, &wrangler.classes())
        .with_context(|| format!("{} and the built Worker disagree", config.display()))
}

/// Part of each fingerprint: a changed recipe rebuilds.
pub(crate) const TOOL: &str = concat!(env!("CARGO_PKG_VERSION"), "/3");
