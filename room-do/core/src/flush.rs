//! The flush: what came in one turn is decided together, committed together, and leaves together.

use std::collections::BTreeSet;

use schemas::{
    CloseCode, ConnectionId, ErrorCode, Payload, ServerMessage,
    client_message::To,
    config::PresenceMode,
    limits,
    server_message::{
        Amended, Ephemeral, Occupancy, PresenceDiff, Published, Reply, RequestError, RequestResult, Returned,
        StateVersion,
    },
};

use crate::{
    behavior::{Afterwards, Hook, Settled, host::Host, step::Entries, streaming::Reader},
    decide::{Decided, Verdict, superseded},
    delivery::{Audience, Delivery},
    output::Output,
    room::{RETRY_AFTER_MS, Room},
    staging::{DEFAULT_TYPE, Draft, Fate, Origin, Read, Staged},
    storage::{Record, Storage, StorageError},
    timer::Timer,
};

impl Room {
    /// Commits what is staged, then answers and delivers it.
    pub(crate) fn flush(&mut self, now: u64, storage: &mut dyn Storage) {
        let entries = self.staging.take(now);
        self.timers.clear(&Timer::Flush);
        let amends = entries.iter().any(|entry| matches!(entry, Staged::Amend(_)));
        if amends || self.log.has_much_excess() {
            // Where it fails the floor stays where it was, and the commit will tell.
            drop(self.log.refresh_floor(now, storage));
        }
        let closes: Vec<(ConnectionId, CloseCode)> = entries.iter().filter_map(as_close).collect();
        let mut delivery = Delivery::default();
        let mut afterwards = self.take_owed();
        let mut host = self.host.take();
        let decided = self.decide_and_commit(now, &entries, storage, host.as_mut());
        self.host = host;
        match decided {
            Ok(mut decided) => {
                delivery = Delivery::to(std::mem::take(&mut self.staging.greeted));
                self.staging.owed_ends.clear();
                self.tally.flushed(entries.len(), decided.records.len());
                afterwards.extend(self.take_over_host(now, &mut decided.settled));
                let told = self.take_over(decided, storage);
                self.deliver(now, entries, told, &mut delivery, storage);
            }
            Err(error) => {
                self.outputs.extend(self.complaints.of_commit(now, &error));
                self.staging.retry_at = now + RETRY_AFTER_MS;
                let readers = self.host.as_mut().map(Host::lose_memory).unwrap_or_default();
                self.end_streams(now, readers);
                self.refuse_staged(now, entries, &mut delivery, storage);
            }
        }
        let (head, outputs) = (self.log.head(), &mut self.outputs);
        for id in delivery.send(&mut self.connections, head, outputs, &mut self.tally) {
            self.attach(now, id);
        }
        for (id, code) in closes {
            self.refuse_connection(now, id, code);
        }
        self.do_afterwards(now, afterwards, storage);
        self.set_storage_timers(now);
    }

    /// With SQL of a behavior's own, deciding and committing are one transaction.
    fn decide_and_commit(
        &self,
        now: u64,
        entries: &[Staged],
        storage: &mut dyn Storage,
        mut host: Option<&mut Host>,
    ) -> Result<Decided, StorageError> {
        if !host.as_ref().is_some_and(|host| host.has_sql()) {
            return self.decide_then_commit(now, entries, storage, host);
        }
        let mut decided = None;
        storage.transact(&mut |storage| {
            decided = Some(self.decide_then_commit(now, entries, storage, host.as_deref_mut())?);
            Ok(())
        })?;
        decided.ok_or_else(|| StorageError("the transaction did not run".to_owned()))
    }

    fn decide_then_commit(
        &self,
        now: u64,
        entries: &[Staged],
        storage: &mut dyn Storage,
        host: Option<&mut Host>,
    ) -> Result<Decided, StorageError> {
        let decided = self.decide(now, entries, storage, host)?;
        if !decided.writes.is_empty() {
            storage.commit(&decided.writes)?;
        }
        Ok(decided)
    }

