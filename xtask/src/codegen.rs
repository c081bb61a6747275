//! The TypeScript types of the wire, written from the crate `schemas`.

use crate::process::say;
use crate::repository::root;
use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;

fn file() -> PathBuf {
    root().join("client-sdk/ts/src/generated/wire.ts")
}

/// Writes the file.
pub fn write() -> Result<()> {
    let file = file();
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    std::fs::write(&file, schemas::typescript::module())
        .with_context(|| format!("cannot write {}", file.display()))?;
    say(format_args!("wrote {}", file.display()));
    Ok(())
}

/// Fails where the committed file is not what would be written.
pub fn check() -> Result<()> {
    let file = file();
    let committed =
        std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let wanted = schemas::typescript::module();
    if committed == wanted {
        return Ok(());
    }
    let differing = committed.lines().zip(wanted.lines()).position(|(committed, wanted)| committed != wanted);
    let line = differing.unwrap_or_else(|| committed.lines().count().min(wanted.lines().count())) + 1;
    bail!("{} differs from the crate schemas at line {line}: run `cargo xtask codegen`", file.display());
}
