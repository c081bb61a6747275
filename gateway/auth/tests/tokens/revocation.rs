//! What a revocation is asked as, which tokens it stops, and what is kept of many.

use auth::{Refusal, Revocations, revocation, verify};
use schemas::{Revocation, Revoked, TokenId, UserId, limits::REVOCATIONS_MAX};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{NOW_MS, NOW_S, base64url, claims, keys, room, token, with};

fn asked(body: Value) -> Result<Revocation, String> {
    let body = serde_json::from_value(body).expect("a body");
    revocation(body, NOW_MS).map_err(|detail| detail.path)
}

fn of_jti(jti: &str, until: u64) -> Revocation {
    let digest = base64url(Sha256::digest(jti));
    let id = TokenId::parse(&digest[..16]).expect("an id");
    Revocation { tokens: Revoked::Jti(id), issued_before: None, until }
}

fn of_user(user: &str, issued_before: Option<u64>, until: u64) -> Revocation {
    let tokens = Revoked::User(UserId::parse(user).expect("a user"));
    Revocation { tokens, issued_before, until }
}

#[test]
fn r_rev_1_a_revocation_is_of_a_user_a_jti_or_a_time() {
    let until = NOW_MS + 60_000;
    assert_eq!(asked(json!({ "jti": "j-1", "ttl": 60 })), Ok(of_jti("j-1", until)));
    assert_eq!(asked(json!({ "user": "ann", "ttl": 60 })), Ok(of_user("ann", Some(NOW_MS), until)));
    assert_eq!(
        asked(json!({ "user": "ann", "issued_before": 7, "ttl": 60 })),
        Ok(of_user("ann", Some(7), until))
    );
    let all = Revocation { tokens: Revoked::All, issued_before: Some(7), until };
    assert_eq!(asked(json!({ "issued_before": 7, "ttl": 60 })), Ok(all));
    let wrong = [
        (json!({ "ttl": 60 }), "user"),
        (json!({ "user": "ann", "jti": "j-1", "ttl": 60 }), "jti"),
        (json!({ "jti": "j-1", "issued_before": 7, "ttl": 60 }), "issued_before"),
        (json!({ "jti": "", "ttl": 60 }), "jti"),
        (json!({ "jti": "j".repeat(257), "ttl": 60 }), "jti"),
        (json!({ "user": "ann", "ttl": 0 }), "ttl"),
        (json!({ "user": "ann", "ttl": 31_622_401 }), "ttl"),
        (json!({ "user": "ann", "ttl": u64::MAX }), "ttl"),
    ];
    for (body, path) in wrong {
        assert_eq!(asked(body.clone()), Err(path.into()), "{body}");
    }
    assert!(asked(json!({ "user": "ann", "ttl": 31_622_400 })).is_ok(), "366 days");
}

/// Whether this one revocation stops ann's token with these claims.
fn stops(revocation: &Revocation, changes: Value, now_ms: u64) -> bool {
    let token = verify(&token(&with(claims(), &changes)), &keys(), NOW_MS).expect("a token");
    let mut revocations = Revocations::default();
    assert_eq!(revocations.add(revocation.clone(), NOW_MS), None);
    let stopped = revocations.revoke(token.bearer(), now_ms);
    let claims = token.claims_for(&room("chat:a")).expect("claims");
    let bearer = claims.bearer().expect("a token's claims");
    assert_eq!(revocation.lasts(now_ms) && revocation.covers(bearer), stopped, "a room decides alike");
    stopped
}

