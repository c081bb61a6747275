//! Edits and removals: whom they reach, who may, and what they leave behind.

use crate::support::{
    Table, allowed, amended, call_of, claims, published, refused, table, table_of, text_of,
};
use schemas::{
    Capability, Claims, ConnectionId, ErrorCode,
    config::{KindConfig, LogConfig},
    http::{Reader, RoomCall},
    server_message::{Publication, RequestResult},
};

const SECRET: &str = r#""t":"publish","data":"secret""#;

fn edit(offset: u64, data: &str) -> String {
    format!(r#""t":"edit","offset":{offset},"data":{data}"#)
}

fn remove(offset: u64) -> String {
    format!(r#""t":"remove","offset":{offset}"#)
}

/// Offset, type, target and data of each.
fn shown(publications: &[Publication]) -> Vec<(u64, &str, u64, &str)> {
    let shown = publications.iter().map(|publication| {
        let target = publication.refers.map_or(0, |refers| refers.value());
        (publication.offset.value(), publication.kind.as_str(), target, text_of(publication.data.as_ref()))
    });
    shown.collect()
}

/// Whether any row still holds the word.
fn is_stored(table: &Table, word: &str) -> bool {
    table.storage.rows().iter().any(|row| {
        let body = row.body.windows(word.len()).any(|window| window == word.as_bytes());
        body || text_of(row.data.as_ref()).contains(word)
    })
}

fn says(publications: &[Publication], word: &str) -> bool {
    publications.iter().any(|publication| text_of(publication.data.as_ref()).contains(word))
}

fn recovered(table: &mut Table, number: u64, claims: Claims) -> Vec<Publication> {
    let from = table.recover_from(0);
    let (_, welcome) = table.join_with(number, claims, &from);
    assert!(welcome.recovered, "{:?}", welcome.reason);
    welcome.publications
}

#[test]
fn r_edit_1_an_edit_and_a_removal_are_publications_and_are_answered_their_offset() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.request(ada, SECRET).expect("a publish");
    assert_eq!(amended(table.request(ada, &edit(1, "2"))), 2);
    assert_eq!(amended(table.request(ada, &remove(1))), 3);
    let got = table.publications(bob);
    assert_eq!(shown(&got), [(1, "message", 0, "\"secret\""), (2, "edit", 1, "2"), (3, "remove", 1, "null")]);
    assert!(
        got.iter().all(|publication| publication.from.as_ref().is_some_and(|f| f.user.as_str() == "ada"))
    );
    assert_eq!(table.publications(ada), got, "their author hears them too");
}

#[test]
fn r_edit_1_they_reach_whoever_sees_the_target_by_its_tags() {
    let mut table = table();
    let (ada, _) = table.join_with(1, claims("ada"), r#","tags":["x"]"#);
    let (bob, _) = table.join_with(2, claims("bob"), r#","tags":["x","y"]"#);
    let (cy, _) = table.join_with(3, claims("cy"), r#","tags":["y"]"#);
    table.request(ada, &format!(r#"{SECRET},"tags":["x"]"#)).expect("a publish");
    for body in [edit(1, "2"), r#""t":"react","offset":1,"name":"+","on":true"#.to_owned(), remove(1)] {
        assert_eq!(refused(table.request(cy, &body)), ErrorCode::NotFound, "{body}");
        table.request(bob, &body).expect("bob may do all");
    }
    assert_eq!((table.offsets(ada), table.offsets(bob)), (vec![1, 2, 3, 4], vec![1, 2, 3, 4]));
    assert!(table.offsets(cy).is_empty() && table.history(cy).is_empty());
    let from = table.recover_from(0);
    let (_, welcome) = table.join_with(4, claims("dee"), &format!(r#","tags":["y"]{from}"#));
    assert!(welcome.recovered && welcome.publications.is_empty());
}

#[test]
fn r_edit_1_they_reach_whom_to_names_and_the_targets_author() {
    let mut table = table();
    let (ada, bob, cy) = (table.join(1, "ada"), table.join(2, "bob"), table.join(3, "cy"));
    table.request(ada, &format!(r#"{SECRET},"to":{{"users":["bob"]}}"#)).expect("a publish");
    assert_eq!(refused(table.request(cy, &edit(1, "3"))), ErrorCode::NotFound, "even with every capability");
    assert_eq!(refused(table.request(cy, &remove(1))), ErrorCode::NotFound);
    assert_eq!(amended(table.request(bob, &edit(1, "2"))), 2);
    assert_eq!(amended(table.request(ada, &edit(1, "3"))), 3);
    assert_eq!((table.offsets(ada), table.offsets(bob)), (vec![1, 2, 3], vec![1, 2, 3]));
    assert!(table.offsets(cy).is_empty() && table.history(cy).is_empty());
    assert!(recovered(&mut table, 4, claims("cy")).is_empty());
    assert_eq!(recovered(&mut table, 5, claims("ada")).len(), 3, "the author recovers what another edited");
    assert_eq!(recovered(&mut table, 6, claims("bob")).len(), 3);
}

#[test]
fn r_edit_1_another_session_of_an_editor_who_was_named_by_session_sees_neither() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let (phone, welcome) = table.join_with(2, claims("bob"), "");
    let laptop = table.join(3, "bob");
    let to = format!(r#"{SECRET},"to":{{"sessions":["{}"]}}"#, welcome.session);
    table.request(ada, &to).expect("a publish");
    assert_eq!(refused(table.request(laptop, &edit(1, "2"))), ErrorCode::NotFound);
    table.request(phone, &edit(1, "2")).expect("bob may edit all that he sees");
    assert_eq!((table.offsets(ada), table.offsets(phone)), (vec![1, 2], vec![1, 2]));
    assert!(table.offsets(laptop).is_empty(), "who does not see the target does not see its edit");
    assert!(recovered(&mut table, 4, claims("bob")).is_empty());
}

#[test]
fn r_edit_2_what_is_not_there_or_refers_to_another_is_not_found() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.request(ada, SECRET).expect("a publish");
    table.request(ada, &edit(1, "2")).expect("an edit");
    table.request(ada, r#""t":"react","offset":1,"name":"+","on":true"#).expect("a reaction");
    for offset in [0, 2, 3, 4, 1 << 40] {
        for body in [
            edit(offset, "9"),
            remove(offset),
            format!(r#""t":"react","offset":{offset},"name":"+","on":true"#),
        ] {
            assert_eq!(refused(table.request(ada, &body)), ErrorCode::NotFound, "{body}");
        }
    }
    assert_eq!(table.room.head().value(), 3);
}

#[test]
fn r_edit_2_what_is_published_in_the_same_flush_was_not_seen_yet() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let publish = table.stage(ada, SECRET);
    let early = table.stage(ada, &edit(1, "2"));
    table.flush();
    assert_eq!(published(table.answer(ada, publish)), (1, false));
    assert_eq!(refused(table.answer(ada, early)), ErrorCode::NotFound);
}

#[test]
fn r_edit_2_what_was_removed_is_not_found_in_the_same_flush_and_ever_after() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.request(ada, SECRET).expect("a publish");
    let removal = table.stage(ada, &remove(1));
    let later = [
        table.stage(ada, &remove(1)),
        table.stage(ada, &edit(1, "2")),
        table.stage(ada, r#""t":"react","offset":1,"name":"+","on":true"#),
    ];
    table.flush();
    assert_eq!(amended(table.answer(ada, removal)), 2);
    for request in later {
        assert_eq!(refused(table.answer(ada, request)), ErrorCode::NotFound);
    }
    table.hibernate();
    assert_eq!(refused(table.request(ada, &edit(1, "2"))), ErrorCode::NotFound);
    table.kill();
    let ada = table.join(2, "ada");
    assert_eq!(refused(table.request(ada, &remove(1))), ErrorCode::NotFound);
    assert_eq!(table.room.head().value(), 2);
}

#[test]
fn r_edit_2_the_oldest_that_is_kept_may_be_edited_and_the_one_before_it_not() {
    let log = LogConfig { count: 3, age_ms: 60_000, ..LogConfig::default() };
    let mut table = table_of(KindConfig { log, ..KindConfig::default() });
    let ada = table.join(1, "ada");
    for _ in 0..5 {
        table.request(ada, SECRET).expect("a publish");
    }
    assert_eq!(refused(table.request(ada, &edit(2, "9"))), ErrorCode::NotFound);
    assert_eq!(amended(table.request(ada, &edit(3, "9"))), 6);
    assert_eq!(
        refused(table.request(ada, &edit(3, "9"))),
        ErrorCode::NotFound,
        "its own edit moved the floor"
    );
    table.now += 60_000;
    assert_eq!(amended(table.request(ada, &edit(4, "9"))), 7, "it is just as old as the kind allows");
    table.now += 1;
    assert_eq!(refused(table.request(ada, &edit(5, "9"))), ErrorCode::NotFound);
}

#[test]
fn r_edit_2_a_kind_without_a_log_finds_nothing() {
    let log = LogConfig { count: 0, ..LogConfig::default() };
    let mut table = table_of(KindConfig { log, ..KindConfig::default() });
    let ada = table.join(1, "ada");
    table.request(ada, SECRET).expect("a publish");
    for body in [edit(1, "2"), remove(1), r#""t":"react","offset":1,"name":"+","on":true"#.to_owned()] {
        assert_eq!(refused(table.request(ada, &body)), ErrorCode::NotFound);
    }
}

/// What each set of capabilities may do to one's own, another's, and a backend's publication.
#[test]
fn r_edit_3_capabilities_say_whose_may_be_edited_removed_and_reacted_to() {
    use Capability::{EditAny, EditOwn, Join, Moderate, Publish};
    let react = |offset: u64| format!(r#""t":"react","offset":{offset},"name":"+","on":true"#);
    for (capabilities, edits, removes, reacts) in [
        (&[Join][..], [false; 3], [false; 3], false),
        (&[Join, Publish], [false; 3], [false; 3], true),
        (&[Join, EditOwn], [true, false, false], [true, false, false], false),
        (&[Join, EditAny], [true; 3], [true; 3], false),
        (&[Join, Moderate], [false; 3], [true; 3], false),
    ] {
        let mut table = table();
        let (first, bob) = (table.join(1, "ada"), table.join(2, "bob"));
        for id in [first, bob] {
            table.request(id, SECRET).expect("a publish");
        }
        table.ask(RoomCall::Publish(call_of("3", None))).expect("a backend's publish");
        // Another session of the same user: what is one's own goes by the user.
        let (ada, _) = table.join_with(3, allowed("ada", capabilities), "");
        let mut tried = |body: String| match table.request(ada, &body) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.code, ErrorCode::Forbidden, "{capabilities:?} {body}");
                false
            }
        };
        assert_eq!([1, 2, 3].map(|offset| tried(edit(offset, "9"))), edits, "{capabilities:?}");
        assert_eq!([1, 2, 3].map(|offset| tried(react(offset))), [reacts; 3], "{capabilities:?}");
        assert_eq!([1, 2, 3].map(|offset| tried(remove(offset))), removes, "{capabilities:?}");
    }
}

#[test]
fn r_edit_3_what_is_hidden_is_not_found_rather_than_forbidden() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.request(ada, &format!(r#"{SECRET},"to":{{"users":["bob"]}}"#)).expect("a publish");
    let (cy, _) = table.join_with(2, allowed("cy", &[Capability::Join, Capability::EditOwn]), "");
    assert_eq!(refused(table.request(cy, &edit(1, "2"))), ErrorCode::NotFound);
    let (dee, _) = table.join_with(3, allowed("dee", &[Capability::Join]), "");
    assert_eq!(
        refused(table.request(dee, &edit(1, "2"))),
        ErrorCode::Forbidden,
        "whether it is there or not"
    );
    assert_eq!(refused(table.request(dee, &edit(7, "2"))), ErrorCode::Forbidden);
}

#[test]
fn r_edit_3_an_edit_is_bounded_as_a_publish_is() {
    let limits = schemas::config::KindLimits { payload_bytes: 10, ..Default::default() };
    let mut table = table_of(KindConfig { limits, ..KindConfig::default() });
    let ada = table.join(1, "ada");
    table.request(ada, r#""t":"publish","data":1"#).expect("a publish");
    assert_eq!(refused(table.request(ada, &edit(1, r#""123456789""#))), ErrorCode::TooLarge);
    assert_eq!(amended(table.request(ada, &edit(1, r#""12345678""#))), 2);
}

fn secret_and_edit() -> (Table, ConnectionId, ConnectionId) {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.request(ada, SECRET).expect("a publish");
    table.request(ada, &edit(1, r#""secret too""#)).expect("an edit");
    table.request(bob, r#""t":"react","offset":1,"name":"+","on":true"#).expect("a reaction");
    table.request(ada, r#""t":"publish","data":"bystander""#).expect("a publish");
    (table, ada, bob)
}

#[test]
fn r_edit_4_a_removal_erases_the_target_and_its_edits_everywhere() {
    let (mut table, ada, bob) = secret_and_edit();
    assert!(is_stored(&table, "secret"));
    table.take(bob);
    table.request(ada, &remove(1)).expect("a removal");
    assert!(!is_stored(&table, "secret"), "no row holds it");
    assert!(is_stored(&table, "bystander"));
    for step in 0..3 {
        let all = recovered(&mut table, 10 + step, claims("cy"));
        assert!(!says(&all, "secret") && says(&all, "bystander"));
        let flags: Vec<(bool, bool)> = all.iter().map(|one| (one.removed, one.data.is_none())).collect();
        let erased = (true, true);
        assert_eq!(flags, [erased, erased, (false, false), (false, false), (false, false)]);
        let reader = table.join(20 + step, "dee");
        let page = table.history(reader);
        assert_eq!(shown(&page), [(1, "message", 0, "nothing"), (4, "message", 0, "\"bystander\"")]);
        assert!(page[0].removed && page[0].edited.is_none() && page[0].reactions.is_empty());
        assert!(!page[1].removed);
        if step == 0 {
            table.hibernate();
        } else {
            table.kill();
        }
    }
}

#[test]
fn r_edit_4_over_http_and_in_a_rewind_it_is_gone_too() {
    let (mut table, ada, _) = secret_and_edit();
    table.request(ada, &remove(1)).expect("a removal");
    let call =
        RoomCall::Messages { before: None, after: None, limit: 200, tags: vec![], reader: Reader::Service };
    match table.ask(call) {
        Ok(RequestResult::History(page)) => assert!(!says(&page.messages, "secret")),
        other => panic!("{other:?}"),
    }
    let (_, welcome) = table.join_with(9, claims("cy"), r#","rewind":10"#);
    assert_eq!(
        shown(&welcome.publications),
        [(1, "message", 0, "nothing"), (4, "message", 0, "\"bystander\"")]
    );
}

/// The edit is committed and erased at once: what leaves behind that commit says nothing of it.
#[test]
fn r_edit_4_an_edit_that_is_removed_in_its_own_flush_says_nothing_live() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.request(ada, r#""t":"publish","data":0"#).expect("a publish");
    table.take(bob);
    let (first, second) = (table.stage(ada, &edit(1, r#""secret""#)), table.stage(ada, &remove(1)));
    table.flush();
    assert_eq!((amended(table.answer(ada, first)), amended(table.answer(ada, second))), (2, 3));
    assert!(!is_stored(&table, "secret"));
    let live = table.publications(bob);
    assert_eq!(shown(&live), [(2, "edit", 1, "nothing"), (3, "remove", 1, "null")]);
    assert!(live[0].removed);
    let from = table.recover_from(1);
    let (_, welcome) = table.join_with(3, claims("cy"), &from);
    assert_eq!(welcome.publications, live, "live and recovered are the same");
}

#[test]
fn r_edit_4_a_removal_whose_commit_failed_removes_nothing() {
    let (mut table, ada, bob) = secret_and_edit();
    let before = table.history(bob);
    table.take(bob);
    table.storage.fail_commits(1);
    let (removal, later) = (table.stage(ada, &remove(1)), table.stage(ada, &edit(4, "5")));
    table.flush();
    assert_eq!(refused(table.answer(ada, removal)), ErrorCode::Unavailable);
    assert_eq!(refused(table.answer(ada, later)), ErrorCode::Unavailable);
    assert!(table.publications(bob).is_empty());
    assert_eq!(table.history(bob), before);
    assert!(is_stored(&table, "secret"));
    assert_eq!(amended(table.request(ada, &remove(1))), 5, "no offset was burnt");
    assert!(!is_stored(&table, "secret"));
}

#[test]
fn r_edit_5_history_lists_targets_alone_with_the_last_edit() {
    let mut table = table();
    let ada = table.join(1, "ada");
    for _ in 0..3 {
        table.request(ada, r#""t":"publish","data":0"#).expect("a publish");
    }
    table.now += 5_000;
    let first = table.stage(ada, &edit(2, "1"));
    let last = table.stage(ada, &edit(2, "2"));
    table.flush();
    assert_eq!((amended(table.answer(ada, first)), amended(table.answer(ada, last))), (4, 5));
    let page = table.history(ada);
    assert_eq!(shown(&page), [(1, "message", 0, "0"), (2, "message", 0, "2"), (3, "message", 0, "0")]);
    let edited = page[1].edited.expect("it was edited");
    assert_eq!((edited.offset.value(), edited.time), (5, table.now));
    assert!(page[0].edited.is_none() && page[1].refers.is_none() && page[1].time < edited.time);
    let (_, welcome) = table.join_with(2, claims("bob"), r#","rewind":2"#);
    assert_eq!(welcome.publications, page[1..], "a rewind is history");
    let from = table.recover_from(3);
    let (_, welcome) = table.join_with(3, claims("bob"), &from);
    assert_eq!(shown(&welcome.publications), [(4, "edit", 2, "1"), (5, "edit", 2, "2")]);
}

#[test]
fn r_edit_5_pages_lead_past_many_edits() {
    let mut table = table();
    let ada = table.join(1, "ada");
    for _ in 0..3 {
        table.request(ada, r#""t":"publish","data":0"#).expect("a publish");
        let target = table.room.head().value();
        for _ in 0..300 {
            table.stage(ada, &edit(target, "1"));
        }
        table.flush();
    }
    table.take(ada);
    for (body, offsets, next) in [
        (r#""t":"history","limit":2"#, vec![302, 603], Some(302)),
        (r#""t":"history","limit":2,"before":302"#, vec![1], None),
        (r#""t":"history","limit":2,"after":0"#, vec![1, 302], Some(302)),
        (r#""t":"history","limit":2,"after":302"#, vec![603], None),
        (r#""t":"history","limit":2,"after":700"#, vec![], None),
    ] {
        match table.request(ada, body) {
            Ok(RequestResult::History(page)) => {
                let found: Vec<u64> = page.messages.iter().map(|one| one.offset.value()).collect();
                assert_eq!((found, page.next.map(|next| next.value())), (offsets, next), "{body}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn r_edit_5_an_edit_outlives_sleep_and_the_process() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.request(ada, SECRET).expect("a publish");
    table.hibernate();
    assert_eq!(amended(table.request(ada, &edit(1, "2"))), 2);
    table.kill();
    let ada = table.join(2, "ada");
    assert_eq!(shown(&table.history(ada)), [(1, "message", 0, "2")]);
    assert_eq!(amended(table.request(ada, &edit(1, "3"))), 3, "the user is the same in another session");
    assert_eq!(shown(&table.history(ada)), [(1, "message", 0, "3")]);
}
