//! JavaScript joined with esbuild: the Worker and the demo.

use crate::process::{command, run_quiet};
use crate::repository::{npm_tool, root};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Joins a Worker's entry, which imports `gateway-wasm`, with the glue in `glue` into `index.js` beside the module in `worker`.
pub fn worker(entry: &Path, glue: &Path, worker: &Path, minify: bool) -> Result<()> {
    let next = worker.with_extension("next");
    std::fs::create_dir_all(&next).with_context(|| format!("cannot make {}", next.display()))?;
    let mut esbuild = command(npm_tool("esbuild"));
    esbuild
        .current_dir(root())
        .arg(entry)
        .args(["--bundle", "--format=esm", "--log-level=warning", "--legal-comments=none"])
        .args(["--external:cloudflare:*", "--external:./index_bg.wasm"])
        .arg(format!("--alias:gateway-wasm={}", glue.join("index.js").display()))
        .arg(format!("--outfile={}", next.join("index.js").display()))
        .arg(format!("--metafile={}", metafile(worker).display()));
    if minify {
        esbuild.arg("--minify");
    }
    run_quiet(&mut esbuild)?;
    import_plainly(&next.join("index.js"))?;
    std::fs::copy(glue.join("index_bg.wasm"), next.join("index_bg.wasm"))
        .context("cannot copy the module to the bundle")?;
    // In one step, or a gateway that restarts meanwhile would see half of it.
    if worker.exists() {
        std::fs::remove_dir_all(worker).context("cannot remove the bundle before")?;
    }
    std::fs::rename(&next, worker).context("cannot put the bundle in its place")
}

/// Every class that `wrangler.toml` binds comes out of the bundle, and no other: one that does not would vanish
/// silently.
pub fn check_classes(worker: &Path, classes: &BTreeSet<&str>) -> Result<()> {
    let exported = exports(&metafile(worker))?;
    for class in classes {
        ensure!(exported.contains(*class), "the class {class} is bound, and the bundle does not export it");
    }
    ensure!(exported.contains("default"), "the bundle exports no default handler");
    for class in exported.iter().filter(|name| *name != "default") {
        ensure!(
            classes.contains(class.as_str()),
            "durable_objects.bindings: the bundle exports the class {class}, and no binding names it"
        );
    }
    Ok(())
}

/// esbuild's account of the bundle.
fn metafile(worker: &Path) -> PathBuf {
    worker.with_extension("meta.json")
}

/// workerd gives a compiled module to a plain import too, and does not know `import source`.
fn import_plainly(bundle: &Path) -> Result<()> {
    let text = std::fs::read_to_string(bundle).context("cannot read the bundle")?;
    std::fs::write(bundle, text.replacen("import source ", "import ", 1)).context("cannot write the bundle")
}

fn exports(metafile: &Path) -> Result<BTreeSet<String>> {
    let text = std::fs::read_to_string(metafile).context("cannot read esbuild's account of the bundle")?;
    let meta: Value = serde_json::from_str(&text).context("esbuild's account of the bundle")?;
    let outputs = meta["outputs"].as_object().context("esbuild names no outputs")?;
    let names = outputs.values().filter_map(|output| output["exports"].as_array()).flatten();
    Ok(names.filter_map(Value::as_str).map(str::to_owned).collect())
}
