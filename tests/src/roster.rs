//! The member list as a client pieces it together: the welcome's snapshot, then the diffs.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;

/// Members by their public session.
pub type Roster = BTreeMap<String, Value>;

/// What the messages of one connection add up to; diffs that do not fit the list before them are errors.
pub fn roster(seen: &[Value]) -> Result<Roster> {
    let mut roster = Roster::new();
    for message in seen {
        match message["t"].as_str() {
            Some("welcome") => {
                roster.clear();
                for member in list(message, "members") {
                    roster.insert(session_of(member)?, member.clone());
                }
            }
            Some("presence") => apply(&mut roster, message)?,
            _ => {}
        }
    }
    Ok(roster)
}

fn apply(roster: &mut Roster, diff: &Value) -> Result<()> {
    for left in list(diff, "left") {
        ensure!(
            left["user"].is_string() && left["reason"].is_string(),
            "left without user or reason: {diff}"
        );
        ensure!(roster.remove(&session_of(left)?).is_some(), "who left was not there: {diff}");
    }
    for joined in list(diff, "joined") {
        let before = roster.insert(session_of(joined)?, joined.clone());
        ensure!(before.is_none(), "who joined was there already: {diff}");
    }
    for updated in list(diff, "updated") {
        let before = roster.insert(session_of(updated)?, updated.clone());
        ensure!(before.is_some(), "who was updated was not there: {diff}");
    }
    Ok(())
}

/// The array under `name`; an absent one is empty.
#[must_use]
pub fn list<'a>(message: &'a Value, name: &str) -> &'a [Value] {
    message[name].as_array().map_or(&[], Vec::as_slice)
}

fn session_of(member: &Value) -> Result<String> {
    Ok(member["session"].as_str().with_context(|| format!("a member has a session: {member}"))?.to_owned())
}

/// The users of a roster, ascending, one entry a session.
#[must_use]
pub fn users(roster: &Roster) -> Vec<String> {
    let mut users: Vec<String> =
        roster.values().map(|member| member["user"].as_str().unwrap_or_default().to_owned()).collect();
    users.sort();
    users
}
