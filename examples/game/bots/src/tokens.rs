//! How bots are let in: tokens from `cargo xtask dev`, or, with an API key, from any deployment that signs its own.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

/// Where tokens come from.
#[derive(Debug, Clone)]
pub struct Tokens {
    address: String,
    key: Option<String>,
}

impl Tokens {
    /// `url` is the deployment's, `key` an API key of it; without one it must be a development server.
    #[must_use]
    pub fn new(url: &str, key: Option<String>) -> Tokens {
        let path = if key.is_some() { "/v1/tokens" } else { "/dev/token" };
        Tokens { address: format!("{}{path}", url.trim_end_matches('/')), key }
    }

    /// A token with which `user` may play in `room` for an hour. Blocks.
    ///
    /// # Errors
    /// Where the deployment cannot be reached, or gives none.
    pub fn fetch(&self, user: &str, room: &str, name: &str) -> Result<String> {
        let wanted = json!({
            "sub": user,
            "rooms": { room: ["join", "publish", "presence", "call"] },
            "ttl": 3600,
            "info": { "name": name, "bot": true },
        });
        let request = ureq::post(&self.address).config().http_status_as_error(false).build();
        let request = match &self.key {
            Some(key) => request.header("authorization", format!("Bearer {key}")),
            None => request,
        };
        let mut answer = request.send_json(wanted).with_context(|| format!("cannot ask {}", self.address))?;
        ensure!(answer.status().is_success(), "{} answered {}", self.address, answer.status());
        let answer: Value = answer.body_mut().read_json().context("the answer is no JSON")?;
        Ok(answer["token"].as_str().context("the answer has no token")?.to_owned())
    }
}
