//! How fast callers may connect and call: asked of the limiter, or spent of what it leased.

use std::cell::RefCell;

use deployment::objects::{self, LIMITER, Object};
use limiter_core::{Grant, Leases, Spent, Subject};
use schemas::config::Rate;
use worker::{Date, Env, console_error};

use crate::failure::Failure;

/// Beside a request the limiter must not be slow: an answer that takes longer is no bound.
const WAIT_MS: u64 = 2_000;

thread_local! {
    static LEASES: RefCell<Leases> = const { RefCell::new(Leases::new()) };
}

/// Counts one request of the subject, where it has a rate. A limiter that cannot be reached refuses nobody.
pub(crate) async fn spend(env: &Env, subject: Subject, rate: Option<Rate>) -> Result<(), Failure> {
    let Some(rate) = rate else { return Ok(()) };
    let now = || Date::now().as_millis();
    let spent = LEASES.with_borrow_mut(|leases| leases.spend(&subject, rate, now()));
    let spent = match spent {
        Spent::Ask(ask) => {
            let name = ask.subject.shard_name();
            let object = Object { namespace: LIMITER, name: &name };
            let answer = objects::ask_for::<_, Grant>(env, object, "/", &ask, "");
            match objects::within(WAIT_MS, answer).await {
                Some(Ok(grant)) => LEASES.with_borrow_mut(|leases| leases.granted(subject, grant, now())),
                Some(Err(error)) => {
                    console_error!("the limiter could not be asked: {error}");
                    Spent::Allowed
                }
                None => {
                    console_error!("the limiter did not answer in time");
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
