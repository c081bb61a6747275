//! `cargo xtask`: see `cargo xtask --help`.

use roomcast_xtask::command;
use roomcast_xtask::project::{Page, Project, Types};
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let project = Project::new(
        root,
        "my-app-worker",
        "my-app-tests",
        my_app_rooms::behaviors,
    )
    .page(Page {
        folder: "page",
        at: "",
    })
    .types(Types {
        folder: "page/src/generated",
        of: &[],
    });
    command::run(&project)
}
