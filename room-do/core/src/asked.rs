//! What the gateway asks of a room, on behalf of a backend or of a user over HTTP.

use schemas::{
    ConnectionId, ErrorCode, Frame, Offset, Session, UserId,
    http::{AmendCall, PublishCall, Reader, RoomCall},
    ids, limits,
    server_message::{
        Author, BatchItem, BatchResults, LogInfo, RequestError, RequestResult, RoomInfo, TimerInfo,
    },
};

use crate::{
    behavior::Caller,
    connection::{Connection, Joined},
    flush::unavailable,
    input::RequestId,
    output::Output,
    recovery::Viewer,
    requests::fate,
    room::Room,
    session::public_session,
    shared_state::{Writer, check_ops},
    staging::{Amendment, Change, Draft, Origin, StateRequest},
    storage::{Row, Rows, Storage, StorageError},
};

impl Room {
    pub(crate) fn on_asked(
        &mut self,
        now: u64,
        request: RequestId,
        call: RoomCall,
        storage: &mut dyn Storage,
    ) {
        self.on_asked_by(now, request, Caller::default(), call, storage);
    }

    /// `by` is a user, or, where it names none, a backend.
    fn on_asked_by(
        &mut self,
        now: u64,
        request: RequestId,
        by: Caller,
        call: RoomCall,
        storage: &mut dyn Storage,
    ) {
        let result = match call {
            RoomCall::ByUser { user, capabilities, call } => match self.check_block(now, &user) {
                Ok(()) => {
                    let by = Caller { user: Some(user), capabilities, ..Caller::default() };
                    return self.on_asked_by(now, request, by, *call, storage);
                }
                Err(error) => Err(error),
            },
            RoomCall::Publish(call) => match self.stage_call(Origin::Http { request }, &by, call) {
                Ok(()) => return,
                Err(error) => Err(error),
            },
            RoomCall::Batch(calls) => return self.stage_batch(request, &by, calls),
            RoomCall::Amend(call) => match self.stage_amendment(request, &by, call) {
                Ok(()) => return,
                Err(error) => Err(error),
            },
            RoomCall::WriteState { ops, moderates } => match check_ops(None, &ops) {
                Ok(()) => {
                    let (origin, caller) = (Origin::Http { request }, self.asking(|| by));
                    let writer = Writer { member: None, moderates };
                    return self.staging.state(StateRequest { origin, caller, writer, ops });
                }
                Err(error) => Err(error),
            },
            RoomCall::State => Ok(RequestResult::StateSnapshot(self.state.snapshot())),
            RoomCall::Messages { before, after, limit, tags, reader } => {
                let (viewer, range) = (viewer(reader, tags), Range { before, after, limit });
                self.read_page(now, range, Rows::Messages, &viewer, storage)
            }
            RoomCall::RawMessages { before, after, limit, tags } => {
                let (viewer, range) = (viewer(Reader::Service, tags), Range { before, after, limit });
                self.read_page(now, range, Rows::All, &viewer, storage)
            }
            RoomCall::Members { cursor, limit } => {
                Ok(self.members(cursor.as_deref(), limit.clamp(1, limits::MEMBERS_PAGE_MAX)))
            }
            RoomCall::Method(call) => match self.stage_method(request, call) {
                Ok(()) => return,
                Err(error) => Err(error),
            },
            RoomCall::Disconnect(call) => self.disconnect(now, call, storage),
            RoomCall::Say { connection, session, user, frame } => {
                let speaker = Speaker { connection, session, user };
                self.say(now, &speaker, frame, storage).map(|()| RequestResult::Done {})
            }
            RoomCall::Revoke(revocations) => Ok(self.revoke(now, &revocations)),
            RoomCall::Info => self
                .info(storage)
                .map(|info| RequestResult::Room(Box::new(info)))
                .map_err(|_| unavailable(None)),
            RoomCall::Delete => {
                self.delete(now, storage).map(|()| RequestResult::Done {}).map_err(|_| unavailable(None))
            }
        };
        if let Err(error) = &result {
            self.tally.rejected(error.code);
        }
        self.outputs.push(Output::Answer { request, result });
    }

    /// Whoever knows the session that a connection said hello with speaks for it.
    fn say(
        &mut self,
        now: u64,
        speaker: &Speaker,
        frame: Vec<u8>,
        storage: &mut dyn Storage,
    ) -> Result<(), RequestError> {
        let joined = self.connections.get(speaker.connection).and_then(Connection::joined);
        let speaks = |joined: &&Joined| {
            let is_user = speaker.user.as_ref().is_none_or(|user| *user == joined.user);
            is_user && joined.session == public_session(&speaker.session)
        };
        if joined.filter(speaks).is_none() {
            let message = "no such connection of this session is open";
            return Err(RequestError::new(None, ErrorCode::NotFound, message));
        }
        self.on_received(now, speaker.connection, &Frame::Binary(frame), storage);
        Ok(())
    }

    fn read_page(
        &mut self,
        now: u64,
        Range { before, after, limit }: Range,
        wanted: Rows,
        viewer: &Viewer,
        storage: &mut dyn Storage,
    ) -> Result<RequestResult, RequestError> {
        let limit = limit.clamp(1, limits::HISTORY_PAGE_MAX);
        self.found(now, storage)
            .and_then(|()| match wanted {
                Rows::All => self.read_log(now, before, after, limit, wanted, viewer, storage),
                Rows::Messages => self.read_history(now, before, after, limit, viewer, storage),
            })
            .map(RequestResult::History)
            .map_err(|_| unavailable(None))
    }

