//! Source text with comments and literals blanked, so that what is looked for is code.

/// The text with the contents of comments, strings and character literals replaced by spaces; lines stay where
/// they are. Good for Rust and TypeScript; a regular expression literal that holds a quote would confuse it.
pub(super) fn mask(text: &str, language: Language) -> String {
    let mut masker = Masker { rest: text, out: String::with_capacity(text.len()), language };
    while let Some(character) = masker.rest.chars().next() {
        masker.next(character);
    }
    masker.out
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Rust,
    TypeScript,
}

struct Masker<'a> {
    rest: &'a str,
    out: String,
    language: Language,
}

impl Masker<'_> {
    fn next(&mut self, character: char) {
        let rust = self.language == Language::Rust;
        if self.rest.starts_with("//") {
            self.blank_to(|rest| rest.find('\n').unwrap_or(rest.len()));
        } else if self.rest.starts_with("/*") {
            self.blank_to(|rest| rest.find("*/").map_or(rest.len(), |end| end + 2));
        } else if rust && self.raw_string() {
            // Blanked by the look.
        } else if character == '"' {
            self.quoted('"');
        } else if !rust && (character == '\'' || character == '`') {
            self.quoted(character);
        } else if rust && character == '\'' && self.is_character_literal() {
            self.quoted('\'');
        } else {
            self.keep(character.len_utf8());
        }
    }

    fn keep(&mut self, bytes: usize) {
        let (kept, rest) = self.rest.split_at(bytes);
        self.out.push_str(kept);
        self.rest = rest;
    }

    fn blank_to(&mut self, end: impl Fn(&str) -> usize) {
        let (blanked, rest) = self.rest.split_at(end(self.rest));
        self.out.extend(blanked.chars().map(|character| if character == '\n' { '\n' } else { ' ' }));
        self.rest = rest;
    }

    /// `r"…"`, `r#"…"#` and the like, where an identifier does not end in `r`.
    fn raw_string(&mut self) -> bool {
        if self.out.ends_with(|character: char| character.is_alphanumeric() || character == '_') {
            return false;
        }
        let after = self.rest.trim_start_matches('b');
        let Some(after) = after.strip_prefix('r') else { return false };
        let hashes = after.len() - after.trim_start_matches('#').len();
        if !after[hashes..].starts_with('"') || self.rest.len() - after.len() > 2 {
            return false;
        }
        let opening = self.rest.len() - after.len() + hashes + 1;
        let closing = format!("\"{}", "#".repeat(hashes));
        self.blank_to(|rest| {
            rest[opening..].find(&closing).map_or(rest.len(), |end| opening + end + closing.len())
        });
        true
    }

    fn quoted(&mut self, quote: char) {
        self.blank_to(|rest| {
            let mut escaped = false;
            for (index, character) in rest.char_indices().skip(1) {
                match character {
                    _ if escaped => escaped = false,
                    '\\' => escaped = true,
                    end if end == quote => return index + end.len_utf8(),
                    _ => {}
                }
            }
            rest.len()
        });
    }

    /// A lifetime has no closing quote right after its first character.
    fn is_character_literal(&self) -> bool {
        let mut characters = self.rest.chars().skip(1);
        match characters.next() {
            Some('\\') => true,
            Some(_) => characters.next() == Some('\''),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Language, mask};

    #[test]
    fn literals_and_comments_are_blanked_and_lines_stay() {
        let rust = "let a = \"{\\\"\"; // }\nlet b = '{'; let c: &'a str = r#\"}\"\"#; /* {\n */ x";
        let masked = mask(rust, Language::Rust);
        assert!(!masked.contains(['{', '}']), "{masked}");
        assert_eq!(masked.lines().count(), rust.lines().count());
        assert!(masked.contains("&'a str") && masked.ends_with('x'));
        assert!(!mask("const a = `{${b}`; const c = '}';", Language::TypeScript).contains(['{', '}']));
    }
}
