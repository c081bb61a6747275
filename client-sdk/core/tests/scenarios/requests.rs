//! Requests and their outcomes.

use client_core::{Call, Due, Input, Outcome, Request, requests};
use schemas::{
    ClientMessage, ErrorCode, ServerMessage,
    client_message::History,
    limits::REQUEST_RATE_DEFAULT,
    server_message::{Amended, HistoryPage, NoticeCode, Reply, RequestError, RequestResult},
};

use crate::script::{
    Script, ephemeral, epoch, json, offset, publish, published, recovered, welcome, without_token,
};

fn ids(said: &[ClientMessage]) -> Vec<u32> {
    let ids = said.iter().map(|message| match message {
        ClientMessage::Publish(publish) => publish.id.expect("has an id"),
        other => panic!("heard {other:?}"),
    });
    ids.collect()
}

#[test]
fn r_cli_15_what_one_turn_asks_leaves_as_one_frame_at_its_end() {
    let mut script = Script::online();
    script.publish(1, "a");
    script.publish(2, "b");
    script.input(Input::Requested {
        call: Call(3),
        request: Request::History(History { id: 0, before: None, after: None, limit: 5, tags: Vec::new() }),
    });
    assert!(script.frames.is_empty());
    assert_eq!(script.client.poll_timeout().map(|deadline| deadline.due), Some(Due::TurnEnd));
    script.end_turn();
    assert_eq!(script.frames.len(), 1);
    assert_eq!(script.heard().len(), 3);
    assert_ne!(script.client.poll_timeout().map(|deadline| deadline.due), Some(Due::TurnEnd));
}

#[test]
fn r_cli_15_a_frame_stays_below_the_servers_bound() {
    let mut script = Script::online();
    for call in 0..10 {
        script.publish(call, &"x".repeat(1_000));
    }
    script.publish(10, &"x".repeat(5_000));
    script.end_turn();
    assert!(script.frames.len() >= 3 && script.frames.iter().all(|frame| frame.len() <= 4_096));
    assert_eq!(ids(&script.heard()).len(), 10);
    assert_eq!(script.outcomes(), [(10, "too_large".to_string())]);
}

#[test]
fn r_cli_16_each_request_has_the_one_outcome_that_its_answer_says() {
    let mut script = Script::online();
    script.publish(1, "a");
    script.publish(2, "b");
    script.input(Input::Requested {
        call: Call(3),
        request: Request::History(History { id: 0, before: None, after: None, limit: 5, tags: Vec::new() }),
    });
    script.end_turn();
    let said = script.heard();
    let ids = ids(&said[..2]);
    let ClientMessage::History(History { id: history, .. }) = said[2] else { panic!("heard {said:?}") };
    let page = HistoryPage { epoch: epoch(), messages: Vec::new(), next: None };
    script.say_all(&[
        ServerMessage::Error(RequestError::new(Some(ids[1]), ErrorCode::Forbidden, "no")),
        ServerMessage::Reply(Reply { id: history, result: RequestResult::History(page.clone()) }),
        published(ids[0], 11),
        published(ids[0], 12),
        published(77, 13),
    ]);
    let settled = script.settled();
    assert_eq!(settled.len(), 3);
    assert!(matches!(&settled[0], (2, Outcome::Rejected(error)) if error.code == ErrorCode::Forbidden));
    assert_eq!(settled[1], (3, Outcome::Acknowledged(RequestResult::History(page))));
    assert!(matches!(&settled[2], (1, Outcome::Acknowledged(RequestResult::Published(_)))));
}

#[test]
fn r_cli_16_edits_removals_and_reactions_are_answered_with_their_own_offset() {
    let mut script = Script::online();
    let reacting = |on| Request::React { offset: offset(3), name: "+1".into(), on };
    let asked = [
        Request::Edit { offset: offset(3), data: json("b") },
        Request::Remove { offset: offset(4) },
        reacting(true),
        reacting(false),
    ];
    for (call, request) in (1..).zip(asked) {
        script.ask(call, request);
    }
    script.end_turn();
    let reaction = |id, on| ClientMessage::React { id, offset: offset(3), name: "+1".into(), on };
    let said = [
        ClientMessage::Edit { id: 1, offset: offset(3), data: json("b") },
        ClientMessage::Remove { id: 2, offset: offset(4) },
        reaction(3, true),
        reaction(4, false),
    ];
    assert_eq!(script.heard(), said);
    let amended = RequestResult::Amended(Amended { offset: offset(11) });
    script.say(ServerMessage::Reply(Reply { id: 1, result: amended.clone() }));
    script.say(ServerMessage::Error(RequestError::new(Some(2), ErrorCode::NotFound, "no")));
    script.close(1006);
    assert_eq!(script.settled()[0], (1, Outcome::Acknowledged(amended)));
    let told = ["ok", "not_found", "unavailable?", "unavailable?"].map(String::from);
    assert_eq!(script.outcomes(), (1..).zip(told).collect::<Vec<_>>());
}

#[test]
fn r_cli_17_what_was_sent_and_not_answered_is_unknown_and_never_sent_again() {
    let mut script = Script::online();
    script.publish(1, "sent");
    script.end_turn();
    script.publish(2, "not yet sent");
    script.forget();
    script.close(1006);
    assert_eq!(script.outcomes(), [(1, "unavailable?".to_string())]);
    script.reconnect();
    script.say(recovered(10, []));
    let said = script.heard();
    assert_eq!(ids(&said).len(), 1, "{said:?}");
    assert!(matches!(&said[0], ClientMessage::Publish(publish) if publish.data == json("not yet sent")));
}

