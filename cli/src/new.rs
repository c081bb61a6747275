//! `roomcast new`: a project of a team's own.

use crate::name::{Name, NameError};
use crate::source::{Source, SourceError};
use crate::template;
use std::io;
use std::path::{Path, PathBuf};

/// A project to be written.
#[derive(Clone, Debug)]
pub struct New {
    pub name: Name,
    pub source: Source,
    /// The folder in which the project's own is made, named as the project is.
    pub beside: PathBuf,
}

/// A project that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub folder: PathBuf,
    /// Its files, from its folder, in order.
    pub files: Vec<String>,
}

/// Why there is no project.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    #[error("{text:?} cannot be a project's name: {error}")]
    Name { text: String, error: NameError },
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("{} is there already: nothing was written", folder.display())]
    Exists { folder: PathBuf },
    #[error("cannot make a project in {}: {error}", path.display())]
    Beside { path: PathBuf, error: io::Error },
    #[error("cannot write {}: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error("cannot read the lock file of Roomcast: {error}")]
    Lock { error: io::Error },
}

impl NewError {
    /// A word that scripts may rely on.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            NewError::Name { .. } => "invalid_name",
            NewError::Source(_) => "invalid_source",
            NewError::Exists { .. } => "exists",
            NewError::Beside { .. } | NewError::Write { .. } | NewError::Lock { .. } => "io",
        }
    }
}

impl New {
    /// Writes it: all of it, or nothing. What is there already stays as it is.
    ///
    /// # Errors
    /// Where its folder exists and is not empty, and where something cannot be read or written.
    pub fn write(&self) -> Result<Written, NewError> {
        let folder = self.beside.join(self.name.as_str());
        if is_taken(&folder) {
            return Err(NewError::Exists { folder });
        }
        let lock = self.source.lock().map_err(|error| NewError::Lock { error })?;
        let mut files = template::files(&self.name, &self.source);
        files.push(("Cargo.lock".to_owned(), lock));
        files.sort();
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| NewError::Write { path, error }
        };
        // Beside its place, and moved there whole.
        let prefix = format!(".{}-", self.name);
        let next = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(&self.beside)
            .map_err(|error| NewError::Beside { path: self.beside.clone(), error })?;
        let whole = next.path().join(self.name.as_str());
        for (path, text) in &files {
            let file = whole.join(path);
            let parent = file.parent().unwrap_or(&whole);
            std::fs::create_dir_all(parent).map_err(failed(parent))?;
            std::fs::write(&file, text).map_err(failed(&file))?;
        }
        // Replaces an empty folder, and refuses where it was filled meanwhile.
        std::fs::rename(&whole, &folder).map_err(failed(&folder))?;
        Ok(Written { folder, files: files.into_iter().map(|(path, _)| path).collect() })
    }
}

/// Whether something stands there that a project would overwrite or mix with.
fn is_taken(folder: &Path) -> bool {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::{New, NewError};
    use crate::name::Name;
    use crate::source::Source;
    use std::path::Path;

    fn new(beside: &Path) -> New {
        let source = Source::git("https://rooms.example/roomcast.git").expect("is one");
        New { name: Name::parse("tea-room").expect("is a name"), source, beside: beside.to_owned() }
    }

    #[test]
    fn a_project_has_its_own_name_throughout() {
        let beside = tempfile::tempdir().expect("can be made");
        let written = new(beside.path()).write().expect("is written");
        assert!(written.files.iter().any(|file| file == "wrangler.toml"));
        for file in &written.files {
            let text = std::fs::read_to_string(written.folder.join(file)).expect("was written");
            for left in ["my-app", "my_app", "roomcast = "] {
                assert!(!text.contains(left), "{file} still says {left}");
            }
        }
        let manifest = std::fs::read_to_string(written.folder.join("Cargo.toml")).expect("was written");
        assert!(manifest.contains("{ git = \"https://rooms.example/roomcast.git\" }"), "{manifest}");
        let left = std::fs::read_dir(beside.path()).expect("can be listed").count();
        assert_eq!(left, 1, "nothing is left beside it");
    }

    #[test]
    fn nothing_is_overwritten() {
        let beside = tempfile::tempdir().expect("can be made");
        let folder = beside.path().join("tea-room");
        std::fs::create_dir(&folder).expect("can be made");
        new(beside.path()).write().expect("an empty folder is as good as none");
        let mine = folder.join("wrangler.toml");
        std::fs::write(&mine, "mine").expect("can be written");
        let error = new(beside.path()).write().expect_err("is refused");
        assert!(matches!(error, NewError::Exists { .. }), "{error}");
        assert_eq!(std::fs::read_to_string(&mine).expect("is there"), "mine");
    }

    #[test]
    fn a_file_in_its_place_is_left_alone() {
        let beside = tempfile::tempdir().expect("can be made");
        std::fs::write(beside.path().join("tea-room"), "mine").expect("can be written");
        assert_eq!(new(beside.path()).write().expect_err("is refused").code(), "exists");
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let beside = tempfile::tempdir().expect("can be made");
        let error = new(&beside.path().join("none")).write().expect_err("is refused");
        assert_eq!(error.code(), "io");
        assert!(error.to_string().contains("none"), "{error}");
    }
}
