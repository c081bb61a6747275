//! What is written from Rust types: the TypeScript of a project's behaviors; and in this repository, of the crate
//! `schemas`, that of the wire, and the HTTP API's OpenAPI document.

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

const HEAD: &str = "// Written by `cargo xtask codegen` from the Rust types of a behavior. Do not edit.\n";

/// Writes the files that are not what they should be.
pub fn write(project: &Project) -> Result<()> {
    write_files(own(project))?;
    write_behaviors(project)
}

/// Those of the behaviors alone.
pub fn write_behaviors(project: &Project) -> Result<()> {
    write_files(of_behaviors(project)?)
}

fn write_files(files: Vec<(PathBuf, String)>) -> Result<()> {
    for (file, wanted) in files {
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
    let mut files = own(project);
    files.extend(of_behaviors(project)?);
    files.iter().try_for_each(|(file, wanted)| check_file(file, wanted))
}

fn of_behaviors(project: &Project) -> Result<Vec<(PathBuf, String)>> {
    let files = project.typescript()?.into_iter();
    Ok(files.map(|(file, behavior)| (file, HEAD.to_owned() + &behavior.typescript())).collect())
}

fn own(project: &Project) -> Vec<(PathBuf, String)> {
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
