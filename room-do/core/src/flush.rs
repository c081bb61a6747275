//! Staging and flush: what came in one turn is committed together and leaves together.

use std::collections::{BTreeMap, BTreeSet};

use schemas::{
    CloseCode, ConnectionId, ErrorCode, Payload, ServerMessage,
    client_message::{History, Members, To},
    config::PresenceMode,
    limits,
    server_message::{Author, Ephemeral, Member, Publication, Published, Reply, RequestError, RequestResult},
};

use crate::{
    delivery::{Audience, Delivery},
    input::RequestId,
    output::Output,
    room::Room,
    storage::{Record, Storage, Writes},
    timer::Timer,
};

/// Staged payloads beyond it are flushed without waiting for the turn to end.
const STAGED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// And so are more entries than this.
const STAGED_ENTRIES_MAX: usize = 4_096;
/// What a failed commit left to be written is tried again after so long, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

/// Who publishes, and so who is answered.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    Connection { connection: ConnectionId, request: Option<u32>, echo: bool },
    Http { request: RequestId },
}

/// A checked publish without an offset.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) origin: Origin,
    pub(crate) author: Option<Author>,
    pub(crate) kind: Option<String>,
    pub(crate) data: Payload,
    pub(crate) tags: Vec<String>,
    pub(crate) to: Option<To>,
    pub(crate) ephemeral: bool,
}

/// A read that sees what was published before it.
#[derive(Debug, Clone)]
pub(crate) enum Read {
    History(History),
    Members(Members),
}

#[derive(Debug, Clone)]
pub(crate) enum Staged {
    Publish(Box<Draft>),
    Reply {
        connection: ConnectionId,
        message: Box<ServerMessage>,
    },
    Read {
        connection: ConnectionId,
        read: Read,
    },
    /// Close once everything staged before has left.
    Close {
        connection: ConnectionId,
        code: CloseCode,
    },
}

impl Staged {
    fn as_close(&self) -> Option<(ConnectionId, CloseCode)> {
        match self {
            Staged::Close { connection, code } => Some((*connection, *code)),
            Staged::Publish(_) | Staged::Reply { .. } | Staged::Read { .. } => None,
        }
    }
}

/// What waits for the flush, in the order it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Staging {
    entries: Vec<Staged>,
    bytes: usize,
    /// Connections welcomed since the last flush, and what their welcome showed of themselves.
    greeted: BTreeMap<ConnectionId, Option<Member>>,
    last_flush_at: u64,
    /// After a failed commit: not before this.
    retry_at: u64,
    told_occupancy_at: u64,
    /// Whether the last flush told of members one by one.
    listed_members: Option<bool>,
    owes_occupancy: bool,
}

impl Staging {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && !self.owes_occupancy
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes > STAGED_BYTES_MAX || self.entries.len() > STAGED_ENTRIES_MAX
    }

    pub(crate) fn next_flush_at(&self, interval_ms: u64) -> u64 {
        let paced = self.last_flush_at + interval_ms;
        if !self.entries.is_empty() {
            return paced;
        }
        let occupancy =
            if self.owes_occupancy { self.told_occupancy_at + limits::OCCUPANCY_INTERVAL_MS } else { 0 };
        paced.max(self.retry_at).max(occupancy)
    }

    pub(crate) fn publish(&mut self, draft: Draft) {
        self.bytes += draft.data.len();
        self.entries.push(Staged::Publish(Box::new(draft)));
    }

    pub(crate) fn reply(&mut self, connection: ConnectionId, message: ServerMessage) {
        self.entries.push(Staged::Reply { connection, message: Box::new(message) });
    }

    pub(crate) fn answer(&mut self, connection: ConnectionId, id: u32, result: RequestResult) {
        self.reply(connection, ServerMessage::Reply(Reply { id, result }));
    }

    pub(crate) fn done(&mut self, connection: ConnectionId, id: u32) {
        self.answer(connection, id, RequestResult::Done {});
    }

    pub(crate) fn greeted(&mut self, connection: ConnectionId, own: Option<Member>) {
        self.greeted.insert(connection, own);
    }

    pub(crate) fn close(&mut self, connection: ConnectionId, code: CloseCode) {
        self.entries.push(Staged::Close { connection, code });
    }

    pub(crate) fn read(&mut self, connection: ConnectionId, read: Read) {
        self.entries.push(Staged::Read { connection, read });
    }
}

