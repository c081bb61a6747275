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
    rows: Vec<Row>,
}

struct Row {
    figure: Figure,
    room: f64,
    peer: f64,
    storing: f64,
}

impl Report {
    pub(crate) fn new(room: &[Measurement], peer: &[Measurement], storing: &[Measurement]) -> Report {
        let rows = FIGURES.iter().map(|figure| Row {
            figure: *figure,
            room: median(room, figure.2),
            peer: median(peer, figure.2),
            storing: median(storing, figure.2),
        });
        Report { rows: rows.collect() }
    }

    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{:<20}{:>11}{:>11}{:>8}{:>13}{:>8}\n",
            "", "roomcast", "js object", "ratio", "js, storing", "ratio"
        );
        for Row { figure: (_, label, _), room, peer, storing } in &self.rows {
            writeln!(
                text,
                "{label:<20}{room:>11.0}{peer:>11.0}{:>8.2}{storing:>13.0}{:>8.2}",
                room / peer,
                room / storing
            )
            .expect("writing to memory does not fail");
        }
        text
    }

    pub(crate) fn json(&self) -> String {
        let rows = self.rows.iter().map(|Row { figure: (name, ..), room, peer, storing }| {
            let value = serde_json::json!({
                "roomcast": room,
                "js_object": { "value": peer, "ratio": room / peer },
                "js_storing_object": { "value": storing, "ratio": room / storing },
            });
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
