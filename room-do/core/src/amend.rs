//! Edits, removals and reactions: publications about a publication.
//!
//! They take offsets like any other, and who may see the target sees them. History applies them to their target and
//! does not list them.

use std::collections::BTreeMap;

use schemas::{
    Capabilities, Capability, ErrorCode, Offset, Payload,
    client_message::To,
    limits,
    server_message::{Author, Edited, Publication, RequestError},
};

use serde::Serialize;

use crate::{
    decide::Deciding,
    staging::{Amendment, Change},
    storage::{Erasure, ReactionKey, Record, Rows, Storage, StorageError, Verb},
};

impl Change {
    pub(crate) fn verb(&self) -> Verb {
        match self {
            Change::Edit(_) => Verb::Edit,
            Change::Remove => Verb::Remove,
            Change::React { .. } => Verb::React,
        }
    }

    /// What the publication says.
    fn data(&self) -> Payload {
        match self {
            Change::Edit(data) => data.clone(),
            Change::Remove => Payload::of(&()),
            Change::React { name, on, .. } => Payload::of(&Reacted { name, on: *on }),
        }
    }

    /// Whether these capabilities allow it, to the target's author's own user or to another.
    fn is_allowed(&self, capabilities: Capabilities, own: bool) -> bool {
        let edits = (own && capabilities.has(Capability::EditOwn)) || capabilities.has(Capability::EditAny);
        match self {
            Change::Edit(_) => edits,
            Change::Remove => edits || capabilities.has(Capability::Moderate),
            Change::React { .. } => capabilities.has(Capability::Publish),
        }
    }

    /// Whether these capabilities allow it to anybody's publication, whatever it is.
    pub(crate) fn is_allowed_at_all(&self, capabilities: Capabilities) -> bool {
        self.is_allowed(capabilities, true)
    }
}

/// What a reaction says.
#[derive(Serialize)]
struct Reacted<'a> {
    name: &'a str,
    on: bool,
}

/// What an amendment comes to, but for a storage that fails.
type Amended = Result<Option<Record>, RequestError>;

