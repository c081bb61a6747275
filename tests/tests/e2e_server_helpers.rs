//! `@roomcast/client/server` in Node and in a Worker, as it is built, against a real gateway.

use std::{ffi::OsStr, time::Duration};

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

async fn play(script: &str, server: &Server, more: &[&OsStr]) -> Result<()> {
    let mut node = Command::new("node");
    node.arg(repository().join("tests/node").join(script));
    node.arg(format!("http://{}", server.authority())).arg(token_keys()).args(more);
    let status = tokio::time::timeout(LIMIT, node.kill_on_drop(true).status()).await??;
    ensure!(status.success(), "{script} ended with {status}; its output is above");
    Ok(())
}

#[tokio::test]
async fn r_srv_1_r_srv_2_r_srv_3_a_backend_publishes_reads_changes_and_sends_away() -> Result<()> {
    play("backend.mjs", &Server::start().await?, &[]).await
}

#[tokio::test]
async fn r_srv_3_r_srv_4_a_worker_publishes_makes_tokens_and_refuses_webhooks_of_others() -> Result<()> {
    let workerd = xtask::workerd::binary()?;
    play("worker.mjs", &Server::start().await?, &[workerd.as_os_str()]).await
}
