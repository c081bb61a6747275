//! Disconnecting, keeping out, and revoking.

use crate::support::{START, Table, allowed, call_of, claims, published, refused, table, table_of};
use room_core::{Input, RequestId};
use schemas::{
    Capability, Claims, ConnectionId, ErrorCode, PublicSession, Revocation, Revoked, ServerMessage, TokenId,
    UserId,
    config::KindConfig,
    http::{DisconnectCall, Reader, RoomCall, Who},
    limits,
    server_message::{LeaveReason, LifecycleState, RequestError, RequestResult},
};

fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a user")
}

fn call(who: Who, block_ms: Option<u64>) -> RoomCall {
    RoomCall::Disconnect(DisconnectCall { who, reason: None, block_ms })
}

fn closed(result: Result<RequestResult, RequestError>) -> u32 {
    match result {
        Ok(RequestResult::Closed(closed)) => closed.closed,
        other => panic!("{other:?} is no answer to a disconnect"),
    }
}

fn block(table: &mut Table, name: &str, ms: u64) -> u32 {
    closed(table.ask(call(Who::User(user(name)), Some(ms))))
}

/// The code that a new connection of the user is closed with; it is left again where it may join.
fn tries(table: &mut Table, number: u64, name: &str) -> Option<u16> {
    let id = table.open(number, claims(name));
    if !table.closed.contains_key(&id) {
        table.hello(id, number, "");
        table.close(id, 1000);
        table.flush();
    }
    table.closed.get(&id).copied()
}

#[test]
fn r_block_1_a_user_a_session_or_a_connection_is_closed_with_the_reason_that_was_given() {
    let mut table = table();
    let ada = [table.join(1, "ada"), table.join(2, "ada")];
    let greeting = table.open(3, claims("ada"));
    let (bob, cy) = (table.join(4, "bob"), table.join(5, "cy"));
    let (dan, welcome) = table.join_with(6, claims("dan"), "");
    table.take(bob);
    let reason = Some("be kind".to_owned());
    let who = Who::User(user("ada"));
    let answer = table.ask(RoomCall::Disconnect(DisconnectCall { who, reason, block_ms: None }));
    assert_eq!(closed(answer), 3);
    for id in [ada[0], ada[1], greeting] {
        assert_eq!((table.closed[&id], table.reasons[&id].as_str()), (3505, "be kind"));
    }
    assert_eq!(closed(table.ask(call(Who::Session(welcome.session), None))), 1);
    assert_eq!(closed(table.ask(call(Who::Connection(cy), None))), 1);
    assert_eq!((table.closed[&dan], table.closed[&cy], table.reasons.get(&cy)), (3505, 3505, None));
    let left = table.pick(bob, |message| match message {
        ServerMessage::Presence(diff) => Some(diff.left.clone()),
        _ => None,
    });
    let left: Vec<_> = left.iter().flatten().map(|left| (left.user.as_str(), left.reason)).collect();
    let lost = |name| (name, LeaveReason::Lost);
    assert_eq!(left, [lost("ada"), lost("ada"), lost("dan"), lost("cy")], "at once, and nobody else");
    assert_eq!((table.info().connections, table.closed.get(&bob)), (1, None));
    assert_eq!(tries(&mut table, 7, "ada"), None, "who is not blocked comes back");
}

#[test]
fn r_block_1_who_is_not_here_is_not_closed() {
    let mut table = table();
    let bob = table.join(1, "bob");
    for who in [
        Who::User(user("ada")),
        Who::Session(PublicSession::parse("0123456789abcdef").expect("a session")),
        Who::Connection(ConnectionId::new(99)),
    ] {
        assert_eq!(closed(table.ask(call(who, None))), 0);
    }
    assert!(!table.closed.contains_key(&bob));
}

#[test]
fn r_block_1_a_membership_without_a_connection_ends_too() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.close(ada, 1006);
    table.flush();
    assert_eq!(table.info().occupancy.members, 2);
    assert_eq!(closed(table.ask(call(Who::User(user("ada")), None))), 0);
    table.flush();
    assert_eq!(table.info().occupancy.members, 1);
    assert_eq!(table.room.poll_timeout().durable.map(|next| next.reason), table_next(&table));
    assert!(!table.closed.contains_key(&bob));
}

