//! Where a project takes Roomcast's crates from.

use std::fmt;
use std::path::{Path, PathBuf};

/// What shows that a folder is a checkout of Roomcast, of a version that has what projects need.
const MARK: &str = "xtask/src/project.rs";
/// The versions of everything else that Roomcast was tested with.
const LOCK: &str = "Cargo.lock";

/// A checkout on this machine, or a git repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Absolute.
    Path(PathBuf),
    Git(String),
}

/// Why projects can take nothing from there.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("there is no folder {}: {error}", path.display())]
    Missing { path: PathBuf, error: std::io::Error },
    #[error("{} is no checkout of Roomcast: it has no {MARK}", path.display())]
    NotRoomcast { path: PathBuf },
    #[error("the path {} is not UTF-8, and a Cargo.toml is", path.display())]
    NotText { path: PathBuf },
    #[error("{url:?} is no address of a git repository")]
    Url { url: String },
}

impl Source {
    /// # Errors
    /// Where `path` is no checkout of Roomcast, or cannot be written in a `Cargo.toml`.
    pub fn path(path: &Path) -> Result<Source, SourceError> {
        let absolute =
            path.canonicalize().map_err(|error| SourceError::Missing { path: path.to_owned(), error })?;
        if !absolute.join(MARK).is_file() {
            return Err(SourceError::NotRoomcast { path: absolute });
        }
        if absolute.to_str().is_none() {
            return Err(SourceError::NotText { path: absolute });
        }
        Ok(Source::Path(absolute))
    }

    /// The checkout of Roomcast that a folder is, or lies in.
    ///
    /// # Errors
    /// As [`Source::path`], of a checkout that is there.
    #[must_use]
    pub fn around(folder: &Path) -> Option<Result<Source, SourceError>> {
        folder.ancestors().find(|folder| folder.join(MARK).is_file()).map(Source::path)
    }

    /// # Errors
    /// Where `url` cannot be one.
    pub fn git(url: &str) -> Result<Source, SourceError> {
        let scheme =
            url.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
        if !scheme || url.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
            return Err(SourceError::Url { url: url.to_owned() });
        }
        Ok(Source::Git(url.to_owned()))
    }

    /// In a dependency of a `Cargo.toml`, where the crate in this folder of Roomcast is taken from.
    #[must_use]
    pub fn dependency(&self, folder: &str) -> String {
        let (key, value) = match self {
            Source::Path(path) => ("path", path.join(folder).to_string_lossy().into_owned()),
            Source::Git(url) => ("git", url.clone()),
        };
        // A JSON string is a TOML string.
        format!("{key} = {}", serde_json::Value::from(value))
    }

    /// The lock file that a project begins with: of the checkout, or of the Roomcast that this program is of.
    ///
    /// # Errors
    /// Where the checkout's cannot be read.
    pub fn lock(&self) -> std::io::Result<String> {
        match self {
            Source::Path(path) => std::fs::read_to_string(path.join(LOCK)),
            Source::Git(_) => Ok(include_str!("../../Cargo.lock").to_owned()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Path(path) => path.display().fmt(formatter),
            Source::Git(url) => formatter.write_str(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Source, SourceError};
    use std::path::Path;

    #[test]
    fn a_checkout_is_told_from_another_folder() {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let source = Source::path(&checkout).expect("is a checkout");
        let dependency = source.dependency("room-do/core");
        assert!(
            dependency.starts_with("path = \"/") && dependency.ends_with("/room-do/core\""),
            "{dependency}"
        );
        let around = Source::around(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("lies in one");
        assert_eq!(around.expect("is a checkout"), source);
        let other = tempfile::tempdir().expect("can be made");
        assert!(Source::around(other.path()).is_none());
        assert!(matches!(Source::path(other.path()), Err(SourceError::NotRoomcast { .. })));
        assert!(matches!(Source::path(&other.path().join("none")), Err(SourceError::Missing { .. })));
    }

    #[test]
    fn a_repository_has_an_address() {
        let source = Source::git("https://rooms.example/roomcast.git").expect("is one");
        assert_eq!(source.dependency("gateway"), "git = \"https://rooms.example/roomcast.git\"");
        for wrong in ["", "roomcast", "https://", "https://a b"] {
            assert!(matches!(Source::git(wrong), Err(SourceError::Url { .. })), "{wrong}");
        }
    }
}
