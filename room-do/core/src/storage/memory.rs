//! Storage in memory, for tests: what it holds survives the room, and a fault can be asked for.

use std::{collections::BTreeMap, ops::Bound};

use schemas::{Offset, PublicSession, UserId, http::ScopedKey, server_message::Reaction};

use super::{
    Append, KeyCount, KeyRange, KeyRow, Loaded, Mark, Meta, OWN_KEYS, ReactionKey, Reactions, Row, Rows,
    StateRow, Storage, StorageError, TimerRow, Verb, Writes,
};
use crate::{
    outbox::{LoadedOutbox, OutboxMark, OutboxRow, OutboxState, OutboxWrites},
    presence::MemberRow,
};

#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {
    tables: Tables,
    commits_to_fail: u32,
    commits: u64,
}

#[derive(Debug, Clone, Default)]
struct Tables {
    meta: Option<Meta>,
    log: BTreeMap<Offset, (Append, Row)>,
    reactions: BTreeMap<ReactionKey, Offset>,
    keys: BTreeMap<ScopedKey, KeyRow>,
    state: BTreeMap<String, StateRow>,
    members: BTreeMap<(UserId, PublicSession), MemberRow>,
    blocks: BTreeMap<UserId, u64>,
    outbox: BTreeMap<u64, OutboxRow>,
    outbox_state: Option<OutboxState>,
    values: BTreeMap<String, Vec<u8>>,
    timers: BTreeMap<String, TimerRow>,
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
    pub fn rows(&self) -> Vec<Row> {
        self.tables.log.values().map(|(_, row)| row.clone()).collect()
    }

    /// Rows of every table together.
    #[must_use]
    pub fn row_count(&self) -> usize {
        let Tables {
            meta,
            log,
            reactions,
            keys,
            state,
            members,
            blocks,
            outbox,
            outbox_state,
            values,
            timers,
        } = &self.tables;
        let single = usize::from(meta.is_some()) + usize::from(outbox_state.is_some());
        let people = members.len() + blocks.len();
        let behavior = values.len() + timers.len();
        single + log.len() + reactions.len() + keys.len() + state.len() + people + outbox.len() + behavior
    }

    /// Rows of what waits for webhook endpoints.
    #[must_use]
    pub fn outbox_row_count(&self) -> usize {
        self.tables.outbox.len() + usize::from(self.tables.outbox_state.is_some())
    }

    /// The events that wait for their endpoints, by their numbers.
    pub fn outbox(&self) -> impl Iterator<Item = &OutboxRow> {
        self.tables.outbox.values()
    }

    #[must_use]
    pub fn load(&self) -> Loaded {
        let Tables { meta, log, keys, state, members, blocks, outbox, outbox_state, timers, .. } =
            &self.tables;
        let oldest = log.values().next().map(|(append, _)| mark(append));
        let newest = log.values().next_back().map(|(append, _)| mark(append));
        Loaded {
            meta: *meta,
            log: oldest.zip(newest),
            members: members.values().cloned().collect(),
            state: state.iter().map(|(key, row)| (key.clone(), row.clone())).collect(),
            keys: key_count(keys),
            blocks: blocks.iter().map(|(user, until)| (user.clone(), *until)).collect(),
            outbox: LoadedOutbox {
                state: outbox_state.clone(),
                marks: outbox.values().map(OutboxRow::mark).collect::<Vec<OutboxMark>>(),
            },
            timers: timers.values().cloned().collect(),
        }
    }

    fn fault(&mut self) -> Result<(), StorageError> {
        if self.commits_to_fail > 0 {
            self.commits_to_fail -= 1;
            return Err(StorageError("a fault was asked for".into()));
        }
        Ok(())
    }
}

fn key_count(keys: &BTreeMap<ScopedKey, KeyRow>) -> KeyCount {
    KeyCount { count: keys.len() as u64, oldest_at: keys.values().map(|row| row.at).min() }
}

fn mark(append: &Append) -> Mark {
    Mark { offset: append.offset, time: append.time, bytes_total: append.bytes_total }
}

