//! The program `roomcast`, as scripts see it.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn roomcast(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomcast"));
    command.current_dir(folder).args(arguments).output().expect("can be started")
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).expect("is JSON")
}

#[test]
fn a_project_is_begun_once_and_the_outcome_is_json_for_scripts() {
    let folder = tempfile::tempdir().expect("can be made");
    let checkout = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let arguments = ["new", "my-app", "--path", checkout, "--json"];
    let first = roomcast(folder.path(), &arguments);
    assert!(first.status.success(), "{first:?}");
    let written = json(&first);
    assert_eq!(written["name"], "my-app");
    let files = written["files"].as_array().expect("names its files");
    for file in files.iter().filter_map(Value::as_str) {
        assert!(folder.path().join("my-app").join(file).is_file(), "{file}");
    }
    let second = roomcast(folder.path(), &arguments);
    assert_eq!(second.status.code(), Some(1));
    assert_eq!(json(&second)["error"]["code"], "exists");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("my-app is there already: nothing was written"), "{said}");
}

#[test]
fn a_project_is_begun_where_one_says_with_the_checkout_that_one_is_in() {
    let folder = tempfile::tempdir().expect("can be made");
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = folder.path().join("tea-room");
    let output = roomcast(checkout, &["new", &project.to_string_lossy()]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains(&format!("cd {}", project.display())), "{output:?}");
    let manifest = std::fs::read_to_string(project.join("Cargo.toml")).expect("was written");
    let root = checkout.parent().expect("lies in one").canonicalize().expect("is there");
    assert!(manifest.contains(&format!("path = \"{}/gateway\"", root.display())), "{manifest}");
    let outside = roomcast(folder.path(), &["new", "my-app"]);
    let said = String::from_utf8_lossy(&outside.stdout).into_owned();
    assert!(said.contains("with Roomcast from https://"), "{outside:?}");
}

#[test]
fn a_mistake_is_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().expect("can be made");
    let mistakes = [
        (vec!["new", "My-App", "--json"], "invalid_name", "only a to z"),
        (vec!["new", "..", "--json"], "invalid_name", "it is empty"),
        (vec!["new", "none/my-app", "--json"], "io", "cannot make a project in none"),
        (vec!["new", "my-app", "--path", "none", "--json"], "invalid_source", "there is no folder none"),
        (vec!["new", "my-app", "--path", ".", "--json"], "invalid_source", "is no checkout of Roomcast"),
        (
            vec!["new", "my-app", "--git", "none", "--json"],
            "invalid_source",
            "no address of a git repository",
        ),
    ];
    for (arguments, code, said) in mistakes {
        let output = roomcast(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let error = &json(&output)["error"];
        assert_eq!(error["code"], code, "{arguments:?}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(said)), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("can be listed").count(), 0);
    let both =
        roomcast(folder.path(), &["new", "my-app", "--path", ".", "--git", "https://rooms.example/a.git"]);
    assert_eq!(both.status.code(), Some(2), "either, not both");
}
