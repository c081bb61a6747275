//! Files and functions that one can read in one go.

use super::mask::{Language, mask};
use super::{File, Findings};
use anyhow::Result;

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// Longer, and why: (path, reason).
const EXCEPTIONS: [(&str, &str); 0] = [];

pub(super) fn check(files: &[File]) -> Result<Findings> {
    let mut findings = Findings::new();
    for file in files {
        let language = match file.path.rsplit('.').next() {
            Some("rs") => Language::Rust,
            Some("ts" | "tsx" | "js" | "mjs") => Language::TypeScript,
            _ => continue,
        };
        if EXCEPTIONS.iter().any(|(path, _)| *path == file.path) || file.path.contains("/generated/") {
            continue;
        }
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            findings.push(format!("{}: {lines} lines, over {FILE_LINES_MAX}", file.path));
        }
        for (line, name, length) in functions(&mask(&file.text, language), language) {
            if length > FUNCTION_LINES_MAX {
                findings.push(format!(
                    "{}:{line}: {name} has {length} lines, over {FUNCTION_LINES_MAX}",
                    file.path
                ));
            }
        }
    }
    Ok(findings)
}

/// Line, name and number of lines of each function, from its head to its closing brace.
fn functions(masked: &str, language: Language) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = masked.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = function_head(line, language) else { continue };
        if let Some(length) = body_length(&lines[index..]) {
            found.push((index + 1, name, length));
        }
    }
    found
}

fn function_head(line: &str, language: Language) -> Option<String> {
    let trimmed = line.trim_start();
    match language {
        Language::Rust => {
            let before = ["pub ", "const ", "async ", "extern ", "unsafe ", "default "];
            let mut rest = trimmed;
            while let Some(shorter) =
                strip_visibility(rest).or_else(|| before.iter().find_map(|word| rest.strip_prefix(word)))
            {
                rest = shorter;
            }
            let name = rest.strip_prefix("fn ")?;
            Some(
                name.chars()
                    .take_while(|character| character.is_alphanumeric() || *character == '_')
                    .collect(),
            )
        }
        Language::TypeScript => {
            let control =
                ["if", "for", "while", "switch", "catch", "else", "} else", "} catch", "with", "class"];
            let is_control = control
                .iter()
                .any(|word| trimmed.strip_prefix(word).is_some_and(|rest| rest.starts_with([' ', '('])));
            let opens = trimmed.ends_with('{');
            let groups = ["describe(", "suite("].iter().any(|group| trimmed.starts_with(group));
            let function = trimmed.contains("=> {")
                || (trimmed.contains('(') && trimmed.contains(") {"))
                || trimmed.contains("): ")
                || trimmed.starts_with("function ")
                || trimmed.contains(" function ");
            (opens && function && !is_control && !groups).then(|| trimmed.chars().take(40).collect())
        }
    }
}

/// `pub(crate) ` and the like.
fn strip_visibility(rest: &str) -> Option<&str> {
    rest.strip_prefix("pub(")?.split_once(") ").map(|(_, rest)| rest)
}

/// Lines up to the brace that closes the first one opened; none for a declaration without a body.
fn body_length(lines: &[&str]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut nested = 0_usize;
    for (index, line) in lines.iter().enumerate() {
        for character in line.chars() {
            match character {
                '(' | '[' => nested += 1,
                ')' | ']' => nested = nested.saturating_sub(1),
                ';' if depth == 0 && nested == 0 => return None,
                '{' => depth += 1,
                '}' if depth == 1 => return Some(index + 1),
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::mask::{Language, mask};
    use super::functions;

    #[test]
    fn functions_are_measured_from_head_to_brace() {
        let rust = "trait T {\n    fn no_body(&self) -> [u8; 2];\n}\npub(crate) async fn long(\n    a: u8,\n) -> u8 {\n    \
                    if a > 0 { \"}\"; }\n    a\n}\n";
        let found = functions(&mask(rust, Language::Rust), Language::Rust);
        assert_eq!(found, [(4, "long".to_owned(), 6)]);
        let typescript = "export function f(a: string): void {\n  if (a) {\n  }\n}\nconst g = () => {\n};\n";
        let found = functions(typescript, Language::TypeScript);
        assert_eq!(
            found.iter().map(|(line, _, length)| (*line, *length)).collect::<Vec<_>>(),
            [(1, 4), (5, 2)]
        );
    }
}
