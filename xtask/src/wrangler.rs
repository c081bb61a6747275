//! `wrangler.toml`, the one configuration file: what of it a workerd needs.

use anyhow::{Context as _, Result, bail, ensure};
use schemas::config::{Config, RELAY};
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
    #[serde(default)]
    pub services: Vec<ServiceBinding>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct ServiceBinding {
    pub binding: String,
    /// A Worker, by its name.
    pub service: String,
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
    /// The Worker that the class is of, where it is another.
    pub script_name: Option<String>,
}

/// The objects that the gateway asks for: binding and class.
const OBJECTS: [(&str, &str); 3] = [("ROOMS", "Room"), ("DIRECTORY", "Directory"), ("LIMITER", "Limiter")];

#[derive(Clone, Debug, Deserialize)]
pub struct Migration {
    pub tag: String,
    #[serde(default)]
    pub new_sqlite_classes: Vec<String>,
    #[serde(default)]
    pub new_classes: Vec<String>,
    #[serde(default)]
    pub deleted_classes: Vec<String>,
    #[serde(default)]
    pub renamed_classes: Vec<Renamed>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Renamed {
    pub from: String,
    pub to: String,
}

impl Wrangler {
    /// Reads and checks the file. A mistake is named with its path and what would be right.
    pub fn read(path: &Path) -> Result<Wrangler> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Wrangler::parse(&text).with_context(|| format!("{} is not right", path.display()))
    }

