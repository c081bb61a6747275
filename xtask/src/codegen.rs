//! What is written from the crate `schemas`: the TypeScript types of the wire, and the HTTP API's OpenAPI document.

use crate::process::say;
use crate::repository::root;
use anyhow::{Context as _, Result, bail};

/// A file and what it holds.
type Made = (&'static str, fn() -> String);

const FILES: [Made; 3] = [
    ("client-sdk/ts/src/generated/wire.ts", schemas::typescript::module),
    ("client-sdk/ts/src/generated/http.ts", schemas::typescript::http_module),
    ("docs/openapi.json", schemas::openapi::document),
];

/// Writes the files.
pub fn write() -> Result<()> {
    for (path, made) in FILES {
        let file = root().join(path);
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory)
                .with_context(|| format!("cannot make {}", directory.display()))?;
        }
        std::fs::write(&file, made()).with_context(|| format!("cannot write {}", file.display()))?;
        say(format_args!("wrote {}", file.display()));
    }
    Ok(())
}

/// Fails where a committed file is not what would be written.
pub fn check() -> Result<()> {
    for (path, made) in FILES {
        let file = root().join(path);
        let committed =
            std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let wanted = made();
        if committed == wanted {
            continue;
        }
        let differing =
            committed.lines().zip(wanted.lines()).position(|(committed, wanted)| committed != wanted);
        let line = differing.unwrap_or_else(|| committed.lines().count().min(wanted.lines().count())) + 1;
        bail!("{path} differs from the crate schemas at line {line}: run `cargo xtask codegen`");
    }
    Ok(())
}
