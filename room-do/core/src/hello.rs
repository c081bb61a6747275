//! Hello and welcome: a connection becomes a session's, and learns where the room stands.

use schemas::{
    Capability, CloseCode, ConnectionId, Offset, Payload, PublicSession, ServerMessage, UserId,
    client_message::Hello,
    codes::ErrorCode,
    config::PresenceMode,
    ids, limits,
    server_message::{Publication, RecoveryFailure, RequestError, Welcome, WelcomeLimits},
};

use crate::{
    connection::Joined,
    presence::MemberRow,
    recovery::{Viewer, has_history},
    room::Room,
    session::public_session,
    storage::{Storage, StorageError},
    timer::Timer,
};

/// What hello brings back from the log.
struct Recovered {
    recovered: bool,
    reason: Option<RecoveryFailure>,
    publications: Vec<Publication>,
}

impl Room {
    pub(crate) fn on_hello(&mut self, now: u64, id: ConnectionId, hello: Hello, storage: &mut dyn Storage) {
        let refused = match self.check_hello(id, &hello) {
            Err(error) => Some((error, CloseCode::BadRequest)),
            Ok(()) if self.is_outdated(id, &hello) => {
                return self.refuse_connection(now, id, CloseCode::SessionReplaced);
            }
            Ok(()) if self.is_blocked(now, id, &hello) => {
                return self.refuse_connection(now, id, CloseCode::BlockedOrKicked);
            }
            Ok(()) if self.is_full_for(id, &hello) => {
                return self.refuse_connection(now, id, CloseCode::RoomFull);
            }
            Ok(()) => self.welcome(now, id, hello, storage).err().map(|_| {
                let message = "the room's storage does not answer";
                (RequestError::new(None, ErrorCode::Unavailable, message), CloseCode::Overloaded)
            }),
        };
        if let Some((error, code)) = refused {
            self.send_now(id, &ServerMessage::Error(error));
            self.refuse_connection(now, id, code);
        }
    }

    fn check_hello(&self, id: ConnectionId, hello: &Hello) -> Result<(), RequestError> {
        let Some(connection) = self.connections.get(id) else { return Ok(()) };
        if connection.joined().is_some() {
            return Err(RequestError::new(None, ErrorCode::BadRequest, "hello comes once"));
        }
        check_tags(None, &hello.tags, limits::TAGS_SUBSCRIBED_MAX)?;
        check_presence(None, "presence", hello.presence.as_ref())
    }

    /// Whether the session has a connection that was opened later: hellos overtake one another on slow links.
    fn is_outdated(&self, id: ConnectionId, hello: &Hello) -> bool {
        let Some(connection) = self.connections.get(id) else { return false };
        let session = public_session(&hello.session);
        let user = connection.claims.user.clone().unwrap_or_else(|| anonymous(&session));
        let other = self.connections.of_member(&user, &session);
        let other = other.and_then(|other| self.connections.get(other));
        other.is_some_and(|other| other.opened > connection.opened)
    }

    /// Whether the user may not come in; who is anonymous is known by its session alone.
    fn is_blocked(&self, now: u64, id: ConnectionId, hello: &Hello) -> bool {
        let Some(connection) = self.connections.get(id) else { return false };
        let user = connection.claims.user.clone();
        let user = user.unwrap_or_else(|| anonymous(&public_session(&hello.session)));
        self.blocks.holds(&user, now)
    }

    /// Whether the kind's bounds leave no place. A session's older connection gives up its own.
    fn is_full_for(&self, id: ConnectionId, hello: &Hello) -> bool {
        let Some(connection) = self.connections.get(id) else { return false };
        let limits = self.setup.config.limits;
        let session = public_session(&hello.session);
        let user = connection.claims.user.clone().unwrap_or_else(|| anonymous(&session));
        let replaced = usize::from(self.connections.of_member(&user, &session).is_some());
        self.connections.joined_count() - replaced >= limits.connections as usize
            || self.connections.of_user(&user).count() - replaced >= limits.connections_user as usize
    }

