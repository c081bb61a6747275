//! Pages of the log, for whoever may see them, with edits, removals and reactions applied.

use schemas::{
    Offset, limits,
    server_message::{HistoryPage, Publication},
};

use crate::{
    amend,
    recovery::Viewer,
    room::Room,
    storage::{Record, Row, Rows, Storage, StorageError},
};

const READ_CHUNK: usize = 256;

impl Room {
    /// At most `limit` publications, and 1 MiB, below `before` or above `after`, or the newest; ascending whichever
    /// way.
    pub(crate) fn read_history(
        &mut self,
        now: u64,
        before: Option<Offset>,
        after: Option<Offset>,
        limit: u32,
        viewer: &Viewer,
        storage: &dyn Storage,
    ) -> Result<HistoryPage, StorageError> {
        let mut page = self.read_log(now, before, after, limit, Rows::Messages, viewer, storage)?;
        amend::fold(&mut page.messages, storage)?;
        Ok(page)
    }

    /// As [`Room::read_history`], with the log as it is where all rows are wanted.
    #[expect(clippy::too_many_arguments, reason = "a page, and who reads what of it")]
    pub(crate) fn read_log(
        &mut self,
        now: u64,
        before: Option<Offset>,
        after: Option<Offset>,
        limit: u32,
        wanted: Rows,
        viewer: &Viewer,
        storage: &dyn Storage,
    ) -> Result<HistoryPage, StorageError> {
        let epoch = self.log.epoch();
        if !self.log.is_kept() {
            return Ok(HistoryPage { epoch, messages: Vec::new(), next: None });
        }
        self.log.refresh_floor(now, storage)?;
        let floor = self.log.floor();
        let mut page =
            Page { viewer, limit: limit as usize, messages: Vec::new(), bytes: 0, has_more: false };
        if let Some(after) = after {
            let mut from = after.max(floor);
            loop {
                let rows = storage.read_after(from, READ_CHUNK, wanted)?;
                let is_last = rows.len() < READ_CHUNK;
                match page.take(&rows, floor)? {
                    Some(offset) if !is_last => from = offset,
                    _ => break,
                }
            }
        } else {
            let end = self.log.head().next();
            let mut from = before.unwrap_or(end).min(end);
            while from > floor.next() {
                let rows = storage.read_before(from, READ_CHUNK, wanted)?;
                let is_last = rows.len() < READ_CHUNK;
                match page.take(&rows, floor)? {
                    Some(offset) if !is_last => from = offset,
                    _ => break,
                }
            }
        }
        let Page { mut messages, has_more, .. } = page;
        let next = messages.last().filter(|_| has_more).map(|last| last.offset);
        if after.is_none() {
            messages.reverse();
        }
        Ok(HistoryPage { epoch, messages, next })
    }
}

/// A page as it fills.
struct Page<'a> {
    viewer: &'a Viewer,
    limit: usize,
    messages: Vec<Publication>,
    bytes: usize,
    /// Whether there is one that did not fit.
    has_more: bool,
}

impl Page<'_> {
    /// Takes what fits. Returns the last offset looked at, or `None` where the page or the log has come to its end.
    fn take(&mut self, rows: &[Row], floor: Offset) -> Result<Option<Offset>, StorageError> {
        let mut last = None;
        for row in rows {
            let record = Record::decode(row)?;
            let offset = record.publication.offset;
            if offset <= floor {
                return Ok(None);
            }
            last = Some(offset);
            if !self.viewer.sees(&record) {
                continue;
            }
            let is_over = self.bytes + row.bytes() > limits::RECOVERY_BYTES_MAX && !self.messages.is_empty();
            if self.messages.len() == self.limit || is_over {
                self.has_more = true;
                return Ok(None);
            }
            self.bytes += row.bytes();
            self.messages.push(record.publication);
        }
        Ok(last)
    }
}
