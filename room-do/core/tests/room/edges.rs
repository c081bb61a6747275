//! At each bound and just beside it: what only a test that stands there notices.

use crate::support::{Table, allowed, call_of, claims, json, refused, table, table_of};
use room_core::{Input, Output, RequestId, Row};
use schemas::{
    Capability, Claims, Codec, ConnectionId, ErrorCode, Frame, Offset, ServerMessage, UserId,
    codes::CloseCode,
    config::{KindConfig, KindLimits, LogConfig, PresenceConfig, PresenceMode},
    http::{PublishCall, Reader, RoomCall},
    limits,
    server_message::{PresenceDiff, RecoveryFailure, RequestResult},
};

fn without_log() -> KindConfig {
    KindConfig { log: LogConfig { count: 0, ..LogConfig::default() }, ..KindConfig::default() }
}

/// Offsets of what a reader over HTTP is shown.
fn read(table: &mut Table, reader: Reader, tags: &[&str]) -> Vec<u64> {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    let call = RoomCall::Messages { before: None, after: Some(Offset::ZERO), limit: 50, tags, reader };
    match table.ask(call) {
        Ok(RequestResult::History(page)) => page.messages.iter().map(|one| one.offset.value()).collect(),
        other => panic!("{other:?} is no page of history"),
    }
}

#[test]
fn r_http_2_a_user_sees_what_is_for_all_and_for_its_tags_and_asks_for_no_reserved_one() {
    let mut table = table();
    for tags in [vec![], vec!["red"], vec!["$staff"], vec!["blue"]] {
        let tags = tags.into_iter().map(str::to_owned).collect();
        table.ask(RoomCall::Publish(PublishCall { tags, ..call_of("1", None) })).expect("a publish");
    }
    let user = |tags: &[&str]| Reader::User {
        user: UserId::parse("ada").expect("a user"),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    };
    assert_eq!(read(&mut table, user(&["red"]), &[]), [1, 2]);
    assert_eq!(read(&mut table, user(&["$staff"]), &[]), [1, 3]);
    assert_eq!(read(&mut table, user(&["red"]), &["blue"]), [4], "as one may subscribe to it");
    assert_eq!(read(&mut table, user(&["red"]), &["$staff"]), Vec::<u64>::new());
    assert_eq!(read(&mut table, user(&["$staff"]), &["$staff", "blue"]), [3, 4]);
    assert_eq!(read(&mut table, Reader::Service, &[]), [1, 2, 3, 4]);
    assert_eq!(read(&mut table, Reader::Service, &["$staff", "red"]), [2, 3]);
}

#[test]
fn r_limit_1_so_many_may_be_greeting_above_the_bound_and_one_more_is_closed_at_once() {
    let limits = KindLimits { connections: 2, ..KindLimits::default() };
    let mut table = table_of(KindConfig { limits, ..KindConfig::default() });
    for number in 0..514 {
        table.open(number, claims("ada"));
    }
    assert!(table.closed.is_empty());
    let late = table.open(514, claims("ada"));
    assert_eq!(table.closed.get(&late), Some(&CloseCode::RoomFull.code()));
}

#[test]
fn r_hello_1_hello_has_10_s() {
    let mut table = table();
    let ada = table.open(1, claims("ada"));
    table.pass(9_999);
    table.input(Input::AlarmFired { heard: vec![] });
    assert!(table.closed.is_empty());
    table.pass(1);
    assert_eq!(table.closed.get(&ada), Some(&CloseCode::HeartbeatTimeout.code()));
}

#[test]
fn r_beat_2_one_that_goes_leaves_the_sweep_to_the_others() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.close(bob, 1000);
    table.flush();
    table.attachments.remove(&ada);
    table.pass(300_000);
    assert_eq!(table.closed.get(&ada), Some(&CloseCode::HeartbeatTimeout.code()));
}

