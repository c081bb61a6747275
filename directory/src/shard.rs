//! What a shard knows.

use auth::Revocations;
use directory_core::{
    known::{Known, Taken},
    push::{News, Next, PAGE, Push},
};
use schemas::{
    Revocation,
    directory::{self, ParkedEntry, Report, Reported, RoomEntry, Totals},
    server_message::RoomInfo,
    webhook::Parked,
};
use worker::durable::Storage;

use crate::sql::{Sql, SqlError};

/// A connection that a revocation missed was let in at most so long after it, by a gateway that had not heard.
const LET_IN_AFTER_MS: u64 = 10_000;
/// Rooms that one alarm asks or forgets.
const DUE_ROOMS_MAX: u32 = 50;

/// Batches that are kept; beyond it the oldest go.
const PARKED_MAX: u64 = 1_000;

pub(crate) struct Shard {
    sql: Sql,
    revocations: Revocations,
    version: u64,
    /// Nothing is due before; it may have become later since.
    due_at: Option<u64>,
}

impl Shard {
    pub(crate) fn open(storage: Storage, now: u64) -> Result<Shard, SqlError> {
        let sql = Sql::open(storage)?;
        let mut revocations = Revocations::default();
        for revocation in sql.revocations(0)? {
            revocations.add(revocation, now);
        }
        Ok(Shard { version: sql.revocations_version()?, due_at: sql.due_at()?, sql, revocations })
    }

    /// When the alarm is wanted, in milliseconds since 1970.
    pub(crate) fn due_at(&self) -> Option<u64> {
        self.due_at
    }

    /// After an alarm: what is due next.
    pub(crate) fn look_again(&mut self) -> Result<(), SqlError> {
        self.due_at = self.sql.due_at()?;
        Ok(())
    }

    fn expect(&mut self, at: Option<u64>) {
        self.due_at = self.due_at.into_iter().chain(at).min();
    }

    pub(crate) fn report(&mut self, report: Report, now: u64) -> Result<Reported, SqlError> {
        let known = self.sql.room(report.room.as_str())?;
        let since = report.since;
        let has_become_occupied = self.take(Known::take(known.as_ref(), report, now))?;
        let revocations = match has_become_occupied && !self.revocations.is_empty() {
            true => self.sql.revocations(since.saturating_sub(LET_IN_AFTER_MS))?,
            false => Vec::new(),
        };
        Ok(Reported { revocations })
    }

    fn take(&mut self, taken: Taken) -> Result<bool, SqlError> {
        let Taken::New { known, delta, has_become_occupied } = taken else { return Ok(false) };
        self.sql.put_room(&known, &delta)?;
        self.expect(known.due_at());
        Ok(has_become_occupied)
    }

    /// Rooms that were to be heard of and were not, each marked as asked. Those that have been gone for long are
    /// forgotten.
    pub(crate) fn overdue(&mut self, now: u64) -> Result<Vec<Known>, SqlError> {
        let (gone, overdue): (Vec<Known>, Vec<Known>) =
            self.sql.due_rooms(now, DUE_ROOMS_MAX)?.into_iter().partition(Known::is_gone);
        for known in gone {
            self.sql.forget_room(known.report.room.as_str())?;
        }
        let asked: Vec<Known> = overdue.into_iter().map(Known::asked).collect();
        for known in &asked {
            self.sql.put_room(known, &directory_core::known::Delta::new())?;
        }
        Ok(asked)
    }

    /// What a room answered that was asked, unless it has reported since.
    pub(crate) fn answered(&mut self, asked: &Known, info: &RoomInfo, now: u64) -> Result<(), SqlError> {
        if self.sql.room(asked.report.room.as_str())?.as_ref() == Some(asked) {
            self.take(asked.answered(info, now))?;
        }
        Ok(())
    }

    pub(crate) fn rooms(&self, prefix: &str, after: &str, limit: u32) -> Result<Vec<RoomEntry>, SqlError> {
        Ok(self.sql.rooms(prefix, after, limit)?.iter().map(Known::entry).collect())
    }

