//! One open socket, as its room sees it, and who can be reached by tag, user and session.

use std::collections::{BTreeMap, BTreeSet};

use schemas::{Claims, Codec, ConnectionId, Offset, PublicSession, UserId, limits};

use crate::{
    attachment::{AttachedJoin, Attachment, Buckets},
    backlog::Backlog,
    rates::Strikes,
};

#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) codec: Codec,
    pub(crate) claims: Claims,
    /// Rises with each connection that the room opens.
    pub(crate) opened: u64,
    /// When its attachment was written, and what that says of `spoke_at`.
    pub(crate) written_at: u64,
    pub(crate) written_spoke_at: u64,
    /// When it last said anything but `ping`, or was believed to live.
    pub(crate) spoke_at: u64,
    /// When anything was last heard of it, but for pings, in milliseconds since 1970.
    pub(crate) heard_at: u64,
    pub(crate) malformed: Strikes,
    pub(crate) rates: Buckets,
    /// Refusals for asking too much.
    pub(crate) refusals: Strikes,
    pub(crate) backlog: Backlog,
    /// The request whose token is being verified.
    pub(crate) verifying: Option<u32>,
    /// Tokens that were shown on the connection and not taken.
    pub(crate) tokens_refused: Strikes,
    pub(crate) phase: Phase,
}

#[derive(Debug, Clone)]
pub(crate) enum Phase {
    /// Upgraded; hello has not come.
    Greeting,
    Joined(Joined),
    /// It said `leave`: the close waits for the reply, and nothing else is heard.
    Leaving(Joined),
}

#[derive(Debug, Clone)]
pub(crate) struct Joined {
    pub(crate) user: UserId,
    pub(crate) session: PublicSession,
    /// Beside the token's tags.
    pub(crate) subscribed: BTreeSet<String>,
    pub(crate) sees_members: bool,
    /// Whether its hello asked to see them.
    pub(crate) wants_members: bool,
    /// The highest offset that it knows of.
    pub(crate) position: Offset,
}

impl Connection {
    pub(crate) fn opened(codec: Codec, claims: Claims, now: u64) -> Connection {
        Connection {
            codec,
            claims,
            opened: 0,
            written_at: now,
            written_spoke_at: now,
            spoke_at: now,
            heard_at: now,
            malformed: Strikes::default(),
            rates: Buckets::default(),
            refusals: Strikes::default(),
            backlog: Backlog::of_new(),
            verifying: None,
            tokens_refused: Strikes::default(),
            phase: Phase::Greeting,
        }
    }

    pub(crate) fn restored(now: u64, attachment: Attachment, head: Offset) -> Connection {
        // The first layout knows when it was written alone.
        let spoke_at = if attachment.spoke_at == 0 { attachment.written_at } else { attachment.spoke_at };
        let spoke_at = spoke_at.min(now);
        let phase = match (attachment.joined, attachment.claims.user.clone()) {
            (Some(joined), Some(user)) => Phase::Joined(Joined {
                user,
                session: joined.session,
                subscribed: joined.subscribed.into_iter().collect(),
                sees_members: joined.sees_members,
                wants_members: joined.wants_members,
                // What it was told since is not known; never above the head of a log that began anew.
                position: joined.position.min(head),
            }),
            _ => Phase::Greeting,
        };
        Connection {
            codec: attachment.codec,
            claims: attachment.claims,
            opened: attachment.opened,
            written_at: attachment.written_at,
            written_spoke_at: spoke_at,
            spoke_at,
            heard_at: spoke_at,
            malformed: Strikes::default(),
            rates: attachment.rates,
            refusals: Strikes::default(),
            backlog: Backlog::default(),
            verifying: None,
            tokens_refused: Strikes::default(),
            phase,
        }
    }

