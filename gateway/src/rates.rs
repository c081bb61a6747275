//! How fast callers may connect and call: asked of the limiter, or spent of what it leased.

use std::cell::RefCell;

use deployment::{
    clock, log,
    objects::{self, LIMITER, Object},
};
use limiter_core::{Grant, Leases, Spent, Subject};
use schemas::config::Rate;
use worker::Env;

use crate::failure::Failure;

/// Beside a request the limiter must not be slow: an answer that takes longer is no bound.
const WAIT_MS: u64 = 2_000;

thread_local! {
    static LEASES: RefCell<Leases> = const { RefCell::new(Leases::new()) };
}

/// Counts one request of the subject, where it has a rate. A limiter that cannot be reached refuses nobody.
pub(crate) async fn spend(
    env: &Env,
    subject: Subject,
    rate: Option<Rate>,
    request_id: &str,
) -> Result<(), Failure> {
    let Some(rate) = rate else { return Ok(()) };
    let spent = LEASES.with_borrow_mut(|leases| leases.spend(&subject, rate, clock::now()));
    let spent = match spent {
        Spent::Ask(ask) => {
            let name = ask.subject.shard_name();
            let object = Object { namespace: LIMITER, name: &name };
            let answer = objects::ask_for::<_, Grant>(env, object, "/", &ask, request_id);
            match objects::within(WAIT_MS, answer).await {
                Some(Ok(grant)) => {
                    LEASES.with_borrow_mut(|leases| leases.granted(subject, grant, clock::now()))
                }
                Some(Err(error)) => {
                    log::error("limiter_failed").request(request_id).failed(&error).write();
                    Spent::Allowed
                }
                None => {
                    let line = log::error("limiter_failed").request(request_id);
                    line.message("it did not answer in time").write();
                    Spent::Allowed
                }
            }
        }
        other => other,
    };
    match spent {
        Spent::Refused { retry_after_ms } => Err(Failure::RateLimited { retry_after_ms }),
        Spent::Allowed | Spent::Ask(_) => Ok(()),
    }
}
