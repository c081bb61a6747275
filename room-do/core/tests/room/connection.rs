//! A connection's life: hello, malformed input, expiry, heartbeat, bounds.

use crate::support::{START, claims, connection, table, table_of};
use room_core::Input;
use schemas::{
    Claims, Codec, Frame, ServerMessage,
    codes::ErrorCode,
    config::{KindConfig, KindLimits},
};

#[test]
fn r_hello_1_anything_before_hello_and_a_second_one_close_3500_and_none_in_time_3002() {
    let mut table = table();
    let early = table.open(1, claims("ada"));
    table.publish(early, 1, "");
    assert_eq!(table.closed.get(&early), Some(&3500));
    let twice = table.join(2, "bob");
    table.say(twice, r#"{"t":"hello","session":"session-2"}"#);
    assert_eq!(table.closed.get(&twice), Some(&3500));
    let silent = table.open(3, claims("cy"));
    table.hibernate();
    table.pass(9_999);
    assert!(!table.closed.contains_key(&silent));
    table.hibernate();
    table.pass(1);
    assert_eq!(table.closed.get(&silent), Some(&3002));
}

#[test]
fn r_hello_3_sessions_are_checked_and_only_their_public_form_is_shown() {
    let mut table = table();
    for session in ["short", "with space", &"x".repeat(65)] {
        let id = table.open(START + session.len() as u64, claims("ada"));
        table.say(id, &format!(r#"{{"t":"hello","session":"{session}"}}"#));
        assert_eq!(table.error(id).details[0].path, "session");
        assert_eq!(table.closed.get(&id), Some(&3500));
    }
    let (_, welcome) = table.join_with(1, claims("ada"), "");
    let session = schemas::Session::parse("session-1").expect("a session");
    assert_eq!(welcome.session, room_core::public_session(&session));
    assert_eq!(
        welcome.session.as_str(),
        "hAl4KPwxqMjSkhDf",
        "SHA-256 of session-1, by another implementation"
    );
}

#[test]
fn r_hello_5_the_epoch_is_committed_before_a_welcome_shows_it() {
    let mut table = table();
    table.storage.fail_commits(1);
    let ada = table.open(1, claims("ada"));
    table.say(ada, r#"{"t":"hello","session":"session-1"}"#);
    assert_eq!(table.error(ada).code, ErrorCode::Unavailable);
    assert_eq!(table.closed.get(&ada), Some(&3004));
    let (_, welcome) = table.join_with(2, claims("ada"), "");
    table.kill();
    assert_eq!(table.room.epoch(), welcome.epoch);
}

#[test]
fn r_frame_4_malformed_lines_are_refused_one_by_one_and_the_tenth_in_a_minute_closes() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.take(ada);
    table.say(ada, "{nonsense\n{\"t\":\"publish\",\"id\":1,\"data\":1}\n{\"t\":\"publish\",\"id\":\"x\"}\n");
    table.flush();
    let got = table.take(ada);
    let codes: Vec<_> = got
        .iter()
        .filter_map(|m| match m {
            ServerMessage::Error(e) => Some(e.code),
            _ => None,
        })
        .collect();
    assert_eq!(codes, [ErrorCode::BadRequest, ErrorCode::BadRequest]);
    assert_eq!(table.offsets(bob), [1]);
    for _ in 0..7 {
        table.say(ada, "[]");
    }
    table.flush();
    assert!(!table.closed.contains_key(&ada));
    table.say(ada, "\"\"");
    assert_eq!(table.closed.get(&ada), Some(&3500));
    assert!(!table.closed.contains_key(&bob));
}

#[test]
fn r_frame_4_malformed_lines_a_minute_apart_do_not_add_up() {
    let mut table = table();
    let ada = table.join(1, "ada");
    for _ in 0..30 {
        table.say(ada, "?");
        table.pass(7_000);
        table.flush();
    }
    assert!(!table.closed.contains_key(&ada));
}

#[test]
fn r_frame_4_the_rest_of_a_broken_messagepack_frame_is_dropped_with_one_error() {
    let mut table = table();
    let ada = table.open_as(1, Codec::Msgpack, claims("ada"));
    let hello = [&[0x82][..], b"\xa1t\xa5hello\xa7session\xa9session-1"].concat();
    table.input(Input::Received { connection: ada, frame: Frame::Binary(hello) });
    table.flush();
    table.take(ada);
    let publish = b"\x83\xa1t\xa7publish\xa2id\x01\xa4data\xa11".to_vec();
    let broken = [publish.clone(), vec![0xc1], publish].concat();
    table.input(Input::Received { connection: ada, frame: Frame::Binary(broken) });
    table.flush();
    let got = table.take(ada);
    let errors = got
        .iter()
        .filter(|m| matches!(m, ServerMessage::Error(e) if e.code == ErrorCode::BadRequest))
        .count();
    assert_eq!((errors, table.room.head().value()), (1, 1));
}

#[test]
fn r_life_3_no_bytes_and_no_text_can_panic_the_room() {
    let mut table = table();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let samples = [
        r#"{"t":"hello","session":"session-1","recover":{"epoch":"0123456789abcdef","offset":9007199254740993}}"#,
        r#"{"t":"publish","id":4294967296,"data":[[[[]]]],"to":{"users":[""]},"tags":["x"]}"#,
        r#"{"t":"history","id":1,"before":0,"after":1,"limit":0}"#,
        r#"{"t":"members","id":1,"cursor":"éééééééé","limit":500}"#,
    ];
    for round in 0..3_000_u64 {
        let codec = if round % 2 == 0 { Codec::Json } else { Codec::Msgpack };
        let id = table.open_as(round, codec, claims("ada"));
        if round % 3 == 0 && codec == Codec::Json {
            table.say(id, r#"{"t":"hello","session":"session-1"}"#);
        }
        let sample = samples[(random() % 4) as usize];
        let mut bytes = sample.as_bytes().to_vec();
        for _ in 0..random() % 6 {
            let at = (random() as usize) % bytes.len();
            bytes[at] = random() as u8;
        }
        bytes.truncate(1 + (random() as usize) % (2 * bytes.len()));
        let frame = match codec {
            Codec::Json => Frame::Text(String::from_utf8_lossy(&bytes).into_owned()),
            Codec::Msgpack => Frame::Binary(bytes),
        };
        table.input(Input::Received { connection: id, frame });
        table.flush();
        if !table.closed.contains_key(&id) {
            table.close(id, 1006);
        }
    }
}

#[test]
fn r_frame_6_payloads_are_one_json_value_of_bounded_depth_without_line_breaks() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.open_as(2, Codec::Msgpack, claims("bob")));
    let hello = [&[0x82][..], b"\xa1t\xa5hello\xa7session\xa9session-2"].concat();
    table.input(Input::Received { connection: bob, frame: Frame::Binary(hello) });
    table.flush();
    let publish = |data: &str| {
        let length = [0xda, (data.len() >> 8) as u8, data.len() as u8];
        Frame::Binary(
            [b"\x83\xa1t\xa7publish\xa2id\x01\xa4data".as_slice(), &length, data.as_bytes()].concat(),
        )
    };
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for (data, stands) in [
        ("{\"a\":\n1}".to_owned(), true),
        ("1\n{\"t\":\"error\"}".to_owned(), false),
        ("nope".to_owned(), false),
        (String::new(), false),
        (deep(64), true),
        (deep(65), false),
    ] {
        table.take(bob);
        table.take(ada);
        table.input(Input::Received { connection: bob, frame: publish(&data) });
        table.flush();
        assert_eq!(table.take(ada).len(), usize::from(stands), "{data}");
        if !stands {
            assert_eq!(table.error(bob).details[0].path, "data", "{data}");
        }
    }
}

#[test]
fn r_auth_12_an_expiring_token_is_announced_refused_and_closed() {
    let mut table = table();
    let expires_at = START + 300_000;
    let (ada, welcome) = table.join_with(1, Claims { expires_at: Some(expires_at), ..claims("ada") }, "");
    assert_eq!(welcome.expires_at, Some(expires_at));
    table.hibernate();
    table.pass(239_999);
    assert!(table.take(ada).is_empty());
    table.now += 1;
    table.hibernate();
    table.pass(30_000);
    assert_eq!(table.take(ada), [ServerMessage::Expiring { expires_at }]);
    table.hibernate();
    table.input(Input::AlarmFired { heard: vec![] });
    assert!(table.take(ada).is_empty(), "it is told once");
    table.now = expires_at + 30_001;
    table.publish(ada, 1, "");
    table.flush();
    assert_eq!(table.error(ada).code, ErrorCode::Unauthorized);
    table.pass(30_000);
    assert_eq!(table.closed.get(&ada), Some(&3010));
}

#[test]
fn r_beat_2_a_connection_that_fell_silent_is_closed_and_one_that_pings_is_not() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.pass(600_000);
    assert!(!table.closed.contains_key(&ada), "its pings were answered");
    let silent_since = table.now;
    while !table.closed.contains_key(&ada) {
        let deadline = table.room.poll_timeout().durable.expect("an occupied room sweeps");
        table.now = deadline.at;
        table.hibernate();
        table.input(Input::AlarmFired { heard: vec![(ada, silent_since)] });
        assert!(table.now - silent_since <= 90_000 + 60_000 + 60_000, "ghosts go in bounded time");
    }
    assert_eq!(table.closed.get(&ada), Some(&3002));
}

#[test]
fn r_life_2_an_alarm_that_finds_nothing_due_leaves_the_deadline_standing() {
    let mut table = table();
    table.join(1, "ada");
    let wanted = table.room.poll_timeout().durable;
    table.input(Input::AlarmFired { heard: vec![] });
    assert_eq!(table.room.poll_timeout().durable, wanted);
    assert!(wanted.is_some());
}

#[test]
fn r_limit_1_one_connection_more_than_allowed_is_closed_3506() {
    let limits = KindLimits { connections: 3, connections_user: 2, ..KindLimits::default() };
    let mut table = table_of(KindConfig { limits, ..KindConfig::default() });
    let hello = |table: &mut crate::support::Table, number: u64, user: &str| {
        let id = table.open(number, claims(user));
        table.say(id, &format!(r#"{{"t":"hello","session":"session-{number}"}}"#));
        table.closed.get(&id).copied()
    };
    assert_eq!((hello(&mut table, 1, "ada"), hello(&mut table, 2, "ada")), (None, None));
    assert_eq!(hello(&mut table, 3, "ada"), Some(3506));
    assert_eq!(hello(&mut table, 4, "bob"), None);
    assert_eq!(hello(&mut table, 5, "cy"), Some(3506));
    table.close(connection(4), 1006);
    assert_eq!(hello(&mut table, 6, "cy"), None);
}

#[test]
fn r_hello_4_a_session_that_comes_back_finds_its_own_place_in_a_full_room() {
    let limits = KindLimits { connections: 2, connections_user: 1, ..KindLimits::default() };
    let mut table = table_of(KindConfig { limits, ..KindConfig::default() });
    let (ada, _) = (table.join(1, "ada"), table.join(2, "bob"));
    table.join_with_session(3, 1, claims("ada"), "");
    assert_eq!(table.closed.get(&ada), Some(&3511));
}

#[test]
fn r_auth_6_a_guest_is_named_after_its_session() {
    let mut table = table();
    let (_, welcome) = table.join_with(1, Claims { user: None, ..claims("x") }, "");
    assert_eq!(welcome.user.as_str(), format!("anon-{}", welcome.session));
}

#[test]
fn r_life_3_no_expiry_of_a_token_can_panic_the_room() {
    for expires_at in [0, 1, START, (1 << 53) - 1, u64::MAX - 1, u64::MAX] {
        let mut table = table();
        let id = table.open(1, Claims { expires_at: Some(expires_at), ..claims("ada") });
        table.say(id, r#"{"t":"hello","session":"session-1"}"#);
        table.publish(id, 1, "");
        table.flush();
        table.hibernate();
        table.pass(120_000);
        assert_eq!(table.closed.contains_key(&id), expires_at <= START, "{expires_at}");
    }
}
