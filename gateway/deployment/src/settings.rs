//! What the gateway is told: the configuration and the keys, parsed once an isolate.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use auth::{ApiKeys, KeyError, Keys, Refusal, SigningKey, Token};
use js_sys::{JSON, Reflect};
use schemas::config::{Config, RELAY};
use wasm_bindgen::JsValue;
use worker::Env;

use crate::{log, webhooks::Endpoints};

const CONFIG: &str = "roomcast";
const KEYS: &str = "ROOMCAST_KEYS";
const API_KEYS: &str = "ROOMCAST_API_KEYS";
const SIGNING_KEY: &str = "ROOMCAST_SIGNING_KEY";
const WEBHOOKS: &str = "ROOMCAST_WEBHOOKS";
const DEV: &str = "ROOMCAST_DEV";

#[derive(Debug)]
pub struct Settings {
    pub config: Config,
    /// Changes as issuers publish other keys; [`keyring`](crate::keyring) sees to it.
    pub(crate) keys: RefCell<Keys>,
    pub api_keys: ApiKeys,
    pub signing_key: Option<SigningKey>,
    pub webhooks: Endpoints,
    /// `cargo xtask dev` serves: tokens for the asking, and the demo.
    pub dev: bool,
}

/// A mistake: in which binding, where in it, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{binding}: {path}: {message}")]
pub struct SettingsError {
    pub binding: &'static str,
    pub path: String,
    pub message: String,
}

/// The bindings' texts; those that are not bound are `None`.
#[derive(Debug, Default)]
pub struct Texts {
    pub config: Option<String>,
    pub keys: Option<String>,
    pub api_keys: Option<String>,
    pub signing_key: Option<String>,
    pub webhooks: Option<String>,
    pub dev: Option<String>,
    /// What a kind's `behavior` may name.
    pub behaviors: Vec<&'static str>,
}

thread_local! {
    static BEHAVIORS: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    static SETTINGS: OnceCell<Rc<Result<Settings, SettingsError>>> = const { OnceCell::new() };
}

/// Names what a kind's `behavior` may be, beside `relay`: before the settings are read.
pub fn know_behaviors(names: Vec<&'static str>) {
    BEHAVIORS.set(names);
}

impl Settings {
    /// The settings of this isolate. A mistake is logged when it is found, and answered on `/healthz`.
    pub fn of(env: &Env) -> Rc<Result<Settings, SettingsError>> {
        SETTINGS.with(|settings| {
            let read = || {
                let settings = Settings::parse(Texts::read(env));
                if let Err(error) = &settings {
                    log_mistake(error);
                }
                Rc::new(settings)
            };
            Rc::clone(settings.get_or_init(read))
        })
    }

    pub fn parse(texts: Texts) -> Result<Settings, SettingsError> {
        let config = texts.config.ok_or_else(|| SettingsError {
            binding: CONFIG,
            path: ".".into(),
            message: "is not bound: wrangler.toml has no [vars.roomcast]".into(),
        })?;
        let config = Config::parse(&config).map_err(|error| SettingsError {
            binding: CONFIG,
            path: error.path,
            message: error.message,
        })?;
        check_behaviors(&config, &texts.behaviors)?;
        let text = |text: Option<String>| text.unwrap_or_else(|| "[]".into());
        let mut keys = Keys::parse(&text(texts.keys)).map_err(in_binding(KEYS))?;
        let api_keys = ApiKeys::parse(&text(texts.api_keys)).map_err(in_binding(API_KEYS))?;
        let signing_key = texts
            .signing_key
            .as_deref()
            .map(SigningKey::parse)
            .transpose()
            .map_err(in_binding(SIGNING_KEY))?;
        if let Some(signing_key) = &signing_key {
            keys.trust(signing_key).map_err(in_binding(KEYS))?;
        }
        let webhooks = webhooks(&text(texts.webhooks), &config, signing_key.is_some())?;
        let (keys, dev) = (RefCell::new(keys), texts.dev.as_deref() == Some("1"));
        Ok(Settings { config, keys, api_keys, signing_key, webhooks, dev })
    }
}

