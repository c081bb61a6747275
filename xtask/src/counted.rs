//! Runs a test runner with its output shown, and counts what it says passed and failed.

use crate::process::say;
use anyhow::{Context as _, Result};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Command, Stdio};
use std::thread::spawn;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub passed: u64,
    pub failed: u64,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Runs `command`; one that fails without naming a failed test counts as one.
pub fn counted(command: &mut Command) -> Result<Count> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
    let out = child.stdout.take().context("the output is piped")?;
    let err = child.stderr.take().context("the output is piped")?;
    let out = spawn(move || pass_on(out));
    let err = spawn(move || pass_on(err));
    let mut count = Count::default();
    for reader in [out, err] {
        count += reader.join().map_err(|_| anyhow::anyhow!("a reader of the output panicked"))?;
    }
    let status = child.wait().context("cannot wait for the tests")?;
    if !status.success() && count.failed == 0 {
        say(format_args!("the runner ended with {status}"));
        count.failed = 1;
    }
    Ok(count)
}

fn pass_on(output: impl Read) -> Count {
    let mut count = Count::default();
    let mut lines = BufReader::new(output);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        count += in_line(&String::from_utf8_lossy(&line));
        // Nothing is to be done about an output that nobody reads; the count is what matters.
        drop(std::io::stderr().write_all(&line));
        line.clear();
    }
    count
}

/// What a closing line of cargo test, nextest or node's runner says.
fn in_line(line: &str) -> Count {
    let line = without_colour(line);
    // cargo test's own line is not indented; nextest shows the output of a failed test indented.
    let of_cargo = line.starts_with("test result:");
    let line = line.trim();
    let node = |name: &str| {
        let rest = line.strip_prefix(['#', '\u{2139}'])?.trim_start().strip_prefix(name)?;
        rest.trim().parse().ok()
    };
    if let Some(passed) = node("pass ") {
        return Count { passed, failed: 0 };
    }
    if let Some(failed) = node("fail ") {
        return Count { passed: 0, failed };
    }
    let closes = of_cargo || (line.starts_with("Summary [") && line.contains(" run:"));
    if !closes {
        return Count::default();
    }
    let words: Vec<&str> = line.split([' ', ';', ',', '(', ')']).filter(|word| !word.is_empty()).collect();
    let before = |names: &[&str]| -> u64 {
        let named = words.windows(2).filter(|pair| names.contains(&pair[1]));
        named.filter_map(|pair| pair[0].parse::<u64>().ok()).sum()
    };
    // nextest counts a test that hung apart from those that failed, and one that panicked in time as failed.
    Count { passed: before(&["passed"]), failed: before(&["failed", "timed", "exec"]) }
}

fn without_colour(line: &str) -> String {
    let mut text = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Count, in_line};

    #[test]
    fn closing_lines_of_each_runner_are_counted() {
        let lines = [
            ("test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out", 5, 0),
            ("test result: FAILED. 4 passed; 1 failed; 0 ignored", 4, 1),
            (
                "     Summary [   1.205s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out, 0 skipped",
                10,
                2,
            ),
            ("\u{1b}[32;1m     Summary\u{1b}[0m [   0.1s] 3 tests run: 3 passed, 0 skipped", 3, 0),
            ("    test result: FAILED. 0 passed; 1 failed; 0 ignored", 0, 0),
            ("# pass 7", 7, 0),
            ("\u{2139} fail 2", 0, 2),
            ("10 passed, as a test printed", 0, 0),
        ];
        for (line, passed, failed) in lines {
            assert_eq!(in_line(line), Count { passed, failed }, "{line}");
        }
    }
}
