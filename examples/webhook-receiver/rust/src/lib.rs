//! Receives Roomcast's webhooks: verifies each request, and hands over each event once.
//!
//! A receiver needs one of the two schemes: a secret that it shares with the gateway (`v1`, by the Standard Webhooks
//! project's library), or the gateway's public key (`v1a`, which that library does not know yet).

use anyhow::{Context as _, Result, ensure};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ed25519_dalek::{Signature, VerifyingKey};
use http::HeaderMap;
use serde_json::Value;
use standardwebhooks::Webhook;
use std::collections::HashSet;
use std::fmt;
use std::io::Read as _;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};
use tiny_http::{Request, Response, Server};

const TOLERANCE_S: u64 = 5 * 60;
const BODY_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What requests are verified with; both, where both are given.
pub struct Verifier {
    shared: Option<Webhook>,
    key: Option<VerifyingKey>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Verifier {
    /// `secret` is the endpoint's `whsec_…`; `key` the `x` of the gateway's key in `/.well-known/jwks.json`.
    pub fn new(secret: Option<&str>, key: Option<&str>) -> Result<Verifier> {
        ensure!(secret.is_some() || key.is_some(), "a receiver needs a secret or a key");
        let shared = secret.map(Webhook::new).transpose().context("the secret is not whsec_ and base64")?;
        let key = key.map(|x| -> Result<VerifyingKey> {
            let bytes: [u8; 32] = URL_SAFE_NO_PAD.decode(x)?.try_into().ok().context("not 32 bytes")?;
            Ok(VerifyingKey::from_bytes(&bytes)?)
        });
        Ok(Verifier { shared, key: key.transpose().context("the key is not an Ed25519 public key")? })
    }

    /// Whether the gateway made this, within the last five minutes.
    pub fn verify(&self, body: &[u8], headers: &HeaderMap) -> Result<()> {
        if let Some(shared) = &self.shared {
            shared.verify(body, headers)?;
        }
        self.key.as_ref().map_or(Ok(()), |key| verify_with_key(key, body, headers))
    }
}

fn verify_with_key(key: &VerifyingKey, body: &[u8], headers: &HeaderMap) -> Result<()> {
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).context(name.to_owned());
    let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let age = now.abs_diff(timestamp.parse().context("the timestamp is not a number")?);
    ensure!(age <= TOLERANCE_S, "the request is too old, or from the future");
    let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    let mut signatures = header("webhook-signature")?.split(' ').filter_map(|one| one.strip_prefix("v1a,"));
    let matches = |base64: &str| {
        let bytes = STANDARD.decode(base64).unwrap_or_default();
        Signature::from_slice(&bytes).is_ok_and(|signature| key.verify_strict(&signed, &signature).is_ok())
    };
    ensure!(signatures.any(matches), "no signature is the gateway's");
    Ok(())
}

/// Listens, and is handed the port.
#[derive(Debug)]
pub struct Receiver {
    verifier: Verifier,
    /// A real receiver keeps these in its database, in the transaction of what it does with the event.
    known: HashSet<String>,
}

impl Receiver {
    #[must_use]
    pub fn new(verifier: Verifier) -> Receiver {
        Receiver { verifier, known: HashSet::new() }
    }

    /// Serves until `take` says that it has had enough, by false. `listening` is told the port.
    pub fn serve(
        mut self,
        address: SocketAddr,
        listening: impl FnOnce(u16),
        mut take: impl FnMut(&Value) -> bool,
    ) -> Result<()> {
        let server = Server::http(address).map_err(|error| anyhow::anyhow!("cannot listen: {error}"))?;
        listening(server.server_addr().to_ip().context("a port")?.port());
        for mut request in server.incoming_requests() {
            let mut wants_more = true;
            let status = match self.read(&mut request) {
                Ok(events) => {
                    wants_more = events.iter().all(&mut take);
                    204
                }
                Err(error) => {
                    eprintln!("refused: {error:#}");
                    400
                }
            };
            // Answered once the events are safe: what was answered is not sent again.
            request.respond(Response::empty(status))?;
            if !wants_more {
                break;
            }
        }
        Ok(())
    }

    /// The events of a request that are new.
    fn read(&mut self, request: &mut Request) -> Result<Vec<Value>> {
        let mut headers = HeaderMap::new();
        for header in request.headers() {
            let name = http::HeaderName::from_bytes(header.field.as_str().as_str().as_bytes())?;
            headers.insert(name, header.value.as_str().parse()?);
        }
        let mut body = Vec::new();
        request.as_reader().take(BODY_BYTES_MAX).read_to_end(&mut body)?;
        self.verifier.verify(&body, &headers)?;
        let body: Value = serde_json::from_slice(&body)?;
        let events = body["events"].as_array().context("no events")?;
        let is_new = |event: &&Value| self.known.insert(event["id"].to_string());
        Ok(events.iter().filter(is_new).cloned().collect())
    }
}
