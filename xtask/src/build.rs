//! From sources to `build/`: the gateway's module and bundle, the browser client, the demo.

use crate::process::{say, step};
use crate::repository::{build_directory, root};
use crate::setup::target;
use crate::wasm::{Crate, Host};
use crate::wrangler::Wrangler;
use crate::{bundle, client, fingerprint};
use anyhow::{Context as _, Result};
use std::fs::File;
use std::path::{Path, PathBuf};

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
pub fn run(mode: Mode) -> Result<()> {
    let _lock = lock()?;
    gateway(mode, &build_directory())?;
    client::build()?;
    client::demo(mode)
}

/// The gateway with faults on command, to `build/faults/worker`.
pub fn faults() -> Result<()> {
    let _lock = lock()?;
    gateway(Mode::Faults, &build_directory().join("faults"))
}

/// One build at a time: they share their folders.
fn lock() -> Result<File> {
    let build = build_directory();
    std::fs::create_dir_all(&build).with_context(|| format!("cannot make {}", build.display()))?;
    let lock = File::create(build.join("lock")).context("cannot make build/lock")?;
    if lock.try_lock().is_err() {
        say("waiting for another build");
        lock.lock().context("cannot lock build/lock")?;
    }
    Ok(lock)
}

fn gateway(mode: Mode, build: &Path) -> Result<()> {
    let krate = Crate {
        package: "gateway",
        host: Host::Worker,
        profile: mode.profile(),
        features: mode.features(),
        optimise: (mode == Mode::Release).then_some(&["-O3"]),
    };
    let shim = root().join("gateway/shim.js");
    let config = root().join("wrangler.toml");
    let worker = build.join("worker");
    let inputs = fingerprint::of(
        &[gateway_sources(), vec![shim.clone()]].concat(),
        &[mode.name(), TOOL, &target::compiler()?],
    )?;
    let outputs = [worker.join("index.js"), worker.join("index_bg.wasm")];
    let wrangler = Wrangler::read(&config)?;
    fingerprint::unless_done(&build.join("stamps/gateway"), &inputs, &outputs, || {
        let module = step(&format!("compile the gateway ({})", mode.name()), || krate.compile())?;
        // A change to a comment or a test leaves the module as it was.
        let inputs = fingerprint::of(&[module.clone(), shim], &[mode.name(), TOOL])?;
        let stamp = build.join("stamps/gateway-bundle");
        fingerprint::unless_done(&stamp, &inputs, &outputs, || {
            step("bind and bundle the gateway", || {
                let glue = build.join("glue");
                krate.bind(&module, &glue, "index")?;
                bundle::worker(&glue, &worker, mode == Mode::Release)
            })
        })
        .map(drop)
    })?;
    bundle::check_classes(&worker, &wrangler.classes())
        .with_context(|| format!("{} and the built gateway disagree", config.display()))
}

/// Part of each fingerprint: a changed recipe rebuilds.
pub(crate) const TOOL: &str = concat!(env!("CARGO_PKG_VERSION"), "/2");

/// All that the gateway's module is compiled from.
fn gateway_sources() -> Vec<PathBuf> {
    let root = root();
    let mut sources: Vec<PathBuf> = ["Cargo.toml", "Cargo.lock", ".cargo"].map(|name| root.join(name)).into();
    let packages = [
        "schemas",
        "room-do",
        "room-do/core",
        "directory",
        "directory/core",
        "limiter",
        "limiter/core",
        "gateway",
        "gateway/auth",
        "gateway/deployment",
    ];
    for package in packages {
        sources.extend(crate_sources(package));
    }
    sources.push(root.join("docs/openapi.json"));
    sources
}

pub(crate) fn crate_sources(package: &str) -> [PathBuf; 2] {
    let package = root().join(package);
    [package.join("Cargo.toml"), package.join("src")]
}