impl Deciding<'_> {
    /// A record to append; `None` where nothing would change.
    pub(crate) fn amend(&mut self, amendment: &Amendment) -> Result<Amended, StorageError> {
        let target = self.find_target(amendment)?;
        self.amend_found(amendment, target)
    }

    /// As [`Deciding::amend`], of what [`Deciding::find_target`] found.
    pub(crate) fn amend_found(
        &mut self,
        amendment: &Amendment,
        target: Option<Record>,
    ) -> Result<Amended, StorageError> {
        let Some(target) = target else {
            let message = "there is no such publication to change";
            return Ok(Err(RequestError::new(None, ErrorCode::NotFound, message)));
        };
        let author = target.publication.from.as_ref().map(|from| &from.user);
        let own = author.is_some() && author == amendment.author.as_ref().map(|author| &author.user);
        if !amendment.change.is_allowed(amendment.capabilities, own) {
            let message = "the token does not allow this to another's publication";
            return Ok(Err(RequestError::new(None, ErrorCode::Forbidden, message)));
        }
        let record = self.record_of(amendment, &target);
        match &amendment.change {
            Change::Edit(_) => {}
            Change::Remove => self.remove(target),
            Change::React { user, name, on } => {
                let key = ReactionKey { target: amendment.target, name: name.clone(), user: user.clone() };
                match self.react(key, *on, record.publication.offset)? {
                    Ok(true) => {}
                    Ok(false) => return Ok(Ok(None)),
                    Err(error) => return Ok(Err(error)),
                }
            }
        }
        Ok(Ok(Some(record)))
    }

    /// A publication that is there, is seen, refers to no other and was not removed.
    pub(crate) fn find_target(&self, amendment: &Amendment) -> Result<Option<Record>, StorageError> {
        let offset = amendment.target;
        let log = &self.room.log;
        if offset <= log.floor() || offset > log.head() || self.removed.contains(&offset) {
            return Ok(None);
        }
        let rows = self.storage.read_after(offset.back(1), 1, Rows::All)?;
        let Some(row) = rows.first() else { return Ok(None) };
        let record = Record::decode(row)?;
        let publication = &record.publication;
        let stands = publication.offset == offset && publication.refers.is_none() && !publication.removed;
        Ok((stands && amendment.viewer.sees(&record)).then_some(record))
    }

    /// For whom the target is: its tags, whom it names, and its author besides.
    fn record_of(&self, amendment: &Amendment, target: &Record) -> Record {
        let (offset, time) = self.next_slot();
        let to = target.to.clone().map(|to| with_author(to, target.publication.from.as_ref()));
        let publication = Publication {
            offset,
            time,
            from: amendment.author.clone(),
            kind: amendment.change.verb().as_str().to_owned(),
            data: Some(amendment.change.data()),
            tags: target.publication.tags.clone(),
            refers: Some(amendment.target),
            removed: false,
            edited: None,
            reactions: BTreeMap::new(),
        };
        Record { publication, to }
    }

    fn remove(&mut self, target: Record) {
        let offset = target.publication.offset;
        self.removed.insert(offset);
        self.reactions.retain(|key, _| key.target != offset);
        self.writes.erasures.push(Erasure { target: offset, body: target.encode_body() });
    }

    /// Whether it changes anything.
    fn react(
        &mut self,
        key: ReactionKey,
        on: bool,
        at: Offset,
    ) -> Result<Result<bool, RequestError>, StorageError> {
        let stands = match self.reactions.get(&key) {
            Some(at) => at.is_some(),
            None => self.storage.reacted(&key)?,
        };
        if stands == on {
            return Ok(Ok(false));
        }
        if !self.reaction_names.contains_key(&key.target) {
            let names = self.storage.reaction_names(key.target)?;
            self.reaction_names.insert(key.target, names.into_iter().collect());
        }
        let names = self.reaction_names.entry(key.target).or_default();
        if on && !names.contains_key(&key.name) && names.len() >= limits::REACTIONS_MAX {
            let message = format!("the publication has {} different reactions", limits::REACTIONS_MAX);
            return Ok(Err(RequestError::invalid(None, "name", message)));
        }
        let count = names.entry(key.name.clone()).or_default();
        *count = if on { *count + 1 } else { count.saturating_sub(1) };
        names.retain(|_, count| *count > 0);
        self.reactions.insert(key, on.then_some(at));
        Ok(Ok(true))
    }
}

fn with_author(mut to: To, author: Option<&Author>) -> To {
    if let Some(author) = author
        && !to.users.contains(&author.user)
    {
        to.users.push(author.user.clone());
    }
    to
}

/// Applies to the messages of a page what was said about them.
pub(crate) fn fold(messages: &mut [Publication], storage: &dyn Storage) -> Result<(), StorageError> {
    let offsets = || messages.iter().map(|message| message.offset);
    let (Some(from), Some(through)) = (offsets().min(), offsets().max()) else { return Ok(()) };
    let mut edits = BTreeMap::new();
    for row in storage.last_edits(from, through)? {
        let edit = Record::decode(&row)?.publication;
        if let Some(target) = edit.refers {
            edits.insert(target, edit);
        }
    }
    let mut reactions: BTreeMap<Offset, BTreeMap<_, _>> = BTreeMap::new();
    for found in storage.reactions(from, through, limits::REACTION_USERS_MAX)? {
        reactions.entry(found.target).or_default().insert(found.name, found.reaction);
    }
    for message in messages.iter_mut().filter(|message| !message.removed) {
        if let Some(edit) = edits.remove(&message.offset) {
            message.edited = Some(Edited { offset: edit.offset, time: edit.time });
            message.data = edit.data;
        }
        message.reactions = reactions.remove(&message.offset).unwrap_or_default();
    }
    Ok(())
}
