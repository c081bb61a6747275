//! What clients ask for beyond publishing, and what they may be answered.

use schemas::{
    ClientMessage, Offset, Payload,
    client_message::{Publish, StateOp, To},
    http::{KeyScope, PublishCall, ScopedKey},
};

use crate::{kept::payload_of, world::World};

/// A request whose answer can be judged by what was committed.
#[derive(Debug, Clone)]
pub(crate) enum Wish {
    /// A publish with this number, under a key.
    Keyed(u64),
    Amend(Amend),
    State(Vec<StateOp>),
}

/// A change of a publication.
#[derive(Debug, Clone)]
pub(crate) struct Amend {
    pub(crate) target: Offset,
    pub(crate) change: Change,
}

#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// To the payload with this number.
    Edit(u64),
    Remove,
    React {
        name: String,
        on: bool,
    },
}

impl Amend {
    pub(crate) fn message(&self, id: u32) -> ClientMessage {
        let offset = self.target;
        match &self.change {
            Change::Edit(number) => ClientMessage::Edit { id, offset, data: payload_of(*number) },
            Change::Remove => ClientMessage::Remove { id, offset },
            Change::React { name, on } => ClientMessage::React { id, offset, name: name.clone(), on: *on },
        }
    }
}

/// A publish without anything special.
pub(crate) fn plain(data: Payload) -> Publish {
    Publish {
        id: None,
        data,
        tags: Vec::new(),
        to: None,
        ephemeral: false,
        echo: true,
        kind: None,
        key: None,
        conflate: None,
    }
}

/// A backend's publish without anything special.
pub(crate) fn call_of(data: Payload) -> PublishCall {
    PublishCall { data, kind: None, tags: Vec::new(), to: None, ephemeral: false, author: None, key: None }
}

/// What was published under a key, to be repeated.
#[derive(Debug, Clone)]
pub(crate) struct Keyed {
    pub(crate) key: ScopedKey,
    pub(crate) number: u64,
    pub(crate) tags: Vec<String>,
    pub(crate) to: Option<To>,
}

/// So many publishes are remembered, to be repeated.
const KEYED_MAX: usize = 40;
const REACTIONS: [&str; 4] = ["up", "down", "heart", "eyes"];
const STATE_KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];

impl World {
    /// A publish under a key: mostly a new one, at times one that was there before, or its key with another body.
    pub(crate) fn some_keyed(&mut self, scope: &KeyScope, tags: Vec<String>, to: Option<To>) -> Keyed {
        let known: Vec<usize> =
            (0..self.repeatable.len()).filter(|index| self.repeatable[*index].key.scope == *scope).collect();
        let percent = self.random.below(100);
        if percent < 40 && !known.is_empty() {
            let again = self.repeatable[*self.random.pick(&known)].clone();
            if percent < 28 {
                self.tally.count("keyed publishes repeated");
                return again;
            }
            self.tally.count("keys with another publication");
            let number = self.next_number();
            self.keyed.insert(number, again.key.clone());
            return Keyed { number, ..again };
        }
        let number = self.next_number();
        let key = ScopedKey { scope: scope.clone(), key: format!("key-{number}") };
        self.keyed.insert(number, key.clone());
        let keyed = Keyed { key, number, tags, to };
        self.repeatable.push(keyed.clone());
        if self.repeatable.len() > KEYED_MAX {
            self.repeatable.remove(0);
        }
        keyed
    }

    /// Mostly a recent publication; now and then one that was trimmed, never was, or is about another.
    pub(crate) fn some_amend(&mut self) -> Amend {
        let head = self.object.storage.truth.head();
        let back = *self.random.pick(&[1, 5, 5, 20, 20, 60]);
        let target = match self.random.below(20) {
            0 => Offset::new(head.value() + 1 + self.random.below(3)).unwrap_or_default(),
            _ => head.back(self.random.below(back)),
        };
        let change = match self.random.below(100) {
            0..=34 => Change::Edit(self.next_number()),
            35..=49 => Change::Remove,
            _ => {
                let name = (*self.random.pick(&REACTIONS)).to_owned();
                Change::React { name, on: self.random.chance(65) }
            }
        };
        Amend { target, change }
    }

    /// One operation or a few; of those that compare versions, some are late.
    pub(crate) fn some_ops(&mut self) -> Vec<StateOp> {
        let count = if self.random.chance(75) { 1 } else { 2 + self.random.index(2) };
        let mut ops: Vec<StateOp> = (0..count).map(|_| self.some_op()).collect();
        // One key each: what an operation finds is what was committed.
        let mut keys = std::collections::BTreeSet::new();
        ops.retain(|op| keys.insert(op.key().to_owned()));
        ops
    }

    fn some_op(&mut self) -> StateOp {
        let key = (*self.random.pick(&STATE_KEYS)).to_owned();
        let shared = &self.object.storage.truth.log().shared;
        let version = shared.get(&key, shared.version()).map_or(0, |row| row.entry.version);
        let expected = match self.random.below(100) {
            0..=54 => None,
            55..=79 => Some(version),
            80..=89 => Some(version.saturating_sub(1 + self.random.below(3))),
            _ => Some(0),
        };
        if self.random.chance(25) {
            return StateOp::Delete { key, expected };
        }
        let value = payload_of(self.next_number());
        StateOp::Set { key, value, expected, owned: self.random.chance(30) }
    }
}
