//! Requests of connections, and of the gateway: each is checked and either staged, or refused with a reason.

use std::collections::BTreeSet;

use schemas::{
    Capability, ClientMessage, CloseCode, ConnectionId, Payload, ServerMessage,
    client_message::{Publish, To},
    codes::ErrorCode,
    http::{PublishCall, Reader, RoomCall},
    ids, limits,
    server_message::{Author, LeaveReason, RequestError, RequestResult, Tags},
};

use crate::{
    flush::{Draft, Origin, Read, unavailable},
    hello::{check_presence, check_tags},
    input::RequestId,
    output::Output,
    presence::MemberRow,
    recovery::Viewer,
    room::Room,
    storage::Storage,
};

impl Room {
    pub(crate) fn on_message(
        &mut self,
        now: u64,
        id: ConnectionId,
        message: ClientMessage,
        storage: &mut dyn Storage,
    ) {
        let Some(connection) = self.connections.get(id) else { return };
        let greeting = connection.joined().is_none();
        match message {
            ClientMessage::Hello(hello) => self.on_hello(now, id, hello, storage),
            _ if greeting => {
                let error = RequestError::new(None, ErrorCode::BadRequest, "hello comes first");
                self.send_now(id, &ServerMessage::Error(error));
                self.refuse_connection(now, id, CloseCode::BadRequest);
            }
            ClientMessage::Publish(publish) => self.on_publish(now, id, publish),
            ClientMessage::Presence { id: request, data } => self.on_presence(now, id, request, data),
            ClientMessage::Subscribe { id: request, tags } => self.on_subscribe(now, id, request, tags),
            ClientMessage::Unsubscribe { id: request, tags } => self.on_unsubscribe(now, id, request, &tags),
            ClientMessage::History(history) => {
                if self.allow(now, id, Some(history.id), Capability::History) {
                    self.staging.read(id, Read::History(history));
                }
            }
            ClientMessage::Members(members) => {
                if self.allow(now, id, Some(members.id), Capability::Presence) {
                    self.staging.read(id, Read::Members(members));
                }
            }
            ClientMessage::Leave { id: request } => self.on_leave(id, request),
        }
    }

    /// Refuses the request of a connection whose token has expired, or does not allow it.
    fn allow(&mut self, now: u64, id: ConnectionId, request: Option<u32>, capability: Capability) -> bool {
        let Some(connection) = self.connections.get(id) else { return false };
        if connection.claims.expires_at.is_some_and(|at| now > at + limits::TOKEN_LEEWAY_MS) {
            self.reject(id, RequestError::new(request, ErrorCode::Unauthorized, "the token has expired"));
            return false;
        }
        if connection.claims.capabilities.has(capability) {
            return true;
        }
        let message = format!("the token does not allow {:?}", capability.as_str());
        self.reject(id, RequestError::new(request, ErrorCode::Forbidden, message));
        false
    }

    fn on_publish(&mut self, now: u64, id: ConnectionId, publish: Publish) {
        if !self.allow(now, id, publish.id, Capability::Publish) {
            return;
        }
        let Some(connection) = self.connections.get(id) else { return };
        let Some(joined) = connection.joined() else { return };
        let author = Author {
            user: joined.user.clone(),
            session: Some(joined.session.clone()),
            info: connection.claims.info.clone(),
        };
        let own_tags = &connection.claims.tags;
        let stranger =
            publish.tags.iter().position(|tag| ids::is_reserved_tag(tag) && !own_tags.contains(tag));
        if let Some(index) = stranger {
            let message = "begins with $, and is not of this token";
            self.reject(id, RequestError::invalid(publish.id, &format!("tags[{index}]"), message));
            return;
        }
        let draft = Draft {
            origin: Origin::Connection { connection: id, request: publish.id, echo: publish.echo },
            author: Some(author),
            kind: publish.kind,
            data: publish.data,
            tags: publish.tags,
            to: publish.to,
            ephemeral: publish.ephemeral,
        };
        match self.check_draft(publish.id, &draft) {
            Ok(()) => self.staging.publish(draft),
            Err(error) => self.reject(id, error),
        }
    }

    fn check_draft(&self, id: Option<u32>, draft: &Draft) -> Result<(), RequestError> {
        let payload_bytes_max = self.setup.config.limits.payload_bytes as usize;
        if draft.data.len() > payload_bytes_max {
            let message = format!("data is {} bytes, and at most {payload_bytes_max}", draft.data.len());
            return Err(RequestError::new(id, ErrorCode::TooLarge, message));
        }
        if draft.tags.len() > limits::TAGS_PUBLICATION_MAX {
            return Err(RequestError::invalid(
                id,
                "tags",
                format!("are at most {}", limits::TAGS_PUBLICATION_MAX),
            ));
        }
        if let Some(index) = draft.tags.iter().position(|tag| !ids::is_tag(tag)) {
            let message = format!("is 1 to {} bytes", limits::TAG_BYTES_MAX);
            return Err(RequestError::invalid(id, &format!("tags[{index}]"), message));
        }
        if let Some(to) = &draft.to {
            check_to(id, to, draft.ephemeral)?;
        }
        match draft.kind.as_deref() {
            Some("edit" | "remove" | "react") => {
                Err(RequestError::invalid(id, "type", "edit, remove and react have messages of their own"))
            }
            Some(kind) if kind.is_empty() || kind.len() > limits::TYPE_BYTES_MAX => {
                Err(RequestError::invalid(id, "type", format!("is 1 to {} bytes", limits::TYPE_BYTES_MAX)))
            }
            _ => Ok(()),
        }
    }

