//! Storage in memory, for tests: what it holds survives the room, and a fault can be asked for.

use std::collections::BTreeMap;

use schemas::{Offset, PublicSession, UserId};

use super::{Append, Loaded, Mark, Meta, Storage, StorageError, Writes};
use crate::presence::MemberRow;

#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {
    meta: Option<Meta>,
    log: BTreeMap<Offset, Append>,
    members: BTreeMap<(UserId, PublicSession), MemberRow>,
    commits_to_fail: u32,
    commits: u64,
}

impl MemoryStorage {
    /// The next `count` commits fail and keep nothing.
    pub fn fail_commits(&mut self, count: u32) {
        self.commits_to_fail = count;
    }

    /// How many commits succeeded.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// The whole log, ascending.
    #[must_use]
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.log.values().map(|append| append.body.clone()).collect()
    }

    #[must_use]
    pub fn load(&self) -> Loaded {
        let oldest = self.log.values().next().map(mark);
        let newest = self.log.values().next_back().map(mark);
        Loaded { meta: self.meta, log: oldest.zip(newest), members: self.members.values().cloned().collect() }
    }
}

fn mark(append: &Append) -> Mark {
    Mark { offset: append.offset, time: append.time, bytes_total: append.bytes_total }
}

impl Storage for MemoryStorage {
    fn commit(&mut self, writes: &Writes) -> Result<(), StorageError> {
        if self.commits_to_fail > 0 {
            self.commits_to_fail -= 1;
            return Err(StorageError("a fault was asked for".into()));
        }
        self.meta = writes.meta.or(self.meta);
        for append in &writes.appends {
            let replaced = self.log.insert(append.offset, append.clone());
            assert!(replaced.is_none(), "an offset is appended once");
        }
        for row in &writes.members_put {
            self.members.insert((row.user.clone(), row.session.clone()), row.clone());
        }
        for key in &writes.members_removed {
            self.members.remove(key);
        }
        if let Some(through) = writes.trim_through {
            self.log = self.log.split_off(&through.next());
        }
        self.commits += 1;
        Ok(())
    }

    fn read_after(&self, after: Offset, limit: usize) -> Result<Vec<Vec<u8>>, StorageError> {
        Ok(self.log.range(after.next()..).take(limit).map(|(_, append)| append.body.clone()).collect())
    }

    fn read_before(&self, before: Offset, limit: usize) -> Result<Vec<Vec<u8>>, StorageError> {
        Ok(self.log.range(..before).rev().take(limit).map(|(_, append)| append.body.clone()).collect())
    }

    fn first_kept(
        &self,
        after: Offset,
        time_min: u64,
        bytes_total_min: u64,
    ) -> Result<Option<Mark>, StorageError> {
        let kept = |append: &&Append| append.time >= time_min && append.bytes_total > bytes_total_min;
        Ok(self.log.range(after.next()..).map(|(_, append)| append).find(kept).map(mark))
    }
}
