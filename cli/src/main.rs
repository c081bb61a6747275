//! `roomcast`: see `roomcast --help`.

use clap::{Parser, Subcommand};
use roomcast::name::Name;
use roomcast::new::{New, NewError, Written};
use roomcast::source::Source;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
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
        /// Its name, of a to z, 0 to 9 and -, beginning with a letter; or a path to the folder to be made, which ends in it
        folder: PathBuf,
        /// Take Roomcast from a checkout on this machine
        #[arg(long, value_name = "DIR", conflicts_with = "git")]
        path: Option<PathBuf>,
        /// Take Roomcast from a git repository; of neither, from the checkout that you are in, or else from its own
        #[arg(long, value_name = "URL")]
        git: Option<String>,
        /// The outcome as one line of JSON
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let Task::New { folder, path, git, json } = Arguments::parse().task;
    match (new(&folder, path, git), json) {
        (Ok((new, written)), true) => println!("{}", as_json(&new, &written)),
        (Ok((new, written)), false) => println!("{}", as_text(&folder, &new, &written)),
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

fn new(folder: &Path, path: Option<PathBuf>, git: Option<String>) -> Result<(New, Written), NewError> {
    let text = folder.file_name().unwrap_or_default().to_string_lossy();
    let wrong = |error| NewError::Name { text: folder.display().to_string(), error };
    let name = Name::parse(&text).map_err(wrong)?;
    let absolute =
        |path: &Path| path.canonicalize().map_err(|error| NewError::Beside { path: path.to_owned(), error });
    let here = absolute(Path::new("."))?;
    let source = match (path, git) {
        (Some(path), _) => Source::path(&path)?,
        (None, Some(git)) => Source::git(&git)?,
        (None, None) => Source::around(&here).unwrap_or_else(|| Source::git(REPOSITORY))?,
    };
    let beside = match folder.parent() {
        Some(parent) if parent != Path::new("") => absolute(parent)?,
        _ => here,
    };
    let new = New { name, source, beside };
    let written = new.write()?;
    Ok((new, written))
}

fn as_json(new: &New, written: &Written) -> Value {
    let (name, folder) = (new.name.as_str(), written.folder.display().to_string());
    json!({ "name": name, "folder": folder, "files": written.files, "next": NEXT })
}

fn as_text(folder: &Path, new: &New, written: &Written) -> String {
    let [dev, test] = NEXT;
    let (count, folder, source) = (written.files.len(), folder.display(), &new.source);
    format!(
        "{count} files in {folder}, with Roomcast from {source}\n\n  cd {folder}\n  {dev}     build, serve, rebuild on change\n  {test}    run all its tests"
    )
}