    fn on_presence(&mut self, now: u64, id: ConnectionId, request: u32, data: Payload) {
        if !self.allow(now, id, Some(request), Capability::Presence) {
            return;
        }
        if let Err(error) = check_presence(Some(request), "data", Some(&data)) {
            self.reject(id, error);
            return;
        }
        let Some(joined) = self.connections.get(id).and_then(|connection| connection.joined()) else {
            return;
        };
        let key = (joined.user.clone(), joined.session.clone());
        if let Some(row) = self.presence.get(&key) {
            self.presence.put(MemberRow { data: Some(data), ..row.clone() });
        }
        self.staging.done(id, request);
    }

    fn on_subscribe(&mut self, now: u64, id: ConnectionId, request: u32, tags: Vec<String>) {
        if !self.allow(now, id, Some(request), Capability::Join) {
            return;
        }
        if let Err(error) = check_tags(Some(request), &tags, limits::TAGS_SUBSCRIBED_MAX) {
            self.reject(id, error);
            return;
        }
        let Some(joined) = self.connections.get(id).and_then(|connection| connection.joined()) else {
            return;
        };
        let after: BTreeSet<&String> = joined.subscribed.iter().chain(&tags).collect();
        if after.len() > limits::TAGS_SUBSCRIBED_MAX {
            let message =
                format!("would be {}, and are at most {}", after.len(), limits::TAGS_SUBSCRIBED_MAX);
            self.reject(id, RequestError::invalid(Some(request), "tags", message));
            return;
        }
        self.connections.subscribe(id, tags);
        self.answer_tags(now, id, request);
    }

    fn on_unsubscribe(&mut self, now: u64, id: ConnectionId, request: u32, tags: &[String]) {
        self.connections.unsubscribe(id, tags);
        self.answer_tags(now, id, request);
    }

    fn answer_tags(&mut self, now: u64, id: ConnectionId, request: u32) {
        self.attach(now, id);
        let Some(connection) = self.connections.get(id) else { return };
        let tags = Tags { tags: connection.tags(), offset: self.log.head() };
        self.staging.answer(id, request, RequestResult::Tags(tags));
    }

    /// Ends the membership; the connection closes behind the reply.
    fn on_leave(&mut self, id: ConnectionId, request: u32) {
        let Some(joined) = self.connections.get(id).and_then(|connection| connection.joined()) else {
            return;
        };
        let key = (joined.user.clone(), joined.session.clone());
        self.end_membership(&key, LeaveReason::Left);
        self.staging.done(id, request);
        self.staging.close(id, CloseCode::Normal);
    }

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
                self.log
                    .found(storage)
                    .and_then(|()| self.read_history(now, before, after, limit, &viewer, storage))
                    .map(RequestResult::History)
                    .map_err(|_| unavailable(None))
            }
            RoomCall::Members { cursor, limit } => {
                let connections = self.connections.joined_count();
                let page = self.presence.members_page(cursor.as_deref(), limit, connections);
                Ok(RequestResult::Members(page))
            }
        };
        self.outputs.push(Output::Answer { request, result });
    }

    fn stage_call(&mut self, request: RequestId, call: PublishCall) -> Result<(), RequestError> {
        let draft = Draft {
            origin: Origin::Http { request },
            author: call.author,
            kind: call.kind,
            data: call.data,
            tags: call.tags,
            to: call.to,
            ephemeral: call.ephemeral,
        };
        self.check_draft(None, &draft)?;
        self.staging.publish(draft);
        Ok(())
    }

    /// Answers what was staged to be read, after the commit that it was staged behind.
    pub(crate) fn perform_read(
        &mut self,
        now: u64,
        id: ConnectionId,
        read: Read,
        storage: &dyn Storage,
    ) -> Option<ServerMessage> {
        let connection = self.connections.get(id)?;
        let joined = connection.joined()?;
        let (request, result) = match read {
            Read::History(history) => {
                let subscribed = joined.subscribed.iter().cloned().collect();
                let mut viewer = Viewer::of(connection, &joined.user, &joined.session, subscribed);
                if !history.tags.is_empty() {
                    viewer.tags.retain(|tag| history.tags.contains(tag));
                    viewer.tagged_only = true;
                }
                let page =
                    self.read_history(now, history.before, history.after, history.limit, &viewer, storage);
                (history.id, page.map(RequestResult::History).map_err(|_| unavailable(Some(history.id))))
            }
            Read::Members(members) => {
                let connections = self.connections.joined_count();
                let page = self.presence.members_page(members.cursor.as_deref(), members.limit, connections);
                (members.id, Ok(RequestResult::Members(page)))
            }
        };
        Some(match result {
            Ok(result) => ServerMessage::Reply(schemas::server_message::Reply { id: request, result }),
            Err(error) => ServerMessage::Error(error),
        })
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

fn check_to(id: Option<u32>, to: &To, ephemeral: bool) -> Result<(), RequestError> {
    if to.len() > limits::TO_MAX {
        return Err(RequestError::invalid(
            id,
            "to",
            format!("names {}, and at most {}", to.len(), limits::TO_MAX),
        ));
    }
    if !to.connections.is_empty() && !ephemeral {
        return Err(RequestError::invalid(id, "to.connections", "requires ephemeral"));
    }
    Ok(())
}
