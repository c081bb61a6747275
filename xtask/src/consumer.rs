//! The example Worker beside the rooms in Rust, compiled and bundled for the tests.

use crate::repository::root;
use crate::wasm::{Crate, Host};
use crate::{bundle, fingerprint, sources};
use anyhow::Result;
use std::path::Path;

const PACKAGE: &str = "consumer-worker";

/// To `consumer/` in the build directory.
pub(crate) fn build(build: &Path, profile: &'static str) -> Result<()> {
    let krate =
        Crate { package: PACKAGE, host: Host::Worker, profile, features: &["fixture"], optimise: None };
    let (into, shim) = (build.join("consumer"), root().join("examples/consumer-worker/rust/shim.js"));
    let inputs = [sources::of(&root(), PACKAGE)?, vec![shim.clone()]].concat();
    let inputs = fingerprint::of(&inputs, &[profile, crate::build::TOOL])?;
    let outputs = [into.join("index.js"), into.join("index_bg.wasm")];
    fingerprint::unless_done(&build.join("stamps/consumer"), &inputs, &outputs, || {
        let module = krate.compile(&root())?;
        let glue = build.join("consumer-glue");
        krate.bind(&module, &glue, "index")?;
        bundle::worker(&shim, &glue, &into, false)
    })
    .map(drop)
}