impl Settings {
    /// Whose a token is, by the keys that are there. [`keyring::verify`](crate::keyring::verify) fetches others.
    ///
    /// # Errors
    /// As [`auth::verify`].
    pub fn verify(&self, token: &str, now_ms: u64) -> Result<Token, Refusal> {
        auth::verify(token, &self.keys.borrow(), now_ms)
    }
}

fn check_behaviors(config: &Config, known: &[&str]) -> Result<(), SettingsError> {
    let is_known = |name: &str| name == RELAY || known.contains(&name);
    let Some((kind, unknown)) = config.kinds.iter().find(|(_, kind)| !is_known(&kind.behavior)) else {
        return Ok(());
    };
    let names = [RELAY].iter().chain(known).copied().collect::<Vec<_>>().join(", ");
    Err(SettingsError {
        binding: CONFIG,
        path: format!("kinds.{}.behavior", kind.as_str()),
        message: format!("no behavior is registered as {:?}: there are {names}", unknown.behavior),
    })
}

fn webhooks(json: &str, config: &Config, has_signing_key: bool) -> Result<Endpoints, SettingsError> {
    let mistake = |path, message| SettingsError { binding: WEBHOOKS, path, message };
    let endpoints = Endpoints::parse(json, config).map_err(|error| mistake(error.path, error.message))?;
    if !endpoints.is_empty() && !has_signing_key {
        return Err(mistake(".".into(), format!("takes {SIGNING_KEY}, which signs what endpoints are sent")));
    }
    Ok(endpoints)
}

fn log_mistake(error: &SettingsError) {
    let line = log::error("misconfigured").with("binding", error.binding).with("path", error.path.as_str());
    line.message(&error.message).write();
}

fn in_binding(binding: &'static str) -> impl Fn(KeyError) -> SettingsError {
    move |error| SettingsError { binding, path: error.path, message: error.message }
}

impl Texts {
    fn read(env: &Env) -> Texts {
        Texts {
            config: text(env, CONFIG),
            keys: text(env, KEYS),
            api_keys: text(env, API_KEYS),
            signing_key: text(env, SIGNING_KEY),
            webhooks: text(env, WEBHOOKS),
            dev: text(env, DEV),
            behaviors: BEHAVIORS.with_borrow(Clone::clone),
        }
    }
}