    fn welcome(
        &mut self,
        now: u64,
        id: ConnectionId,
        mut hello: Hello,
        storage: &mut dyn Storage,
    ) -> Result<(), StorageError> {
        self.found(now, storage)?;
        let Some(connection) = self.connections.get(id) else { return Ok(()) };
        let session = public_session(&hello.session);
        let user = connection.claims.user.clone().unwrap_or_else(|| anonymous(&session));
        let admission = match self.admit_by_behavior(now, id, &hello, (&user, &session), storage)? {
            Ok(admission) => admission,
            Err(refusal) => {
                self.refuse_by_behavior(now, id, refusal);
                return Ok(());
            }
        };
        hello.tags.extend(admission.tags);
        hello.presence = admission.presence.or(hello.presence);
        // The hook may have had it closed.
        let Some(connection) = self.connections.get(id) else { return Ok(()) };
        let viewer = Viewer::of(connection, &user, &session, hello.tags.clone());
        let recovered = self.bring_back(now, id, &hello, &viewer, &user, &session, storage)?;

        self.replace_older(id, &user, &session);
        let head = self.log.head();
        let sees_members = self.may_see_members(id) && hello.members;
        let joined = Joined {
            user: user.clone(),
            session: session.clone(),
            subscribed: hello.tags.into_iter().collect(),
            sees_members,
            wants_members: hello.members,
            position: head,
        };
        if let Some(connection) = self.connections.get_mut(id) {
            connection.claims.user = Some(user.clone());
        }
        self.connections.join(id, joined);
        self.timers.clear(&Timer::Hello(id));
        self.begin_membership(now, id, &user, &session, hello.presence);
        let welcome = self.describe(now, id, user, session, head, recovered);
        self.send_now(id, &ServerMessage::Welcome(Box::new(welcome)));
        self.attach(now, id);
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "what a hello asks for and who asks, before it has joined")]
    fn bring_back(
        &mut self,
        now: u64,
        id: ConnectionId,
        hello: &Hello,
        viewer: &Viewer,
        user: &UserId,
        session: &PublicSession,
        storage: &mut dyn Storage,
    ) -> Result<Recovered, StorageError> {
        let history = self.connections.get(id).is_some_and(has_history);
        let mut reason = None;
        if let Some(from) = hello.recover {
            let member = self.presence.get(&(user.clone(), session.clone())).cloned();
            match self.recover(now, from, viewer, history, member.as_ref(), storage)? {
                Ok(publications) => {
                    self.tally.recovered(None);
                    return Ok(Recovered { recovered: true, reason: None, publications });
                }
                Err(failure) => {
                    self.tally.recovered(Some(failure));
                    reason = Some(failure);
                }
            }
        }
        let publications = match hello.rewind {
            Some(count) if count > 0 && history => self.rewind(now, count, viewer, storage)?,
            _ => Vec::new(),
        };
        Ok(Recovered { recovered: false, reason, publications })
    }

    /// The older connection of the same session goes; its membership passes on.
    fn replace_older(&mut self, id: ConnectionId, user: &UserId, session: &PublicSession) {
        let Some(older) = self.connections.of_member(user, session).filter(|older| *older != id) else {
            return;
        };
        self.close(older, CloseCode::SessionReplaced);
        self.forget(older);
    }

    /// Also for a session that was welcomed just before its room lost its memory.
    pub(crate) fn begin_membership(
        &mut self,
        now: u64,
        id: ConnectionId,
        user: &UserId,
        session: &PublicSession,
        data: Option<Payload>,
    ) {
        let Some(connection) = self.connections.get(id) else { return };
        let key = (user.clone(), session.clone());
        self.timers.clear(&Timer::Grace(user.clone(), session.clone()));
        let before = self.presence.get(&key);
        let listed = connection.claims.capabilities.has(Capability::Presence)
            && self.setup.config.presence.mode != PresenceMode::Off;
        let row = MemberRow {
            user: user.clone(),
            session: session.clone(),
            listed,
            info: connection.claims.info.clone(),
            data: data.filter(|_| listed).or_else(|| before.and_then(|row| row.data.clone())),
            since: before.map_or(now, |row| row.since),
            since_offset: before.map_or(self.log.head(), |row| row.since_offset),
            grace_until: None,
        };
        self.staging.greeted(id, row.shown());
        self.presence.put(row);
    }

    fn may_see_members(&self, id: ConnectionId) -> bool {
        self.connections
            .get(id)
            .is_some_and(|connection| connection.claims.capabilities.has(Capability::Presence))
            && self.setup.config.presence.mode != PresenceMode::Off
    }

    fn describe(
        &self,
        now: u64,
        id: ConnectionId,
        user: UserId,
        session: PublicSession,
        offset: Offset,
        recovered: Recovered,
    ) -> Welcome {
        let connection = self.connections.get(id).expect("only an open connection is welcomed");
        let shown = connection.joined().is_some_and(|joined| joined.sees_members) && self.lists_members();
        let own = (user.clone(), session.clone());
        let (members, members_next) = if shown {
            let (members, next) = self.presence.page(None, limits::MEMBERS_PAGE_MAX, Some(&own));
            (Some(members), next)
        } else {
            (None, None)
        };
        Welcome {
            connection: id,
            session,
            user,
            room: self.setup.name.clone(),
            kind: self.setup.name.kind().to_owned(),
            epoch: self.log.epoch(),
            offset,
            recovered: recovered.recovered,
            reason: recovered.reason,
            publications: recovered.publications,
            members,
            members_next,
            occupancy: self.presence.occupancy(),
            state: self.state.snapshot(),
            tags: connection.tags(),
            limits: WelcomeLimits {
                payload_bytes: self.setup.config.limits.payload_bytes,
                presence_bytes: limits::PRESENCE_BYTES_MAX as u32,
                tags: limits::TAGS_SUBSCRIBED_MAX as u32,
                frame_bytes: limits::FRAME_BYTES_MAX as u32,
                key_window_ms: self.setup.config.key_window_ms,
                ack: self.setup.asks_acks,
            },
            server_time: now,
            expires_at: connection.claims.expires_at,
        }
    }

    /// Whether members are listed, rather than counted.
    pub(crate) fn lists_members(&self) -> bool {
        let presence = &self.setup.config.presence;
        presence.mode == PresenceMode::Full && self.presence.occupancy().members <= presence.full_max
    }
}