    /// Makes what was committed the room's own; what is left is to be told.
    fn take_over(&mut self, decided: Decided, storage: &dyn Storage) -> Told {
        let Decided { entries, records, keys, state, lifecycle, writes, hooked, settled: _ } = decided;
        if let Some(hooked) = hooked {
            self.take_over_outbox(hooked, storage);
        }
        self.log.committed(&records, &writes);
        self.keys.committed(keys, writes.keys_dropped);
        self.lifecycle = lifecycle;
        let state_change = state.change().map(ServerMessage::State);
        self.state.committed(state);
        Told { entries, records, state_change }
    }

    fn deliver(
        &mut self,
        now: u64,
        entries: Vec<Staged>,
        told: Told,
        delivery: &mut Delivery,
        storage: &dyn Storage,
    ) {
        let left = self.tell_presence(now, delivery);
        let mut records = told.records.into_iter();
        let Entries { first, verdicts, last } = told.entries;
        for (entry, verdict) in first.into_iter().chain(entries.into_iter().zip(verdicts)).chain(last) {
            self.deliver_entry(now, entry, verdict, &mut records, delivery, storage);
        }
        if let Some(change) = told.state_change {
            delivery.push(change, Audience::Everyone { but: None });
        }
        if let Some(left) = left {
            delivery.push(left, Audience::Watchers);
        }
    }

    fn deliver_entry(
        &mut self,
        now: u64,
        entry: Staged,
        verdict: Verdict,
        records: &mut impl Iterator<Item = Record>,
        delivery: &mut Delivery,
        storage: &dyn Storage,
    ) {
        if let Verdict::Became(became) = verdict {
            for (entry, verdict) in became {
                self.deliver_entry(now, entry, verdict, records, delivery, storage);
            }
            return;
        }
        let mut next = || records.next().expect("each logged entry has its record");
        match entry {
            Staged::Publish(draft) => match verdict {
                Verdict::Logged => {
                    let record = next();
                    let published = self.published(record.publication.offset, false);
                    self.deliver_record(&draft.origin, draft.echo, record, delivery);
                    self.answer(&draft.origin, Ok(published), delivery);
                }
                Verdict::Duplicate(offset) => {
                    self.answer(&draft.origin, Ok(self.published(offset, true)), delivery);
                }
                Verdict::Superseded => self.answer(&draft.origin, Ok(RequestResult::Done {}), delivery),
                Verdict::Refused(error) => self.answer(&draft.origin, Err(error), delivery),
                Verdict::AsStaged | Verdict::Unchanged | Verdict::Stated(_) | Verdict::Became(_) => {
                    self.deliver_ephemeral(now, *draft, delivery);
                }
            },
            Staged::Amend(amendment) => {
                let offset = match verdict {
                    Verdict::Refused(error) => return self.answer(&amendment.origin, Err(error), delivery),
                    Verdict::Logged => {
                        let record = next();
                        let offset = record.publication.offset;
                        self.deliver_record(&amendment.origin, true, record, delivery);
                        offset
                    }
                    _ => self.log.head(),
                };
                self.answer(&amendment.origin, Ok(RequestResult::Amended(Amended { offset })), delivery);
            }
            Staged::State(request) => {
                let result = match verdict {
                    Verdict::Stated(version) => Ok(RequestResult::State(StateVersion { version })),
                    Verdict::Refused(error) => Err(error),
                    _ => Err(unavailable(None)),
                };
                self.answer(&request.origin, result, delivery);
            }
            other => self.deliver_as_staged(now, other, delivery, storage),
        }
    }

    /// What needs neither a decision nor a commit of its own.
    fn deliver_as_staged(&mut self, now: u64, entry: Staged, delivery: &mut Delivery, storage: &dyn Storage) {
        match entry {
            Staged::Reply { connection, message } => delivery.push(*message, Audience::Only(connection)),
            Staged::Read { connection, read } => self.deliver_read(now, connection, read, delivery, storage),
            Staged::Confirm { connection, request } => {
                let origin = Origin::Connection { connection, request: Some(request) };
                self.answer(&origin, Ok(RequestResult::Done {}), delivery);
            }
            Staged::Publish(_)
            | Staged::Amend(_)
            | Staged::State(_)
            | Staged::Ended { .. }
            | Staged::Call(_)
            | Staged::Join(_)
            | Staged::Hook(_)
            | Staged::Close { .. } => {}
            Staged::Answer { origin, result } => self.answer(&origin, *result, delivery),
            Staged::Admitted(admitted) => self.staging.admitted = Some(*admitted),
            Staged::Opened(reader) => self.opened(now, reader),
            Staged::Chunk { reader, chunk } => self.deliver_chunk(reader, chunk, delivery),
        }
    }

