//! A real workerd on a data directory of its own, and what a test asks of it.

use crate::client::{Client, Upgrade};
use crate::config::{Rates, overlay};
use crate::http::Call;
use crate::keys;
use crate::observer::History;
use crate::wire::Codec;
use anyhow::{Context as _, Result, bail, ensure};
use hyper::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use xtask::secrets::{DEV_API_KEY, Secrets};
use xtask::workerd::{Neighbour, Options, Workerd};

/// The class of a room's object, as `wrangler.toml` binds it.
const ROOM_CLASS: &str = "Room";

/// A gateway that runs, or that was stopped and can be started again on the same data.
#[derive(Debug)]
pub struct Server {
    workerd: Option<Workerd>,
    build: PathBuf,
    directory: TempDir,
    authority: String,
    /// Beside the keys, which are always the same.
    secrets: Secrets,
    neighbours: Vec<Neighbour>,
}

impl Server {
    /// With the configuration as it is shipped, but without bounds on rates.
    pub async fn start() -> Result<Server> {
        Server::with("").await
    }

    /// With `changes` (TOML relative to `[vars.roomcast]`) laid over the shipped configuration, and without bounds
    /// on rates where they set none.
    pub async fn with(changes: &str) -> Result<Server> {
        let mut server = Server::prepared(changes)?;
        server.start_again(0).await?;
        Ok(server)
    }

    /// With `changes` laid over the shipped configuration, whose rates bind.
    pub async fn with_rates(changes: &str) -> Result<Server> {
        let mut server = Server::not_started(build_directory()?, changes, Rates::AsShipped)?;
        server.start_again(0).await?;
        Ok(server)
    }

    /// As [`Server::with`], on the module that has faults on command.
    pub async fn with_faults(changes: &str) -> Result<Server> {
        let mut server = Server::not_yet_with_faults(changes)?;
        server.start_again(0).await?;
        Ok(server)
    }

    /// As [`Server::with`], with one more secret.
    pub async fn with_secret(changes: &str, name: &str, value: String) -> Result<Server> {
        let mut server = Server::prepared(changes)?;
        server.set_secret(name, value);
        server.start_again(0).await?;
        Ok(server)
    }

    /// For the next start.
    pub fn set_secret(&mut self, name: &str, value: String) {
        self.secrets.insert(name.to_owned(), value);
    }

    /// With one more Worker beside it, for the next start.
    pub fn add_neighbour(&mut self, neighbour: Neighbour) {
        self.neighbours.push(neighbour);
    }

    /// The `host:port` of a Worker beside it.
    pub fn neighbour(&self, name: &str) -> Result<String> {
        let url = self.workerd.as_ref().and_then(|workerd| workerd.neighbour_url(name));
        Ok(url
            .with_context(|| format!("no Worker is called {name}"))?
            .trim_start_matches("http://")
            .to_owned())
    }

    /// As [`Server::with_faults`], not started yet.
    pub fn not_yet_with_faults(changes: &str) -> Result<Server> {
        Server::not_started(faults_directory()?, changes, Rates::Off)
    }

    /// As [`Server::with`], not started yet: its data directory may be filled first.
    pub fn prepared(changes: &str) -> Result<Server> {
        Server::not_started(build_directory()?, changes, Rates::Off)
    }

    fn not_started(build: PathBuf, changes: &str, rates: Rates) -> Result<Server> {
        let mut directory = tempfile::Builder::new();
        // For a look at workerd.log and the databases afterwards.
        directory.prefix("roomcast-test-").disable_cleanup(std::env::var_os("ROOMCAST_TEST_KEEP").is_some());
        let directory = directory.tempdir()?;
        let shipped = repository().join("wrangler.toml");
        let shipped =
            std::fs::read_to_string(&shipped).with_context(|| format!("read {}", shipped.display()))?;
        std::fs::write(directory.path().join("wrangler.toml"), overlay(&shipped, changes, rates)?)?;
        Ok(Server {
            workerd: None,
            build,
            directory,
            authority: String::new(),
            secrets: Secrets::new(),
            neighbours: Vec::new(),
        })
    }

    /// Starts on the data that is there; port 0 is any.
    pub async fn start_again(&mut self, port: u16) -> Result<()> {
        ensure!(self.workerd.is_none(), "the server runs");
        let mut secrets = Secrets::from([
            ("ROOMCAST_KEYS".to_owned(), keys::configured()),
            ("ROOMCAST_API_KEYS".to_owned(), keys::api_keys()),
        ]);
        secrets.extend(self.secrets.clone());
        let options = Options {
            build: self.build.clone(),
            config: self.directory.path().join("wrangler.toml"),
            data: self.data(),
            port,
            secrets,
            control: true,
            neighbours: self.neighbours.clone(),
            ..Options::default()
        };
        let workerd = tokio::task::spawn_blocking(move || Workerd::start(&options)).await??;
        let url = workerd.url();
        self.authority = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        self.workerd = Some(workerd);
        Ok(())
    }

