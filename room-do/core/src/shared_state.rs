//! Shared state: a small map, the last writer wins, with versions to compare and keys that go with their session.
//!
//! A flush works on a [`StateDraft`] over what is committed: each request applies whole or not at all, and what is
//! told afterwards is the last write of each key.

use std::collections::BTreeMap;

use schemas::{
    ErrorCode, Payload, PublicSession, UserId,
    client_message::StateOp,
    limits,
    server_message::{RequestError, StateChange, StateEntry, StateInfo, StateSnapshot, StateWrite},
};

use crate::{
    presence::MemberKey,
    storage::{StateRow, Writes},
};

#[derive(Debug, Clone, Default)]
pub(crate) struct SharedState {
    version: u64,
    rows: BTreeMap<String, StateRow>,
    bytes: usize,
}

/// How much of the state users and backends fill where the room itself writes, too: the rest is its own.
const ASKED_KEYS_MAX: usize = 900;
const ASKED_BYTES_MAX: usize = limits::STATE_BYTES_MAX / 8 * 7;

/// Who writes.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    /// The session that may own keys; a backend has none.
    pub(crate) member: Option<MemberKey>,
    /// May write what others own.
    pub(crate) moderates: bool,
}

impl SharedState {
    pub(crate) fn restored(version: u64, rows: Vec<(String, StateRow)>) -> SharedState {
        let bytes = rows.iter().map(|(key, row)| size(key, row)).sum();
        SharedState { version, rows: rows.into_iter().collect(), bytes }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn info(&self) -> StateInfo {
        StateInfo { version: self.version, keys: self.rows.len() as u32, bytes: self.bytes as u64 }
    }

    pub(crate) fn snapshot(&self) -> StateSnapshot {
        let entries = self.rows.iter().map(|(key, row)| (key.clone(), row.entry.clone()));
        StateSnapshot { version: self.version, entries: entries.collect() }
    }

    pub(crate) fn draft(&self) -> StateDraft {
        StateDraft {
            version: self.version,
            bytes: self.bytes,
            keys: self.rows.len(),
            changed: BTreeMap::new(),
            undo: Vec::new(),
            has_reserve: false,
        }
    }

    /// Takes over what was committed.
    pub(crate) fn committed(&mut self, draft: StateDraft) {
        self.version = draft.version;
        self.bytes = draft.bytes;
        for (key, write) in draft.changed {
            match write.row {
                Some(row) => drop(self.rows.insert(key, row)),
                None => drop(self.rows.remove(&key)),
            }
        }
    }
}

fn size(key: &str, row: &StateRow) -> usize {
    key.len() + row.entry.value.len()
}

#[derive(Debug, Clone)]
struct Write {
    version: u64,
    /// `None`: deleted.
    row: Option<StateRow>,
}

/// What a flush makes of the state.
#[derive(Debug, Clone)]
pub(crate) struct StateDraft {
    version: u64,
    bytes: usize,
    keys: usize,
    changed: BTreeMap<String, Write>,
    /// What each change replaced, since the outermost mark.
    undo: Vec<(String, Option<Write>)>,
    /// Whether a part is kept for the room's own writes.
    has_reserve: bool,
}

/// Where a part of a flush began.
#[derive(Debug)]
pub(crate) struct StateMark {
    version: u64,
    bytes: usize,
    keys: usize,
    undo: usize,
}

impl StateDraft {
    pub(crate) fn mark(&self) -> StateMark {
        StateMark { version: self.version, bytes: self.bytes, keys: self.keys, undo: self.undo.len() }
    }

    /// What was done since is taken back.
    pub(crate) fn roll_back(&mut self, to: StateMark) {
        (self.version, self.bytes, self.keys) = (to.version, to.bytes, to.keys);
        while self.undo.len() > to.undo {
            let Some((key, before)) = self.undo.pop() else { return };
            match before {
                Some(before) => drop(self.changed.insert(key, before)),
                None => drop(self.changed.remove(&key)),
            }
        }
    }

    /// Nothing so far is taken back any more.
    pub(crate) fn forget_marks(&mut self) {
        self.undo.clear();
    }

