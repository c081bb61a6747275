//! Whether an answer is true: held against what was committed before and behind the step that gave it.
//!
//! Written anew from the protocol's text (R-KEY, R-EDIT, R-STATE), not from the room's code.

use std::collections::BTreeMap;

use room_core::storage::{StateRow, Verb};
use schemas::{
    Capabilities, Capability, ErrorCode, Offset,
    client_message::StateOp,
    config::LogConfig,
    http::ScopedKey,
    limits,
    server_message::{RequestError, RequestResult},
};

use crate::{
    asking::{Amend, Change, Wish},
    kept::{Fact, Log, Stamp, number_of},
    observer::{Eyes, Sight},
};

/// Who asked, and when it was answered.
pub(crate) struct Case<'a> {
    pub(crate) log: &'a Log,
    pub(crate) config: &'a LogConfig,
    pub(crate) stamp: Stamp,
    pub(crate) eyes: &'a Eyes,
    pub(crate) capabilities: Capabilities,
    pub(crate) keyed: &'a BTreeMap<u64, ScopedKey>,
}

impl Case<'_> {
    fn may(&self, capability: Capability) -> bool {
        self.capabilities.has(capability)
    }

    /// R-EDIT-3.
    fn allows(&self, change: &Change, own: bool) -> bool {
        let edits = (own && self.may(Capability::EditOwn)) || self.may(Capability::EditAny);
        match change {
            Change::Edit(_) => edits,
            Change::Remove => edits || self.may(Capability::Moderate),
            Change::React { .. } => self.may(Capability::Publish),
        }
    }

    fn is_own(&self, fact: &Fact) -> bool {
        fact.record.publication.from.as_ref().is_some_and(|from| from.user == self.eyes.user)
    }

    pub(crate) fn answered(&self, wish: &Wish, result: &RequestResult) {
        match (wish, result) {
            (Wish::Keyed(number), RequestResult::Published(published)) => {
                self.published(*number, published.offset, published.duplicate);
            }
            (Wish::Amend(amend), RequestResult::Amended(amended)) => self.amended(amend, amended.offset),
            (Wish::State(ops), RequestResult::State(state)) => self.stated(ops, state.version),
            _ => panic!("{wish:?} was answered with {result:?}"),
        }
    }

    pub(crate) fn refused(&self, wish: &Wish, error: &RequestError) {
        match error.code {
            ErrorCode::Unavailable
            | ErrorCode::Overloaded
            | ErrorCode::Unauthorized
            | ErrorCode::RateLimited => return,
            _ => {}
        }
        let is_true = match (wish, error.code) {
            (Wish::Keyed(_), ErrorCode::Forbidden) => !self.may(Capability::Publish),
            (Wish::Keyed(number), ErrorCode::Conflict) => self.key_is_taken(*number),
            (Wish::Amend(amend), code) => self.amend_is_refused(amend, code),
            (Wish::State(ops), ErrorCode::Forbidden) => {
                !self.may(Capability::State) || ops.iter().any(|op| self.is_anothers(op))
            }
            (Wish::State(ops), ErrorCode::Conflict) => {
                // What stood before and stands behind the step stood in between: versions only rise.
                ops.iter().any(|op| op.expected().is_some_and(|expected| !self.stood_at(op.key(), expected)))
            }
            _ => false,
        };
        assert!(is_true, "{wish:?} was refused with {error:?} at {:?}", self.stamp);
    }

    // --- keys

    fn published(&self, number: u64, offset: Offset, duplicate: bool) {
        if self.config.count == 0 {
            return;
        }
        let stands = self.log.get(offset).is_some_and(|fact| fact.number == Some(number));
        assert!(stands, "R-KEY-1: {number} was answered with {offset}");
        let is_new = offset > self.stamp.head_before;
        assert!(duplicate || is_new, "R-KEY-1: {offset} was there before, and is no duplicate");
    }

    /// R-KEY-2.
    fn key_is_taken(&self, number: u64) -> bool {
        let key = self.keyed.get(&number);
        let is_other =
            |fact: &&Fact| fact.number.is_some_and(|other| other != number && self.keyed.get(&other) == key);
        self.config.count == 0
            || self.log.between(Offset::ZERO, self.stamp.head).iter().any(|fact| is_other(&fact))
    }

    // --- edits, removals, reactions

    fn amended(&self, amend: &Amend, offset: Offset) {
        let (target, change) = (amend.target, &amend.change);
        let (before, head) = self.stamp.heads();
        let Some(about) = self.log.get(target).filter(|_| target <= before) else {
            panic!("R-EDIT-2: {amend:?} was taken at {before}");
        };
        assert!(about.refers.is_none(), "R-EDIT-2: {amend:?} is about what is about another");
        assert!(self.eyes.see(about) != Sight::Never, "R-EDIT-2: {amend:?} is about what is not seen");
        assert!(
            !self.log.folding.is_removed(target, before),
            "R-EDIT-2: {amend:?} is about what was removed"
        );
        let (floor, _) = self.log.floor(self.config, before, self.stamp.at);
        assert!(target > floor, "R-EDIT-2: {amend:?} is about what was trimmed");
        assert!(self.allows(change, self.is_own(about)), "R-EDIT-3: {amend:?} was taken");
        let said = self.log.get(offset).filter(|said| {
            let refers =
                said.refers.is_some_and(|refers| refers.target == target && refers.verb == verb(change));
            refers && offset > before && offset <= head && self.is_own(said)
        });
        let is_done = match change {
            Change::Edit(number) => said.is_some_and(|said| said.number.is_none_or(|other| other == *number)),
            Change::Remove => said.is_some(),
            Change::React { name, on } => said.is_some() || self.stood(target, name, *on),
        };
        assert!(is_done, "R-EDIT-1, R-PUB-3: {amend:?} was answered with {offset}");
    }

    /// R-EDIT-6: whether a reaction was as wished at any moment of the step.
    fn stood(&self, target: Offset, name: &str, on: bool) -> bool {
        let (before, head) = self.stamp.heads();
        (before.value()..=head.value()).any(|at| {
            let at = Offset::new(at).unwrap_or_default();
            self.log.folding.has_reacted(target, name, &self.eyes.user, at) == on
        })
    }

    fn amend_is_refused(&self, amend: &Amend, code: ErrorCode) -> bool {
        let (target, change) = (amend.target, &amend.change);
        let (before, head) = self.stamp.heads();
        let about = self.log.get(target);
        match code {
            ErrorCode::Forbidden => {
                let is_anothers = about.is_some_and(|about| !self.allows(change, self.is_own(about)));
                !self.allows(change, true) || is_anothers
            }
            ErrorCode::NotFound => {
                let stands = about.is_some_and(|about| {
                    target <= before
                        && target > self.stamp.floor_high
                        && about.refers.is_none()
                        && !self.log.folding.is_removed(target, head)
                        && self.eyes.see(about) != Sight::Never
                });
                let is_certain = self.eyes.uncertain.is_empty();
                self.allows(change, true) && !(stands && is_certain)
            }
            ErrorCode::InvalidArgument => {
                let names = about.map_or(0, |about| self.log.folded(about, head).reactions.len());
                matches!(change, Change::React { .. }) && names >= limits::REACTIONS_MAX
            }
            _ => false,
        }
    }

    // --- shared state

    fn before(&self, key: &str) -> Option<&StateRow> {
        self.log.shared.get(key, self.stamp.state_before)
    }

    fn behind(&self, key: &str) -> Option<&StateRow> {
        self.log.shared.get(key, self.stamp.state)
    }

    /// Whether a key had that version all along.
    fn stood_at(&self, key: &str, expected: u64) -> bool {
        let version = |row: Option<&StateRow>| row.map_or(0, |row| row.entry.version);
        // A key may have come and gone within the step.
        let is_quiet = self.stamp.state_before == self.stamp.state || expected > 0;
        is_quiet && version(self.before(key)) == expected && version(self.behind(key)) == expected
    }

    fn is_owned_by_another(&self, row: &StateRow) -> bool {
        let eyes = self.eyes;
        row.entry.owner.as_ref().is_some_and(|owner| *owner != eyes.session)
            || row.owner_user.as_ref().is_some_and(|user| *user != eyes.user)
    }

    /// R-STATE-4.
    fn is_anothers(&self, op: &StateOp) -> bool {
        let rows = [self.before(op.key()), self.behind(op.key())];
        // Owned and given up within one step: nobody can tell.
        let moved = self.stamp.state > self.stamp.state_before + 1;
        !self.may(Capability::Moderate)
            && (moved || rows.into_iter().flatten().any(|row| self.is_owned_by_another(row)))
    }

    fn stated(&self, ops: &[StateOp], version: u64) {
        let Stamp { state_before, state, .. } = self.stamp;
        assert!(self.may(Capability::State), "R-PUB-8: {ops:?} was taken");
        assert!(
            version >= state_before && version <= state,
            "R-STATE-5: {version} was answered, and the counter moved from {state_before} to {state}"
        );
        let writes = ops.iter().filter(|op| certainly_writes(op)).count() as u64;
        // Nobody wrote ahead of it in its step: it found what was committed.
        let is_first = version <= state_before + writes;
        for op in ops {
            let (before, behind) = (self.before(op.key()), self.behind(op.key()));
            if is_first {
                let found = before.map_or(0, |row| row.entry.version);
                let is_met = op.expected().is_none_or(|expected| expected == found);
                assert!(is_met, "R-STATE-2: {op:?} was taken, and found {found}");
                let is_free = before.is_none_or(|row| !self.is_owned_by_another(row));
                assert!(
                    is_free || self.may(Capability::Moderate),
                    "R-STATE-4: {op:?} was taken from {before:?}"
                );
            }
            let Some(behind) = behind.filter(|row| row.entry.version <= version) else { continue };
            match op {
                StateOp::Delete { .. } => panic!("R-STATE-1: {op:?} was answered, and there is {behind:?}"),
                StateOp::Set { value, owned, .. } => {
                    let stands = number_of(&behind.entry.value) == number_of(value)
                        && behind.entry.version > state_before
                        && behind.entry.owner.as_ref() == owned.then_some(&self.eyes.session);
                    assert!(stands, "R-STATE-1, R-PUB-3: {op:?} was answered, and there is {behind:?}");
                }
            }
        }
    }
}

fn certainly_writes(op: &StateOp) -> bool {
    matches!(op, StateOp::Set { .. }) || op.expected().is_some_and(|expected| expected > 0)
}

fn verb(change: &Change) -> Verb {
    match change {
        Change::Edit(_) => Verb::Edit,
        Change::Remove => Verb::Remove,
        Change::React { .. } => Verb::React,
    }
}
