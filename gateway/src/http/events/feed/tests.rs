use serde_json::Value;

use super::*;

const EPOCH: &str = "00000000000000aa";

/// `(event, id, data)` of each event, read as the HTML standard reads them.
fn read(text: &str) -> Vec<(String, Option<String>, Value)> {
    let mut events = Vec::new();
    for block in text.split("\n\n").filter(|block| !block.is_empty()) {
        let (mut name, mut id, mut data) = (String::new(), None, Value::Null);
        for line in block.lines() {
            match line.split_once(": ").expect("field: value") {
                ("event", value) => name = value.into(),
                ("id", value) => id = Some(value.into()),
                ("data", value) => data = serde_json::from_str(value).expect("data is JSON"),
                (field, _) => panic!("{field} is no field of an event"),
            }
        }
        events.push((name, id, data));
    }
    events
}

fn text(text: String) -> Frame {
    Frame::Text(text)
}

fn welcome(changes: &Value) -> String {
    let mut welcome = json!({
        "t": "welcome", "connection": "00000000000001", "session": "0123456789abcdef", "user": "ann",
        "room": "chat:a", "kind": "chat", "epoch": EPOCH, "offset": 7, "recovered": false, "publications": [],
        "occupancy": { "members": 0, "users": 0 }, "state": { "version": 0, "entries": {} }, "tags": [],
        "limits": { "payload_bytes": 1, "presence_bytes": 1, "tags": 1, "frame_bytes": 1, "key_window_ms": 1 },
        "server_time": 1,
    });
    for (name, change) in changes.as_object().expect("an object") {
        welcome[name] = change.clone();
    }
    welcome.to_string()
}

fn publication(offset: u64) -> Value {
    json!({ "t": "publication", "offset": offset, "time": 5, "type": "message", "data": offset })
}

fn names(text: &str) -> Vec<(String, Option<String>)> {
    read(text).into_iter().map(|(name, id, _)| (name, id)).collect()
}

fn named(rows: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    rows.iter().map(|(name, id)| ((*name).to_owned(), id.map(ToOwned::to_owned))).collect()
}

#[test]
fn r_sse_2_a_reader_says_where_to_begin_and_the_header_wins() {
    let at = |offset| Position { epoch: Epoch::new(0xaa), offset: Offset::new(offset).expect("an offset") };
    let rows = [
        (None, None, Start::Live),
        (Some(""), None, Start::Live),
        (None, Some("00000000000000aa:7"), Start::After(at(7))),
        (None, Some("7"), Start::AfterOffset(at(7).offset)),
        (None, Some("0"), Start::AfterOffset(Offset::ZERO)),
        (Some("00000000000000aa:9"), Some("7"), Start::After(at(9))),
        (Some("closed:3510"), Some("7"), Start::Over),
    ];
    for (header, parameter, expected) in rows {
        assert_eq!(Start::read(header, parameter).expect("a start"), expected, "{header:?} {parameter:?}");
    }
    for bad in
        ["x", "00000000000000aa:", ":7", "00000000000000AA:7", "aa:7", "00000000000000aa:-1", "closed:", "7 "]
    {
        for (header, parameter) in [(Some(bad), None), (None, Some(bad)), (Some(bad), Some("7"))] {
            let problem = Start::read(header, parameter).expect_err(bad).problem();
            assert_eq!((problem.status, problem.code.as_str()), (400, "invalid_argument"), "{bad}");
        }
    }
    assert!(Start::read(Some("7"), None).is_err(), "an id has its epoch");
    assert!(Start::read(None, Some("9007199254740992")).is_err(), "2^53");
    assert!(Start::read(None, Some("")).is_err());
}

