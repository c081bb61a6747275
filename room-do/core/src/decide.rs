//! What becomes of each staged entry, and everything that must be written for it: the flush's first half, before
//! anything is committed. Nothing here changes the room.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use schemas::{
    ConnectionId, ErrorCode, Offset,
    http::ScopedKey,
    server_message::{LifecycleState, Publication, RequestError},
};

use crate::{
    behavior::{
        Context, Hook, Settled,
        host::Host,
        step::{Entries, Step},
    },
    hooks::Hooked,
    keys,
    lifecycle::Lifecycle,
    room::Room,
    shared_state::StateDraft,
    staging::{DEFAULT_TYPE, Draft, Fate, Origin, Staged},
    storage::{KeyRow, Meta, ReactionKey, Record, Storage, StorageError, Verb, Writes},
};

/// What becomes of one entry.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The next of the records.
    Logged,
    /// The same was published before, under the same key.
    Duplicate(Offset),
    /// A later ephemeral of the same name stands for it.
    Superseded,
    /// Nothing would change.
    Unchanged,
    /// Shared state was written; the counter after it.
    Stated(u64),
    Refused(RequestError),
    /// Needs no decision.
    AsStaged,
    /// A hook or a method made these of it, each decided already.
    Became(Vec<(Staged, Verdict)>),
}

/// A flush as it is decided.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) entries: Entries,
    /// In the order of their offsets.
    pub(crate) records: Vec<Record>,
    pub(crate) keys: Vec<KeyRow>,
    pub(crate) state: StateDraft,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) writes: Writes,
    /// `None` where webhooks are told nothing.
    pub(crate) hooked: Option<Hooked>,
    pub(crate) settled: Settled,
}

/// The flush under decision: what is committed, and what the entries so far make of it.
pub(crate) struct Deciding<'a> {
    pub(crate) room: &'a Room,
    pub(crate) storage: &'a dyn Storage,
    pub(crate) now: u64,
    /// Whether what is written makes the room active: that it came to rest does not.
    touches: bool,
    known_keys: BTreeMap<ScopedKey, KeyRow>,
    pub(crate) records: Vec<Record>,
    keys: Vec<KeyRow>,
    pub(crate) state: StateDraft,
    pub(crate) removed: BTreeSet<Offset>,
    /// Reactions set, with the offset that says so, or taken back.
    pub(crate) reactions: BTreeMap<ReactionKey, Option<Offset>>,
    /// The names of reactions to a publication and how many users each has, these included.
    pub(crate) reaction_names: BTreeMap<Offset, BTreeMap<String, u32>>,
    pub(crate) writes: Writes,
}

impl Room {
    /// # Errors
    /// When storage cannot be read.
    pub(crate) fn decide(
        &self,
        now: u64,
        entries: &[Staged],
        storage: &dyn Storage,
        host: Option<&mut Host>,
    ) -> Result<Decided, StorageError> {
        let keyed = entries.iter().filter_map(|entry| match entry {
            Staged::Publish(draft) => draft.key.clone(),
            _ => None,
        });
        let keyed: Vec<ScopedKey> = keyed.collect();
        let mut deciding = Deciding {
            room: self,
            storage,
            now,
            touches: !matches!(entries, [Staged::Hook(Hook::Lifecycle(LifecycleState::Idle))]),
            known_keys: self.keys.find(now, &keyed, storage)?,
            records: Vec::new(),
            keys: Vec::new(),
            state: self.state.draft(),
            removed: BTreeSet::new(),
            reactions: BTreeMap::new(),
            reaction_names: BTreeMap::new(),
            writes: Writes::default(),
        };
        for key in self.staging.owed_ends.keys() {
            deciding.state.end(&self.state, key);
        }
        let superseded = superseded(entries);
        if let Some(host) = host {
            let (timers, has_sql, seed) = (Rc::clone(&host.timers), host.has_sql(), host.seed);
            let mut step = Step::new(host, Context::new(deciding, timers, has_sql, seed));
            let entries = step.entries(entries, &superseded)?;
            let (deciding, settled) = step.finish();
            return deciding.finish(entries, settled);
        }
        let mut verdicts = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            verdicts.push(match superseded.contains(&index) {
                true => Verdict::Superseded,
                false => deciding.entry(entry)?,
            });
        }
        deciding.finish(Entries { verdicts, ..Entries::default() }, Settled::default())
    }
}

/// Ephemerals for which a later one of the same connection and name stands.
pub(crate) fn superseded(entries: &[Staged]) -> BTreeSet<usize> {
    let mut latest: BTreeSet<(ConnectionId, &str)> = BTreeSet::new();
    let mut superseded = BTreeSet::new();
    for (index, entry) in entries.iter().enumerate().rev() {
        if let Staged::Publish(draft) = entry
            && let Fate::Ephemeral { conflate: Some(name) } = &draft.fate
            && let Origin::Connection { connection, .. } = &draft.origin
            && !latest.insert((*connection, name))
        {
            superseded.insert(index);
        }
    }
    superseded
}

