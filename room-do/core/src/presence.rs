//! Who is in the room: one member a session, and what of it was told.
//!
//! Changes are collected until the flush commits them, and told as the difference between what was told before and
//! what holds then. So a member that comes and goes within one flush is never mentioned.

use std::{collections::BTreeMap, ops::Bound};

use schemas::{
    Offset, Payload, PublicSession, UserId,
    server_message::{LeaveReason, Left, Member, MembersPage, Occupancy, PresenceDiff},
};
use serde::{Deserialize, Serialize};

pub(crate) type MemberKey = (UserId, PublicSession);

/// A member as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRow {
    pub user: UserId,
    pub session: PublicSession,
    /// Shown to others. Without the capability `presence` a member is not.
    pub listed: bool,
    pub info: Option<Payload>,
    pub data: Option<Payload>,
    /// When the membership began, in milliseconds since 1970.
    pub since: u64,
    /// The head at its first welcome: without `history`, nothing from before is recovered.
    pub since_offset: Offset,
    /// Set while there is no connection: when the membership ends.
    pub grace_until: Option<u64>,
}

impl MemberRow {
    fn key(&self) -> MemberKey {
        (self.user.clone(), self.session.clone())
    }

    /// What others see of it.
    pub(crate) fn shown(&self) -> Option<Member> {
        self.listed.then(|| Member {
            session: self.session.clone(),
            user: self.user.clone(),
            info: self.info.clone(),
            data: self.data.clone(),
            since: self.since,
        })
    }
}

#[derive(Debug, Clone)]
struct Change {
    /// What was told before the first change since the last flush.
    told: Option<Member>,
    /// Why it left, if it did.
    reason: LeaveReason,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Presence {
    members: BTreeMap<MemberKey, MemberRow>,
    listed_of_user: BTreeMap<UserId, u32>,
    listed: u32,
    changes: BTreeMap<MemberKey, Change>,
}

impl Presence {
    pub(crate) fn restored(rows: Vec<MemberRow>) -> Presence {
        let mut presence = Presence::default();
        for row in rows {
            presence.count(&row, true);
            presence.members.insert(row.key(), row);
        }
        presence
    }

