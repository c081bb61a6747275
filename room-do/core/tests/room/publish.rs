//! Publishing: order, durability, audiences, bounds.

use crate::support::{claims, table, table_of};
use room_core::{Input, Output};
use schemas::{
    Capabilities, Capability, Codec, Frame, ServerMessage,
    codes::ErrorCode,
    config::{KindConfig, KindLimits, LogConfig},
    http::{PublishCall, RoomCall},
    server_message::RequestResult,
};

#[test]
fn r_pub_1_a_publish_is_answered_and_delivered_to_all_and_echoed() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.take(ada);
    table.publish(ada, 9, "");
    assert!(table.take(ada).is_empty(), "nothing leaves before the flush");
    table.flush();
    let got = table.take(ada);
    assert!(matches!(&got[0], ServerMessage::Publication(p) if p.offset.value() == 1 && p.kind == "message"));
    match &got[1] {
        ServerMessage::Reply(reply) => match reply.result {
            RequestResult::Published(published) => {
                assert_eq!((reply.id, published.offset.value(), published.duplicate), (9, 1, false));
            }
            ref other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
    assert_eq!(table.offsets(bob), [1]);
}

#[test]
fn r_pub_2_offsets_are_dense_across_connections_and_turns() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    for round in 0..5 {
        table.publish(ada, round, "");
        table.publish(bob, round, "");
        table.flush();
    }
    assert_eq!(table.offsets(ada), (1..=10).collect::<Vec<_>>());
    assert_eq!(table.offsets(bob), (1..=10).collect::<Vec<_>>());
}

#[test]
fn r_pub_3_a_failed_commit_rejects_what_was_staged_delivers_none_and_burns_no_offset() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.take(ada);
    table.storage.fail_commits(1);
    table.publish(ada, 1, "");
    table.publish(ada, 2, "");
    table.flush();
    let errors: Vec<_> = table.take(ada);
    assert_eq!(errors.len(), 2);
    assert!(
        errors
            .iter()
            .all(|m| matches!(m, ServerMessage::Error(e) if e.code == ErrorCode::Unavailable && e.retryable))
    );
    assert!(table.offsets(bob).is_empty());
    table.publish(ada, 3, "");
    table.flush();
    assert_eq!(table.offsets(bob), [1]);
}

#[test]
fn r_pub_3_a_member_that_could_not_be_written_is_told_once_it_is() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.take(ada);
    table.storage.fail_commits(1);
    let bob = table.open(2, claims("bob"));
    table.hello(bob, 2, "");
    table.flush();
    assert!(table.take(ada).is_empty());
    table.flush();
    assert!(matches!(&table.take(ada)[..], [ServerMessage::Presence(diff)] if diff.joined.len() == 1));
    assert_eq!(table.storage.load().members.len(), 2);
}

#[test]
fn r_pub_9_one_turn_is_one_commit_and_one_frame_a_connection() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    let (commits, frames) = (table.storage.commits(), table.frames(bob));
    for request in 0..32 {
        table.publish(ada, request, "");
    }
    table.flush();
    assert_eq!(table.storage.commits(), commits + 1);
    assert_eq!(table.frames(bob), frames + 1);
    assert_eq!(table.offsets(bob).len(), 32);
}

#[test]
fn r_pub_9_a_kind_with_flush_waits_between_flushes_and_not_after_a_quiet_time() {
    let mut table = table_of(KindConfig { flush_ms: 50, ..KindConfig::default() });
    let ada = table.join(1, "ada");
    table.now += 1_000;
    table.publish(ada, 1, "");
    assert_eq!(table.room.poll_timeout().turn, None, "it has left already");
    table.now += 10;
    table.publish(ada, 2, "");
    assert_eq!(table.room.poll_timeout().turn.map(|d| d.at), Some(table.now + 40));
}

#[test]
fn r_pub_9_the_first_input_after_a_quiet_time_leaves_at_once_and_the_next_waits_for_company() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.now += 11;
    table.publish(ada, 1, "");
    assert_eq!(table.offsets(bob), [1]);
    table.publish(ada, 2, "");
    assert!(table.offsets(bob).is_empty());
    assert_eq!(table.room.poll_timeout().turn.map(|deadline| deadline.at), Some(table.now));
    table.flush();
    assert_eq!(table.offsets(bob), [2]);
}

