//! What is written from Rust types: of the crate `schemas`, the TypeScript types of the wire and the HTTP API's OpenAPI
//! document.

use crate::process::say;
use crate::project::Project;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};

/// A file of this repository and what it holds.
type Made = (&'static str, fn() -> String);

const OWN: [Made; 3] = [
    ("client-sdk/ts/src/generated/wire.ts", schemas::typescript::module),
    ("client-sdk/ts/src/generated/http.ts", schemas::typescript::http_module),
    ("docs/openapi.json", schemas::openapi::document),
];

/// Writes the files that are not what they should be.
pub fn write(project: &Project) -> Result<()> {
    for (file, wanted) in made(project) {
        if std::fs::read_to_string(&file).is_ok_and(|text| text == wanted) {
            continue;
        }
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory)
                .with_context(|| format!("cannot make {}", directory.display()))?;
        }
        std::fs::write(&file, wanted).with_context(|| format!("cannot write {}", file.display()))?;
        say(format_args!("wrote {}", file.display()));
    }
    Ok(())
}

/// Fails where a file is not what would be written.
pub fn check(project: &Project) -> Result<()> {
    made(project).iter().try_for_each(|(file, wanted)| check_file(file, wanted))
}

fn made(project: &Project) -> Vec<(PathBuf, String)> {
    let own: &[Made] = if project.is_roomcast() { &OWN } else { &[] };
    own.iter().map(|(path, made)| (project.root().join(path), made())).collect()
}

fn check_file(file: &Path, wanted: &str) -> Result<()> {
    let found = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    if found == wanted {
        return Ok(());
    }
    let differing = found.lines().zip(wanted.lines()).position(|(found, wanted)| found != wanted);
    let line = differing.unwrap_or_else(|| found.lines().count().min(wanted.lines().count())) + 1;
    bail!("{} differs from the Rust types at line {line}: run `cargo xtask codegen`", file.display());
}