    pub(crate) fn value<'a>(&'a self, base: &'a SharedState, key: &str) -> Option<&'a Payload> {
        self.get(base, key).map(|row| &row.entry.value)
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    fn get<'a>(&'a self, base: &'a SharedState, key: &str) -> Option<&'a StateRow> {
        match self.changed.get(key) {
            Some(write) => write.row.as_ref(),
            None => base.rows.get(key),
        }
    }

    fn put(&mut self, base: &SharedState, key: &str, row: Option<StateRow>) {
        let old = self.get(base, key).map(|old| size(key, old));
        let new = row.as_ref().map(|row| size(key, row));
        self.bytes = self.bytes + new.unwrap_or(0) - old.unwrap_or(0);
        self.keys = self.keys + usize::from(new.is_some()) - usize::from(old.is_some());
        let before = self.changed.insert(key.to_owned(), Write { version: self.version, row });
        self.undo.push((key.to_owned(), before));
    }

    /// From here on a part is kept for what [`StateDraft::apply_own`] writes.
    pub(crate) fn keep_reserve(&mut self) {
        self.has_reserve = true;
    }

    /// Applies all of the operations of a user or a backend, or none.
    pub(crate) fn apply(
        &mut self,
        base: &SharedState,
        ops: &[StateOp],
        writer: &Writer,
    ) -> Result<u64, RequestError> {
        let bounds = match self.has_reserve {
            true => (ASKED_KEYS_MAX, ASKED_BYTES_MAX),
            false => (limits::STATE_KEYS_MAX, limits::STATE_BYTES_MAX),
        };
        self.apply_all(base, ops, writer, bounds)
    }

    /// Applies all of the room's own operations, or none.
    pub(crate) fn apply_own(&mut self, base: &SharedState, ops: &[StateOp]) -> Result<u64, RequestError> {
        let writer = Writer { member: None, moderates: true };
        self.apply_all(base, ops, &writer, (limits::STATE_KEYS_MAX, limits::STATE_BYTES_MAX))
    }

    fn apply_all(
        &mut self,
        base: &SharedState,
        ops: &[StateOp],
        writer: &Writer,
        bounds: (usize, usize),
    ) -> Result<u64, RequestError> {
        let before = self.mark();
        let applied = self.apply_each(base, ops, writer).and_then(|()| self.check_size(&before, bounds));
        if applied.is_err() {
            self.roll_back(before);
        }
        applied.map(|()| self.version)
    }

    fn apply_each(
        &mut self,
        base: &SharedState,
        ops: &[StateOp],
        writer: &Writer,
    ) -> Result<(), RequestError> {
        for (index, op) in ops.iter().enumerate() {
            self.apply_one(base, op, writer).map_err(|error| error.at(index))?;
        }
        Ok(())
    }

    /// What makes it no larger is never too large: the room may have filled it.
    fn check_size(
        &self,
        before: &StateMark,
        (keys_max, bytes_max): (usize, usize),
    ) -> Result<(), RequestError> {
        if self.keys > keys_max && self.keys > before.keys {
            let message = format!("the room's state would have {} keys, and at most {keys_max}", self.keys);
            return Err(RequestError::new(None, ErrorCode::TooLarge, message));
        }
        if self.bytes > bytes_max && self.bytes > before.bytes {
            let message = format!("the room's state would be {} bytes, and at most {bytes_max}", self.bytes);
            return Err(RequestError::new(None, ErrorCode::TooLarge, message));
        }
        Ok(())
    }

    fn apply_one(&mut self, base: &SharedState, op: &StateOp, writer: &Writer) -> Result<(), OpError> {
        let old = self.get(base, op.key());
        let version = old.map_or(0, |row| row.entry.version);
        if let Some(expected) = op.expected()
            && expected != version
        {
            return Err(OpError::Version { found: version });
        }
        if old.is_some_and(|row| !writer.may_write(row)) {
            return Err(OpError::Owned);
        }
        let existed = old.is_some();
        match op {
            StateOp::Delete { key, .. } => {
                if existed {
                    self.version += 1;
                    self.put(base, key, None);
                }
            }
            StateOp::Set { key, value, owned, .. } => {
                let owner = writer.member.as_ref().filter(|_| *owned);
                if *owned && owner.is_none() {
                    return Err(OpError::NoSession);
                }
                self.version += 1;
                let entry = StateEntry {
                    value: value.clone(),
                    version: self.version,
                    owner: owner.map(|(_, session)| session.clone()),
                };
                let owner_user = owner.map(|(user, _)| user.clone());
                self.put(base, key, Some(StateRow { entry, owner_user }));
            }
        }
        Ok(())
    }

    /// A membership ended: what its session owned goes.
    pub(crate) fn end(&mut self, base: &SharedState, (user, session): &MemberKey) {
        let kept = base.rows.iter().filter(|(key, _)| !self.changed.contains_key(*key));
        let drafted = self.changed.iter().filter_map(|(key, write)| Some((key, write.row.as_ref()?)));
        let owned = kept.chain(drafted).filter(|(_, row)| is_owned_by(row, user, session));
        let owned: Vec<String> = owned.map(|(key, _)| key.clone()).collect();
        for key in owned {
            self.version += 1;
            self.put(base, &key, None);
        }
    }

    pub(crate) fn prepare(&self, writes: &mut Writes) {
        for (key, write) in &self.changed {
            match &write.row {
                Some(row) => writes.state_put.push((key.clone(), row.clone())),
                None => writes.state_removed.push(key.clone()),
            }
        }
    }

    /// What to tell: the last write of each key, in the order of their versions.
    pub(crate) fn change(&self) -> Option<StateChange> {
        if self.changed.is_empty() {
            return None;
        }
        let mut writes: Vec<(&String, &Write)> = self.changed.iter().collect();
        writes.sort_by_key(|(_, write)| write.version);
        let ops = writes.into_iter().map(|(key, write)| match &write.row {
            None => StateWrite::Delete { key: key.clone() },
            Some(StateRow { entry, .. }) => StateWrite::Set {
                key: key.clone(),
                value: entry.value.clone(),
                version: entry.version,
                owner: entry.owner.clone(),
            },
        });
        Some(StateChange { version: self.version, ops: ops.collect() })
    }
}

fn is_owned_by(row: &StateRow, user: &UserId, session: &PublicSession) -> bool {
    row.owner_user.as_ref() == Some(user) && row.entry.owner.as_ref() == Some(session)
}

impl Writer {
    fn may_write(&self, row: &StateRow) -> bool {
        let own = self.member.as_ref().is_some_and(|(user, session)| is_owned_by(row, user, session));
        row.entry.owner.is_none() || own || self.moderates
    }
}

/// Why one operation is refused, and with it its request.
enum OpError {
    Version { found: u64 },
    Owned,
    NoSession,
}

impl OpError {
    fn at(self, index: usize) -> RequestError {
        let (code, field, message) = match self {
            OpError::Version { found } => {
                (ErrorCode::Conflict, ".if", format!("the key's version is {found}"))
            }
            OpError::Owned => (ErrorCode::Forbidden, "", "the key is another session's".to_owned()),
            OpError::NoSession => {
                (ErrorCode::InvalidArgument, ".owned", "only a session can own a key".to_owned())
            }
        };
        let path = format!("ops[{index}]{field}");
        RequestError { code, ..RequestError::invalid(None, &path, message) }
    }
}

/// Bounds that hold whatever the state is.
pub(crate) fn check_ops(id: Option<u32>, ops: &[StateOp]) -> Result<(), RequestError> {
    if ops.is_empty() || ops.len() > limits::STATE_OPS_MAX {
        return Err(RequestError::invalid(id, "ops", format!("are 1 to {}", limits::STATE_OPS_MAX)));
    }
    for (index, op) in ops.iter().enumerate() {
        if op.key().is_empty() || op.key().len() > limits::STATE_KEY_BYTES_MAX {
            let field = if matches!(op, StateOp::Set { .. }) { "set" } else { "delete" };
            let message = format!("is 1 to {} bytes", limits::STATE_KEY_BYTES_MAX);
            return Err(RequestError::invalid(id, &format!("ops[{index}].{field}"), message));
        }
        if let StateOp::Set { value, .. } = op
            && value.len() > limits::STATE_VALUE_BYTES_MAX
        {
            let message = format!("ops[{index}].value: is at most {} bytes", limits::STATE_VALUE_BYTES_MAX);
            return Err(RequestError::new(id, ErrorCode::TooLarge, message));
        }
    }
    Ok(())
}