/// `anon-` and the session's public id.
fn anonymous(session: &PublicSession) -> UserId {
    UserId::parse(&format!("anon-{session}")).expect("21 bytes are a user")
}

/// Tags that a client chose: their number, their length, and none that begins with `$`.
pub(crate) fn check_tags(id: Option<u32>, tags: &[String], count_max: usize) -> Result<(), RequestError> {
    if tags.len() > count_max {
        return Err(RequestError::invalid(id, "tags", format!("are at most {count_max}")));
    }
    for (index, tag) in tags.iter().enumerate() {
        let path = format!("tags[{index}]");
        if !ids::is_tag(tag) {
            return Err(RequestError::invalid(id, &path, format!("is 1 to {} bytes", limits::TAG_BYTES_MAX)));
        }
        if ids::is_reserved_tag(tag) {
            return Err(RequestError::invalid(id, &path, "begins with $, which the token alone gives"));
        }
    }
    Ok(())
}

pub(crate) fn check_presence(
    id: Option<u32>,
    path: &str,
    data: Option<&Payload>,
) -> Result<(), RequestError> {
    match data {
        Some(data) if data.len() > limits::PRESENCE_BYTES_MAX => {
            let message = format!("{path} is at most {} bytes", limits::PRESENCE_BYTES_MAX);
            Err(RequestError::new(id, ErrorCode::TooLarge, message))
        }
        _ => Ok(()),
    }
}