impl Deciding<'_> {
    pub(crate) fn entry(&mut self, entry: &Staged) -> Result<Verdict, StorageError> {
        Ok(match entry {
            Staged::Publish(draft) if draft.fate == Fate::Logged => self.publish(draft),
            Staged::Amend(amendment) => match self.amend(amendment)? {
                Ok(Some(record)) => self.log(record),
                Ok(None) => Verdict::Unchanged,
                Err(error) => Verdict::Refused(error),
            },
            Staged::State(request) => {
                match self.state.apply(&self.room.state, &request.ops, &request.writer) {
                    Ok(version) => Verdict::Stated(version),
                    Err(error) => Verdict::Refused(error),
                }
            }
            Staged::Ended { key, .. } => {
                self.state.end(&self.room.state, key);
                Verdict::AsStaged
            }
            Staged::Publish(_)
            | Staged::Reply { .. }
            | Staged::Read { .. }
            | Staged::Confirm { .. }
            | Staged::Answer { .. }
            | Staged::Admitted(_)
            | Staged::Opened(_)
            | Staged::Chunk { .. }
            | Staged::Close { .. } => Verdict::AsStaged,
            Staged::Call(_) | Staged::Join(_) | Staged::Hook(_) => {
                unreachable!("only a room with a behavior stages what is for it")
            }
        })
    }

    pub(crate) fn publish(&mut self, draft: &Draft) -> Verdict {
        self.known(draft).unwrap_or_else(|| self.publish_as(draft, || keys::hash(draft)))
    }

    /// What was published under the draft's key settles what comes of it.
    pub(crate) fn known(&self, draft: &Draft) -> Option<Verdict> {
        let known = self.known_keys.get(draft.key.as_ref()?)?;
        if known.hash == keys::hash(draft) {
            return Some(Verdict::Duplicate(known.offset));
        }
        let message = format!("the key was used for another publication, at offset {}", known.offset);
        Some(Verdict::Refused(RequestError::new(None, ErrorCode::Conflict, message)))
    }

    /// Appends it; its key, which is not known, stands for what `hash` says of it.
    pub(crate) fn publish_as(&mut self, draft: &Draft, hash: impl FnOnce() -> Vec<u8>) -> Verdict {
        let (offset, time) = self.next_slot();
        if let Some(key) = &draft.key {
            let row = KeyRow { key: key.clone(), offset, at: self.now, hash: hash() };
            self.known_keys.insert(key.clone(), row.clone());
            self.keys.push(row);
        }
        let publication = Publication {
            offset,
            time,
            from: draft.author.clone(),
            kind: draft.kind.clone().unwrap_or_else(|| DEFAULT_TYPE.to_owned()),
            data: Some(draft.data.clone()),
            tags: draft.tags.clone(),
            refers: None,
            removed: false,
            edited: None,
            reactions: BTreeMap::new(),
        };
        self.log(Record { publication, to: draft.to.clone() })
    }

    pub(crate) fn log(&mut self, record: Record) -> Verdict {
        self.records.push(record);
        Verdict::Logged
    }

    /// Offset and time of the next record.
    pub(crate) fn next_slot(&self) -> (Offset, u64) {
        self.room.log.slot(self.records.len() as u64, self.now)
    }

    fn finish(self, entries: Entries, settled: Settled) -> Result<Decided, StorageError> {
        let Deciding {
            room,
            storage,
            now,
            touches,
            mut records,
            keys,
            state,
            reactions,
            removed,
            mut writes,
            ..
        } = self;
        for Record { publication, .. } in &mut records {
            if publication.kind == Verb::Edit.as_str()
                && publication.refers.is_some_and(|target| removed.contains(&target))
            {
                // Removed within the flush: it is never told.
                publication.data = None;
                publication.removed = true;
            }
        }
        for (key, at) in reactions {
            match at {
                Some(at) => writes.reactions_put.push((key, at)),
                None => writes.reactions_removed.push(key),
            }
        }
        room.keys.prepare(&keys, &mut writes, storage)?;
        state.prepare(&mut writes);
        (writes.members_put, writes.members_removed) = room.presence.writes();
        let log = room.log.prepare(&records, &mut writes);
        let lifecycle = room.next_lifecycle(now, touches && (log.is_due || !writes.is_empty()));
        if log.is_due || lifecycle != room.lifecycle || state.version() != room.state.version() {
            let (head, bytes_total) = (log.head, log.bytes_total);
            let state_version = state.version();
            let epoch = room.log.epoch();
            let time = records.last().map_or(room.log.time(), |record| record.publication.time);
            writes.meta = Some(Meta { epoch, head, bytes_total, time, state_version, lifecycle });
        }
        let mut hooked = room.hook(now, &records, lifecycle, &writes.erasures, &settled.fired, storage)?;
        writes.outbox = hooked.as_mut().and_then(|hooked| hooked.writes.take());
        Ok(Decided { entries, records, keys, state, lifecycle, writes, hooked, settled })
    }
}
