//! What bounds streams, and ends them: R-CALL-8 to 12, R-BLOCK-1 and 5.

use room_core::{RequestId, behavior::*, public_session};
use room_testing::{RequestError, Seat, ServerMessage, TestRoom};
use schemas::{
    Claims, Revocation, Revoked, Session,
    http::{DisconnectCall, MethodCall, MethodCaller, RoomCall},
    server_message::Returned,
};
use serde_json::{Value, json};

struct Flows;

impl Behavior for Flows {
    const NAME: &'static str = "flows";

    fn describe(interface: &mut Interface<Self>) {
        interface.method("count", Self::count);
        interface.stream("wait", Self::wait);
        interface.stream("never", Self::never);
        interface.stream("beat", Self::beat);
        interface.stream("large", Self::large);
        interface.stream("flood", Self::flood);
    }

    fn started(_: &mut Context<'_>) -> Result<Self, Failure> {
        Ok(Flows)
    }
}

impl Flows {
    fn count(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<u32, Failure> {
        let count = ctx.get("count").unwrap_or(0) + 1;
        ctx.put("count", &count);
        Ok(count)
    }

    fn wait(&mut self, _: &mut Context<'_>, (): ()) -> Result<Stream<Self, u32>, Failure> {
        Ok(Stream::new(|_, _| Next::Wait))
    }

    fn never(&mut self, _: &mut Context<'_>, (): ()) -> Result<Stream<Self, u32>, Failure> {
        Ok(Stream::new(|_, _| Next::After(u64::MAX)))
    }

    /// One a second, and at once.
    fn beat(&mut self, _: &mut Context<'_>, (): ()) -> Result<Stream<Self, u32>, Failure> {
        let mut is_next = false;
        Ok(Stream::new(move |_, _| {
            is_next = !is_next;
            if is_next { Next::Item(1) } else { Next::After(1_000) }
        }))
    }

    fn large(&mut self, _: &mut Context<'_>, (): ()) -> Result<Stream<Self, String>, Failure> {
        Ok(Stream::of(["fits".to_owned(), "x".repeat(1_048_575)]))
    }

    /// 100 KiB each, without end.
    fn flood(&mut self, _: &mut Context<'_>, (): ()) -> Result<Stream<Self, String>, Failure> {
        Ok(Stream::new(|_, _| Next::Item("x".repeat(100 * 1024 - 2))))
    }
}

fn flows() -> TestRoom<Flows> {
    TestRoom::new()
}

fn call(id: u32, method: &str) -> String {
    json!({ "t": "call", "id": id, "method": method, "args": null }).to_string()
}

fn refusals(room: &mut TestRoom<Flows>, seat: Seat) -> Vec<(Option<u32>, ErrorCode)> {
    let ends = room.inbox(seat).into_iter().filter_map(|message| match message {
        ServerMessage::Error(error) => Some((error.id, error.code)),
        _ => None,
    });
    ends.collect()
}

fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a user")
}

fn ask_as(room: &mut TestRoom<Flows>, name: &str, method: &str, expires_at: u64) -> RequestId {
    room.ask(called_by(name, method, expires_at))
}

/// As the gateway forwards what a user calls over HTTP.
fn called_by(name: &str, method: &str, expires_at: u64) -> RoomCall {
    let (user, capabilities) = (user(name), Capabilities::all());
    let claims = Claims {
        user: Some(user.clone()),
        capabilities,
        expires_at: Some(expires_at),
        issued_at: Some(0),
        ..Claims::default()
    };
    let call = MethodCall {
        method: method.to_owned(),
        args: Payload::of(&()),
        caller: MethodCaller::User { user: user.clone(), claims },
    };
    RoomCall::ByUser { user, capabilities, call: Box::new(RoomCall::Method(call)) }
}

fn disconnect(room: &mut TestRoom<Flows>, who: Who, block_ms: Option<u64>) {
    let done = room.backend(RoomCall::Disconnect(DisconnectCall { who, reason: None, block_ms }));
    done.expect("they are disconnected");
}

fn end(room: &mut TestRoom<Flows>, request: RequestId) -> Option<ErrorCode> {
    let answer: Option<Result<Value, RequestError>> = room.service_answer(request);
    answer.map(|answer| answer.expect_err("it does not end by itself").code)
}

const FAR: u64 = room_testing::START + 86_400_000;

#[test]
fn r_call_8_a_chunk_is_bounded_as_a_result_is() {
    let mut room = flows();
    let ada = room.join("ada");
    room.say(ada, &call(900, "large"));
    let inbox = room.inbox(ada);
    let chunks = inbox.iter().filter(|one| matches!(one, ServerMessage::Returned(Returned { .. })));
    assert_eq!(chunks.count(), 1, "what fits has come");
    let ends = inbox.iter().filter_map(|one| match one {
        ServerMessage::Error(error) => Some((error.id, error.code)),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), [(Some(900), ErrorCode::TooLarge)]);
}

