//! The revocations of one tenant: which are kept, and which tokens they stop.

use std::collections::BTreeMap;

use schemas::{
    Bearer, Revocation, Revoked, TokenId, UserId,
    limits::{JTI_BYTES_MAX, REVOCATION_TTL_SECONDS_MAX, REVOCATIONS_MAX},
    revocation::RevocationBody,
    server_message::Detail,
};

use crate::token::token_id;

/// What the body of `POST /v1/revocations` revokes, asked at `now_ms`.
///
/// A user without `issued_before` is everything that the user was given until now: a new token opens again.
///
/// # Errors
/// The field that is wrong.
pub fn revocation(body: RevocationBody, now_ms: u64) -> Result<Revocation, Detail> {
    let RevocationBody { user, jti, issued_before, ttl } = body;
    if !(1..=REVOCATION_TTL_SECONDS_MAX).contains(&ttl) {
        return Err(wrong("ttl", &format!("is 1 to {REVOCATION_TTL_SECONDS_MAX} seconds")));
    }
    let (tokens, issued_before) = match (user, jti, issued_before) {
        (Some(_), Some(_), _) => return Err(wrong("jti", "does not stand beside user")),
        (None, Some(_), Some(_)) => return Err(wrong("issued_before", "does not stand beside jti")),
        (None, Some(jti), None) if (1..=JTI_BYTES_MAX).contains(&jti.len()) => {
            (Revoked::Jti(token_id(&jti)), None)
        }
        (None, Some(_), None) => return Err(wrong("jti", &format!("is 1 to {JTI_BYTES_MAX} bytes"))),
        (Some(user), None, before) => (Revoked::User(user), Some(before.unwrap_or(now_ms))),
        (None, None, Some(before)) => (Revoked::All, Some(before)),
        (None, None, None) => return Err(wrong("user", "is needed, or jti, or issued_before")),
    };
    Ok(Revocation { tokens, issued_before, until: now_ms.saturating_add(ttl.saturating_mul(1000)) })
}

fn wrong(path: &str, message: &str) -> Detail {
    Detail { path: path.into(), message: message.into() }
}

/// All that a tenant has revoked, at most [`REVOCATIONS_MAX`].
#[derive(Debug, Clone, Default)]
pub struct Revocations {
    /// By whose they are; of one target none says less than another.
    by_target: BTreeMap<Revoked, Vec<Revocation>>,
    count: usize,
}

impl Revocations {
    /// Adds one. What has ended goes, and so does what it makes needless. Where there are still too many, the one that
    /// ends first is forgotten, and returned: its tokens count again, of which whoever adds must learn.
    pub fn add(&mut self, revocation: Revocation, now_ms: u64) -> Option<Revocation> {
        let of_target = self.by_target.entry(revocation.tokens.clone()).or_default();
        if of_target.iter().any(|kept| says_no_less(kept, &revocation)) {
            return None;
        }
        let before = of_target.len();
        of_target.retain(|kept| !says_no_less(&revocation, kept));
        of_target.push(revocation);
        self.count = self.count + of_target.len() - before;
        if self.count > REVOCATIONS_MAX {
            self.forget_ended(now_ms);
        }
        if self.count > REVOCATIONS_MAX { self.forget_first() } else { None }
    }

    /// Whether a token of this tenant is revoked.
    #[must_use]
    pub fn revoke(&self, bearer: Bearer<'_>, now_ms: u64) -> bool {
        let user = Revoked::User(UserId::clone(bearer.user));
        let jti = bearer.jti.map(|jti| Revoked::Jti(TokenId::clone(jti)));
        [Some(Revoked::All), Some(user), jti]
            .iter()
            .flatten()
            .filter_map(|target| self.by_target.get(target))
            .flatten()
            .any(|revocation| revocation.lasts(now_ms) && revocation.covers(bearer))
    }

    pub fn forget_ended(&mut self, now_ms: u64) {
        self.by_target.retain(|_, of_target| {
            of_target.retain(|revocation| revocation.lasts(now_ms));
            !of_target.is_empty()
        });
        self.count = self.by_target.values().map(Vec::len).sum();
    }

    /// Those that are kept, by target.
    pub fn iter(&self) -> impl Iterator<Item = &Revocation> {
        self.by_target.values().flatten()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn forget_first(&mut self) -> Option<Revocation> {
        let first = self.iter().min_by_key(|revocation| revocation.until)?.clone();
        let of_target = self.by_target.get_mut(&first.tokens)?;
        of_target.retain(|revocation| *revocation != first);
        if of_target.is_empty() {
            self.by_target.remove(&first.tokens);
        }
        self.count -= 1;
        Some(first)
    }
}

/// Whether `one` revokes whatever `other` does, for as long; both are of one target.
fn says_no_less(one: &Revocation, other: &Revocation) -> bool {
    let reaches = match (one.issued_before, other.issued_before) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(one), Some(other)) => one >= other,
    };
    reaches && one.until >= other.until
}
