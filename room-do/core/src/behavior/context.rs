//! What a hook or a method can do. All of it is kept together, or nothing is.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use schemas::{
    ConnectionId, ErrorCode, Offset, Payload, PublicSession, RoomName, UserId,
    client_message::StateOp,
    http::{DisconnectCall, Who},
    limits,
    server_message::{Member, Publication, RequestError},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    events::{Caller, Message, parse},
    failure::Failure,
    values::Overlay,
};
use crate::{
    amend::fold,
    decide::{Deciding, Verdict},
    presence::MemberRow,
    recovery::Viewer,
    room::REASON_BYTES_MAX,
    shared_state::{StateMark, check_ops},
    staging::{Amendment, Change, Draft, Fate, Origin, Staged},
    storage::{ReactionKey, Record, Rows, StorageError, TimerRow},
    upkeep::next_seed,
};

/// The room as a hook sees it, and what the hook does to it.
///
/// Nothing here returns an error of the storage's: where it fails, the step is void, and whoever waits for it is told
/// `unavailable`. What is out of bounds (a value, a message, a timer too many) fails the step, too.
pub struct Context<'r> {
    pub(crate) deciding: Deciding<'r>,
    pub(crate) caller: Caller,
    pub(crate) values: Overlay<Vec<u8>>,
    pub(crate) timers: Overlay<TimerRow>,
    pub(crate) committed_timers: Rc<BTreeMap<String, TimerRow>>,
    /// Of each connection that is tagged: its tags beside its token's, by its id.
    tags: Overlay<BTreeSet<String>>,
    pub(crate) has_sql: bool,
    /// What the entry at hand becomes.
    pub(crate) out: Vec<(Staged, Verdict)>,
    /// What is done once all is committed.
    pub(crate) afterwards: Vec<Afterwards>,
    /// Storage failed: nothing of the flush is kept.
    pub(crate) fault: Option<StorageError>,
    /// The step asked for what cannot be: nothing of it is kept.
    pub(crate) flaw: Option<Failure>,
    saved: Vec<Amends>,
    pub(crate) seed: u64,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("room", self.room()).finish_non_exhaustive()
    }
}

/// Tags of a connection beside its token's: what its client may take itself, and as many of the room's.
const TAGS_MAX: usize = 2 * limits::TAGS_SUBSCRIBED_MAX;

/// What a hook wants done to those who are here.
#[derive(Debug, Clone)]
pub(crate) enum Afterwards {
    SetPresence { user: UserId, session: PublicSession, data: Payload },
    Tag { user: UserId, session: PublicSession, add: Vec<String>, remove: Vec<String> },
    Disconnect(DisconnectCall),
}

/// Removals and reactions under decision, as they were.
#[derive(Debug)]
struct Amends {
    removed: BTreeSet<Offset>,
    reactions: BTreeMap<ReactionKey, Option<Offset>>,
    reaction_names: BTreeMap<Offset, BTreeMap<String, u32>>,
    erasures: usize,
}

/// Where a step began.
pub(crate) struct Checkpoint {
    values: usize,
    timers: usize,
    tags: usize,
    records: usize,
    out: usize,
    afterwards: usize,
    state: StateMark,
    saved: usize,
}

