//! The sizes of what is shipped, as they are and compressed as they travel.

use crate::process::run_quiet;
use crate::repository::{build_directory, root};
use anyhow::{Context as _, Result};
use std::path::Path;

const SHIPPED: [(&str, &str); 6] = [
    ("gateway, module", "build/worker/index_bg.wasm"),
    ("gateway, script", "build/worker/index.js"),
    ("client, module", "client-sdk/ts/dist/client_sdk_bg.wasm"),
    ("demo, script", "build/demo/main.js"),
    ("demo, page", "build/demo/index.html"),
    ("demo, style", "build/demo/style.css"),
];

pub fn run() -> Result<()> {
    if !build_directory().exists() {
        crate::process::say("nothing is built: run `cargo xtask build`");
        return Ok(());
    }
    println!("{:<18} {:>9} {:>9}", "", "bytes", "gzip");
    for (name, path) in SHIPPED {
        let file = root().join(path);
        if file.exists() {
            let bytes = file.metadata().with_context(|| format!("cannot look at {path}"))?.len();
            println!("{name:<18} {bytes:>9} {:>9}", gzipped(&file)?);
        }
    }
    Ok(())
}

fn gzipped(file: &Path) -> Result<u64> {
    // Node is there anyway, and its zlib is what most servers compress with.
    let script = "console.log(require('zlib').gzipSync(require('fs').readFileSync(process.argv[1]), {level: 9}).length)";
    let printed = run_quiet(crate::process::command("node").args(["--eval", script, "--"]).arg(file))?;
    printed.trim().parse().with_context(|| format!("node printed {printed:?}"))
}
