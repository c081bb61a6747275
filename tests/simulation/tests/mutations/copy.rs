//! A copy of what the simulation is built from, in which every bug lies dormant.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::list::{MUTATIONS, Mutation};

/// Crates to copy; of each its manifest and its sources.
const CRATES: [&str; 5] =
    ["schemas", "room-do/core", "directory/core", "client-sdk/core", "tests/simulation"];
const CORE: &str = "room-do/core/src";

/// The switch: one bug is awake in a process, or none.
const SWITCH: &str = r#"//! Generated: which bug is awake.

use std::sync::LazyLock;

static AWAKE: LazyLock<u32> = LazyLock::new(|| {
    std::env::var("ROOMCAST_MUTATION").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
});

pub(crate) fn is_on(number: u32) -> bool {
    *AWAKE == number
}
"#;

/// Writes the copy into `to`. Files that are as they should be keep their times, and so their builds.
///
/// # Panics
/// Where a mutation does not apply: its place has changed, and the list must follow.
pub(crate) fn write(root: &Path, to: &Path) {
    let mut files = BTreeMap::new();
    for name in CRATES {
        files.insert(PathBuf::from(name).join("Cargo.toml"), read(&root.join(name).join("Cargo.toml")));
        collect(root, &PathBuf::from(name).join("src"), &mut files);
    }
    files.insert("Cargo.lock".into(), read(&root.join("Cargo.lock")));
    files.insert("Cargo.toml".into(), cut_manifest(&read(&root.join("Cargo.toml"))));
    mutate(&mut files);
    for (path, text) in &files {
        let path = to.join(path);
        if fs::read_to_string(&path).is_ok_and(|there| there == *text) {
            continue;
        }
        let folder = path.parent().expect("a file has a folder");
        fs::create_dir_all(folder).expect("the target directory can be written");
        fs::write(&path, text).expect("the target directory can be written");
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, String>) {
    let entries = fs::read_dir(root.join(folder)).expect("the sources can be listed");
    for entry in entries {
        let entry = entry.expect("the sources can be listed");
        let path = folder.join(entry.file_name());
        if entry.path().is_dir() {
            collect(root, &path, files);
        } else {
            files.insert(path, read(&entry.path()));
        }
    }
}

/// The workspace with these crates alone, built for many short runs.
fn cut_manifest(manifest: &str) -> String {
    let start = manifest.find("members = [").expect("a workspace has members");
    let end = manifest.find("[workspace.package]").expect("a workspace has a package");
    let members: Vec<String> = CRATES.iter().map(|name| format!("{name:?}")).collect();
    let mut cut = manifest.to_owned();
    cut.replace_range(start..end, &format!("members = [{}]\n\n", members.join(", ")));
    cut.replacen("[profile.dev]\n", "[profile.dev]\nopt-level = 1\n", 1)
}

/// File, what stands before, and what is replaced.
type Place<'a> = (&'a str, &'a str, &'a str);

/// Puts each bug beside what it replaces.
fn mutate(files: &mut BTreeMap<PathBuf, String>) {
    let mut places: BTreeMap<Place<'_>, Vec<(usize, &Mutation)>> = BTreeMap::new();
    for (index, mutation) in MUTATIONS.iter().enumerate() {
        let place = (mutation.file, mutation.before, mutation.original);
        places.entry(place).or_default().push((index + 1, mutation));
    }
    for ((file, before, original), mutations) in places {
        let text = files.get_mut(&PathBuf::from(CORE).join(file));
        let text = text.unwrap_or_else(|| panic!("{file}, which a mutation names, is not there"));
        let place = format!("{before}{original}");
        let found = text.matches(&place).count();
        let names: Vec<&str> = mutations.iter().map(|(_, mutation)| mutation.name).collect();
        assert_eq!(found, 1, "{file} holds this {found} times, for {names:?}: {place}");
        *text = text.replace(&place, &format!("{before}{}", choice(original, &mutations)));
    }
    files.insert(PathBuf::from(CORE).join("mutation.rs"), SWITCH.to_owned());
    let root = files.get_mut(&PathBuf::from(CORE).join("lib.rs")).expect("room-core has a root");
    root.push_str("\nmod mutation;\n");
}

fn choice(original: &str, mutations: &[(usize, &Mutation)]) -> String {
    let mut text = String::new();
    for (number, mutation) in mutations {
        text += &format!("if crate::mutation::is_on({number}) {{ {} }} else ", mutation.mutated);
    }
    text += &format!("{{ {original} }}");
    // As a part of an expression a choice stands in parentheses; a statement begins with it.
    if original.ends_with(';') { text } else { format!("({text})") }
}
