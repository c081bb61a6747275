//! Words that must not occur, and why.

use super::mask::{Language, mask};
use super::{CORES, File, Findings};
use anyhow::Result;

/// In any Rust code: (words, reason).
const RUST: [(&str, &str); 5] = [
    (concat!("#[al", "low("), "lints are silenced by #[expect(…, reason)]"),
    (concat!("#![al", "low("), "lints are silenced by #[expect(…, reason)]"),
    (concat!("to", "do!"), "what is not done is an issue"),
    (concat!("unimple", "mented!"), "what is not done is an issue"),
    (concat!(".un", "wrap()"), "say with expect why it cannot fail, or return the error"),
];

/// In the cores, to which time, randomness and JavaScript are arguments.
const CORE: [&str; 8] = [
    "SystemTime",
    "Instant::now",
    "js_sys",
    "web_sys",
    "wasm_bindgen",
    "std::thread",
    "thread_rng",
    "getrandom",
];

/// In any file: what only this machine has, and whose servers packages came from.
const EVERYWHERE: [(&str, &str); 8] = [
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/ho", "me/"), "a path of one machine"),
    (concat!("registry.npm", "js.org"), "a registry's host"),
    (concat!("static.crates", ".io"), "a registry's host"),
    (concat!("index.crates", ".io"), "a registry's host"),
    (concat!("files.python", "hosted.org"), "a registry's host"),
    (concat!("deb.debian", ".org"), "a registry's host"),
];

pub(super) fn check(files: &[File]) -> Result<Findings> {
    let mut findings = Findings::new();
    for file in files {
        for (words, reason) in EVERYWHERE {
            find(file, &file.text, words, reason, &mut findings);
        }
        if !file.is(".rs") {
            continue;
        }
        let code = mask(&file.text, Language::Rust);
        for (words, reason) in RUST {
            find(file, &code, words, reason, &mut findings);
        }
        if CORES.iter().any(|(_, folder)| file.path.starts_with(&format!("{folder}/src/"))) {
            for words in CORE {
                find(file, &code, words, "a core gets it as an argument", &mut findings);
            }
        }
    }
    Ok(findings)
}

fn find(file: &File, text: &str, words: &str, reason: &str, findings: &mut Findings) {
    for (index, line) in text.lines().enumerate() {
        if line.contains(words) {
            findings.push(format!("{}:{}: `{words}`: {reason}", file.path, index + 1));
        }
    }
}
