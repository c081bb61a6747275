//! Recovery, rewind and history: what a connection gets of what was before.

use crate::support::{Table, claims, table, table_of};
use schemas::{
    Capabilities, Capability, Claims, ServerMessage,
    config::{KindConfig, LogConfig},
    server_message::{HistoryPage, RecoveryFailure, Reply, RequestResult, Welcome},
};

fn offsets(welcome: &Welcome) -> Vec<u64> {
    welcome.publications.iter().map(|publication| publication.offset.value()).collect()
}

fn recover(table: &Table, offset: u64) -> String {
    format!(r#","recover":{{"epoch":"{}","offset":{offset}}}"#, table.room.epoch())
}

fn filled(count: u32) -> Table {
    filled_of(KindConfig::default(), count)
}

fn filled_of(config: KindConfig, count: u32) -> Table {
    let mut table = table_of(config);
    let ada = table.join(1, "ada");
    for request in 0..count {
        table.publish(ada, request, "");
        if request % 7 == 0 {
            table.flush();
        }
    }
    table.flush();
    table
}

fn history(table: &mut Table, id: schemas::ConnectionId, query: &str) -> HistoryPage {
    table.take(id);
    table.say(id, &format!(r#"{{"t":"history","id":1{query}}}"#));
    table.flush();
    let reply = table.take(id).into_iter().find_map(|message| match message {
        ServerMessage::Reply(Reply { result: RequestResult::History(page), .. }) => Some(page),
        _ => None,
    });
    reply.expect("history is answered")
}

#[test]
fn r_rec_1_recovery_brings_exactly_what_was_missed() {
    let mut table = filled(20);
    let from = recover(&table, 12);
    let (_, welcome) = table.join_with(2, claims("bob"), &from);
    assert!(welcome.recovered);
    assert_eq!(offsets(&welcome), (13..=20).collect::<Vec<_>>());
    assert_eq!(welcome.offset.value(), 20);
}

#[test]
fn r_rec_1_recovery_at_the_head_brings_nothing() {
    let mut table = filled(5);
    let from = recover(&table, 5);
    let (_, welcome) = table.join_with(2, claims("bob"), &from);
    assert!(welcome.recovered && welcome.publications.is_empty());
}

#[test]
fn r_rec_4_offset_0_recovers_from_the_beginning() {
    let mut table = filled(5);
    let from = recover(&table, 0);
    let (_, welcome) = table.join_with(2, claims("bob"), &from);
    assert_eq!(offsets(&welcome), [1, 2, 3, 4, 5]);
}

#[test]
fn r_rec_2_each_reason_is_told_and_nothing_comes_with_it() {
    let log = LogConfig { count: 3_000, ..LogConfig::default() };
    let mut table = filled_of(KindConfig { log, ..KindConfig::default() }, 3_500);
    let cases = [
        (recover(&table, 3_501), RecoveryFailure::Ahead),
        (recover(&table, 499), RecoveryFailure::Trimmed),
        (recover(&table, 2_499), RecoveryFailure::TooFarBehind),
        (r#","recover":{"epoch":"0123456789abcdef","offset":1}"#.to_owned(), RecoveryFailure::EpochChanged),
    ];
    for (number, (extra, reason)) in cases.into_iter().enumerate() {
        let (_, welcome) = table.join_with(10 + number as u64, claims("bob"), &extra);
        assert_eq!((welcome.recovered, welcome.reason), (false, Some(reason)));
        assert!(welcome.publications.is_empty());
    }
    let at_the_bound = recover(&table, 2_500);
    let (_, welcome) = table.join_with(20, claims("bob"), &at_the_bound);
    assert_eq!((welcome.recovered, welcome.publications.len()), (true, 1_000));
}

#[test]
fn r_rec_3_without_history_only_a_member_recovers_and_nothing_from_before_its_first_welcome() {
    let mut table = filled(4);
    let without: Capabilities = [Capability::Join].into_iter().collect();
    let bob = || Claims { capabilities: without, ..claims("bob") };
    let from = recover(&table, 4);
    let (_, stranger) = table.join_with(9, bob(), &from);
    assert_eq!(stranger.reason, Some(RecoveryFailure::Forbidden));
    let (id, _) = table.join_with(2, bob(), "");
    let ada = crate::support::connection(1);
    table.publish(ada, 1, "");
    table.flush();
    table.close(id, 1006);
    table.publish(ada, 2, "");
    table.flush();
    let from = recover(&table, 5);
    let (_, back) = table.join_with_session(3, 2, bob(), &from);
    assert_eq!(offsets(&back), [6]);
    table.close(crate::support::connection(3), 1006);
    let from = recover(&table, 3);
    let (_, greedy) = table.join_with_session(4, 2, bob(), &from);
    assert_eq!(greedy.reason, Some(RecoveryFailure::Forbidden));
}

#[test]
fn r_hello_6_rewind_brings_the_newest_with_and_without_a_failed_recover() {
    let mut table = filled(10);
    let (_, welcome) = table.join_with(2, claims("bob"), r#","rewind":3"#);
    assert_eq!(offsets(&welcome), [8, 9, 10]);
    let failing = r#","rewind":2,"recover":{"epoch":"0123456789abcdef","offset":1}"#;
    let (_, welcome) = table.join_with(3, claims("bob"), failing);
    assert_eq!((offsets(&welcome), welcome.recovered), (vec![9, 10], false));
    let served = format!(r#","rewind":9{}"#, recover(&table, 9));
    let (_, welcome) = table.join_with(4, claims("bob"), &served);
    assert_eq!((offsets(&welcome), welcome.recovered), (vec![10], true));
}

#[test]
fn r_hello_2_what_is_staged_at_hello_comes_live_and_once() {
    let mut table = filled(2);
    table.publish(crate::support::connection(1), 3, "");
    let bob = table.open(2, claims("bob"));
    let from = recover(&table, 0);
    let welcome = table.hello(bob, 2, &from);
    assert_eq!((offsets(&welcome), welcome.offset.value()), (vec![1, 2], 2));
    table.flush();
    assert_eq!(table.offsets(bob), [3]);
}

#[test]
fn r_hist_1_pages_ascend_and_next_leads_through_the_whole_log_both_ways() {
    let mut table = filled(25);
    let ada = crate::support::connection(1);
    let newest = history(&mut table, ada, r#","limit":10"#);
    let listed: Vec<u64> = newest.messages.iter().map(|m| m.offset.value()).collect();
    assert_eq!((listed, newest.next.map(|o| o.value())), ((16..=25).collect(), Some(16)));
    let older = history(&mut table, ada, r#","limit":15,"before":16"#);
    assert_eq!((older.messages.len(), older.next), (15, None));
    let first = history(&mut table, ada, r#","limit":20,"after":0"#);
    assert_eq!((first.messages.len(), first.next.map(|o| o.value())), (20, Some(20)));
    let rest = history(&mut table, ada, r#","limit":20,"after":20"#);
    assert_eq!((rest.messages.len(), rest.next), (5, None));
}

#[test]
fn r_hist_1_history_sees_what_the_same_connection_published_before_it() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.say(ada, "{\"t\":\"publish\",\"id\":1,\"data\":1}\n{\"t\":\"history\",\"id\":2}");
    table.flush();
    let page = table.take(ada).into_iter().find_map(|message| match message {
        ServerMessage::Reply(Reply { id: 2, result: RequestResult::History(page) }) => Some(page),
        _ => None,
    });
    assert_eq!(page.map(|page| page.messages.len()), Some(1));
}

#[test]
fn r_hist_2_the_count_is_exact_and_the_alarm_deletes_the_rest() {
    let log = LogConfig { count: 10, ..LogConfig::default() };
    let mut table = filled_of(KindConfig { log, ..KindConfig::default() }, 25);
    let ada = crate::support::connection(1);
    assert_eq!(history(&mut table, ada, r#","limit":100"#).messages.len(), 10);
    assert_eq!(table.storage.rows().len(), 25);
    table.pass(120_000);
    assert_eq!(table.storage.rows().len(), 10);
    let from = recover(&table, 14);
    let (_, welcome) = table.join_with(2, claims("bob"), &from);
    assert_eq!(welcome.reason, Some(RecoveryFailure::Trimmed));
    let from = recover(&table, 15);
    let (_, welcome) = table.join_with(3, claims("bob"), &from);
    assert_eq!(welcome.publications.len(), 10);
}

#[test]
fn r_hist_2_age_and_bytes_bound_the_log_and_the_head_outlives_the_records() {
    let log = LogConfig { age_ms: 60_000, ..LogConfig::default() };
    let mut table = filled_of(KindConfig { log, ..KindConfig::default() }, 5);
    table.now += 61_000;
    let ada = crate::support::connection(1);
    assert!(history(&mut table, ada, "").messages.is_empty());
    table.pass(180_000);
    assert!(table.storage.rows().is_empty());
    table.kill();
    assert_eq!(table.room.head().value(), 5);
    let ada = table.join(2, "ada");
    table.publish(ada, 1, "");
    table.flush();
    assert_eq!(table.offsets(ada), [6]);

    let log = LogConfig { bytes: 2_000, ..LogConfig::default() };
    let mut table = filled_of(KindConfig { log, ..KindConfig::default() }, 100);
    let kept = history(&mut table, crate::support::connection(1), r#","limit":200"#).messages.len();
    assert!(kept < 60 && kept > 2, "{kept}");
    table.pass(180_000);
    assert_eq!(table.storage.rows().len(), kept);
}

#[test]
fn r_hist_1_a_page_has_at_most_1_mib_but_at_least_one_and_next_leads_on() {
    let limits = schemas::config::KindLimits { payload_bytes: 1024 * 1024, ..Default::default() };
    let mut table = crate::support::table_of(KindConfig { limits, ..KindConfig::default() });
    let ada = table.join(1, "ada");
    let data = |kib: usize| format!(r#""t":"publish","data":"{}","echo":false"#, "x".repeat(kib * 1024 - 2));
    for kib in [300, 300, 300, 300, 1024, 1024, 1] {
        table.request(ada, &data(kib)).expect("a publish");
    }
    let walk = |table: &mut Table, name: &str, mut at: Option<u64>| {
        let mut pages = Vec::new();
        loop {
            let from = at.map_or(String::new(), |at| format!(r#","{name}":{at}"#));
            let page = history(table, ada, &format!(r#","limit":200{from}"#));
            pages.push(page.messages.iter().map(|one| one.offset.value()).collect::<Vec<_>>());
            match page.next {
                Some(next) => at = Some(next.value()),
                None => return pages,
            }
        }
    };
    let after = walk(&mut table, "after", Some(0));
    assert_eq!(after.concat(), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(after[0], [1, 2, 3], "a fourth would be more than 1 MiB");
    let mut before = walk(&mut table, "before", None);
    before.reverse();
    assert_eq!(before.concat(), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(before.last(), Some(&vec![7]), "and so would the one before the last");
    let (_, welcome) = table.join_with(2, claims("bob"), r#","rewind":200"#);
    assert_eq!(offsets(&welcome), [7], "a rewind is history");
}