    pub(crate) fn members(&self, cursor: Option<&str>, limit: u32) -> RequestResult {
        let connections = self.connections.joined_count();
        RequestResult::Members(self.presence.members_page(cursor, limit, connections))
    }

    fn info(&self, storage: &dyn Storage) -> Result<RoomInfo, StorageError> {
        let lifecycle = self.lifecycle;
        let used = lifecycle.created_at > 0;
        let oldest = storage.read_after(self.log.floor(), 1, Rows::All)?;
        let log = LogInfo {
            epoch: self.log.is_founded().then(|| self.log.epoch()),
            floor: self.log.floor(),
            head: self.log.head(),
            bytes: self.log.bytes_behind_oldest() + oldest.iter().map(Row::bytes).sum::<usize>() as u64,
        };
        let timers = self.timers.next_by_name().into_iter();
        Ok(RoomInfo {
            room: self.setup.name.clone(),
            kind: self.setup.name.kind().to_owned(),
            lifecycle: lifecycle.state,
            since: used.then_some(lifecycle.since),
            created_at: used.then_some(lifecycle.created_at),
            active_at: used.then_some(lifecycle.active_at.max(self.log.time())),
            occupancy: self.presence.occupancy(),
            connections: self.connections.joined_count() as u32,
            log: self.log.is_kept().then_some(log),
            state: self.state.info(),
            timers: timers.map(|(at, name)| TimerInfo { name: name.to_owned(), at }).collect(),
        })
    }

    fn stage_call(&mut self, origin: Origin, by: &Caller, call: PublishCall) -> Result<(), RequestError> {
        let draft = Draft {
            origin,
            caller: self.asking(|| informed(by, call.author.as_ref())),
            author: call.author,
            kind: call.kind,
            data: call.data,
            tags: call.tags,
            to: call.to,
            key: call.key,
            fate: fate(call.ephemeral, None),
            echo: true,
            but: Vec::new(),
        };
        self.check_draft(None, &draft)?;
        self.staging.publish(draft);
        Ok(())
    }

    /// Each is staged or refused by itself; they are answered together.
    fn stage_batch(&mut self, request: RequestId, by: &Caller, calls: Vec<PublishCall>) {
        if calls.is_empty() {
            let result = Ok(RequestResult::Batch(BatchResults { results: Vec::new() }));
            return self.outputs.push(Output::Answer { request, result });
        }
        self.staging.batches.insert(request, vec![None; calls.len()]);
        for (index, call) in calls.into_iter().enumerate() {
            if let Err(error) = self.stage_call(Origin::Batch { request, index }, by, call) {
                self.answer_in_batch(request, index, Err(error));
            }
        }
    }

    /// What became of one publish of a batch; the last of them answers it.
    pub(crate) fn answer_in_batch(
        &mut self,
        request: RequestId,
        index: usize,
        result: Result<RequestResult, RequestError>,
    ) {
        let Some(results) = self.staging.batches.get_mut(&request) else { return };
        results[index] = Some(match result {
            Ok(RequestResult::Published(published)) => BatchItem::Published(published),
            Ok(_) => BatchItem::Done {},
            Err(error) => BatchItem::Refused { error },
        });
        if results.iter().any(Option::is_none) {
            return;
        }
        let results = self.staging.batches.remove(&request).unwrap_or_default();
        let results = results.into_iter().flatten().collect();
        let result = Ok(RequestResult::Batch(BatchResults { results }));
        self.outputs.push(Output::Answer { request, result });
    }

    fn stage_amendment(
        &mut self,
        request: RequestId,
        by: &Caller,
        call: AmendCall,
    ) -> Result<(), RequestError> {
        let AmendCall { target, data, reader, author, capabilities } = call;
        let change = data.map_or(Change::Remove, Change::Edit);
        self.check_change(None, &change)?;
        if !change.is_allowed_at_all(capabilities) {
            let message = format!("the token does not allow {}", change.verb().as_str());
            return Err(RequestError::new(None, ErrorCode::Forbidden, message));
        }
        let (origin, viewer) = (Origin::Http { request }, viewer(reader, Vec::new()));
        let caller = self.asking(|| informed(by, author.as_ref()));
        self.staging.amend(Amendment { origin, caller, author, viewer, capabilities, target, change });
        Ok(())
    }
}

/// With the `info` of their token, which comes along with what they say.
fn informed(by: &Caller, author: Option<&Author>) -> Caller {
    let info = author.filter(|_| !by.is_service()).and_then(|author| author.info.clone());
    Caller { info, ..by.clone() }
}

pub(crate) fn no_behavior(method: &str) -> RequestError {
    let message = format!("rooms of this kind have no methods, and none called {method:?}");
    RequestError::new(None, ErrorCode::Unsupported, message)
}

/// Who says something by HTTP.
struct Speaker {
    connection: ConnectionId,
    session: Session,
    user: Option<UserId>,
}

/// Which page of the log is wanted.
struct Range {
    before: Option<Offset>,
    after: Option<Offset>,
    limit: u32,
}

/// How one who asks over HTTP sees the log. `tags` asks for those tags alone.
fn viewer(reader: Reader, tags: Vec<String>) -> Viewer {
    let tagged_only = !tags.is_empty();
    match reader {
        Reader::Service => Viewer { user: None, session: None, tags, sees_all: true, tagged_only },
        Reader::User { user, tags: own } => {
            let mut carried: Vec<String> =
                tags.iter().filter(|tag| own.contains(tag) || !ids::is_reserved_tag(tag)).cloned().collect();
            if !tagged_only {
                carried = own;
            }
            Viewer { user: Some(user), session: None, tags: carried, sees_all: false, tagged_only }
        }
    }
}
