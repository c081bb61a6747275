//! Rates: a burst, then so many a second; refusals that cost nothing, until they are too many.

use crate::support::{Table, table, table_with_rates};
use room_core::Attachment;
use schemas::{
    ConnectionId, ErrorCode,
    codes::CloseCode,
    config::{KindConfig, Rate, Rates},
    limits::{RATE_REFUSALS_MAX, RATE_REFUSALS_WINDOW_MS},
};

const PUBLISH: &str = r#""t":"publish","data":1"#;

fn rated(publish: (u32, u32), request: (u32, u32)) -> Table {
    let rate = |(per_second, burst)| Some(Rate { per_second, burst });
    let rates = Rates { publish: rate(publish), request: rate(request) };
    table_with_rates(KindConfig { rates, ..KindConfig::default() })
}

/// Says it so often; tells how often it was not refused for its rate.
fn served(table: &mut Table, id: ConnectionId, body: &str, times: u32) -> u32 {
    let requests: Vec<u32> = (0..times).map(|_| table.stage(id, body)).collect();
    table.flush();
    let refused = requests.into_iter().filter(|request| {
        let answer = table.answer(id, *request);
        answer.is_err_and(|error| error.code == ErrorCode::RateLimited)
    });
    times - refused.count() as u32
}

#[test]
fn r_rate_1_by_default_100_publishes_at_once_and_50_a_second() {
    let mut table = table_with_rates(KindConfig::default());
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    assert_eq!(served(&mut table, ada, PUBLISH, 100), 100);
    let error = table.request(ada, PUBLISH).expect_err("one more than the burst");
    assert_eq!((error.code, error.retry_after_ms), (ErrorCode::RateLimited, Some(20)));
    assert_eq!(table.room.head().value(), 100, "it has no effect");
    table.now += 19;
    let error = table.request(ada, PUBLISH).expect_err("a millisecond early");
    assert_eq!(error.retry_after_ms, Some(1));
    table.now += 1;
    assert_eq!(served(&mut table, ada, PUBLISH, 2), 1);
    table.now += 1_000;
    assert_eq!(served(&mut table, ada, PUBLISH, 60), 50);
    table.now += 60_000;
    assert_eq!(served(&mut table, ada, PUBLISH, 110), 100, "never more than the burst");
    assert_eq!(served(&mut table, bob, PUBLISH, 100), 100, "each connection has its own");
}

#[test]
fn r_rate_1_by_default_40_other_requests_at_once_and_20_a_second() {
    let mut table = table_with_rates(KindConfig::default());
    let ada = table.join(1, "ada");
    let bodies = [
        r#""t":"state","ops":[{"set":"a","value":1}]"#,
        r#""t":"presence","data":1"#,
        r#""t":"subscribe","tags":["a"]"#,
        r#""t":"unsubscribe","tags":["a"]"#,
        r#""t":"history","limit":1"#,
        r#""t":"members","limit":1"#,
    ];
    let asked: u32 = (0..40).map(|index| served(&mut table, ada, bodies[index % 6], 1)).sum();
    assert_eq!(asked, 40);
    for body in bodies {
        assert_eq!(served(&mut table, ada, body, 1), 0, "{body}");
    }
    assert_eq!(served(&mut table, ada, PUBLISH, 100), 100, "publishes are counted apart");
    table.now += 50;
    assert_eq!(served(&mut table, ada, bodies[0], 2), 1);
}

#[test]
fn r_rate_1_edits_removals_and_reactions_are_publishes() {
    let mut table = rated((1, 4), (1, 1));
    let ada = table.join(1, "ada");
    for body in [
        PUBLISH,
        r#""t":"edit","offset":1,"data":2"#,
        r#""t":"react","offset":1,"name":"+","on":true"#,
        r#""t":"remove","offset":1"#,
    ] {
        assert_eq!(served(&mut table, ada, body, 1), 1, "{body}");
        assert!(table.room.head().value() > 0);
    }
    for body in [PUBLISH, r#""t":"edit","offset":1,"data":2"#, r#""t":"remove","offset":1"#] {
        assert_eq!(served(&mut table, ada, body, 1), 0, "{body}");
    }
    assert_eq!(table.room.head().value(), 4);
}

