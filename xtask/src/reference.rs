//! The API reference of `@roomcast/client`, from its sources' own comments.

use crate::build::TOOL;
use crate::process::{command, run_quiet, step};
use crate::repository::{build_directory, root};
use crate::{client, fingerprint, setup};
use anyhow::Result;

/// Writes `build/docs`. Fails where something public has no comment, or a link leads nowhere.
pub fn write() -> Result<()> {
    let tools = root().join("docs/reference");
    setup::packages(&tools)?;
    let package = client::package();
    let sources =
        [package.join("src"), package.join("src/generated"), package.join("README.md"), tools.clone()];
    let inputs = fingerprint::of(&sources, &[TOOL])?;
    let docs = build_directory().join("docs");
    let outputs = [docs.join("index.html")];
    fingerprint::unless_done(&build_directory().join("stamps/reference"), &inputs, &outputs, || {
        step("write the API reference", || {
            let mut typedoc = command("node");
            typedoc.current_dir(&tools).arg("node_modules/typedoc/bin/typedoc");
            run_quiet(typedoc.args(["--options", "typedoc.json", "--out"]).arg(&docs)).map(drop)
        })
    })?;
    Ok(())
}
