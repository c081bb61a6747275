//! What edits, removals and reactions make of the publications they are about, as history shows it.
//!
//! Written anew from the protocol's text (R-EDIT-1 to R-EDIT-6): a function of the committed records and a head.

use std::collections::BTreeMap;

use room_core::storage::{Refers, Verb};
use schemas::{
    Offset, UserId, limits,
    server_message::{Edited, Publication, Reaction},
};

use crate::kept::{Fact, Log, erased};

/// One user's reaction was set, or taken back, at an offset.
#[derive(Debug, Clone)]
struct Reacted {
    at: Offset,
    name: String,
    user: UserId,
    on: bool,
}

/// What refers to one publication.
#[derive(Debug, Clone, Default)]
struct About {
    edits: Vec<Offset>,
    removed_by: Option<Offset>,
    reactions: Vec<Reacted>,
}

/// What refers to each publication of a log.
#[derive(Debug, Clone, Default)]
pub struct Folding(BTreeMap<Offset, About>);

fn index(offset: Offset) -> usize {
    offset.value() as usize - 1
}

impl Folding {
    /// Takes the last of `facts`. Returns the indexes of those that it erases.
    pub(crate) fn take(&mut self, facts: &[Fact]) -> Vec<usize> {
        let Some((fact, before)) = facts.split_last() else { return Vec::new() };
        let publication = &fact.record.publication;
        let Some(Refers { target, verb }) = fact.refers else {
            assert_eq!(publication.refers, None, "R-EDIT-1: what refers to another is told by its row");
            return Vec::new();
        };
        assert_eq!(publication.refers, Some(target), "R-EDIT-1: {fact:?}");
        assert_eq!(publication.kind, verb.as_str(), "R-EDIT-1: {fact:?}");
        let Some(about) = before.get(index(target)) else { panic!("R-EDIT-2: {fact:?} is about nothing") };
        judge_target(fact, about);
        let said = self.0.entry(target).or_default();
        assert_eq!(said.removed_by, None, "R-EDIT-2: {fact:?} is about what was removed");
        match verb {
            Verb::Edit => said.edits.push(publication.offset),
            Verb::Remove => {
                said.removed_by = Some(publication.offset);
                return said.edits.iter().chain([&target]).map(|offset| index(*offset)).collect();
            }
            Verb::React => said.react(fact),
        }
        Vec::new()
    }

    fn of(&self, offset: Offset) -> Option<&About> {
        self.0.get(&offset)
    }

    /// Whether it was removed by the time the log ended at `head`.
    #[must_use]
    pub fn is_removed(&self, offset: Offset, head: Offset) -> bool {
        self.of(offset).and_then(|about| about.removed_by).is_some_and(|by| by <= head)
    }

    /// Whether a user's reaction stands when the log ends at `head`.
    #[must_use]
    pub fn has_reacted(&self, offset: Offset, name: &str, user: &UserId, head: Offset) -> bool {
        let reactions = self.of(offset).into_iter().flat_map(|about| &about.reactions);
        let mut own = reactions.filter(|one| one.at <= head && one.name == name && one.user == *user);
        own.next_back().is_some_and(|last| last.on)
    }
}

/// R-EDIT-1: it reaches whoever sees its target.
fn judge_target(fact: &Fact, target: &Fact) {
    assert_eq!(target.refers, None, "R-EDIT-2: {fact:?} is about what is about another");
    assert_eq!(fact.record.publication.tags, target.record.publication.tags, "R-EDIT-1: tags of the target");
    let named = |fact: &Fact| fact.record.to.as_ref().map(|to| (to.users.clone(), to.sessions.clone()));
    let mut expected = named(target);
    if let (Some((users, _)), Some(author)) = (&mut expected, &target.record.publication.from)
        && !users.contains(&author.user)
    {
        users.push(author.user.clone());
    }
    assert_eq!(named(fact), expected, "R-EDIT-1: `to` of the target, and its author");
}

impl About {
    fn react(&mut self, fact: &Fact) {
        let publication = &fact.record.publication;
        let (Some(from), Some(data)) = (&publication.from, &publication.data) else {
            panic!("R-EDIT-1: a reaction says who, and what: {fact:?}");
        };
        let (name, on) = reaction_of(data);
        let own = self.reactions.iter().rev().find(|one| one.name == name && one.user == from.user);
        assert!(own.is_some_and(|own| own.on) != on, "R-EDIT-6: {fact:?} changes nothing");
        self.reactions.push(Reacted { at: publication.offset, name, user: from.user.clone(), on });
        let stands = self.standing(publication.offset);
        assert!(stands.len() <= limits::REACTIONS_MAX, "R-EDIT-6: {} different reactions", stands.len());
    }

    /// Reactions that stand when the log ends at `head`.
    fn standing(&self, head: Offset) -> BTreeMap<String, Reaction> {
        let mut standing: BTreeMap<&str, Vec<&UserId>> = BTreeMap::new();
        for one in self.reactions.iter().filter(|one| one.at <= head) {
            let users = standing.entry(&one.name).or_default();
            users.retain(|user| **user != one.user);
            if one.on {
                users.push(&one.user);
            }
        }
        standing.retain(|_, users| !users.is_empty());
        let shown = standing.into_iter().map(|(name, users)| {
            let first = users.iter().take(limits::REACTION_USERS_MAX as usize);
            let reaction =
                Reaction { count: users.len() as u32, users: first.map(|user| (*user).clone()).collect() };
            (name.to_owned(), reaction)
        });
        shown.collect()
    }
}

/// `{"name":…,"on":…}`, as the room writes it: names here are plain.
fn reaction_of(data: &schemas::Payload) -> (String, bool) {
    let schemas::Payload::Json(text) = data else { panic!("R-EDIT-1: a reaction says {data:?}") };
    let inner = text.as_str().strip_prefix("{\"name\":\"").and_then(|rest| rest.strip_suffix('}'));
    let parts = inner.and_then(|rest| rest.split_once("\",\"on\":"));
    match parts {
        Some((name, on @ ("true" | "false"))) => (name.to_owned(), on == "true"),
        _ => panic!("R-EDIT-1: a reaction says {}", text.as_str()),
    }
}

impl Log {
    /// R-EDIT-5: how history shows a publication when the log ends at `head`.
    #[must_use]
    pub fn folded(&self, fact: &Fact, head: Offset) -> Publication {
        let committed = &fact.record.publication;
        let Some(about) = self.folding.of(committed.offset) else { return committed.clone() };
        if about.removed_by.is_some_and(|by| by <= head) {
            return erased(committed);
        }
        let mut folded = committed.clone();
        let last = about.edits.iter().rev().find(|offset| **offset <= head);
        if let Some(edit) = last.and_then(|offset| self.get(*offset)) {
            let Publication { offset, time, data, .. } = edit.record.publication.clone();
            folded.edited = Some(Edited { offset, time });
            folded.data = data;
        }
        folded.reactions = about.standing(head);
        folded
    }
}