#[test]
fn r_rate_1_hello_ack_and_leave_are_free() {
    let mut table = rated((1, 1), (1, 1));
    let ada = table.join(1, "ada");
    assert_eq!(served(&mut table, ada, r#""t":"members""#, 2), 1);
    for frames in 0..50 {
        table.say(ada, &format!(r#"{{"t":"ack","frames":{frames}}}"#));
    }
    assert_eq!(served(&mut table, ada, r#""t":"leave""#, 1), 1);
    assert_eq!(table.closed.get(&ada), Some(&1000));
}

#[test]
fn r_rate_1_off_is_no_bound() {
    let mut table = table();
    let ada = table.join(1, "ada");
    assert_eq!(served(&mut table, ada, PUBLISH, 2_000), 2_000);
    assert_eq!(served(&mut table, ada, r#""t":"members","limit":1"#, 500), 500);
}

#[test]
fn r_rate_1_an_ephemeral_without_an_id_counts_and_its_sender_is_told() {
    let mut table = rated((1, 2), (1, 1));
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.take(ada);
    for _ in 0..3 {
        table.say(ada, r#"{"t":"publish","data":1,"ephemeral":true}"#);
    }
    table.flush();
    assert_eq!(table.ephemerals(bob).len(), 2);
    let error = table.error(ada);
    assert_eq!((error.id, error.code, error.retry_after_ms), (None, ErrorCode::RateLimited, Some(1_000)));
}

#[test]
fn r_rate_1_what_was_refused_remembers_no_key_and_writes_no_state() {
    let mut table = rated((1, 1), (1, 1));
    let ada = table.join(1, "ada");
    assert_eq!(served(&mut table, ada, PUBLISH, 1), 1);
    assert_eq!(served(&mut table, ada, r#""t":"publish","data":1,"key":"k""#, 1), 0);
    assert_eq!(served(&mut table, ada, r#""t":"members""#, 1), 1);
    assert_eq!(served(&mut table, ada, r#""t":"state","ops":[{"set":"a","value":1}]"#, 1), 0);
    table.now += 1_000;
    let other = table.request(ada, r#""t":"publish","data":2,"key":"k""#);
    assert_eq!(crate::support::published(other), (2, false));
    assert!(table.storage.load().state.is_empty());
}

/// Who asks for what there is not, or says it wrongly, asks all the same: an answer costs as much.
#[test]
fn r_rate_1_what_is_unsupported_or_invalid_is_bounded_too() {
    for body in [r#""t":"call","method":"m""#, r#""t":"publish""#, r#""t":"history","limit":0"#] {
        let mut table = rated((1, 10), (1, 10));
        let ada = table.join(1, "ada");
        assert_eq!(served(&mut table, ada, body, 50), 10, "{body}");
        assert!(!table.closed.contains_key(&ada));
    }
}

#[test]
fn r_rate_2_the_100th_refusal_within_10_s_closes_3509() {
    let mut table = rated((1, 1), (1, 1));
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    assert_eq!(served(&mut table, ada, PUBLISH, 1), 1);
    assert_eq!(served(&mut table, ada, PUBLISH, RATE_REFUSALS_MAX - 1), 0);
    assert!(!table.closed.contains_key(&ada));
    let last = table.stage(ada, PUBLISH);
    assert_eq!(table.closed.get(&ada), Some(&CloseCode::RateLimited.code()));
    let error = table.answer(ada, last).expect_err("it is told why");
    assert_eq!(error.code, ErrorCode::RateLimited);
    table.flush();
    assert!(!table.closed.contains_key(&bob));
    assert_eq!(table.info().occupancy.members, 2, "its membership gets the grace");
}

#[test]
fn r_rate_2_both_rates_add_up_and_the_rest_of_the_frame_is_not_served() {
    let mut table = rated((1, 1), (1, 1));
    let ada = table.join(1, "ada");
    let lines: Vec<String> = (0..60)
        .flat_map(|id| [format!(r#"{{"id":{id},{PUBLISH}}}"#), format!(r#"{{"id":{id},"t":"members"}}"#)])
        .collect();
    table.say(ada, &lines.join("\n"));
    assert_eq!(table.closed.get(&ada), Some(&CloseCode::RateLimited.code()));
    table.flush();
    assert_eq!(table.room.head().value(), 1);
}

#[test]
fn r_rate_2_refusals_that_are_further_apart_do_not_add_up() {
    let mut table = rated((1, 1), (1, 1));
    let ada = table.join(1, "ada");
    for _ in 0..5 {
        served(&mut table, ada, PUBLISH, 70);
        table.now += RATE_REFUSALS_WINDOW_MS;
    }
    assert!(!table.closed.contains_key(&ada));
}

#[test]
fn r_rate_2_any_10_s_count_wherever_they_begin() {
    let mut table = rated((1, 1), (1, 1));
    let ada = table.join(1, "ada");
    table.request(ada, PUBLISH).expect("the burst");
    assert_eq!(served(&mut table, ada, PUBLISH, 1), 0);
    table.now += RATE_REFUSALS_WINDOW_MS - 100;
    // One is served meanwhile, and 60 are refused; 60 more come 200 ms later.
    served(&mut table, ada, PUBLISH, 61);
    table.now += 200;
    for _ in 0..60 {
        table.stage(ada, PUBLISH);
    }
    assert_eq!(table.closed.get(&ada), Some(&CloseCode::RateLimited.code()), "120 within 200 ms");
}

#[test]
fn r_rate_3_a_slow_rate_is_kept_through_hibernation() {
    let mut table = rated((1, 30), (1, 30));
    let ada = table.join(1, "ada");
    assert_eq!(served(&mut table, ada, PUBLISH, 30), 30);
    table.hibernate();
    assert_eq!(served(&mut table, ada, PUBLISH, 1), 0);
    table.now += 10_000;
    table.hibernate();
    assert_eq!(served(&mut table, ada, PUBLISH, 12), 10, "what came back since, and no more");
    assert_eq!(served(&mut table, ada, r#""t":"members","limit":1"#, 25), 25);
    table.hibernate();
    assert_eq!(served(&mut table, ada, r#""t":"members","limit":1"#, 25), 5);
    table.now += 60_000;
    table.hibernate();
    assert_eq!(served(&mut table, ada, PUBLISH, 31), 30);
}

/// At ten tokens a bucket is full within the ten seconds that a room stays awake; an eleventh makes it worth writing.
#[test]
fn r_rate_3_is_written_just_where_it_would_not_be_full_again_in_10_s() {
    let mut table = rated((1, 30), (1, 30));
    let ada = table.join(1, "ada");
    let kept = |table: &Table| {
        let attachment = Attachment::decode(&table.attachments[&ada]).expect("an attachment");
        attachment.rates.publish != schemas::rates::Bucket::default()
    };
    assert_eq!(served(&mut table, ada, PUBLISH, 10), 10);
    assert!(!kept(&table), "it costs no write");
    assert_eq!(served(&mut table, ada, PUBLISH, 1), 1);
    assert!(kept(&table));
    table.now += 1;
    table.hibernate();
    assert_eq!(served(&mut table, ada, PUBLISH, 40), 19);
}
