//! A README that one reads to the end, and links that lead somewhere.

use super::{File, Findings};
use crate::repository::root;
use anyhow::Result;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

const README: &str = "README.md";
const README_LINES_MAX: usize = 150;

pub(super) fn check(files: &[File]) -> Result<Findings> {
    let mut findings = Findings::new();
    match files.iter().find(|file| file.path == README) {
        None => findings.push(format!("there is no {README}")),
        Some(readme) if readme.text.lines().count() >= README_LINES_MAX => {
            findings.push(format!("{README}: {README_LINES_MAX} lines or more"));
        }
        Some(_) => {}
    }
    for file in files.iter().filter(|file| file.is(".md")) {
        for (line, target) in links(&file.text) {
            if let Some(mistake) = mistake(file, &target, files) {
                findings.push(format!("{}:{line}: {mistake}", file.path));
            }
        }
    }
    Ok(findings)
}

/// Targets of `[text](target)` outside code, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_block = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        for (start, _) in prose.match_indices("](") {
            if let Some((target, _)) = prose[start + 2..].split_once(')') {
                found.push((index + 1, target.split(' ').next().unwrap_or_default().to_owned()));
            }
        }
    }
    found
}

fn mistake(file: &File, target: &str, files: &[File]) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
    let wanted = if path.is_empty() { PathBuf::from(&file.path) } else { plain(&folder.join(path)) };
    if !root().join(&wanted).exists() {
        return Some(format!("the link to {target} leads nowhere"));
    }
    let linked = files.iter().find(|other| Path::new(&other.path) == wanted && other.is(".md"))?;
    let missing = !anchor.is_empty() && !anchors(&linked.text).contains(anchor);
    missing.then(|| format!("{} has no heading #{anchor}", wanted.display()))
}

/// Without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// Headings as the usual renderers name them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    headings
        .map(|heading| {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
            kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{anchors, links};

    #[test]
    fn links_in_code_do_not_count() {
        let text = "see [a](b.md#c) and `[x](y)`\n```\n[z](w)\n```\n";
        assert_eq!(links(text), [(1, "b.md#c".to_owned())]);
        assert!(anchors("## What it is, in short\n").contains("what-it-is-in-short"));
    }
}
