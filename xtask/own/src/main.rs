//! `cargo xtask`: see `cargo xtask --help`.

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use roomcast_xtask::build::Mode;
use roomcast_xtask::command::{self, DevArguments};
use roomcast_xtask::project::{Page, Project, Types};
use roomcast_xtask::{
    bench, bench_client, bench_game, build, client, codegen, peers, reference, repository, setup, sim, size,
    suite, tidy,
};
use std::process::ExitCode;

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
    Dev(DevArguments),
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
        /// For the load generator, which `-- --help` describes; for the client `--rounds <count>`, `--node`, `--json`; for
        /// the game `--seconds <count>`
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
    /// How frames come to two people and twenty bots in an arena
    Game,
}

fn main() -> ExitCode {
    command::ended(run(Arguments::parse().task))
}

/// What this repository builds.
fn project() -> Project {
    Project::new(repository::root(), "roomcast-worker", "tests", roomcast_behaviors::all)
        .page(Page { folder: "examples/chat", at: "" })
        .page(Page { folder: "examples/game", at: "game" })
        .types(Types { folder: "examples/chat/src/generated", of: &["chat"] })
        .types(Types { folder: "examples/game/src/generated", of: &["game"] })
        .types(Types { folder: "examples/consumer-worker/typescript/src/generated", of: &["poll"] })
}

fn run(task: Task) -> Result<ExitCode> {
    let project = &project();
    match task {
        Task::Setup { tests: false } => setup::run(project)?,
        Task::Setup { tests: true } => setup::run_for_tests(project)?,
        Task::Dev(arguments) => arguments.run(project)?,
        Task::Build { faults: true, .. } => {
            setup::run(project)?;
            build::faults(project)?;
        }
        Task::Build { dev, .. } => {
            setup::run(project)?;
            build::run(project, if dev { Mode::Dev } else { Mode::Release })?;
        }
        Task::Test { list: true, .. } => suite::list(&suite::ROOMCAST),
        Task::Test { parts, list: false } => {
            suite::check_names(&suite::ROOMCAST, &parts)?;
            setup::run_for_tests(project)?;
            return suite::run(project, &suite::ROOMCAST, &parts);
        }
        Task::Tidy => tidy::run()?,
        Task::Codegen { check: true } => codegen::check(project)?,
        Task::Codegen { check: false } => codegen::write(project)?,
        Task::Docs => {
            setup::run(project)?;
            client::build()?;
            reference::write()?;
        }
        Task::Size { peers: true, json } => peers::run(project, json)?,
        Task::Size { peers: false, .. } => size::run()?,
        Task::Sim { hours, worlds, seed, steps, json } => {
            return sim::run(&sim::Sim { hours, worlds, seed, steps, json });
        }
        Task::Bench { what: Bench::Room, arguments } => bench::run_bench(project, &arguments)?,
        Task::Bench { what: Bench::Game, arguments } => bench_game::run_game(project, &arguments)?,
        Task::Bench { what: Bench::Client, arguments } => bench_client::run(project, &arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}
