//! An issuer of tokens in another language: `tests/issuer/issuer.mjs`, a process of Node.

use crate::http::Call;
use crate::tokens::now_s;
use anyhow::{Context as _, Result};
use hyper::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Its `iss`.
pub const ISS: &str = "https://issuer.example";

/// A running issuer. It publishes one key of each public algorithm, named like it. Dropping it ends it.
#[derive(Debug)]
pub struct Issuer {
    process: Child,
    authority: String,
}

impl Issuer {
    pub async fn start() -> Result<Issuer> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("issuer/issuer.mjs");
        let mut process = Command::new("node")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("start node")?;
        let stdout = process.stdout.take().context("node's output is piped")?;
        let port = BufReader::new(stdout).lines().next_line().await?.context("the issuer prints its port")?;
        Ok(Issuer { process, authority: format!("127.0.0.1:{port}") })
    }

    /// The entry of `ROOMCAST_KEYS` that trusts it.
    #[must_use]
    pub fn entry(&self) -> Value {
        json!({ "jwks_url": format!("http://{}/jwks", self.authority), "allow_http": true, "iss": ISS })
    }

    /// A new key, which is not published; the entry of `ROOMCAST_KEYS` that trusts it.
    pub async fn make(&self, kid: &str, alg: &str) -> Result<Value> {
        self.ask("/make", json!({ "kid": kid, "alg": alg })).await
    }

    /// What the set shows from now on.
    pub async fn publish(&self, kids: &[&str]) -> Result<()> {
        self.ask("/publish", json!({ "kids": kids })).await.map(drop)
    }

    /// How the set is served from now on: `good`, or one of the script's modes.
    pub async fn serve(&self, mode: &str) -> Result<()> {
        self.ask("/serve", json!({ "mode": mode })).await.map(drop)
    }

    /// A token for `ann`, of an hour, with all rights in `room`.
    pub async fn token(&self, kid: &str, room: &str) -> Result<String> {
        let claims = json!({ "iss": ISS, "sub": "ann", "rooms": { room: ["*"] }, "exp": now_s() + 3600 });
        self.sign(kid, &claims, &json!({})).await
    }

    pub async fn sign(&self, kid: &str, claims: &Value, header: &Value) -> Result<String> {
        let answer = self.ask("/sign", json!({ "kid": kid, "claims": claims, "header": header })).await?;
        Ok(answer["token"].as_str().with_context(|| format!("no token in {answer}"))?.to_owned())
    }

    /// How often the set was asked for.
    pub async fn asked(&self) -> Result<u64> {
        self.ask("/asked", json!({})).await?["asked"].as_u64().context("a number")
    }

    /// `kill -9`: nothing listens where it was.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.process.kill().await?)
    }

    async fn ask(&self, path: &str, body: Value) -> Result<Value> {
        Call::new(&self.authority, Method::POST, path).json(&body).send().await?.ok()
    }
}
