//! Tokens verified by the keys of this isolate; those that issuers publish are fetched when a token needs them.
//!
//! When is decided by [`auth::Keys`]; here it is done. A request cannot await what another one began, so those that
//! share a fetch look again and again until it has come.

use std::time::Duration;

use auth::{Fetch, JWKS_BYTES_MAX, JWKS_FETCH_MS, Keys, Refusal, Token, Wanted};
use futures_util::StreamExt as _;
use worker::{
    AbortController, AbortSignal, Delay, Env, Fetch as PlatformFetch, Headers, Method, Request, RequestInit,
    RequestRedirect, Response,
};

use crate::{Settings, clock, log, objects::within};

/// A token may find a fetch under way that dies, and make the next itself.
const TRIES_MAX: u32 = 4;
/// Bound where the deployment reaches addresses that are not public.
const PRIVATE_NETWORK: &str = "PRIVATE_NETWORK";
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Whose a token is.
///
/// # Errors
/// As [`auth::verify`]; an issuer that does not answer in 5 s makes tokens that need it `unavailable`.
pub async fn verify(env: &Env, settings: &Settings, token: &str) -> Result<Token, Refusal> {
    let mut refusal = Refusal::KeysUnavailable;
    for _ in 0..TRIES_MAX {
        let verified = settings.verify(token, clock::now());
        match verified {
            Err(Refusal::Unready(wanted)) => {
                refusal = Refusal::Unready(wanted);
                load(env, settings, wanted).await;
            }
            verified => return verified,
        }
    }
    Err(refusal)
}

async fn load(env: &Env, settings: &Settings, wanted: Wanted) {
    loop {
        let fetch = settings.keys.borrow_mut().fetch(wanted, clock::now());
        match fetch {
            Fetch::Done => return,
            Fetch::Wait => Delay::from(LOOK_AGAIN).await,
            Fetch::Get { url, private } => {
                let abort = AbortController::default();
                let body = within(JWKS_FETCH_MS, get(env, &url, private, &abort.signal())).await;
                let body = body.unwrap_or_else(|| {
                    abort.abort();
                    Err(Failed::Late)
                });
                take(&mut settings.keys.borrow_mut(), wanted, body);
                return;
            }
        }
    }
}

/// Why there is no set to read.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("it did not answer in time")]
    Late,
    #[error("it answered {0}")]
    Status(u16),
    #[error("it cannot be reached")]
    Platform(#[from] worker::Error),
}

fn take(keys: &mut Keys, wanted: Wanted, body: Result<Vec<u8>, Failed>) {
    let taken = match body {
        Ok(body) => keys.fetched(wanted, &body, clock::now()).map_err(|error| error.to_string()),
        Err(failed) => {
            keys.failed(wanted);
            Err(failed.to_string())
        }
    };
    if let Err(message) = taken {
        log::error("jwks_failed").with("iss", keys.issuer(wanted)).message(message).write();
    }
}

/// The body of a 200, no more of it than a set may have and one byte, which tells that it is longer.
async fn get(env: &Env, url: &str, private: bool, abort: &AbortSignal) -> Result<Vec<u8>, Failed> {
    let headers = Headers::new();
    headers.set("accept", "application/jwk-set+json, application/json")?;
    let mut init = RequestInit::new();
    init.with_method(Method::Get).with_headers(headers).with_redirect(RequestRedirect::Manual);
    let request = Request::new_with_init(url, &init)?;
    let network = private.then(|| env.service(PRIVATE_NETWORK).ok()).flatten();
    let mut response = match network {
        Some(network) => network.fetch_request(request).await?,
        None => PlatformFetch::Request(request).send_with_signal(abort).await?,
    };
    if response.status_code() != 200 {
        return Err(Failed::Status(response.status_code()));
    }
    Ok(read(&mut response).await?)
}

async fn read(response: &mut Response) -> worker::Result<Vec<u8>> {
    let mut stream = response.stream()?;
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        body.extend_from_slice(&chunk?);
        if body.len() > JWKS_BYTES_MAX {
            body.truncate(JWKS_BYTES_MAX + 1);
            break;
        }
    }
    Ok(body)
}
