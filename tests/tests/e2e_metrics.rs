//! `GET /metrics`, read by a parser that forgives nothing.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use std::collections::BTreeMap;
use tests::eventually;
use tests::server::Server;

/// A sample's name with its labels in order, and its value.
type Samples = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// Prometheus' text format 0.0.4, as far as its own parser insists and further: each metric has one HELP and one TYPE
/// ahead of its samples, which stand together, each once; histograms are whole.
fn parse(text: &str) -> Result<Samples> {
    let mut samples = Samples::new();
    let (mut types, mut current) = (BTreeMap::new(), String::new());
    ensure!(text.is_empty() || text.ends_with('\n'), "the last line ends");
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').context("a HELP has a text")?;
            ensure!(!types.contains_key(name) && !text.is_empty(), "{line}");
            current = name.to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').context("a TYPE has a type")?;
            ensure!(name == current && ["counter", "gauge", "histogram"].contains(&kind), "{line}");
            ensure!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{line} stands twice");
        } else {
            let (name, labels, value) = sample(line).with_context(|| line.to_owned())?;
            let kind = types.get(&current).with_context(|| format!("{line} has no TYPE"))?;
            let part = name.strip_prefix(&current).with_context(|| format!("{line} is not of {current}"))?;
            let parts: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            ensure!(parts.contains(&part), "{line} is no part of a {kind}");
            ensure!(kind != "counter" || current.ends_with("_total"), "{line}");
            ensure!(value >= 0.0 && samples.insert((name, labels), value).is_none(), "{line}");
        }
    }
    for (name, _) in types.iter().filter(|(_, kind)| *kind == "histogram") {
        check_histogram(name, &samples)?;
    }
    Ok(samples)
}

fn sample(line: &str) -> Result<(String, BTreeMap<String, String>, f64)> {
    let (series, value) = line.rsplit_once(' ').context("a value")?;
    let (name, labels) = series.split_once('{').context("labels")?;
    let name_byte = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    ensure!(!name.is_empty() && name.bytes().all(name_byte), "a name");
    let mut read = BTreeMap::new();
    for label in labels.strip_suffix('}').context("a brace")?.split(',') {
        let (label, value) = label.split_once('=').context("a label's value")?;
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).context("quotes")?;
        ensure!(label.bytes().all(name_byte) && !value.contains(['"', '\\', '\n']), "a label");
        ensure!(read.insert(label.to_owned(), value.to_owned()).is_none(), "a label stands twice");
    }
    Ok((name.to_owned(), read, value.parse()?))
}

/// Buckets rise, and the last of them is the count.
fn check_histogram(name: &str, samples: &Samples) -> Result<()> {
    let mut kinds: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for ((full, labels), value) in samples {
        if *full == format!("{name}_bucket") {
            let bound = if labels["le"] == "+Inf" { f64::INFINITY } else { labels["le"].parse()? };
            kinds.entry(&labels["kind"]).or_default().push((bound, *value));
        }
    }
    for (kind, mut buckets) in kinds {
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        ensure!(buckets.is_sorted_by(|one, other| one.1 <= other.1), "{name} of {kind}: {buckets:?}");
        let labels = BTreeMap::from([("kind".to_owned(), kind.to_owned())]);
        let count = samples.get(&(format!("{name}_count"), labels.clone())).context("a count")?;
        ensure!(samples.contains_key(&(format!("{name}_sum"), labels)), "{name} of {kind} has a sum");
        let Some((bound, last)) = buckets.last() else { bail!("{name} of {kind} has no buckets") };
        ensure!(bound.is_infinite() && last == count, "{name} of {kind}: {buckets:?}, {count}");
    }
    Ok(())
}

async fn metrics(server: &Server) -> Result<Samples> {
    let answer = server.get("/metrics").bearer(&server.api_key()).send().await?;
    ensure!(answer.status == 200, "{}", answer.text());
    let kind = answer.header("content-type").unwrap_or_default();
    ensure!(kind == "text/plain; version=0.0.4; charset=utf-8", "{kind}");
    parse(&answer.text())
}

fn value(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    samples.get(&(format!("roomcast_{name}"), labels)).copied().unwrap_or(0.0)
}

#[tokio::test]
async fn r_met_1_what_happened_stands_in_the_metrics_within_a_minute() -> Result<()> {
    let server = Server::start().await?;
    ensure!(metrics(&server).await?.is_empty(), "nothing has happened");
    let mut ann = server.visit("chat:measured", "ann").join().await?;
    let _bob = server.visit("chat:measured", "bob").join().await?;
    for number in 0..7 {
        ann.publish(json!(number)).await?;
    }
    ann.request(json!({ "t": "edit", "offset": 1, "data": 1 })).await?.refused("forbidden")?;
    let position = json!({ "epoch": "0000000000000000", "offset": 3 });
    let _zoe = server.visit("chat:measured", "zoe").hello(json!({ "recover": position })).join().await?;
    let chat = ("kind", "chat");
    let samples = eventually("it is told", async || {
        let samples = metrics(&server).await?;
        // What came last: all else was counted before.
        let has_recovered = value(&samples, "recoveries_total", &[chat, ("outcome", "epoch_changed")]) == 1.0;
        Ok((has_recovered && value(&samples, "members", &[chat]) == 3.0).then_some(samples))
    })
    .await?;
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], f64);
    let rows: [Row<'_>; 8] = [
        ("appends_total", &[chat], 7.0),
        ("deliveries_total", &[chat], 14.0),
        ("messages_in_total", &[chat], 11.0),
        ("members", &[chat], 3.0),
        ("rooms", &[chat, ("state", "occupied")], 1.0),
        ("rejections_total", &[("code", "forbidden"), chat], 1.0),
        ("recoveries_total", &[chat, ("outcome", "epoch_changed")], 1.0),
        ("publications", &[chat], 7.0),
    ];
    for (name, labels, expected) in rows {
        assert_eq!(value(&samples, name, labels), expected, "{name} {labels:?}: {samples:?}");
    }
    ensure!(value(&samples, "flush_entries_count", &[chat]) >= 7.0, "{samples:?}");
    ensure!(value(&samples, "flush_seconds_count", &[chat]) >= 7.0, "{samples:?}");
    Ok(())
}