/// Nothing but the sweep is left to wait for.
fn table_next(table: &Table) -> Option<room_core::Timer> {
    table.room.poll_timeout().durable.map(|_| room_core::Timer::Sweep)
}

#[test]
fn r_block_2_the_blocked_are_closed_before_their_welcome_and_refused_over_http() {
    let mut table = table();
    let ada = table.join(1, "ada");
    assert_eq!(block(&mut table, "ada", 60_000), 1);
    assert_eq!(table.closed[&ada], 3505);
    assert_eq!(tries(&mut table, 2, "ada"), Some(3505));
    assert_eq!(tries(&mut table, 3, "bob"), None);
    let by = |name: &str, call: RoomCall| RoomCall::ByUser {
        user: user(name),
        capabilities: schemas::Capabilities::all(),
        call: Box::new(call),
    };
    let reader = || Reader::User { user: user("ada"), tags: vec![] };
    let messages = RoomCall::Messages { before: None, after: None, limit: 1, tags: vec![], reader: reader() };
    for call in [
        RoomCall::Publish(call_of("1", None)),
        RoomCall::Batch(vec![call_of("1", None)]),
        messages,
        RoomCall::Members { cursor: None, limit: 1 },
        RoomCall::State,
        call(Who::User(user("bob")), None),
    ] {
        assert_eq!(refused(table.ask(by("ada", call.clone()))), ErrorCode::Blocked, "{call:?}");
        assert!(table.ask(by("bob", call)).is_ok());
    }
    assert_eq!(published(table.ask(RoomCall::Publish(call_of("1", None)))).0, 3, "a backend is no user");
}

#[test]
fn r_block_2_the_user_of_a_session_or_connection_is_blocked_and_nobody_else() {
    let mut table = table();
    let (ada, _) = table.join_with(1, claims("ada"), "");
    let (bob, welcome) = table.join_with(2, claims("bob"), "");
    table.close(bob, 1006);
    assert_eq!(closed(table.ask(call(Who::Connection(ada), Some(60_000)))), 1);
    assert_eq!(closed(table.ask(call(Who::Session(welcome.session.clone()), Some(60_000)))), 0);
    assert_eq!((tries(&mut table, 3, "ada"), tries(&mut table, 4, "bob")), (Some(3505), Some(3505)));
    table.flush();
    assert_eq!(table.info().occupancy.members, 0);
    for who in [Who::Session(welcome.session), Who::Connection(ada)] {
        assert_eq!(refused(table.ask(call(who, Some(60_000)))), ErrorCode::NotFound);
    }
}