impl Room {
    /// Commits what is staged, then answers and delivers it.
    pub(crate) fn flush(&mut self, now: u64, storage: &mut dyn Storage) {
        let entries = std::mem::take(&mut self.staging.entries);
        self.staging.bytes = 0;
        self.staging.last_flush_at = now;
        self.timers.clear(&Timer::Flush);
        if self.log.has_much_excess() {
            // The floor only decides what this commit deletes along the way; the trim timer comes in any case.
            drop(self.log.refresh_floor(now, storage));
        }
        let records = self.number(now, &entries);
        let mut writes = Writes::default();
        self.log.prepare(&records, &mut writes);
        (writes.members_put, writes.members_removed) = self.presence.writes();
        let committed = if writes.is_empty() { Ok(()) } else { storage.commit(&writes) };
        let closes: Vec<(ConnectionId, CloseCode)> = entries.iter().filter_map(Staged::as_close).collect();
        let mut delivery = Delivery::default();
        match committed {
            Ok(()) => {
                delivery = Delivery::to(std::mem::take(&mut self.staging.greeted));
                self.log.committed(&records, &writes);
                self.deliver(now, entries, records, &mut delivery, storage);
            }
            Err(_) => {
                self.staging.retry_at = now + RETRY_AFTER_MS;
                self.refuse_staged(now, entries, &mut delivery, storage);
            }
        }
        delivery.send(&mut self.connections, self.log.head(), &mut self.outputs);
        for (id, code) in closes {
            self.refuse_connection(now, id, code);
        }
        if let Some(at) = self.log.trim_at() {
            self.timers.set_no_later(Timer::Trim, at.max(now));
        }
    }

    /// Gives offsets to the staged publishes that go into the log.
    fn number(&self, now: u64, entries: &[Staged]) -> Vec<Record> {
        let logged = entries.iter().filter_map(|entry| match entry {
            Staged::Publish(draft) if !draft.ephemeral => Some(draft),
            _ => None,
        });
        logged
            .enumerate()
            .map(|(index, draft)| {
                let (offset, time) = self.log.slot(index as u64, now);
                let publication = Publication {
                    offset,
                    time,
                    from: draft.author.clone(),
                    kind: draft.kind.clone().unwrap_or_else(|| "message".to_owned()),
                    data: draft.data.clone(),
                    tags: draft.tags.clone(),
                };
                Record { publication, to: draft.to.clone() }
            })
            .collect()
    }

    fn deliver(
        &mut self,
        now: u64,
        entries: Vec<Staged>,
        records: Vec<Record>,
        delivery: &mut Delivery,
        storage: &dyn Storage,
    ) {
        let left = self.tell_presence(now, delivery);
        let mut records = records.into_iter();
        for entry in entries {
            match entry {
                Staged::Publish(draft) if draft.ephemeral => self.deliver_ephemeral(now, *draft, delivery),
                Staged::Publish(draft) => {
                    let record = records.next().expect("each logged draft was numbered");
                    self.deliver_publication(&draft, record, delivery);
                }
                Staged::Reply { connection, message } => delivery.push(*message, Audience::Only(connection)),
                Staged::Read { connection, read } => {
                    if let Some(message) = self.perform_read(now, connection, read, storage) {
                        delivery.push(message, Audience::Only(connection));
                    }
                }
                Staged::Close { .. } => {}
            }
        }
        if let Some(left) = left {
            delivery.push(left, Audience::Watchers);
        }
    }

    fn deliver_publication(&mut self, draft: &Draft, record: Record, delivery: &mut Delivery) {
        let offset = record.publication.offset;
        let author = record.publication.from.as_ref().map(|from| &from.user);
        let audience = self.audience(&draft.origin, &record.publication.tags, record.to.as_ref(), author);
        delivery.push(ServerMessage::Publication(record.publication), audience);
        let published = Published { epoch: self.log.epoch(), offset, duplicate: false };
        self.answer(&draft.origin, Ok(RequestResult::Published(published)), delivery);
    }

    fn deliver_ephemeral(&mut self, now: u64, draft: Draft, delivery: &mut Delivery) {
        let author = draft.author.as_ref().map(|from| &from.user);
        let audience = self.audience(&draft.origin, &draft.tags, draft.to.as_ref(), author);
        let ephemeral = Ephemeral {
            time: now,
            from: draft.author,
            kind: draft.kind.unwrap_or_else(|| "message".to_owned()),
            data: draft.data,
            tags: draft.tags,
        };
        delivery.push(ServerMessage::Ephemeral(ephemeral), audience);
        self.answer(&draft.origin, Ok(RequestResult::Done {}), delivery);
    }

