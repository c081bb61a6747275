//! Tags: who gets a tagged publication, live, on recovery and in history.

use crate::support::{claims, table};
use schemas::{
    Claims, ServerMessage, limits,
    server_message::{Reply, RequestResult},
};

#[test]
fn r_tag_1_a_tagged_publication_reaches_exactly_the_carriers_live_and_on_recovery() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let (bob, _) = table.join_with(2, claims("bob"), r#","tags":["red"]"#);
    let (cy, _) = table.join_with(3, claims("cy"), r#","tags":["blue","green"]"#);
    for (request, extra) in [(1, r#","tags":["red"]"#), (2, ""), (3, r#","tags":["green","red"]"#)] {
        table.publish(ada, request, extra);
    }
    table.flush();
    assert_eq!(
        (table.offsets(ada), table.offsets(bob), table.offsets(cy)),
        (vec![2], vec![1, 2, 3], vec![2, 3])
    );
    let epoch = table.room.epoch();
    let extra = format!(r#","tags":["green"],"recover":{{"epoch":"{epoch}","offset":0}}"#);
    let (dee, welcome) = table.join_with(4, claims("dee"), &extra);
    let offsets: Vec<u64> = welcome.publications.iter().map(|p| p.offset.value()).collect();
    assert_eq!(offsets, [2, 3]);
    table.take(dee);
    table.say(dee, r#"{"t":"history","id":1,"tags":["green"]}"#);
    table.flush();
    let got = table.take(dee);
    assert!(matches!(&got[..], [ServerMessage::Reply(Reply { result: RequestResult::History(page), .. })]
        if page.messages.len() == 1));
}

#[test]
fn r_tag_2_subscriptions_change_and_survive_hibernation() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.take(ada);
    table.say(ada, r#"{"t":"subscribe","id":1,"tags":["a","b"]}"#);
    table.say(ada, r#"{"t":"unsubscribe","id":2,"tags":["a"]}"#);
    table.flush();
    let tags: Vec<_> = table
        .take(ada)
        .into_iter()
        .filter_map(|message| match message {
            ServerMessage::Reply(Reply { result: RequestResult::Tags(tags), .. }) => Some(tags.tags),
            _ => None,
        })
        .collect();
    assert_eq!(tags, [vec!["a".to_owned(), "b".to_owned()], vec!["b".to_owned()]]);
    table.hibernate();
    table.publish(ada, 3, r#","tags":["a"]"#);
    table.publish(ada, 4, r#","tags":["b"]"#);
    table.flush();
    assert_eq!(table.offsets(ada), [2]);
}

#[test]
fn r_auth_4_tags_of_the_token_are_carried_and_cannot_be_dropped() {
    let mut table = table();
    let (ada, welcome) =
        table.join_with(1, Claims { tags: vec!["$staff".into()], ..claims("ada") }, r#","tags":["x"]"#);
    assert_eq!(welcome.tags, ["$staff", "x"]);
    table.say(ada, r#"{"t":"unsubscribe","id":1,"tags":["$staff","x"]}"#);
    table.publish(ada, 2, r#","tags":["$staff"]"#);
    table.flush();
    assert_eq!(table.offsets(ada), [1]);
}

#[test]
fn r_tag_3_reserved_tags_are_not_for_the_asking() {
    let mut table = table();
    let ada = table.join(1, "ada");
    for message in [
        r#"{"t":"subscribe","id":1,"tags":["ok","$staff"]}"#.to_owned(),
        r#"{"t":"subscribe","id":1,"tags":["ok",""]}"#.to_owned(),
        r#"{"t":"publish","id":1,"data":1,"tags":["ok","$staff"]}"#.to_owned(),
        format!(r#"{{"t":"publish","id":1,"data":1,"tags":["ok","{}"]}}"#, "x".repeat(65)),
    ] {
        table.say(ada, &message);
        table.flush();
        assert_eq!(table.error(ada).details[0].path, "tags[1]", "{message}");
    }
}

#[test]
fn r_tag_3_the_bounds_hold_at_and_above() {
    let mut table = table();
    let list = |count: usize| {
        let tags: Vec<String> = (0..count).map(|n| format!("\"{}\"", format!("{n:02}").repeat(32))).collect();
        format!("[{}]", tags.join(","))
    };
    let own = (0..limits::TAGS_TOKEN_MAX).map(|n| format!("${n}").repeat(32)).collect();
    let info = schemas::Payload::from_json(format!("\"{}\"", "i".repeat(limits::INFO_BYTES_MAX - 2))).ok();
    let user = schemas::UserId::parse(&"u".repeat(128));
    let (ada, welcome) = table.join_with(
        1,
        Claims { tags: own, info, user, ..claims("ada") },
        &format!(r#","tags":{}"#, list(limits::TAGS_SUBSCRIBED_MAX)),
    );
    assert_eq!(welcome.tags.len(), 40);
    table.say(ada, r#"{"t":"subscribe","id":1,"tags":["one more"]}"#);
    table.flush();
    assert_eq!(table.error(ada).details[0].path, "tags");
    table.publish(ada, 2, &format!(r#","tags":{}"#, list(8)));
    table.flush();
    assert_eq!(table.offsets(ada), [1]);
    table.publish(ada, 3, &format!(r#","tags":{}"#, list(9)));
    table.flush();
    assert_eq!(table.error(ada).details[0].path, "tags");
}

#[test]
fn r_tag_4_a_filtered_connection_is_told_its_position() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let (bob, _) = table.join_with(2, claims("bob"), r#","tags":["b"]"#);
    table.take(bob);
    let position = |messages: Vec<ServerMessage>| {
        messages.into_iter().find_map(|message| match message {
            ServerMessage::Position { offset } => Some(offset.value()),
            _ => None,
        })
    };
    for request in 0..300 {
        table.publish(ada, request, r#","tags":["b","c"]"#);
    }
    table.flush();
    assert_eq!(position(table.take(bob)), None);
    for request in 0..300 {
        table.publish(ada, request, r#","tags":["c"]"#);
    }
    table.flush();
    assert!(table.take(bob).is_empty());
    table.say(bob, r#"{"t":"history","id":1,"limit":1}"#);
    table.flush();
    assert_eq!(position(table.take(bob)), Some(600));
    for request in 0..999 {
        table.publish(ada, request, r#","tags":["c"]"#);
    }
    table.flush();
    assert!(table.take(bob).is_empty());
    for request in 0..251 {
        table.publish(ada, request, r#","tags":["c"]"#);
    }
    table.flush();
    assert_eq!(position(table.take(bob)), Some(1850));
}
