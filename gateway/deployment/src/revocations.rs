//! What a tenant has revoked, as this isolate last heard from the directory.
//!
//! A list is fresh for 2 s, asked for again while it is used until it is 5 s old, and waited for beyond. Nobody is let
//! in by an older one. Without requests nothing is asked.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use auth::{Refusal, Revocations, Token};
use schemas::{
    Bearer, Tenant,
    directory::{DirectoryCall, Known, shard_name},
};
use worker::Env;

use crate::{
    clock,
    objects::{self, CallError, DIRECTORY, Object},
};

/// A list so old is asked for again.
const FRESH_MS: u64 = 2_000;
/// One older than this is no longer used.
const USED_MS: u64 = 5_000;
/// Tenants whose lists are kept; at the bound the one that was asked for longest ago goes.
const TENANTS_MAX: usize = 1_000;

struct Heard {
    version: u64,
    revocations: Rc<Revocations>,
    /// When the directory was asked, in milliseconds since 1970.
    asked_at: u64,
    /// When it was asked again, whatever came of it.
    asked_again_at: u64,
}

thread_local! {
    static HEARD: RefCell<BTreeMap<Tenant, Heard>> = const { RefCell::new(BTreeMap::new()) };
}

/// Why a token is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nobody knows whether it is revoked.
    #[error("the directory of revocations cannot be reached")]
    Unknown(#[source] CallError),
}

/// Refuses a token that its tenant has revoked. What need not be waited for goes to `later`. `request_id` is that of
/// the request that brought it; "" where none did.
///
/// # Errors
/// `revoked`; or that the directory could not be reached while no list is fresh enough.
pub async fn check(
    env: &Env,
    token: &Token,
    request_id: &str,
    later: impl FnOnce(Later),
) -> Result<(), Stop> {
    let now = clock::now();
    let age_ms = HEARD.with_borrow(|heard| Some(now.saturating_sub(heard.get(&token.tenant)?.asked_at)));
    match age_ms {
        Some(age_ms) if age_ms <= USED_MS => {
            if age_ms > FRESH_MS && begins_asking(&token.tenant, now) {
                later(Later { env: env.clone(), tenant: token.tenant.clone() });
            }
        }
        _ => ask(env, &token.tenant, request_id).await.map_err(Stop::Unknown)?,
    }
    let known = HEARD.with_borrow(|heard| heard.get(&token.tenant).map(|one| Rc::clone(&one.revocations)));
    let bearer = Bearer { user: &token.user, jti: token.jti.as_ref(), issued_at: token.issued_at };
    match known {
        Some(known) if known.revoke(bearer, now) => Err(Refusal::Revoked.into()),
        _ => Ok(()),
    }
}

/// A question to the directory that nobody waits for.
#[derive(Debug)]
pub struct Later {
    env: Env,
    tenant: Tenant,
}

impl Later {
    pub async fn ask(self) {
        // Where it fails the next request asks, and waits once the list is too old.
        drop(ask(&self.env, &self.tenant, "").await);
    }
}

/// Whether nobody else has just asked.
fn begins_asking(tenant: &Tenant, now: u64) -> bool {
    HEARD.with_borrow_mut(|heard| {
        let Some(one) = heard.get_mut(tenant) else { return false };
        let is_due = now.saturating_sub(one.asked_again_at) > FRESH_MS;
        if is_due {
            one.asked_again_at = now;
        }
        is_due
    })
}

async fn ask(env: &Env, tenant: &Tenant, request_id: &str) -> Result<(), CallError> {
    let asked_at = clock::now();
    let known = HEARD.with_borrow(|heard| heard.get(tenant).map(|one| one.version));
    let name = shard_name(tenant, 0);
    let object = Object { namespace: DIRECTORY, name: &name };
    let call = DirectoryCall::Revocations { known };
    let answer: Known = objects::ask_for(env, object, "/call", &call, request_id).await?;
    HEARD.with_borrow_mut(|heard| hear(heard, tenant, answer, asked_at));
    Ok(())
}

fn hear(heard: &mut BTreeMap<Tenant, Heard>, tenant: &Tenant, answer: Known, asked_at: u64) {
    let Known { version, revocations } = answer;
    let revocations = match (revocations, heard.get(tenant)) {
        (Some(list), _) => {
            let mut revocations = Revocations::default();
            for revocation in list {
                revocations.add(revocation, asked_at);
            }
            Rc::new(revocations)
        }
        (None, Some(one)) if one.version == version => Rc::clone(&one.revocations),
        // Forgotten, or replaced, while the directory was asked: the next request asks for the whole.
        (None, _) => return,
    };
    if heard.len() >= TENANTS_MAX && !heard.contains_key(tenant) {
        let oldest = heard.iter().min_by_key(|(_, one)| one.asked_at).map(|(tenant, _)| tenant.clone());
        oldest.and_then(|tenant| heard.remove(&tenant));
    }
    let is_older = heard.get(tenant).is_some_and(|one| one.asked_at > asked_at);
    if !is_older {
        let asked_again_at = asked_at;
        heard.insert(tenant.clone(), Heard { version, revocations, asked_at, asked_again_at });
    }
}

#[cfg(test)]
mod tests {
    use schemas::{Revocation, Revoked};

    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn list() -> Option<Vec<Revocation>> {
        Some(vec![Revocation { tokens: Revoked::All, issued_before: None, until: NOW + 1_000_000 }])
    }

    #[test]
    fn r_rev_2_the_answer_to_the_latest_question_stands() {
        let (mut heard, tenant) = (BTreeMap::new(), Tenant::default_tenant());
        hear(&mut heard, &tenant, Known { version: 0, revocations: Some(Vec::new()) }, NOW);
        hear(&mut heard, &tenant, Known { version: 0, revocations: None }, NOW + 2_000);
        assert_eq!((heard[&tenant].asked_at, heard[&tenant].revocations.len()), (NOW + 2_000, 0));
        hear(&mut heard, &tenant, Known { version: 1, revocations: list() }, NOW + 4_000);
        hear(&mut heard, &tenant, Known { version: 0, revocations: Some(Vec::new()) }, NOW + 3_000);
        assert_eq!((heard[&tenant].asked_at, heard[&tenant].revocations.len()), (NOW + 4_000, 1));
        hear(&mut heard, &tenant, Known { version: 0, revocations: None }, NOW + 5_000);
        assert_eq!(heard[&tenant].asked_at, NOW + 4_000, "what was forgotten is not made up");
    }

    #[test]
    fn r_rev_2_the_tenants_that_are_remembered_are_bounded() {
        let mut heard = BTreeMap::new();
        for number in 0..1_500_u64 {
            let tenant = Tenant::parse(&format!("t{number}")).expect("a tenant");
            hear(&mut heard, &tenant, Known { version: 0, revocations: Some(Vec::new()) }, NOW + number);
        }
        assert_eq!(heard.len(), TENANTS_MAX);
        assert!(heard.contains_key(&Tenant::parse("t1499").expect("a tenant")));
    }
}
