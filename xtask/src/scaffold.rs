//! Whether what `roomcast new` begins builds, and passes its own tests.

use crate::counted::{Count, counted};
use crate::process::{cargo, cargo_in, command, run_quiet, step};
use crate::repository::{root, target_directory};
use anyhow::{Context as _, Result, ensure};
use std::path::Path;

const NAME: &str = "tea-room";

/// Begins a project on this checkout, anew each time, adds another behavior by the guide, and runs its
/// `cargo xtask test`. What it compiles is kept.
pub fn check() -> Result<Count> {
    let folder = target_directory().join("scaffold");
    let project = folder.join(NAME);
    if project.exists() {
        std::fs::remove_dir_all(&project).with_context(|| format!("cannot remove {}", project.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    step("begin a project", || begin(&folder))?;
    step("add the guide's poll to it", || add_poll(&project))?;
    let xtask = |task: &str| {
        let mut cargo = cargo_in(&project);
        cargo.args(["xtask", task]).env("CARGO_TARGET_DIR", folder.join("target"));
        cargo
    };
    run_quiet(&mut xtask("codegen"))?;
    counted(&mut xtask("test"))
}

fn begin(folder: &Path) -> Result<()> {
    run_quiet(cargo().args(["build", "--quiet", "--package", "roomcast"]))?;
    let mut roomcast = command(target_directory().join("debug/roomcast"));
    roomcast.current_dir(folder).args(["new", NAME, "--json", "--path"]).arg(root());
    run_quiet(&mut roomcast).map(drop)
}

/// As docs/PROJECT.md says how another behavior is added: its file, its registration, its kind.
fn add_poll(project: &Path) -> Result<()> {
    let rooms = project.join("rooms/src");
    std::fs::copy(root().join("examples/custom-room/src/lib.rs"), rooms.join("poll.rs"))
        .context("cannot copy the poll")?;
    let module = ("pub mod counter;", "pub mod counter;\npub mod poll;");
    let registered = (".with::<counter::Counter>()", ".with::<counter::Counter>().with::<poll::Poll>()");
    edit(&rooms.join("lib.rs"), &[module, registered])?;
    let kind = "[vars.roomcast.kinds.counter]";
    let both = format!("[vars.roomcast.kinds.poll]\nbehavior = \"poll\"\n\n{kind}");
    edit(&project.join("wrangler.toml"), &[(kind, &both)])
}

fn edit(file: &Path, changes: &[(&str, &str)]) -> Result<()> {
    let mut text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    for (from, to) in changes {
        ensure!(text.contains(from), "{} has no {from}", file.display());
        text = text.replace(from, to);
    }
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
