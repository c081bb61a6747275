//! The outside observer: judges a run by what clients saw and what the log says over HTTP, never by the room's
//! own word.
//!
//! Publications carry a unique payload each. A [`Witness`] keeps what one session was sent across all its
//! connections; [`History`] is the log, read whole; [`Trial::verdict`] compares them with the publishes that
//! were answered.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a session saw without a break: from `after` (exclusive) on, it missed nothing.
#[derive(Clone, Debug)]
struct Stretch {
    epoch: String,
    after: u64,
    got: Vec<(u64, Value)>,
    /// Everything at or below was sent to it or is not for it.
    covered: u64,
}

/// What one session saw.
#[derive(Clone, Debug)]
pub struct Witness {
    pub name: String,
    stretches: Vec<Stretch>,
    complaints: Vec<String>,
}

impl Witness {
    #[must_use]
    pub fn new(name: &str) -> Witness {
        Witness { name: name.to_owned(), stretches: Vec::new(), complaints: Vec::new() }
    }

    /// Takes note of any message, in the order of arrival.
    pub fn saw(&mut self, message: &Value) {
        match message["t"].as_str() {
            Some("welcome") => self.welcomed(message),
            Some("publication") => self.published(message),
            Some("position") => {
                let offset = offset_of(message);
                if let (Some(stretch), Some(offset)) = (self.stretches.last_mut(), offset) {
                    stretch.covered = stretch.covered.max(offset);
                }
            }
            _ => {}
        }
    }

    fn welcomed(&mut self, welcome: &Value) {
        let epoch = welcome["epoch"].as_str().unwrap_or_default().to_owned();
        let Some(head) = offset_of(welcome) else {
            return self.complaints.push(format!("a welcome without offset: {welcome}"));
        };
        let sent: &[Value] = welcome["publications"].as_array().map_or(&[], Vec::as_slice);
        let recovered = welcome["recovered"] == true;
        match self.stretches.last() {
            Some(stretch) if recovered => {
                if stretch.epoch != epoch {
                    self.complaints.push(format!("recovered from {} into {epoch}", stretch.epoch));
                }
            }
            Some(_) | None => {
                let after = sent.first().and_then(offset_of).map_or(head, |first| first.saturating_sub(1));
                self.stretches.push(Stretch { epoch, after, got: Vec::new(), covered: after });
            }
        }
        for publication in sent {
            self.published(publication);
        }
        if let Some(stretch) = self.stretches.last_mut() {
            if stretch.covered > head {
                self.complaints.push(format!("welcomed at {head} after {}", stretch.covered));
            }
            stretch.covered = stretch.covered.max(head);
        }
    }

    fn published(&mut self, publication: &Value) {
        let Some(offset) = offset_of(publication) else {
            return self.complaints.push(format!("a publication without offset: {publication}"));
        };
        let Some(stretch) = self.stretches.last_mut() else {
            return self.complaints.push(format!("{publication} before any welcome"));
        };
        if offset <= stretch.covered {
            self.complaints.push(format!("offset {offset} again or too late, at {}", stretch.covered));
        }
        stretch.covered = stretch.covered.max(offset);
        stretch.got.push((offset, publication["data"].clone()));
    }

    /// What a hello carries to go on from here; `None` before the first welcome.
    #[must_use]
    pub fn recover(&self) -> Option<Value> {
        let stretch = self.stretches.last()?;
        Some(json!({ "epoch": stretch.epoch, "offset": stretch.covered }))
    }

    /// How often this session had to start anew.
    #[must_use]
    pub fn breaks(&self) -> usize {
        self.stretches.len().saturating_sub(1)
    }

    fn violations(&self, history: &History, may_see: &dyn Fn(&Value) -> bool) -> Vec<String> {
        let mut violations = self.complaints.clone();
        for stretch in self.stretches.iter().filter(|stretch| stretch.epoch == history.epoch) {
            let expected: Vec<(u64, Value)> = history
                .publications
                .range(stretch.after + 1..=stretch.covered.max(stretch.after + 1))
                .filter(|(offset, publication)| **offset <= stretch.covered && may_see(publication))
                .map(|(offset, publication)| (*offset, publication["data"].clone()))
                .collect();
            if stretch.got != expected {
                let missed: Vec<_> = expected.iter().filter(|e| !stretch.got.contains(e)).collect();
                let beyond: Vec<_> = stretch.got.iter().filter(|g| !expected.contains(g)).collect();
                let range = (stretch.after, stretch.covered);
                violations.push(format!("in {range:?}: missed {missed:?}, got beyond the log {beyond:?}"));
            }
        }
        violations.into_iter().map(|violation| format!("{}: {violation}", self.name)).collect()
    }
}

/// The log as HTTP tells it.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub epoch: String,
    pub publications: BTreeMap<u64, Value>,
    violations: Vec<String>,
}

impl History {
    /// Adds a page, which must go on where the one before ended.
    pub fn add_page(&mut self, page: &Value) -> Result<()> {
        let epoch = page["epoch"].as_str().context("a page names its epoch")?;
        if self.epoch.is_empty() {
            epoch.clone_into(&mut self.epoch);
        }
        ensure!(self.epoch == epoch, "the epoch changed from {} to {epoch} between two pages", self.epoch);
        for message in page["messages"].as_array().context("a page has messages")? {
            let offset = offset_of(message).context("a message has an offset")?;
            let last = self.publications.last_key_value().map(|(last, _)| *last);
            if last.is_some_and(|last| offset != last + 1) {
                self.violations.push(format!("the log goes from {last:?} to {offset}"));
            }
            self.publications.insert(offset, message.clone());
        }
        Ok(())
    }

