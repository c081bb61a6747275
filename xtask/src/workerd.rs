//! One workerd process, serving a built gateway from `wrangler.toml` on a data directory of its own.
//!
//! The data directory holds the objects' databases (`objects/`), the signing key, the log, and what the process
//! is started from (`run/`). One process at a time: a lock on the directory sees to it.

mod configuration;

use crate::project::Project;
use crate::secrets::{Secrets, with_stand_ins};
use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// From the start of the process to an answer at `/healthz`.
const READY_DEADLINE: Duration = Duration::from_secs(30);
/// From SIGTERM to SIGKILL: workerd waits for open sockets for ever.
const STOP_DEADLINE: Duration = Duration::from_secs(4);
const POLL: Duration = Duration::from_millis(10);
/// Below this many file descriptors a warning is due: each socket takes two, each active room three, and running
/// out ends the process.
const FILES_MIN: u64 = 8192;

/// What to run. `Options { data, ..Options::default() }` runs the built gateway on any free port.
#[derive(Clone, Debug)]
pub struct Options {
    /// What `cargo xtask build` filled.
    pub build: PathBuf,
    /// A `wrangler.toml`.
    pub config: PathBuf,
    pub data: PathBuf,
    /// On 127.0.0.1; 0 is any free one.
    pub port: u16,
    /// `ROOMCAST_KEYS` and the like; those not given get the stand-ins of [`crate::secrets`].
    pub secrets: Secrets,
    /// Whether `build/demo` is served, where it is built.
    pub demo: bool,
    /// Opens a second port on which `POST /evict/<class>?name=<object name>` puts an object to sleep at once, as
    /// 10 s of silence would.
    pub control: bool,
    pub log: Log,
    /// Other Workers in the same process, which bind this one or its objects.
    pub neighbours: Vec<Neighbour>,
}

/// A Worker beside the gateway, on a port of its own.
#[derive(Clone, Debug)]
pub struct Neighbour {
    /// Of its port: [`Workerd::neighbour_url`].
    pub name: String,
    /// With `index.js`, and `index_bg.wasm` where it has one.
    pub worker: PathBuf,
    /// Its `wrangler.toml`.
    pub config: PathBuf,
}

/// Where the process's output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// `workerd.log` in the data directory, appended to.
    File,
    /// Our standard error.
    Inherit,
}

impl Default for Options {
    fn default() -> Self {
        Options::in_folder(&crate::repository::root())
    }
}

impl Options {
    /// What a project built, with its own configuration and data, on any free port.
    #[must_use]
    pub fn of(project: &Project) -> Options {
        Options::in_folder(project.root())
    }

    /// The same of the project in this folder.
    #[must_use]
    pub fn in_folder(root: &Path) -> Options {
        Options {
            build: root.join("build"),
            config: root.join("wrangler.toml"),
            data: root.join(".roomcast"),
            port: 0,
            secrets: Secrets::new(),
            demo: true,
            control: false,
            log: Log::File,
            neighbours: Vec::new(),
        }
    }
}

/// A process that answers. Dropping it kills it.
#[derive(Debug)]
pub struct Workerd {
    child: Child,
    ports: Ports,
    /// Held as long as the process may run.
    _lock: File,
}

#[derive(Clone, Debug, Default)]
struct Ports {
    http: u16,
    control: Option<u16>,
    neighbours: BTreeMap<String, u16>,
}

