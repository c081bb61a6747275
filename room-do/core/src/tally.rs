//! What a room counts while it is in memory. Plain numbers: nothing is looked up where messages pass.

use schemas::{ErrorCode, directory::Counters, server_message::RecoveryFailure};

/// Upper bounds of a flush's size, in entries, and of its time, in milliseconds.
const ENTRIES: [u64; 8] = [1, 2, 5, 10, 50, 100, 500, 1_000];
const MILLISECONDS: [u64; 9] = [1, 2, 5, 10, 25, 50, 100, 250, 1_000];

#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Rises with whatever is counted.
    changes: u64,
    connections: u64,
    messages_in: u64,
    bytes_in: u64,
    messages_out: u64,
    bytes_out: u64,
    deliveries: u64,
    appends: u64,
    flush_entries: Histogram<{ ENTRIES.len() }>,
    flush_ms: Histogram<{ MILLISECONDS.len() }>,
    recoveries: [u64; OUTCOMES.len()],
    rejections: [u64; ErrorCode::ALL.len()],
}

#[derive(Debug, Clone, Copy)]
struct Histogram<const BOUNDS: usize> {
    /// Those at or below each bound and above the one before.
    within: [u64; BOUNDS],
    count: u64,
    sum: u64,
}

impl<const BOUNDS: usize> Default for Histogram<BOUNDS> {
    fn default() -> Self {
        Histogram { within: [0; BOUNDS], count: 0, sum: 0 }
    }
}

/// What becomes of a `recover`.
const OUTCOMES: [(&str, Option<RecoveryFailure>); 7] = [
    ("recovered", None),
    ("too_far_behind", Some(RecoveryFailure::TooFarBehind)),
    ("trimmed", Some(RecoveryFailure::Trimmed)),
    ("epoch_changed", Some(RecoveryFailure::EpochChanged)),
    ("ahead", Some(RecoveryFailure::Ahead)),
    ("forbidden", Some(RecoveryFailure::Forbidden)),
    ("no_log", Some(RecoveryFailure::NoLog)),
];

impl Tally {
    /// Another number: something was counted in between.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    pub(crate) fn opened(&mut self) {
        self.changes += 1;
        self.connections += 1;
    }

    pub(crate) fn received(&mut self, messages: usize, bytes: usize) {
        self.changes += 1;
        self.messages_in += messages as u64;
        self.bytes_in += bytes as u64;
    }

    /// One frame of so many messages, of which some are publications or ephemerals, to so many connections.
    pub(crate) fn sent(&mut self, messages: usize, deliveries: usize, bytes: usize, connections: usize) {
        let connections = connections as u64;
        self.changes += 1;
        self.messages_out += messages as u64 * connections;
        self.deliveries += deliveries as u64 * connections;
        self.bytes_out += bytes as u64 * connections;
    }

    pub(crate) fn flushed(&mut self, entries: usize, appends: usize) {
        self.changes += 1;
        self.appends += appends as u64;
        self.flush_entries.count(&ENTRIES, entries as u64);
    }

    pub(crate) fn flush_took(&mut self, ms: u64) {
        self.flush_ms.count(&MILLISECONDS, ms);
    }

    pub(crate) fn recovered(&mut self, failure: Option<RecoveryFailure>) {
        self.changes += 1;
        if let Some(index) = OUTCOMES.iter().position(|(_, outcome)| *outcome == failure) {
            self.recoveries[index] += 1;
        }
    }

    pub(crate) fn rejected(&mut self, code: ErrorCode) {
        self.changes += 1;
        if let Some(index) = ErrorCode::ALL.iter().position(|other| *other == code) {
            self.rejections[index] += 1;
        }
    }

    pub(crate) fn counters(&self) -> Counters {
        let mut counters = Counters::new();
        let plain = [
            ("connections_opened_total", self.connections),
            ("messages_in_total", self.messages_in),
            ("bytes_in_total", self.bytes_in),
            ("messages_out_total", self.messages_out),
            ("bytes_out_total", self.bytes_out),
            ("deliveries_total", self.deliveries),
            ("appends_total", self.appends),
        ];
        let plain = plain.into_iter().map(|(name, value)| (name.to_owned(), value));
        let recoveries = OUTCOMES
            .iter()
            .zip(self.recoveries)
            .map(|((outcome, _), value)| (format!("recoveries_total{{outcome=\"{outcome}\"}}"), value));
        let rejections = ErrorCode::ALL
            .iter()
            .zip(self.rejections)
            .map(|(code, value)| (format!("rejections_total{{code=\"{code}\"}}"), value));
        counters.extend(plain.chain(recoveries).chain(rejections).filter(|(_, value)| *value > 0));
        self.flush_entries.put("flush_entries", ENTRIES.map(|bound| bound.to_string()), &mut counters);
        let seconds = MILLISECONDS.map(|ms| format!("{}", ms as f64 / 1_000.0));
        self.flush_ms.put("flush_seconds", seconds, &mut counters);
        counters
    }
}

impl<const BOUNDS: usize> Histogram<BOUNDS> {
    fn count(&mut self, bounds: &[u64; BOUNDS], value: u64) {
        if let Some(index) = bounds.iter().position(|bound| value <= *bound) {
            self.within[index] += 1;
        }
        self.count += 1;
        self.sum += value;
    }

    /// Each bucket holds those below it too, as Prometheus wants it.
    fn put(&self, name: &str, bounds: [String; BOUNDS], counters: &mut Counters) {
        if self.count == 0 {
            return;
        }
        let mut below = 0;
        for (bound, within) in bounds.into_iter().zip(self.within) {
            below += within;
            counters.insert(format!("{name}_bucket{{le=\"{bound}\"}}"), below);
        }
        counters.insert(format!("{name}_bucket{{le=\"+Inf\"}}"), self.count);
        counters.insert(format!("{name}_count"), self.count);
        counters.insert(format!("{name}_sum"), self.sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_met_2_what_was_counted_once_stands_there_once() {
        let mut tally = Tally::default();
        tally.opened();
        tally.received(3, 100);
        tally.sent(2, 1, 50, 10);
        tally.flushed(3, 1);
        tally.flushed(2_000, 0);
        tally.flush_took(7);
        tally.recovered(None);
        tally.recovered(Some(RecoveryFailure::Trimmed));
        tally.rejected(ErrorCode::Forbidden);
        let counters = tally.counters();
        let expected = [
            ("connections_opened_total", 1),
            ("messages_in_total", 3),
            ("bytes_in_total", 100),
            ("messages_out_total", 20),
            ("deliveries_total", 10),
            ("bytes_out_total", 500),
            ("appends_total", 1),
            ("recoveries_total{outcome=\"recovered\"}", 1),
            ("recoveries_total{outcome=\"trimmed\"}", 1),
            ("rejections_total{code=\"forbidden\"}", 1),
            ("flush_entries_bucket{le=\"2\"}", 0),
            ("flush_entries_bucket{le=\"5\"}", 1),
            ("flush_entries_bucket{le=\"1000\"}", 1),
            ("flush_entries_bucket{le=\"+Inf\"}", 2),
            ("flush_entries_sum", 2_003),
            ("flush_seconds_bucket{le=\"0.005\"}", 0),
            ("flush_seconds_bucket{le=\"0.01\"}", 1),
            ("flush_seconds_count", 1),
        ];
        for (series, value) in expected {
            assert_eq!(counters.get(series), Some(&value), "{series}: {counters:?}");
        }
        assert!(!counters.contains_key("rejections_total{code=\"conflict\"}"), "zero is absent");
        assert!(Tally::default().counters().is_empty());
    }
}
