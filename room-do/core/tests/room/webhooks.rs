//! Webhooks: what is told, in what order, how often it is tried, and what is left when a room goes.

use std::collections::BTreeSet;

use crate::support::{START, Table, allowed, call_of, claims, set_up};
use room_core::{
    Input, Setup, Storage,
    outbox::{Outcome, Subscriber, Try, Webhooks},
};
use schemas::{
    Capability, RoomName, Tenant,
    config::{KindConfig, KindLimits, Rates},
    http::RoomCall,
    server_message::LifecycleState,
    webhook::{ANSWER_WITHIN_MS, EventKind, EventSet, OUTBOX_EVENTS_MAX, RETRIES_MS},
};
use serde_json::Value;

const OK: Outcome = Outcome { status: Some(200), retry_after_ms: None };
const FAILED: Outcome = Outcome { status: Some(500), retry_after_ms: None };
const GRACE: u64 = 10_000;

fn all() -> EventSet {
    EventSet::all()
}

fn only(kinds: &[EventKind]) -> EventSet {
    kinds.iter().copied().collect()
}

/// A room whose kind tells `events` to endpoints of these names, which are told everything.
fn telling(events: EventSet, endpoints: &[&str]) -> Table {
    telling_each(events, &endpoints.iter().map(|endpoint| (*endpoint, all())).collect::<Vec<_>>())
}

fn telling_each(events: EventSet, endpoints: &[(&str, EventSet)]) -> Table {
    let config = KindConfig {
        rates: Rates::OFF,
        webhooks: events,
        idle_after_ms: 3_600_000,
        expire_after_ms: 7_200_000,
        limits: KindLimits { payload_bytes: 512 * 1024, ..KindLimits::default() },
        ..KindConfig::default()
    };
    let name = RoomName::parse("chat:lobby").expect("a room's name");
    set_up(Setup { name, config, asks_acks: false, webhooks: subscribed(endpoints), behavior: None })
}

fn subscribed(endpoints: &[(&str, EventSet)]) -> Webhooks {
    let subscriber =
        |(endpoint, events): &(&str, EventSet)| Subscriber { endpoint: (*endpoint).into(), events: *events };
    let tenant = Tenant::parse("acme").expect("a tenant");
    Webhooks { tenant, subscribers: endpoints.iter().map(subscriber).collect() }
}

/// A batch as the receiver gets it.
#[derive(Debug, Clone, PartialEq)]
struct Post {
    this: Try,
    id: String,
    events: Vec<Value>,
}

impl Post {
    fn types(&self) -> Vec<&str> {
        self.events.iter().map(|event| event["type"].as_str().expect("a type")).collect()
    }

    fn ids(&self) -> Vec<&str> {
        self.events.iter().map(|event| event["id"].as_str().expect("an id")).collect()
    }
}

impl Table {
    /// Takes the tries that the room asked for.
    fn posts(&mut self) -> Vec<Post> {
        let tries = std::mem::take(&mut self.tries);
        let read = |(this, id, body): (Try, String, String)| {
            let body: Value = serde_json::from_str(&body).expect("a body is JSON");
            Post { this, id, events: body["events"].as_array().expect("events").clone() }
        };
        tries.into_iter().map(read).collect()
    }

    fn post(&mut self) -> Post {
        let posts = self.posts();
        let [post] = <[_; 1]>::try_from(posts).unwrap_or_else(|posts| panic!("one post: {posts:?}"));
        post
    }

    fn answer_post(&mut self, this: &Try, outcome: Outcome) {
        self.input(Input::Delivered { this: this.clone(), outcome });
    }

    /// Takes everything that comes, answering 200, and returns the types in their order.
    fn drain(&mut self) -> Vec<String> {
        let (mut types, mut seen) = (Vec::new(), BTreeSet::new());
        loop {
            let posts = self.posts();
            if posts.is_empty() {
                return types;
            }
            for post in posts {
                if seen.insert(post.id.clone()) {
                    types.extend(post.types().into_iter().map(str::to_owned));
                }
                self.answer_post(&post.this, OK);
            }
        }
    }

    fn publish_all(&mut self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.ask(RoomCall::Publish(call_of(&number.to_string(), None))).expect("a publish");
        }
    }
}

