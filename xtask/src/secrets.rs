//! The secrets of a gateway under development: those that are given, and stand-ins for the rest.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The API key of every development gateway: tenant `default`, every scope.
pub const DEV_API_KEY: &str = "rk_dev_dev";

/// Bytes of an Ed25519 seed.
const SEED_BYTES: usize = 32;

pub type Secrets = BTreeMap<String, String>;

/// Those of the environment and of `.dev.vars` in `directory`, which is wrangler's file for the same purpose.
/// The environment wins.
pub fn given(directory: &Path) -> Result<Secrets> {
    let file = directory.join(".dev.vars");
    let mut secrets = match std::fs::read_to_string(&file) {
        Ok(text) => parse(&text).with_context(|| format!("{} is not right", file.display()))?,
        Err(error) if error.kind() == ErrorKind::NotFound => Secrets::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    for name in ["ROOMCAST_KEYS", "ROOMCAST_API_KEYS", "ROOMCAST_SIGNING_KEY", "ROOMCAST_WEBHOOKS"] {
        if let Ok(value) = std::env::var(name) {
            secrets.insert(name.into(), value);
        }
    }
    Ok(secrets)
}

/// `secrets` with stand-ins for what is missing. The signing key is made once and kept in `data`, so that tokens
/// outlive a restart.
pub fn with_stand_ins(mut secrets: Secrets, data: &Path) -> Result<Secrets> {
    secrets.entry("ROOMCAST_API_KEYS".into()).or_insert_with(api_keys);
    secrets.entry("ROOMCAST_KEYS".into()).or_insert_with(|| "[]".into());
    if !secrets.contains_key("ROOMCAST_SIGNING_KEY") {
        secrets.insert("ROOMCAST_SIGNING_KEY".into(), signing_key(&data.join("signing-key"))?);
    }
    Ok(secrets)
}

fn api_keys() -> String {
    let sha256 = Sha256::digest(DEV_API_KEY).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    json!([{ "id": "dev", "sha256": sha256, "tenant": "default" }]).to_string()
}

fn signing_key(path: &Path) -> Result<String> {
    match std::fs::read_to_string(path) {
        Ok(key) => return Ok(key.trim().to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    let mut seed = [0; SEED_BYTES];
    let mut random = File::open("/dev/urandom").context("cannot open /dev/urandom")?;
    random.read_exact(&mut seed).context("cannot read /dev/urandom")?;
    let key = BASE64_URL_SAFE_NO_PAD.encode(seed);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot create {}", path.display()))?;
    file.write_all(key.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(key)
}

/// Lines of `NAME=value`, the value in single or double quotes or bare; `#` begins a comment line.
fn parse(text: &str) -> Result<Secrets> {
    let mut secrets = Secrets::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            bail!("line {} is not NAME=value", number + 1);
        };
        let value = value.trim();
        let bare = ['"', '\'']
            .into_iter()
            .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
            .unwrap_or(value);
        secrets.insert(name.trim().into(), bare.into());
    }
    Ok(secrets)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn quotes_come_off_and_comments_are_skipped() {
        let secrets = parse("# keys\nA=1\nB='[{\"kid\":\"x\"}]'\n\nC = \"=\"\n").expect("is right");
        assert_eq!(secrets["A"], "1");
        assert_eq!(secrets["B"], "[{\"kid\":\"x\"}]");
        assert_eq!(secrets["C"], "=");
        assert!(parse("nonsense").is_err());
    }
}