    /// `kill -9`, at once.
    pub async fn kill(&mut self) -> Result<()> {
        let mut workerd = self.workerd.take().context("the server runs")?;
        tokio::task::spawn_blocking(move || workerd.kill()).await??;
        Ok(())
    }

    /// The graceful end.
    pub async fn stop(&mut self) -> Result<()> {
        let mut workerd = self.workerd.take().context("the server runs")?;
        tokio::task::spawn_blocking(move || workerd.stop()).await??;
        Ok(())
    }

    /// `host:port`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.authority.rsplit(':').next().and_then(|port| port.parse().ok()).expect("the address has a port")
    }

    /// Runs a script of `tests/node` on this server, and expects that it ends with 0.
    pub async fn node(&self, script: &str) -> Result<()> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("node").join(script);
        let mut node = tokio::process::Command::new("node");
        node.arg(script).arg(format!("http://{}/", self.authority)).kill_on_drop(true);
        let ended =
            tokio::time::timeout(crate::DEADLINE * 4, node.output()).await.context("it never ends")??;
        ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        Ok(())
    }

    /// `ws://host:port`.
    #[must_use]
    pub fn ws(&self) -> String {
        format!("ws://{}", self.authority)
    }

    /// Where to connect to `room`, which goes into the path as it is.
    #[must_use]
    pub fn connect_url(&self, room: &str) -> String {
        format!("{}/v1/rooms/{room}/connect", self.ws())
    }

    #[must_use]
    pub fn get(&self, path: &str) -> Call {
        Call::new(&self.authority, Method::GET, path)
    }

    #[must_use]
    pub fn post(&self, path: &str) -> Call {
        Call::new(&self.authority, Method::POST, path)
    }

    #[must_use]
    pub fn call(&self, method: Method, path: &str) -> Call {
        Call::new(&self.authority, method, path)
    }

    /// A good token for `sub` with these `rooms`, from the development server.
    pub async fn mint(&self, sub: &str, rooms: &Value, ttl_s: u32) -> Result<String> {
        self.mint_with(json!({ "sub": sub, "rooms": rooms, "ttl": ttl_s })).await
    }

    pub async fn mint_with(&self, request: Value) -> Result<String> {
        let answer = self.post("/dev/token").json(&request).send().await?.ok()?;
        Ok(answer["token"].as_str().with_context(|| format!("no token in {answer}"))?.to_owned())
    }

    /// The whole log of `room`, read page by page with the API key.
    pub async fn history(&self, room: &str) -> Result<History> {
        let mut history = History::default();
        let mut after = 0;
        loop {
            let path = format!("/v1/rooms/{room}/messages?after={after}&limit=200");
            let page = self.get(&path).bearer(&self.api_key()).send().await?.ok()?;
            history.add_page(&page)?;
            match &page["next"] {
                Value::Null => return Ok(history),
                next => {
                    let next = next.as_u64().with_context(|| format!("next is an offset: {next}"))?;
                    ensure!(next > after, "paging stands still at {next}");
                    after = next;
                }
            }
        }
    }

    /// The member set of `room` as `GET …/members` tells it.
    pub async fn members(&self, room: &str) -> Result<Value> {
        let path = format!("/v1/rooms/{room}/members");
        self.get(&path).bearer(&self.api_key()).send().await?.ok()
    }

    /// Publishes with the API key.
    pub async fn publish(&self, room: &str, body: &Value) -> Result<Value> {
        let path = format!("/v1/rooms/{room}/publish");
        self.post(&path).bearer(&self.api_key()).json(body).send().await?.ok()
    }

    /// A key for the HTTP API with every scope.
    #[must_use]
    pub fn api_key(&self) -> String {
        DEV_API_KEY.to_owned()
    }

    /// Puts the object of `room` to sleep at once, as ten idle seconds would, if it does not sleep already.
    pub async fn evict(&self, room: &str) -> Result<()> {
        let control = self.workerd.as_ref().and_then(Workerd::control_url).context("a control port")?;
        let authority = control.trim_start_matches("http://");
        let path = format!("/evict/{ROOM_CLASS}?name=default/{room}");
        let answer = Call::new(authority, Method::POST, &path).send().await?;
        let slept = answer.text().contains("not currently running");
        ensure!(slept || answer.status == 200, "evict {room}: {} {}", answer.status, answer.text());
        Ok(())
    }

    /// Arms a fault (`trap_on_message 1`) in the process of `room`; for [`Server::with_faults`].
    pub async fn arm(&self, room: &str, fault: &str) -> Result<()> {
        let answer = self.post(&format!("/dev/fault/{room}")).body(fault.to_owned()).send().await?;
        // Under load it may strike before its order is confirmed.
        let is_armed = answer.status == 200 || answer.status >= 500;
        ensure!(is_armed, "no faults in {}: {}", self.build.display(), answer.text());
        Ok(())
    }

    /// The databases of all rooms that were ever touched.
    pub fn databases(&self) -> Result<BTreeSet<PathBuf>> {
        let mut found = BTreeSet::new();
        let mut open = vec![self.data()];
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
                let path = entry?.path();
                if path.is_dir() {
                    open.push(path);
                } else if is_room(&path) {
                    found.insert(path);
                }
            }
        }
        Ok(found)
    }

    /// How many rooms are awake: workerd holds an object's database open exactly as long.
    pub fn awake(&self) -> Result<usize> {
        let pid = self.workerd.as_ref().map(Workerd::pid).context("the server runs")?;
        let mut open = BTreeSet::new();
        for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
            // A descriptor may be gone by the time one looks at it.
            if let Ok(path) = std::fs::read_link(entry?.path())
                && is_room(&path)
            {
                open.insert(path);
            }
        }
        Ok(open.len())
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.workerd.as_ref().map(Workerd::pid)
    }

    /// The memory of the process that is in use, in bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        let pid = self.pid().context("the server runs")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().context("VmRSS in kB")?;
        Ok(kib * 1024)
    }

    /// Someone about to connect to `room`; all rights there unless told otherwise.
    #[must_use]
    pub fn visit<'a>(&'a self, room: &'a str, user: &'a str) -> Visit<'a> {
        Visit {
            server: self,
            room,
            user,
            codec: Codec::Json,
            rights: json!(["join", "publish", "presence", "history"]),
            claims: json!({}),
            hello: json!({}),
            session: None,
        }
    }
}

