//! Medians over the rounds, and the ratio of the two.

use std::fmt::Write as _;

use crate::load::Measurement;

/// A figure of a measurement, with what to call it.
type Figure = (&'static str, &'static str, fn(&Measurement) -> f64);

const FIGURES: [Figure; 5] = [
    ("deliveries", "deliveries/s", |m| m.deliveries_per_second),
    ("busy_p50_us", "p50 in flight, µs", |m| m.busy_p50),
    ("busy_p99_us", "p99 in flight, µs", |m| m.busy_p99),
    ("idle_p50_us", "p50 idle, µs", |m| m.idle_p50),
    ("idle_p99_us", "p99 idle, µs", |m| m.idle_p99),
];

pub(crate) struct Report {
    rows: Vec<(Figure, f64, f64)>,
}

impl Report {
    pub(crate) fn new(room: &[Measurement], peer: &[Measurement]) -> Report {
        let rows = FIGURES.iter().map(|figure| (*figure, median(room, figure.2), median(peer, figure.2)));
        Report { rows: rows.collect() }
    }

    pub(crate) fn table(&self) -> String {
        let mut text = format!("{:<20}{:>12}{:>12}{:>10}\n", "", "roomcast", "js object", "ratio");
        for ((_, label, _), room, peer) in &self.rows {
            writeln!(text, "{label:<20}{room:>12.0}{peer:>12.0}{:>10.2}", room / peer)
                .expect("writing to memory does not fail");
        }
        text
    }

    pub(crate) fn json(&self) -> String {
        let rows = self.rows.iter().map(|((name, ..), room, peer)| {
            let value = serde_json::json!({ "roomcast": room, "js_object": peer, "ratio": room / peer });
            ((*name).to_owned(), value)
        });
        serde_json::Value::Object(rows.collect()).to_string()
    }
}

fn median(measurements: &[Measurement], figure: fn(&Measurement) -> f64) -> f64 {
    let mut values: Vec<f64> = measurements.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
