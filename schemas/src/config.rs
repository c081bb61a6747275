//! What a team writes under `[vars.roomcast]` in wrangler.toml, parsed into types.
//!
//! The gateway and every room parse it when they start; a mistake names its path and what would be right, and
//! nothing is half-applied.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde::{Deserialize, Deserializer, de};

use crate::{
    claims::{Capabilities, Capability},
    ids::{KindName, Tenant},
    limits,
    webhook::EventSet,
};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Exact origins (scheme, host, port) that browsers may come from; empty allows any.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// Whether `?token=` is read. Off by default: addresses end up in logs.
    #[serde(default)]
    pub query_token: bool,
    /// How a room knows what a connection has not received.
    #[serde(default)]
    pub acks: Acks,
    /// How fast callers may connect and call, over all gateways.
    #[serde(default)]
    pub rates: CallerRates,
    /// The header in which a proxy in front of the gateway names the client's address. Without, it is what Cloudflare
    /// says.
    #[serde(default)]
    pub client_address_header: Option<String>,
    /// Whose a request is by the host that it was sent to; without a port.
    #[serde(default)]
    pub tenants: BTreeMap<String, Tenant>,
    /// Whether rooms write a line for each connection that begins and ends.
    #[serde(default = "yes")]
    pub log_connections: bool,
    pub kinds: BTreeMap<KindName, KindConfig>,
}

/// How the rooms of one kind behave.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindConfig {
    #[serde(default)]
    pub access: Access,
    #[serde(default)]
    pub log: LogConfig,
    #[serde(default)]
    pub presence: PresenceConfig,
    /// A flush follows the one before by at least this. 0: each event-loop turn.
    #[serde(default, rename = "flush", deserialize_with = "duration")]
    pub flush_ms: u64,
    #[serde(default)]
    pub limits: KindLimits,
    #[serde(default)]
    pub rates: Rates,
    /// How long a publish may be repeated under its `key`.
    #[serde(default = "key_window", rename = "key_window", deserialize_with = "duration")]
    pub key_window_ms: u64,
    /// A vacant room that nothing touched for so long is idle.
    #[serde(default = "idle_after", rename = "idle_after", deserialize_with = "duration")]
    pub idle_after_ms: u64,
    /// A vacant room that nothing touched for so long is deleted, with all it stored.
    #[serde(default = "expire_after", rename = "expire_after", deserialize_with = "duration")]
    pub expire_after_ms: u64,
    /// What those without a token may do where `access` is `public`.
    #[serde(default = "default_capabilities")]
    pub default_capabilities: Capabilities,
    /// What endpoints are told of these rooms.
    #[serde(default)]
    pub webhooks: EventSet,
    /// The server logic of these rooms, by the name it is registered under; `relay` is none.
    #[serde(default = "relay")]
    pub behavior: String,
}

impl Default for KindConfig {
    fn default() -> Self {
        KindConfig {
            access: Access::default(),
            log: LogConfig::default(),
            presence: PresenceConfig::default(),
            flush_ms: 0,
            limits: KindLimits::default(),
            rates: Rates::default(),
            key_window_ms: key_window(),
            idle_after_ms: idle_after(),
            expire_after_ms: expire_after(),
            default_capabilities: default_capabilities(),
            webhooks: EventSet::default(),
            behavior: relay(),
        }
    }
}

/// Whether clients are asked to say how much they have handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acks {
    /// Only where the platform does not tell what is unsent (`bufferedAmount`).
    #[default]
    Auto,
    Always,
}

/// What one connection may ask for. Over it a request is `rate_limited`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Publishes, edits, removals and reactions; `None` for no bound.
    #[serde(deserialize_with = "rate")]
    pub publish: Option<Rate>,
    /// All else, but for `ack`, `auth`, `hello` and `leave`.
    #[serde(deserialize_with = "rate")]
    pub request: Option<Rate>,
}