    pub(crate) fn totals(&self) -> Result<Totals, SqlError> {
        self.sql.totals()
    }

    /// Keeps a revocation. Returns the push that tells it, and whether another was forgotten for it.
    pub(crate) fn revoke(&mut self, revocation: Revocation, now: u64) -> Result<(i64, bool), SqlError> {
        let mut revocations = self.revocations.clone();
        let forgotten = revocations.add(revocation.clone(), now);
        let push = Push::new(News::Revoked(revocation.clone()), now);
        let id = self.sql.put_revocation(&revocation, forgotten.as_ref(), &push, now)?;
        self.revocations = revocations;
        self.version = self.sql.revocations_version()?;
        self.expect(Some(now));
        Ok((id, forgotten.is_some()))
    }

    /// What is revoked, unless the asker knows this version.
    pub(crate) fn known(&self, version: Option<u64>, now: u64) -> directory::Known {
        let is_news = version != Some(self.version);
        let lasting = || self.revocations.iter().filter(|one| one.lasts(now)).cloned().collect();
        directory::Known { version: self.version, revocations: is_news.then(lasting) }
    }

    /// Keeps what an endpoint did not take. Returns how many older ones went for it.
    pub(crate) fn park(&self, parked: &Parked) -> Result<u64, SqlError> {
        self.sql.park(parked, PARKED_MAX)
    }

    pub(crate) fn parked_after(&self, after: u64, limit: u32) -> Result<Vec<(u64, ParkedEntry)>, SqlError> {
        let entry = |(place, parked): (u64, Parked)| {
            let Parked { id, endpoint, room, events, attempts, last_status, parked_at, .. } = parked;
            (place, ParkedEntry { id, endpoint, room, events, attempts, last_status, parked_at })
        };
        Ok(self.sql.parked_after(after, limit)?.into_iter().map(entry).collect())
    }

    pub(crate) fn parked(&self, id: &str) -> Result<Option<Parked>, SqlError> {
        self.sql.parked(id)
    }

    pub(crate) fn unpark(&self, id: &str) -> Result<bool, SqlError> {
        self.sql.unpark(id)
    }

    pub(crate) fn push(&mut self, news: News, now: u64) -> Result<i64, SqlError> {
        let id = self.sql.put_push(&Push::new(news, now))?;
        self.expect(Some(now));
        Ok(id)
    }

    pub(crate) fn due_pushes(&self, now: u64) -> Result<Vec<i64>, SqlError> {
        self.sql.due_pushes(now)
    }

    /// The news of a push and the rooms to be told next: none where the round is over. `None`: it is done.
    pub(crate) fn next_page(&self, id: i64) -> Result<Option<(Push, Vec<String>)>, SqlError> {
        let Some(push) = self.sql.push(id)? else { return Ok(None) };
        let rooms = self.sql.occupied(push.after.as_deref().unwrap_or_default(), PAGE)?;
        Ok(Some((push, rooms)))
    }

    /// A page was told, of which some rooms could not be. Tells whether the push goes on at once, and whether it was
    /// given up.
    pub(crate) fn paged(
        &mut self,
        id: i64,
        push: Push,
        rooms: &[String],
        has_failed: bool,
        now: u64,
    ) -> Result<Paged, SqlError> {
        match push.after_page(rooms.last().cloned(), has_failed, now) {
            Next::Push(next) => {
                self.sql.replace_push(id, Some(&next))?;
                self.expect(Some(next.due_at));
                Ok(if next.after.is_some() {
                    Paged::GoesOn
                } else {
                    Paged::RoundOver { was_whole: next.failures == 0 }
                })
            }
            Next::Done => {
                self.sql.replace_push(id, None)?;
                Ok(Paged::RoundOver { was_whole: true })
            }
            Next::GivenUp => {
                self.sql.replace_push(id, None)?;
                Ok(Paged::GivenUp)
            }
        }
    }
}

/// Where a push stands after a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paged {
    GoesOn,
    RoundOver { was_whole: bool },
    GivenUp,
}
