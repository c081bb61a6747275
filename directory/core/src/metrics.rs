//! Totals as Prometheus reads them: its text format, version 0.0.4.

use std::{collections::BTreeMap, fmt::Write as _};

use schemas::{directory::Totals, http::KindUsage};

/// Sums what the shards tell.
#[must_use]
pub fn sum(shards: impl IntoIterator<Item = Totals>) -> Totals {
    let mut sum = Totals::new();
    for (kind, series) in shards.into_iter().flatten() {
        let of_kind = sum.entry(kind).or_default();
        for (name, value) in series {
            *of_kind.entry(name).or_default() += value;
        }
    }
    sum
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Counter,
    Gauge,
    /// Whose sum is told in so many parts of the metric's unit.
    Histogram {
        sum_parts: u32,
    },
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram { .. } => "histogram",
        }
    }
}

/// Every metric that rooms and shards tell, without the prefix.
const METRICS: [(&str, Type, &str); 16] = [
    ("rooms", Type::Gauge, "Rooms that are occupied or have stored data, by state."),
    ("members", Type::Gauge, "Listed members of occupied rooms."),
    ("connections", Type::Gauge, "Connections past hello, as rooms last told."),
    ("publications", Type::Gauge, "Publications kept in logs."),
    ("stored_bytes", Type::Gauge, "Bytes of rooms' databases."),
    ("webhook_backlog", Type::Gauge, "Webhook events that wait to be delivered."),
    ("connections_opened_total", Type::Counter, "Connections that reached a room."),
    ("messages_in_total", Type::Counter, "Protocol messages received."),
    ("bytes_in_total", Type::Counter, "Bytes of WebSocket messages received."),
    ("messages_out_total", Type::Counter, "Protocol messages sent, to each connection."),
    ("bytes_out_total", Type::Counter, "Bytes of WebSocket messages sent."),
    ("deliveries_total", Type::Counter, "Publications and ephemerals sent, to each connection."),
    ("appends_total", Type::Counter, "Publications appended to logs."),
    ("recoveries_total", Type::Counter, "Recoveries asked for, by outcome."),
    ("rejections_total", Type::Counter, "Requests refused by rooms, by code."),
    ("flush_entries", Type::Histogram { sum_parts: 1 }, "Entries decided and delivered together."),
];
const FLUSH_SECONDS: (&str, Type, &str) = (
    "flush_seconds",
    Type::Histogram { sum_parts: 1_000 },
    "From the start of a flush that wrote until it was on disk and sent.",
);

/// The text of `GET /metrics`. A series that no metric describes is left out: newer code told it.
#[must_use]
pub fn render(totals: &Totals) -> String {
    let mut text = String::new();
    for (name, kind_of, help) in METRICS.into_iter().chain([FLUSH_SECONDS]) {
        let mut lines = Vec::new();
        for (kind, series) in totals {
            lines.extend(samples(name, kind_of, kind, series));
        }
        if lines.is_empty() {
            continue;
        }
        let _infallible = writeln!(text, "# HELP roomcast_{name} {help}");
        let _infallible = writeln!(text, "# TYPE roomcast_{name} {}", kind_of.name());
        text.extend(lines);
    }
    text
}

/// The samples of one metric and kind.
fn samples(name: &str, kind_of: Type, kind: &str, series: &BTreeMap<String, i64>) -> Vec<String> {
    let mut found: Vec<(f64, String)> = Vec::new();
    for (full, value) in series {
        let (own, labels) = match full.split_once('{') {
            Some((own, labels)) => (own, labels.trim_end_matches('}')),
            None => (full.as_str(), ""),
        };
        let Type::Histogram { sum_parts } = kind_of else {
            if own == name {
                let value = value.to_string();
                found.push((0.0, sample(name, kind, labels, &value)));
            }
            continue;
        };
        let Some(part) = own.strip_prefix(name) else { continue };
        match part {
            "_bucket" => found.push((bound(labels), sample(own, kind, labels, &value.to_string()))),
            "_sum" => {
                let sum = *value as f64 / f64::from(sum_parts);
                found.push((f64::INFINITY, sample(own, kind, labels, &sum.to_string())));
            }
            "_count" => found.push((f64::INFINITY, sample(own, kind, labels, &value.to_string()))),
            _ => {}
        }
    }
    // Buckets by their bound; the order of names is another.
    found.sort_by(|one, other| one.0.total_cmp(&other.0));
    found.into_iter().map(|(_, line)| line).collect()
}

