//! What the gateway asks of a room, on behalf of a backend or of a user over HTTP.

use schemas::{
    http::{PublishCall, Reader, RoomCall},
    ids, limits,
    server_message::{LogInfo, RequestError, RequestResult, RoomInfo, TimerInfo},
};

use crate::{
    flush::unavailable,
    input::RequestId,
    output::Output,
    recovery::Viewer,
    requests::fate,
    room::Room,
    staging::{Draft, Origin},
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
        let result = match call {
            RoomCall::Publish(call) => match self.stage_call(request, call) {
                Ok(()) => return,
                Err(error) => Err(error),
            },
            RoomCall::Messages { before, after, limit, tags, reader } => {
                let viewer = viewer(reader, tags);
                let limit = limit.clamp(1, limits::HISTORY_PAGE_MAX);
                self.found(now, storage)
                    .and_then(|()| self.read_history(now, before, after, limit, &viewer, storage))
                    .map(RequestResult::History)
                    .map_err(|_| unavailable(None))
            }
            RoomCall::Members { cursor, limit } => {
                let limit = limit.clamp(1, limits::MEMBERS_PAGE_MAX);
                let connections = self.connections.joined_count();
                let page = self.presence.members_page(cursor.as_deref(), limit, connections);
                Ok(RequestResult::Members(page))
            }
            RoomCall::Info => self
                .info(storage)
                .map(|info| RequestResult::Room(Box::new(info)))
                .map_err(|_| unavailable(None)),
            RoomCall::Delete => {
                self.delete(now, storage).map(|()| RequestResult::Done {}).map_err(|_| unavailable(None))
            }
        };
        self.outputs.push(Output::Answer { request, result });
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

    fn stage_call(&mut self, request: RequestId, call: PublishCall) -> Result<(), RequestError> {
        let draft = Draft {
            origin: Origin::Http { request },
            author: call.author,
            kind: call.kind,
            data: call.data,
            tags: call.tags,
            to: call.to,
            key: call.key,
            fate: fate(call.ephemeral, None),
            echo: true,
        };
        self.check_draft(None, &draft)?;
        self.staging.publish(draft);
        Ok(())
    }
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