impl Tables {
    fn apply(&mut self, writes: &Writes) {
        self.meta = writes.meta.or(self.meta);
        for append in &writes.appends {
            let row = Row { body: append.body.clone(), data: append.data.clone() };
            let replaced = self.log.insert(append.offset, (append.clone(), row));
            assert!(replaced.is_none(), "an offset is appended once");
        }
        for erasure in &writes.erasures {
            self.erase(erasure.target, &erasure.body);
        }
        for (key, at) in &writes.reactions_put {
            self.reactions.insert(key.clone(), *at);
        }
        for key in &writes.reactions_removed {
            self.reactions.remove(key);
        }
        for row in &writes.keys_put {
            self.keys.insert(row.key.clone(), row.clone());
        }
        if let Some(before) = writes.keys_expired {
            self.keys.retain(|_, row| row.at >= before);
        }
        for _ in 0..writes.keys_dropped {
            let oldest = self.keys.values().min_by_key(|row| (row.at, row.offset)).map(|row| row.key.clone());
            oldest.and_then(|key| self.keys.remove(&key));
        }
        self.state.extend(writes.state_put.iter().cloned());
        for key in &writes.state_removed {
            self.state.remove(key);
        }
        for row in &writes.members_put {
            self.members.insert((row.user.clone(), row.session.clone()), row.clone());
        }
        for key in &writes.members_removed {
            self.members.remove(key);
        }
        self.blocks.extend(writes.blocks_put.iter().cloned());
        for user in &writes.blocks_removed {
            self.blocks.remove(user);
        }
        self.values.extend(writes.values_put.iter().cloned());
        for key in &writes.values_removed {
            self.values.remove(key);
        }
        self.timers.extend(writes.timers_put.iter().map(|row| (row.name.clone(), row.clone())));
        for name in &writes.timers_removed {
            self.timers.remove(name);
        }
        if let Some(through) = writes.trim_through {
            self.log = self.log.split_off(&through.next());
            self.reactions.retain(|key, _| key.target > through);
        }
        if let Some(writes) = &writes.outbox {
            self.apply_outbox(writes);
        }
    }

    fn apply_outbox(&mut self, writes: &OutboxWrites) {
        for number in &writes.removed {
            self.outbox.remove(number);
        }
        self.outbox.extend(writes.put.iter().map(|row| (row.number, row.clone())));
        self.outbox_state = Some(writes.state.clone());
    }

    fn erase(&mut self, target: Offset, body: &[u8]) {
        for (offset, (append, row)) in &mut self.log {
            let is_its_edit =
                append.refers.is_some_and(|refers| refers.target == target && refers.verb == Verb::Edit);
            if *offset == target {
                row.body = body.to_vec();
            }
            if *offset == target || is_its_edit {
                row.data = None;
            }
        }
        self.reactions.retain(|key, _| key.target != target);
    }
}

/// Behind the last offset there is nothing, and no offset to say so.
fn above(after: Offset) -> (Bound<Offset>, Bound<Offset>) {
    (Bound::Excluded(after), Bound::Unbounded)
}

fn wanted((append, row): &(Append, Row), rows: Rows) -> Option<Row> {
    (rows == Rows::All || append.refers.is_none()).then(|| row.clone())
}

impl Storage for MemoryStorage {
    fn commit(&mut self, writes: &Writes) -> Result<(), StorageError> {
        self.fault()?;
        self.tables.apply(writes);
        self.commits += 1;
        Ok(())
    }

    fn wipe(&mut self, outbox: Option<&OutboxWrites>) -> Result<(), StorageError> {
        self.fault()?;
        let before = std::mem::take(&mut self.tables);
        if let Some(writes) = outbox {
            self.tables.outbox = before.outbox;
            self.tables.apply_outbox(writes);
            self.tables.outbox.values_mut().for_each(|row| row.about = None);
        }
        self.commits += 1;
        Ok(())
    }

