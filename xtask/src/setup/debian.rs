//! Debian's rustc with a standard library for wasm32 compiled from Debian's sources, where rustup's server is out
//! of reach. Tried on Debian 12 (rustc 1.96).

use crate::process::{command, find_program, run_quiet, say, step};
use crate::setup::target::{TARGET, has_target};
use anyhow::{Context as _, Result, bail};
use std::path::Path;

/// The name under which rustup knows `/usr`.
pub(super) const TOOLCHAIN: &str = "debian";

const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const LINKER: &str = "/usr/bin/rust-lld";
const LINKER_OF_PACKAGE: &str = "/usr/bin/lld-22";
const LIBRARY: &str = "/usr/lib/rustlib/wasm32-unknown-unknown/lib";

pub(super) fn ensure() -> Result<()> {
    if linked() && Path::new(LINKER).exists() && has_target(Some(TOOLCHAIN)) {
        return Ok(());
    }
    install_packages()?;
    link_linker()?;
    if !has_library() {
        step("compile the standard library for wasm32 (2 to 3 minutes, once)", compile_library)?;
    }
    if !linked() {
        run_quiet(command("rustup").args(["toolchain", "link", TOOLCHAIN, "/usr"]))
            .context("failed to make Debian's compiler known to rustup")?;
    }
    if !has_target(Some(TOOLCHAIN)) {
        bail!("Debian's compiler still has no {TARGET}; its library should be in {LIBRARY}");
    }
    Ok(())
}

/// Without rustup, the compiler on the search path is Debian's already.
fn linked() -> bool {
    if find_program(&["rustup"]).is_none() {
        return true;
    }
    let list = run_quiet(command("rustup").args(["toolchain", "list"])).unwrap_or_default();
    list.lines().any(|line| line.split_whitespace().next() == Some(TOOLCHAIN))
}

fn install_packages() -> Result<()> {
    let missing: Vec<&str> = PACKAGES.into_iter().filter(|package| !installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    apt_install(&missing)
}

/// Installs packages, as root or by sudo where it asks for no password.
pub(super) fn apt_install(packages: &[&str]) -> Result<()> {
    step(&format!("install {} with apt-get", packages.join(", ")), || {
        run_quiet(&mut apt(&["update"]))?;
        let mut install = vec!["install", "--yes", "--no-install-recommends"];
        install.extend(packages);
        run_quiet(&mut apt(&install)).map(drop)
    })
}

fn apt(arguments: &[&str]) -> std::process::Command {
    let mut apt = if rustix::process::geteuid().is_root() {
        command("apt-get")
    } else {
        let mut sudo = command("sudo");
        sudo.args(["--non-interactive", "apt-get"]);
        sudo
    };
    apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

fn installed(package: &str) -> bool {
    let status =
        run_quiet(command("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]));
    status.is_ok_and(|status| status == "installed")
}

/// The package's compiler looks for `rust-lld`, which the package lacks.
fn link_linker() -> Result<()> {
    if Path::new(LINKER).exists() {
        return Ok(());
    }
    say(format_args!("linking {LINKER} to {LINKER_OF_PACKAGE}"));
    std::os::unix::fs::symlink(LINKER_OF_PACKAGE, LINKER)
        .with_context(|| format!("cannot link {LINKER} (this step needs root)"))
}

fn has_library() -> bool {
    let Ok(entries) = std::fs::read_dir(LIBRARY) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
}

/// Compiles an empty crate with its standard library, and keeps the library.
fn compile_library() -> Result<()> {
    let directory = crate::repository::target_directory().join("wasm-std");
    let name = "empty";
    std::fs::create_dir_all(directory.join("src")).context("cannot make the empty crate")?;
    let manifest = format!("[package]\nname = \"{name}\"\nedition = \"2021\"\n[workspace]\n");
    std::fs::write(directory.join("Cargo.toml"), manifest).context("cannot write the empty crate")?;
    std::fs::write(directory.join("src/lib.rs"), "").context("cannot write the empty crate")?;
    let mut cargo = command(CARGO);
    cargo
        .current_dir(&directory)
        .args([
            "build",
            "-Zbuild-std=std,panic_abort",
            "--release",
            "--target",
            TARGET,
            "--target-dir",
            "target",
        ])
        // Without bitcode in the libraries, linking with LTO fails.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", RUSTC);
    for variable in ["RUSTUP_TOOLCHAIN", "CARGO", "CARGO_TARGET_DIR", "CARGO_ENCODED_RUSTFLAGS"] {
        cargo.env_remove(variable);
    }
    run_quiet(&mut cargo)?;
    let built = directory.join("target").join(TARGET).join("release/deps");
    keep_libraries(&built, &format!("lib{name}-"))
}

fn keep_libraries(built: &Path, own: &str) -> Result<()> {
    std::fs::create_dir_all(LIBRARY)
        .with_context(|| format!("cannot make {LIBRARY} (this step needs root)"))?;
    let entries = std::fs::read_dir(built).with_context(|| format!("cannot read {}", built.display()))?;
    for entry in entries {
        let path = entry.context("cannot list the compiled libraries")?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.ends_with(".rlib") && !name.starts_with(own) {
            std::fs::copy(&path, Path::new(LIBRARY).join(name))
                .with_context(|| format!("cannot copy {name} to {LIBRARY} (this step needs root)"))?;
        }
    }
    Ok(())
}
