//! The log as the room knows it: epoch, head, and which records still count.
//!
//! Bodies stay in storage. Three bounds limit what is kept: the count is exact at every read, age and bytes move the
//! floor before a read and whenever the trim timer fires; rows below the floor are deleted by the trim timer, or by
//! a flush that finds too many of them.

use schemas::{Epoch, Offset, Payload, config::LogConfig, server_message::Publication};

use crate::storage::{Append, Loaded, Mark, Meta, Record, Refers, Storage, StorageError, Verb, Writes};

/// Rows that no longer count and are still there: beyond it a flush takes them along.
const EXCESS_MAX: u64 = 1_000;
/// Otherwise they go so long after they were noticed, in milliseconds.
const TRIM_AFTER_MS: u64 = 60_000;

#[derive(Debug, Clone)]
pub(crate) struct Log {
    config: LogConfig,
    epoch: Epoch,
    /// Whether storage knows the epoch.
    is_founded: bool,
    head: Offset,
    /// Where no log is kept: what storage has for the head.
    reserved: Offset,
    bytes_total: u64,
    /// The newest record's time: a clock that goes back does not.
    time: u64,
    /// The oldest record that age and bytes allow.
    oldest: Option<Mark>,
    /// Rows at or below it were deleted.
    trimmed_through: Offset,
    /// `bytes_total` of the oldest row that was not deleted.
    trimmed_bytes: u64,
}

/// A room that keeps no log forgets its numbers with its memory, and its connections do not: it writes down a bound that
/// it gives out numbers below, so many at a time, and begins at that bound when it wakes.
const RESERVED: u64 = 1_000_000;

/// The log's part of what is known of a room once a flush is committed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogMeta {
    pub(crate) head: Offset,
    pub(crate) bytes_total: u64,
    /// Whether it has to be written.
    pub(crate) is_due: bool,
}

impl Log {
    pub(crate) fn restored(loaded: &Loaded, fresh: Epoch, config: LogConfig) -> Log {
        let begun = Meta {
            epoch: fresh,
            head: Offset::ZERO,
            bytes_total: 0,
            time: 0,
            state_version: 0,
            lifecycle: crate::lifecycle::Lifecycle::FRESH,
        };
        let meta = loaded.meta.unwrap_or(begun);
        let newest = loaded.log.map(|(_, newest)| newest);
        let head = newest.map_or(meta.head, |newest| newest.offset.max(meta.head));
        Log {
            config,
            epoch: meta.epoch,
            is_founded: loaded.meta.is_some(),
            head,
            reserved: head,
            bytes_total: newest.map_or(meta.bytes_total, |newest| newest.bytes_total),
            time: newest.map_or(meta.time, |newest| newest.time.max(meta.time)),
            oldest: loaded.log.map(|(oldest, _)| oldest),
            trimmed_through: loaded.log.map_or(head, |(oldest, _)| oldest.offset.back(1)),
            trimmed_bytes: loaded.log.map_or(meta.bytes_total, |(oldest, _)| oldest.bytes_total),
        }
    }