/// What one caller may ask of the gateway: connections and calls of the HTTP API together; `None` for no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallerRates {
    /// One user of one tenant.
    #[serde(deserialize_with = "rate")]
    pub user: Option<Rate>,
    /// One API key.
    #[serde(deserialize_with = "rate")]
    pub key: Option<Rate>,
    /// One network address, before anything else is looked at.
    #[serde(deserialize_with = "rate")]
    pub address: Option<Rate>,
}

impl Default for CallerRates {
    fn default() -> Self {
        let (per_second, burst) = limits::CALLER_RATE_DEFAULT;
        let rate = Some(Rate { per_second, burst });
        CallerRates { user: rate, key: None, address: rate }
    }
}

impl Default for Rates {
    fn default() -> Self {
        let rate = |(per_second, burst)| Some(Rate { per_second, burst });
        Rates { publish: rate(limits::PUBLISH_RATE_DEFAULT), request: rate(limits::REQUEST_RATE_DEFAULT) }
    }
}

impl Rates {
    pub const OFF: Rates = Rates { publish: None, request: None };
}

/// So many a second, and so many at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub per_second: u32,
    pub burst: u32,
}

/// `[50, 100]` or `"off"`.
fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Rate>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Numbers(u32, u32),
        Word(String),
    }
    match Written::deserialize(deserializer) {
        Ok(Written::Numbers(per_second, burst))
            if (1..=RATE_MAX).contains(&per_second) && (1..=RATE_MAX).contains(&burst) =>
        {
            Ok(Some(Rate { per_second, burst }))
        }
        Ok(Written::Word(word)) if word == "off" => Ok(None),
        _ => Err(de::Error::custom(format!(
            "is not [a second, burst], both 1 to {RATE_MAX}, such as [50, 100], nor \"off\""
        ))),
    }
}

/// The behavior of rooms without server logic.
pub const RELAY: &str = "relay";

fn relay() -> String {
    RELAY.into()
}

fn yes() -> bool {
    true
}

const RATE_MAX: u32 = 100_000;

fn key_window() -> u64 {
    limits::KEY_WINDOW_DEFAULT_MS
}

fn idle_after() -> u64 {
    limits::IDLE_AFTER_DEFAULT_MS
}

fn expire_after() -> u64 {
    limits::EXPIRE_AFTER_DEFAULT_MS
}

/// Who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Anyone, with `default_capabilities` where there is no token.
    Public,
    #[default]
    Token,
    /// API keys only.
    Service,
}