fn bound(labels: &str) -> f64 {
    let bound = labels.strip_prefix("le=\"").and_then(|rest| rest.strip_suffix('"'));
    bound.and_then(|bound| bound.parse().ok()).unwrap_or(f64::INFINITY)
}

fn sample(name: &str, kind: &str, labels: &str, value: &str) -> String {
    let comma = if labels.is_empty() { "" } else { "," };
    format!("roomcast_{name}{{kind=\"{kind}\"{comma}{labels}}} {value}\n")
}

/// What a kind used, as `GET /v1/usage` tells it.
#[must_use]
pub fn usage(series: &BTreeMap<String, i64>) -> KindUsage {
    let value = |name: &str| {
        let own = |full: &str| full.split('{').next() == Some(name);
        let sum: i64 = series.iter().filter(|(full, _)| own(full)).map(|(_, value)| value).sum();
        u64::try_from(sum).unwrap_or(0)
    };
    KindUsage {
        rooms: value("rooms"),
        members: value("members"),
        connections: value("connections"),
        connections_opened: value("connections_opened_total"),
        messages_in: value("messages_in_total"),
        messages_out: value("messages_out_total"),
        bytes_in: value("bytes_in_total"),
        bytes_out: value("bytes_out_total"),
        publications: value("publications"),
        stored_bytes: value("stored_bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(rows: &[(&str, &str, i64)]) -> Totals {
        let mut totals = Totals::new();
        for (kind, series, value) in rows {
            totals.entry((*kind).to_owned()).or_default().insert((*series).to_owned(), *value);
        }
        totals
    }

    #[test]
    fn r_met_1_shards_are_summed_and_told_by_kind() {
        let shards = [
            totals(&[("chat", "appends_total", 3), ("chat", "rooms{state=\"idle\"}", 1)]),
            totals(&[("chat", "appends_total", 4), ("game", "rejections_total{code=\"forbidden\"}", 2)]),
        ];
        let text = render(&sum(shards));
        let expected = "# HELP roomcast_rooms Rooms that are occupied or have stored data, by state.\n\
                        # TYPE roomcast_rooms gauge\n\
                        roomcast_rooms{kind=\"chat\",state=\"idle\"} 1\n\
                        # HELP roomcast_appends_total Publications appended to logs.\n\
                        # TYPE roomcast_appends_total counter\n\
                        roomcast_appends_total{kind=\"chat\"} 7\n\
                        # HELP roomcast_rejections_total Requests refused by rooms, by code.\n\
                        # TYPE roomcast_rejections_total counter\n\
                        roomcast_rejections_total{kind=\"game\",code=\"forbidden\"} 2\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn r_met_3_usage_is_of_the_same_numbers() {
        let rows = [
            ("chat", "rooms{state=\"idle\"}", 2),
            ("chat", "rooms{state=\"occupied\"}", 1),
            ("chat", "messages_in_total", 7),
            ("chat", "stored_bytes", -1),
        ];
        let usage = usage(&totals(&rows)["chat"]);
        assert_eq!((usage.rooms, usage.messages_in, usage.stored_bytes, usage.bytes_in), (3, 7, 0, 0));
    }

    #[test]
    fn r_met_2_buckets_rise_and_end_with_all() {
        let rows = [
            ("chat", "flush_seconds_bucket{le=\"+Inf\"}", 9),
            ("chat", "flush_seconds_bucket{le=\"0.001\"}", 4),
            ("chat", "flush_seconds_bucket{le=\"0.25\"}", 8),
            ("chat", "flush_seconds_bucket{le=\"0.01\"}", 6),
            ("chat", "flush_seconds_count", 9),
            ("chat", "flush_seconds_sum", 1_234),
        ];
        let text = render(&totals(&rows));
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "roomcast_flush_seconds_bucket{kind=\"chat\",le=\"0.001\"} 4",
                "roomcast_flush_seconds_bucket{kind=\"chat\",le=\"0.01\"} 6",
                "roomcast_flush_seconds_bucket{kind=\"chat\",le=\"0.25\"} 8",
                "roomcast_flush_seconds_bucket{kind=\"chat\",le=\"+Inf\"} 9",
                "roomcast_flush_seconds_count{kind=\"chat\"} 9",
                "roomcast_flush_seconds_sum{kind=\"chat\"} 1.234",
            ]
        );
    }
}