    pub(crate) fn head(&self) -> Offset {
        self.head
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether publications are kept at all. Without, offsets are numbered in memory.
    pub(crate) fn is_kept(&self) -> bool {
        self.config.count > 0
    }

    /// Whether storage knows the epoch.
    pub(crate) fn is_founded(&self) -> bool {
        self.is_founded
    }

    pub(crate) fn founded(&mut self) {
        self.is_founded = true;
    }

    /// The head as it is written down.
    pub(crate) fn stored_head(&self) -> Offset {
        if self.is_kept() { self.head } else { self.reserve(self.head) }
    }

    fn reserve(&self, head: Offset) -> Offset {
        if head <= self.reserved { self.reserved } else { head.ahead(RESERVED) }
    }

    pub(crate) fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    /// Bytes of what is kept behind the oldest record.
    pub(crate) fn bytes_behind_oldest(&self) -> u64 {
        self.oldest.map_or(0, |oldest| self.bytes_total - oldest.bytes_total)
    }

    /// The newest record's time, in milliseconds since 1970.
    pub(crate) fn time(&self) -> u64 {
        self.time
    }

    /// Offset and time of the publication that comes `index` places after the head.
    pub(crate) fn slot(&self, index: u64, now: u64) -> (Offset, u64) {
        let offset = Offset::new(self.head.value() + index + 1)
            .expect("a log does not live to hold 2^53 publications");
        (offset, now.max(self.time))
    }

    /// Prepares records, in order and right behind the head, for a commit.
    pub(crate) fn prepare(&self, records: &[Record], writes: &mut Writes) -> LogMeta {
        let head = records.last().map_or(self.head, |record| record.publication.offset);
        let mut bytes_total = self.bytes_total;
        if !self.is_kept() {
            let is_due = head > self.reserved || (!self.is_founded && !writes.is_empty());
            return LogMeta { head: self.reserve(head), bytes_total, is_due };
        }
        for record in records {
            let append = append(record, bytes_total);
            bytes_total = append.bytes_total;
            writes.appends.push(append);
        }
        if !records.is_empty() && self.has_much_excess() {
            writes.trim_through = Some(self.floor());
        }
        let is_due = writes.trim_through.is_some() || (!self.is_founded && !writes.is_empty());
        LogMeta { head, bytes_total, is_due }
    }

    /// Takes over what was committed.
    pub(crate) fn committed(&mut self, records: &[Record], writes: &Writes) {
        if let Some(meta) = &writes.meta {
            self.is_founded = true;
            self.reserved = meta.head;
        }
        let Some(last) = records.last() else { return };
        self.head = last.publication.offset;
        self.time = last.publication.time;
        if let Some(append) = writes.appends.last() {
            self.bytes_total = append.bytes_total;
        }
        if self.oldest.is_none() {
            self.oldest = writes.appends.first().map(|append| Mark {
                offset: append.offset,
                time: append.time,
                bytes_total: append.bytes_total,
            });
        }
        if let Some(through) = writes.trim_through {
            self.trimmed(through);
        }
    }

    /// The highest offset that no longer counts. What is above it can be recovered.
    pub(crate) fn floor(&self) -> Offset {
        let by_count = self.head.back(self.config.count);
        let by_age_and_bytes = self.oldest.map_or(self.head, |mark| mark.offset.back(1));
        by_count.max(by_age_and_bytes).max(self.trimmed_through)
    }

    /// Whether a flush should delete rows along the way, since the trim timer would come late.
    pub(crate) fn has_much_excess(&self) -> bool {
        let rows = self.floor().since(self.trimmed_through);
        let rows_max = EXCESS_MAX.max(self.config.count / 10);
        self.is_kept() && (rows > rows_max || self.excess_bytes() > self.config.bytes / 4)
    }

    fn excess_bytes(&self) -> u64 {
        (self.bytes_total - self.trimmed_bytes).saturating_sub(self.config.bytes)
    }

    /// Moves the floor past what age and bytes no longer allow.
    pub(crate) fn refresh_floor(&mut self, now: u64, storage: &dyn Storage) -> Result<(), StorageError> {
        let time_min = now.saturating_sub(self.config.age_ms);
        let bytes_total_min = self.bytes_total.saturating_sub(self.config.bytes);
        let Some(oldest) = self.oldest else { return Ok(()) };
        let counts = oldest.offset > self.head.back(self.config.count);
        if counts && oldest.time >= time_min && oldest.bytes_total >= bytes_total_min {
            return Ok(());
        }
        self.oldest = storage.first_kept(self.floor(), time_min, bytes_total_min)?;
        Ok(())
    }

    /// What the trim timer deletes.
    pub(crate) fn trim_through(&self) -> Option<Offset> {
        let floor = self.floor();
        (self.is_kept() && floor > self.trimmed_through).then_some(floor)
    }

    pub(crate) fn trimmed(&mut self, through: Offset) {
        self.trimmed_through = through;
        self.trimmed_bytes = self.oldest.map_or(self.bytes_total, |oldest| oldest.bytes_total);
    }

    /// When the trim timer should fire: a minute after rows stopped counting, or when the oldest row's age is up.
    pub(crate) fn trim_at(&self) -> Option<u64> {
        if !self.is_kept() {
            return None;
        }
        if self.floor() > self.trimmed_through || self.excess_bytes() > 0 {
            return Some(self.time + TRIM_AFTER_MS);
        }
        self.oldest.map(|mark| mark.time.saturating_add(self.config.age_ms).saturating_add(TRIM_AFTER_MS))
    }
}

fn append(record: &Record, bytes_before: u64) -> Append {
    let Publication { offset, time, kind, data, refers, .. } = &record.publication;
    let body = record.encode_body();
    let verb = [Verb::Edit, Verb::Remove, Verb::React].into_iter().find(|verb| verb.as_str() == kind);
    Append {
        offset: *offset,
        time: *time,
        bytes_total: bytes_before + (body.len() + data.as_ref().map_or(0, Payload::len)) as u64,
        body,
        data: data.clone(),
        refers: refers.zip(verb).map(|(target, verb)| Refers { target, verb }),
    }
}
