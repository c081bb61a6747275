//! From messages with audiences to one frame a connection.
//!
//! A message is encoded once a codec. Connections that get the same messages share one frame. Where nothing is for
//! everyone, only the recipients are looked at.

use std::collections::{BTreeMap, BTreeSet};

use schemas::{
    Codec, ConnectionId, Offset, ServerMessage, codec, limits,
    server_message::{Member, NoticeCode},
};

use crate::{
    connection::{Connection, Connections},
    output::Output,
    tally::Tally,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Audience {
    /// All who joined, but for one that wants no echo.
    Everyone {
        but: Option<ConnectionId>,
    },
    /// All who see members; one that its welcome has just shown as a member is not told that it joined.
    Watchers,
    These(BTreeSet<ConnectionId>),
    Only(ConnectionId),
}

/// A message and, once asked for, its bytes.
#[derive(Debug)]
struct Fragment {
    message: ServerMessage,
    json: Option<Vec<u8>>,
    msgpack: Option<Vec<u8>>,
}

impl Fragment {
    fn encode(&mut self, codec: Codec) {
        let Fragment { message, json, msgpack } = self;
        let slot = match codec {
            Codec::Json => json,
            Codec::Msgpack => msgpack,
        };
        slot.get_or_insert_with(|| codec::encode(codec, message));
    }

    fn bytes(&self, codec: Codec) -> &[u8] {
        let slot = match codec {
            Codec::Json => &self.json,
            Codec::Msgpack => &self.msgpack,
        };
        slot.as_deref().expect("a fragment is encoded before it is joined")
    }
}

/// What one flush sends.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    fragments: Vec<Fragment>,
    /// Fragments for all who joined; and those for all who see members besides, merged by order.
    everyone: Vec<usize>,
    watchers: Vec<usize>,
    extra: BTreeMap<ConnectionId, Vec<usize>>,
    /// Connections welcomed since the flush before, with the member that their welcome showed them to be.
    greeted: BTreeMap<ConnectionId, Option<Member>>,
    withheld: BTreeMap<ConnectionId, Vec<usize>>,
    /// The fragment that tells the head, once one needs it; and the one that tells of dropped ephemerals.
    position: Option<usize>,
    dropped: Option<usize>,
    /// Connections that are told the head.
    positioned: Vec<ConnectionId>,
}

/// Connections that get the same frames.
type Group = (Codec, Vec<usize>);

impl Delivery {
    pub(crate) fn to(greeted: BTreeMap<ConnectionId, Option<Member>>) -> Delivery {
        Delivery { greeted, ..Delivery::default() }
    }

    pub(crate) fn push(&mut self, message: ServerMessage, audience: Audience) {
        let index = self.fragments.len();
        match audience {
            Audience::Everyone { but } => {
                self.everyone.push(index);
                if let Some(but) = but {
                    self.withheld.entry(but).or_default().push(index);
                }
            }
            Audience::Watchers => self.watchers.push(index),
            Audience::These(these) => {
                for id in these {
                    self.extra.entry(id).or_default().push(index);
                }
            }
            Audience::Only(id) => self.extra.entry(id).or_default().push(index),
        }
        push(&mut self.fragments, message);
    }

    /// Turns everything pushed into outputs, and moves each connection's position. Returns those that were told the
    /// head: it is to be kept with their sockets.
    pub(crate) fn send(
        mut self,
        connections: &mut Connections,
        head: Offset,
        outputs: &mut Vec<Output>,
        tally: &mut Tally,
    ) -> Vec<ConnectionId> {
        let mut groups: BTreeMap<Group, Vec<ConnectionId>> = BTreeMap::new();
        if self.everyone.is_empty() && self.watchers.is_empty() {
            for (id, own) in std::mem::take(&mut self.extra) {
                self.assign(connections.get_mut(id), id, &own, head, &mut groups);
            }
        } else {
            let extra = std::mem::take(&mut self.extra);
            let none = Vec::new();
            for (id, connection) in connections.joined_mut() {
                let own = extra.get(&id).unwrap_or(&none);
                self.assign(Some(connection), id, own, head, &mut groups);
            }
        }
        for (id, codec) in connections.far_behind(head) {
            let index = self.position_fragment(head);
            groups.entry((codec, vec![index])).or_default().push(id);
            self.positioned.push(id);
        }
        for ((codec, indexes), ids) in groups {
            self.frames(codec, &indexes, &ids, outputs, tally);
        }
        self.positioned
    }

