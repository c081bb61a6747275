//! What backends and users ask over HTTP: changes, batches, shared state, the log as it is.

use crate::support::{Table, amended, call_of, claims, json, published, refused, stated, table, text_of};
use room_core::{Input, Output, RequestId};
use schemas::{
    Capabilities, Capability, ClientMessage, Codec, ConnectionId, ErrorCode, Frame, Offset, Session, UserId,
    client_message::{Hello, StateOp, To},
    http::{AmendCall, KeyScope, PublishCall, Reader, RoomCall, ScopedKey},
    server_message::{
        Author, BatchItem, Publication, RequestError, RequestResult, StateSnapshot, StateWrite,
    },
};

fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a user")
}

/// An edit to this text, or a removal.
fn change(target: u64, data: Option<&str>) -> AmendCall {
    AmendCall {
        target: Offset::new(target).expect("an offset"),
        data: data.map(json),
        reader: Reader::Service,
        author: None,
        capabilities: Capabilities::all(),
    }
}

fn change_by(name: &str, capabilities: &[Capability], target: u64, data: Option<&str>) -> RoomCall {
    let call = AmendCall {
        reader: Reader::User { user: user(name), tags: vec![] },
        author: Some(Author { user: user(name), session: None, info: None }),
        capabilities: capabilities.iter().copied().collect(),
        ..change(target, data)
    };
    RoomCall::ByUser {
        user: user(name),
        capabilities: Capabilities::all(),
        call: Box::new(RoomCall::Amend(call)),
    }
}

fn messages(table: &mut Table, raw: bool) -> Vec<Publication> {
    let (before, after, limit, tags) = (None, None, 200, vec![]);
    let call = match raw {
        true => RoomCall::RawMessages { before, after, limit, tags },
        false => RoomCall::Messages { before, after, limit, tags, reader: Reader::Service },
    };
    match table.ask(call) {
        Ok(RequestResult::History(page)) => page.messages,
        other => panic!("{other:?} is no page"),
    }
}

#[test]
fn r_write_1_a_backend_edits_and_removes_whatever_it_wants() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.request(ada, r#""t":"publish","data":1"#).expect("a publish");
    table.ask(RoomCall::Publish(call_of("2", None))).expect("a publish");
    table.take(ada);
    assert_eq!(amended(table.ask(RoomCall::Amend(change(1, Some("10"))))), 3);
    assert_eq!(amended(table.ask(RoomCall::Amend(change(2, None)))), 4);
    let told = table.publications(ada);
    let told: Vec<_> = told.iter().map(|one| (one.kind.as_str(), one.refers, one.from.is_none())).collect();
    assert_eq!(told, [("edit", Offset::new(1), true), ("remove", Offset::new(2), true)]);
    let page = messages(&mut table, false);
    assert_eq!((text_of(page[0].data.as_ref()), page[0].edited.is_some()), ("10", true));
    assert!(page[1].removed && page[1].data.is_none());
    for target in [2, 3, 9] {
        assert_eq!(refused(table.ask(RoomCall::Amend(change(target, Some("1"))))), ErrorCode::NotFound);
    }
    let long = format!("\"{}\"", "x".repeat(65_536));
    assert_eq!(refused(table.ask(RoomCall::Amend(change(1, Some(&long))))), ErrorCode::TooLarge);
    table.storage.fail_commits(1);
    assert_eq!(refused(table.ask(RoomCall::Amend(change(1, None)))), ErrorCode::Unavailable);
}

