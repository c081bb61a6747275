//! `cargo xtask` of a project of a team's own.

use crate::build::{self, Mode};
use crate::dev::{self, Dev};
use crate::process;
use crate::project::Project;
use crate::{codegen, setup, suite};
use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Builds, runs and checks this project")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what is missing: the wasm32 target and the npm packages
    Setup,
    /// Build and serve on 127.0.0.1, rebuild on change
    Dev(DevArguments),
    /// Build the Worker and the pages into build/
    Build {
        /// Quickly, for development
        #[arg(long)]
        dev: bool,
    },
    /// Set up, build, and run all tests
    Test {
        /// Only these parts
        parts: Vec<String>,
        /// Name the parts and end
        #[arg(long)]
        list: bool,
    },
    /// Write the TypeScript types of the behaviors
    Codegen {
        /// Fail where they differ from what is there
        #[arg(long)]
        check: bool,
    },
}

/// What `dev` takes.
#[derive(Debug, Args)]
pub struct DevArguments {
    /// 0 is any free one
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// Where rooms are kept
    #[arg(long, default_value = ".roomcast")]
    data: PathBuf,
    /// A wrangler.toml other than the project's
    #[arg(long)]
    config: Option<PathBuf>,
    /// Serve what was built once
    #[arg(long)]
    no_watch: bool,
}

impl DevArguments {
    /// Serves until a signal.
    pub fn run(self, project: &Project) -> Result<()> {
        let DevArguments { port, data, config, no_watch } = self;
        dev::run(project, &Dev { port, data, config, watch: !no_watch })
    }
}

/// All that the `main` of a project's `cargo xtask` does: reads the arguments, and says on stderr what went wrong.
///
/// ```no_run
/// # use roomcast_xtask::{command, project::{Page, Project, Types}};
/// # use room_core::behavior::Behaviors as behaviors;
/// let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// let project = Project::new(root, "my-app-worker", "my-app-tests", behaviors::new)
///     .page(Page { folder: "page", at: "" })
///     .types(Types { folder: "page/src/generated", of: &[] });
/// let code = command::run(&project);
/// ```
#[must_use]
pub fn run(project: &Project) -> ExitCode {
    ended(run_task(project, Arguments::parse().task))
}

/// What a `main` returns.
#[must_use]
pub fn ended(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        process::say(format_args!("{error:#}"));
        ExitCode::FAILURE
    })
}

fn run_task(project: &Project, task: Task) -> Result<ExitCode> {
    match task {
        Task::Setup => setup::run(project)?,
        Task::Dev(arguments) => arguments.run(project)?,
        Task::Build { dev } => {
            setup::run(project)?;
            build::run(project, if dev { Mode::Dev } else { Mode::Release })?;
        }
        Task::Test { list: true, .. } => suite::list(&suite::PROJECT),
        Task::Test { parts, list: false } => {
            suite::check_names(&suite::PROJECT, &parts)?;
            setup::run(project)?;
            return suite::run(project, &suite::PROJECT, &parts);
        }
        Task::Codegen { check: true } => codegen::check(project)?,
        Task::Codegen { check: false } => codegen::write(project)?,
    }
    Ok(ExitCode::SUCCESS)
}
