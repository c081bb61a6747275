//! What one client saw, held against what storage committed. Knows no codec and no client: what is said to it is
//! what a person at the client would say.

use std::collections::BTreeMap;

use room_core::Record;
use schemas::{Epoch, Offset, Position, PublicSession, UserId, server_message::Publication};

use crate::kept::{Fact, Log, Truth};

/// Whether a record is for someone's eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    Never,
    /// It depends on which of two things happened first, and nobody can tell.
    May,
    Must,
}

/// A client's abilities, as far as they decide what it sees.
#[derive(Debug, Clone)]
pub struct Eyes {
    pub user: UserId,
    pub session: PublicSession,
    pub tags: Vec<String>,
    /// Tags whose subscription or its end was asked for and not answered.
    pub uncertain: Vec<String>,
    /// Publications of its own that it wanted no echo of.
    pub unechoed: Vec<u64>,
}

impl Eyes {
    /// Written anew from the protocol's text (R-TAG-1, R-PUB-5, R-PUB-6), not from the room's code.
    #[must_use]
    pub fn see(&self, fact: &Fact) -> Sight {
        let Record { publication, to } = &fact.record;
        if let Some(to) = to {
            // What is about another is for its audience: the author of that one is named.
            let author = publication.from.as_ref().filter(|_| publication.refers.is_none());
            let is_author = author.is_some_and(|from| from.user == self.user);
            if !(is_author || to.users.contains(&self.user) || to.sessions.contains(&self.session)) {
                return Sight::Never;
            }
        }
        let carries = |tag: &String| self.tags.contains(tag) && !self.uncertain.contains(tag);
        if publication.tags.is_empty() || publication.tags.iter().any(carries) {
            let unechoed = fact.number.is_some_and(|number| self.unechoed.contains(&number));
            return if unechoed { Sight::May } else { Sight::Must };
        }
        let may = publication.tags.iter().any(|tag| self.uncertain.contains(tag));
        if may { Sight::May } else { Sight::Never }
    }
}

/// How a request ended, and what is claimed of the publication numbered so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It stands there.
    Published(Epoch, Offset),
    Rejected,
    /// Anything else was promised, or nothing.
    Other,
}

/// The observer of one client.
#[derive(Debug, Clone)]
pub struct Observer {
    pub eyes: Eyes,
    /// Everything visible up to here was seen, or is known to be missed …
    seen_to: Offset,
    /// … in this epoch.
    epoch: Option<Epoch>,
    /// A welcome that continued nothing: what it brings begins anew.
    fresh: Option<Vec<Offset>>,
    /// Joining for the first time, or again after having left: the next welcome continues nothing.
    is_joining: bool,
    /// Requests under way, each with the number that it publishes, if any.
    pending: BTreeMap<u32, Option<u64>>,
    pub rejected: Vec<u64>,
}

impl Observer {
    #[must_use]
    pub fn new(eyes: Eyes) -> Observer {
        let pending = BTreeMap::new();
        Observer {
            eyes,
            seen_to: Offset::ZERO,
            epoch: None,
            fresh: None,
            is_joining: true,
            pending,
            rejected: Vec::new(),
        }
    }

    pub fn joining(&mut self) {
        self.is_joining = true;
    }

    pub fn asked(&mut self, call: u32, number: Option<u64>) {
        self.pending.insert(call, number);
    }

    pub fn welcomed(&mut self) {
        if std::mem::take(&mut self.is_joining) {
            self.gap();
        }
    }

    pub fn gap(&mut self) {
        self.fresh = Some(Vec::new());
    }

    /// The client goes back, or ahead, by its own choice, and is shown all from there.
    pub fn begins_at(&mut self, position: Position) {
        self.fresh = None;
        self.epoch = Some(position.epoch);
        self.seen_to = position.offset;
    }

