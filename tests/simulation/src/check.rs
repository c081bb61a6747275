//! What one client saw, held against what storage committed.

use std::collections::BTreeMap;

use client_core::{Call, Event, Outcome};
use room_core::Record;
use schemas::{Offset, Payload, PublicSession, UserId, server_message::RequestResult};

/// A client's abilities, as far as they decide what it sees.
#[derive(Debug, Clone)]
pub struct Eyes {
    pub user: UserId,
    pub session: PublicSession,
    pub tags: Vec<String>,
}

impl Eyes {
    /// Written anew from the protocol's text (R-TAG-1, R-PUB-6), not from the room's code.
    #[must_use]
    pub fn see(&self, record: &Record) -> bool {
        let tags = &record.publication.tags;
        if !tags.is_empty() && tags.iter().all(|tag| !self.tags.contains(tag)) {
            return false;
        }
        let Some(to) = &record.to else { return true };
        let is_author = record.publication.from.as_ref().is_some_and(|from| from.user == self.user);
        is_author || to.users.contains(&self.user) || to.sessions.contains(&self.session)
    }
}

/// The observer of one client.
#[derive(Debug, Clone)]
pub struct Observer {
    eyes: Eyes,
    /// Everything visible up to here was seen, or is known to be missed.
    seen_to: Offset,
    /// A welcome that continued nothing: what it brings begins anew.
    fresh: Option<Vec<Offset>>,
    /// Joining for the first time, or again after having left: the next welcome continues nothing.
    is_joining: bool,
    pending: BTreeMap<Call, Payload>,
    pub rejected: Vec<Payload>,
}

/// The records that storage ever committed.
pub type Truth = BTreeMap<Offset, Record>;

impl Observer {
    #[must_use]
    pub fn new(eyes: Eyes) -> Observer {
        let pending = BTreeMap::new();
        Observer { eyes, seen_to: Offset::ZERO, fresh: None, is_joining: true, pending, rejected: Vec::new() }
    }

    #[must_use]
    pub fn eyes(&self) -> &Eyes {
        &self.eyes
    }

    pub fn joining(&mut self) {
        self.is_joining = true;
    }

    pub fn asked(&mut self, call: Call, data: Payload) {
        self.pending.insert(call, data);
    }

    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Takes one event, as it is emitted.
    pub fn event(&mut self, event: &Event, truth: &Truth) {
        match event {
            Event::Welcomed(_) if std::mem::take(&mut self.is_joining) => self.fresh = Some(Vec::new()),
            Event::Gap { .. } => self.fresh = Some(Vec::new()),
            Event::Published(publication) => {
                let offset = publication.offset;
                let record = truth.get(&offset);
                let record =
                    record.unwrap_or_else(|| panic!("R-PUB-3: {offset} was delivered before it was durable"));
                assert_eq!(*publication, record.publication, "two see the same at one offset");
                assert!(self.eyes.see(record), "R-TAG-1, R-PUB-6: {:?} saw {record:?}", self.eyes);
                if let Some(fresh) = &mut self.fresh {
                    fresh.push(offset);
                    return;
                }
                assert!(offset > self.seen_to, "R-PUB-2: {offset} came again, behind {}", self.seen_to);
                self.assert_nothing_between(offset.back(1), truth);
                self.seen_to = offset;
            }
            Event::Settled { call, outcome } => self.settled(*call, outcome, truth),
            _ => {}
        }
    }

    /// After all events of one input: the client says that it has everything up to `position`.
    pub fn positioned(&mut self, position: Offset, truth: &Truth) {
        if self.is_joining {
            return;
        }
        if let Some(fresh) = self.fresh.take() {
            let from = fresh.first().map_or(position, |first| first.back(1));
            let visible: Vec<Offset> = self.visible(from, position, truth).collect();
            assert_eq!(fresh, visible, "R-HELLO-6: a rewind has no holes");
        } else if position > self.seen_to {
            self.assert_nothing_between(position, truth);
        }
        self.seen_to = position;
    }

    fn settled(&mut self, call: Call, outcome: &Outcome, truth: &Truth) {
        let Some(data) = self.pending.remove(&call) else {
            panic!("R-CLI: call {call:?} settled twice, or was never made");
        };
        match outcome {
            Outcome::Acknowledged(RequestResult::Published(published)) => {
                let record = truth.get(&published.offset);
                let stands = record.is_some_and(|record| record.publication.data == data);
                assert!(stands, "R-PUB-3: {} was answered and is not durable", published.offset);
            }
            Outcome::Rejected(_) => self.rejected.push(data),
            Outcome::Acknowledged(_) | Outcome::Unknown(_) => {}
        }
    }

    fn visible<'a>(
        &'a self,
        after: Offset,
        through: Offset,
        truth: &'a Truth,
    ) -> impl Iterator<Item = Offset> + 'a {
        let range =
            if after < through { truth.range(after.next()..=through) } else { truth.range(..Offset::ZERO) };
        range.filter(|(_, record)| self.eyes.see(record)).map(|(offset, _)| *offset)
    }

    fn assert_nothing_between(&self, through: Offset, truth: &Truth) {
        let missed: Vec<Offset> = self.visible(self.seen_to, through, truth).collect();
        assert!(missed.is_empty(), "R-PUB-2: {missed:?} were never seen, and no gap was told");
    }

    /// At the end of all things: nothing visible is outstanding.
    pub fn assert_complete(&self, head: Offset, truth: &Truth) {
        self.assert_nothing_between(head, truth);
        assert_eq!(self.pending.len(), 0, "R-CLI: every request has an outcome");
    }
}
