//! Who is here: a roster, and two pure functions over it. `apply(roster, diff)` is the next roster;
//! `difference(old, new)` is the diff that leads from one to the other.

use alloc::vec::Vec;

use core::cmp::Ordering;

use schemas::{
    PublicSession,
    server_message::{LeaveReason, Left, Member, PresenceDiff},
};

/// Members in the order of their sessions. (A sorted list: rooms list a thousand members at most, and a tree's code
/// would be a fifth of the browser's module.)
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Roster(Vec<Member>);

impl Roster {
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.0
    }

    pub fn insert(&mut self, member: Member) {
        match self.place(&member.session) {
            Ok(index) => self.0[index] = member,
            Err(index) => self.0.insert(index, member),
        }
    }

    pub fn remove(&mut self, session: &PublicSession) {
        if let Ok(index) = self.place(session) {
            self.0.remove(index);
        }
    }

    fn place(&self, session: &PublicSession) -> Result<usize, usize> {
        self.0.binary_search_by(|member| member.session.cmp(session))
    }
}

impl FromIterator<Member> for Roster {
    fn from_iter<I: IntoIterator<Item = Member>>(members: I) -> Roster {
        let mut roster = Roster::default();
        for member in members {
            roster.insert(member);
        }
        roster
    }
}

pub fn apply(roster: &mut Roster, diff: &PresenceDiff) {
    for member in diff.joined.iter().chain(&diff.updated) {
        roster.insert(member.clone());
    }
    for left in &diff.left {
        roster.remove(&left.session);
    }
}

/// Who left unseen, while no connection was there to tell, is said to be lost.
#[must_use]
pub fn difference(old: &Roster, new: &Roster) -> PresenceDiff {
    let mut diff = PresenceDiff::default();
    let (mut old, mut new) = (old.0.iter().peekable(), new.0.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return diff,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(before), Some(after)) => before.session.cmp(&after.session),
        };
        let before = if order.is_le() { old.next() } else { None };
        let after = if order.is_ge() { new.next() } else { None };
        match (before, after) {
            (Some(before), Some(after)) if before != after => diff.updated.push(after.clone()),
            (Some(Member { session, user, .. }), None) => {
                let (session, user) = (session.clone(), user.clone());
                diff.left.push(Left { session, user, reason: LeaveReason::Lost });
            }
            (None, Some(after)) => diff.joined.push(after.clone()),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
}
