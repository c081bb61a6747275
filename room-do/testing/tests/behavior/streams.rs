use room_testing::{Seat, ServerMessage, TestRoom};
use schemas::ErrorCode;
use serde_json::{Value, json};

use super::bench::Bench;

/// The chunks of a call in the inbox, and how it ended.
fn streamed(
    room: &mut TestRoom<Bench>,
    seat: Seat,
    id: u32,
) -> (Vec<Value>, Option<Result<Value, ErrorCode>>) {
    let (mut chunks, mut end) = (Vec::new(), None);
    for message in room.inbox(seat) {
        match message {
            ServerMessage::Returned(returned) if returned.id == id => {
                assert!(end.is_none(), "nothing comes behind the end");
                let result = serde_json::to_value(&returned.result).expect("JSON");
                if returned.more { chunks.push(result) } else { end = Some(Ok(result)) }
            }
            ServerMessage::Error(error) if error.id == Some(id) => {
                assert!(end.is_none(), "there is one end");
                end = Some(Err(error.code));
            }
            _ => {}
        }
    }
    (chunks, end)
}

#[test]
fn r_call_8_a_streamed_result_comes_in_chunks_and_ends() {
    let mut room = TestRoom::<Bench>::new();
    let ada = room.join("ada");
    let id = room.start(ada, "numbers", json!({ "key": "", "value": 200 }));
    let (chunks, end) = streamed(&mut room, ada, id);
    assert_eq!(chunks, (0..200).map(Value::from).collect::<Vec<_>>());
    assert_eq!(end, Some(Ok(json!(null))));
    let id = room.start(ada, "numbers", json!({ "key": "", "value": 0 }));
    assert_eq!(streamed(&mut room, ada, id), (vec![], Some(Ok(json!(null)))));
    let id = room.start(ada, "numbers", json!({ "key": "", "value": 5, "fails": true }));
    assert_eq!(streamed(&mut room, ada, id), (vec![], Some(Err(ErrorCode::MethodFailed))));
}

#[test]
fn r_call_8_a_stream_waits_for_what_others_do_and_may_fail() {
    let mut room = TestRoom::<Bench>::new();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    let id = room.start(ada, "tail", json!(null));
    assert_eq!(streamed(&mut room, ada, id), (vec![], None));
    for value in [5, 6] {
        room.call(bob, "push", json!({ "key": "", "value": value })).expect("it is pushed");
    }
    assert_eq!(streamed(&mut room, ada, id), (vec![json!(5), json!(6)], None));
    room.call(bob, "push", json!({ "key": "", "value": 13 })).expect("it is pushed");
    assert_eq!(streamed(&mut room, ada, id), (vec![], Some(Err(ErrorCode::MethodFailed))));
}

#[test]
fn r_call_9_a_cancelled_stream_ends_with_cancelled() {
    let mut room = TestRoom::<Bench>::new();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    let id = room.start(ada, "tail", json!(null));
    room.cancel(ada, id);
    assert_eq!(streamed(&mut room, ada, id), (vec![], Some(Err(ErrorCode::Cancelled))));
    room.call(bob, "push", json!({ "key": "", "value": 5 })).expect("it is pushed");
    room.cancel(ada, id);
    assert_eq!(streamed(&mut room, ada, id), (vec![], None), "a call that is over has nothing to cancel");
}

#[test]
fn r_call_9_a_stream_goes_with_its_connection() {
    let mut room = TestRoom::<Bench>::new();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    room.start(ada, "tail", json!(null));
    room.lose(ada);
    room.call(bob, "push", json!({ "key": "", "value": 5 })).expect("it is pushed");
    let id = room.start(bob, "tail", json!(null));
    assert_eq!(streamed(&mut room, bob, id), (vec![json!(5)], None), "nobody else took it");
}

#[test]
fn r_call_10_a_stream_whose_room_left_memory_ends_with_unavailable() {
    let mut room = TestRoom::<Bench>::new();
    let ada = room.join("ada");
    let id = room.start(ada, "tail", json!(null));
    room.sleep();
    assert_eq!(streamed(&mut room, ada, id), (vec![], Some(Err(ErrorCode::Unavailable))));
    room.sleep();
    assert_eq!(streamed(&mut room, ada, id), (vec![], None), "once");
}

#[test]
fn r_call_10_a_commit_that_fails_ends_streams() {
    let mut room = TestRoom::<Bench>::new();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    let id = room.start(ada, "tail", json!(null));
    room.fail_commits(1);
    room.call(bob, "put", json!({ "key": "k", "value": 5 })).expect_err("storage failed");
    room.advance("2s");
    assert_eq!(streamed(&mut room, ada, id), (vec![], Some(Err(ErrorCode::Unavailable))));
}

#[test]
fn r_call_10_a_stream_that_ends_in_a_flush_that_fails_is_told_so() {
    let mut room = TestRoom::<Bench>::new();
    let request = room.start_service("numbers", &json!({ "key": "", "value": 100 }));
    room.fail_commits(1);
    room.want(request);
    let answer = room.service_answer(request).expect("nobody waits for ever");
    assert_eq!(answer.expect_err("its last chunks are lost").code, ErrorCode::Unavailable);
}

#[test]
fn r_call_11_a_connection_has_at_most_8_streams() {
    let mut room = TestRoom::<Bench>::new();
    let ada = room.join("ada");
    let ids: Vec<u32> = (0..9).map(|_| room.start(ada, "tail", json!(null))).collect();
    assert_eq!(streamed(&mut room, ada, ids[8]), (vec![], Some(Err(ErrorCode::Overloaded))));
    assert_eq!(
        room.call(ada, "get", json!({ "name": "tails" })),
        Ok(json!(8)),
        "what is refused keeps nothing"
    );
    room.cancel(ada, ids[0]);
    let id = room.start(ada, "tail", json!(null));
    assert_eq!(streamed(&mut room, ada, id), (vec![], None), "there is place again");
}

#[test]
fn r_call_12_over_http_chunks_come_as_they_are_wanted() {
    let mut room = TestRoom::<Bench>::new();
    let request = room.start_service("numbers", &json!({ "key": "", "value": 100 }));
    assert_eq!(room.service_chunks(request).len(), 64);
    room.advance("30s");
    assert_eq!(room.service_chunks(request).len(), 0, "its reader has not taken them");
    assert_eq!(room.service_answer(request), None);
    room.want(request);
    assert_eq!(room.service_chunks(request).len(), 36);
    assert_eq!(room.service_answer(request), Some(Ok(json!(null))));
    let request = room.start_service("tail", &json!(null));
    room.abandon(request);
    room.service("push", &json!({ "key": "", "value": 5 })).expect("it is pushed");
    assert_eq!(room.service_chunks(request).len(), 0);
}