impl Workerd {
    /// Starts a process and returns once `GET /healthz` answers.
    pub fn start(options: &Options) -> Result<Workerd> {
        let deadline = Instant::now() + READY_DEADLINE;
        let data = Data::open(&options.data)?;
        let secrets = with_stand_ins(options.secrets.clone(), &data.root)?;
        configuration::write(options, &data.root, &secrets)?;
        raise_file_limit();
        ensure_port_is_free(options.port)?;
        let mut command = Command::new(binary()?);
        command
            .args(["serve", "--experimental", "--control-fd=1"])
            .arg(configuration::path(&data.root))
            .envs(&secrets)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let log_start = data.log_length();
        if options.log == Log::File {
            command.stderr(data.open_log()?);
        }
        let child = command.spawn().context("cannot start workerd")?;
        let Data { lock, root } = data;
        let mut workerd = Workerd { child, ports: Ports::default(), _lock: lock };
        std::fs::write(root.join("workerd.pid"), workerd.pid().to_string())
            .context("cannot write workerd.pid")?;
        let events = workerd.follow_output(options.log, &root)?;
        workerd.wait_until_ready(&events, options, deadline).map_err(|error| {
            let log = match options.log {
                Log::File => read_from(&root.join("workerd.log"), log_start),
                Log::Inherit => String::new(),
            };
            error.context(format!("workerd did not come up\n{}", crate::process::tail(&log)))
        })?;
        Ok(workerd)
    }

    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.ports.http
    }

    /// `http://127.0.0.1:<port>` of the control port, where [`Options::control`] asked for one.
    #[must_use]
    pub fn control_url(&self) -> Option<String> {
        self.ports.control.map(|port| format!("http://127.0.0.1:{port}"))
    }

    /// `http://127.0.0.1:<port>` of a neighbour, if it is there.
    #[must_use]
    pub fn neighbour_url(&self, name: &str) -> Option<String> {
        self.ports.neighbours.get(name).map(|port| format!("http://127.0.0.1:{port}"))
    }

    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How the process ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot ask after workerd")
    }

    /// SIGKILL, at once.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().context("cannot kill workerd")?;
        self.child.wait().context("cannot wait for workerd")?;
        Ok(())
    }

    /// SIGTERM, and SIGKILL for one that does not end within 4 s.
    pub fn stop(&mut self) -> Result<()> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("cannot signal workerd")?;
        let deadline = Instant::now() + STOP_DEADLINE;
        while Instant::now() < deadline {
            if self.ended()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
        self.kill()
    }

    /// Passes the output on, and the ports that the process says it listens on.
    fn follow_output(&mut self, log: Log, data: &Path) -> Result<Receiver<(String, u16)>> {
        let output = self.child.stdout.take().context("workerd's output is piped")?;
        let mut sink: Box<dyn std::io::Write + Send> = match log {
            Log::File => Box::new(append(&data.join("workerd.log"))?),
            Log::Inherit => Box::new(std::io::stderr()),
        };
        let (sender, receiver) = channel();
        std::thread::spawn(move || copy_output(output, &mut *sink, &sender));
        Ok(receiver)
    }

    fn wait_until_ready(
        &mut self,
        events: &Receiver<(String, u16)>,
        options: &Options,
        deadline: Instant,
    ) -> Result<()> {
        let is_listening = |ports: &Ports| {
            let has_control = options.control == ports.control.is_some();
            ports.http != 0 && has_control && options.neighbours.len() == ports.neighbours.len()
        };
        while !is_listening(&self.ports) {
            match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok((socket, port)) if socket == "http" => self.ports.http = port,
                Ok((socket, port)) if socket == "control" => self.ports.control = Some(port),
                Ok((socket, port)) => drop(self.ports.neighbours.insert(socket, port)),
                Err(RecvTimeoutError::Timeout) => bail!("it opened no port within {READY_DEADLINE:?}"),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait().context("cannot wait for workerd")?;
                    bail!("it ended with {status}");
                }
            }
        }
        loop {
            let answer = health(self.port());
            match answer {
                Ok(200) => return Ok(()),
                _ if self.ended()?.is_some() => bail!("it ended while starting"),
                answer if Instant::now() > deadline => {
                    let answer = answer.map_or_else(|error| error.to_string(), |status| status.to_string());
                    bail!("GET /healthz does not answer 200 but {answer}");
                }
                _ => std::thread::sleep(POLL),
            }
        }
    }
}

/// Whether a gateway could start, asked ahead of a long build: the directory is nobody's, the port is free.
pub fn ensure_startable(data: &Path, port: u16) -> Result<()> {
    Data::open(data)?;
    ensure_port_is_free(port)
}

impl Drop for Workerd {
    fn drop(&mut self) {
        if self.kill().is_err() {
            crate::process::say(format_args!("cannot kill workerd, process {}", self.pid()));
        }
    }
}

