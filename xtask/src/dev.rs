//! `cargo xtask dev`: a gateway on this machine that follows the sources.
//!
//! Builds run in a process of their own (`cargo xtask build --dev`), so that meanwhile the gateway is watched, and
//! restarted when it dies, and a signal ends everything at once. It is compiled first: the types of behaviors that it
//! writes are those of the sources as they are now.

use crate::process::say;
use crate::project::Project;
use crate::secrets;
use crate::watch::Watch;
use crate::workerd::{Log, Options, Workerd};
use crate::wrangler::Wrangler;
use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(150);
/// A gateway that keeps dying is not started more often than this.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub struct Dev {
    pub port: u16,
    pub data: PathBuf,
    pub config: Option<PathBuf>,
    pub watch: bool,
}

/// Serves until a signal.
pub fn run(project: &Project, dev: &Dev) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot catch signals")?;
    }
    let config = dev.config.clone().unwrap_or_else(|| project.config());
    project.wrangler(&config)?;
    crate::workerd::ensure_startable(&dev.data, dev.port)?;
    let mut watch = Watch::begin(project, &config)?;
    let mut build = Build::begin(project)?;
    match build.finish(&stop)? {
        Finished::Well => {}
        Finished::Badly => bail!("the build failed"),
        Finished::Stopped => return Ok(()),
    }
    let options = Options {
        config: config.clone(),
        data: dev.data.clone(),
        port: dev.port,
        secrets: secrets::given(config.parent().unwrap_or(Path::new(".")))?,
        log: Log::Inherit,
        ..Options::of(project)
    };
    let mut server = Server::start(options)?;
    let mut running: Option<Build> = None;
    loop {
        std::thread::sleep(TICK);
        // First: a signal from a terminal reaches workerd too, which must not be started again.
        if stop.load(Ordering::Relaxed) {
            break;
        }
        server.keep_alive();
        if let Some(build) = &mut running {
            match build.poll()? {
                None => continue,
                Some(Finished::Well) => server.renew(),
                Some(Finished::Badly | Finished::Stopped) => {
                    say("the build failed; what was built before is served")
                }
            }
            running = None;
        }
        if dev.watch && watch.settled_change()? {
            say("sources changed");
            running = Some(Build::begin(project)?);
        }
    }
    say("stopping");
    drop(running);
    server.stop()
}

/// The gateway, through all its processes.
struct Server {
    options: Options,
    /// `None` after a start that failed.
    workerd: Option<Workerd>,
    served: Option<Vec<Vec<u8>>>,
    started: Instant,
}

impl Server {
    fn start(options: Options) -> Result<Server> {
        let workerd = Workerd::start(&options)?;
        // A port that was picked stays.
        let options = Options { port: workerd.port(), ..options };
        let served = what_is_served(&options);
        let server = Server { options, workerd: Some(workerd), served, started: Instant::now() };
        server.announce()?;
        Ok(server)
    }

    fn announce(&self) -> Result<()> {
        let mut out = std::io::stdout();
        writeln!(out, "ready http://127.0.0.1:{}", self.options.port)
            .and_then(|()| out.flush())
            .context("cannot write to standard output")
    }

    /// Starts a process anew when the last one died.
    fn keep_alive(&mut self) {
        let ended = match &mut self.workerd {
            Some(workerd) => match workerd.ended() {
                Ok(None) => return,
                Ok(Some(status)) => status.to_string(),
                Err(error) => format!("{error:#}"),
            },
            None => "a failed start".into(),
        };
        if self.started.elapsed() < RESTART_PAUSE {
            return;
        }
        say(format_args!("workerd ended with {ended}; starting it again"));
        self.start_again();
    }

    /// Takes over what was built, where that changes what runs: the demo's files are read at each request.
    fn renew(&mut self) {
        if let Err(error) = Wrangler::read(&self.options.config) {
            say(format_args!("{error:#}; the configuration before it is served"));
            return;
        }
        if what_is_served(&self.options) != self.served {
            self.start_again();
        }
    }

    fn start_again(&mut self) {
        // Killed, not asked: with an open socket workerd would neither end nor answer, and what was answered is
        // on disk.
        self.workerd = None;
        self.started = Instant::now();
        self.served = what_is_served(&self.options);
        let started = Workerd::start(&self.options).and_then(|workerd| {
            self.workerd = Some(workerd);
            self.announce()
        });
        if let Err(error) = started {
            say(format_args!("{error:#}"));
        }
    }

    fn stop(mut self) -> Result<()> {
        self.workerd.as_mut().map_or(Ok(()), Workerd::stop)
    }
}

/// The bundle, the module and the configuration; `None` while one is missing.
fn what_is_served(options: &Options) -> Option<Vec<Vec<u8>>> {
    let worker = options.build.join("worker");
    let files = [worker.join("index.js"), worker.join("index_bg.wasm"), options.config.clone()];
    let demo = options.build.join("demo").is_dir();
    let mut served = vec![vec![u8::from(demo)]];
    for file in files {
        served.push(std::fs::read(file).ok()?);
    }
    Some(served)
}

/// A build under way; dropping it ends it with all that it started.
struct Build {
    child: Child,
}

#[derive(Clone, Copy, Debug)]
enum Finished {
    Well,
    Badly,
    Stopped,
}

impl Build {
    fn begin(project: &Project) -> Result<Build> {
        let child = project
            .cargo()
            .args(["run", "--quiet", "--package", "xtask", "--", "build", "--dev"])
            .stdout(std::io::stderr())
            .process_group(0)
            .spawn()
            .context("cannot start the build")?;
        Ok(Build { child })
    }

    fn poll(&mut self) -> Result<Option<Finished>> {
        let status = self.child.try_wait().context("cannot ask after the build")?;
        Ok(status.map(|status| if status.success() { Finished::Well } else { Finished::Badly }))
    }

    fn finish(&mut self, stop: &AtomicBool) -> Result<Finished> {
        while !stop.load(Ordering::Relaxed) {
            if let Some(finished) = self.poll()? {
                return Ok(finished);
            }
            std::thread::sleep(TICK);
        }
        Ok(Finished::Stopped)
    }
}

impl Drop for Build {
    fn drop(&mut self) {
        if matches!(self.poll(), Ok(Some(_))) {
            return;
        }
        if let Err(error) = kill_process_group(Pid::from_child(&self.child), Signal::KILL) {
            say(format_args!("cannot end the build: {error}"));
        }
        if let Err(error) = self.child.wait() {
            say(format_args!("cannot wait for the build: {error}"));
        }
    }
}