#[test]
fn r_rec_2_more_than_1_mib_is_too_far_behind_and_1_mib_is_not() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let data = "x".repeat(60_000);
    for _ in 0..18 {
        table.request(ada, &format!(r#""t":"publish","data":"{data}""#)).expect("a publish");
    }
    let welcome_from = |table: &mut Table, number: u64, offset: u64| {
        let from = table.recover_from(offset);
        table.join_with(number, claims("bob"), &from).1
    };
    let welcome = welcome_from(&mut table, 2, 1);
    assert_eq!((welcome.recovered, welcome.publications.len()), (true, 17));
    let welcome = welcome_from(&mut table, 3, 0);
    assert_eq!((welcome.recovered, welcome.reason), (false, Some(RecoveryFailure::TooFarBehind)));
}

#[test]
fn r_pub_4_an_ephemeral_writes_nothing_into_whatever_room() {
    for config in [KindConfig::default(), without_log()] {
        let mut table = table_of(config);
        let ephemeral = |table: &mut Table| {
            let call = PublishCall { ephemeral: true, ..call_of("1", None) };
            table.ask(RoomCall::Publish(call)).expect("an ephemeral");
        };
        ephemeral(&mut table);
        assert_eq!(table.storage.row_count(), 0, "a fresh room stays fresh");
        table.join(1, "ada");
        table.hibernate();
        let commits = table.storage.commits();
        ephemeral(&mut table);
        assert_eq!(table.storage.commits(), commits);
    }
}

#[test]
fn r_pub_9_a_publish_is_an_appended_row_and_nothing_else() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let before = (table.storage.load().meta, table.storage.row_count());
    for _ in 0..3 {
        table.request(ada, r#""t":"publish","data":1"#).expect("a publish");
    }
    assert_eq!(table.storage.load().meta, before.0, "the last row tells the head");
    assert_eq!(table.storage.row_count(), before.1 + 3);
}

#[test]
fn r_beat_2_to_be_told_a_position_is_no_sign_of_life() {
    let mut table = table();
    let (ada, _) = table.join_with(1, claims("ada"), r#","tags":["a"]"#);
    let bob = table.join(2, "bob");
    let silent_since = table.now;
    while !table.closed.contains_key(&ada) {
        for request in 0..1_300 {
            table.publish(bob, request, r#","tags":["b"],"echo":false"#);
        }
        table.flush();
        table.hibernate();
        table.now = table.room.poll_timeout().durable.expect("an occupied room sweeps").at;
        assert!(table.now - silent_since <= 90_000 + 60_000, "ghosts go in bounded time");
        table.input(Input::AlarmFired { heard: vec![(bob, table.now)] });
    }
    assert!(!table.closed.contains_key(&bob));
}

#[test]
fn r_tag_2_what_was_unsubscribed_from_no_longer_comes_and_a_tokens_tag_does() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let with_tag = Claims { tags: vec!["kept".to_owned()], ..claims("bob") };
    let (bob, _) = table.join_with(2, with_tag, r#","tags":["kept","dropped","other"]"#);
    table.request(bob, r#""t":"unsubscribe","tags":["kept","dropped"]"#).expect("an unsubscription");
    for tag in ["kept", "dropped", "other"] {
        table.publish(ada, 1, &format!(r#","tags":["{tag}"]"#));
    }
    table.flush();
    assert_eq!(table.offsets(bob), [1, 3]);
}

fn diffs(table: &mut Table, id: ConnectionId) -> Vec<PresenceDiff> {
    table.pick(id, |message| match message {
        ServerMessage::Presence(diff) => Some(diff.clone()),
        _ => None,
    })
}

#[test]
fn r_pres_2_one_who_comes_and_speaks_in_one_turn_is_told_of_before_it_is_heard() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.take(ada);
    let bob = table.open(2, claims("bob"));
    table.hello(bob, 2, "");
    table.publish(bob, 1, "");
    table.flush();
    let got = table.take(ada);
    assert!(matches!(&got[..], [ServerMessage::Presence(_), ServerMessage::Publication(_)]), "{got:?}");
}

#[test]
fn r_pres_2_whom_its_welcome_showed_is_not_told_of_itself_but_of_all_others() {
    let mut table = table();
    // The same user twice, and one session of two users: a member is both.
    let members = [(1, 1, "ada"), (2, 2, "ada"), (3, 1, "bob")];
    for (number, session, user) in members {
        let id = table.open(number, claims(user));
        table.hello(id, session, "");
    }
    table.flush();
    for (number, _, _) in members {
        let told = diffs(&mut table, ConnectionId::new(number));
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((told[0].joined.len(), told[0].updated.len()), (2, 0), "{told:?}");
    }
}

#[test]
fn r_pres_2_what_became_of_it_since_its_welcome_is_told_as_a_change() {
    let mut table = table();
    let ada = table.open(1, claims("ada"));
    table.hello(ada, 1, "");
    table.stage(ada, r#""t":"presence","data":7"#);
    table.flush();
    let told = diffs(&mut table, ada);
    assert_eq!((told.len(), told[0].joined.len(), told[0].updated.len()), (1, 0, 1), "{told:?}");
    assert_eq!(told[0].updated[0].data, Some(json("7")));
}

#[test]
fn r_pres_2_who_comes_hears_what_became_of_others_in_the_same_turn() {
    let mut table = table();
    let bob = table.join(1, "bob");
    table.stage(bob, r#""t":"presence","data":7"#);
    let ada = table.open(2, claims("ada"));
    table.hello(ada, 2, "");
    table.flush();
    let updated: Vec<_> = diffs(&mut table, ada).into_iter().flat_map(|diff| diff.updated).collect();
    assert_eq!(updated.len(), 1, "{updated:?}");
    assert_eq!((updated[0].user.as_str(), &updated[0].data), ("bob", &Some(json("7"))));
}

#[test]
fn r_pres_3_a_return_within_grace_is_no_news_where_members_are_counted() {
    let presence = PresenceConfig { mode: PresenceMode::Count, ..PresenceConfig::default() };
    let mut table = table_of(KindConfig { presence, ..KindConfig::default() });
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.pass(5_000);
    table.flush();
    table.take(ada);
    table.close(bob, 1006);
    table.flush();
    table.join_with_session(3, 2, claims("bob"), "");
    table.pass(5_000);
    table.flush();
    assert!(table.take(ada).is_empty());
}

#[test]
fn r_pres_4_presence_data_at_the_bound_is_taken() {
    let mut table = table();
    let data = |bytes: usize| format!(r#""{}""#, "x".repeat(bytes - 2));
    let at_bound = data(limits::PRESENCE_BYTES_MAX);
    let (ada, _) = table.join_with(1, claims("ada"), &format!(r#","presence":{at_bound}"#));
    assert_eq!(table.info().occupancy.members, 1);
    table.request(ada, &format!(r#""t":"presence","data":{at_bound}"#)).expect("data at the bound");
    let above = data(limits::PRESENCE_BYTES_MAX + 1);
    assert_eq!(
        refused(table.request(ada, &format!(r#""t":"presence","data":{above}"#))),
        ErrorCode::TooLarge
    );
}

#[test]
fn r_hello_6_a_rewind_needs_the_capability_history() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.request(ada, r#""t":"publish","data":1"#).expect("a publish");
    let (_, welcome) = table.join_with(2, allowed("bob", &[Capability::Join]), r#","rewind":5"#);
    assert!(welcome.publications.is_empty());
    let (_, welcome) =
        table.join_with(3, allowed("cy", &[Capability::Join, Capability::History]), r#","rewind":5"#);
    assert_eq!(welcome.publications.len(), 1);
}

/// The frames that one input sends a connection.
fn frames(table: &mut Table, id: ConnectionId, input: Input) -> Vec<Frame> {
    let outputs = table.room.handle(table.now, input, &mut table.storage);
    let frames = outputs.into_iter().filter_map(|output| match output {
        Output::Broadcast { connections, frame } if connections.contains(&id) => Some(frame),
        _ => None,
    });
    frames.collect()
}

#[test]
fn r_limit_2_line_breaks_count_in_a_frame_of_many_messages() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.publish(ada, 0, "");
    let data = "x".repeat(200);
    for request in 1..4_000 {
        table.say(ada, &format!(r#"{{"t":"publish","id":{request},"data":"{data}","echo":false}}"#));
    }
    table.now = table.room.poll_timeout().turn.expect("something is staged").at;
    let lengths: Vec<usize> =
        frames(&mut table, bob, Input::TurnEnded).iter().map(|frame| frame.len()).collect();
    assert_eq!(lengths.len(), 2, "{lengths:?}");
    assert!(lengths.iter().all(|bytes| *bytes <= limits::FRAME_BYTES_MAX), "{lengths:?}");
}

#[test]
fn r_limit_2_a_message_that_is_larger_than_a_frame_goes_alone() {
    let limits = KindLimits { payload_bytes: 1024 * 1024, ..KindLimits::default() };
    let mut table = table_of(KindConfig { limits, ..KindConfig::default() });
    let (bob, ada) = (table.join(1, "bob"), table.open_as(2, Codec::Msgpack, claims("ada")));
    let hello = [&[0x82][..], b"\xa1t\xa5hello\xa7session\xa9session-2"].concat();
    table.input(Input::Received { connection: ada, frame: Frame::Binary(hello) });
    table.flush();
    table.publish(bob, 1, "");
    table.flush();
    // Bytes grow by a third where they become text.
    let data = vec![0xff; 1024 * 1024];
    let publish = [b"\x83\xa1t\xa7publish\xa2id\x01\xa4data\xc6\x00\x10\x00\x00".as_slice(), &data].concat();
    let mut got = frames(&mut table, bob, Input::Received { connection: ada, frame: Frame::Binary(publish) });
    if let Some(turn) = table.room.poll_timeout().turn {
        table.now = table.now.max(turn.at);
        got.extend(frames(&mut table, bob, Input::TurnEnded));
    }
    assert!(matches!(&got[..], [frame] if frame.len() > limits::FRAME_BYTES_MAX), "{}", got.len());
}

#[test]
fn r_hist_1_upwards_too_what_is_hidden_is_read_past_however_much_there_is() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.publish(ada, 1, "");
    // Twice as many as are read at once, and no row more.
    for _ in 0..511 {
        table.publish(ada, 2, r#","tags":["rare"],"echo":false"#);
    }
    table.flush();
    let page = |table: &mut Table| match table.request(bob, r#""t":"history","after":0,"limit":2"#) {
        Ok(RequestResult::History(page)) => {
            page.messages.iter().map(|one| one.offset.value()).collect::<Vec<_>>()
        }
        other => panic!("{other:?} is no page of history"),
    };
    assert_eq!(page(&mut table), [1]);
    for _ in 0..2 {
        table.publish(ada, 3, "");
    }
    table.flush();
    assert_eq!(page(&mut table), [1, 513]);
}

#[test]
fn r_hello_5_an_epoch_is_committed_once() {
    let mut table = table();
    assert!(read(&mut table, Reader::Service, &[]).is_empty());
    let (epoch, commits) = (table.room.epoch(), table.storage.commits());
    assert!(read(&mut table, Reader::Service, &[]).is_empty());
    assert_eq!((commits, table.storage.commits()), (1, 1));
    table.kill();
    assert_eq!(table.room.epoch(), epoch, "and was shown");
}

#[test]
fn r_pub_10_without_a_log_numbers_rise_however_often_the_process_dies() {
    let mut table = table_of(without_log());
    let mut last = Offset::ZERO;
    for number in 1..4 {
        let ada = table.join(number, "ada");
        table.publish(ada, 1, "");
        table.flush();
        assert!(table.room.head() > last, "{last:?}");
        last = table.room.head();
        table.kill();
    }
}

#[test]
fn r_hist_2_what_is_over_the_count_is_deleted_along_the_way() {
    let log = LogConfig { count: 200, ..LogConfig::default() };
    let mut table = table_of(KindConfig { log, ..KindConfig::default() });
    let ada = table.join(1, "ada");
    for _ in 0..400 {
        for request in 0..9 {
            table.publish(ada, request, r#","echo":false"#);
        }
        table.flush();
        let rows = table.storage.rows().len();
        assert!(rows <= 200 + 1_000 + 2 * 9, "{rows} rows, and no timer has fired");
    }
}

#[test]
fn r_hist_2_a_log_at_its_bytes_is_not_trimmed_at_every_flush_and_wakes_no_room() {
    let log = LogConfig { bytes: 100_000, ..LogConfig::default() };
    let mut table = table_of(KindConfig { log, ..KindConfig::default() });
    let ada = table.join(1, "ada");
    let data = "x".repeat(1_000);
    let (mut trims, mut rows) = (0, 0);
    for _ in 0..500 {
        table.request(ada, &format!(r#""t":"publish","data":"{data}","echo":false"#)).expect("a publish");
        let before = std::mem::replace(&mut rows, table.storage.rows().len());
        trims += u32::from(rows <= before);
    }
    assert!((1..40).contains(&trims), "{trims} times in 500");
    table.pass(600_000);
    let bytes: usize = table.storage.rows().iter().skip(1).map(Row::bytes).sum();
    assert!(bytes <= 100_000, "{bytes} behind the oldest: the alarm trimmed it");
    assert!(trim_at(&mut table) > table.now + 3_600_000, "nothing is over");
}

fn trim_at(table: &mut Table) -> u64 {
    let timers = table.info().timers;
    timers.into_iter().find(|timer| timer.name == "trim").expect("the oldest has an age").at
}

#[test]
fn r_hist_2_what_is_over_goes_a_minute_later() {
    let log = LogConfig { count: 10, ..LogConfig::default() };
    let mut table = table_of(KindConfig { log, ..KindConfig::default() });
    let ada = table.join(1, "ada");
    for _ in 0..15 {
        table.request(ada, r#""t":"publish","data":1"#).expect("a publish");
    }
    let due = trim_at(&mut table);
    assert!((table.now + 50_000..=table.now + 60_000).contains(&due), "{due}");
    table.pass(60_000);
    assert_eq!(table.storage.rows().len(), 10);
    assert!(trim_at(&mut table) > table.now + 3_600_000);
}

#[test]
fn r_pres_5_pages_keep_their_order_while_somebody_leaves() {
    let mut table = table();
    for number in 1..=4 {
        table.join(number, &format!("user-{number}"));
    }
    for gone in [2, 3] {
        table.publish(ConnectionId::new(1), 1, "");
        // Not told yet: it waits for the flush.
        table.close(ConnectionId::new(gone), 1000);
        let (mut cursor, mut seen) = (None, Vec::new());
        loop {
            let request = RequestId(table.answers.len() as u64 + 1);
            table.input(Input::Asked { request, call: RoomCall::Members { cursor, limit: 1 } });
            let Some((_, Ok(RequestResult::Members(page)))) = table.answers.last() else {
                panic!("{:?} is no page of members", table.answers.last())
            };
            seen.extend(page.members.iter().map(|member| member.user.to_string()));
            cursor = page.next.clone();
            if cursor.is_none() {
                break;
            }
        }
        let told: Vec<String> =
            (1..=4).filter(|number| *number == 1 || *number >= gone).map(|n| format!("user-{n}")).collect();
        assert_eq!(seen, told);
        table.flush();
    }
}

#[test]
fn r_rec_3_without_history_a_member_recovers_from_its_first_welcome_on() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.request(ada, r#""t":"publish","data":1"#).expect("a publish");
    let may = allowed("bob", &[Capability::Join]);
    let (bob, welcome) = table.join_with(2, may.clone(), "");
    assert_eq!(welcome.offset.value(), 1);
    table.close(bob, 1006);
    table.request(ada, r#""t":"publish","data":2"#).expect("a publish");
    let from = table.recover_from(1);
    let (_, welcome) = table.join_with_session(3, 2, may, &from);
    assert_eq!((welcome.recovered, welcome.publications.len()), (true, 1));
}

#[test]
fn r_auth_12_a_token_serves_to_the_end_of_its_leeway() {
    let mut table = table();
    let expires_at = table.now + 300_000;
    let (ada, _) = table.join_with(1, Claims { expires_at: Some(expires_at), ..claims("ada") }, "");
    table.now = expires_at + limits::TOKEN_LEEWAY_MS;
    table.request(ada, r#""t":"publish","data":1"#).expect("a publish");
    table.now += 1;
    assert_eq!(refused(table.request(ada, r#""t":"publish","data":2"#)), ErrorCode::Unauthorized);
}

#[test]
fn r_tag_3_as_many_as_allowed_may_be_subscribed_to_one_by_one() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let subscribe = |number: usize| format!(r#""t":"subscribe","tags":["tag-{number}"]"#);
    for number in 0..limits::TAGS_SUBSCRIBED_MAX {
        table.request(ada, &subscribe(number)).expect("a subscription");
    }
    table.request(ada, &subscribe(0)).expect("the same again is no more");
    let error = table.request(ada, &subscribe(99)).expect_err("one more");
    assert_eq!((error.code, error.details[0].path.as_str()), (ErrorCode::InvalidArgument, "tags"));
}

#[test]
fn r_pub_6_to_names_at_most_100() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let publish = |count: usize| {
        let users: Vec<String> = (0..count).map(|number| format!(r#""user-{number}""#)).collect();
        format!(r#""t":"publish","data":1,"to":{{"users":[{}]}}"#, users.join(","))
    };
    table.request(ada, &publish(limits::TO_MAX)).expect("at the bound");
    for count in [limits::TO_MAX + 1, limits::TO_MAX + 7] {
        let error = table.request(ada, &publish(count)).expect_err("above the bound");
        assert_eq!((error.code, error.details[0].path.as_str()), (ErrorCode::InvalidArgument, "to"));
    }
}

/// How many publications one who only listens was sent before the turn ended, which began with one.
fn early(table: &mut Table, listener: ConnectionId, frames: impl Iterator<Item = String>) -> usize {
    let ada = ConnectionId::new(1);
    table.publish(ada, 1, "");
    table.flush();
    table.take(listener);
    for frame in frames {
        table.say(ada, &frame);
    }
    table.offsets(listener).len()
}

#[test]
fn r_limit_2_entries_are_bounded_however_many_a_frame_brings() {
    let mut table = table();
    let (_, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    let frame = [r#"{"t":"publish","data":1,"id":1,"echo":false}"#; 3].join("\n");
    let early = early(&mut table, bob, std::iter::repeat_n(frame, 1_400));
    assert!((4_000..4_200).contains(&early), "{early} left before the turn ended");
}

#[test]
fn r_limit_2_what_edits_say_counts() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.request(ada, r#""t":"publish","data":1"#).expect("a publish");
    let edit = format!(r#"{{"t":"edit","id":1,"offset":1,"data":"{}"}}"#, "x".repeat(60_000));
    let early = early(&mut table, bob, std::iter::repeat_n(edit, 80));
    assert!((60..80).contains(&early), "{early} left before the turn ended");
}

#[test]
fn r_limit_2_what_is_written_into_the_state_counts() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.publish(ada, 1, "");
    table.flush();
    let ops: Vec<String> =
        (0..60).map(|key| format!(r#"{{"set":"{key}","value":"{}"}}"#, "x".repeat(15_000))).collect();
    let requests: Vec<u32> =
        (0..5).map(|_| table.stage(ada, &format!(r#""t":"state","ops":[{}]"#, ops.join(",")))).collect();
    for request in requests {
        assert!(table.answer(ada, request).is_ok(), "before the turn ended");
    }
}

#[test]
fn r_pres_6_what_was_not_told_within_a_second_is_told_at_its_end() {
    let presence = PresenceConfig { mode: PresenceMode::Count, ..PresenceConfig::default() };
    let mut table = table_of(KindConfig { presence, ..KindConfig::default() });
    let ada = table.join(1, "ada");
    table.join(2, "bob");
    let began = table.now;
    table.flush();
    assert!(table.now <= began + limits::OCCUPANCY_INTERVAL_MS);
    let told = table.pick(ada, |message| match message {
        ServerMessage::Occupancy(occupancy) => Some(occupancy.members),
        _ => None,
    });
    assert_eq!(told.last(), Some(&2));
}