/// A binding as text: a string as it is, an object as JSON. `None` where there is none.
fn text(env: &Env, name: &str) -> Option<String> {
    let value = Reflect::get(env, &JsValue::from_str(name)).ok()?;
    if value.is_undefined() || value.is_null() {
        return None;
    }
    value.as_string().or_else(|| JSON::stringify(&value).ok()?.as_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(change: impl FnOnce(&mut Texts)) -> Result<Settings, SettingsError> {
        let mut texts = Texts { config: Some(r#"{"kinds":{"chat":{}}}"#.into()), ..Texts::default() };
        change(&mut texts);
        Settings::parse(texts)
    }

    #[test]
    fn r_conf_1_keys_may_be_absent_and_dev_is_off() {
        let settings = parse(|_| {}).expect("a configuration");
        assert!(!settings.dev && settings.signing_key.is_none());
        assert!(parse(|texts| texts.dev = Some("1".into())).is_ok_and(|settings| settings.dev));
        assert!(parse(|texts| texts.dev = Some("true".into())).is_ok_and(|settings| !settings.dev));
    }

    #[test]
    fn r_beh_22_a_kinds_behavior_is_relay_or_one_that_is_registered() {
        let kinds = |behavior: &str| {
            let json = format!(r#"{{"kinds":{{"chat":{{}},"poll":{{"behavior":"{behavior}"}}}}}}"#);
            parse(|texts| (texts.config, texts.behaviors) = (Some(json), vec!["poll", "game"]))
        };
        assert!(kinds("relay").is_ok() && kinds("game").is_ok());
        let error = kinds("pole").expect_err("not registered");
        assert_eq!((error.binding, error.path.as_str()), (CONFIG, "kinds.poll.behavior"));
        assert!(error.message.contains("relay, poll, game"), "{error}");
    }

    type Change = fn(&mut Texts);

    #[test]
    fn r_conf_1_a_mistake_names_its_binding_and_path() {
        let rows: [(SettingsError, Change); 9] = [
            (expected(CONFIG, "."), |texts| texts.config = None),
            (expected(CONFIG, "kinds"), |texts| texts.config = Some(r#"{"kinds":{}}"#.into())),
            (expected(CONFIG, "kinds.chat.flush"), |texts| {
                texts.config = Some(r#"{"kinds":{"chat":{"flush":"soon"}}}"#.into());
            }),
            (expected(KEYS, "[0].alg"), |texts| texts.keys = Some(r#"[{"kid":"a","alg":"none"}]"#.into())),
            (expected(API_KEYS, "[0].sha256"), |texts| {
                texts.api_keys = Some(r#"[{"id":"a","sha256":"00"}]"#.into());
            }),
            (expected(SIGNING_KEY, "."), |texts| texts.signing_key = Some("short".into())),
            (expected(CONFIG, "kinds.chat.webhooks[1]"), |texts| {
                let told = r#"["member.joined","member.jointed"]"#;
                texts.config = Some(format!(r#"{{"kinds":{{"chat":{{"webhooks":{told}}}}}}}"#));
            }),
            (expected(WEBHOOKS, "[0].url"), |texts| {
                texts.webhooks = Some(r#"[{"id":"a","url":"https://127.0.0.1"}]"#.into());
            }),
            // Nothing could sign.
            (expected(WEBHOOKS, "."), |texts| {
                texts.webhooks = Some(r#"[{"id":"a","url":"https://a.example"}]"#.into());
            }),
        ];
        for (expected, change) in rows {
            let error = parse(change).expect_err(expected.binding);
            assert_eq!((error.binding, &error.path), (expected.binding, &expected.path), "{error}");
        }
    }

    #[test]
    fn r_conf_1_every_option_is_documented() {
        let page = include_str!("../../../docs/CONFIGURATION.md");
        let config = |json: &str| Texts { config: Some(json.into()), ..Texts::default() };
        let kind = |json: &str| config(&format!(r#"{{"kinds":{{"chat":{json}}}}}"#));
        let list = r#"[{"?":0}]"#;
        let secret = |texts: Texts| Texts { config: Some(r#"{"kinds":{"chat":{}}}"#.into()), ..texts };
        let tables = [
            ("", config(r#"{"?":0}"#)),
            ("rates.", config(r#"{"rates":{"?":0}}"#)),
            ("", kind(r#"{"?":0}"#)),
            ("log.", kind(r#"{"log":{"?":0}}"#)),
            ("presence.", kind(r#"{"presence":{"?":0}}"#)),
            ("limits.", kind(r#"{"limits":{"?":0}}"#)),
            ("rates.", kind(r#"{"rates":{"?":0}}"#)),
            ("", secret(Texts { keys: Some(list.into()), ..Texts::default() })),
            ("", secret(Texts { api_keys: Some(list.into()), ..Texts::default() })),
            ("", secret(Texts { webhooks: Some(list.into()), ..Texts::default() })),
        ];
        for (prefix, texts) in tables {
            let message = Settings::parse(texts).expect_err("there is no such option").message;
            let (_, options) = message.split_once("expected ").expect("names what there is");
            let options: Vec<&str> = options.split('`').skip(1).step_by(2).collect();
            assert!(options.len() > 1, "{message}");
            for option in options {
                let is_table = page.contains(&format!("`{option}."));
                assert!(is_table || page.contains(&format!("`{prefix}{option}`")), "no `{prefix}{option}`");
            }
        }
    }

    fn expected(binding: &'static str, path: &str) -> SettingsError {
        SettingsError { binding, path: path.into(), message: String::new() }
    }
}