    pub(crate) fn get(&self, key: &MemberKey) -> Option<&MemberRow> {
        self.members.get(key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &MemberRow> {
        self.members.values()
    }

    /// Adds the member, or replaces what is known of it.
    pub(crate) fn put(&mut self, row: MemberRow) {
        let key = row.key();
        if self.members.get(&key) == Some(&row) {
            return;
        }
        self.note(&key, LeaveReason::Left);
        if let Some(old) = self.members.remove(&key) {
            self.count(&old, false);
        }
        self.count(&row, true);
        self.members.insert(key, row);
    }

    pub(crate) fn remove(&mut self, key: &MemberKey, reason: LeaveReason) {
        if !self.members.contains_key(key) {
            return;
        }
        self.note(key, reason);
        if let Some(old) = self.members.remove(key) {
            self.count(&old, false);
        }
    }

    fn note(&mut self, key: &MemberKey, reason: LeaveReason) {
        let told = self.members.get(key).and_then(MemberRow::shown);
        self.changes
            .entry(key.clone())
            .and_modify(|change| change.reason = reason)
            .or_insert(Change { told, reason });
    }

    fn count(&mut self, row: &MemberRow, added: bool) {
        if !row.listed {
            return;
        }
        let of_user = self.listed_of_user.entry(row.user.clone()).or_default();
        if added {
            *of_user += 1;
            self.listed += 1;
        } else {
            *of_user -= 1;
            self.listed -= 1;
            if *of_user == 0 {
                self.listed_of_user.remove(&row.user);
            }
        }
    }

    pub(crate) fn occupancy(&self) -> Occupancy {
        Occupancy { members: self.listed, users: self.listed_of_user.len() as u32 }
    }

    pub(crate) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// What the flush has to write: rows to put, and keys to remove.
    pub(crate) fn writes(&self) -> (Vec<MemberRow>, Vec<MemberKey>) {
        let (mut put, mut removed) = (Vec::new(), Vec::new());
        for key in self.changes.keys() {
            match self.members.get(key) {
                Some(row) => put.push(row.clone()),
                None => removed.push(key.clone()),
            }
        }
        (put, removed)
    }

    /// Ends the collecting: what changed since the last time.
    pub(crate) fn take_diff(&mut self) -> PresenceDiff {
        let diff = self.diff();
        self.changes.clear();
        diff
    }

    /// What changed since the collecting was last ended.
    pub(crate) fn diff(&self) -> PresenceDiff {
        let mut diff = PresenceDiff::default();
        for (key, change) in &self.changes {
            let shown = self.members.get(key).and_then(MemberRow::shown);
            match (&change.told, shown) {
                (None, Some(member)) => diff.joined.push(member),
                (Some(told), Some(member)) if *told != member => diff.updated.push(member),
                (Some(Member { session, user, .. }), None) => {
                    let (session, user) = (session.clone(), user.clone());
                    diff.left.push(Left { session, user, reason: change.reason });
                }
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
        diff
    }

    /// Every member that was told of, as it was, ordered by user and session.
    pub(crate) fn told_members(&self) -> Vec<Member> {
        let unchanged = self.members.iter().filter(|(key, _)| !self.changes.contains_key(*key));
        let changed = self.changes.values().filter_map(|change| change.told.clone());
        let mut told: Vec<Member> = unchanged.filter_map(|(_, row)| row.shown()).chain(changed).collect();
        told.sort_unstable_by(|one, other| (&one.user, &one.session).cmp(&(&other.user, &other.session)));
        told
    }

    /// Every listed member as it is now.
    pub(crate) fn everyone(&self) -> Vec<Member> {
        self.members.values().filter_map(MemberRow::shown).collect()
    }

    /// A page of what was told, ordered by user and session. `own` is shown as it is now, so that a welcome shows
    /// the member it greets.
    pub(crate) fn page(
        &self,
        cursor: Option<&str>,
        limit: u32,
        own: Option<&MemberKey>,
    ) -> (Vec<Member>, Option<String>) {
        let after = match cursor.and_then(parse_cursor) {
            Some(key) => Bound::Excluded(key),
            None => Bound::Unbounded,
        };
        let mut current =
            self.members.range((after.clone(), Bound::Unbounded)).map(|(key, _)| key).peekable();
        let mut gone = self.changes.range((after, Bound::Unbounded)).map(|(key, _)| key);
        let mut gone = gone.by_ref().filter(|key| !self.members.contains_key(*key)).peekable();
        let keys = std::iter::from_fn(|| match (current.peek(), gone.peek()) {
            (Some(here), Some(there)) if there < here => gone.next(),
            (Some(_), _) => current.next(),
            (None, _) => gone.next(),
        });
        let mut members = Vec::new();
        for key in keys {
            let Some(member) = self.told(key, own) else { continue };
            if members.len() == limit as usize {
                let last: &Member = members.last().expect("a limit is at least 1");
                return (members.clone(), Some(cursor_after(last)));
            }
            members.push(member);
        }
        (members, None)
    }

    fn told(&self, key: &MemberKey, own: Option<&MemberKey>) -> Option<Member> {
        match self.changes.get(key) {
            Some(change) if Some(key) != own => change.told.clone(),
            _ => self.members.get(key).and_then(MemberRow::shown),
        }
    }

    pub(crate) fn members_page(&self, cursor: Option<&str>, limit: u32, connections: usize) -> MembersPage {
        let (members, next) = self.page(cursor, limit, None);
        MembersPage { members, next, users: self.occupancy().users, connections: connections as u32 }
    }
}

/// A session has 16 characters, so the two need no separator.
fn cursor_after(member: &Member) -> String {
    format!("{}{}", member.session, member.user)
}

fn parse_cursor(text: &str) -> Option<MemberKey> {
    let (session, user) = (text.get(..16)?, text.get(16..)?);
    Some((UserId::parse(user)?, PublicSession::parse(session)?))
}
