//! Whether a step's inputs are what they were when it last ran.
//!
//! A fingerprint is over the contents of files, not their times: a checkout or a restored cache touches times.

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Folders that hold no sources, other than within a crate's `src`.
pub(crate) const SKIPPED: [&str; 8] =
    ["node_modules", "target", "build", "dist", "wasm", ".git", ".roomcast", "generated"];

/// All files under `roots` (files or folders; those that are missing count as empty), in order.
pub fn files(roots: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open: Vec<(PathBuf, bool)> =
        roots.iter().map(|root| (root.clone(), is_of_a_crate(root))).collect();
    while let Some((path, all)) = open.pop() {
        if path.is_file() {
            found.push(path);
        } else if path.is_dir() {
            let entries =
                std::fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))?;
            for entry in entries {
                let entry = entry.with_context(|| format!("cannot list {}", path.display()))?;
                if all || !SKIPPED.iter().any(|skipped| entry.file_name() == *skipped) {
                    open.push((entry.path(), all));
                }
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether it is the `src` of a crate, where a module may have any name.
fn is_of_a_crate(root: &Path) -> bool {
    root.ends_with("src") && root.with_file_name("Cargo.toml").is_file()
}

/// Sizes and times of the files, for noticing a change cheaply. A file that vanishes meanwhile is a change.
pub fn times(roots: &[PathBuf]) -> Result<Vec<(PathBuf, Option<SystemTime>, u64)>> {
    let files = files(roots)?.into_iter();
    Ok(files
        .map(|file| match file.metadata() {
            Ok(metadata) => (file, metadata.modified().ok(), metadata.len()),
            Err(_) => (file, None, 0),
        })
        .collect())
}

/// The inputs of a step: what is under `roots`, and `more` that changes what the step does.
pub fn of(roots: &[PathBuf], more: &[&str]) -> Result<String> {
    let mut hash = Sha256::new();
    for text in more {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    for file in files(roots)? {
        let content = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        hash.update(file.as_os_str().as_encoded_bytes());
        hash.update(content.len().to_le_bytes());
        hash.update(content);
    }
    Ok(hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    }))
}

/// Runs `work` unless `stamp` says that it ran with the same inputs and `outputs` are there. Says which.
pub fn unless_done(
    stamp: &Path,
    fingerprint: &str,
    outputs: &[PathBuf],
    work: impl FnOnce() -> Result<()>,
) -> Result<bool> {
    let done = std::fs::read_to_string(stamp).is_ok_and(|stamped| stamped == fingerprint);
    if done && outputs.iter().all(|output| output.exists()) {
        return Ok(false);
    }
    // A step that fails half-way must run again.
    match std::fs::remove_file(stamp) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", stamp.display()));
        }
        _ => {}
    }
    work()?;
    if let Some(directory) = stamp.parent() {
        std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    std::fs::write(stamp, fingerprint).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(true)
}
