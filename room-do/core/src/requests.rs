//! Requests of connections: each is checked and either staged, or refused with a reason.

use std::collections::BTreeSet;

use schemas::{
    Capability, ClientMessage, CloseCode, ConnectionId, Offset, Payload, ServerMessage,
    client_message::{Publish, StateOp, To},
    codes::ErrorCode,
    http::{KeyScope, ScopedKey},
    ids, limits,
    server_message::{Author, LeaveReason, RequestError, RequestResult, Tags},
};

use crate::{
    connection::Phase,
    flush::unavailable,
    hello::{check_presence, check_tags},
    presence::MemberRow,
    rates::Pace,
    recovery::Viewer,
    room::Room,
    shared_state::{Writer, check_ops},
    staging::{Amendment, Change, Draft, Fate, Origin, Read, StateRequest},
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
        if let ClientMessage::Hello(hello) = message {
            return self.on_hello(now, id, hello, storage);
        }
        if greeting {
            let error = RequestError::new(None, ErrorCode::BadRequest, "hello comes first");
            self.send_now(id, &ServerMessage::Error(error));
            return self.refuse_connection(now, id, CloseCode::BadRequest);
        }
        if matches!(connection.phase, Phase::Leaving(_)) {
            return;
        }
        let in_time = match pace(&message) {
            Some(pace) => self.is_within_rate(now, id, message.id(), pace),
            None => true,
        };
        if !in_time {
            return;
        }
        match message {
            ClientMessage::Hello(_) => {}
            ClientMessage::Publish(publish) => self.on_publish(now, id, publish),
            ClientMessage::Edit { id: request, offset, data } => {
                self.on_amend(now, id, request, offset, Change::Edit(data));
            }
            ClientMessage::Remove { id: request, offset } => {
                self.on_amend(now, id, request, offset, Change::Remove);
            }
            ClientMessage::React { id: request, offset, name, on } => {
                self.on_react(now, id, request, offset, name, on);
            }
            ClientMessage::State { id: request, ops } => self.on_state(now, id, request, ops),
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
            ClientMessage::Call { id: request, method, args } => self.on_call(now, id, request, method, args),
            ClientMessage::Cancel { id: request } => self.on_cancel(now, id, request),
            ClientMessage::Auth { id: request, token } => self.on_auth(now, id, request, token),
            ClientMessage::Ack { frames } => self.on_ack(id, frames),
            ClientMessage::Leave { id: request } => self.on_leave(id, request),
        }
    }

    /// Refuses the request of a connection whose token has expired, or does not allow it.
    pub(crate) fn allow(
        &mut self,
        now: u64,
        id: ConnectionId,
        request: Option<u32>,
        capability: Capability,
    ) -> bool {
        let Some(connection) = self.connections.get(id) else { return false };
        if connection.claims.expires_at.is_some_and(|at| now > at.saturating_add(limits::TOKEN_LEEWAY_MS)) {
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
        let is_own = |tag: &String| connection.claims.tags.contains(tag) || joined.subscribed.contains(tag);
        let stranger = publish.tags.iter().position(|tag| ids::is_reserved_tag(tag) && !is_own(tag));
        if let Some(index) = stranger {
            let message = "begins with $, and is not of this token";
            self.reject(id, RequestError::invalid(publish.id, &format!("tags[{index}]"), message));
            return;
        }
        if publish.conflate.is_some() && !publish.ephemeral {
            return self.reject(id, RequestError::invalid(publish.id, "conflate", "requires ephemeral"));
        }
        let scope = KeyScope::User(author.user.clone());
        let draft = Draft {
            origin: Origin::Connection { connection: id, request: publish.id },
            caller: self.asking(|| self.caller_of(connection, Some(id))),
            author: Some(author),
            kind: publish.kind,
            data: publish.data,
            tags: publish.tags,
            to: publish.to,
            key: publish.key.map(|key| ScopedKey { scope, key }),
            fate: fate(publish.ephemeral, publish.conflate),
            echo: publish.echo,
            but: Vec::new(),
        };
        match self.check_draft(publish.id, &draft) {
            Ok(()) => self.staging.publish(draft),
            Err(error) => self.reject(id, error),
        }
    }

    pub(crate) fn check_draft(&self, id: Option<u32>, draft: &Draft) -> Result<(), RequestError> {
        self.check_payload(id, &draft.data)?;
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
            check_to(id, to, draft.fate != Fate::Logged)?;
        }
        match (&draft.key, &draft.fate) {
            (Some(_), Fate::Ephemeral { .. }) => {
                return Err(RequestError::invalid(id, "key", "is for what is logged"));
            }
            (Some(key), _) => check_bytes(id, "key", &key.key, limits::KEY_BYTES_MAX)?,
            (None, Fate::Ephemeral { conflate: Some(name) }) => {
                check_bytes(id, "conflate", name, limits::CONFLATE_BYTES_MAX)?;
            }
            (None, _) => {}
        }
        match draft.kind.as_deref() {
            Some("edit" | "remove" | "react") => {
                Err(RequestError::invalid(id, "type", "edit, remove and react have messages of their own"))
            }
            Some(kind) => check_bytes(id, "type", kind, limits::TYPE_BYTES_MAX),
            None => Ok(()),
        }
    }

    fn on_amend(&mut self, now: u64, id: ConnectionId, request: u32, target: Offset, change: Change) {
        if !self.allow(now, id, Some(request), Capability::Join) {
            return;
        }
        if let Err(error) = self.check_change(Some(request), &change) {
            return self.reject(id, error);
        }
        let Some(connection) = self.connections.get(id) else { return };
        let Some(joined) = connection.joined() else { return };
        let capabilities = connection.claims.capabilities;
        if !change.is_allowed_at_all(capabilities) {
            let message = format!("the token does not allow {}", change.verb().as_str());
            return self.reject(id, RequestError::new(Some(request), ErrorCode::Forbidden, message));
        }
        let amendment = Amendment {
            origin: Origin::Connection { connection: id, request: Some(request) },
            caller: self.asking(|| self.caller_of(connection, Some(id))),
            author: Some(Author {
                user: joined.user.clone(),
                session: Some(joined.session.clone()),
                info: connection.claims.info.clone(),
            }),
            viewer: Viewer::joined(connection, joined),
            capabilities,
            target,
            change,
        };
        self.staging.amend(amendment);
    }

    fn on_react(&mut self, now: u64, id: ConnectionId, request: u32, target: Offset, name: String, on: bool) {
        let joined = self.connections.get(id).and_then(|connection| connection.joined());
        let Some(user) = joined.map(|joined| joined.user.clone()) else { return };
        self.on_amend(now, id, request, target, Change::React { user, name, on });
    }

    pub(crate) fn check_change(&self, id: Option<u32>, change: &Change) -> Result<(), RequestError> {
        match change {
            Change::Edit(data) => self.check_payload(id, data),
            Change::Remove => Ok(()),
            Change::React { name, .. } => check_bytes(id, "name", name, limits::REACTION_BYTES_MAX),
        }
    }

    fn check_payload(&self, id: Option<u32>, data: &Payload) -> Result<(), RequestError> {
        let bytes_max = self.setup.config.limits.payload_bytes as usize;
        if data.len() > bytes_max {
            let message = format!("data is {} bytes, and at most {bytes_max}", data.len());
            return Err(RequestError::new(id, ErrorCode::TooLarge, message));
        }
        Ok(())
    }

    fn on_state(&mut self, now: u64, id: ConnectionId, request: u32, ops: Vec<StateOp>) {
        if !self.allow(now, id, Some(request), Capability::State) {
            return;
        }
        if let Err(error) = check_ops(Some(request), &ops) {
            return self.reject(id, error);
        }
        let Some(connection) = self.connections.get(id) else { return };
        let Some(joined) = connection.joined() else { return };
        let writer = Writer {
            member: Some((joined.user.clone(), joined.session.clone())),
            moderates: connection.claims.capabilities.has(Capability::Moderate),
        };
        let origin = Origin::Connection { connection: id, request: Some(request) };
        let caller = self.asking(|| self.caller_of(connection, Some(id)));
        self.staging.state(StateRequest { origin, caller, writer, ops });
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
        self.staging.confirm(id, request);
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
        if !self.allow(now, id, Some(request), Capability::Join) {
            return;
        }
        // Those that begin with $ are not the client's to drop.
        let own: Vec<String> = tags.iter().filter(|tag| !ids::is_reserved_tag(tag)).cloned().collect();
        self.connections.unsubscribe(id, &own);
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
        if let Some(connection) = self.connections.get_mut(id) {
            connection.leave();
        }
        self.end_membership(&key, LeaveReason::Left);
        self.staging.confirm(id, request);
        self.staging.close(id, CloseCode::Normal);
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
                let mut viewer = Viewer::joined(connection, joined);
                if !history.tags.is_empty() {
                    viewer.tags.retain(|tag| history.tags.contains(tag));
                    viewer.tagged_only = true;
                }
                let page =
                    self.read_history(now, history.before, history.after, history.limit, &viewer, storage);
                (history.id, page.map(RequestResult::History).map_err(|_| unavailable(Some(history.id))))
            }
            Read::Members(members) => {
                (members.id, Ok(self.members(members.cursor.as_deref(), members.limit)))
            }
        };
        Some(match result {
            Ok(result) => ServerMessage::Reply(schemas::server_message::Reply { id: request, result }),
            Err(error) => ServerMessage::Error(error),
        })
    }
}

