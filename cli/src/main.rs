//! `roomcast`: see `roomcast --help`.

use clap::{Parser, Subcommand};
use roomcast::name::Name;
use roomcast::new::{New, NewError, Written};
use roomcast::source::Source;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Where Roomcast is taken from where nothing else is said.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");
/// What one types next, in the project's folder.
const NEXT: [&str; 2] = ["cargo xtask dev", "cargo xtask test"];

#[derive(Debug, Parser)]
#[command(name = "roomcast", version, about = "Rooms in realtime, deployed by yourself")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Begin a project of your own: rooms with behaviors in Rust, a page, and tests
    New {
        /// a to z, 0 to 9 and -, beginning with a letter; its folder is made here
        name: String,
        /// Take Roomcast from a checkout on this machine
        #[arg(long, value_name = "DIR", conflicts_with = "git")]
        path: Option<PathBuf>,
        /// Take Roomcast from a git repository
        #[arg(long, value_name = "URL", default_value = REPOSITORY)]
        git: String,
        /// The outcome as one line of JSON
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let Task::New { name, path, git, json } = Arguments::parse().task;
    match (new(&name, path, &git), json) {
        (Ok(written), true) => println!("{}", as_json(&name, &written)),
        (Ok(written), false) => println!("{}", as_text(&name, &written)),
        (Err(error), json) => {
            if json {
                let error = json!({ "code": error.code(), "message": error.to_string() });
                println!("{}", json!({ "error": error }));
            }
            eprintln!("roomcast: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn new(name: &str, path: Option<PathBuf>, git: &str) -> Result<Written, NewError> {
    let name = Name::parse(name).map_err(|error| NewError::Name { text: name.to_owned(), error })?;
    let source = match path {
        Some(path) => Source::path(&path)?,
        None => Source::git(git)?,
    };
    let here = PathBuf::from(".");
    let beside = here.canonicalize().map_err(|error| NewError::Write { path: here, error })?;
    New { name, source, beside }.write()
}

fn as_json(name: &str, written: &Written) -> Value {
    json!({ "name": name, "folder": written.folder.display().to_string(), "files": written.files, "next": NEXT })
}

fn as_text(name: &str, written: &Written) -> String {
    let [dev, test] = NEXT;
    let count = written.files.len();
    format!(
        "{count} files in {name}/\n\n  cd {name}\n  {dev}     build, serve, rebuild on change\n  {test}    run all its tests"
    )
}