#[test]
fn r_cli_17_ten_seconds_without_an_answer_and_a_rebuilt_room_make_it_unknown_too() {
    let mut script = Script::online();
    script.publish(1, "a");
    script.end_turn();
    let id = ids(&script.heard())[0];
    script.pass(9_999);
    assert!(script.outcomes().is_empty());
    script.pass(1);
    assert_eq!(script.outcomes(), [(1, "unavailable?".to_string())]);
    script.say(published(id, 11));
    assert_eq!(script.outcomes().len(), 1, "too late");
    assert_eq!(script.status(), "connected");

    let mut script = Script::online();
    script.publish(1, "a");
    script.end_turn();
    script.say(ServerMessage::Notice { code: NoticeCode::Restarted, message: String::new() });
    assert_eq!(script.outcomes(), [(1, "unavailable?".to_string())]);
    assert_eq!(script.status(), "connected");
}

#[test]
fn r_cli_17_requests_are_refused_where_the_room_is_not_joined() {
    let mut script = Script::new(without_token());
    script.publish(1, "a");
    assert_eq!(script.outcomes(), [(1, "unavailable".to_string())]);
}

#[test]
fn r_cli_23_requests_wait_for_the_welcome_in_order_up_to_a_bound() {
    let mut script = Script::new(without_token());
    script.input(Input::JoinRequested);
    for call in 0..=requests::QUEUE_MAX as u32 {
        script.publish(call, "x");
    }
    assert_eq!(script.outcomes(), [(256, "overloaded".to_string())]);
    script.open();
    script.hello();
    script.say(welcome(0));
    assert_eq!(ids(&script.heard()), (1..=64).collect::<Vec<_>>());
    script.pass(1_000);
    assert_eq!(ids(&script.heard()).len(), 40, "the rest at a pace that the server's rates allow");
    script.publish(500, "later");
    script.end_turn();
    assert!(script.heard().is_empty(), "and nothing overtakes it");
    script.pass(4_000);
    assert_eq!(ids(&script.heard()).len(), 256 - 64 - 40 + 1);
}

#[test]
fn r_cli_23_other_requests_go_at_the_slower_pace_of_their_rate() {
    let mut script = Script::new(without_token());
    script.input(Input::JoinRequested);
    for call in 0..200 {
        script.ask(call, Request::State { ops: Vec::new() });
    }
    script.open();
    script.hello();
    script.say(welcome(0));
    let (per_second, burst) = REQUEST_RATE_DEFAULT;
    let mut sent = script.heard().len();
    for second in 1..=8 {
        assert!(sent <= (burst + second * per_second) as usize, "{sent} in {second} s");
        script.pass(1_000);
        sent += script.heard().len();
    }
    assert!(sent > 180, "{sent}");
}

#[test]
fn r_cli_23_the_bound_counts_bytes_too() {
    let mut script = Script::new(without_token());
    script.input(Input::JoinRequested);
    let third = "x".repeat(requests::QUEUE_BYTES_MAX / 3);
    for call in 0..3 {
        script.publish(call, &third);
    }
    assert_eq!(script.outcomes(), [(2, "overloaded".to_string())]);
    script.publish(3, "small");
    assert_eq!(script.outcomes().len(), 1);
}

#[test]
fn r_cli_23_online_the_bound_flushes_instead() {
    let mut script = Script::online();
    for call in 0..1_000 {
        script.publish(call, "x");
    }
    script.end_turn();
    assert!(script.outcomes().is_empty());
    assert_eq!(ids(&script.heard()).len(), 1_000);
    for call in 1_000..1_400 {
        script.publish(call, "x");
    }
    script.end_turn();
    let overloaded = script.outcomes().into_iter().filter(|(_, code)| code == "overloaded").count();
    assert_eq!(ids(&script.heard()).len(), requests::OUTSTANDING_MAX - 1_000);
    assert_eq!(overloaded, 400 - (requests::OUTSTANDING_MAX - 1_000) - requests::QUEUE_MAX);
}

#[test]
fn r_cli_24_ephemerals_do_not_wait_for_a_connection() {
    let mut script = Script::online();
    script.input(Input::Requested { call: Call(1), request: ephemeral("x") });
    script.end_turn();
    let said = script.heard();
    assert!(matches!(said.as_slice(), [ClientMessage::Publish(publish)] if publish.ephemeral));
    script.say(ServerMessage::Reply(Reply { id: ids(&said)[0], result: RequestResult::Done {} }));
    script.input(Input::Requested { call: Call(2), request: ephemeral("caught in the queue") });
    script.close(1006);
    script.input(Input::Requested { call: Call(3), request: ephemeral("x") });
    assert_eq!(
        script.outcomes(),
        [(1, "ok".to_string()), (2, "unavailable".to_string()), (3, "unavailable".to_string())]
    );
}

#[test]
fn r_cli_25_cancelled_requests_are_not_sent_or_their_outcome_is_unknown() {
    let mut script = Script::online();
    script.publish(1, "sent");
    script.end_turn();
    let sent = ids(&script.heard())[0];
    script.publish(2, "waits");
    script.input(Input::Cancelled { call: Call(1) });
    script.input(Input::Cancelled { call: Call(2) });
    script.input(Input::Cancelled { call: Call(3) });
    script.end_turn();
    assert!(script.heard().is_empty());
    script.say(published(sent, 11));
    assert_eq!(script.outcomes(), [(1, "cancelled?".to_string()), (2, "cancelled".to_string())]);
    assert!(matches!(publish("x"), Request::Publish(_)));
}
