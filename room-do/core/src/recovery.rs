//! Continuing from a position: everything that the connection missed and may see, or nothing and a reason.

use schemas::{
    Capability, Offset, Position, PublicSession, UserId, limits,
    server_message::{Publication, RecoveryFailure},
};

use crate::{
    connection::{Connection, Joined},
    presence::MemberRow,
    room::Room,
    storage::{Record, Rows, Storage, StorageError},
};

/// Who reads: decides which records are seen.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    pub(crate) user: Option<UserId>,
    pub(crate) session: Option<PublicSession>,
    pub(crate) tags: Vec<String>,
    /// A backend sees everything.
    pub(crate) sees_all: bool,
    /// Asked for these tags alone: what carries none is left out.
    pub(crate) tagged_only: bool,
}

impl Viewer {
    /// A connection that is joining as `user` and `session`.
    pub(crate) fn of(
        connection: &Connection,
        user: &UserId,
        session: &PublicSession,
        tags: Vec<String>,
    ) -> Viewer {
        let mut all = connection.claims.tags.clone();
        all.extend(tags);
        Viewer {
            user: Some(user.clone()),
            session: Some(session.clone()),
            tags: all,
            sees_all: false,
            tagged_only: false,
        }
    }

    /// A connection that has joined.
    pub(crate) fn joined(connection: &Connection, joined: &Joined) -> Viewer {
        let subscribed = joined.subscribed.iter().cloned().collect();
        Viewer::of(connection, &joined.user, &joined.session, subscribed)
    }

    pub(crate) fn sees(&self, record: &Record) -> bool {
        let publication = &record.publication;
        let carries = publication.tags.iter().any(|tag| self.tags.contains(tag));
        if self.sees_all {
            return carries || !self.tagged_only;
        }
        let by_tag = carries || (publication.tags.is_empty() && !self.tagged_only);
        let by_name = record.to.as_ref().is_none_or(|to| {
            let author = record.author_in_audience();
            self.user.as_ref().is_some_and(|user| to.users.contains(user) || author == Some(user))
                || self.session.as_ref().is_some_and(|session| to.sessions.contains(session))
        });
        by_tag && by_name
    }
}

/// How many records are read at once.
const READ_CHUNK: usize = 256;

impl Room {
    /// `member` is what the session was before this hello, if it was one.
    ///
    /// # Errors
    /// The outer one when storage fails; the inner one says why nothing is recovered.
    pub(crate) fn recover(
        &mut self,
        now: u64,
        from: Position,
        viewer: &Viewer,
        has_history: bool,
        member: Option<&MemberRow>,
        storage: &dyn Storage,
    ) -> Result<Result<Vec<Publication>, RecoveryFailure>, StorageError> {
        if !self.log.is_kept() {
            return Ok(Err(RecoveryFailure::NoLog));
        }
        if from.epoch != self.log.epoch() {
            return Ok(Err(RecoveryFailure::EpochChanged));
        }
        if from.offset > self.log.head() {
            return Ok(Err(RecoveryFailure::Ahead));
        }
        if !has_history && member.is_none_or(|member| from.offset < member.since_offset) {
            return Ok(Err(RecoveryFailure::Forbidden));
        }
        self.log.refresh_floor(now, storage)?;
        if from.offset < self.log.floor() {
            return Ok(Err(RecoveryFailure::Trimmed));
        }
        read_missed(from.offset, viewer, storage)
    }

    /// The newest `count` publications that the viewer may see, ascending.
    pub(crate) fn rewind(
        &mut self,
        now: u64,
        count: u32,
        viewer: &Viewer,
        storage: &dyn Storage,
    ) -> Result<Vec<Publication>, StorageError> {
        let page = self.read_history(now, None, None, count, viewer, storage)?;
        Ok(page.messages)
    }
}

fn read_missed(
    from: Offset,
    viewer: &Viewer,
    storage: &dyn Storage,
) -> Result<Result<Vec<Publication>, RecoveryFailure>, StorageError> {
    let (mut after, mut missed, mut bytes) = (from, Vec::new(), 0);
    loop {
        let rows = storage.read_after(after, READ_CHUNK, Rows::All)?;
        for row in &rows {
            let record = Record::decode(row)?;
            after = record.publication.offset;
            if !viewer.sees(&record) {
                continue;
            }
            bytes += row.bytes();
            missed.push(record.publication);
            if missed.len() > limits::RECOVERY_PUBLICATIONS_MAX || bytes > limits::RECOVERY_BYTES_MAX {
                return Ok(Err(RecoveryFailure::TooFarBehind));
            }
        }
        if rows.len() < READ_CHUNK {
            return Ok(Ok(missed));
        }
    }
}

/// Whether a connection with these claims may read what was before it came.
pub(crate) fn has_history(connection: &Connection) -> bool {
    connection.claims.capabilities.has(Capability::History)
}
