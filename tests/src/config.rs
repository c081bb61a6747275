//! The shipped `wrangler.toml` with a test's changes laid over it.

use anyhow::{Context as _, Result};
use toml::{Table, Value};

/// How fast connections may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rates {
    /// Without bound wherever the test sets none: most tests are faster than a client may be.
    Off,
    AsShipped,
}

/// `shipped` with `changes`, which are TOML relative to `[vars.roomcast]`.
pub fn overlay(shipped: &str, changes: &str, rates: Rates) -> Result<String> {
    let mut config: Table = shipped.parse().context("the shipped wrangler.toml")?;
    let changes: Table = changes.parse().context("the test's changes to the configuration")?;
    let roomcast = table(table(&mut config, "vars")?, "roomcast")?;
    if rates == Rates::Off {
        // Ahead of the test's own, which stand.
        each_kind(roomcast, |kind| {
            kind.insert("rates".to_owned(), unbounded());
        })?;
        merge(roomcast, changes);
        each_kind(roomcast, |kind| {
            kind.entry("rates").or_insert_with(unbounded);
        })?;
    } else {
        merge(roomcast, changes);
    }
    toml::to_string(&config).context("write the configuration")
}

fn each_kind(roomcast: &mut Table, mut change: impl FnMut(&mut Table)) -> Result<()> {
    let kinds = table(roomcast, "kinds")?.iter_mut();
    kinds.filter_map(|(_, kind)| kind.as_table_mut()).for_each(&mut change);
    Ok(())
}

fn unbounded() -> Value {
    Value::Table(
        ["publish", "request"].map(|name| (name.to_owned(), Value::from("off"))).into_iter().collect(),
    )
}

fn table<'a>(parent: &'a mut Table, name: &str) -> Result<&'a mut Table> {
    parent
        .entry(name)
        .or_insert_with(|| Value::Table(Table::new()))
        .as_table_mut()
        .with_context(|| format!("{name} is a table"))
}

fn merge(into: &mut Table, changes: Table) {
    for (name, change) in changes {
        match (into.get_mut(&name), change) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, change) => {
                into.insert(name, change);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Rates, overlay};

    #[test]
    fn changes_reach_deep_and_leave_the_rest() {
        let shipped = "name = 'x'\n[vars.roomcast.kinds.chat]\nlog = { count = 5, age = '1d' }\n";
        let changes = "kinds.chat.log.count = 2\nkinds.small.access = 'public'";
        let config = overlay(shipped, changes, Rates::AsShipped).expect("TOML");
        let config: toml::Table = config.parse().expect("TOML");
        let kinds = &config["vars"]["roomcast"]["kinds"];
        assert_eq!(kinds["chat"]["log"]["count"].as_integer(), Some(2));
        assert_eq!(kinds["chat"]["log"]["age"].as_str(), Some("1d"));
        assert_eq!(kinds["small"]["access"].as_str(), Some("public"));
        assert_eq!(config["name"].as_str(), Some("x"));
    }
    #[test]
    fn rates_are_off_for_every_kind_that_sets_none() {
        let changes = "kinds.slow.rates = { publish = [1, 30] }\nkinds.small = {}";
        let shipped = "[vars.roomcast.kinds.chat]\nrates = { publish = [50, 100] }";
        let config = overlay(shipped, changes, Rates::Off).expect("TOML");
        let config: toml::Table = config.parse().expect("TOML");
        let kinds = &config["vars"]["roomcast"]["kinds"];
        assert_eq!(kinds["chat"]["rates"]["publish"].as_str(), Some("off"));
        assert_eq!(kinds["small"]["rates"]["request"].as_str(), Some("off"));
        assert_eq!(kinds["slow"]["rates"]["publish"][1].as_integer(), Some(30));
    }
}
