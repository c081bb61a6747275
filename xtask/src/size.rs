//! The sizes of what is shipped, as they are and compressed as they travel.

use crate::client;
use crate::process::{command, run_quiet};
use crate::repository::{build_directory, npm_tool, root};
use anyhow::{Context as _, Result, ensure};
use std::path::Path;

/// What a page loads to be a chat, script and module, compressed: at most so many bytes.
pub const CHAT_BYTES_MAX: u64 = 45_000;

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
    println!("{:<18} {:>9} {:>9}", "a chat, all of it", "", chat()?.total());
    Ok(())
}

/// What a page loads, in bytes, compressed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loaded {
    pub(crate) script: u64,
    pub(crate) module: u64,
}

impl Loaded {
    pub(crate) fn total(self) -> u64 {
        self.script + self.module
    }
}

/// # Errors
/// Where a chat is larger than [`CHAT_BYTES_MAX`].
pub fn check_chat() -> Result<()> {
    let bytes = chat()?.total();
    ensure!(bytes <= CHAT_BYTES_MAX, "a chat has {bytes} bytes compressed, and may have {CHAT_BYTES_MAX}");
    Ok(())
}

/// `client-sdk/ts/size/chat.js` as a page loads it: minified with the package, and the module.
pub(crate) fn chat() -> Result<Loaded> {
    client::build()?;
    let script = bundled("client-sdk/ts/size/chat.js", "chat.js")?;
    Ok(Loaded { script, module: gzipped(&client::package().join("dist/client_sdk_bg.wasm"))? })
}

/// The compressed bytes of a script with all that it imports, minified into `build/size/<name>`.
pub(crate) fn bundled(entry: &str, name: &str) -> Result<u64> {
    let bundle = build_directory().join("size").join(name);
    bundle_into(entry, &bundle, &["--minify"])?;
    gzipped(&bundle)
}

/// Bundles a script of the repository that imports `@roomcast/client`, which has been built.
pub(crate) fn bundle_into(entry: &str, bundle: &Path, more: &[&str]) -> Result<()> {
    let mut esbuild = command(npm_tool("esbuild"));
    esbuild
        .current_dir(root())
        .arg(entry)
        .args(["--bundle", "--format=esm", "--target=es2022", "--log-level=warning", "--legal-comments=none"])
        .args(more)
        .arg(format!("--alias:@roomcast/client={}", client::package().join("dist/index.js").display()))
        .arg(format!("--outfile={}", bundle.display()));
    run_quiet(&mut esbuild).map(drop)
}

fn gzipped(file: &Path) -> Result<u64> {
    // Node is there anyway, and its zlib is what most servers compress with.
    let script = "console.log(require('zlib').gzipSync(require('fs').readFileSync(process.argv[1]), {level: 9}).length)";
    let printed = run_quiet(command("node").args(["--eval", script, "--"]).arg(file))?;
    printed.trim().parse().with_context(|| format!("node printed {printed:?}"))
}
