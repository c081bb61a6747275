//! What a server has written: its own lines, each one JSON object, and those of the platform.

use crate::eventually;
use crate::server::Server;
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// Everything that the process has written so far.
pub fn text(server: &Server) -> Result<String> {
    std::fs::read_to_string(server.data().join("workerd.log")).context("workerd.log")
}

/// The lines of our code, in the order in which they were written; each is checked to have what every line has.
pub fn lines(server: &Server) -> Result<Vec<Value>> {
    let text = text(server)?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let ours = whole.lines().filter(|line| !is_platforms(line));
    ours.map(read).collect()
}

fn read(line: &str) -> Result<Value> {
    let value: Value = serde_json::from_str(line).with_context(|| format!("not a JSON line: {line}"))?;
    let level = value["level"].as_str().with_context(|| format!("no level: {line}"))?;
    ensure!(["info", "warn", "error"].contains(&level), "{line}");
    ensure!(value["event"].as_str().is_some_and(|event| !event.is_empty()), "no event: {line}");
    ensure!(value["time"].as_u64().is_some_and(|time| time > 1_700_000_000_000), "no time: {line}");
    Ok(value)
}

/// What workerd itself has to say begins with a place in its sources, `workerd/io/worker.c++:1234: …`, or goes on from
/// there.
fn is_platforms(line: &str) -> bool {
    line.split_once(": ").is_some_and(|(place, _)| place.contains(".c++:"))
        || ["stack: ", "    at ", "  "].iter().any(|start| line.starts_with(start))
}

/// The first line that is wanted, once it is there.
pub async fn line(server: &Server, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    eventually(what, async || Ok(lines(server)?.into_iter().find(&wanted))).await
}