    /// Who gets it: those who pass every filter that is given.
    fn audience(
        &self,
        origin: &Origin,
        tags: &[String],
        to: Option<&To>,
        author: Option<&schemas::UserId>,
    ) -> Audience {
        let but = match origin {
            Origin::Connection { connection, echo: false, .. } => Some(*connection),
            _ => None,
        };
        if tags.is_empty() && to.is_none() {
            return Audience::Everyone { but };
        }
        let tagged = || tags.iter().flat_map(|tag| self.connections.with_tag(tag));
        let mut these: BTreeSet<ConnectionId> = match to {
            None => tagged().collect(),
            Some(to) => {
                let users = to.users.iter().chain(author).flat_map(|user| self.connections.of_user(user));
                let sessions = to.sessions.iter().flat_map(|session| self.connections.of_session(session));
                let connections = to.connections.iter().copied();
                let mut named: BTreeSet<_> = users.chain(sessions).chain(connections).collect();
                if !tags.is_empty() {
                    let tagged: BTreeSet<_> = tagged().collect();
                    named.retain(|id| tagged.contains(id));
                }
                named
            }
        };
        if let Some(but) = but {
            these.remove(&but);
        }
        Audience::These(these)
    }

    fn answer(
        &mut self,
        origin: &Origin,
        result: Result<RequestResult, RequestError>,
        delivery: &mut Delivery,
    ) {
        match origin {
            Origin::Http { request } => self.outputs.push(Output::Answer { request: *request, result }),
            Origin::Connection { request: None, .. } => {}
            Origin::Connection { connection, request: Some(id), .. } => {
                let message = match result {
                    Ok(result) => ServerMessage::Reply(Reply { id: *id, result }),
                    Err(error) => ServerMessage::Error(RequestError { id: Some(*id), ..error }),
                };
                delivery.push(message, Audience::Only(*connection));
            }
        }
    }

    /// The commit failed: publishes are refused and delivered to nobody, the rest is answered as it would be.
    fn refuse_staged(
        &mut self,
        now: u64,
        entries: Vec<Staged>,
        delivery: &mut Delivery,
        storage: &dyn Storage,
    ) {
        for entry in entries {
            match entry {
                Staged::Publish(draft) if draft.ephemeral => self.deliver_ephemeral(now, *draft, delivery),
                Staged::Publish(draft) => self.answer(&draft.origin, Err(unavailable(None)), delivery),
                Staged::Reply { connection, message } => delivery.push(*message, Audience::Only(connection)),
                Staged::Read { connection, read } => {
                    if let Some(message) = self.perform_read(now, connection, read, storage) {
                        delivery.push(message, Audience::Only(connection));
                    }
                }
                Staged::Close { .. } => {}
            }
        }
    }

    /// Tells who came and changed, and returns what tells who left: it goes behind what they last said.
    fn tell_presence(&mut self, now: u64, delivery: &mut Delivery) -> Option<ServerMessage> {
        let had_changes = self.presence.has_changes();
        let mut diff = self.presence.take_diff();
        if self.setup.config.presence.mode == PresenceMode::Off {
            return None;
        }
        let lists = self.lists_members();
        let listed_before = self.staging.listed_members.replace(lists).unwrap_or(lists);
        if !lists {
            self.staging.owes_occupancy |= had_changes && !diff.is_empty();
            self.tell_occupancy(now, delivery);
            return None;
        }
        if !listed_before {
            diff.joined = self.presence.everyone();
            diff.updated.clear();
        }
        let left = std::mem::take(&mut diff.left);
        if !diff.is_empty() {
            delivery.push(ServerMessage::Presence(diff), Audience::Watchers);
        }
        let diff = schemas::server_message::PresenceDiff { left, ..Default::default() };
        (!diff.is_empty()).then_some(ServerMessage::Presence(diff))
    }

    /// At most once a second, and the last change is not lost.
    fn tell_occupancy(&mut self, now: u64, delivery: &mut Delivery) {
        let due = self.staging.told_occupancy_at + limits::OCCUPANCY_INTERVAL_MS;
        if self.staging.owes_occupancy && now >= due {
            self.staging.owes_occupancy = false;
            self.staging.told_occupancy_at = now;
            delivery.push(ServerMessage::Occupancy(self.presence.occupancy()), Audience::Watchers);
        }
    }

    pub(crate) fn trim(&mut self, now: u64, storage: &mut dyn Storage) {
        let trimmed = self.log.refresh_floor(now, storage).and_then(|()| match self.log.trim() {
            Some(writes) => storage.commit(&writes).map(|()| self.log.trimmed(&writes)),
            None => Ok(()),
        });
        let at = match trimmed {
            Ok(()) => self.log.trim_at(),
            Err(_) => Some(now + RETRY_AFTER_MS),
        };
        if let Some(at) = at {
            self.timers.set(Timer::Trim, at.max(now + RETRY_AFTER_MS));
        }
    }
}

pub(crate) fn unavailable(id: Option<u32>) -> RequestError {
    RequestError::new(id, ErrorCode::Unavailable, "the room's storage does not answer")
}
