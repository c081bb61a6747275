//! `cargo xtask`: see `cargo xtask --help`.

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use xtask::build::Mode;
use xtask::{
    bench, bench_client, build, client, codegen, dev, peers, process, reference, setup, sim, size, suite,
    tidy,
};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Builds, runs and checks Roomcast")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what is missing: the wasm32 target and the npm packages
    Setup {
        /// And the browser and the HTTP fuzzer that tests drive
        #[arg(long)]
        tests: bool,
    },
    /// Build and serve on 127.0.0.1, rebuild on change
    Dev {
        /// 0 is any free one
        #[arg(long, default_value_t = 8787)]
        port: u16,
        /// Where rooms are kept
        #[arg(long, default_value = ".roomcast")]
        data: PathBuf,
        /// A wrangler.toml other than the shipped one
        #[arg(long)]
        config: Option<PathBuf>,
        /// Serve what was built once
        #[arg(long)]
        no_watch: bool,
    },
    /// Build the gateway, the client and the demo into build/
    Build {
        /// Quickly, for development
        #[arg(long)]
        dev: bool,
        /// Only the gateway with faults on command, for tests, into build/faults/
        #[arg(long, conflicts_with = "dev")]
        faults: bool,
    },
    /// Everything that CI checks
    Test {
        /// Only these parts
        parts: Vec<String>,
        /// Name the parts and end
        #[arg(long)]
        list: bool,
    },
    /// Formatting, lints, and the rules of the house
    Tidy,
    /// Write the TypeScript types of the wire and the OpenAPI document
    Codegen {
        /// Fail where they differ from what is committed
        #[arg(long)]
        check: bool,
    },
    /// Write the API reference of the client into build/docs/
    Docs,
    /// The sizes of what is shipped
    Size {
        /// Of a chat instead, beside the same with the clients of other services, which are installed for it
        #[arg(long)]
        peers: bool,
        /// The result as one line of JSON
        #[arg(long, requires = "peers")]
        json: bool,
    },
    /// Simulated worlds from fresh seeds, until the time is over or one breaks a promise
    Sim {
        /// How long; without it and --worlds a minute
        #[arg(long)]
        hours: Option<f64>,
        /// How many worlds at most
        #[arg(long)]
        worlds: Option<u64>,
        /// The first seed; the next ones follow it
        #[arg(long)]
        seed: Option<u64>,
        /// Steps a world
        #[arg(long)]
        steps: Option<u32>,
        /// The result as one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Speed beside others, in one run
    Bench {
        #[arg(value_enum, default_value = "room")]
        what: Bench,
        /// For the load generator, which `-- --help` describes; for the client `--rounds <count>`, `--node`, `--json`
        #[arg(last = true)]
        arguments: Vec<String>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Bench {
    /// A room's deliveries a second and latency, beside a minimal JavaScript object
    Room,
    /// The client's way from a frame to a listener and from a publish to a frame, beside MessagePack and JSON
    Client,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.task) {
        Ok(code) => code,
        Err(error) => {
            process::say(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    match task {
        Task::Setup { tests: false } => setup::run()?,
        Task::Setup { tests: true } => setup::run_for_tests()?,
        Task::Dev { port, data, config, no_watch } => {
            dev::run(&dev::Dev { port, data, config, watch: !no_watch })?
        }
        Task::Build { faults: true, .. } => {
            setup::run()?;
            build::faults()?;
        }
        Task::Build { dev, .. } => {
            setup::run()?;
            build::run(if dev { Mode::Dev } else { Mode::Release })?;
        }
        Task::Test { list: true, .. } => suite::list(),
        Task::Test { parts, list: false } => return suite::run(&parts),
        Task::Tidy => tidy::run()?,
        Task::Codegen { check: true } => codegen::check()?,
        Task::Codegen { check: false } => codegen::write()?,
        Task::Docs => {
            setup::run()?;
            client::build()?;
            reference::write()?;
        }
        Task::Size { peers: true, json } => peers::run(json)?,
        Task::Size { peers: false, .. } => size::run()?,
        Task::Sim { hours, worlds, seed, steps, json } => {
            return sim::run(&sim::Sim { hours, worlds, seed, steps, json });
        }
        Task::Bench { what: Bench::Room, arguments } => bench::run_bench(&arguments)?,
        Task::Bench { what: Bench::Client, arguments } => bench_client::run(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}