#[test]
fn r_block_2_one_without_a_token_is_known_by_its_session() {
    let mut table = table();
    let nobody = Claims { user: None, expires_at: None, ..claims("x") };
    let (_, welcome) = table.join_with(1, nobody.clone(), "");
    assert_eq!(closed(table.ask(call(Who::User(welcome.user), Some(60_000)))), 1);
    let again = table.open(2, nobody.clone());
    table.say(again, r#"{"t":"hello","session":"session-1"}"#);
    assert_eq!(table.closed.get(&again), Some(&3505));
    assert!(table.take(again).is_empty());
    table.join_with(3, nobody, "");
}

#[test]
fn r_block_2_a_block_ends_by_itself_or_with_zero_and_a_later_one_takes_its_place() {
    let mut table = table();
    block(&mut table, "ada", 60_000);
    table.pass(59_999);
    assert_eq!(tries(&mut table, 1, "ada"), Some(3505));
    table.pass(1);
    assert_eq!(tries(&mut table, 2, "ada"), None);
    let rows = table.storage.row_count();
    block(&mut table, "ada", 60_000);
    assert_eq!(table.storage.row_count(), rows + 1);
    assert_eq!(block(&mut table, "ada", 0), 0);
    assert_eq!((table.storage.row_count(), tries(&mut table, 3, "ada")), (rows, None));
    block(&mut table, "ada", 600_000);
    block(&mut table, "ada", 1_000);
    table.pass(1_000);
    assert_eq!(tries(&mut table, 4, "ada"), None, "the later says for how long");
    assert_eq!(table.storage.row_count(), rows, "what has ended is not kept");
    block(&mut table, "ada", 0);
    block(&mut table, "ada", 0);
}

#[test]
fn r_block_3_a_block_survives_hibernation_and_death() {
    let mut table = table();
    let ada = table.join(1, "ada");
    block(&mut table, "ada", 600_000);
    assert_eq!(table.closed[&ada], 3505);
    table.hibernate();
    assert_eq!(tries(&mut table, 2, "ada"), Some(3505));
    table.kill();
    assert_eq!(tries(&mut table, 3, "ada"), Some(3505));
    table.pass(600_000);
    assert_eq!(tries(&mut table, 4, "ada"), None);
    assert!(table.storage.load().blocks.is_empty(), "the alarm forgot it");
}

#[test]
fn r_block_3_where_a_block_cannot_be_written_nobody_is_closed() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.storage.fail_commits(1);
    assert_eq!(refused(table.ask(call(Who::User(user("ada")), Some(60_000)))), ErrorCode::Unavailable);
    assert!(!table.closed.contains_key(&ada));
    assert_eq!(tries(&mut table, 2, "ada"), None);
    block(&mut table, "ada", 60_000);
    let next = table.room.poll_timeout().durable.map(|next| next.at).expect("an end");
    table.now = START + 60_000;
    table.storage.fail_commits(1);
    table.input(Input::AlarmFired { heard: vec![] });
    assert_eq!(tries(&mut table, 3, "ada"), None, "it has ended, whatever is still written");
    table.pass(1_000);
    assert!(table.storage.load().blocks.is_empty() && next <= START + 60_000);
}

#[test]
fn r_block_3_blocks_go_with_their_room() {
    let mut table = table_of(KindConfig {
        idle_after_ms: 3_600_000,
        expire_after_ms: 7_200_000,
        ..KindConfig::default()
    });
    block(&mut table, "ada", 600_000);
    table.ask(RoomCall::Delete).expect("a deletion");
    assert_eq!((table.storage.row_count(), tries(&mut table, 1, "ada")), (0, None));
    block(&mut table, "ada", limits::BLOCK_MAX_MS);
    assert_eq!(table.info().lifecycle, LifecycleState::Vacant, "a block is something that is stored");
    table.pass(3_600_000);
    assert_eq!(table.info().lifecycle, LifecycleState::Idle);
    block(&mut table, "bob", limits::BLOCK_MAX_MS);
    assert_eq!(table.info().lifecycle, LifecycleState::Vacant, "and is activity");
    table.pass(7_200_000);
    assert_eq!((table.storage.row_count(), tries(&mut table, 2, "ada")), (0, None));
}

#[test]
fn r_block_4_beyond_the_bound_the_block_that_ends_first_goes() {
    let mut table = table();
    for index in 0..limits::BLOCKS_MAX as u64 {
        // The 500th ends first.
        let ms = if index == 500 { 60_000 } else { 120_000 + index };
        block(&mut table, &format!("u{index}"), ms);
    }
    assert_eq!(tries(&mut table, 1, "u500"), Some(3505));
    block(&mut table, "u7", 300_000);
    assert_eq!(tries(&mut table, 2, "u500"), Some(3505), "one that is blocked again takes no place");
    block(&mut table, "more", 300_000);
    assert_eq!(table.storage.load().blocks.len(), limits::BLOCKS_MAX);
    assert_eq!((tries(&mut table, 3, "u500"), tries(&mut table, 4, "more")), (None, Some(3505)));
    assert_eq!(tries(&mut table, 5, "u0"), Some(3505));
}

