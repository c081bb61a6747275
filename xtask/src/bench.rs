//! `cargo xtask bench`: the release build beside a minimal JavaScript object, on the same workerd, in one run.

use crate::build::{self, Mode};
use crate::process::{cargo, run, step};
use crate::project::Project;
use crate::repository::{build_directory, root};
use crate::setup;
use crate::workerd::{Options, Workerd, binary};
use anyhow::{Context as _, Result, bail};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PEER_READY_WITHIN: Duration = Duration::from_secs(20);
const PEER_SCRIPT: &str = "tests/bench/peers/js-object.js";

/// Arguments behind `cargo xtask bench` go to the load generator as they are.
pub fn run_bench(project: &Project, arguments: &[String]) -> Result<()> {
    setup::run(project)?;
    build::run(project, Mode::Release)?;
    step("compile the load generator", || {
        run(cargo().args(["build", "--quiet", "--release", "--package", "bench"]))
    })?;
    let data = build_directory().join("bench");
    if data.exists() {
        std::fs::remove_dir_all(&data).context("cannot remove the rooms of the bench before")?;
    }
    let gateway = Workerd::start(&Options { data: data.join("rooms"), demo: false, ..Options::default() })?;
    let peer = Peer::start(&data.join("peer"))?;
    let mut load = cargo();
    load.args(["run", "--quiet", "--release", "--package", "bench", "--"]);
    load.args(["--gateway", &format!("127.0.0.1:{}", gateway.port())]);
    load.args(["--peer", &format!("127.0.0.1:{}", peer.port)]);
    run(load.args(arguments))
}

/// Killed when dropped.
struct Peer {
    child: Child,
    port: u16,
}

impl Peer {
    fn start(directory: &Path) -> Result<Peer> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let objects = directory.join("objects");
        std::fs::create_dir_all(&objects)?;
        std::fs::copy(root().join(PEER_SCRIPT), directory.join("peer.js"))
            .context("cannot copy the peer's script")?;
        let config = directory.join("config.capnp");
        std::fs::write(&config, configuration(port, &objects.display().to_string()))?;
        let mut command = Command::new(binary()?);
        command.args(["serve", "--experimental"]).arg(&config).stdin(Stdio::null()).stdout(Stdio::null());
        let mut peer = Peer { child: command.spawn().context("cannot start the peer")?, port };
        peer.wait_until_ready()?;
        Ok(peer)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let began = Instant::now();
        while !self.answers() {
            if let Some(status) = self.child.try_wait()? {
                bail!("the peer ended with {status}");
            }
            if began.elapsed() > PEER_READY_WITHIN {
                bail!("the peer did not answer within {PEER_READY_WITHIN:?}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn answers(&self) -> bool {
        let ask = || -> std::io::Result<bool> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(b"GET / HTTP/1.1\r\nhost: peer\r\nconnection: close\r\n\r\n")?;
            let mut answer = [0; 12];
            stream.read_exact(&mut answer)?;
            Ok(answer == *b"HTTP/1.1 200")
        };
        ask().unwrap_or(false)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The same compatibility date and flags as the shipped wrangler.toml.
fn configuration(port: u16, objects: &str) -> String {
    format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "disk", disk = (path = "{objects}", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:{port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "peer.js", esModule = embed "peer.js")],
  compatibilityDate = "2026-11-01",
  compatibilityFlags = ["no_web_socket_compression"],
  durableObjectNamespaces = [
    (className = "Room", uniqueKey = "room", enableSql = true),
    (className = "StoringRoom", uniqueKey = "storing-room", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "ROOMS", durableObjectNamespace = "Room"),
    (name = "STORING_ROOMS", durableObjectNamespace = "StoringRoom"),
  ],
);
"#
    )
}