#[test]
fn r_pub_4_ephemerals_are_fanned_out_and_not_logged() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.take(ada);
    table.say(ada, r#"{"t":"publish","data":1,"ephemeral":true}"#);
    table.publish(ada, 5, r#","ephemeral":true"#);
    table.flush();
    let got = table.take(bob);
    assert_eq!(got.iter().filter(|m| matches!(m, ServerMessage::Ephemeral(_))).count(), 2);
    let replies: Vec<_> =
        table.take(ada).into_iter().filter(|m| matches!(m, ServerMessage::Reply(_))).collect();
    assert!(
        matches!(&replies[..], [ServerMessage::Reply(r)] if r.id == 5 && r.result == RequestResult::Done {})
    );
    assert_eq!(table.room.head().value(), 0);
}

#[test]
fn r_pub_5_echo_false_withholds_from_the_sender_alone() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.publish(ada, 1, r#","echo":false"#);
    table.flush();
    assert!(table.offsets(ada).is_empty());
    assert_eq!(table.offsets(bob), [1]);
}

#[test]
fn r_pub_6_to_names_the_audience_live_and_in_history() {
    let mut table = table();
    let (ada, bob, cy) = (table.join(1, "ada"), table.join(2, "bob"), table.join(3, "cy"));
    table.publish(ada, 1, r#","to":{"users":["bob","nobody"]}"#);
    table.flush();
    assert_eq!((table.offsets(ada), table.offsets(bob), table.offsets(cy)), (vec![1], vec![1], vec![]));
    for (id, expected) in [(ada, 1), (bob, 1), (cy, 0)] {
        table.say(id, r#"{"t":"history","id":1}"#);
        table.flush();
        let page = table.take(id).into_iter().find_map(|m| match m {
            ServerMessage::Reply(schemas::server_message::Reply {
                result: RequestResult::History(page),
                ..
            }) => Some(page),
            _ => None,
        });
        assert_eq!(page.map(|page| page.messages.len()), Some(expected));
    }
    table.publish(ada, 2, &format!(r#","to":{{"connections":["{bob}"]}}"#));
    table.flush();
    assert_eq!(table.error(ada).details[0].path, "to.connections");
}

#[test]
fn r_pub_7_a_payload_above_the_bound_is_too_large_and_one_at_the_bound_is_not() {
    let limits = KindLimits { payload_bytes: 10, ..KindLimits::default() };
    let mut table = table_of(KindConfig { limits, ..KindConfig::default() });
    let ada = table.join(1, "ada");
    table.say(ada, r#"{"t":"publish","id":1,"data":"12345678"}"#);
    table.flush();
    assert_eq!(table.offsets(ada), [1]);
    table.say(ada, r#"{"t":"publish","id":2,"data":"123456789"}"#);
    table.flush();
    let error = table.error(ada);
    assert_eq!((error.id, error.code), (Some(2), ErrorCode::TooLarge));
}

#[test]
fn r_pub_7_types_of_the_room_are_not_the_applications() {
    let mut table = table();
    let ada = table.join(1, "ada");
    for kind in ["edit", "remove", "react", "", &"x".repeat(65)] {
        table.publish(ada, 1, &format!(r#","type":"{kind}""#));
        table.flush();
        assert_eq!(table.error(ada).details[0].path, "type", "{kind}");
    }
}

#[test]
fn r_pub_8_what_the_token_does_not_allow_is_forbidden_and_has_no_effect() {
    let mut table = table();
    let join: Capabilities = [Capability::Join].into_iter().collect();
    let (ada, _) = table.join_with(1, schemas::Claims { capabilities: join, ..claims("ada") }, "");
    for (message, id) in [
        (r#"{"t":"publish","id":1,"data":1}"#, 1),
        (r#"{"t":"presence","id":2,"data":1}"#, 2),
        (r#"{"t":"history","id":3}"#, 3),
        (r#"{"t":"members","id":4}"#, 4),
    ] {
        table.say(ada, message);
        table.flush();
        let error = table.error(ada);
        assert_eq!((error.code, error.id), (ErrorCode::Forbidden, Some(id)));
    }
    assert_eq!(table.room.head().value(), 0);
}

#[test]
fn r_pub_10_a_kind_without_a_log_numbers_in_memory_and_answers_no_log() {
    let log = LogConfig { count: 0, ..LogConfig::default() };
    let mut table = table_of(KindConfig { log, ..KindConfig::default() });
    let ada = table.join(1, "ada");
    table.publish(ada, 1, "");
    table.flush();
    assert_eq!(table.offsets(ada), [1]);
    assert!(table.storage.rows().is_empty());
    let epoch = table.room.epoch();
    let recover = format!(r#","recover":{{"epoch":"{epoch}","offset":0}}"#);
    let (_, welcome) = table.join_with(2, claims("bob"), &recover);
    assert_eq!(welcome.reason, Some(schemas::server_message::RecoveryFailure::NoLog));
}

#[test]
fn r_pub_11_without_a_behavior_there_is_nothing_to_call() {
    let mut table = table();
    let ada = table.join(1, "ada");
    for body in [r#""t":"call","method":"m","args":{}"#, r#""t":"cancel""#] {
        let error = table.request(ada, body).expect_err("it is not served");
        assert_eq!((error.code, error.retryable), (ErrorCode::Unsupported, false), "{body}");
    }
    assert!(table.closed.is_empty());
}

#[test]
fn r_pub_12_of_those_that_wait_for_one_flush_the_latest_of_a_connection_and_name_stands() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    let say = |data: u32, name: &str| {
        format!(r#""t":"publish","data":{data},"ephemeral":true,"conflate":"{name}""#)
    };
    let requests = [
        table.stage(ada, &say(1, "a")),
        table.stage(ada, &say(2, "b")),
        table.stage(ada, r#""t":"publish","data":3,"ephemeral":true"#),
        table.stage(ada, &say(4, "a")),
        table.stage(ada, r#""t":"publish","data":5,"ephemeral":true"#),
        table.stage(ada, &say(6, "a")),
    ];
    let other = table.stage(bob, &say(7, "a"));
    table.flush();
    assert_eq!(table.ephemerals(bob), ["2", "3", "5", "6", "7"], "another connection's is another's");
    for request in requests {
        assert_eq!(table.answer(ada, request), Ok(RequestResult::Done {}), "each is answered");
    }
    assert_eq!(table.answer(bob, other), Ok(RequestResult::Done {}));
    table.request(ada, &say(8, "a")).expect("a publish");
    table.request(ada, &say(9, "a")).expect("a publish");
    table.ephemerals(ada);
    assert_eq!(table.ephemerals(bob), ["8", "9"], "those of another flush stand for themselves");
}

#[test]
fn r_pub_12_conflate_has_1_to_64_bytes_and_is_for_ephemerals() {
    let mut table = table();
    let ada = table.join(1, "ada");
    for extra in [
        r#""conflate":"c""#.to_owned(),
        r#""ephemeral":true,"conflate":"""#.to_owned(),
        format!(r#""ephemeral":true,"conflate":"{}""#, "c".repeat(65)),
    ] {
        let error = table.request(ada, &format!(r#""t":"publish","data":1,{extra}"#));
        let error = error.expect_err("not such a name");
        assert_eq!((error.code, error.details[0].path.as_str()), (ErrorCode::InvalidArgument, "conflate"));
    }
    let longest = format!(r#""t":"publish","data":1,"ephemeral":true,"conflate":"{}""#, "c".repeat(64));
    table.request(ada, &longest).expect("a publish");
}

#[test]
fn r_pub_12_they_are_conflated_where_the_commit_beside_them_fails() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.storage.fail_commits(1);
    let logged = table.stage(ada, r#""t":"publish","data":0"#);
    let ephemeral = |data: u32| format!(r#""t":"publish","data":{data},"ephemeral":true,"conflate":"c""#);
    let (first, second) = (table.stage(ada, &ephemeral(1)), table.stage(ada, &ephemeral(2)));
    table.flush();
    assert_eq!(crate::support::refused(table.answer(ada, logged)), ErrorCode::Unavailable);
    for request in [first, second] {
        assert_eq!(table.answer(ada, request), Ok(RequestResult::Done {}));
    }
    assert_eq!(table.ephemerals(bob), ["2"]);
}

/// One connection of each codec, and what each of them publishes.
#[test]
fn r_pub_13_json_and_messagepack_connections_see_the_same_bytes_included() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let bob = table.open_as(2, Codec::Msgpack, claims("bob"));
    let hello = [&[0x82][..], b"\xa1t\xa5hello\xa7session\xa9session-2"].concat();
    table.input(Input::Received { connection: bob, frame: Frame::Binary(hello) });
    table.flush();
    table.take(bob);
    for data in [r#"{"a" : [1, 2.50, "\u00e9\n"]}"#, "null", r#"{"$bin":"AP8="}"#, r#"{"$bin":"AP8=","b":1}"#]
    {
        table.request(ada, &format!(r#""t":"publish","data":{data},"type":"note""#)).expect("a publish");
    }
    let publish = |data: &[u8]| [b"\x83\xa1t\xa7publish\xa2id\x01\xa4data".as_slice(), data].concat();
    for data in [b"\xc4\x02\x00\xff".as_slice(), b"\xa5[1 ,2", b"\xaf{\"$bin\":\"AP8=\"}", b"\xa41.50"] {
        table.input(Input::Received { connection: bob, frame: Frame::Binary(publish(data)) });
        table.flush();
    }
    let (json, msgpack) = (table.publications(ada), table.publications(bob));
    assert_eq!(json.len(), 7, "one was no JSON value");
    assert_eq!(json, msgpack);
    let bytes = Some(schemas::Payload::Bytes(vec![0, 0xff]));
    let held: Vec<bool> = json.iter().map(|publication| publication.data == bytes).collect();
    assert_eq!(held, [false, false, true, false, true, true, false]);
    assert_eq!(crate::support::text_of(json[0].data.as_ref()), r#"{"a" : [1, 2.50, "\u00e9\n"]}"#);
    for sleeps in [true, false] {
        if sleeps {
            table.hibernate()
        } else {
            table.kill()
        }
        let from = table.recover_from(0);
        let (_, welcome) = table.join_with(10 + u64::from(sleeps), claims("cy"), &from);
        assert_eq!(welcome.publications, json, "and as it is stored");
    }
}

/// Reaching a tag costs its carriers alone.
#[test]
fn r_tag_1_a_tagged_publish_in_a_room_of_1000_is_one_broadcast_to_its_carriers() {
    let presence =
        schemas::config::PresenceConfig { mode: schemas::config::PresenceMode::Off, ..Default::default() };
    let mut table = table_of(KindConfig { presence, ..KindConfig::default() });
    for number in 0..1_000 {
        let tags = if number % 100 == 7 { r#","tags":["rare"]"# } else { r#","tags":["common"]"# };
        table.join_with(number, claims(&format!("user-{}", number % 300)), tags);
    }
    table.now += 1_000;
    let call = PublishCall { tags: vec!["rare".to_owned()], ..crate::support::call_of("1", None) };
    let asked = Input::Asked { request: room_core::RequestId(1), call: RoomCall::Publish(call) };
    let outputs = table.room.handle(table.now, asked, &mut table.storage).0;
    let sent: Vec<&Vec<schemas::ConnectionId>> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Broadcast { connections, .. } => Some(connections),
            _ => None,
        })
        .collect();
    assert_eq!(sent.len(), 1);
    let carriers: Vec<u64> = sent[0].iter().map(|id| id.value()).collect();
    assert_eq!(carriers, (0..10).map(|index| index * 100 + 7).collect::<Vec<_>>());
    assert_eq!(outputs.len(), 2, "and the answer");
}

#[test]
fn r_http_1_a_backend_publishes_and_is_answered_with_the_flush() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.take(ada);
    let data = schemas::Payload::from_json(r#"{"a":1}"#.into()).expect("JSON");
    let call =
        PublishCall { data, kind: None, tags: vec![], to: None, ephemeral: false, author: None, key: None };
    let answer = table.ask(RoomCall::Publish(call));
    assert!(matches!(answer, Ok(RequestResult::Published(p)) if p.offset.value() == 1));
    assert!(matches!(&table.take(ada)[..], [ServerMessage::Publication(p)] if p.from.is_none()));
}

#[test]
fn r_limit_2_what_is_staged_is_bounded() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    let data = "x".repeat(60_000);
    for request in 0..80 {
        table.say(ada, &format!(r#"{{"t":"publish","id":{request},"data":"{data}"}}"#));
    }
    let early = table.offsets(bob).len();
    assert!(early > 60 && early < 80, "{early} left before the turn ended");
    table.flush();
    assert_eq!(early + table.offsets(bob).len(), 80);
}
