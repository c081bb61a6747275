//! A newer token on a live connection.

use crate::support::{START, Table, allowed, claims, json, refused, table, table_of, text_of};
use room_core::{Input, TokenRefusal};
use schemas::{
    Capability, Claims, ConnectionId, ErrorCode, ServerMessage,
    config::{KindConfig, PresenceConfig, PresenceMode},
    server_message::{PresenceDiff, RequestResult},
};

const HOUR: u64 = 3_600_000;

fn token(user: &str, expires_at: u64) -> Claims {
    Claims { expires_at: Some(expires_at), ..claims(user) }
}

fn limited(user: &str, capabilities: &[Capability]) -> Claims {
    Claims { expires_at: Some(START + 2 * HOUR), ..allowed(user, capabilities) }
}

/// Shows a token and says what it is worth.
fn refresh(
    table: &mut Table,
    id: ConnectionId,
    result: Result<Claims, TokenRefusal>,
) -> Result<RequestResult, schemas::server_message::RequestError> {
    let request = table.stage(id, r#""t":"auth","token":"newer""#);
    assert_eq!(table.tokens.pop(), Some((id, request, "newer".to_owned())));
    table.input(Input::Verified { connection: id, request, result });
    table.flush();
    table.answer(id, request)
}

fn expires_at(result: Result<RequestResult, schemas::server_message::RequestError>) -> u64 {
    match result {
        Ok(RequestResult::Refreshed(refreshed)) => refreshed.expires_at,
        other => panic!("{other:?} is no answer to a token"),
    }
}

fn diffs(table: &mut Table, id: ConnectionId) -> Vec<PresenceDiff> {
    table.pick(id, |message| match message {
        ServerMessage::Presence(diff) => Some(diff.clone()),
        _ => None,
    })
}

fn refusal(code: ErrorCode, reason: &'static str) -> TokenRefusal {
    TokenRefusal { code, reason, message: "no".to_owned() }
}

#[test]
fn r_fresh_1_a_newer_token_replaces_what_the_older_one_allowed() {
    let mut table = table();
    let older = Claims { tags: vec!["$old".into(), "$both".into()], ..token("ada", START + HOUR) };
    let (ada, _) = table.join_with(1, older, r#","tags":["mine"]"#);
    let bob = table.join(2, "bob");
    let newer = Claims {
        tags: vec!["$both".into(), "$new".into()],
        ..limited("ada", &[Capability::Join, Capability::Presence])
    };
    assert_eq!(expires_at(refresh(&mut table, ada, Ok(newer))), START + 2 * HOUR);
    assert_eq!(refused(table.request(ada, r#""t":"publish","data":1"#)), ErrorCode::Forbidden);
    let tags = |table: &mut Table| match table.request(ada, r#""t":"unsubscribe","tags":[]"#) {
        Ok(RequestResult::Tags(tags)) => tags.tags,
        other => panic!("{other:?}"),
    };
    assert_eq!(tags(&mut table), ["$both", "$new", "mine"]);
    for hibernates in [false, true] {
        if hibernates {
            table.hibernate();
        }
        table.offsets(ada);
        let mut reached = Vec::new();
        for tag in ["$old", "$both", "$new", "mine"] {
            let call = schemas::http::PublishCall {
                tags: vec![tag.to_owned()],
                ..crate::support::call_of("1", None)
            };
            table.ask(schemas::http::RoomCall::Publish(call)).expect("a publish");
            reached.push(table.offsets(ada).len());
        }
        assert_eq!(reached, [0, 1, 1, 1], "hibernated: {hibernates}");
    }
    assert!(!table.closed.contains_key(&bob));
}

#[test]
fn r_fresh_1_expiry_is_the_newer_tokens() {
    let mut table = table();
    let (ada, _) = table.join_with(1, token("ada", START + 120_000), "");
    table.pass(90_000);
    let warned = |table: &mut Table| {
        table.pick(ada, |message| match message {
            ServerMessage::Expiring { expires_at } => Some(*expires_at),
            _ => None,
        })
    };
    assert_eq!(warned(&mut table), [START + 120_000]);
    refresh(&mut table, ada, Ok(token("ada", START + 600_000))).expect("a newer token");
    table.hibernate();
    table.pass(300_000);
    assert!(warned(&mut table).is_empty() && !table.closed.contains_key(&ada));
    table.pass(180_000);
    assert_eq!(warned(&mut table), [START + 600_000]);
    table.request(ada, r#""t":"publish","data":1"#).expect("it is still good");
    table.pass(120_000);
    assert_eq!(table.closed.get(&ada), Some(&3010));
}

#[test]
fn r_fresh_1_an_expired_token_is_followed_by_a_newer_one_in_time() {
    let mut table = table();
    let (ada, _) = table.join_with(1, token("ada", START + 60_000), "");
    table.now = START + 91_000;
    assert_eq!(refused(table.request(ada, r#""t":"publish","data":1"#)), ErrorCode::Unauthorized);
    refresh(&mut table, ada, Ok(token("ada", START + HOUR))).expect("a newer token");
    table.request(ada, r#""t":"publish","data":1"#).expect("it is good again");
}

#[test]
fn r_fresh_1_what_was_asked_before_is_judged_by_the_older_token() {
    let mut table = table();
    let (ada, _) = table.join_with(1, limited("ada", &[Capability::Join]), "");
    table.say(ada, "{\"t\":\"auth\",\"id\":1,\"token\":\"x\"}\n{\"t\":\"publish\",\"id\":2,\"data\":1}");
    let (id, request, _) = table.tokens.pop().expect("a token");
    let result = Ok(limited("ada", &[Capability::Join, Capability::Publish]));
    table.input(Input::Verified { connection: id, request, result });
    table.flush();
    assert_eq!(refused(table.answer(ada, 2)), ErrorCode::Forbidden);
    assert!(table.answer(ada, 1).is_ok());
    table.request(ada, r#""t":"publish","data":1"#).expect("now it may");
}

#[test]
fn r_fresh_2_what_is_refused_leaves_the_older_claims() {
    let mut table = table();
    let (ada, _) = table.join_with(1, token("ada", START + HOUR), "");
    let rows = [
        (Ok(token("bob", START + HOUR)), ErrorCode::Forbidden, "forbidden"),
        (Err(refusal(ErrorCode::Forbidden, "forbidden")), ErrorCode::Forbidden, "forbidden"),
        (Err(refusal(ErrorCode::Unauthorized, "token_expired")), ErrorCode::Unauthorized, "token_expired"),
        (Err(refusal(ErrorCode::Unauthorized, "revoked")), ErrorCode::Unauthorized, "revoked"),
        (Err(refusal(ErrorCode::Unavailable, "unavailable")), ErrorCode::Unavailable, "unavailable"),
    ];
    for (result, code, reason) in rows {
        let error = refresh(&mut table, ada, result).expect_err("refused");
        let detail = error.details.first().map(|detail| (detail.path.as_str(), detail.message.as_str()));
        assert_eq!((error.code, detail), (code, Some(("token", reason))));
        table.request(ada, r#""t":"publish","data":1"#).expect("the older token counts");
    }
    table.pass(HOUR + 90_000);
    assert_eq!(table.closed.get(&ada), Some(&3010));
}

#[test]
fn r_fresh_2_a_connection_without_a_token_has_none_to_renew() {
    let mut table = table();
    let (ada, _) = table.join_with(1, Claims { user: None, ..claims("x") }, "");
    let error = table.request(ada, r#""t":"auth","token":"x""#).expect_err("refused");
    assert_eq!((error.code, table.tokens.len()), (ErrorCode::Forbidden, 0));
}

#[test]
fn r_fresh_3_without_join_the_connection_is_closed() {
    let mut table = table();
    let (ada, _) = table.join_with(1, token("ada", START + HOUR), "");
    let request = table.stage(ada, r#""t":"auth","token":"x""#);
    let result = Ok(limited("ada", &[Capability::History, Capability::Publish]));
    table.input(Input::Verified { connection: ada, request, result });
    assert_eq!(table.closed.get(&ada), Some(&3503));
    table.flush();
    assert_eq!(table.info().occupancy.members, 0);
}

#[test]
fn r_fresh_4_members_are_listed_and_see_others_as_the_newer_token_says() {
    let mut table = table();
    let seen = [Capability::Join, Capability::Presence];
    let (ada, welcome) = table.join_with(1, limited("ada", &[Capability::Join]), "");
    assert!(welcome.members.is_none());
    let (bob, _) = table.join_with(2, token("bob", START + HOUR), r#","presence":{"mood":1}"#);
    table.take(bob);
    assert!(diffs(&mut table, ada).is_empty());
    refresh(&mut table, ada, Ok(limited("ada", &seen))).expect("a newer token");
    let told = diffs(&mut table, ada);
    let joined: Vec<_> =
        told.iter().flat_map(|diff| &diff.joined).map(|member| member.user.as_str()).collect();
    assert_eq!(joined, ["bob", "ada"], "the list, and then what came with the flush");
    assert_eq!(diffs(&mut table, bob)[0].joined[0].user.as_str(), "ada");

    let profile = Claims { info: Some(json(r#"{"n":2}"#)), ..limited("ada", &seen) };
    refresh(&mut table, ada, Ok(profile)).expect("a newer token");
    let told = diffs(&mut table, bob);
    assert_eq!(text_of(told[0].updated[0].info.as_ref()), r#"{"n":2}"#);

    refresh(&mut table, ada, Ok(limited("ada", &[Capability::Join]))).expect("a newer token");
    assert_eq!(diffs(&mut table, bob)[0].left[0].user.as_str(), "ada");
    let told = diffs(&mut table, ada);
    let left: Vec<_> = told.iter().flat_map(|diff| &diff.left).map(|left| left.user.as_str()).collect();
    assert_eq!(left, ["ada"], "the last it hears of members");
    table.join(3, "cy");
    assert!(diffs(&mut table, ada).is_empty(), "nor is it told of anybody");
    table.hibernate();
    table.join(4, "dan");
    assert!(diffs(&mut table, ada).is_empty());
    assert_eq!(table.info().occupancy.members, 3);
    refresh(&mut table, bob, Ok(token("bob", START + 2 * HOUR))).expect("the same again");
    assert!(diffs(&mut table, bob).iter().all(|diff| diff.updated.is_empty()), "nothing has changed");
}

#[test]
fn r_fresh_4_who_asked_for_no_members_is_shown_none() {
    let mut table = table();
    let (ada, _) = table.join_with(1, limited("ada", &[Capability::Join]), r#","members":false"#);
    table.join(2, "bob");
    for hibernates in [false, true] {
        if hibernates {
            table.hibernate();
        }
        let seen = limited("ada", &[Capability::Join, Capability::Presence]);
        refresh(&mut table, ada, Ok(seen)).expect("a newer token");
        assert!(diffs(&mut table, ada).is_empty(), "hibernated: {hibernates}");
        refresh(&mut table, ada, Ok(limited("ada", &[Capability::Join]))).expect("a newer token");
    }
}

#[test]
fn r_fresh_4_where_members_are_counted_or_kept_quiet_it_is_told_so() {
    for (mode, told) in [(PresenceMode::Count, 1), (PresenceMode::Off, 0)] {
        let presence = PresenceConfig { mode, ..PresenceConfig::default() };
        let mut table = table_of(KindConfig { presence, ..KindConfig::default() });
        let (ada, _) = table.join_with(1, limited("ada", &[Capability::Join]), "");
        table.take(ada);
        let seen = limited("ada", &[Capability::Join, Capability::Presence]);
        let request = table.stage(ada, r#""t":"auth","token":"x""#);
        table.input(Input::Verified { connection: ada, request, result: Ok(seen) });
        let occupancies = table.pick(ada, |message| match message {
            ServerMessage::Occupancy(_) => Some(()),
            _ => None,
        });
        assert_eq!(occupancies.len(), told, "{mode:?}");
    }
}

#[test]
fn r_fresh_5_one_token_at_a_time_and_ten_refused_ones_close() {
    let mut table = table();
    let (ada, _) = table.join_with(1, token("ada", START + HOUR), "");
    let first = table.stage(ada, r#""t":"auth","token":"one""#);
    let error = table.request(ada, r#""t":"auth","token":"two""#).expect_err("one at a time");
    assert_eq!((error.code, table.tokens.len()), (ErrorCode::RateLimited, 1));
    assert!(error.retry_after_ms.is_some());
    table.tokens.clear();
    let result = Ok(token("ada", START + HOUR));
    table.input(Input::Verified { connection: ada, request: first + 7, result: result.clone() });
    table.input(Input::Verified { connection: ada, request: first, result: result.clone() });
    table.flush();
    assert!(table.answer(ada, first).is_ok());
    for _ in 0..9 {
        refresh(&mut table, ada, Err(refusal(ErrorCode::Unauthorized, "unauthorized"))).expect_err("bad");
        refresh(&mut table, ada, Err(refusal(ErrorCode::Unavailable, "unavailable"))).expect_err("down");
    }
    assert!(!table.closed.contains_key(&ada), "what cannot be verified is nobody's fault");
    let request = table.stage(ada, r#""t":"auth","token":"x""#);
    let refusal = refusal(ErrorCode::Unauthorized, "unauthorized");
    table.input(Input::Verified { connection: ada, request, result: Err(refusal) });
    assert_eq!(table.closed.get(&ada), Some(&3501));
    table.input(Input::Verified { connection: ada, request, result });
}

#[test]
fn r_fresh_5_the_answer_may_come_when_nobody_waits_for_it() {
    let mut table = table();
    let (ada, _) = table.join_with(1, token("ada", START + HOUR), "");
    let request = table.stage(ada, r#""t":"auth","token":"x""#);
    table.hibernate();
    let verified =
        Input::Verified { connection: ada, request, result: Ok(limited("ada", &[Capability::Join])) };
    table.input(verified.clone());
    table.request(ada, r#""t":"publish","data":1"#).expect("the room forgot what it asked");
    table.close(ada, 1006);
    table.input(verified);
    let (bob, _) = table.join_with(2, token("bob", START + HOUR), "");
    let request = table.stage(bob, r#""t":"auth","token":"x""#);
    table.say(bob, r#"{"t":"leave","id":9}"#);
    table.input(Input::Verified { connection: bob, request, result: Ok(token("bob", START)) });
    table.flush();
    assert_eq!(table.closed.get(&bob), Some(&1000));
}

#[test]
fn r_fresh_1_what_a_member_said_of_itself_goes_with_its_place_in_the_list() {
    let mut table = table();
    let (ada, _) = table.join_with(1, token("ada", START + HOUR), "");
    table.join(2, "bob");
    table.request(ada, r#""t":"presence","data":"here""#).expect("it may be listed");
    let unlisted = limited("ada", &[Capability::Join]);
    refresh(&mut table, ada, Ok(unlisted)).expect("a newer token");
    refresh(&mut table, ada, Ok(token("ada", START + 2 * HOUR))).expect("a newer token");
    let rows = table.storage.load().members;
    let row = rows.iter().find(|row| row.user.as_str() == "ada").expect("a member");
    assert_eq!((row.listed, row.data.as_ref()), (true, None));
}
