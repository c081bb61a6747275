//! Who is here: a roster, and two pure functions over it. `apply(roster, diff)` is the next roster;
//! `difference(old, new)` is the diff that leads from one to the other.

use std::collections::BTreeMap;

use schemas::{
    PublicSession,
    server_message::{LeaveReason, Left, Member, PresenceDiff},
};

pub type Roster = BTreeMap<PublicSession, Member>;

#[must_use]
pub fn roster(members: Vec<Member>) -> Roster {
    members.into_iter().map(|member| (member.session.clone(), member)).collect()
}

pub fn apply(roster: &mut Roster, diff: &PresenceDiff) {
    for member in diff.joined.iter().chain(&diff.updated) {
        roster.insert(member.session.clone(), member.clone());
    }
    for left in &diff.left {
        roster.remove(&left.session);
    }
}

/// Who left unseen, while no connection was there to tell, is said to be lost.
#[must_use]
pub fn difference(old: &Roster, new: &Roster) -> PresenceDiff {
    let mut diff = PresenceDiff::default();
    for (session, member) in new {
        match old.get(session) {
            None => diff.joined.push(member.clone()),
            Some(before) if before != member => diff.updated.push(member.clone()),
            Some(_) => {}
        }
    }
    for (session, member) in old {
        if !new.contains_key(session) {
            let (session, user) = (session.clone(), member.user.clone());
            diff.left.push(Left { session, user, reason: LeaveReason::Lost });
        }
    }
    diff
}