#[test]
fn r_sse_3_publications_and_positions_have_ids_and_ephemerals_none() {
    let mut feed = Feed::new(false);
    let greeted = feed.frame(text(welcome(&json!({})))).expect("a frame");
    assert_eq!(names(&greeted), named(&[("position", Some("00000000000000aa:7"))]));
    assert!(feed.is_welcomed());
    let ephemeral = json!({ "t": "ephemeral", "time": 6, "type": "typing", "data": { "a": "x\ny" } });
    let frame = format!("{}\n{ephemeral}\n{}", publication(8), json!({ "t": "position", "offset": 300 }));
    let events = feed.frame(text(frame)).expect("a frame");
    assert_eq!(
        names(&events),
        named(&[
            ("publication", Some("00000000000000aa:8")),
            ("ephemeral", None),
            ("position", Some("00000000000000aa:300")),
        ])
    );
    let data: Vec<Value> = read(&events).into_iter().map(|(_, _, data)| data).collect();
    assert_eq!(data[0], json!({ "offset": 8, "time": 5, "type": "message", "data": 8 }));
    assert_eq!(data[1]["data"], json!({ "a": "x\ny" }));
    assert_eq!(data[2], json!({ "epoch": EPOCH, "offset": 300 }));
}

#[test]
fn r_sse_3_what_a_reader_does_not_follow_makes_no_event() {
    let mut feed = Feed::new(false);
    feed.frame(text(welcome(&json!({})))).expect("a frame");
    for other in [
        json!({ "t": "occupancy", "members": 1, "users": 1 }),
        json!({ "t": "expiring", "expires_at": 5 }),
        json!({ "t": "notice", "code": "restarted", "message": "m" }),
        json!({ "t": "of-a-later-version" }),
    ] {
        assert_eq!(feed.frame(text(other.to_string())).expect("a frame"), "", "{other}");
    }
    assert!(feed.frame(text("{".into())).is_err());
}

#[test]
fn r_sse_4_a_recovery_brings_what_was_missed_or_tells_the_gap() {
    let publications = json!([publication(5), publication(7)]);
    let recovered = welcome(&json!({ "recovered": true, "publications": publications }));
    let events = Feed::new(true).frame(text(recovered)).expect("a frame");
    let ids = ["00000000000000aa:5", "00000000000000aa:7", "00000000000000aa:7"].map(Some);
    let kinds = ["publication", "publication", "position"];
    let expected: Vec<_> = kinds.into_iter().zip(ids).collect();
    assert_eq!(names(&events), named(&expected));

    let failed = welcome(&json!({ "reason": "epoch_changed" }));
    let events = Feed::new(true).frame(text(failed)).expect("a frame");
    assert_eq!(names(&events), named(&[("gap", None), ("position", Some("00000000000000aa:7"))]));
    assert_eq!(read(&events)[0].2, json!({ "reason": "epoch_changed", "epoch": EPOCH, "offset": 7 }));
}

#[test]
fn r_sse_5_a_final_close_is_told_and_a_temporary_one_just_ends() {
    let events = Feed::closed(3510, "room_deleted");
    assert_eq!(names(&events), named(&[("close", Some("closed:3510"))]));
    assert_eq!(read(&events)[0].2, json!({ "code": 3510, "reason": "room_deleted" }));
    for (code, is_final) in
        [(3499, false), (3500, true), (3999, true), (4499, false), (4500, true), (1006, false)]
    {
        assert_eq!(!Feed::closed(code, "").is_empty(), is_final, "{code}");
    }
}

#[test]
fn r_slow_2_where_the_room_asks_what_was_taken_is_acknowledged() {
    let mut feed = Feed::new(false);
    feed.frame(text(welcome(&json!({})))).expect("a frame");
    for offset in 8..200 {
        feed.frame(text(publication(offset).to_string())).expect("a frame");
        assert_eq!(feed.ack(), None);
    }
    let limits = json!({ "payload_bytes": 1, "presence_bytes": 1, "tags": 1, "frame_bytes": 1, "ack": true });
    let mut feed = Feed::new(false);
    feed.frame(text(welcome(&json!({ "limits": limits })))).expect("a frame");
    let mut acks = Vec::new();
    for offset in 8..8 + 130 {
        feed.frame(text(publication(offset).to_string())).expect("a frame");
        acks.extend(feed.ack());
    }
    assert_eq!(acks, [64, 128].map(|frames| text(format!(r#"{{"frames":{frames},"t":"ack"}}"#))));
    let large = json!({ "t": "ephemeral", "time": 6, "type": "t", "data": "x".repeat(256 * 1024) });
    feed.frame(text(large.to_string())).expect("a frame");
    assert_eq!(feed.ack(), Some(text(r#"{"frames":132,"t":"ack"}"#.into())));
}