impl<'r> Context<'r> {
    pub(crate) fn new(
        mut deciding: Deciding<'r>,
        committed_timers: Rc<BTreeMap<String, TimerRow>>,
        has_sql: bool,
        seed: u64,
    ) -> Context<'r> {
        deciding.state.keep_reserve();
        Context {
            deciding,
            caller: Caller::default(),
            values: Overlay::default(),
            timers: Overlay::default(),
            committed_timers,
            tags: Overlay::default(),
            has_sql,
            out: Vec::new(),
            afterwards: Vec::new(),
            fault: None,
            flaw: None,
            saved: Vec::new(),
            seed,
        }
    }

    pub(crate) fn checkpoint(&mut self) -> Checkpoint {
        Checkpoint {
            values: self.values.mark(),
            timers: self.timers.mark(),
            tags: self.tags.mark(),
            records: self.deciding.records.len(),
            out: self.out.len(),
            afterwards: self.afterwards.len(),
            state: self.deciding.state.mark(),
            saved: self.saved.len(),
        }
    }

    pub(crate) fn roll_back(&mut self, to: Checkpoint) {
        self.values.roll_back(to.values);
        self.timers.roll_back(to.timers);
        self.tags.roll_back(to.tags);
        self.deciding.records.truncate(to.records);
        self.out.truncate(to.out);
        self.afterwards.truncate(to.afterwards);
        self.deciding.state.roll_back(to.state);
        if self.saved.len() > to.saved {
            self.saved.truncate(to.saved + 1);
            if let Some(before) = self.saved.pop() {
                self.deciding.removed = before.removed;
                self.deciding.reactions = before.reactions;
                self.deciding.reaction_names = before.reaction_names;
                self.deciding.writes.erasures.truncate(before.erasures);
            }
        }
    }

    /// The outermost step is over: nothing before it is rolled back any more.
    pub(crate) fn forget_checkpoints(&mut self) {
        self.values.forget_marks();
        self.timers.forget_marks();
        self.tags.forget_marks();
        self.deciding.state.forget_marks();
        self.saved.clear();
    }

    /// Runs `work` as one: where it returns `Err`, nothing that it did is kept, neither values nor SQL nor messages.
    ///
    /// # Errors
    /// What `work` returned.
    pub fn transaction<T, E>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let checkpoint = self.checkpoint();
        let (has_sql, storage) = (self.has_sql, self.deciding.storage);
        let (mut work, mut done) = (Some(work), None);
        let mut step = || {
            done = work.take().map(|work| work(self));
            matches!(done, Some(Ok(_)))
        };
        let kept = if has_sql {
            storage.savepoint(&mut step)
        } else {
            step();
            Ok(())
        };
        let done = done.expect("a savepoint runs its work");
        if let Err(error) = kept {
            self.fault.get_or_insert(error);
        }
        if done.is_err() {
            self.roll_back(checkpoint);
        }
        done
    }

    /// The step as it ends: what was out of bounds counts as its failure.
    pub(crate) fn settled<T>(&mut self, result: Result<T, Failure>) -> Result<T, Failure> {
        match self.flaw.take() {
            Some(flaw) => Err(flaw),
            None => result,
        }
    }

    pub(crate) fn fail(&mut self, failure: Failure) {
        self.flaw.get_or_insert(failure);
    }

    /// The answer, or nothing where storage fails.
    pub(crate) fn stored<T: Default>(&mut self, result: Result<T, StorageError>) -> T {
        result.unwrap_or_else(|error| {
            self.fault.get_or_insert(error);
            T::default()
        })
    }

    fn checked<T>(&mut self, result: Result<T, RequestError>) -> Option<T> {
        result.map_err(|error| self.fail(error.into())).ok()
    }

    /// When what is handled came, in milliseconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.deciding.now
    }

    /// Random bits. A room that is rebuilt has others.
    #[must_use]
    pub fn random(&mut self) -> u64 {
        self.seed = next_seed(self.seed);
        self.seed
    }

    #[must_use]
    pub fn room(&self) -> &RoomName {
        &self.deciding.room.setup.name
    }

    /// Who calls, publishes or joins. For timers, ticks and the room's own changes it is a service.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Everyone who is here, or was just now and has their grace; those who are not listed among them.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let member = |row: &MemberRow| Member {
            session: row.session.clone(),
            user: row.user.clone(),
            info: row.info.clone(),
            data: row.data.clone(),
            since: row.since,
        };
        self.deciding.room.presence.rows().map(member).collect()
    }

    /// Logs a message and delivers it. Returns the offset that it takes.
    pub fn publish(&mut self, message: Message) -> Offset {
        if !message.but_users.is_empty() || !message.but_sessions.is_empty() {
            self.fail(Failure::new(
                "what is published is for all who may see it: only what is sent has exceptions",
            ));
        }
        self.emit(message, Fate::Logged);
        self.deciding.records.last().map_or(self.deciding.room.log.head(), |record| record.publication.offset)
    }

    /// Delivers a message that nobody keeps.
    pub fn send(&mut self, message: Message) {
        self.emit(message, Fate::Ephemeral { conflate: None });
    }

    fn emit(&mut self, message: Message, fate: Fate) {
        let Message { kind, data, tags, to, author, but_users, but_sessions } = message;
        let room = self.deciding.room;
        let of_users = but_users.iter().flat_map(|user| room.connections.of_user(user));
        let of_sessions = but_sessions.iter().flat_map(|session| room.connections.of_session(session));
        let but: Vec<ConnectionId> = of_users.chain(of_sessions).collect();
        let (origin, kind, key, echo) = (Origin::Room, Some(kind), None, true);
        let draft = Draft { origin, caller: None, author, kind, data, tags, to, key, fate, echo, but };
        if self.checked(room.check_draft(None, &draft)).is_none() {
            return;
        }
        let verdict = match draft.fate {
            Fate::Logged => self.deciding.publish(&draft),
            Fate::Ephemeral { .. } => Verdict::AsStaged,
        };
        self.out.push((Staged::Publish(Box::new(draft)), verdict));
    }

    /// Replaces what a publication says. Returns the offset of the publication that says so.
    ///
    /// # Errors
    /// `not_found` where it is not in the log, or was published in the flush at hand.
    pub fn edit(&mut self, offset: Offset, data: &impl Serialize) -> Result<Offset, Failure> {
        self.amend(offset, Change::Edit(Payload::of(data)))
    }

    /// Erases what a publication says. Returns the offset of the publication that says so.
    ///
    /// # Errors
    /// As [`Context::edit`].
    pub fn remove(&mut self, offset: Offset) -> Result<Offset, Failure> {
        self.amend(offset, Change::Remove)
    }

    fn amend(&mut self, target: Offset, change: Change) -> Result<Offset, Failure> {
        self.deciding.room.check_change(None, &change)?;
        self.saved.push(Amends {
            removed: self.deciding.removed.clone(),
            reactions: self.deciding.reactions.clone(),
            reaction_names: self.deciding.reaction_names.clone(),
            erasures: self.deciding.writes.erasures.len(),
        });
        let amendment = Amendment {
            origin: Origin::Room,
            caller: None,
            author: self.caller.author(),
            viewer: Viewer {
                user: None,
                session: None,
                tags: Vec::new(),
                sees_all: true,
                tagged_only: false,
            },
            capabilities: schemas::Capabilities::all(),
            target,
            change,
        };
        let amended = self.deciding.amend(&amendment);
        let Some(record) = self.stored(amended.map(Some)).transpose()?.flatten() else {
            return Ok(self.deciding.room.log.head());
        };
        let offset = record.publication.offset;
        let verdict = self.deciding.log(record);
        self.out.push((Staged::Amend(Box::new(amendment)), verdict));
        Ok(offset)
    }

    /// What was said, as history shows it: at most `limit` (200) publications below `before`, the newest where that
    /// is `None`, ascending. What the flush at hand published, this step and those before it, is not among them.
    #[must_use]
    pub fn history(&mut self, before: Option<Offset>, limit: u32) -> Vec<Publication> {
        let (log, storage) = (&self.deciding.room.log, self.deciding.storage);
        let before = before.unwrap_or_else(|| log.head().next());
        let (limit, floor) = (limit.min(limits::HISTORY_PAGE_MAX) as usize, log.floor());
        let found = storage.read_before(before, limit, Rows::Messages).and_then(|rows| {
            let records = rows.iter().rev().map(|row| Ok(Record::decode(row)?.publication));
            let mut messages = records.collect::<Result<Vec<Publication>, StorageError>>()?;
            messages.retain(|message| message.offset > floor);
            fold(&mut messages, storage)?;
            Ok(messages)
        });
        self.stored(found)
    }

    /// What a key of shared state holds, as a type.
    #[must_use]
    pub fn shared<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let value = self.deciding.state.value(&self.deciding.room.state, key)?.clone();
        parse(key, &value).map_err(|failure| self.fail(failure)).ok()
    }

    /// Sets a key of shared state, which every client sees.
    pub fn share(&mut self, key: &str, value: &impl Serialize) {
        let (key, value) = (key.to_owned(), Payload::of(value));
        self.write_state(StateOp::Set { key, value, expected: None, owned: false });
    }

    /// Deletes a key of shared state.
    pub fn unshare(&mut self, key: &str) {
        self.write_state(StateOp::Delete { key: key.to_owned(), expected: None });
    }

    fn write_state(&mut self, op: StateOp) {
        let (ops, state) = ([op], &self.deciding.room.state);
        let written = check_ops(None, &ops).and_then(|()| self.deciding.state.apply_own(state, &ops));
        self.checked(written);
    }

    /// Sets a member's presence data, once what the step does is kept. At most 2 KiB.
    pub fn set_presence(&mut self, user: &UserId, session: &PublicSession, data: &impl Serialize) {
        let (user, session, data) = (user.clone(), session.clone(), Payload::of(data));
        self.check_presence(Some(&data));
        self.afterwards.push(Afterwards::SetPresence { user, session, data });
    }

    pub(crate) fn check_presence(&mut self, data: Option<&Payload>) {
        if data.is_some_and(|data| data.len() > limits::PRESENCE_BYTES_MAX) {
            let message = format!("presence data is at most {} bytes", limits::PRESENCE_BYTES_MAX);
            self.fail(Failure::with_code(ErrorCode::Internal, message));
        }
    }

    /// Gives tags to a member's connection and takes others away, once what the step does is kept. Those of its token
    /// stay; besides, a connection has at most 64. It keeps them until it ends: what is to last is given in `join`.
    pub fn tag(&mut self, user: &UserId, session: &PublicSession, add: &[&str], remove: &[&str]) {
        let owned = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
        let (user, session) = (user.clone(), session.clone());
        if let Some(tag) = add.iter().find(|tag| !schemas::ids::is_tag(tag)) {
            return self.fail(Failure::new(format!("{tag:?} is no tag")));
        }
        if let Some(id) = self.deciding.room.connections.of_member(&user, &session) {
            self.count_tags(id, add, remove);
        }
        self.afterwards.push(Afterwards::Tag { user, session, add: owned(add), remove: owned(remove) });
    }

    fn count_tags(&mut self, id: ConnectionId, add: &[&str], remove: &[&str]) {
        let connections = &self.deciding.room.connections;
        let subscribed = || Some(connections.get(id)?.joined()?.subscribed.clone());
        let known = self.tags.get(&id.to_string()).flatten().cloned();
        let mut tags = known.or_else(subscribed).unwrap_or_default();
        tags.retain(|tag| !remove.contains(&tag.as_str()));
        tags.extend(add.iter().map(|tag| (*tag).to_owned()));
        if tags.len() > TAGS_MAX {
            let message = format!("a connection has at most {TAGS_MAX} tags beside its token's");
            self.fail(Failure::with_code(ErrorCode::Internal, message));
        }
        self.tags.set(id.to_string(), Some(tags));
    }

    /// Closes connections with 3505, once what the step does is kept, and keeps their users out for so many
    /// milliseconds; 0 ends a block. `reason` is at most 123 bytes.
    pub fn disconnect(&mut self, who: Who, reason: Option<&str>, block_for_ms: Option<u64>) {
        if reason.is_some_and(|reason| reason.len() > REASON_BYTES_MAX) {
            return self.fail(Failure::new(format!("a reason is at most {REASON_BYTES_MAX} bytes")));
        }
        let reason = reason.map(ToOwned::to_owned);
        self.afterwards.push(Afterwards::Disconnect(DisconnectCall { who, reason, block_ms: block_for_ms }));
    }
}
