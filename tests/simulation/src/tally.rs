//! What happened in a run, and how often: a simulation in which nothing happens finds nothing.

use std::{collections::BTreeMap, fmt};

/// A group (`closes`, `rejections`) and what in it; a fact that belongs to no group has an empty one.
type Fact = (&'static str, &'static str);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<Fact, u64>);

impl Tally {
    pub fn count(&mut self, what: &'static str) {
        self.count_in("", what);
    }

    pub fn count_in(&mut self, group: &'static str, what: &'static str) {
        self.count_many(group, what, 1);
    }

    pub fn count_many(&mut self, group: &'static str, what: &'static str, times: u64) {
        *self.0.entry((group, what)).or_default() += times;
    }

    pub fn add(&mut self, other: &Tally) {
        for ((group, what), count) in &other.0 {
            self.count_many(group, what, *count);
        }
    }

    /// `what` as it is shown: `group: what` where there is a group.
    #[must_use]
    pub fn of(&self, what: &str) -> u64 {
        let (group, what) = what.split_once(": ").unwrap_or(("", what));
        self.0.iter().find(|((in_group, name), _)| *in_group == group && *name == what).map_or(0, |(_, n)| *n)
    }

    pub fn facts(&self) -> impl Iterator<Item = (String, u64)> {
        self.0.iter().map(|((group, what), count)| {
            let name = if group.is_empty() { (*what).to_owned() } else { format!("{group}: {what}") };
            (name, *count)
        })
    }

    /// Which of `expected` happened less often than `times`, and how often.
    #[must_use]
    pub fn missing(&self, expected: &[&'static str], times: u64) -> Vec<(&'static str, u64)> {
        let counted = expected.iter().map(|what| (*what, self.of(what)));
        counted.filter(|(_, count)| *count < times).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.facts().try_for_each(|(what, count)| writeln!(f, "{count:>9}  {what}"))
    }
}