    fn deliver_read(
        &mut self,
        now: u64,
        connection: ConnectionId,
        read: Read,
        delivery: &mut Delivery,
        storage: &dyn Storage,
    ) {
        if let Some(message) = self.perform_read(now, connection, read, storage) {
            delivery.push(message, Audience::Only(connection));
        }
    }

    fn published(&self, offset: schemas::Offset, duplicate: bool) -> RequestResult {
        RequestResult::Published(Published { epoch: self.log.epoch(), offset, duplicate })
    }

    fn deliver_record(&self, origin: &Origin, echo: bool, record: Record, delivery: &mut Delivery) {
        let author = record.author_in_audience();
        let audience = self.audience(origin, echo, &record.publication.tags, record.to.as_ref(), author);
        delivery.push(ServerMessage::Publication(record.publication), audience);
    }

    fn deliver_ephemeral(&mut self, now: u64, draft: Draft, delivery: &mut Delivery) {
        let author = draft.author.as_ref().map(|from| &from.user);
        let audience = self.audience(&draft.origin, draft.echo, &draft.tags, draft.to.as_ref(), author);
        let audience = self.without(audience, &draft.but);
        let ephemeral = Ephemeral {
            time: now,
            from: draft.author,
            kind: draft.kind.unwrap_or_else(|| DEFAULT_TYPE.to_owned()),
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
        echo: bool,
        tags: &[String],
        to: Option<&To>,
        author: Option<&schemas::UserId>,
    ) -> Audience {
        let but = match origin {
            Origin::Connection { connection, .. } if !echo => Some(*connection),
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

    fn without(&self, audience: Audience, but: &[ConnectionId]) -> Audience {
        if but.is_empty() {
            return audience;
        }
        let mut these: BTreeSet<ConnectionId> = match audience {
            Audience::These(these) => these,
            _ => self.connections.iter().map(|(id, _)| id).collect(),
        };
        these.retain(|id| !but.contains(id));
        Audience::These(these)
    }

    /// A stream begins: the room's memory of it is noted with the socket, or the caller told how it is answered.
    fn opened(&mut self, now: u64, reader: Reader) {
        match reader {
            Reader::Connection(id, _) if self.connections.get(id).is_none() => {
                // It is gone since it called.
                if let Some(host) = &mut self.host {
                    host.streams.forget_connection(id);
                }
            }
            Reader::Connection(id, _) => self.attach(now, id),
            Reader::Http(request) => self.outputs.push(Output::Stream { request }),
        }
    }

    fn deliver_chunk(&mut self, reader: Reader, chunk: Payload, delivery: &mut Delivery) {
        match reader {
            Reader::Connection(connection, id) => {
                let returned = ServerMessage::Returned(Returned { id, result: chunk, more: true });
                delivery.push(returned, Audience::Only(connection));
            }
            Reader::Http(request) => self.outputs.push(Output::Chunk { request, chunk }),
        }
    }

    /// Takes over what the behavior did; returns what is left to do.
    fn take_over_host(&mut self, now: u64, settled: &mut Settled) -> Vec<Afterwards> {
        for (hook, failure) in settled.failed.drain(..) {
            self.outputs.extend(self.complaints.of_hook(now, hook, &failure));
        }
        let Some(host) = &mut self.host else { return Vec::new() };
        let afterwards = host.take_over(settled);
        for reader in settled.ended.drain(..) {
            if let Reader::Connection(id, _) = reader {
                self.attach(now, id);
            }
        }
        afterwards
    }

    /// What hooks asked for and could not be stored then.
    fn take_owed(&mut self) -> Vec<Afterwards> {
        let owed = self.host.as_mut().map(|host| std::mem::take(&mut host.owed)).unwrap_or_default();
        owed.into_iter().map(Afterwards::Disconnect).collect()
    }

    fn answer(
        &mut self,
        origin: &Origin,
        result: Result<RequestResult, RequestError>,
        delivery: &mut Delivery,
    ) {
        if let Err(error) = &result {
            self.tally.rejected(error.code);
        }
        match origin {
            Origin::Http { request } => self.outputs.push(Output::Answer { request: *request, result }),
            Origin::Batch { request, index } => self.answer_in_batch(*request, *index, result),
            Origin::Connection { request: None, .. } | Origin::Room => {}
            Origin::Connection { connection, request: Some(id) } => {
                let message = match result {
                    Ok(RequestResult::Called(result)) => {
                        ServerMessage::Returned(Returned { id: *id, result, more: false })
                    }
                    Ok(result) => ServerMessage::Reply(Reply { id: *id, result }),
                    Err(error) => ServerMessage::Error(RequestError { id: Some(*id), ..error }),
                };
                delivery.push(message, Audience::Only(*connection));
            }
        }
    }

    /// The commit failed: what would have been written is refused and delivered to nobody, the rest is answered as
    /// it would be.
    fn refuse_staged(
        &mut self,
        now: u64,
        entries: Vec<Staged>,
        delivery: &mut Delivery,
        storage: &dyn Storage,
    ) {
        let superseded = superseded(&entries);
        for (index, entry) in entries.into_iter().enumerate() {
            match entry {
                Staged::Publish(draft) if superseded.contains(&index) => {
                    self.answer(&draft.origin, Ok(RequestResult::Done {}), delivery);
                }
                // With a behavior nobody knows what it would have become.
                Staged::Publish(draft) if draft.fate != Fate::Logged && self.host.is_none() => {
                    self.deliver_ephemeral(now, *draft, delivery);
                }
                Staged::Publish(draft) => self.answer(&draft.origin, Err(unavailable(None)), delivery),
                Staged::Amend(amendment) => self.answer(&amendment.origin, Err(unavailable(None)), delivery),
                Staged::State(request) => {
                    self.answer(&request.origin, Err(unavailable(None)), delivery);
                }
                Staged::Confirm { connection, request } => {
                    let origin = Origin::Connection { connection, request: Some(request) };
                    self.answer(&origin, Err(unavailable(None)), delivery);
                }
                Staged::Ended { key, reason } => drop(self.staging.owed_ends.insert(key, reason)),
                // Ticks come again, timers are due still, streams are over.
                Staged::Hook(hook @ Hook::Lifecycle(_)) => self.staging.hook(hook),
                Staged::Call(call) => self.answer(&call.origin, Err(unavailable(None)), delivery),
                other => self.deliver_as_staged(now, other, delivery, storage),
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
        self.staging.owes_occupancy = false;
        if !listed_before {
            diff.joined = self.presence.everyone();
            diff.updated.clear();
        }
        let left = std::mem::take(&mut diff.left);
        if !diff.is_empty() {
            delivery.push(ServerMessage::Presence(diff), Audience::Watchers);
        }
        let diff = PresenceDiff { left, ..PresenceDiff::default() };
        (!diff.is_empty()).then_some(ServerMessage::Presence(diff))
    }

    /// At most once a second, and the last change is not lost.
    fn tell_occupancy(&mut self, now: u64, delivery: &mut Delivery) {
        let due = self.staging.told_occupancy_at + limits::OCCUPANCY_INTERVAL_MS;
        if self.staging.owes_occupancy && now >= due {
            self.staging.owes_occupancy = false;
            self.staging.told_occupancy_at = now;
            let occupancy: Occupancy = self.presence.occupancy();
            delivery.push(ServerMessage::Occupancy(occupancy), Audience::Watchers);
        }
    }
}

/// What a committed flush has to tell.
struct Told {
    entries: Entries,
    records: Vec<Record>,
    state_change: Option<ServerMessage>,
}

fn as_close(entry: &Staged) -> Option<(ConnectionId, CloseCode)> {
    match entry {
        Staged::Close { connection, code } => Some((*connection, *code)),
        _ => None,
    }
}

pub(crate) fn unavailable(id: Option<u32>) -> RequestError {
    RequestError::new(id, ErrorCode::Unavailable, "the room's storage does not answer")
}
