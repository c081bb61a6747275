//! The tables of docs/AUTHORISATION.md, read as they stand there.

use crate::server::repository;
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeSet;

/// One table: what is tried, as whom, and what is expected to become of it.
#[derive(Debug)]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

/// One expectation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell<'a> {
    pub row: &'a str,
    pub column: &'a str,
    pub expected: &'a str,
}

impl Table {
    /// The table below the heading that begins so. Backticks are left out.
    pub fn read(heading: &str) -> Result<Table> {
        let path = repository().join("docs/AUTHORISATION.md");
        let page = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let plain = page.replace('`', "");
        let (_, section) =
            plain.split_once(&format!("\n## {heading}")).with_context(|| format!("no section {heading}"))?;
        let section = section.split("\n## ").next().unwrap_or_default();
        let mut lines = section.lines().filter(|line| line.starts_with('|')).map(cells);
        let columns = lines.next().with_context(|| format!("no table under {heading}"))?;
        let columns: Vec<String> = columns.into_iter().skip(1).collect();
        let mut rows = Vec::new();
        for row in lines.skip(1) {
            let (name, expected) = row.split_first().context("a row has a name")?;
            ensure!(expected.len() == columns.len(), "{name}: {} cells", expected.len());
            rows.push((name.clone(), expected.to_vec()));
        }
        let named: BTreeSet<&String> = rows.iter().map(|(name, _)| name).collect();
        ensure!(!rows.is_empty() && named.len() == rows.len(), "{heading}: each row once");
        Ok(Table { columns, rows })
    }

    pub fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        self.rows.iter().flat_map(move |(row, expected)| {
            let columns = self.columns.iter().zip(expected);
            columns.map(move |(column, expected)| Cell { row, column, expected })
        })
    }
}

fn cells(line: &str) -> Vec<String> {
    line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// What did not go as it is written, one a line.
#[derive(Debug, Default)]
pub struct Findings {
    tried: usize,
    wrong: Vec<String>,
}

impl Findings {
    pub fn note(&mut self, cell: &Cell<'_>, found: &str) {
        self.tried += 1;
        if found != cell.expected {
            let Cell { row, column, expected } = cell;
            self.wrong.push(format!("{row} with {column}: {found}, and {expected} is written"));
        }
    }

    /// How many cells were tried, if all were as it is written.
    pub fn judge(self) -> Result<usize> {
        ensure!(
            self.wrong.is_empty(),
            "{} of {} cells:\n{}",
            self.wrong.len(),
            self.tried,
            self.wrong.join("\n")
        );
        Ok(self.tried)
    }
}
