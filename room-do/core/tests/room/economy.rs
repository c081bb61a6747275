//! What a room does not do: write without need, keep what is over, send larger frames, forget what counts.

use crate::support::{START, claims, published, table, table_of};
use room_core::{Input, Output};
use schemas::{
    Codec, Frame,
    codes::CloseCode,
    config::{KindConfig, LogConfig},
    limits,
};

fn without_log() -> KindConfig {
    KindConfig { log: LogConfig { count: 0, ..LogConfig::default() }, ..KindConfig::default() }
}

#[test]
fn r_limit_2_a_large_flush_is_several_frames_each_within_the_bound() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.open_as(2, Codec::Json, claims("bob")));
    table.hello(bob, 2, "");
    table.flush();
    let data = "x".repeat(60_000);
    for id in 0..40 {
        table.say(ada, &format!(r#"{{"t":"publish","id":{id},"data":"{data}","echo":false}}"#));
    }
    let due = table.room.poll_timeout().turn.expect("something is staged").at;
    table.now = due;
    let outputs = table.room.handle(table.now, Input::TurnEnded, &mut table.storage);
    let frames: Vec<usize> = outputs
        .into_iter()
        .filter_map(|output| match output {
            Output::Broadcast { connections, frame } if connections.contains(&bob) => Some(frame.len()),
            _ => None,
        })
        .collect();
    assert!(frames.iter().all(|bytes| *bytes <= limits::FRAME_BYTES_MAX), "{frames:?}");
    assert_eq!(frames.len(), 3, "as few as the bound allows: {frames:?}");
}

#[test]
fn r_hello_4_a_hello_that_was_overtaken_does_not_replace_the_newer_connection() {
    let mut table = table();
    let older = table.open(1, claims("ada"));
    let (newer, _) = table.join_with_session(2, 7, claims("ada"), "");
    table.hibernate();
    table.say(older, r#"{"t":"hello","session":"session-7"}"#);
    assert_eq!(table.closed.get(&older), Some(&CloseCode::SessionReplaced.code()));
    assert!(!table.closed.contains_key(&newer));
    table.publish(newer, 1, "");
    table.flush();
    assert_eq!(table.offsets(newer), [1]);
}

#[test]
fn r_hist_1_what_is_hidden_is_read_past_however_much_there_is() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.publish(ada, 1, "");
    for _ in 0..600 {
        table.publish(ada, 2, r#","tags":["rare"],"echo":false"#);
    }
    table.publish(ada, 3, "");
    table.flush();
    let (bob, welcome) = table.join_with(2, claims("bob"), r#","rewind":2"#);
    let offsets: Vec<u64> = welcome.publications.iter().map(|one| one.offset.value()).collect();
    assert_eq!(offsets, [1, 602]);
    let kept: Vec<u64> = table.history(bob).iter().map(|one| one.offset.value()).collect();
    assert_eq!(kept, [1, 602]);
}

#[test]
fn r_key_4_without_a_log_the_timer_forgets_what_has_expired_and_nothing_else() {
    let mut table = table_of(without_log());
    let ada = table.join(1, "ada");
    let keyed = |key: &str| format!(r#""t":"publish","data":1,"key":"{key}""#);
    let (first, _) = published(table.request(ada, &keyed("a")));
    table.pass(200_000);
    let (second, _) = published(table.request(ada, &keyed("b")));
    assert_eq!(second, first + 1);
    // The first key's window and its minute are over, the second's window is not.
    let late = START + 361_000;
    table.pass(late - table.now);
    assert_eq!(published(table.request(ada, &keyed("b"))), (second, true));
    assert_eq!(published(table.request(ada, &keyed("a"))), (second + 1, false));
}

#[test]
fn r_life_4_an_occupied_room_notes_no_activity() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let noted =
        |table: &crate::support::Table| table.storage.load().meta.map(|meta| meta.lifecycle.active_at);
    let before = noted(&table);
    table.pass(180_000);
    table.publish(ada, 1, "");
    table.flush();
    assert_eq!(noted(&table), before, "whoever is there shows that the room is used");
}

#[test]
fn r_pub_10_a_room_without_a_log_writes_nothing_for_a_publish() {
    let mut table = table_of(without_log());
    let ada = table.join(1, "ada");
    table.publish(ada, 1, "");
    table.flush();
    let commits = table.storage.commits();
    for request in 0..10 {
        table.publish(ada, request, "");
        table.flush();
    }
    assert_eq!(table.storage.commits(), commits);
    let last = table.room.head();
    table.kill();
    let ada = table.join(2, "ada");
    table.publish(ada, 1, "");
    table.flush();
    assert!(table.room.head() > last, "its numbers rise all the same");
}

#[test]
fn r_hist_2_a_log_over_its_bytes_alone_is_trimmed_along_the_way() {
    let log = LogConfig { bytes: 10_000, ..LogConfig::default() };
    let mut table = table_of(KindConfig { log, ..KindConfig::default() });
    let ada = table.join(1, "ada");
    let data = "x".repeat(1_000);
    for request in 0..100 {
        table.say(ada, &format!(r#"{{"t":"publish","id":{request},"data":"{data}","echo":false}}"#));
        table.flush();
    }
    let rows = table.storage.rows().len();
    assert!((8..20).contains(&rows), "{rows} rows of a kilobyte, and no timer has fired");
    let bytes = table.info().log.expect("it keeps a log").bytes;
    assert!((8_000..14_000).contains(&bytes), "{bytes}");
}

#[test]
fn r_pres_6_a_user_is_counted_until_its_last_session_goes() {
    let mut table = table();
    let (one, two) = (table.join(1, "ada"), table.join(2, "ada"));
    assert_eq!((table.info().occupancy.members, table.info().occupancy.users), (2, 1));
    for (id, left) in [(one, (1, 1)), (two, (0, 0))] {
        table.close(id, 1000);
        table.flush();
        assert_eq!((table.info().occupancy.members, table.info().occupancy.users), left);
    }
}

#[test]
fn r_frame_2_a_frame_of_the_other_codec_reaches_nobody_else() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.take(bob);
    table.input(Input::Received { connection: ada, frame: Frame::Binary(vec![0x80]) });
    table.flush();
    assert!(table.take(bob).is_empty());
}

#[test]
fn r_beat_2_who_talks_and_never_pings_is_not_taken_for_dead_after_sleep() {
    let mut table = table();
    let ada = table.join(1, "ada");
    for _ in 0..30 {
        let next = table.now + 20_000;
        while let Some(due) = table.room.poll_timeout().durable.filter(|due| due.at <= next) {
            // Between what she says the room sleeps, and she has nothing to ping for.
            table.hibernate();
            table.now = table.now.max(due.at);
            table.input(Input::AlarmFired { heard: Vec::new() });
            table.flush();
        }
        table.now = next;
        table.publish(ada, 1, "");
        table.flush();
    }
    assert!(!table.closed.contains_key(&ada), "{:?}", table.closed);
}