/// A user's way into a room.
#[derive(Clone, Debug)]
pub struct Visit<'a> {
    server: &'a Server,
    room: &'a str,
    user: &'a str,
    codec: Codec,
    rights: Value,
    claims: Value,
    hello: Value,
    session: Option<String>,
}

impl Visit<'_> {
    #[must_use]
    pub fn codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// The capabilities in this room, instead of join, publish, presence and history.
    #[must_use]
    pub fn rights(mut self, rights: Value) -> Self {
        self.rights = rights;
        self
    }

    /// More claims for the token: `info`, `tags`.
    #[must_use]
    pub fn claims(mut self, claims: Value) -> Self {
        self.claims = claims;
        self
    }

    /// Fields of the hello beside `session`.
    #[must_use]
    pub fn hello(mut self, hello: Value) -> Self {
        self.hello = hello;
        self
    }

    /// Returns as this session instead of as a new one.
    #[must_use]
    pub fn session(mut self, session: &str) -> Self {
        self.session = Some(session.to_owned());
        self
    }

    pub async fn token(&self) -> Result<String> {
        let mut request = json!({ "sub": self.user, "rooms": { self.room: self.rights }, "ttl": 3600 });
        let (Value::Object(fields), Value::Object(more)) = (&mut request, self.claims.clone()) else {
            bail!("claims are an object")
        };
        fields.extend(more);
        self.server.mint_with(request).await
    }

    /// Connected, hello not yet said.
    pub async fn connect(self) -> Result<Client> {
        let token = self.token().await?;
        let upgrade = Upgrade::new(self.server.connect_url(self.room), self.codec, Some(&token));
        let mut client = upgrade.connect(self.codec).await?;
        if let Some(session) = self.session {
            client.session = session;
        }
        Ok(client)
    }

    /// Connected and welcomed.
    pub async fn join(mut self) -> Result<Client> {
        let hello = self.hello.take();
        let mut client = self.connect().await?;
        client.hello(hello).await?;
        Ok(client)
    }
}

/// A room's database is named by the object's id: 64 hex digits, in the directory of the class.
fn is_room(path: &Path) -> bool {
    let is_of_class = path.parent().is_some_and(|class| class.ends_with(format!("roomcast-{ROOM_CLASS}")));
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let extension = path.extension().and_then(|extension| extension.to_str());
    is_of_class
        && extension == Some("sqlite")
        && stem.len() == 64
        && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    xtask::repository::root()
}

/// The built module: `build/`, or what `ROOMCAST_BUILD` names.
pub fn build_directory() -> Result<PathBuf> {
    let build = std::env::var_os("ROOMCAST_BUILD").map_or_else(|| repository().join("build"), PathBuf::from);
    let module = build.join("worker/index.js");
    ensure!(module.is_file(), "no built gateway at {}: run `cargo xtask build`", build.display());
    Ok(build)
}

/// The module with faults on command: `faults/` in the build directory, or that directory itself.
fn faults_directory() -> Result<PathBuf> {
    let build = build_directory()?;
    let faults = build.join("faults");
    Ok(if faults.join("worker/index.js").is_file() { faults } else { build })
}
