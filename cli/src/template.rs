//! The files of a new project: those of `cli/template`, which are of a project called `my-app`.

use crate::name::Name;
use crate::source::Source;

/// What the template is called, and as Rust code writes it.
const NAME: &str = "my-app";
const NAME_IN_RUST: &str = "my_app";
/// In a manifest, of a dependency on a crate of Roomcast's, before its folder: `{ roomcast = "gateway" }`.
const CRATE: &str = "roomcast = \"";

macro_rules! template {
    ($($file:literal $(as $path:literal)?),* $(,)?) => {
        &[$((template!(@path $file $($path)?), include_str!(concat!("../template/", $file)))),*]
    };
    (@path $file:literal $path:literal) => { $path };
    (@path $file:literal) => { $file };
}

/// Path and text. A manifest in this repository under its own name would be taken for one of its crates, and a
/// `.gitignore` would be heeded.
const FILES: &[(&str, &str)] = template![
    "README.md",
    "cargo.toml" as "Cargo.toml",
    "cargo-config.toml" as ".cargo/config.toml",
    "gitignore" as ".gitignore",
    "wrangler.toml",
    "rooms/cargo.toml" as "rooms/Cargo.toml",
    "rooms/src/counter.rs",
    "rooms/src/lib.rs",
    "rooms/tests/counter.rs",
    "worker/cargo.toml" as "worker/Cargo.toml",
    "worker/src/lib.rs",
    "page/index.html",
    "page/style.css",
    "page/tsconfig.json",
    "page/src/generated/counter.ts",
    "page/src/main.ts",
    "tests/cargo.toml" as "tests/Cargo.toml",
    "tests/src/lib.rs",
    "tests/tests/end_to_end.rs",
    "xtask/cargo.toml" as "xtask/Cargo.toml",
    "xtask/src/main.rs",
];

/// The files of the project `name` that takes Roomcast from `source`: path and text.
#[must_use]
pub fn files(name: &Name, source: &Source) -> Vec<(String, String)> {
    let named = |text: &str| text.replace(NAME, name.as_str()).replace(NAME_IN_RUST, &name.in_rust());
    FILES.iter().map(|(path, text)| ((*path).to_owned(), named(&from(source, text)))).collect()
}

/// With each `roomcast = "<folder>"` as where the crate in that folder is taken from.
fn from(source: &Source, text: &str) -> String {
    let mut parts = text.split(CRATE);
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (folder, rest) = part.split_once('"').unwrap_or((part, ""));
        written.push_str(&source.dependency(folder));
        written.push_str(rest);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::FILES;
    use std::path::Path;

    fn count(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).expect("can be listed").flatten();
        entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
    }

    #[test]
    fn every_file_of_the_template_is_written() {
        assert_eq!(count(&Path::new(env!("CARGO_MANIFEST_DIR")).join("template")), FILES.len());
    }

    #[test]
    fn each_crate_that_is_depended_on_lies_in_its_folder() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folders = FILES.iter().flat_map(|(_, text)| text.split(super::CRATE).skip(1));
        let folders: Vec<&str> = folders.filter_map(|rest| rest.split('"').next()).collect();
        assert!(!folders.is_empty());
        for folder in folders {
            assert!(root.join(folder).join("Cargo.toml").is_file(), "there is no crate in {folder}");
        }
    }
}