#[test]
fn r_call_8_a_stream_may_wait_for_ever() {
    let mut room = flows();
    let ada = room.join("ada");
    room.say(ada, &call(900, "never"));
    room.advance("1m");
    room.say(ada, r#"{"t":"cancel","id":900}"#);
    assert_eq!(refusals(&mut room, ada), [(Some(900), ErrorCode::Cancelled)], "it still waits");
}

#[test]
fn r_call_9_a_cancel_right_behind_its_call_ends_the_stream() {
    let mut room = flows();
    let ada = room.join("ada");
    room.say(ada, &format!("{}\n{}", call(900, "beat"), r#"{"t":"cancel","id":900}"#));
    assert_eq!(refusals(&mut room, ada), [(Some(900), ErrorCode::Cancelled)]);
    room.advance("5s");
    assert_eq!(room.inbox(ada), []);
}

#[test]
fn r_call_9_a_call_that_is_cancelled_ahead_of_its_turn_does_not_run() {
    let mut room = flows();
    let ada = room.join("ada");
    let lines = [call(900, "count"), r#"{"t":"cancel","id":901}"#.to_owned(), call(901, "count")];
    room.say(ada, &lines.join("\n"));
    assert_eq!(refusals(&mut room, ada), [], "nothing was to be cancelled");
    room.say(ada, &format!("{}\n{}", call(902, "count"), r#"{"t":"cancel","id":902}"#));
    assert_eq!(refusals(&mut room, ada), [(Some(902), ErrorCode::Cancelled)]);
    assert_eq!(room.call(ada, "count", json!(null)), Ok(json!(3)), "the third call is the third to run");
}

#[test]
fn r_call_9_a_stream_of_a_connection_that_is_gone_does_not_open() {
    let mut room = flows();
    let ada = room.join("ada");
    room.say(ada, &format!("{}{}", call(900, "beat"), "\nno JSON".repeat(100)));
    assert!(room.closed(ada).is_some(), "ada talks nonsense");
    room.advance("1m");
    assert_eq!(room.next_alarm().map(|at| at > room.now() + 5_000), Some(true), "nothing keeps it awake");
}

#[test]
fn r_call_11_streams_of_several_connections_open_in_one_flush() {
    let mut room = flows();
    let seats: Vec<Seat> = (0..10).map(|index| room.join(&format!("u{index}"))).collect();
    let said: Vec<_> = seats.iter().map(|seat| (*seat, call(900, "wait"))).collect();
    room.say_together(&said);
    let refused: Vec<_> = seats.iter().flat_map(|seat| refusals(&mut room, *seat)).collect();
    assert_eq!(refused, [], "each has its own 8");
}

#[test]
fn r_call_11_a_connection_opens_no_more_than_8_in_one_flush() {
    let mut room = flows();
    let ada = room.join("ada");
    for id in 1..=7 {
        room.say(ada, &call(900 + id, "wait"));
    }
    let more: Vec<String> = (1..=8).map(|id| call(950 + id, "wait")).collect();
    room.say(ada, &more.join("\n"));
    let refused = refusals(&mut room, ada);
    let expected: Vec<_> = (2..=8).map(|id| (Some(950 + id), ErrorCode::Overloaded)).collect();
    assert_eq!(refused, expected, "one of eight has place");
}

#[test]
fn r_call_11_services_together_and_each_user_over_http_leave_place_for_others() {
    let mut room = flows();
    let requests: Vec<RequestId> = (0..257).map(|_| room.start_service("wait", &json!(null))).collect();
    assert_eq!(end(&mut room, requests[255]), None);
    assert_eq!(end(&mut room, requests[256]), Some(ErrorCode::Overloaded));
    let of_eve: Vec<RequestId> = (0..9).map(|_| ask_as(&mut room, "eve", "wait", FAR)).collect();
    assert_eq!(end(&mut room, of_eve[7]), None);
    assert_eq!(end(&mut room, of_eve[8]), Some(ErrorCode::Overloaded));
    let of_bob = ask_as(&mut room, "bob", "wait", FAR);
    assert_eq!(end(&mut room, of_bob), None);
    let eve = room.join("eve");
    room.say(eve, &call(900, "wait"));
    assert_eq!(refusals(&mut room, eve), []);
}

#[test]
fn r_call_12_over_http_no_more_than_256_kib_are_ahead_of_the_reader() {
    let mut room = flows();
    let request = room.start_service("flood", &json!(null));
    room.advance("5s");
    assert_eq!(room.service_chunks(request).len(), 3, "the third passes 256 KiB");
    room.want(request);
    room.advance("5s");
    assert_eq!(room.service_chunks(request).len(), 3);
}

#[test]
fn r_call_12_what_nobody_reads_for_60_s_ends() {
    let mut room = flows();
    let (unread, read) = (room.start_service("beat", &json!(null)), room.start_service("beat", &json!(null)));
    let idle = room.start_service("wait", &json!(null));
    for _ in 0..4 {
        room.advance("14s");
        room.read_on(read);
    }
    assert_eq!(end(&mut room, unread), None, "56 s");
    room.advance("14s");
    assert_eq!(end(&mut room, unread), Some(ErrorCode::Unavailable));
    assert_eq!(end(&mut room, read), None, "its reader is slow, and takes something");
    room.want(read);
    room.advance("10m");
    assert_eq!(end(&mut room, read), Some(ErrorCode::Unavailable));
    assert_eq!(end(&mut room, idle), None, "there is nothing to read");
}

/// How many chunks of a flood each of so many gets in as many turns.
fn flooded(count: usize) -> Vec<usize> {
    let mut room = flows();
    let seats: Vec<Seat> = (0..count).map(|index| room.join(&format!("u{index}"))).collect();
    let said: Vec<_> = seats.iter().map(|seat| (*seat, call(900, "flood"))).collect();
    room.say_together(&said);
    let chunks = |seat: &Seat| {
        let inbox = room.inbox(*seat).into_iter();
        inbox.filter(|one| matches!(one, ServerMessage::Returned(_))).count()
    };
    seats.iter().map(chunks).collect()
}

#[test]
fn r_call_12_streams_give_4_mib_in_a_flush_together_and_each_has_its_turn() {
    let alone: usize = flooded(1).iter().sum();
    let counts = flooded(30);
    let together: usize = counts.iter().sum();
    assert!(together < 16 * alone, "14 of 300 KiB each are 4 MiB: {together} of {alone}");
    let (most, least) = (counts.iter().max(), counts.iter().min());
    let is_fair = most.zip(least).is_some_and(|(most, least)| *least > 0 && most - least <= 3);
    assert!(is_fair, "{counts:?}");
}

#[test]
fn r_call_16_a_token_that_expires_ends_what_it_streams_over_http() {
    let mut room = flows();
    let expires_at = room.now() + 60_000;
    let (mortal, other) =
        (ask_as(&mut room, "eve", "wait", expires_at), ask_as(&mut room, "bob", "wait", FAR));
    room.advance("85s");
    assert_eq!(end(&mut room, mortal), None, "clocks differ");
    room.advance("15s");
    assert_eq!(end(&mut room, mortal), Some(ErrorCode::Unauthorized));
    assert_eq!(end(&mut room, other), None);
}

#[test]
fn r_call_16_a_revoked_token_reads_no_stream_over_http() {
    let mut room = flows();
    let (eve, bob) = (ask_as(&mut room, "eve", "beat", FAR), ask_as(&mut room, "bob", "beat", FAR));
    let revocation = Revocation { tokens: Revoked::User(user("eve")), issued_before: None, until: FAR };
    room.backend(RoomCall::Revoke(vec![revocation])).expect("it is revoked");
    assert_eq!(end(&mut room, eve), Some(ErrorCode::Unauthorized));
    room.service_chunks(eve);
    room.advance("5s");
    assert_eq!(room.service_chunks(eve), Vec::<Value>::new());
    assert_eq!(end(&mut room, bob), None);
}

#[test]
fn r_call_16_who_is_disconnected_reads_no_stream_over_http() {
    let mut room = flows();
    let (eve, bob) = (ask_as(&mut room, "eve", "beat", FAR), ask_as(&mut room, "bob", "beat", FAR));
    disconnect(&mut room, Who::User(user("eve")), None);
    assert_eq!(end(&mut room, eve), Some(ErrorCode::Cancelled), "it may come back");
    let again = ask_as(&mut room, "eve", "beat", FAR);
    disconnect(&mut room, Who::User(user("eve")), Some(60_000));
    assert_eq!(end(&mut room, again), Some(ErrorCode::Blocked));
    room.service_chunks(again);
    room.advance("5s");
    assert_eq!(room.service_chunks(again), Vec::<Value>::new());
    assert_eq!(end(&mut room, bob), None);
    let seat = room.join_as("bob", "session-of-bob", Capabilities::all()).expect("bob may join");
    let session = Session::parse("session-of-bob").expect("a session");
    disconnect(&mut room, Who::Session(public_session(&session)), None);
    assert!(room.closed(seat).is_some());
    assert_eq!(end(&mut room, bob), None, "a stream over HTTP has no session");
}

#[test]
fn r_call_16_a_call_over_http_does_not_run_behind_its_users_disconnection() {
    let mut room = flows();
    let first = called_by("bob", "count", FAR);
    let call = called_by("eve", "count", FAR);
    let leave = DisconnectCall { who: Who::User(user("eve")), reason: None, block_ms: Some(60_000) };
    let requests = room.ask_together(vec![first, call, RoomCall::Disconnect(leave)]);
    assert_eq!(room.service_answer(requests[0]), Some(Ok(json!(1))));
    assert_eq!(end(&mut room, requests[1]), Some(ErrorCode::Blocked));
    assert_eq!(room.service("count", &json!(null)), Ok(json!(2)), "eve's was not counted");
}