/// At which rate a message counts; `None` for those that are free.
fn pace(message: &ClientMessage) -> Option<Pace> {
    match message {
        ClientMessage::Publish(_)
        | ClientMessage::Edit { .. }
        | ClientMessage::Remove { .. }
        | ClientMessage::React { .. } => Some(Pace::Publish),
        ClientMessage::State { .. }
        | ClientMessage::Presence { .. }
        | ClientMessage::Subscribe { .. }
        | ClientMessage::Unsubscribe { .. }
        | ClientMessage::History(_)
        | ClientMessage::Call { .. }
        | ClientMessage::Members(_) => Some(Pace::Request),
        ClientMessage::Hello(_)
        | ClientMessage::Auth { .. }
        | ClientMessage::Ack { .. }
        | ClientMessage::Cancel { .. }
        | ClientMessage::Leave { .. } => None,
    }
}

pub(crate) fn fate(ephemeral: bool, conflate: Option<String>) -> Fate {
    if ephemeral { Fate::Ephemeral { conflate } } else { Fate::Logged }
}

pub(crate) fn check_bytes(id: Option<u32>, path: &str, text: &str, max: usize) -> Result<(), RequestError> {
    if (1..=max).contains(&text.len()) {
        return Ok(());
    }
    Err(RequestError::invalid(id, path, format!("is 1 to {max} bytes")))
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
