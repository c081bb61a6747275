//! `cargo xtask bench client`: the way of a message through the TypeScript client, beside codecs that do no more than
//! read and write it, in Node and in Chromium.

use crate::process::{self, command, run_quiet};
use crate::project::Project;
use crate::repository::{build_directory, root};
use crate::setup::chromium;
use crate::{client, setup, size};
use anyhow::{Context as _, Result};
use std::process::Command;

const FOLDER: &str = "tests/bench/client";

/// Arguments behind `cargo xtask bench client --` go to `run.mjs` as they are.
pub fn run(project: &Project, arguments: &[String]) -> Result<()> {
    setup::run(project)?;
    let mut node = prepared()?;
    if let Some(chromium) = chromium::find() {
        node.env("ROOMCAST_CHROMIUM", chromium);
    }
    process::run(node.args(arguments))
}

/// One round in Node, for what it checks: that every message is heard and sent.
pub fn smoke() -> Result<()> {
    run_quiet(prepared()?.args(["--node", "--rounds", "1", "--warm-up", "0"])).map(drop)
}

/// The client, built, bundled and ready to be measured.
fn prepared() -> Result<Command> {
    client::build()?;
    setup::packages(&root().join(FOLDER))?;
    let folder = build_directory().join("speed");
    size::bundle_into(&format!("{FOLDER}/measure.js"), &folder.join("measure.js"), &["--minify"])?;
    let module = "client_sdk_bg.wasm";
    std::fs::copy(client::package().join("dist").join(module), folder.join(module))
        .context("cannot copy the client's module")?;
    for (name, text) in [
        ("index.html", "<!doctype html><link rel=\"icon\" href=\"data:,\">\n"),
        ("package.json", "{ \"type\": \"module\" }\n"),
    ] {
        std::fs::write(folder.join(name), text)
            .with_context(|| format!("cannot write build/speed/{name}"))?;
    }
    let mut node = command("node");
    node.current_dir(root()).arg(format!("{FOLDER}/run.mjs")).arg(folder);
    Ok(node)
}