    /// Decides what one connection gets.
    fn assign(
        &mut self,
        connection: Option<&mut Connection>,
        id: ConnectionId,
        own: &[usize],
        head: Offset,
        groups: &mut BTreeMap<Group, Vec<ConnectionId>>,
    ) {
        let Some(connection) = connection else { return };
        let codec = connection.codec;
        let Some(joined) = connection.joined() else { return };
        let watchers: &[usize] = if joined.sees_members { &self.watchers } else { &[] };
        let mut indexes: Vec<usize> = self.everyone.iter().chain(watchers).chain(own).copied().collect();
        if !watchers.is_empty() || !own.is_empty() {
            indexes.sort_unstable();
        }
        if let Some(withheld) = self.withheld.get(&id) {
            indexes.retain(|index| !withheld.contains(index));
        }
        if connection.backlog.is_long() {
            self.drop_ephemerals(connection, &mut indexes);
        }
        if let Some(Some(own)) = self.greeted.remove(&id) {
            indexes = self.without_own_join(indexes, &own);
        }
        if indexes.is_empty() {
            return;
        }
        let seen = indexes.iter().rev().find_map(|index| match &self.fragments[*index].message {
            ServerMessage::Publication(publication) => Some(publication.offset),
            _ => None,
        });
        let Some(joined) = connection.joined_mut() else { return };
        joined.position = joined.position.max(seen.unwrap_or_default());
        if head.since(joined.position) >= limits::POSITION_WITH_BATCH {
            joined.position = head;
            indexes.push(self.position_fragment(head));
            self.positioned.push(id);
        }
        groups.entry((codec, indexes)).or_default().push(id);
    }

    /// Its welcome showed a member to itself: its copy of the diff leaves out what it knows, and tells as a change
    /// what became of it since.
    fn without_own_join(&mut self, indexes: Vec<usize>, own: &Member) -> Vec<usize> {
        let is_own = |member: &Member| member.session == own.session && member.user == own.user;
        let mut kept = Vec::with_capacity(indexes.len());
        for index in indexes {
            let ServerMessage::Presence(diff) = &self.fragments[index].message else {
                kept.push(index);
                continue;
            };
            if !diff.joined.iter().chain(&diff.updated).any(is_own) {
                kept.push(index);
                continue;
            }
            let mut diff = diff.clone();
            diff.updated.retain(|member| member != own);
            let changed = diff.joined.iter().find(|member| is_own(member) && *member != own).cloned();
            diff.joined.retain(|member| !is_own(member));
            diff.updated.extend(changed);
            if !diff.is_empty() {
                kept.push(push(&mut self.fragments, ServerMessage::Presence(diff)));
            }
        }
        kept
    }

    /// A connection that is slow to read gets no ephemerals, and is told so once.
    fn drop_ephemerals(&mut self, connection: &mut Connection, indexes: &mut Vec<usize>) {
        let before = indexes.len();
        indexes.retain(|index| !matches!(self.fragments[*index].message, ServerMessage::Ephemeral(_)));
        if indexes.len() < before && !std::mem::replace(&mut connection.backlog.was_told, true) {
            let index = *self.dropped.get_or_insert_with(|| {
                let message = "ephemerals were dropped: what was sent before has not been received";
                let (code, message) = (NoticeCode::EphemeralsDropped, message.to_owned());
                push(&mut self.fragments, ServerMessage::Notice { code, message })
            });
            indexes.push(index);
        }
    }

    fn position_fragment(&mut self, head: Offset) -> usize {
        let message = ServerMessage::Position { offset: head };
        *self.position.get_or_insert_with(|| push(&mut self.fragments, message))
    }

    /// Joins the fragments to as few frames as the frame bound allows; a larger fragment goes alone.
    fn frames(
        &mut self,
        codec: Codec,
        indexes: &[usize],
        ids: &[ConnectionId],
        outputs: &mut Vec<Output>,
        tally: &mut Tally,
    ) {
        for index in indexes {
            self.fragments[*index].encode(codec);
        }
        let mut rest = indexes;
        while !rest.is_empty() {
            let mut bytes = 0;
            let mut count = 0;
            for index in rest {
                bytes += self.fragments[*index].bytes(codec).len() + 1;
                if count > 0 && bytes > limits::FRAME_BYTES_MAX {
                    break;
                }
                count += 1;
            }
            let (these, later) = rest.split_at(count);
            let frame = codec::join(codec, these.iter().map(|index| self.fragments[*index].bytes(codec)));
            let is_delivery = |index: &&usize| {
                let message = &self.fragments[**index].message;
                matches!(message, ServerMessage::Publication(_) | ServerMessage::Ephemeral(_))
            };
            tally.sent(count, these.iter().filter(is_delivery).count(), frame.len(), ids.len());
            outputs.push(Output::Broadcast { connections: ids.to_vec(), frame });
            rest = later;
        }
    }
}

fn push(fragments: &mut Vec<Fragment>, message: ServerMessage) -> usize {
    fragments.push(Fragment { message, json: None, msgpack: None });
    fragments.len() - 1
}