/// The data directory, locked.
struct Data {
    root: PathBuf,
    lock: File,
}

impl Data {
    fn open(path: &Path) -> Result<Data> {
        let cannot_make = || format!("cannot make the data directory {}", path.display());
        for part in ["objects", "run"] {
            std::fs::create_dir_all(path.join(part)).with_context(cannot_make)?;
        }
        let root = path.canonicalize().with_context(cannot_make)?;
        let lock = File::create(root.join("lock")).with_context(cannot_make)?;
        if lock.try_lock().is_err() {
            bail!("{} is in use by another gateway", root.display());
        }
        end_orphan(&root)?;
        Ok(Data { root, lock })
    }

    fn log_length(&self) -> u64 {
        std::fs::metadata(self.root.join("workerd.log")).map_or(0, |metadata| metadata.len())
    }

    fn open_log(&self) -> Result<File> {
        append(&self.root.join("workerd.log"))
    }
}

/// Ends the process of an xtask that was itself killed: it would go on writing to the same databases.
fn end_orphan(data: &Path) -> Result<()> {
    let Ok(text) = std::fs::read_to_string(data.join("workerd.pid")) else { return Ok(()) };
    let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) else { return Ok(()) };
    let is_ours = || {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(&*configuration::path(data).to_string_lossy())
    };
    if is_ours() {
        crate::process::say(format_args!("ending workerd {pid}, left behind on {}", data.display()));
        kill_process(pid, Signal::KILL).context("cannot kill it")?;
        let deadline = Instant::now() + STOP_DEADLINE;
        while is_ours() {
            ensure!(Instant::now() < deadline, "workerd {pid} does not end");
            std::thread::sleep(POLL);
        }
    }
    Ok(())
}

fn append(path: &Path) -> Result<File> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.with_context(|| format!("cannot open {}", path.display()))
}

fn read_from(path: &Path, start: u64) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(bytes.get(start as usize..).unwrap_or_default()).into_owned()
}

/// The real binary of the npm package; its launcher would need Node and would stand between us and the process.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("ROOMCAST_WORKERD") {
        return Ok(path.into());
    }
    let os = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "64" };
    let package = format!("node_modules/@cloudflare/workerd-{os}-{architecture}/bin/workerd");
    let path = crate::repository::root().join(package);
    ensure!(path.is_file(), "no workerd at {}: run `cargo xtask setup`", path.display());
    Ok(path)
}

/// workerd's own refusal of a taken port is a page of stack trace.
fn ensure_port_is_free(port: u16) -> Result<()> {
    match std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!("port {port} is taken; choose another one")
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on port {port}")),
        Ok(_) => Ok(()),
    }
}

/// Children inherit the soft limit, whose default of 1024 would end the process at 500 sockets.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let reached = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    if let Some(files) = reached.filter(|files| *files < FILES_MIN) {
        crate::process::say(format_args!(
            "only {files} open files are allowed (ulimit -n); a socket takes two"
        ));
    }
}

/// Copies lines until the process ends, and takes out what `--control-fd` mixes in.
fn copy_output(output: ChildStdout, sink: &mut dyn std::io::Write, ports: &Sender<(String, u16)>) {
    let mut lines = BufReader::new(output);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        match listening(&line) {
            // Nobody waits any more once the process is up.
            Some(port) => drop(ports.send(port)),
            // A full disk must not stop the reader, or the process would block on its output.
            None => drop(sink.write_all(&line)),
        }
        line.clear();
    }
}

fn listening(line: &[u8]) -> Option<(String, u16)> {
    let event: serde_json::Value = serde_json::from_slice(line).ok()?;
    (event["event"] == "listen").then_some(())?;
    Some((event["socket"].as_str()?.to_owned(), u16::try_from(event["port"].as_u64()?).ok()?))
}

/// The status of `GET /healthz`.
fn health(port: u16) -> Result<u16> {
    let timeout = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    let status = std::str::from_utf8(&head[9..]).ok().and_then(|status| status.parse().ok());
    status.context("no HTTP answer")
}