    fn read_after(&self, after: Offset, limit: usize, rows: Rows) -> Result<Vec<Row>, StorageError> {
        let above = self.tables.log.range(above(after));
        Ok(above.filter_map(|(_, found)| wanted(found, rows)).take(limit).collect())
    }

    fn read_before(&self, before: Offset, limit: usize, rows: Rows) -> Result<Vec<Row>, StorageError> {
        let below = self.tables.log.range(..before).rev();
        Ok(below.filter_map(|(_, found)| wanted(found, rows)).take(limit).collect())
    }

    fn first_kept(
        &self,
        after: Offset,
        time_min: u64,
        bytes_total_min: u64,
    ) -> Result<Option<Mark>, StorageError> {
        let kept = |append: &&Append| append.time >= time_min && append.bytes_total > bytes_total_min;
        let above = self.tables.log.range(above(after)).map(|(_, (append, _))| append);
        Ok(above.into_iter().find(kept).map(mark))
    }

    fn last_edits(&self, from: Offset, through: Offset) -> Result<Vec<Row>, StorageError> {
        let mut last = BTreeMap::new();
        for (append, row) in self.tables.log.values() {
            if let Some(refers) = append.refers
                && refers.verb == Verb::Edit
                && (from..=through).contains(&refers.target)
            {
                last.insert(refers.target, row.clone());
            }
        }
        Ok(last.into_values().collect())
    }

    fn reactions(
        &self,
        from: Offset,
        through: Offset,
        users_max: u32,
    ) -> Result<Vec<Reactions>, StorageError> {
        let mut by_name: BTreeMap<(Offset, &str), Vec<(Offset, &UserId)>> = BTreeMap::new();
        for (key, at) in &self.tables.reactions {
            if (from..=through).contains(&key.target) {
                by_name.entry((key.target, &key.name)).or_default().push((*at, &key.user));
            }
        }
        let grouped = by_name.into_iter().map(|((target, name), mut users)| {
            users.sort_unstable();
            let count = users.len() as u32;
            let users = users.into_iter().take(users_max as usize).map(|(_, user)| user.clone()).collect();
            Reactions { target, name: name.to_owned(), reaction: Reaction { count, users } }
        });
        Ok(grouped.collect())
    }

    fn reacted(&self, key: &ReactionKey) -> Result<bool, StorageError> {
        Ok(self.tables.reactions.contains_key(key))
    }

    fn reaction_names(&self, target: Offset) -> Result<Vec<(String, u32)>, StorageError> {
        let mut names: BTreeMap<String, u32> = BTreeMap::new();
        for key in self.tables.reactions.keys().filter(|key| key.target == target) {
            *names.entry(key.name.clone()).or_default() += 1;
        }
        Ok(names.into_iter().collect())
    }

    fn key_count(&self) -> Result<KeyCount, StorageError> {
        Ok(key_count(&self.tables.keys))
    }

    fn read_keys(&self, keys: &[ScopedKey]) -> Result<Vec<KeyRow>, StorageError> {
        Ok(keys.iter().filter_map(|key| self.tables.keys.get(key)).cloned().collect())
    }

    fn read_values(&self, keys: &[&str]) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        let found = keys.iter().filter_map(|key| self.tables.values.get_key_value(*key));
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn list_values(&self, range: &KeyRange) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        let within = |key: &String| {
            *key >= range.from
                && range.until.as_ref().is_none_or(|until| key < until)
                && !key.starts_with(OWN_KEYS)
        };
        let mut found: Vec<_> = self.tables.values.iter().filter(|(key, _)| within(key)).collect();
        if range.reverse {
            found.reverse();
        }
        let found = found.into_iter().take(range.limit);
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn transact(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Storage) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let before = (self.tables.clone(), self.commits);
        let done = work(self);
        if done.is_err() {
            (self.tables, self.commits) = before;
        }
        done
    }

    fn read_outbox(&self, numbers: &[u64]) -> Result<Vec<String>, StorageError> {
        let rows = numbers.iter().filter_map(|number| self.tables.outbox.get(number));
        Ok(rows.map(|row| row.event.clone()).collect())
    }
}