    pub(crate) fn attachment(&self, connection: ConnectionId, now: u64, calls: Vec<u32>) -> Attachment {
        let joined = self.joined().map(|joined| AttachedJoin {
            session: joined.session.clone(),
            subscribed: joined.subscribed.iter().cloned().collect(),
            sees_members: joined.sees_members,
            wants_members: joined.wants_members,
            position: joined.position,
        });
        Attachment {
            connection,
            codec: self.codec,
            claims: self.claims.clone(),
            opened: self.opened,
            written_at: now,
            spoke_at: self.spoke_at,
            joined,
            rates: self.rates,
            calls,
        }
    }

    pub(crate) fn joined(&self) -> Option<&Joined> {
        match &self.phase {
            Phase::Joined(joined) | Phase::Leaving(joined) => Some(joined),
            Phase::Greeting => None,
        }
    }

    pub(crate) fn leave(&mut self) {
        if let Phase::Joined(joined) = &self.phase {
            self.phase = Phase::Leaving(joined.clone());
        }
    }

    pub(crate) fn joined_mut(&mut self) -> Option<&mut Joined> {
        match &mut self.phase {
            Phase::Joined(joined) | Phase::Leaving(joined) => Some(joined),
            Phase::Greeting => None,
        }
    }

    /// The token's tags and those subscribed to.
    pub(crate) fn tags(&self) -> Vec<String> {
        let subscribed = self.joined().into_iter().flat_map(|joined| joined.subscribed.iter());
        let mut tags: BTreeSet<&String> = self.claims.tags.iter().collect();
        tags.extend(subscribed);
        tags.into_iter().cloned().collect()
    }
}

/// The connections of a room. Indexes are kept, never recomputed: reaching a tag costs its carriers alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections {
    all: BTreeMap<ConnectionId, Connection>,
    by_tag: BTreeMap<String, BTreeSet<ConnectionId>>,
    by_user: BTreeMap<UserId, BTreeSet<ConnectionId>>,
    by_session: BTreeMap<PublicSession, BTreeSet<ConnectionId>>,
    joined: usize,
    last_opened: u64,
    /// Below it, no connection is so far behind that it must be told its position.
    next_position_scan: u64,
}

/// How much later than due `position` may come where connections are behind by many different distances, in offsets.
const POSITION_SLACK: u64 = 250;

impl Connections {
    /// Connections from which so much was withheld that they are told the head; from now on they know it.
    pub(crate) fn far_behind(&mut self, head: Offset) -> Vec<(ConnectionId, Codec)> {
        if head.value() < self.next_position_scan {
            return Vec::new();
        }
        let (mut behind, mut lowest) = (Vec::new(), head);
        for (id, connection) in &mut self.all {
            let codec = connection.codec;
            let Some(joined) = connection.joined_mut() else { continue };
            if head.since(joined.position) >= limits::POSITION_ALONE {
                joined.position = head;
                behind.push((*id, codec));
            }
            lowest = lowest.min(joined.position);
        }
        self.next_position_scan =
            (lowest.value() + limits::POSITION_ALONE).max(head.value() + POSITION_SLACK);
        behind
    }

