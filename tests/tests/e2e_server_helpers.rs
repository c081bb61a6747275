//! `@roomcast/client/server` in Node, as it is built, against a real workerd.

use std::time::Duration;

use anyhow::{Result, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use tests::{
    keys::{self, ED_KID, HS_KID},
    server::{Server, repository},
    tokens::Signature,
};
use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(120);

/// The private halves of what the gateway is configured with, as `createToken` takes them.
fn token_keys() -> String {
    let (Signature::Hs256(secret), Signature::EdDsa(ed)) = (keys::hs(), keys::ed()) else {
        unreachable!("the keys are of their kinds")
    };
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(&keys::ed_public()), "d": encode(&ed.to_bytes()) });
    let keys = json!([
        { "kid": HS_KID, "alg": "HS256", "secret": encode(&secret) },
        { "kid": ED_KID, "alg": "EdDSA", "privateKey": jwk },
    ]);
    keys.to_string()
}

#[tokio::test]
async fn r_srv_1_r_srv_2_r_srv_3_a_backend_publishes_reads_changes_and_sends_away() -> Result<()> {
    let server = Server::start().await?;
    let mut node = Command::new("node");
    node.arg(repository().join("tests/node/backend.mjs"))
        .arg(format!("http://{}", server.authority()))
        .arg(token_keys());
    let status = tokio::time::timeout(LIMIT, node.kill_on_drop(true).status()).await??;
    ensure!(status.success(), "the backend ended with {status}; its output is above");
    Ok(())
}