    /// Takes one publication, as it is shown; `heads` is the log's end before and behind the step that showed it.
    pub fn published(&mut self, publication: &Publication, log: &Log, heads: (Offset, Offset)) {
        let offset = publication.offset;
        let Some(fact) = log.get(offset) else {
            panic!("R-PUB-3: {offset} was delivered before it was durable");
        };
        assert!(self.eyes.see(fact) != Sight::Never, "R-TAG-1, R-PUB-6: {:?} saw {fact:?}", self.eyes);
        if let Some(fresh) = &mut self.fresh {
            // A rewind is history as it was when the welcome was written.
            assert_eq!(*publication, log.folded(fact, heads.0), "R-EDIT-5: at {heads:?}");
            fresh.push(offset);
            return;
        }
        assert!(
            fact.may_be_shown_as(publication, heads),
            "R-PUB-13, R-EDIT-4: {fact:?} was shown as {publication:?} when the log ended at {heads:?}"
        );
        assert_eq!(self.epoch, log.epoch, "R-REC-2: another epoch, and nobody was told");
        assert!(offset > self.seen_to, "R-PUB-2: {offset} came again, behind {}", self.seen_to);
        self.assert_nothing_between(offset.back(1), log);
        self.seen_to = offset;
    }

    /// After all of one input: the client says that it has everything up to `position`.
    pub fn positioned(&mut self, position: Position, truth: &Truth) {
        if self.is_joining {
            return;
        }
        let (log, position) = (truth.of(position.epoch), position.offset);
        if let Some(fresh) = self.fresh.take() {
            self.epoch = log.epoch;
            let from = fresh.first().map_or(position, |first| first.back(1));
            let mut shown = fresh.iter().peekable();
            for fact in log.between(from, position) {
                let offset = fact.offset();
                let was_shown = shown.next_if_eq(&&offset).is_some();
                // A rewind is history: it lists nothing that is about another.
                let must = self.eyes.see(fact) == Sight::Must && fact.refers.is_none();
                assert!(was_shown || !must, "R-HELLO-6: a rewind has a hole at {offset}: {fresh:?}");
            }
            assert_eq!(shown.next(), None, "R-HELLO-6: a rewind ascends: {fresh:?}");
        } else {
            assert_eq!(self.epoch, log.epoch, "R-REC-2: another epoch, and nobody was told");
            if position > self.seen_to {
                self.assert_nothing_between(position, log);
            }
        }
        self.seen_to = position;
    }

    /// The subscription is known to be `tags` above `position`.
    pub fn subscribed(&mut self, position: Position, tags: Vec<String>, truth: &Truth) {
        if position.offset > self.seen_to {
            self.positioned(position, truth);
        }
        self.eyes.tags = tags;
        self.eyes.uncertain.clear();
    }

    /// One request has its outcome.
    pub fn settled(&mut self, call: u32, ending: Ending, truth: &Truth) {
        let Some(number) = self.pending.remove(&call) else {
            panic!("R-CLI-16: call {call} settled twice, or was never made");
        };
        match ending {
            Ending::Published(epoch, offset) => {
                let stands = truth.of(epoch).get(offset).is_some_and(|fact| fact.number == number);
                assert!(stands, "R-PUB-3: {offset} was answered and is not durable");
            }
            Ending::Rejected => self.rejected.extend(number),
            Ending::Other => {}
        }
    }

    fn assert_nothing_between(&self, through: Offset, log: &Log) {
        for fact in log.between(self.seen_to, through) {
            let missed = self.eyes.see(fact) == Sight::Must;
            assert!(!missed, "R-PUB-2: never seen, and no gap was told: {:?}", fact.record);
        }
    }

    /// At the end of all things: nothing visible is outstanding.
    pub fn assert_nothing_missing(&self, truth: &Truth) {
        let log = truth.log();
        assert_eq!(self.epoch, log.epoch, "R-REC-2: a client is left behind in another epoch");
        self.assert_nothing_between(log.head(), log);
    }

    /// And every request of a client has an outcome.
    pub fn assert_complete(&self, truth: &Truth) {
        self.assert_nothing_missing(truth);
        assert_eq!(self.pending.len(), 0, "R-CLI-16: every request has an outcome");
    }
}

/// Of a room that keeps no log: what was seen at an offset first is what everyone sees there.
#[derive(Debug, Default)]
pub struct Sightings(BTreeMap<(u64, Offset), Publication>);

impl Sightings {
    pub fn seen(&mut self, epoch: Epoch, publication: &Publication) {
        let place = (epoch.value(), publication.offset);
        let first = self.0.entry(place).or_insert_with(|| publication.clone());
        assert_eq!(first, publication, "two see the same at one epoch and offset");
    }
}