#[test]
fn r_block_2_the_clock_may_step_back() {
    let mut table = table();
    block(&mut table, "ada", 60_000);
    table.now -= 3_600_000;
    assert_eq!(tries(&mut table, 1, "ada"), Some(3505));
    table.pass(3_600_000);
    assert_eq!(tries(&mut table, 2, "ada"), Some(3505));
    table.pass(60_000);
    assert_eq!(tries(&mut table, 3, "ada"), None);
    assert!(table.storage.load().blocks.is_empty());
}

fn token(name: &str, issued_at: Option<u64>, jti: &str) -> Claims {
    let expires_at = Some(START + 3_600_000);
    Claims { expires_at, issued_at, jti: TokenId::parse(jti), ..claims(name) }
}

#[test]
fn r_block_5_those_whose_token_is_revoked_are_closed_3504() {
    let (first, second) = ("aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb");
    let revoked = |tokens: Revoked, issued_before: Option<u64>| Revocation {
        tokens,
        issued_before,
        until: START + 1_000_000,
    };
    let rows = [
        (revoked(Revoked::User(user("ada")), Some(START)), vec![1, 2]),
        (revoked(Revoked::User(user("ada")), None), vec![1, 2, 3]),
        (revoked(Revoked::Jti(TokenId::parse(second).expect("an id")), None), vec![3, 4]),
        (revoked(Revoked::All, Some(START)), vec![1, 2, 4]),
        (revoked(Revoked::User(user("eve")), None), vec![]),
        (Revocation { until: START, ..revoked(Revoked::All, None) }, vec![]),
    ];
    for (revocation, expected) in rows {
        let mut table = table();
        table.join_with(1, token("ada", Some(START - 1), first), "");
        table.join_with(2, token("ada", None, first), "");
        table.join_with(3, token("ada", Some(START), second), "");
        table.open(4, token("bob", Some(START - 1), second));
        table.join_with(5, claims("ada"), "");
        let answer = table.ask(RoomCall::Revoke(vec![revocation.clone()]));
        let gone: Vec<u64> = table.closed.keys().map(|id| id.value()).collect();
        assert_eq!((closed(answer) as usize, &gone), (expected.len(), &expected), "{revocation:?}");
        assert!(table.closed.values().all(|code| *code == 3504));
        table.flush();
        let joined = 4 - expected.iter().filter(|number| **number != 4).count();
        assert_eq!(table.info().occupancy.members as usize, joined, "their memberships end");
    }
}

#[test]
fn r_block_2_what_is_asked_in_the_blocked_users_name_is_not_done() {
    let mut table = table();
    block(&mut table, "ada", 60_000);
    let call = Box::new(RoomCall::Disconnect(DisconnectCall {
        who: Who::User(user("ada")),
        reason: None,
        block_ms: Some(0),
    }));
    let by_ada = Input::Asked {
        request: RequestId(1),
        call: RoomCall::ByUser { user: user("ada"), capabilities: schemas::Capabilities::all(), call },
    };
    table.input(by_ada);
    assert_eq!(tries(&mut table, 1, "ada"), Some(3505), "nobody ends their own block");
    let moderator = allowed("bob", &[Capability::Join]);
    table.join_with(2, moderator, "");
}

#[test]
fn r_life_4_a_block_touches_an_idle_room_for_good() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.close(ada, 1000);
    table.flush();
    table.pass(table.setup.config.idle_after_ms + 1);
    assert_eq!(table.info().lifecycle, LifecycleState::Idle);
    block(&mut table, "ada", 60_000);
    table.hibernate();
    assert_eq!(table.info().lifecycle, LifecycleState::Vacant);
}

#[test]
fn r_block_3_a_block_whose_end_cannot_be_written_is_forgotten_a_second_later() {
    let mut table = table();
    block(&mut table, "ada", 10_000);
    table.now += 10_000;
    table.storage.fail_commits(1);
    table.input(Input::AlarmFired { heard: Vec::new() });
    let at = |table: &mut Table| table.info().timers.into_iter().find(|timer| timer.name == "blocks");
    assert_eq!(at(&mut table).map(|timer| timer.at), Some(table.now + 1_000));
    table.now += 1_000;
    table.input(Input::AlarmFired { heard: Vec::new() });
    assert_eq!(at(&mut table), None);
}
