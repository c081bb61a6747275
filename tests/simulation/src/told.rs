//! What webhooks must be told of, as it follows from what was committed.
//!
//! Written anew from the protocol's text (R-HOOK-1, R-HOOK-3, R-HOOK-8), not from the room's code.

use std::collections::BTreeSet;

use room_core::storage::{Append, Loaded};
use schemas::{
    Epoch, Offset, PublicSession, UserId,
    server_message::LifecycleState::{self, Fresh, Occupied},
    webhook::EventKind,
};

/// An event, but for its id and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub kind: EventKind,
    pub epoch: String,
    pub about: About,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    Room,
    Member(UserId, PublicSession),
    /// A member of a room that was deleted under it.
    Deleted(UserId, PublicSession),
    Publication(Offset),
}

type Listed = BTreeSet<(UserId, PublicSession)>;

/// Every event that there was, and what the next ones follow from.
#[derive(Debug, Clone, Default)]
pub struct Story {
    events: Vec<Told>,
    listed: Listed,
}

impl Story {
    #[must_use]
    pub fn events(&self) -> &[Told] {
        &self.events
    }

    fn tell(&mut self, kind: EventKind, epoch: Epoch, about: About) {
        self.events.push(Told { kind, epoch: epoch.to_string(), about });
    }

    /// One commit; `kept` is all that storage holds behind it, `before` where the room stood.
    pub fn committed(&mut self, appends: &[Append], kept: &Loaded, before: LifecycleState) {
        let Some(meta) = kept.meta else { return };
        let (epoch, after) = (meta.epoch, meta.lifecycle.state);
        if before != Occupied && after == Occupied {
            self.tell(EventKind::RoomOccupied, epoch, About::Room);
        }
        let rows = kept.members.iter().filter(|row| row.listed);
        let listed: Listed = rows.map(|row| (row.user.clone(), row.session.clone())).collect();
        let gone = std::mem::replace(&mut self.listed, listed.clone());
        for (user, session) in listed.difference(&gone) {
            let about = About::Member(user.clone(), session.clone());
            self.tell(EventKind::MemberJoined, epoch, about);
        }
        for append in appends {
            self.tell(EventKind::MessagePublished, epoch, About::Publication(append.offset));
        }
        for (user, session) in gone.difference(&listed) {
            let about = About::Member(user.clone(), session.clone());
            self.tell(EventKind::MemberLeft, epoch, about);
        }
        if before == Occupied && after != Occupied {
            self.tell(EventKind::RoomVacated, epoch, About::Room);
        }
    }

    /// Everything was deleted.
    pub fn ended(&mut self, epoch: Option<Epoch>, before: LifecycleState, is_deletion: bool) {
        let gone = std::mem::take(&mut self.listed);
        let Some(epoch) = epoch.filter(|_| before != Fresh) else { return };
        for (user, session) in gone {
            self.tell(EventKind::MemberLeft, epoch, About::Deleted(user, session));
        }
        if before == Occupied {
            self.tell(EventKind::RoomVacated, epoch, About::Room);
        }
        let kind = if is_deletion { EventKind::RoomDeleted } else { EventKind::RoomExpired };
        self.tell(kind, epoch, About::Room);
    }
}
