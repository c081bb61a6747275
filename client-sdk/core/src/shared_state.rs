//! The room's shared state as this client knows it: the welcome's snapshot, and every change since.

use alloc::{string::String, vec::Vec};

use schemas::server_message::{StateChange, StateEntry, StateWrite};

/// Keys in their order. (A sorted list, as [`crate::presence::Roster`] is one.)
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SharedState {
    version: u64,
    entries: Vec<(String, StateEntry)>,
}

impl SharedState {
    /// The room's counter after the last write that is known of.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    #[must_use]
    pub fn get(&self, key: &str) -> Option<&StateEntry> {
        self.place(key).ok().map(|index| &self.entries[index].1)
    }

    /// In the order of their keys.
    #[must_use]
    pub fn entries(&self) -> &[(String, StateEntry)] {
        &self.entries
    }

    pub(crate) fn at(version: u64) -> SharedState {
        SharedState { version, entries: Vec::new() }
    }

    pub(crate) fn insert(&mut self, key: &str, entry: StateEntry) {
        match self.place(key) {
            Ok(index) => self.entries[index].1 = entry,
            Err(index) => self.entries.insert(index, (key.into(), entry)),
        }
    }

    /// Takes what is newer than what is known. Returns what it changed: deletions of what was not there are left out.
    pub(crate) fn apply(&mut self, mut change: StateChange) -> Option<StateChange> {
        if change.version <= self.version {
            return None;
        }
        self.version = change.version;
        change.ops.retain(|write| self.write(write));
        Some(change)
    }

    fn write(&mut self, write: &StateWrite) -> bool {
        match write {
            StateWrite::Set { key, value, version, owner } => {
                let (value, owner) = (value.clone(), owner.clone());
                self.insert(key, StateEntry { value, version: *version, owner });
                true
            }
            StateWrite::Delete { key } => match self.place(key) {
                Ok(index) => {
                    self.entries.remove(index);
                    true
                }
                Err(_) => false,
            },
        }
    }

    fn place(&self, key: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|(known, _)| known.as_str().cmp(key))
    }
}

/// The change that leads from one to the other.
pub(crate) fn difference(old: &SharedState, new: &SharedState) -> StateChange {
    let mut ops = Vec::new();
    for (key, _) in &old.entries {
        if new.get(key).is_none() {
            ops.push(StateWrite::Delete { key: key.clone() });
        }
    }
    for (key, entry) in &new.entries {
        if old.get(key) != Some(entry) {
            let StateEntry { value, version, owner } = entry.clone();
            ops.push(StateWrite::Set { key: key.clone(), value, version, owner });
        }
    }
    StateChange { version: new.version, ops }
}