#[test]
fn r_write_1_a_user_changes_what_its_capabilities_allow_of_what_it_sees() {
    let (own, any, moderate) = (Capability::EditOwn, Capability::EditAny, Capability::Moderate);
    let edit = Some("7");
    let allowed = Ok(2);
    let forbidden = Err(ErrorCode::Forbidden);
    // By whom, with what, whether an edit: of a publication of ada's.
    let rows = [
        ("ada", own, edit, allowed),
        ("ada", own, None, allowed),
        ("bob", own, edit, forbidden),
        ("bob", own, None, forbidden),
        ("bob", any, edit, allowed),
        ("bob", any, None, allowed),
        ("bob", moderate, edit, forbidden),
        ("bob", moderate, None, allowed),
        ("ada", Capability::Publish, edit, forbidden),
        ("ada", Capability::Join, None, forbidden),
    ];
    for (name, capability, data, expected) in rows {
        let mut table = table();
        let ada = table.join(1, "ada");
        table.request(ada, r#""t":"publish","data":1"#).expect("a publish");
        let answer = table.ask(change_by(name, &[capability], 1, data));
        let answer = if answer.is_ok() { Ok(amended(answer)) } else { Err(refused(answer)) };
        assert_eq!(answer, expected, "{name} {capability:?} {data:?}");
    }
    let mut table = table();
    let to = Some(To { users: vec![user("cy")], ..To::default() });
    table.ask(RoomCall::Publish(PublishCall { to, ..call_of("1", None) })).expect("a publish");
    assert_eq!(refused(table.ask(change_by("bob", &[any], 1, edit))), ErrorCode::NotFound, "it is not seen");
    assert_eq!(amended(table.ask(change_by("cy", &[any], 1, edit))), 2);
    table.ask(RoomCall::Publish(call_of("1", None))).expect("a publish");
    let answer = table.ask(change_by("bob", &[own], 3, edit));
    assert_eq!(refused(answer), ErrorCode::Forbidden, "what is nobody's is nobody's own");
}

fn set(key: &str, value: &str, owned: bool) -> StateOp {
    StateOp::Set { key: key.to_owned(), value: json(value), expected: None, owned }
}

fn snapshot(table: &mut Table) -> StateSnapshot {
    match table.ask(RoomCall::State) {
        Ok(RequestResult::StateSnapshot(snapshot)) => snapshot,
        other => panic!("{other:?} is no state"),
    }
}

#[test]
fn r_write_2_state_is_read_and_written_as_over_a_socket() {
    let mut table = table();
    assert_eq!((snapshot(&mut table), table.storage.row_count()), (StateSnapshot::default(), 0));
    let ada = table.join(1, "ada");
    table.request(ada, r#""t":"state","ops":[{"set":"mine","value":1,"owned":true}]"#).expect("a write");
    table.take(ada);
    let write = |ops: Vec<StateOp>, moderates| RoomCall::WriteState { ops, moderates };
    assert_eq!(stated(table.ask(write(vec![set("a", "1", false), set("b", "2", false)], false))), 3);
    let told = table.state_changes(ada);
    assert!(matches!(&told[0].ops[..], [StateWrite::Set { .. }, StateWrite::Set { .. }]), "{told:?}");
    let keys: Vec<String> = snapshot(&mut table).entries.into_keys().collect();
    assert_eq!(keys, ["a", "b", "mine"]);
    let conflict = StateOp::Delete { key: "a".to_owned(), expected: Some(1) };
    let path = |answer: Result<RequestResult, RequestError>| {
        let error = answer.expect_err("refused");
        (error.code, error.details.first().map(|detail| detail.path.clone()).unwrap_or_default())
    };
    let rows = [
        (vec![set("c", "1", false), conflict], true, ErrorCode::Conflict, "ops[1].if"),
        (vec![set("mine", "2", false)], false, ErrorCode::Forbidden, "ops[0]"),
        (vec![set("c", "1", true)], true, ErrorCode::InvalidArgument, "ops[0].owned"),
        (vec![], true, ErrorCode::InvalidArgument, "ops"),
        (vec![set("", "1", false)], true, ErrorCode::InvalidArgument, "ops[0].set"),
    ];
    for (ops, moderates, code, at) in rows {
        assert_eq!(path(table.ask(write(ops, moderates))), (code, at.to_owned()));
    }
    assert_eq!(snapshot(&mut table).version, 3, "what is refused changes nothing");
    assert_eq!(stated(table.ask(write(vec![set("mine", "2", false)], true))), 4);
    table.storage.fail_commits(1);
    assert_eq!(refused(table.ask(write(vec![set("a", "9", false)], true))), ErrorCode::Unavailable);
    assert_eq!(snapshot(&mut table).version, 4);
}

#[test]
fn r_write_3_the_raw_log_holds_what_was_said_about_a_publication() {
    let mut table = table();
    let ada = table.join(1, "ada");
    for body in [
        r#""t":"publish","data":1"#,
        r#""t":"publish","data":2,"tags":["x"]"#,
        r#""t":"edit","offset":1,"data":10"#,
        r#""t":"react","offset":1,"name":"+","on":true"#,
    ] {
        table.request(ada, body).expect(body);
    }
    table.ask(RoomCall::Amend(change(2, None))).expect("a removal");
    let page = messages(&mut table, true);
    let page: Vec<_> = page
        .iter()
        .map(|one| (one.offset.value(), one.kind.as_str(), text_of(one.data.as_ref()), one.removed))
        .collect();
    let expected = [
        (1, "message", "1", false),
        (2, "message", "nothing", true),
        (3, "edit", "10", false),
        (4, "react", r#"{"name":"+","on":true}"#, false),
        (5, "remove", "null", false),
    ];
    assert_eq!(page, expected);
    assert_eq!(messages(&mut table, false).len(), 2);
    let (before, after) = (None, Offset::new(1));
    let call = RoomCall::RawMessages { before, after, limit: 2, tags: vec!["x".into()] };
    let Ok(RequestResult::History(page)) = table.ask(call) else { panic!("no page") };
    let offsets: Vec<u64> = page.messages.iter().map(|one| one.offset.value()).collect();
    assert_eq!((offsets, page.next), (vec![2, 5], None), "by tag, as any page");
}

fn key(text: &str) -> Option<ScopedKey> {
    Some(ScopedKey { scope: KeyScope::ApiKey("ci".into()), key: text.to_owned() })
}

fn batch(table: &mut Table, calls: Vec<PublishCall>) -> Vec<Result<(u64, bool), ErrorCode>> {
    let Ok(RequestResult::Batch(answer)) = table.ask(RoomCall::Batch(calls)) else { panic!("no batch") };
    let item = |item| match item {
        BatchItem::Published(found) => Ok(published(Ok(RequestResult::Published(found)))),
        BatchItem::Done {} => Ok((0, false)),
        BatchItem::Refused { error } => Err(error.code),
    };
    answer.results.into_iter().map(item).collect()
}

#[test]
fn r_write_4_a_batch_is_published_in_order_and_each_has_its_own_answer() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.take(ada);
    let calls = vec![
        call_of("1", key("a")),
        PublishCall { kind: Some("edit".into()), ..call_of("2", None) },
        call_of("3", None),
        PublishCall { ephemeral: true, ..call_of("4", None) },
        call_of("1", key("a")),
        call_of("5", key("a")),
        call_of("6", None),
    ];
    let expected = [
        Ok((1, false)),
        Err(ErrorCode::InvalidArgument),
        Ok((2, false)),
        Ok((0, false)),
        Ok((1, true)),
        Err(ErrorCode::Conflict),
        Ok((3, false)),
    ];
    assert_eq!(batch(&mut table, calls.clone()), expected);
    let told: Vec<String> =
        table.publications(ada).iter().map(|one| text_of(one.data.as_ref()).to_owned()).collect();
    assert_eq!(told, ["1", "3", "6"]);
    assert_eq!(table.ephemerals(ada), ["4"]);
    table.storage.fail_commits(1);
    let down = Err(ErrorCode::Unavailable);
    let refused = Err(ErrorCode::InvalidArgument);
    assert_eq!(batch(&mut table, calls), [down, refused, down, Ok((0, false)), down, down, down]);
    assert_eq!(batch(&mut table, vec![]), []);
    let bad = PublishCall { kind: Some("edit".into()), ..call_of("2", None) };
    assert_eq!(batch(&mut table, vec![bad]), [refused]);
}

#[test]
fn r_write_4_a_batch_above_what_one_flush_takes_is_answered_once() {
    let mut table = table();
    let text = format!("\"{}\"", "x".repeat(65_000));
    let calls: Vec<PublishCall> = (0..100).map(|_| call_of(&text, None)).collect();
    let answers = batch(&mut table, calls);
    let expected: Vec<_> = (1..=100).map(|offset| Ok((offset, false))).collect();
    assert_eq!(answers, expected);
    assert_eq!(table.answers.len(), 1);
}

#[test]
fn r_write_4_a_deletion_leaves_no_batch_without_its_answer() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.publish(ada, 1, "");
    let request = RequestId(70);
    let input = Input::Asked { request, call: RoomCall::Batch(vec![call_of("1", None); 3]) };
    let outputs = table.room.handle(table.now, input, &mut table.storage);
    assert!(!outputs.into_iter().any(|output| matches!(output, Output::Answer { .. })), "it waits");
    table.ask(RoomCall::Delete).expect("a deletion");
    assert!(table.answers.iter().any(|(id, answer)| *id == request && answer.is_ok()));
    table.join_with(2, claims("bob"), "");
}

fn spoken(message: &ClientMessage) -> Vec<u8> {
    rmp_serde::to_vec_named(message).expect("a message has a MessagePack form")
}

#[test]
fn r_stream_3_who_knows_the_session_of_a_connection_speaks_for_it_and_nobody_else() {
    let mut table = table();
    let session = |text| Session::parse(text).expect("a session");
    let greeting = table.open_as(1, Codec::Msgpack, claims("ada"));
    let say = |connection: ConnectionId, session: Session, user_of: Option<&str>| RoomCall::Say {
        connection,
        session,
        user: user_of.map(user),
        frame: spoken(&ClientMessage::Remove { id: 7, offset: Offset::new(9).expect("an offset") }),
    };
    let early = table.ask(say(greeting, session("secret-1"), Some("ada")));
    assert_eq!(refused(early), ErrorCode::NotFound, "it has not said hello");
    let hello = Hello {
        session: session("secret-1"),
        recover: None,
        rewind: None,
        tags: Vec::new(),
        presence: None,
        members: false,
    };
    let frame = Frame::Binary(spoken(&ClientMessage::Hello(hello)));
    table.input(Input::Received { connection: greeting, frame });
    let bob = table.join(2, "bob");
    table.take(greeting);
    let strangers = [
        say(greeting, session("secret-2"), Some("ada")),
        say(greeting, session("secret-1"), Some("bob")),
        say(bob, session("secret-1"), Some("ada")),
        say(crate::support::connection(3), session("secret-1"), Some("ada")),
    ];
    for call in strangers {
        assert_eq!(refused(table.ask(call.clone())), ErrorCode::NotFound, "{call:?}");
    }
    table.flush();
    assert!(table.take(greeting).is_empty(), "nothing was heard of it");
    for user_of in [Some("ada"), None] {
        assert_eq!(table.ask(say(greeting, session("secret-1"), user_of)), Ok(RequestResult::Done {}));
        table.flush();
        let error = table.error(greeting);
        assert_eq!((error.id, error.code), (Some(7), ErrorCode::NotFound), "the frame was read");
    }
}
