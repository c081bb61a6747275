//! Shared state as it was committed: what each key was after each commit.
//!
//! Written anew from the protocol's text (R-STATE-1 to R-STATE-5), not from the room's code.

use std::collections::{BTreeMap, BTreeSet};

use room_core::storage::{Loaded, StateRow, Writes};
use schemas::server_message::StateEntry;

use crate::kept::number_of;

/// One key's rows, each with the room's counter behind the commit that wrote it; `None` where it was deleted.
type Rows = Vec<(u64, Option<StateRow>)>;

#[derive(Debug, Clone, Default)]
pub struct Shared {
    version: u64,
    /// Behind each commit that wrote.
    versions: BTreeSet<u64>,
    history: BTreeMap<String, Rows>,
}

impl Shared {
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Takes one commit; `kept` is all that storage holds behind it.
    ///
    /// # Panics
    /// When it breaks a promise.
    pub fn take(&mut self, writes: &Writes, kept: &Loaded) {
        let before = self.version;
        let version = kept.meta.map_or(before, |meta| meta.state_version);
        assert!(version >= before, "R-STATE-1: the counter went from {before} back to {version}");
        let mut seen = BTreeSet::new();
        for (key, row) in &writes.state_put {
            let written = row.entry.version;
            let is_new = written > before && written <= version && seen.insert(written);
            assert!(
                is_new,
                "R-STATE-1: {key} has version {written}, and the counter moved {before} to {version}"
            );
            self.history.entry(key.clone()).or_default().push((version, Some(row.clone())));
        }
        for key in &writes.state_removed {
            assert!(version > before, "R-STATE-1: {key} was deleted, and the counter stood at {version}");
            self.history.entry(key.clone()).or_default().push((version, None));
        }
        self.version = version;
        self.versions.insert(version);
        for (key, row) in &kept.state {
            let owner = row.owner_user.as_ref().zip(row.entry.owner.as_ref());
            let is_here = |(user, session): (&_, &_)| {
                kept.members.iter().any(|member| member.user == *user && member.session == *session)
            };
            assert!(owner.is_none_or(is_here), "R-STATE-4: {key} is owned by nobody who is here: {row:?}");
            assert_eq!(owner.is_some(), row.entry.owner.is_some(), "R-STATE-4: an owner has a user");
        }
    }

    /// A key as it was when the counter stood at `version`.
    #[must_use]
    pub fn get(&self, key: &str, version: u64) -> Option<&StateRow> {
        let rows = self.history.get(key)?;
        rows.iter().rev().find(|(at, _)| *at <= version)?.1.as_ref()
    }

    /// What somebody believes the state to be at `version`.
    ///
    /// # Panics
    /// When it was not so.
    pub fn judge<'a>(&self, version: u64, shown: impl Iterator<Item = (&'a String, &'a StateEntry)>) {
        let is_known = version == 0 || self.versions.contains(&version);
        assert!(is_known, "R-STATE-5: {version} was told before it was durable");
        let expected = self.history.keys().filter_map(|key| Some((key, &self.get(key, version)?.entry)));
        let (expected, shown): (Vec<_>, Vec<_>) = (expected.collect(), shown.collect());
        assert_eq!(shown, expected, "R-STATE-3: shared state at {version}");
    }

    /// Every value that was ever committed, by its number.
    pub fn values(&self) -> impl Iterator<Item = u64> {
        let rows = self.history.values().flatten().filter_map(|(_, row)| row.as_ref());
        rows.map(|row| number_of(&row.entry.value))
    }
}
