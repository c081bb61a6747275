//! `wrangler.toml`, the one configuration file: what of it a workerd needs.

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Clone, Debug, Deserialize)]
pub struct Wrangler {
    pub name: String,
    pub compatibility_date: String,
    #[serde(default)]
    pub compatibility_flags: Vec<String>,
    #[serde(default)]
    pub vars: BTreeMap<String, Value>,
    #[serde(default)]
    pub durable_objects: DurableObjects,
    #[serde(default)]
    pub migrations: Vec<Migration>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct DurableObjects {
    #[serde(default)]
    pub bindings: Vec<ObjectBinding>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct ObjectBinding {
    pub name: String,
    pub class_name: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Migration {
    pub tag: String,
    #[serde(default)]
    pub new_sqlite_classes: Vec<String>,
    #[serde(default)]
    pub new_classes: Vec<String>,
    #[serde(default)]
    pub deleted_classes: Vec<String>,
}

impl Wrangler {
    /// Reads and checks the file. A mistake is named with its path and what would be right.
    pub fn read(path: &Path) -> Result<Wrangler> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Wrangler::parse(&text).with_context(|| format!("{} is not right", path.display()))
    }

    pub fn parse(text: &str) -> Result<Wrangler> {
        let wrangler: Wrangler = toml::from_str(text)?;
        wrangler.check_objects()?;
        wrangler.check_roomcast()?;
        Ok(wrangler)
    }

    /// The classes that hold objects, those that bindings name.
    #[must_use]
    pub fn classes(&self) -> BTreeSet<&str> {
        self.durable_objects.bindings.iter().map(|binding| binding.class_name.as_str()).collect()
    }

    fn check_objects(&self) -> Result<()> {
        let mut migrated = BTreeSet::new();
        for migration in &self.migrations {
            if let Some(class) = migration.new_classes.first() {
                bail!("migrations.{}: {class} has no SQLite; list it in new_sqlite_classes", migration.tag);
            }
            migrated.extend(migration.new_sqlite_classes.iter().map(String::as_str));
            for class in &migration.deleted_classes {
                ensure!(
                    migrated.remove(class.as_str()),
                    "migrations.{}: {class} was never made",
                    migration.tag
                );
            }
        }
        for class in self.classes() {
            ensure!(
                migrated.contains(class),
                "durable_objects.bindings: no migration makes the class {class}"
            );
        }
        for class in migrated {
            ensure!(self.classes().contains(class), "migrations: the class {class} has no binding");
        }
        Ok(())
    }

    fn check_roomcast(&self) -> Result<()> {
        let roomcast = self.vars.get("roomcast").context("[vars.roomcast] is missing")?;
        schemas::config::Config::parse(&roomcast.to_string()).context("[vars.roomcast]")?;
        Ok(())
    }

    /// Takes away the bounds of callers' rates, where the file sets none: what is measured here comes from one address.
    pub fn unbound_callers(&mut self) {
        if let Some(roomcast) = self.vars.get_mut("roomcast").and_then(Value::as_object_mut) {
            let unbound = json!({ "user": "off", "key": "off", "address": "off" });
            roomcast.entry("rates").or_insert(unbound);
        }
    }

    /// Adds the kind `load`: `chat` without rates and without a cap of connections a user, for measuring. One that
    /// the file declares itself stands.
    pub fn add_load_kind(&mut self) -> Result<()> {
        let Some(kinds) = self.vars.get_mut("roomcast").and_then(|roomcast| roomcast.get_mut("kinds")) else {
            return Ok(());
        };
        let Some(kinds) = kinds.as_object_mut() else { return Ok(()) };
        let Some(mut load) = kinds.get("chat").cloned() else { return Ok(()) };
        let chat = load.as_object_mut().context("[vars.roomcast.kinds.chat] is not a table")?;
        let limits = chat.entry("limits").or_insert_with(|| json!({}));
        let limits = limits.as_object_mut().context("kinds.chat.limits is not a table")?;
        let everyone = limits.get("connections").cloned();
        limits.insert("connections_user".into(), everyone.unwrap_or(json!(32_000)));
        chat.insert("rates".into(), json!({ "publish": "off", "request": "off" }));
        kinds.entry("load").or_insert(load);
        self.check_roomcast()
    }
}

#[cfg(test)]
mod tests {
    use super::Wrangler;

    const RIGHT: &str = r#"
        name = "roomcast"
        compatibility_date = "2026-11-01"
        [[durable_objects.bindings]]
        name = "ROOMS"
        class_name = "Room"
        [[migrations]]
        tag = "v1"
        new_sqlite_classes = ["Room"]
        [vars.roomcast.kinds.chat]
        access = "token"
    "#;

    fn refusal(text: &str) -> String {
        format!("{:#}", Wrangler::parse(text).expect_err("is refused"))
    }

    #[test]
    fn the_load_kind_is_chat_without_a_cap_of_connections_a_user() {
        let mut wrangler = Wrangler::parse(RIGHT).expect("is right");
        wrangler.add_load_kind().expect("is right");
        let kinds = &wrangler.vars["roomcast"]["kinds"];
        assert_eq!(kinds["load"]["access"], "token");
        assert_eq!(kinds["load"]["limits"]["connections_user"], 32_000);
        assert_eq!(kinds["load"]["rates"]["publish"], "off");
        assert!(kinds["chat"].get("limits").is_none());
    }

    #[test]
    fn callers_have_no_rates_where_the_file_sets_none() {
        let mut wrangler = Wrangler::parse(RIGHT).expect("is right");
        wrangler.unbound_callers();
        assert_eq!(wrangler.vars["roomcast"]["rates"]["user"], "off");
        let own = format!("{RIGHT}\n[vars.roomcast.rates]\nuser = [1, 5]\n");
        let mut wrangler = Wrangler::parse(&own).expect("is right");
        wrangler.unbound_callers();
        assert_eq!(wrangler.vars["roomcast"]["rates"]["user"][1], 5);
    }

    #[test]
    fn a_mistake_is_named_with_its_path() {
        let refusal = refusal(&RIGHT.replace("\"token\"", "\"secret\""));
        assert!(refusal.contains("kinds.chat.access"), "{refusal}");
    }

    #[test]
    fn a_class_without_a_migration_is_refused() {
        let refusal = refusal(&RIGHT.replace("[\"Room\"]", "[]"));
        assert!(refusal.contains("no migration makes the class Room"), "{refusal}");
    }
}