#[test]
fn r_hook_1_a_room_tells_what_happens_in_order_and_as_it_was_committed() {
    let mut table = telling(all(), &["a"]);
    let ada = table.join(1, "ada");
    let first = table.post();
    assert_eq!(first.types(), ["room.occupied", "member.joined"]);
    let epoch = table.room.epoch().to_string();
    assert_eq!(first.ids(), [format!("{epoch}-1"), format!("{epoch}-2")]);
    let joined = &first.events[1];
    assert_eq!(joined["tenant"], "acme");
    assert_eq!((&joined["room"], &joined["kind"]), (&"chat:lobby".into(), &"chat".into()));
    assert_eq!((&joined["time"], &joined["epoch"]), (&START.into(), &epoch.clone().into()));
    assert_eq!(joined["data"]["user"], "ada");
    assert_eq!(joined["data"]["session"].as_str().map(str::len), Some(16));
    table.answer_post(&first.this, OK);
    table.request(ada, r#""t":"publish","data":{"n":1},"type":"note","tags":["red"]"#).expect("a publish");
    let second = table.post();
    assert_eq!(second.types(), ["message.published"]);
    let data = &second.events[0]["data"];
    assert_eq!((&data["offset"], &data["type"]), (&1.into(), &"note".into()));
    assert_eq!((&data["data"]["n"], &data["tags"][0]), (&1.into(), &"red".into()));
    assert_eq!(data["from"]["user"], "ada");
    table.answer_post(&second.this, OK);
    table.close(ada, 1000);
    table.flush();
    let third = table.post();
    assert_eq!(third.types(), ["member.left", "room.vacated"]);
    assert_eq!(third.events[0]["data"]["reason"], "left");
    table.answer_post(&third.this, OK);
    assert_eq!(table.storage.outbox().count(), 0, "what was taken goes");
    assert!(table.posts().is_empty());
}

#[test]
fn r_hook_1_a_room_that_tells_nobody_stores_nothing() {
    for (events, endpoints) in [(all(), vec![]), (EventSet::default(), vec!["a"])] {
        let mut table = telling(events, &endpoints);
        let ada = table.join(1, "ada");
        table.request(ada, r#""t":"publish","data":1"#).expect("a publish");
        assert!(table.posts().is_empty());
        assert!(table.storage.load().outbox.state.is_none());
        assert!(table.info().timers.iter().all(|timer| timer.name != "webhooks"));
    }
}

#[test]
fn r_hook_2_only_what_kind_and_endpoint_both_name_is_told() {
    let kind = only(&[EventKind::MemberJoined, EventKind::MessagePublished]);
    let mut table = telling_each(
        kind,
        &[("joins", only(&[EventKind::MemberJoined, EventKind::RoomOccupied])), ("rest", all())],
    );
    let ada = table.join(1, "ada");
    let posts = table.posts();
    assert_eq!(posts.len(), 2);
    for post in &posts {
        assert_eq!(post.types(), ["member.joined"]);
        table.answer_post(&post.this, OK);
    }
    table.request(ada, r#""t":"publish","data":1"#).expect("a publish");
    let post = table.post();
    assert_eq!((post.this.endpoint.as_str(), post.types()), ("rest", vec!["message.published"]));
}

#[test]
fn r_hook_3_a_return_within_the_grace_is_not_told() {
    let mut table = telling(only(&[EventKind::MemberJoined, EventKind::MemberLeft]), &["a"]);
    let ada = table.join(1, "ada");
    assert_eq!(table.drain(), ["member.joined"]);
    table.close(ada, 1006);
    table.flush();
    table.pass(GRACE - 1_000);
    let (ada, _) = table.join_with_session(2, 1, claims("ada"), "");
    table.pass(60_000);
    assert_eq!(table.drain(), Vec::<String>::new());
    table.close(ada, 1006);
    table.flush();
    table.pass(GRACE);
    let post = table.post();
    assert_eq!(post.types(), ["member.left"]);
    assert_eq!(post.events[0]["data"]["reason"], "lost");
}

#[test]
fn r_hook_3_who_is_not_listed_is_not_told_of() {
    let mut table = telling(all(), &["a"]);
    table.join_with(1, allowed("ada", &[Capability::Join]), "");
    assert_eq!(table.drain(), ["room.occupied"]);
}

#[test]
fn r_hook_3_memberships_alternate_across_restarts() {
    let mut table = telling(only(&[EventKind::MemberJoined, EventKind::MemberLeft]), &["a"]);
    table.join(1, "ada");
    let mut types = table.drain();
    table.kill();
    table.pass(1_000);
    table.join_with_session(2, 1, claims("ada"), "");
    table.kill();
    table.pass(2 * GRACE);
    types.extend(table.drain());
    table.join_with_session(3, 1, claims("ada"), "");
    types.extend(table.drain());
    assert_eq!(types, ["member.joined", "member.left", "member.joined"]);
}

#[test]
fn r_hook_4_one_batch_is_under_way_and_the_next_has_what_came_meanwhile() {
    let mut table = telling(only(&[EventKind::MessagePublished]), &["a"]);
    table.publish_all(0..1);
    let first = table.post();
    table.publish_all(1..151);
    assert!(table.posts().is_empty(), "one batch at a time");
    table.answer_post(&first.this, OK);
    let second = table.post();
    assert_eq!(second.events.len(), 100);
    table.answer_post(&second.this, OK);
    let third = table.post();
    assert_eq!(third.events.len(), 50);
    let all = [first, second, third];
    let offsets: Vec<u64> = all
        .iter()
        .flat_map(|post| &post.events)
        .filter_map(|event| event["data"]["offset"].as_u64())
        .collect();
    assert_eq!(offsets, (1..=151).collect::<Vec<_>>());
    assert!(all.iter().all(|post| all.iter().filter(|other| other.id == post.id).count() == 1));
}

#[test]
fn r_hook_4_a_batch_ends_at_256_kib_unless_one_event_is_larger() {
    let mut table = telling(only(&[EventKind::MessagePublished]), &["a"]);
    table.publish_all(0..1);
    let first = table.post();
    let large = |kib: usize| format!("\"{}\"", "x".repeat(kib * 1024));
    for kib in [100, 100, 100, 300, 60] {
        table.ask(RoomCall::Publish(call_of(&large(kib), None))).expect("a publish");
    }
    table.answer_post(&first.this, OK);
    let sizes = [2, 1, 1, 1].map(|expected| {
        let post = table.post();
        table.answer_post(&post.this, OK);
        (post.events.len(), expected)
    });
    assert!(sizes.iter().all(|(events, expected)| events == expected), "{sizes:?}");
}

#[test]
fn r_hook_5_retries_follow_the_ladder_under_one_name_and_then_the_batch_is_parked() {
    let mut table = telling(only(&[EventKind::RoomOccupied, EventKind::RoomVacated]), &["a"]);
    let ada = table.join(1, "ada");
    let first = table.post();
    table.close(ada, 1000);
    table.flush();
    let mut this = first.this.clone();
    for wait in RETRIES_MS {
        table.answer_post(&this, FAILED);
        table.pass(wait - 1);
        assert!(table.posts().is_empty(), "not before {wait} ms");
        table.hibernate();
        table.pass(1);
        let again = table.post();
        assert_eq!((&again.id, &again.events), (&first.id, &first.events));
        assert_eq!(again.this.attempt, this.attempt + 1);
        this = again.this;
    }
    table.answer_post(&this, FAILED);
    table.pass(0);
    let [(parking, parked)] = <[_; 1]>::try_from(std::mem::take(&mut table.parked)).expect("it is parked");
    assert_eq!((parked.id.as_str(), parked.events, parked.attempts), (first.id.as_str(), 1, 9));
    assert_eq!((parked.endpoint.as_str(), parked.last_status), ("a", Some(500)));
    assert_eq!((parked.tenant.as_str(), parked.room.as_str()), ("acme", "chat:lobby"));
    assert_eq!(parked.parked_at, table.now);
    let body: Value = serde_json::from_str(&parked.body).expect("JSON");
    assert_eq!(body["events"], Value::from(first.events));
    // The directory has to take it before anything else is sent.
    table.input(Input::Parked { this: parking, accepted: false });
    assert!(table.posts().is_empty() && table.storage.outbox().count() == 2);
    table.pass(60_000);
    let [(parking, again)] = <[_; 1]>::try_from(std::mem::take(&mut table.parked)).expect("parked again");
    assert_eq!((again.id, again.body), (parked.id, parked.body));
    table.input(Input::Parked { this: parking, accepted: true });
    let next = table.post();
    assert_eq!((next.types(), next.this.attempt), (vec!["room.vacated"], 1));
}

#[test]
fn r_hook_5_retry_after_counts_up_to_the_ladders_next_step() {
    for (asked, expected) in [(0, RETRIES_MS[0]), (3_000, 3_000), (600_000, RETRIES_MS[1])] {
        let mut table = telling(only(&[EventKind::RoomOccupied]), &["a"]);
        table.join(1, "ada");
        let first = table.post();
        let outcome = Outcome { status: Some(429), retry_after_ms: Some(asked) };
        table.answer_post(&first.this, outcome);
        table.pass(expected - 1);
        assert!(table.posts().is_empty(), "{asked}");
        table.pass(1);
        assert_eq!(table.post().id, first.id);
    }
}

#[test]
fn r_hook_5_redirects_and_silence_are_failures_and_what_is_late_counts() {
    let mut table = telling(only(&[EventKind::RoomOccupied]), &["a"]);
    table.join(1, "ada");
    let first = table.post();
    table.answer_post(&first.this, Outcome { status: Some(302), retry_after_ms: None });
    table.pass(RETRIES_MS[0]);
    let second = table.post();
    table.answer_post(&first.this, FAILED);
    table.answer_post(&second.this, Outcome::default());
    table.pass(RETRIES_MS[1]);
    let third = table.post();
    assert_eq!((&third.id, third.this.attempt), (&first.id, 3));
    table.answer_post(&second.this, OK);
    assert_eq!(table.storage.outbox().count(), 0, "an earlier try was taken after all");
    table.answer_post(&third.this, FAILED);
    table.pass(RETRIES_MS[2] * 2);
    assert!(table.posts().is_empty());
}

#[test]
fn r_hook_6_a_try_that_nobody_hears_of_again_has_failed() {
    type Loss = fn(&mut Table);
    let losses: [Loss; 4] = [Table::hibernate, Table::trap, Table::kill, |_| {}];
    for lose in losses {
        let mut table = telling(only(&[EventKind::RoomOccupied]), &["a"]);
        table.join(1, "ada");
        let first = table.post();
        lose(&mut table);
        table.pass(ANSWER_WITHIN_MS);
        assert!(table.posts().is_empty(), "the receiver may still be at it");
        table.pass(1_000 + RETRIES_MS[0]);
        let again = table.post();
        assert_eq!((&again.id, again.this.attempt), (&first.id, 2));
        table.answer_post(&again.this, OK);
        assert_eq!(table.storage.outbox().count(), 0);
    }
}

#[test]
fn r_hook_6_an_event_is_committed_with_what_it_tells_of() {
    let mut table = telling(all(), &["a"]);
    let ada = table.join(1, "ada");
    table.drain();
    table.storage.fail_commits(1);
    table.request(ada, r#""t":"publish","data":1"#).expect_err("the disk is full");
    assert!(table.posts().is_empty() && table.storage.outbox().count() == 0);
    table.storage.fail_commits(1);
    table.close(ada, 1000);
    table.flush();
    assert!(table.posts().is_empty());
    table.pass(2_000);
    table.now += 2_000;
    table.flush();
    assert_eq!(table.drain(), ["member.left", "room.vacated"]);
}

#[test]
fn r_hook_6_what_was_taken_and_could_not_be_written_down_comes_again() {
    let mut table = telling(only(&[EventKind::RoomOccupied]), &["a"]);
    table.join(1, "ada");
    let first = table.post();
    table.storage.fail_commits(1);
    table.answer_post(&first.this, OK);
    assert_eq!(table.storage.outbox().count(), 1);
    table.pass(ANSWER_WITHIN_MS + 1_000 + RETRIES_MS[0]);
    let again = table.post();
    assert_eq!(again.id, first.id);
    table.answer_post(&again.this, OK);
    assert_eq!(table.storage.outbox().count(), 0);
}

#[test]
fn r_hook_7_at_the_bound_messages_go_first_and_their_number_is_told() {
    let mut table = telling(all(), &["a"]);
    table.join(1, "ada");
    let first = table.post();
    let number = OUTBOX_EVENTS_MAX as u32 + 5;
    table.publish_all(0..number);
    table.join(2, "bob");
    assert!(table.storage.outbox().count() <= OUTBOX_EVENTS_MAX);
    table.hibernate();
    table.answer_post(&first.this, OK);
    let mut types = Vec::new();
    let mut offsets = Vec::new();
    let mut dropped = 0;
    while let Some(post) = table.posts().pop() {
        for event in &post.events {
            types.push(event["type"].as_str().expect("a type").to_owned());
            offsets.extend(event["data"]["offset"].as_u64());
            dropped += event["data"]["count"].as_u64().unwrap_or(0);
        }
        table.answer_post(&post.this, OK);
    }
    assert_eq!(types[0], "webhook.dropped", "where the gap is");
    assert_eq!(types.last().map(String::as_str), Some("member.joined"));
    assert_eq!(dropped + offsets.len() as u64, u64::from(number), "each is told or counted");
    assert!(offsets.windows(2).all(|pair| pair[0] + 1 == pair[1]), "the oldest go");
    assert_eq!(types.iter().filter(|kind| *kind == "webhook.dropped").count(), 1);
}

#[test]
fn r_hook_7_an_endpoint_that_is_ahead_is_told_what_it_lost_too() {
    let mut table = telling(only(&[EventKind::MessagePublished]), &["a", "b"]);
    table.publish_all(0..1);
    let mut first = table.posts();
    assert_eq!(first.remove(0).this.endpoint, "a", "which takes nothing");
    table.answer_post(&first.remove(0).this, OK);
    table.publish_all(1..200);
    for _ in 0..2 {
        let post = table.posts().pop().expect("b has taken what was before");
        table.answer_post(&post.this, OK);
    }
    let number = OUTBOX_EVENTS_MAX as u32 + 400;
    table.publish_all(200..number);
    let under_way = table.posts().pop().expect("b is sent what is next");
    let (mut came, mut dropped, mut this) = (200 + under_way.events.len() as u64 - 1, 0, under_way.this);
    loop {
        table.answer_post(&this, OK);
        let Some(post) = table.posts().pop() else { break };
        dropped += post.events.iter().filter_map(|event| event["data"]["count"].as_u64()).sum::<u64>();
        came += post.types().iter().filter(|kind| **kind == "message.published").count() as u64;
        this = post.this;
    }
    assert!(dropped > 0 && came + dropped >= u64::from(number), "{came} came, and {dropped} were told");
}

#[test]
fn r_hook_7_without_messages_the_oldest_goes_and_what_is_being_sent_stays() {
    let mut table = telling(only(&[EventKind::MemberJoined, EventKind::MemberLeft]), &["a"]);
    let mut first = None;
    for number in 0..OUTBOX_EVENTS_MAX as u64 / 2 + 10 {
        let id = table.join(number, "ada");
        if number == 0 {
            first = Some(table.post());
        }
        table.close(id, 1000);
        table.flush();
    }
    assert!(table.storage.outbox().count() <= OUTBOX_EVENTS_MAX);
    let first = first.expect("a first post");
    table.answer_post(&first.this, FAILED);
    table.pass(RETRIES_MS[0]);
    let again = table.post();
    assert_eq!((&again.id, &again.events), (&first.id, &first.events));
    table.answer_post(&again.this, OK);
    let next = table.post();
    assert_eq!(next.types()[0], "webhook.dropped");
}

#[test]
fn r_hook_8_expiry_leaves_the_outbox_alone_and_then_nothing() {
    let mut table = telling(all(), &["a"]);
    let ada = table.join(1, "ada");
    let first = table.post();
    table.close(ada, 1000);
    table.flush();
    // The receiver is down all the while.
    let mut this = first.this;
    let end = table.now + 8_000_000;
    while table.now < end {
        table.answer_post(&this, FAILED);
        table.pass(60_000);
        if let Some(post) = table.posts().pop() {
            this = post.this;
        }
    }
    assert_eq!(table.info().lifecycle, LifecycleState::Fresh);
    let kept = table.storage.load();
    assert!(kept.meta.is_none() && kept.members.is_empty() && kept.log.is_none());
    assert_eq!(table.storage.outbox().count(), 5);
    table.hibernate();
    table.pass(RETRIES_MS[6]);
    let types = table.drain();
    assert_eq!(types, ["room.occupied", "member.joined", "member.left", "room.vacated", "room.expired"]);
    assert_eq!(table.storage.row_count(), 0, "nothing stays");
    assert_eq!(table.room.poll_timeout().durable, None, "and no alarm");
}

#[test]
fn r_hook_8_deletion_ends_memberships_and_the_next_room_goes_on_behind_it() {
    let mut table = telling(all(), &["a"]);
    table.join(1, "ada");
    let first = table.post();
    let epoch = table.room.epoch();
    table.ask(RoomCall::Delete).expect("a deletion");
    assert!(table.storage.load().meta.is_none());
    table.join(2, "ada");
    assert_ne!(table.room.epoch(), epoch);
    table.answer_post(&first.this, OK);
    let post = table.post();
    let types = ["member.left", "room.vacated", "room.deleted", "room.occupied", "member.joined"];
    assert_eq!(post.types(), types);
    assert_eq!(post.events[0]["data"]["reason"], "room_deleted");
    assert_eq!(post.events[2]["epoch"], epoch.to_string());
    assert_eq!(post.events[3]["epoch"], table.room.epoch().to_string());
    let ids: BTreeSet<_> = first.ids().into_iter().chain(post.ids()).collect();
    assert_eq!(ids.len(), 7, "no two events share an id");
    table.answer_post(&post.this, OK);
    assert!(table.storage.load().meta.is_some(), "the new room stays");
}

#[test]
fn r_hook_8_deleting_a_room_that_is_not_there_tells_nothing() {
    let mut table = telling(all(), &["a"]);
    table.ask(RoomCall::Delete).expect("a deletion");
    assert!(table.posts().is_empty());
    assert_eq!(table.storage.row_count(), 0);
}

#[test]
fn r_hook_9_a_removed_message_is_not_told_after_all() {
    let mut table = telling(only(&[EventKind::MessagePublished]), &["a"]);
    let ada = table.join(1, "ada");
    table.request(ada, r#""t":"publish","data":"zero""#).expect("a publish");
    let first = table.post();
    table.request(ada, r#""t":"publish","data":"secret""#).expect("a publish");
    table.request(ada, r#""t":"edit","offset":2,"data":"secret too""#).expect("an edit");
    table.request(ada, r#""t":"remove","offset":2"#).expect("a removal");
    let kept: Vec<_> = table.storage.outbox().map(|row| row.event.clone()).collect();
    assert!(kept.iter().all(|event| !event.contains("secret")), "{kept:?}");
    table.answer_post(&first.this, OK);
    let next = table.post();
    assert_eq!(next.events.len(), 3);
    assert_eq!(next.events[0]["data"]["removed"], true);
    assert_eq!(next.events[2]["data"]["type"], "remove");
    // What is being sent is another batch from then on.
    table.request(ada, r#""t":"publish","data":"secret""#).expect("a publish");
    table.answer_post(&next.this, OK);
    let before = table.post();
    table.request(ada, r#""t":"remove","offset":5"#).expect("a removal");
    table.answer_post(&before.this, FAILED);
    table.pass(RETRIES_MS[0]);
    let after = table.post();
    assert_ne!(after.id, before.id);
    assert_eq!(after.events[0]["data"]["removed"], true);
}

#[test]
fn r_hook_10_endpoints_do_not_wait_for_one_another() {
    let mut table = telling(all(), &["dead", "fine"]);
    table.join(1, "ada");
    for post in table.posts() {
        let outcome = if post.this.endpoint == "fine" { OK } else { FAILED };
        table.answer_post(&post.this, outcome);
    }
    table.join(2, "bob");
    let post = table.post();
    assert_eq!((post.this.endpoint.as_str(), post.types()), ("fine", vec!["member.joined"]));
    table.answer_post(&post.this, OK);
    assert_eq!(table.storage.outbox().count(), 3, "the other one needs them");
}

#[test]
fn r_hook_10_an_endpoint_that_is_gone_holds_nothing_back_and_a_new_one_begins_with_what_comes() {
    let mut table = telling(all(), &["old"]);
    table.join(1, "ada");
    let first = table.post();
    table.answer_post(&first.this, FAILED);
    table.setup.webhooks = subscribed(&[("new", all())]);
    table.hibernate();
    table.pass(1);
    assert_eq!(table.storage.outbox().count(), 0);
    table.join(2, "bob");
    let post = table.post();
    assert_eq!((post.this.endpoint.as_str(), post.types()), ("new", vec!["member.joined"]));
    table.setup.webhooks = Webhooks::none();
    table.hibernate();
    table.pass(1);
    assert_eq!(table.storage.outbox().count(), 0);
    assert!(table.storage.read_outbox(&[1, 2, 3]).expect("it reads").is_empty());
}