#[test]
fn r_rev_1_a_revocation_stops_the_tokens_that_it_means_until_it_ends() {
    let until = NOW_MS + 60_000;
    let at = |seconds_ago: u64| json!({ "iat": NOW_S - seconds_ago });

    let jti = of_jti("j-1", until);
    assert!(stops(&jti, json!({ "jti": "j-1" }), NOW_MS));
    assert!(stops(&jti, json!({ "jti": "j-1" }), until - 1));
    assert!(!stops(&jti, json!({ "jti": "j-1" }), until));
    assert!(!stops(&jti, json!({ "jti": "J-1" }), NOW_MS));
    assert!(!stops(&jti, json!({}), NOW_MS));

    let ann = of_user("ann", Some(NOW_MS - 10_000), until);
    assert!(stops(&ann, at(11), NOW_MS));
    assert!(!stops(&ann, at(10), NOW_MS), "issued at that time is not before it");
    assert!(stops(&ann, json!({}), NOW_MS), "no iat is before any time");
    assert!(stops(&ann, json!({ "jti": "j-1", "iat": NOW_S - 11 }), NOW_MS));
    assert!(!stops(&of_user("bob", None, until), at(11), NOW_MS));
    assert!(!stops(&of_user("Ann", None, until), at(11), NOW_MS));
    assert!(stops(&of_user("ann", None, until), at(0), NOW_MS), "whenever it was issued");

    let all = Revocation { tokens: Revoked::All, issued_before: Some(NOW_MS - 10_000), until };
    assert!(stops(&all, at(11), NOW_MS) && stops(&all, json!({}), NOW_MS));
    assert!(!stops(&all, at(9), NOW_MS));

    let revoked = Refusal::Revoked;
    let shown = (revoked.http_status(), revoked.code(), revoked.close_code().code());
    assert_eq!(shown, (401, "revoked", 3504));
    assert!(schemas::Claims::default().bearer().is_none(), "who came without a token has none to lose");
}

#[test]
fn r_rev_6_what_has_ended_or_is_said_already_is_not_kept() {
    let mut revocations = Revocations::default();
    for before in 0..100 {
        revocations.add(of_user("ann", Some(NOW_MS + before), NOW_MS + 60_000 + before), NOW_MS);
    }
    assert_eq!(revocations.len(), 1, "each says more than those before it");
    revocations.add(of_user("ann", Some(NOW_MS), NOW_MS + 1), NOW_MS);
    assert_eq!(revocations.len(), 1, "the last says it already");
    revocations.add(of_user("ann", Some(NOW_MS), NOW_MS + 90_000), NOW_MS);
    assert_eq!(revocations.len(), 2, "less, but for longer");
    revocations.add(of_user("ann", None, NOW_MS + 90_000), NOW_MS);
    assert_eq!(revocations.len(), 1);
    revocations.forget_ended(NOW_MS + 89_999);
    assert_eq!(revocations.len(), 1);
    revocations.forget_ended(NOW_MS + 90_000);
    assert!(revocations.is_empty() && revocations.iter().next().is_none());
}

#[test]
fn r_rev_6_beyond_10_000_the_one_that_ends_first_is_forgotten_and_told() {
    let mut revocations = Revocations::default();
    let nth = |n: usize| of_jti(&format!("j-{n}"), NOW_MS + 60_000 + (n as u64 * 7_919) % 10_007);
    for n in 0..REVOCATIONS_MAX {
        assert_eq!(revocations.add(nth(n), NOW_MS), None);
    }
    assert_eq!(revocations.len(), REVOCATIONS_MAX);
    let one_more = of_jti("one more", NOW_MS + 90_000);
    assert_eq!(revocations.add(one_more.clone(), NOW_MS), Some(nth(0)), "the first to end");
    let too_short = of_jti("short", NOW_MS + 1);
    assert_eq!(revocations.add(too_short.clone(), NOW_MS), Some(too_short), "the new one itself, if it is");
    assert_eq!(revocations.len(), REVOCATIONS_MAX);
    assert_eq!(revocations.iter().count(), REVOCATIONS_MAX);
    assert_eq!(revocations.add(one_more, NOW_MS), None, "said already");
    let later = NOW_MS + 75_000;
    assert_eq!(revocations.add(of_jti("later", later + 1), later), None, "those that ended make room");
    assert_eq!(revocations.len(), 2);
}

#[test]
fn r_rev_1_a_revocation_travels_as_it_is() {
    let all = Revocation { tokens: Revoked::All, issued_before: Some(7), until: 9 };
    for revocation in [all, of_jti("j", 9), of_user("ann", Some(7), 9)] {
        let json = serde_json::to_string(&revocation).expect("JSON");
        assert_eq!(serde_json::from_str::<Revocation>(&json).ok(), Some(revocation), "{json}");
    }
}
