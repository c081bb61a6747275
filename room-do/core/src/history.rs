//! Pages of the log, for whoever may see them.

use schemas::{Offset, server_message::HistoryPage};

use crate::{
    recovery::Viewer,
    room::Room,
    storage::{Record, Storage, StorageError},
};

const READ_CHUNK: usize = 256;

impl Room {
    /// At most `limit` publications below `before` or above `after`, or the newest; ascending whichever way.
    pub(crate) fn read_history(
        &mut self,
        now: u64,
        before: Option<Offset>,
        after: Option<Offset>,
        limit: u32,
        viewer: &Viewer,
        storage: &dyn Storage,
    ) -> Result<HistoryPage, StorageError> {
        let epoch = self.log.epoch();
        if !self.log.is_kept() {
            return Ok(HistoryPage { epoch, messages: Vec::new(), next: None });
        }
        self.log.refresh_floor(now, storage)?;
        let floor = self.log.floor();
        // One more than asked for tells whether there is a next page.
        let wanted = limit as usize + 1;
        let mut messages = Vec::new();
        if let Some(after) = after {
            let mut from = after.max(floor);
            'chunks: loop {
                let bodies = storage.read_after(from, READ_CHUNK)?;
                for body in &bodies {
                    let record = Record::decode(body)?;
                    from = record.publication.offset;
                    if viewer.sees(&record) {
                        messages.push(record.publication);
                        if messages.len() == wanted {
                            break 'chunks;
                        }
                    }
                }
                if bodies.len() < READ_CHUNK {
                    break;
                }
            }
        } else {
            let mut from = before.unwrap_or(self.log.head().next()).min(self.log.head().next());
            'chunks: while from > floor.next() {
                let bodies = storage.read_before(from, READ_CHUNK)?;
                for body in &bodies {
                    let record = Record::decode(body)?;
                    from = record.publication.offset;
                    if from <= floor {
                        break 'chunks;
                    }
                    if viewer.sees(&record) {
                        messages.push(record.publication);
                        if messages.len() == wanted {
                            break 'chunks;
                        }
                    }
                }
                if bodies.len() < READ_CHUNK {
                    break;
                }
            }
        }
        let has_more = messages.len() == wanted;
        messages.truncate(limit as usize);
        let next = if has_more { messages.last().map(|last| last.offset) } else { None };
        if after.is_none() {
            messages.reverse();
        }
        Ok(HistoryPage { epoch, messages, next })
    }
}
