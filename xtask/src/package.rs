//! Whether the npm package, as `npm pack` makes it, works for a stranger.

use crate::client;
use crate::process::{command, run_quiet, step};
use crate::repository::{npm_tool, root, target_directory};
use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};

const CONSUMER: &str =
    "import { Roomcast } from '@roomcast/client';\nexport const client: unknown = Roomcast;\n";

/// Packs, unpacks beside an application, and uses it there.
pub fn smoke() -> Result<()> {
    let application = target_directory().join("pack");
    if application.exists() {
        std::fs::remove_dir_all(&application).context("cannot empty the application's folder")?;
    }
    let installed = application.join("node_modules/@roomcast/client");
    std::fs::create_dir_all(&installed).context("cannot make the application's folder")?;
    step("pack @roomcast/client", || unpack(&pack(&application)?, &installed))?;
    write(
        &application,
        "package.json",
        "{ \"name\": \"stranger\", \"private\": true, \"type\": \"module\" }\n",
    )?;
    write(&application, "main.ts", CONSUMER)?;
    step("import it in Node", || in_node(&application))?;
    step("bundle it", || in_a_bundler(&application))?;
    step("check types against it", || in_typescript(&application))
}

fn write(application: &Path, name: &str, text: &str) -> Result<()> {
    std::fs::write(application.join(name), text).with_context(|| format!("cannot write {name}"))
}

fn pack(into: &Path) -> Result<PathBuf> {
    let mut npm = command("npm");
    npm.current_dir(client::package())
        .args(["pack", "--json", "--ignore-scripts", "--pack-destination"])
        .arg(into);
    run_quiet(&mut npm)?;
    let entries = std::fs::read_dir(into).context("cannot list the packed files")?;
    let packed = entries.flatten().map(|entry| entry.path());
    let packed = packed.filter(|path| path.extension().is_some_and(|extension| extension == "tgz"));
    packed.into_iter().next().context("npm pack wrote no archive")
}

fn unpack(archive: &Path, into: &Path) -> Result<()> {
    let mut tar = command("tar");
    tar.args(["--extract", "--strip-components=1", "--file"]).arg(archive).arg("--directory").arg(into);
    run_quiet(&mut tar)?;
    let shipped = crate::fingerprint::files(&[into.join("dist")])?;
    let strays = ["test", "src", "node_modules"].map(|name| into.join(name));
    ensure!(!shipped.is_empty(), "the package holds no dist/");
    for stray in strays {
        ensure!(!stray.exists(), "the package ships {}", stray.display());
    }
    Ok(())
}

fn in_node(application: &Path) -> Result<()> {
    let script = "const { Roomcast } = await import('@roomcast/client');
        if (typeof Roomcast !== 'function') throw new Error('no class Roomcast: ' + typeof Roomcast);";
    run_quiet(command("node").current_dir(application).args(["--input-type=module", "--eval", script]))
        .map(drop)
}

fn in_a_bundler(application: &Path) -> Result<()> {
    let mut esbuild = command(npm_tool("esbuild"));
    esbuild.current_dir(application).args(["main.ts", "--bundle", "--format=esm", "--outfile=bundle.js"]);
    run_quiet(&mut esbuild)?;
    ensure!(application.join("bundle.js").exists(), "esbuild wrote nothing");
    Ok(())
}

/// With the strictest of the resolutions in use, and with that of bundlers.
fn in_typescript(application: &Path) -> Result<()> {
    for (module, resolution) in [("nodenext", "nodenext"), ("esnext", "bundler")] {
        let mut tsc = command(npm_tool("tsc"));
        tsc.current_dir(application)
            .args(["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--types", ""])
            .args(["--module", module, "--moduleResolution", resolution, "main.ts"]);
        run_quiet(&mut tsc)
            .with_context(|| format!("with module resolution {resolution}, in {}", root().display()))?;
    }
    Ok(())
}
