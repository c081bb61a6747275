//! The cores depend on nothing that does IO.

use super::{CORES, File, Findings};
use crate::process::{cargo, run_quiet};
use anyhow::{Context as _, Result};
use serde_json::Value;

/// What each core may name as a dependency.
const ALLOWED: [(&str, &[&str]); 6] = [
    (
        "schemas",
        &[
            "base64",
            "rmp",
            "rmp-serde",
            "schemars",
            "serde",
            "serde_json",
            "serde_path_to_error",
            "thiserror",
            "ts-rs",
        ],
    ),
    ("directory-core", &["schemas", "serde"]),
    ("limiter-core", &["schemas", "serde"]),
    (
        "room-core",
        &[
            "base64",
            "garde",
            "rmp-serde",
            "schemas",
            "serde",
            "serde_json",
            "serde_path_to_error",
            "sha2",
            "thiserror",
            "ts-rs",
        ],
    ),
    (
        "auth",
        &[
            "base64",
            "ed25519-dalek",
            "hmac",
            "p256",
            "rsa",
            "schemas",
            "serde",
            "serde_json",
            "serde_path_to_error",
            "sha2",
            "subtle",
            "thiserror",
        ],
    ),
    ("client-core", &["schemas", "thiserror"]),
];

pub(super) fn check(_files: &[File]) -> Result<Findings> {
    let metadata = run_quiet(cargo().args(["metadata", "--format-version=1", "--no-deps", "--offline"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo's metadata")?;
    let packages = metadata["packages"].as_array().context("cargo names no packages")?;
    let mut findings = Findings::new();
    for (core, folder) in CORES {
        let named = packages.iter().find(|package| package["name"] == core);
        let package = named.with_context(|| format!("there is no crate {core}"))?;
        let allowed = ALLOWED.iter().find(|(name, _)| *name == core).map_or(&[][..], |(_, allowed)| allowed);
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let name = dependency["name"].as_str().unwrap_or_default();
            if dependency["kind"] != "dev" && !allowed.contains(&name) {
                findings.push(format!("{folder}/Cargo.toml: {name} is not on the allow-list of {core}"));
            }
        }
    }
    Ok(findings)
}
