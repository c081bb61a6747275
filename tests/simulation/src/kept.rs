//! What was ever committed, epoch by epoch, and which of it a room of a given configuration may still serve.
//!
//! Written anew from the protocol's text (R-HIST-2, R-EDIT-4, R-EDIT-5), not from the room's code.

use std::collections::BTreeMap;

use room_core::{
    Record, Row,
    storage::{Append, Loaded, Refers, Verb, Writes},
};
use schemas::{Epoch, Offset, Payload, config::LogConfig, server_message::Publication};

use crate::{folding::Folding, shared::Shared};

/// A committed record, trimmed, erased or neither.
#[derive(Debug, Clone)]
pub struct Fact {
    /// As it was committed.
    pub record: Record,
    /// The unique number in its payload, where it carries one.
    pub number: Option<u64>,
    pub refers: Option<Refers>,
    /// Bytes of all bodies and data up to and including this one.
    pub bytes_total: u64,
    /// By the room's clock.
    pub committed_at: u64,
    /// How often that clock was set back before.
    pub era: u64,
    /// The removal that took away what it said.
    pub erased_by: Option<Offset>,
}

impl Fact {
    #[must_use]
    pub fn offset(&self) -> Offset {
        self.record.publication.offset
    }

    /// Of its row, when the log ended at `head`.
    #[must_use]
    pub fn bytes(&self, head: Offset) -> usize {
        let data = self.record.publication.data.as_ref();
        let data = data.filter(|_| self.erased_by.is_none_or(|by| by > head));
        self.record.encode_body().len() + data.map_or(0, Payload::len)
    }

    /// R-PUB-13: the same to everyone; only erasure changes it. `heads` is the head before and after what showed it.
    #[must_use]
    pub fn may_be_shown_as(&self, shown: &Publication, heads: (Offset, Offset)) -> bool {
        let committed = &self.record.publication;
        if shown == committed {
            return committed.removed || self.erased_by.is_none_or(|by| by > heads.0);
        }
        let is_erased = self.erased_by.is_some_and(|by| by <= heads.1);
        is_erased && *shown == erased(committed)
    }
}

/// What is left of a publication that was removed.
pub(crate) fn erased(publication: &Publication) -> Publication {
    Publication { data: None, removed: true, ..publication.clone() }
}

/// Every record of one epoch: the offset is the place, from 1 on.
#[derive(Debug, Clone, Default)]
pub struct Log {
    pub epoch: Option<Epoch>,
    facts: Vec<Fact>,
    pub folding: Folding,
    pub shared: Shared,
}

impl Log {
    /// # Panics
    /// When the record is not the next one.
    fn append(&mut self, append: &Append, now: (u64, u64)) {
        let offset = append.offset;
        assert_eq!(offset, self.head().next(), "R-PUB-2: offsets are dense");
        let row = Row { body: append.body.clone(), data: append.data.clone() };
        let record = Record::decode(&row).expect("the room writes what it can read");
        let publication = &record.publication;
        assert_eq!(publication.offset, offset, "a row and its body name one offset");
        let before = self.facts.last();
        let time_before = before.map_or(0, |fact| fact.record.publication.time);
        assert!(publication.time >= time_before, "R-PUB-2: times do not go back");
        let bytes_total = before.map_or(0, |fact| fact.bytes_total) + row.bytes() as u64;
        let carries = append.refers.is_none_or(|refers| refers.verb == Verb::Edit);
        let number = publication.data.as_ref().filter(|_| carries).map(number_of);
        let refers = append.refers;
        let fact =
            Fact { record, number, refers, bytes_total, committed_at: now.0, era: now.1, erased_by: None };
        self.facts.push(fact);
        let gone = self.folding.take(&self.facts);
        for index in gone {
            self.facts[index].erased_by.get_or_insert(offset);
        }
    }

    #[must_use]
    pub fn head(&self) -> Offset {
        Offset::new(self.facts.len() as u64).expect("a world is short")
    }

    #[must_use]
    pub fn get(&self, offset: Offset) -> Option<&Fact> {
        self.facts.get(usize::try_from(offset.value()).ok()?.checked_sub(1)?)
    }

    /// What lies in `(after, through]`.
    #[must_use]
    pub fn between(&self, after: Offset, through: Offset) -> &[Fact] {
        let end = self.facts.len().min(through.value() as usize);
        let start = end.min(after.value() as usize);
        &self.facts[start..end]
    }

    #[must_use]
    pub fn all(&self) -> &[Fact] {
        &self.facts
    }