    /// The log begins anew.
    pub(crate) fn forget_positions(&mut self) {
        self.next_position_scan = 0;
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Those past hello.
    pub(crate) fn joined_count(&self) -> usize {
        self.joined
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.all.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.all.get_mut(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &Connection)> {
        self.all.iter().map(|(id, connection)| (*id, connection))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (ConnectionId, &mut Connection)> {
        self.all.iter_mut().map(|(id, connection)| (*id, connection))
    }

    pub(crate) fn joined_mut(&mut self) -> impl Iterator<Item = (ConnectionId, &mut Connection)> {
        self.all.iter_mut().map(|(id, connection)| (*id, connection)).filter(|(_, c)| c.joined().is_some())
    }

    /// Adds a connection that was not there before.
    pub(crate) fn open(&mut self, id: ConnectionId, connection: Connection) {
        self.insert(id, Connection { opened: self.last_opened + 1, ..connection });
    }

    /// Adds a connection. One that has joined already (after a restore) is indexed.
    pub(crate) fn insert(&mut self, id: ConnectionId, connection: Connection) {
        self.last_opened = self.last_opened.max(connection.opened);
        if connection.joined().is_some() {
            self.index(id, &connection);
        }
        let replaced = self.all.insert(id, connection);
        assert!(replaced.is_none(), "connection ids are not given twice");
    }

    pub(crate) fn join(&mut self, id: ConnectionId, joined: Joined) {
        let mut connection = self.all.remove(&id).expect("only an open connection joins");
        connection.phase = Phase::Joined(joined);
        self.insert(id, connection);
    }

    pub(crate) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.all.remove(&id)?;
        if let Some(joined) = connection.joined() {
            self.joined -= 1;
            unindex(&mut self.by_user, &joined.user, id);
            unindex(&mut self.by_session, &joined.session, id);
            for tag in connection.tags() {
                unindex(&mut self.by_tag, &tag, id);
            }
        }
        Some(connection)
    }

    fn index(&mut self, id: ConnectionId, connection: &Connection) {
        let joined = connection.joined().expect("only a joined connection is indexed");
        self.joined += 1;
        self.by_user.entry(joined.user.clone()).or_default().insert(id);
        self.by_session.entry(joined.session.clone()).or_default().insert(id);
        for tag in connection.tags() {
            self.by_tag.entry(tag).or_default().insert(id);
        }
    }

    pub(crate) fn subscribe(&mut self, id: ConnectionId, tags: Vec<String>) {
        let Some(joined) = self.all.get_mut(&id).and_then(Connection::joined_mut) else { return };
        for tag in tags {
            self.by_tag.entry(tag.clone()).or_default().insert(id);
            joined.subscribed.insert(tag);
        }
    }

    /// Drops tags; those of the token stay.
    pub(crate) fn unsubscribe(&mut self, id: ConnectionId, tags: &[String]) {
        let Some(connection) = self.all.get_mut(&id) else { return };
        for tag in tags {
            let fixed = connection.claims.tags.contains(tag);
            let Some(joined) = connection.joined_mut() else { return };
            if joined.subscribed.remove(tag) && !fixed {
                unindex(&mut self.by_tag, tag, id);
            }
        }
    }

    /// Other claims, of the same user, take the place of a connection's. Tags that it subscribed to stay.
    pub(crate) fn reclaim(&mut self, id: ConnectionId, claims: Claims) {
        let Some(connection) = self.all.get_mut(&id) else { return };
        let before = connection.tags();
        connection.claims = claims;
        let after = connection.tags();
        for tag in before.iter().filter(|tag| !after.contains(tag)) {
            unindex(&mut self.by_tag, tag, id);
        }
        for tag in after {
            self.by_tag.entry(tag).or_default().insert(id);
        }
    }

    pub(crate) fn with_tag(&self, tag: &str) -> impl Iterator<Item = ConnectionId> {
        self.by_tag.get(tag).into_iter().flatten().copied()
    }

    pub(crate) fn of_user(&self, user: &UserId) -> impl Iterator<Item = ConnectionId> {
        self.by_user.get(user).into_iter().flatten().copied()
    }

    pub(crate) fn of_session(&self, session: &PublicSession) -> impl Iterator<Item = ConnectionId> {
        self.by_session.get(session).into_iter().flatten().copied()
    }

    /// The open connection of a user's session.
    pub(crate) fn of_member(&self, user: &UserId, session: &PublicSession) -> Option<ConnectionId> {
        self.of_session(session).find(|id| {
            self.all.get(id).and_then(Connection::joined).is_some_and(|joined| joined.user == *user)
        })
    }
}

fn unindex<K: Ord>(index: &mut BTreeMap<K, BTreeSet<ConnectionId>>, key: &K, id: ConnectionId) {
    if let Some(ids) = index.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}