    fn violations(&self) -> Vec<String> {
        let mut violations = self.violations.clone();
        let mut offsets_by_data: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for (offset, publication) in &self.publications {
            offsets_by_data.entry(publication["data"].to_string()).or_default().push(*offset);
        }
        for (data, offsets) in offsets_by_data {
            if offsets.len() > 1 {
                violations.push(format!("{data} is in the log {} times: {offsets:?}", offsets.len()));
            }
        }
        violations
    }
}

/// A publish whose reply arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub data: Value,
    pub epoch: String,
    pub offset: u64,
}

impl Answered {
    pub fn new(data: Value, result: &Value) -> Result<Answered> {
        let epoch = result["epoch"].as_str().with_context(|| format!("no epoch in {result}"))?.to_owned();
        let offset = offset_of(result).with_context(|| format!("no offset in {result}"))?;
        Ok(Answered { data, epoch, offset })
    }
}

/// Everything that a verdict rests on.
#[derive(Clone, Debug)]
pub struct Trial {
    pub history: History,
    pub answered: Vec<Answered>,
    pub witnesses: Vec<Witness>,
}

impl Trial {
    /// Everyone may see everything.
    pub fn verdict(&self) -> Result<()> {
        self.verdict_where(&|_, _| true)
    }

    /// `may_see(witness, publication)` says who is entitled to what.
    pub fn verdict_where(&self, may_see: &dyn Fn(&str, &Value) -> bool) -> Result<()> {
        let mut violations = self.history.violations();
        for answered in &self.answered {
            let kept = self.history.publications.get(&answered.offset).map(|p| &p["data"]);
            if answered.epoch != self.history.epoch || kept != Some(&answered.data) {
                violations.push(format!("answered {answered:?}, but the log has {kept:?} there"));
            }
        }
        for witness in &self.witnesses {
            violations.extend(
                witness.violations(&self.history, &|publication| may_see(&witness.name, publication)),
            );
        }
        ensure!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
        Ok(())
    }
}

fn offset_of(message: &Value) -> Option<u64> {
    message["offset"].as_u64()
}

#[cfg(test)]
mod tests {
    use super::{Answered, History, Trial, Witness};
    use serde_json::{Value, json};

    fn history(numbers: &[u64]) -> History {
        let messages: Vec<Value> =
            numbers.iter().zip(1u64..).map(|(n, offset)| json!({ "offset": offset, "data": n })).collect();
        let mut history = History::default();
        history.add_page(&json!({ "epoch": "e", "messages": messages })).expect("a well-formed page");
        history
    }

    fn witness(messages: &[Value]) -> Witness {
        let mut witness = Witness::new("w");
        messages.iter().for_each(|message| witness.saw(message));
        witness
    }

    fn welcome(offset: u64, recovered: bool, publications: &[Value]) -> Value {
        json!({ "t": "welcome", "epoch": "e", "offset": offset, "recovered": recovered,
                "publications": publications })
    }

    fn publication(offset: u64, data: u64) -> Value {
        json!({ "t": "publication", "offset": offset, "data": data })
    }

    fn trial(history: History, witness: Witness) -> Trial {
        Trial { history, answered: Vec::new(), witnesses: vec![witness] }
    }

    #[test]
    fn an_unbroken_sequence_over_a_recovery_passes() {
        let saw = [
            welcome(1, false, &[]),
            publication(2, 12),
            welcome(4, true, &[publication(3, 13), publication(4, 14)]),
            publication(5, 15),
        ];
        trial(history(&[11, 12, 13, 14, 15]), witness(&saw)).verdict().expect("nothing is wrong");
    }

    #[test]
    fn a_hole_a_duplicate_a_swap_and_a_stranger_are_each_found() {
        let wrong: [&[Value]; 4] = [
            &[publication(1, 11), publication(3, 13)],
            &[publication(1, 11), publication(1, 11)],
            &[publication(2, 12), publication(1, 11)],
            &[publication(1, 99)],
        ];
        for publications in wrong {
            let mut saw = vec![welcome(0, false, &[])];
            saw.extend_from_slice(publications);
            let trial = trial(history(&[11, 12, 13]), witness(&saw));
            assert!(trial.verdict().is_err(), "{publications:?} passed");
        }
    }

    #[test]
    fn a_recovery_that_skips_is_found() {
        let saw = [welcome(1, false, &[]), welcome(3, true, &[publication(3, 13)])];
        assert!(trial(history(&[11, 12, 13]), witness(&saw)).verdict().is_err());
    }

    #[test]
    fn a_lost_answer_and_a_doubled_publish_are_found() {
        let answered = Answered::new(json!(12), &json!({ "epoch": "e", "offset": 2 })).expect("a result");
        let lost = Trial { history: history(&[11]), answered: vec![answered], witnesses: Vec::new() };
        assert!(lost.verdict().is_err());
        let doubled = Trial { history: history(&[11, 11]), answered: Vec::new(), witnesses: Vec::new() };
        assert!(doubled.verdict().is_err());
    }
}