    /// The highest offset that counts no more at `now`, when the log ended at `head`: the lowest and the highest reading
    /// of it, which differ by the record that the bound in bytes cuts through.
    #[must_use]
    pub fn floor(&self, log: &LogConfig, head: Offset, now: u64) -> (Offset, Offset) {
        let facts = self.between(Offset::ZERO, head);
        let by_count = facts.len().saturating_sub(usize::try_from(log.count).unwrap_or(usize::MAX));
        let time_min = now.saturating_sub(log.age_ms);
        let by_age = facts[by_count..].partition_point(|fact| fact.record.publication.time < time_min);
        let low = by_count + by_age;
        let total = facts.last().map_or(0, |fact| fact.bytes_total);
        let bytes_min = total.saturating_sub(log.bytes);
        let cut = facts[low..].partition_point(|fact| fact.bytes_total < bytes_min);
        let cut_whole = facts[low..].partition_point(|fact| fact.bytes_total <= bytes_min);
        let offset = |index: usize| Offset::new(index as u64).expect("a world is short");
        (offset(low + cut), offset(low + if bytes_min == 0 { cut } else { cut_whole }))
    }
}

/// Every record that storage ever committed.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    current: Log,
    /// Of rooms that expired or were deleted.
    past: BTreeMap<u64, Log>,
}

impl Truth {
    /// The log as it is; without an epoch where the room was not used since it was wiped, or ever.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.current
    }

    /// # Panics
    /// When nobody committed that epoch.
    #[must_use]
    pub fn of(&self, epoch: Epoch) -> &Log {
        if self.current.epoch == Some(epoch) {
            return &self.current;
        }
        let past = self.past.get(&epoch.value());
        past.unwrap_or_else(|| panic!("R-HELLO-5: {epoch} was shown, and nobody committed it"))
    }

    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        self.current.epoch
    }

    #[must_use]
    pub fn head(&self) -> Offset {
        self.current.head()
    }

    /// Of every epoch.
    pub fn logs(&self) -> impl Iterator<Item = &Log> {
        self.past.values().chain([&self.current])
    }

    /// Everything that was ever committed.
    pub fn all(&self) -> impl Iterator<Item = &Fact> {
        self.logs().flat_map(|log| log.all())
    }

    fn named(&mut self, epoch: Epoch) {
        let known = self.current.epoch.replace(epoch);
        assert!(known.is_none_or(|known| known == epoch), "R-HELLO-5: an epoch does not change");
        assert!(!self.past.contains_key(&epoch.value()), "R-LIFE-5: a new room is in an epoch of its own");
    }

    /// Takes one commit; `kept` is all that storage holds behind it, `now` the room's clock and how often it was set
    /// back.
    ///
    /// # Panics
    /// When it breaks a promise.
    pub fn committed(&mut self, writes: &Writes, kept: &Loaded, now: (u64, u64)) {
        if let Some(meta) = &kept.meta {
            self.named(meta.epoch);
        }
        assert!(self.current.epoch.is_some(), "R-HELLO-5: something is kept, and no epoch");
        for append in &writes.appends {
            self.current.append(append, now);
        }
        self.current.shared.take(writes, kept);
    }

    /// Nothing is left.
    pub fn wiped(&mut self) {
        let ended = std::mem::take(&mut self.current);
        if let Some(epoch) = ended.epoch {
            self.past.insert(epoch.value(), ended);
        }
    }
}

/// What was true when the room sent something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Before the step that sent it, and behind it.
    pub head_before: Offset,
    pub head: Offset,
    pub epoch: Option<Epoch>,
    /// The counter of shared state, before and behind.
    pub state_before: u64,
    pub state: u64,
    /// What is above it must be served. It does not move back, whatever the clock does.
    pub floor_high: Offset,
    /// By the room's clock.
    pub at: u64,
}

impl Stamp {
    #[must_use]
    pub fn heads(&self) -> (Offset, Offset) {
        (self.head_before, self.head)
    }
}

/// The payload that carries `number`.
#[must_use]
pub fn payload_of(number: u64) -> Payload {
    Payload::from_json(number.to_string()).expect("a number is JSON")
}

/// As [`payload_of`], and so many bytes long.
#[must_use]
pub fn large_payload_of(number: u64, bytes: usize) -> Payload {
    let mut text = number.to_le_bytes().to_vec();
    text.resize(bytes.max(8), 0);
    Payload::Bytes(text)
}

/// The number that makes a payload unique.
///
/// # Panics
/// On payloads that the simulation did not make.
#[must_use]
pub fn number_of(payload: &Payload) -> u64 {
    match payload {
        Payload::Json(text) => text.as_str().parse().expect("only numbers are published as JSON"),
        Payload::Bytes(bytes) => {
            let (number, _) = bytes.split_first_chunk().expect("bytes begin with their number");
            u64::from_le_bytes(*number)
        }
    }
}
