//! The shipped `wrangler.toml` with a test's changes laid over it.

use anyhow::{Context as _, Result};
use toml::{Table, Value};

/// `shipped` with `changes`, which are TOML relative to `[vars.roomcast]`.
pub fn overlay(shipped: &str, changes: &str) -> Result<String> {
    let mut config: Table = shipped.parse().context("the shipped wrangler.toml")?;
    let changes: Table = changes.parse().context("the test's changes to the configuration")?;
    let vars = table(&mut config, "vars")?;
    merge(table(vars, "roomcast")?, changes);
    toml::to_string(&config).context("write the configuration")
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
    use super::overlay;

    #[test]
    fn changes_reach_deep_and_leave_the_rest() {
        let shipped = "name = 'x'\n[vars.roomcast.kinds.chat]\nlog = { count = 5, age = '1d' }\n";
        let config =
            overlay(shipped, "kinds.chat.log.count = 2\nkinds.small.access = 'public'").expect("TOML");
        let config: toml::Table = config.parse().expect("TOML");
        let kinds = &config["vars"]["roomcast"]["kinds"];
        assert_eq!(kinds["chat"]["log"]["count"].as_integer(), Some(2));
        assert_eq!(kinds["chat"]["log"]["age"].as_str(), Some("1d"));
        assert_eq!(kinds["small"]["access"].as_str(), Some("public"));
        assert_eq!(config["name"].as_str(), Some("x"));
    }
}
