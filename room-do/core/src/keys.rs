//! Idempotency: a publish that comes again under its key is the same publication.
//!
//! Keys are rows, written with the publication they name, so they survive what it survives. A room that keeps no log
//! promises no durability, and remembers its keys in memory.

use std::collections::BTreeMap;

use schemas::{http::ScopedKey, limits};
use sha2::{Digest as _, Sha256};

use crate::{
    staging::{DEFAULT_TYPE, Draft},
    storage::{KeyCount, KeyRow, Storage, StorageError, Writes},
};

/// Expired keys go so long after the oldest expired, so that many go at once.
const EXPIRE_AFTER_MS: u64 = 60_000;

#[derive(Debug, Clone)]
pub(crate) struct Keys {
    window_ms: u64,
    known: KeyCount,
    /// Instead of rows, where the room keeps no log.
    in_memory: Option<BTreeMap<ScopedKey, KeyRow>>,
}

impl Keys {
    pub(crate) fn restored(window_ms: u64, known: KeyCount, keeps_log: bool) -> Keys {
        Keys { window_ms, known, in_memory: (!keeps_log).then(BTreeMap::new) }
    }

    /// Those of the keys that still count.
    pub(crate) fn find(
        &self,
        now: u64,
        keys: &[ScopedKey],
        storage: &dyn Storage,
    ) -> Result<BTreeMap<ScopedKey, KeyRow>, StorageError> {
        if keys.is_empty() || (self.in_memory.is_none() && self.known.count == 0) {
            return Ok(BTreeMap::new());
        }
        let found = match &self.in_memory {
            Some(rows) => keys.iter().filter_map(|key| rows.get(key)).cloned().collect(),
            None => storage.read_keys(keys)?,
        };
        let counts = |row: &KeyRow| row.at + self.window_ms > now;
        Ok(found.into_iter().filter(counts).map(|row| (row.key.clone(), row)).collect())
    }

    /// Prepares rows for a commit; above the bound the oldest make room.
    pub(crate) fn prepare(
        &self,
        rows: &[KeyRow],
        writes: &mut Writes,
        storage: &dyn Storage,
    ) -> Result<(), StorageError> {
        if rows.is_empty() || self.in_memory.is_some() {
            return Ok(());
        }
        writes.keys_put = rows.to_vec();
        let bound = limits::KEYS_MAX.saturating_sub(rows.len() as u64);
        if self.known.count > bound {
            // What is known counts a key anew that replaced an expired one.
            writes.keys_dropped = storage.key_count()?.count.saturating_sub(bound);
        }
        Ok(())
    }

    /// Takes over what was committed.
    pub(crate) fn committed(&mut self, rows: Vec<KeyRow>, dropped: u64) {
        let oldest = rows.iter().map(|row| row.at).min();
        self.known.count = (self.known.count + rows.len() as u64).saturating_sub(dropped);
        self.known.oldest_at = self.known.oldest_at.into_iter().chain(oldest).min();
        let Some(in_memory) = &mut self.in_memory else { return };
        in_memory.extend(rows.into_iter().map(|row| (row.key.clone(), row)));
        while in_memory.len() as u64 > limits::KEYS_MAX {
            let oldest = in_memory.values().min_by_key(|row| (row.at, row.offset)).map(|row| row.key.clone());
            oldest.and_then(|key| in_memory.remove(&key));
        }
    }

    /// When the timer should fire that forgets expired keys.
    pub(crate) fn expire_at(&self) -> Option<u64> {
        self.known.oldest_at.map(|at| at + self.window_ms + EXPIRE_AFTER_MS)
    }

    /// Forgets what has expired.
    pub(crate) fn expire(&mut self, now: u64, storage: &mut dyn Storage) -> Result<(), StorageError> {
        let before = (now + 1).saturating_sub(self.window_ms);
        if let Some(in_memory) = &mut self.in_memory {
            in_memory.retain(|_, row| row.at >= before);
            self.known.oldest_at = in_memory.values().map(|row| row.at).min();
            return Ok(());
        }
        storage.commit(&Writes { keys_expired: Some(before), ..Writes::default() })?;
        self.known = storage.key_count()?;
        Ok(())
    }
}

/// What must be the same when a key comes again: type, data, tags and `to`.
pub(crate) fn hash(draft: &Draft) -> Vec<u8> {
    let kind = draft.kind.as_deref().unwrap_or(DEFAULT_TYPE);
    let said = rmp_serde::to_vec(&(kind, &draft.data, &draft.tags, &draft.to));
    let digest = Sha256::digest(said.expect("a draft is plain data"));
    digest[..16].to_vec()
}

#[cfg(test)]
mod tests {
    use schemas::{Offset, http::KeyScope, limits::KEYS_MAX};

    use super::*;
    use crate::storage::MemoryStorage;

    fn row(index: u64) -> KeyRow {
        KeyRow {
            key: ScopedKey { scope: KeyScope::ApiKey("k".to_owned()), key: index.to_string() },
            offset: Offset::new(index + 1).expect("an offset"),
            at: index,
            hash: Vec::new(),
        }
    }

    #[test]
    fn r_key_4_of_those_in_memory_the_oldest_are_forgotten() {
        let mut keys = Keys::restored(1_000, KeyCount::default(), false);
        let storage = MemoryStorage::default();
        let known = |keys: &Keys, index: u64| {
            let found = keys.find(index, &[row(index).key], &storage).expect("memory does not fail");
            found.len() == 1
        };
        keys.committed((0..KEYS_MAX).map(row).collect(), 0);
        assert!(known(&keys, 0), "the bound itself is kept");
        keys.committed((KEYS_MAX..KEYS_MAX + 3).map(row).collect(), 0);
        assert_eq!(
            [0, 1, 2, 3, KEYS_MAX].map(|index| known(&keys, index)),
            [false, false, false, true, true]
        );
    }
}