/// How much of the log is kept: whichever bound is reached first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Publications. 0 keeps none, and promises no durability.
    pub count: u64,
    #[serde(rename = "age", deserialize_with = "duration")]
    pub age_ms: u64,
    pub bytes: u64,
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig {
            count: limits::LOG_COUNT_DEFAULT,
            age_ms: limits::LOG_AGE_DEFAULT_MS,
            bytes: limits::LOG_BYTES_DEFAULT,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PresenceConfig {
    pub mode: PresenceMode,
    /// Above so many members the room tells occupancy only.
    pub full_max: u32,
    /// How long a member stays after its connection was lost.
    #[serde(rename = "grace", deserialize_with = "duration")]
    pub grace_ms: u64,
}

impl Default for PresenceConfig {
    fn default() -> Self {
        PresenceConfig {
            mode: PresenceMode::Full,
            full_max: limits::PRESENCE_FULL_DEFAULT,
            grace_ms: limits::GRACE_DEFAULT_MS,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PresenceMode {
    /// Member lists and diffs.
    Full,
    /// Numbers only, at most once a second.
    Count,
    /// Nothing is told.
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KindLimits {
    pub payload_bytes: u32,
    pub connections: u32,
    pub connections_user: u32,
}

impl Default for KindLimits {
    fn default() -> Self {
        KindLimits {
            payload_bytes: limits::PAYLOAD_BYTES_DEFAULT as u32,
            connections: limits::CONNECTIONS_DEFAULT,
            connections_user: limits::CONNECTIONS_USER_DEFAULT,
        }
    }
}

fn default_capabilities() -> Capabilities {
    [Capability::Join, Capability::Publish, Capability::Presence, Capability::History].into_iter().collect()
}

/// A mistake in the configuration: where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("roomcast.{path}: {message}")]
pub struct ConfigError {
    pub path: String,
    pub message: String,
}

impl Config {
    /// Parses the JSON form of `[vars.roomcast]`.
    ///
    /// # Errors
    /// The first mistake, with its path.
    pub fn parse(json: &str) -> Result<Config, ConfigError> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let config: Config = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let message = error.inner().to_string();
            // Where it stands in JSON that nobody wrote helps nobody.
            let message = message.split_once(" at line ").map_or(&*message, |(message, _)| message);
            mistake(&error.path().to_string(), message.to_string())
        })?;
        deserializer.end().map_err(|error| mistake("", error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.kinds.is_empty() {
            return Err(mistake("kinds", "declares no kind".into()));
        }
        for origin in &self.allowed_origins {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if host.is_none_or(|host| host.is_empty() || host.contains('/')) {
                let message = format!("{origin:?} is not an origin such as \"https://app.example\"");
                return Err(mistake("allowed_origins", message));
            }
        }
        let rates = [("user", self.rates.user), ("key", self.rates.key), ("address", self.rates.address)];
        for (name, rate) in rates {
            if rate.is_some_and(|rate| rate.burst > rate.per_second.saturating_mul(10)) {
                let message = "has a burst that takes more than 10 s to be had again".to_string();
                return Err(mistake(&format!("rates.{name}"), message));
            }
        }
        let is_header = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if let Some(header) = &self.client_address_header
            && (header.is_empty() || !header.bytes().all(is_header))
        {
            return Err(mistake("client_address_header", format!("{header:?} is not a header's name")));
        }
        let is_host = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        if let Some(host) = self.tenants.keys().find(|host| host.is_empty() || !host.bytes().all(is_host)) {
            return Err(mistake(
                "tenants",
                format!("{host:?} is not a host's name in lower case, without a port"),
            ));
        }
        self.kinds.iter().try_for_each(|(name, kind)| kind.check(name))
    }
}

const TEN_YEARS_MS: u64 = 3_650 * 24 * 60 * 60 * 1000;

impl KindConfig {
    fn check(&self, name: &KindName) -> Result<(), ConfigError> {
        let within = |field: &str, value: u64, min: u64, max: u64| {
            if (min..=max).contains(&value) {
                return Ok(());
            }
            Err(mistake(&format!("kinds.{name}.{field}"), format!("is {value}, and must be {min} to {max}")))
        };
        within(
            "limits.payload_bytes",
            self.limits.payload_bytes.into(),
            1,
            limits::PAYLOAD_BYTES_HARD as u64,
        )?;
        within("limits.connections", self.limits.connections.into(), 1, limits::CONNECTIONS_HARD.into())?;
        within(
            "limits.connections_user",
            self.limits.connections_user.into(),
            1,
            limits::CONNECTIONS_HARD.into(),
        )?;
        within("flush", self.flush_ms, 0, 60_000)?;
        within("presence.grace", self.presence.grace_ms, 0, 24 * 60 * 60 * 1000)?;
        within("key_window", self.key_window_ms, 1_000, limits::KEY_WINDOW_HARD_MS)?;
        within("idle_after", self.idle_after_ms, 1_000, TEN_YEARS_MS)?;
        within("expire_after", self.expire_after_ms, self.idle_after_ms, TEN_YEARS_MS)?;
        within("log.count", self.log.count, 0, 100_000_000)
    }
}

fn mistake(path: &str, message: String) -> ConfigError {
    ConfigError { path: path.to_string(), message }
}

/// `"250ms"`, `"10s"`, `"5m"`, `"1h"` or `"30d"`, in milliseconds.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).ok_or_else(|| {
        de::Error::custom(format!(
            "{text:?} is not a duration such as \"250ms\", \"10s\", \"5m\", \"1h\" or \"30d\""
        ))
    })
}

/// `None` for anything but a whole number and a unit of ms, s, m, h, d, and where milliseconds overflow.
#[must_use]
pub fn parse_duration(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let value: u64 = text[..digits].parse().ok()?;
    let unit_ms = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    value.checked_mul(unit_ms)
}
