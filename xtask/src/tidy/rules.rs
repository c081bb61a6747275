//! Every numbered rule of docs/PROTOCOL.md is cited by a test, and every citation is of a rule that exists.

use super::{File, Findings};
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;

const DOCUMENT: &str = "docs/PROTOCOL.md";

pub(super) fn check(files: &[File]) -> Result<Findings> {
    let document = files.iter().find(|file| file.path == DOCUMENT);
    let document = document.with_context(|| format!("there is no {DOCUMENT}"))?;
    let mut findings = Findings::new();
    let mut rules: BTreeMap<String, usize> = BTreeMap::new();
    for (index, line) in document.text.lines().enumerate() {
        if let Some(id) = stated(line)
            && let Some(before) = rules.insert(id.clone(), index + 1)
        {
            findings.push(format!("{DOCUMENT}:{}: {id} is stated at line {before} already", index + 1));
        }
    }
    let mut cited: BTreeMap<String, String> = BTreeMap::new();
    for file in files.iter().filter(|file| is_source(file)) {
        for id in citations(&file.text) {
            cited.entry(id).or_insert_with(|| file.path.clone());
        }
    }
    for (id, line) in &rules {
        if !cited.contains_key(id) {
            findings.push(format!("{DOCUMENT}:{line}: no test cites {id}"));
        }
    }
    for (id, path) in &cited {
        if !rules.contains_key(id) {
            findings.push(format!("{path}: cites {id}, which {DOCUMENT} does not state"));
        }
    }
    Ok(findings)
}

/// xtask itself speaks of made-up rules.
fn is_source(file: &File) -> bool {
    (file.is(".rs") || file.is(".ts") || file.is(".mjs")) && !file.path.starts_with("xtask/")
}

/// The id in a line that begins with `**R-AREA-1**`.
fn stated(line: &str) -> Option<String> {
    let (id, _) = line.trim_start_matches(['-', ' ']).strip_prefix("**")?.split_once("**")?;
    (whole_id(id) == Some(id.len())).then(|| id.to_owned())
}

/// Ids in strings and comments (`R-PUB-3`) and in names of tests (`r_pub_3_a_sentence`).
fn citations(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, _) in text.match_indices(['R', 'r']) {
        let continues = text[..index].ends_with(|before: char| before.is_alphanumeric() || before == '-');
        if continues {
            continue;
        }
        let rest = &text[index..];
        if let Some(length) = whole_id(rest) {
            found.push(rest[..length].to_owned());
        } else if let Some(id) = in_name(rest) {
            found.push(id);
        }
    }
    found
}

/// The length of the id that `text` begins with.
fn whole_id(text: &str) -> Option<usize> {
    let area = text.strip_prefix("R-")?;
    let letters = area.bytes().take_while(u8::is_ascii_uppercase).count();
    let number = area[letters..].strip_prefix('-')?;
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    (letters > 0 && digits > 0).then_some(3 + letters + digits)
}

fn in_name(text: &str) -> Option<String> {
    let area = text.strip_prefix("r_")?;
    let letters = area.bytes().take_while(u8::is_ascii_lowercase).count();
    let number = area[letters..].strip_prefix('_')?;
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    let ends = !number[digits..].starts_with(|next: char| next.is_alphanumeric());
    (letters > 0 && digits > 0 && ends)
        .then(|| format!("R-{}-{}", area[..letters].to_ascii_uppercase(), &number[..digits]))
}

#[cfg(test)]
mod tests {
    use super::{citations, stated};

    #[test]
    fn ids_are_found_in_sentences_and_in_names() {
        assert_eq!(stated("**R-PUB-3** A publish is answered once."), Some("R-PUB-3".into()));
        assert_eq!(stated("see **R-PUB-3**"), None);
        let text = "fn r_pub_3_is_answered() {} // R-REC-12, R-x\nfn r_pub_3x() {} let over_r_limit = var_1;";
        assert_eq!(citations(text), ["R-PUB-3", "R-REC-12"]);
    }
}
