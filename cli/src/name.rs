//! What a project may be called.

use std::fmt;

/// The longest name: with what is appended to it, it is still one of a crate and of a Worker.
pub const BYTES_MAX: usize = 32;

/// Names whose crates would be taken for others.
const RESERVED: [&str; 4] = ["roomcast", "room", "client", "xtask"];

/// The name of a project: lower-case words of letters and digits, joined by hyphens, the first letter ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("it is empty")]
    Empty,
    #[error("it has more than {BYTES_MAX} characters")]
    Long,
    #[error("it has {0:?}: only a to z, 0 to 9 and - may stand in it")]
    Character(char),
    #[error("it begins with {0:?}: a letter must come first")]
    First(char),
    #[error("a - must have a letter or digit on both sides")]
    Hyphen,
    #[error("it would be taken for a crate of Roomcast's own")]
    Reserved,
}

impl Name {
    /// # Errors
    /// Where `text` is no name.
    pub fn parse(text: &str) -> Result<Name, NameError> {
        let first = text.chars().next().ok_or(NameError::Empty)?;
        let odd = |letter: &char| !matches!(letter, 'a'..='z' | '0'..='9' | '-');
        if let Some(odd) = text.chars().find(odd) {
            return Err(NameError::Character(odd));
        }
        if text.len() > BYTES_MAX {
            return Err(NameError::Long);
        }
        if text.split('-').any(str::is_empty) {
            return Err(NameError::Hyphen);
        }
        if !first.is_ascii_lowercase() {
            return Err(NameError::First(first));
        }
        if RESERVED.contains(&text) {
            return Err(NameError::Reserved);
        }
        Ok(Name(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As Rust code writes it.
    #[must_use]
    pub fn in_rust(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Name, NameError};

    #[test]
    fn names_are_words_joined_by_hyphens() {
        for right in ["a", "my-app", "app2", "a-1-b", "abcdefghijklmnopqrstuvwxyz-12345"] {
            assert_eq!(Name::parse(right).map(|name| name.as_str().to_owned()).as_deref(), Ok(right));
        }
        let wrong = [
            ("", NameError::Empty),
            ("My-app", NameError::Character('M')),
            ("my_app", NameError::Character('_')),
            ("../app", NameError::Character('.')),
            ("2app", NameError::First('2')),
            ("-app", NameError::Hyphen),
            ("my--app", NameError::Hyphen),
            ("app-", NameError::Hyphen),
            ("abcdefghijklmnopqrstuvwxyz-123456", NameError::Long),
            ("roomcast", NameError::Reserved),
        ];
        for (text, error) in wrong {
            assert_eq!(Name::parse(text), Err(error), "{text}");
        }
        assert_eq!(Name::parse("my-app").map(|name| name.in_rust()), Ok("my_app".to_owned()));
    }
}
