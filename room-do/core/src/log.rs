//! The log as the room knows it: epoch, head, and which records still count.
//!
//! Bodies stay in storage. Three bounds limit what is kept: the count is exact at every read, age and bytes move the
//! floor before a read and whenever the trim timer fires; rows below the floor are deleted by the trim timer, or by
//! a flush that finds too many of them.

use schemas::{Epoch, Offset, config::LogConfig, server_message::Publication};

use crate::storage::{Append, Loaded, Mark, Meta, Record, Storage, StorageError, Writes};

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
    bytes_total: u64,
    /// The newest record's time: a clock that goes back does not.
    time: u64,
    /// The oldest record that age and bytes allow.
    oldest: Option<Mark>,
    /// Rows at or below it were deleted.
    trimmed_through: Offset,
}

impl Log {
    pub(crate) fn restored(loaded: &Loaded, fresh: Epoch, config: LogConfig) -> Log {
        let meta = loaded.meta.unwrap_or(Meta { epoch: fresh, head: Offset::ZERO, bytes_total: 0 });
        let newest = loaded.log.map(|(_, newest)| newest);
        let head = newest.map_or(meta.head, |newest| newest.offset.max(meta.head));
        Log {
            config,
            epoch: meta.epoch,
            is_founded: loaded.meta.is_some(),
            head,
            bytes_total: newest.map_or(meta.bytes_total, |newest| newest.bytes_total),
            time: newest.map_or(0, |newest| newest.time),
            oldest: loaded.log.map(|(oldest, _)| oldest),
            trimmed_through: loaded.log.map_or(head, |(oldest, _)| oldest.offset.back(1)),
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

    /// Commits the epoch, unless it is: no answer shows one that a crash could take back.
    pub(crate) fn found(&mut self, storage: &mut dyn Storage) -> Result<(), StorageError> {
        if self.is_founded || !self.is_kept() {
            return Ok(());
        }
        storage.commit(&Writes { meta: Some(self.meta()), ..Writes::default() })?;
        self.is_founded = true;
        Ok(())
    }

    fn meta(&self) -> Meta {
        Meta { epoch: self.epoch, head: self.head, bytes_total: self.bytes_total }
    }

    /// Offset and time of the publication that comes `index` places after the head.
    pub(crate) fn slot(&self, index: u64, now: u64) -> (Offset, u64) {
        let offset = Offset::new(self.head.value() + index + 1)
            .expect("a log does not live to hold 2^53 publications");
        (offset, now.max(self.time))
    }

    /// Prepares records, in order and right behind the head, for a commit.
    pub(crate) fn prepare(&self, records: &[Record], writes: &mut Writes) {
        if !self.is_kept() || records.is_empty() {
            return;
        }
        let mut bytes_total = self.bytes_total;
        for record in records {
            let body = record.encode();
            bytes_total += body.len() as u64;
            let Publication { offset, time, .. } = record.publication;
            writes.appends.push(Append { offset, time, bytes_total, body });
        }
        let head = records.last().map_or(self.head, |record| record.publication.offset);
        if self.has_much_excess() {
            writes.trim_through = Some(self.floor());
        }
        if writes.trim_through.is_some() || !self.is_founded {
            writes.meta = Some(Meta { epoch: self.epoch, head, bytes_total });
        }
    }

    /// Takes over what was committed.
    pub(crate) fn committed(&mut self, records: &[Record], writes: &Writes) {
        let Some(last) = records.last() else { return };
        self.head = last.publication.offset;
        self.time = last.publication.time;
        self.is_founded |= writes.meta.is_some();
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
            self.trimmed_through = through;
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
        let kept = self.oldest.map_or(0, |oldest| self.bytes_total - oldest.bytes_total);
        kept.saturating_sub(self.config.bytes)
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
    pub(crate) fn trim(&self) -> Option<Writes> {
        let floor = self.floor();
        (self.is_kept() && floor > self.trimmed_through).then(|| Writes {
            meta: Some(self.meta()),
            trim_through: Some(floor),
            ..Writes::default()
        })
    }

    pub(crate) fn trimmed(&mut self, writes: &Writes) {
        if let Some(through) = writes.trim_through {
            self.trimmed_through = through;
        }
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
