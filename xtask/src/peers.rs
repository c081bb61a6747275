//! `cargo xtask size --peers`: what a chat loads with us, and with the clients of other services.

use crate::project::Project;
use crate::repository::root;
use crate::size::{self, Loaded};
use crate::{client, setup};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Their pinned versions, and a chat with each.
#[must_use]
pub fn folder() -> PathBuf {
    root().join("client-sdk/peers")
}

struct Peer {
    package: &'static str,
    /// Of `chat/`, and in the table.
    chat: &'static str,
    has: &'static str,
    lacks: &'static str,
}

const OURS_HAS: &str = "recovery from a position with gaps told, live members, history, edits, reactions, shared \
state, calls, acknowledged publishes that are sent again under their key, a fallback transport, typed events and errors";
const OURS_LACKS: &str = "end-to-end encryption, delta compression, push notifications";

const PEERS: [Peer; 5] = [
    Peer {
        package: "pusher-js",
        chat: "pusher-js",
        has: "live members, watchlists, fallback transports",
        lacks: "recovery of what was missed, history, acknowledged publishes; errors are events without a type",
    },
    Peer {
        package: "centrifuge",
        chat: "centrifuge",
        has: "recovery from a position with failures told, history, presence on request, calls, acknowledged \
publishes, errors with codes, delta compression, fallback transports",
        lacks: "a live member list, edits, keys against publishing twice",
    },
    Peer {
        package: "partysocket",
        chat: "partysocket",
        has: "a socket that reconnects and buffers what is sent, for any server",
        lacks: "everything above a socket: recovery, members, history, acknowledgements, errors",
    },
    Peer {
        package: "ably",
        chat: "ably",
        has: "recovery within two minutes with failures told, live members, history, edits, acknowledged publishes, \
errors with codes, MessagePack, fallback hosts, encryption, REST client",
        lacks: "typed events; delta compression is a package of its own",
    },
    Peer {
        package: "ably",
        chat: "ably-modular",
        has: "of the same what a chat needs: recovery, live members, history, acknowledged publishes, errors with codes",
        lacks: "typed events; MessagePack and encryption are further plugins",
    },
];

/// One line of the table; sizes in bytes, compressed.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    version: String,
    script: u64,
    module: u64,
    total: u64,
    has: &'static str,
    lacks: &'static str,
}

/// Installs the peers where they are missing, bundles a chat with each, and prints the table or its JSON.
pub fn run(project: &Project, json: bool) -> Result<()> {
    setup::run(project)?;
    setup::packages(&folder())?;
    let rows = rows()?;
    if json {
        println!("{}", serde_json::to_string(&rows).context("cannot write the table as JSON")?);
        return Ok(());
    }
    println!("A chat, minified and compressed with gzip -9, in bytes:\n");
    println!("{:<16} {:>8} {:>8} {:>8} {:>8}", "", "version", "script", "module", "total");
    for Row { name, version, script, module, total, .. } in &rows {
        println!("{name:<16} {version:>8} {script:>8} {module:>8} {total:>8}");
    }
    for Row { name, has, lacks, .. } in &rows {
        println!("\n{name}\n  has:  {has}\n  not:  {lacks}");
    }
    Ok(())
}

fn rows() -> Result<Vec<Row>> {
    let ours = size::chat()?;
    let version = version_of(&client::package().join("package.json"))?;
    let mut rows = vec![row("@roomcast/client", version, ours, OURS_HAS, OURS_LACKS)];
    for Peer { package, chat, has, lacks } in PEERS {
        let script = size::bundled(&format!("client-sdk/peers/chat/{chat}.js"), &format!("{chat}.js"))?;
        let installed = folder().join("node_modules").join(package).join("package.json");
        let loaded = Loaded { script, module: 0 };
        rows.push(row(chat, version_of(&installed)?, loaded, has, lacks));
    }
    Ok(rows)
}

fn row(name: &'static str, version: String, loaded: Loaded, has: &'static str, lacks: &'static str) -> Row {
    let Loaded { script, module } = loaded;
    Row { name, version, script, module, total: loaded.total(), has, lacks }
}

/// As a `package.json` states it.
fn version_of(package: &Path) -> Result<String> {
    #[derive(Deserialize)]
    struct Package {
        version: String,
    }
    let text =
        std::fs::read_to_string(package).with_context(|| format!("cannot read {}", package.display()))?;
    let Package { version } =
        serde_json::from_str(&text).with_context(|| format!("{} is no package.json", package.display()))?;
    Ok(version)
}