    /// As it stands, for a Worker that is no gateway.
    pub fn read_as_is(path: &Path) -> Result<Wrangler> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not right", path.display()))
    }

    pub fn parse(text: &str) -> Result<Wrangler> {
        let wrangler: Wrangler = toml::from_str(text)?;
        wrangler.check_objects()?;
        wrangler.check_roomcast()?;
        Ok(wrangler)
    }

    /// The classes that hold objects, those of its own that bindings name.
    #[must_use]
    pub fn classes(&self) -> BTreeSet<&str> {
        let bindings = self.durable_objects.bindings.iter();
        let own = bindings.filter(|binding| binding.script_name.is_none());
        own.map(|binding| binding.class_name.as_str()).collect()
    }

    /// Fails where a kind has a behavior that is none of `registered`.
    pub fn check_behaviors(&self, registered: &BTreeSet<&str>) -> Result<()> {
        for (kind, behavior) in self.config()?.kinds.iter().map(|(kind, of)| (kind, of.behavior.as_str())) {
            let is_known = behavior == RELAY || registered.contains(behavior);
            let known: Vec<&str> = [RELAY].iter().chain(registered).copied().collect();
            ensure!(
                is_known,
                "vars.roomcast.kinds.{kind}.behavior: {behavior:?} is not registered; there are {}",
                known.join(", ")
            );
        }
        Ok(())
    }

    /// Those of `registered` that no kind has.
    pub fn idle_behaviors<'a>(&self, registered: &BTreeSet<&'a str>) -> Result<Vec<&'a str>> {
        let config = self.config()?;
        let is_had = |name: &str| config.kinds.values().any(|kind| kind.behavior == name);
        Ok(registered.iter().copied().filter(|name| !is_had(name)).collect())
    }

    fn check_objects(&self) -> Result<()> {
        let bindings = &self.durable_objects.bindings;
        let mut names = BTreeSet::new();
        for name in bindings.iter().map(|binding| &binding.name) {
            ensure!(names.insert(name), "durable_objects.bindings.{name}: two have this name");
        }
        for (name, class) in OBJECTS {
            let binding = bindings.iter().find(|binding| binding.name == name);
            let binding = binding.with_context(|| {
                format!("durable_objects.bindings: {name} is missing; it binds the class {class}")
            })?;
            ensure!(
                binding.class_name == class && binding.script_name.is_none(),
                "durable_objects.bindings.{name}: the class must be {class}, and of this Worker"
            );
        }
        let migrated = self.migrated()?;
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

    /// The classes that are there once all migrations have run.
    fn migrated(&self) -> Result<BTreeSet<&str>> {
        let mut migrated: BTreeSet<&str> = BTreeSet::new();
        let mut tags = BTreeSet::new();
        for migration in &self.migrations {
            let tag = &migration.tag;
            ensure!(!tag.is_empty(), "migrations: one has an empty tag");
            ensure!(tags.insert(tag), "migrations.{tag}: two have this tag");
            if let Some(class) = migration.new_classes.first() {
                bail!("migrations.{tag}: {class} has no SQLite; list it in new_sqlite_classes");
            }
            let renamed = migration.renamed_classes.iter();
            let gone = migration.deleted_classes.iter().chain(renamed.clone().map(|renamed| &renamed.from));
            for class in gone {
                ensure!(migrated.remove(class.as_str()), "migrations.{tag}: {class} was never made");
            }
            for class in migration.new_sqlite_classes.iter().chain(renamed.map(|renamed| &renamed.to)) {
                ensure!(migrated.insert(class.as_str()), "migrations.{tag}: {class} was made before");
            }
        }
        Ok(migrated)
    }

    fn check_roomcast(&self) -> Result<()> {
        self.config().map(drop)
    }

    fn config(&self) -> Result<Config> {
        let roomcast = self.vars.get("roomcast").context("[vars.roomcast] is missing")?;
        Config::parse(&roomcast.to_string()).context("[vars.roomcast]")
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
    use std::collections::BTreeSet;

    const RIGHT: &str = r#"
        name = "roomcast"
        compatibility_date = "2026-11-01"
        [[durable_objects.bindings]]
        name = "ROOMS"
        class_name = "Room"
        [[durable_objects.bindings]]
        name = "DIRECTORY"
        class_name = "Directory"
        [[durable_objects.bindings]]
        name = "LIMITER"
        class_name = "Limiter"
        [[migrations]]
        tag = "v1"
        new_sqlite_classes = ["Room", "Directory", "Limiter"]
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
        let refusal = refusal(&RIGHT.replace("[\"Room\", ", "["));
        assert!(refusal.contains("no migration makes the class Room"), "{refusal}");
    }

    #[test]
    fn bindings_classes_and_migrations_must_agree() {
        let wrong = [
            (
                RIGHT.replace("\"LIMITER\"", "\"LIMITS\""),
                "bindings: LIMITER is missing; it binds the class Limiter",
            ),
            (RIGHT.replace("= \"Limiter\"", "= \"Room\""), "bindings.LIMITER: the class must be Limiter"),
            (
                RIGHT.replace("\"Limiter\"]", "\"Limiter\", \"Lobby\"]"),
                "migrations: the class Lobby has no binding",
            ),
            (
                RIGHT.replace("[[migrations]]", "[[durable_objects.bindings]]\nname = \"ROOMS\"\nclass_name = \"Limiter\"\n[[migrations]]"),
                "bindings.ROOMS: two have this name",
            ),
            (RIGHT.replace("\"v1\"", "\"\""), "migrations: one has an empty tag"),
            (RIGHT.replace("new_sqlite_classes", "new_classes"), "migrations.v1: Room has no SQLite"),
            (format!("{RIGHT}\n[[migrations]]\ntag = \"v1\""), "migrations.v1: two have this tag"),
            (
                format!("{RIGHT}\n[[migrations]]\ntag = \"v2\"\nnew_sqlite_classes = [\"Room\"]"),
                "migrations.v2: Room was made before",
            ),
            (
                format!("{RIGHT}\n[[migrations]]\ntag = \"v2\"\ndeleted_classes = [\"Lobby\"]"),
                "migrations.v2: Lobby was never made",
            ),
        ];
        for (text, expected) in wrong {
            let refusal = refusal(&text);
            assert!(refusal.contains(expected), "{expected}: {refusal}");
        }
        let renamed =
            "\n[[migrations]]\ntag = \"v2\"\nrenamed_classes = [{ from = \"Lobby\", to = \"Room\" }]";
        let renamed = RIGHT.replace("[\"Room\", ", "[\"Lobby\", ") + renamed;
        assert!(Wrangler::parse(&renamed).is_ok());
        let of_another =
            "\n[[durable_objects.bindings]]\nname = \"O\"\nclass_name = \"O\"\nscript_name = \"other\"";
        let wrangler = Wrangler::parse(&format!("{RIGHT}{of_another}")).expect("is right");
        assert!(!wrangler.classes().contains("O"), "the class of another Worker needs no migration here");
    }

    #[test]
    fn a_kind_names_a_behavior_that_is_registered() {
        let registered = BTreeSet::from(["dice", "poll"]);
        let check = |text: &str| Wrangler::parse(text).expect("is right").check_behaviors(&registered);
        assert!(check(RIGHT).is_ok(), "a kind without a behavior relays");
        assert!(check(&format!("{RIGHT}behavior = \"poll\"")).is_ok());
        let one = Wrangler::parse(&format!("{RIGHT}behavior = \"poll\"")).expect("is right");
        assert_eq!(one.idle_behaviors(&registered).expect("is right"), ["dice"]);
        let error = check(&format!("{RIGHT}behavior = \"pol\"")).expect_err("is refused").to_string();
        let said =
            "vars.roomcast.kinds.chat.behavior: \"pol\" is not registered; there are relay, dice, poll";
        assert_eq!(error, said);
    }
}
