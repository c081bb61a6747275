//! The wire in bytes. A golden that changes is a break for clients in the field: add fields, never change these.

use std::{collections::BTreeMap, fmt::Write as _};

use schemas::{
    Capabilities, ClientMessage, Codec, ConnectionId, Epoch, Frame, Offset, Payload, PublicSession, RoomName,
    ServerMessage, Session, UserId,
    client_message::{Hello, History, Members, Publish, StateOp, To},
    codec::{decode_client, decode_server, encode, join},
    codes::{AfterClose, CloseCode, ErrorCode},
    position::Position,
    server_message::{
        Amended, Author, Edited, Ephemeral, HistoryPage, LeaveReason, Left, Member, MembersPage, NoticeCode,
        Occupancy, PresenceDiff, Publication, Published, Reaction, RecoveryFailure, Reply, RequestError,
        RequestResult, StateChange, StateEntry, StateSnapshot, StateVersion, StateWrite, Tags, Welcome,
        WelcomeLimits,
    },
};

fn offset(value: u64) -> Offset {
    Offset::new(value).expect("a small number")
}

fn json(text: &str) -> Payload {
    Payload::from_json(text.to_owned()).expect("JSON")
}

fn user() -> UserId {
    UserId::parse("ada").expect("a user")
}

fn session() -> PublicSession {
    PublicSession::parse("0123456789abcdef").expect("a public session")
}

fn member() -> Member {
    Member {
        session: session(),
        user: user(),
        info: Some(json(r#"{"n":1}"#)),
        data: None,
        since: 1_800_000_000_000,
    }
}

fn publication() -> Publication {
    Publication {
        offset: offset(7),
        time: 1_800_000_000_001,
        from: Some(Author { user: user(), session: Some(session()), info: None }),
        kind: "message".into(),
        data: Some(json(r#"{"text":"hé"}"#)),
        tags: vec!["red".into()],
        refers: None,
        removed: false,
        edited: None,
        reactions: BTreeMap::new(),
    }
}

fn epoch() -> Epoch {
    Epoch::new(0x0123_4567_89ab_cdef)
}

fn entry() -> StateEntry {
    StateEntry { value: json("[1]"), version: 4, owner: Some(session()) }
}

fn welcome() -> ServerMessage {
    ServerMessage::Welcome(Box::new(Welcome {
        connection: ConnectionId::new(255),
        session: session(),
        user: user(),
        room: RoomName::parse("chat:lobby").expect("a room"),
        kind: "chat".into(),
        epoch: epoch(),
        offset: offset(7),
        recovered: false,
        reason: Some(RecoveryFailure::TooFarBehind),
        publications: vec![publication()],
        members: Some(vec![member()]),
        members_next: Some("next".into()),
        occupancy: Occupancy { members: 1, users: 1 },
        state: StateSnapshot { version: 5, entries: [("cursor".to_owned(), entry())].into() },
        tags: vec!["red".into()],
        limits: WelcomeLimits {
            payload_bytes: 65_536,
            presence_bytes: 2_048,
            tags: 32,
            frame_bytes: 1_114_112,
            key_window_ms: 300_000,
            ack: true,
        },
        server_time: 1_800_000_000_002,
        expires_at: Some(1_800_000_100_000),
    }))
}

fn server_messages() -> Vec<ServerMessage> {
    let reply = |result| ServerMessage::Reply(Reply { id: 3, result });
    let epoch = epoch();
    vec![
        welcome(),
        ServerMessage::Publication(Publication {
            data: Some(Payload::Bytes(vec![1, 2, 255])),
            ..publication()
        }),
        ServerMessage::Publication(Publication {
            kind: "edit".into(),
            refers: Some(offset(3)),
            ..publication()
        }),
        ServerMessage::Publication(Publication { data: None, removed: true, ..publication() }),
        ServerMessage::State(StateChange {
            version: 6,
            ops: vec![
                StateWrite::Set { key: "a".into(), value: json("null"), version: 5, owner: None },
                StateWrite::Set { key: "b".into(), value: json("2"), version: 4, owner: Some(session()) },
                StateWrite::Delete { key: "c".into() },
            ],
        }),
        ServerMessage::Ephemeral(Ephemeral {
            time: 5,
            from: None,
            kind: "typing".into(),
            data: json("null"),
            tags: vec![],
        }),
        ServerMessage::Position { offset: offset(9) },
        ServerMessage::Presence(PresenceDiff {
            joined: vec![member()],
            left: vec![Left { session: session(), user: user(), reason: LeaveReason::Lost }],
            updated: vec![],
        }),
        ServerMessage::Occupancy(Occupancy { members: 2_000, users: 1_500 }),
        reply(RequestResult::Published(Published { epoch, offset: offset(8), duplicate: false })),
        reply(RequestResult::History(HistoryPage {
            epoch,
            messages: vec![Publication {
                edited: Some(Edited { offset: offset(9), time: 1_800_000_000_003 }),
                reactions: [("👍".to_owned(), Reaction { count: 21, users: vec![user()] })].into(),
                ..publication()
            }],
            next: Some(offset(7)),
        })),
        reply(RequestResult::Members(MembersPage {
            members: vec![member()],
            next: Some("next".into()),
            users: 1,
            connections: 2,
        })),
        reply(RequestResult::Tags(Tags { tags: vec!["red".into()], offset: offset(7) })),
        reply(RequestResult::Amended(Amended { offset: offset(9) })),
        reply(RequestResult::State(StateVersion { version: 6 })),
        reply(RequestResult::Done {}),
        ServerMessage::Error(RequestError::invalid(Some(3), "tags[1]", "is 1 to 64 bytes")),
        ServerMessage::Error(RequestError::new(None, ErrorCode::Unavailable, "later")),
        ServerMessage::Expiring { expires_at: 1_800_000_100_000 },
        ServerMessage::Notice { code: NoticeCode::Restarted, message: "rebuilt".into() },
    ]
}

fn client_messages() -> Vec<ClientMessage> {
    vec![
        ClientMessage::Hello(Hello {
            session: Session::parse("session-1").expect("a session"),
            recover: Some(Position { epoch: Epoch::new(1), offset: offset(2) }),
            rewind: Some(10),
            tags: vec!["red".into()],
            presence: Some(json("1")),
            members: false,
        }),
        ClientMessage::Publish(Publish {
            id: Some(4_294_967_295),
            data: json(r#"[1,"two"]"#),
            tags: vec!["red".into()],
            to: Some(To {
                users: vec![user()],
                sessions: vec![session()],
                connections: vec![ConnectionId::new(1)],
            }),
            ephemeral: true,
            echo: false,
            kind: Some("note".into()),
            key: None,
            conflate: Some("cursor".into()),
        }),
        ClientMessage::Publish(Publish {
            id: Some(1),
            data: Payload::Bytes(vec![0, 255]),
            tags: vec![],
            to: None,
            ephemeral: false,
            echo: true,
            kind: None,
            key: Some("k-1".into()),
            conflate: None,
        }),
        ClientMessage::Presence { id: 2, data: json("{}") },
        ClientMessage::Subscribe { id: 3, tags: vec!["red".into()] },
        ClientMessage::Unsubscribe { id: 4, tags: vec!["red".into()] },
        ClientMessage::History(History {
            id: 5,
            before: Some(offset(9)),
            after: None,
            limit: 20,
            tags: vec![],
        }),
        ClientMessage::Members(Members { id: 6, cursor: Some("next".into()), limit: 100 }),
        ClientMessage::Edit { id: 8, offset: offset(3), data: json("2") },
        ClientMessage::Remove { id: 9, offset: offset(3) },
        ClientMessage::React { id: 10, offset: offset(3), name: "👍".into(), on: true },
        ClientMessage::State {
            id: 11,
            ops: vec![
                StateOp::Set { key: "a".into(), value: json("null"), expected: Some(0), owned: true },
                StateOp::Set { key: "b".into(), value: json("1"), expected: None, owned: false },
                StateOp::Delete { key: "c".into(), expected: Some(3) },
            ],
        },
        ClientMessage::Ack { frames: 64 },
        ClientMessage::Leave { id: 7 },
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to memory does not fail");
        text
    })
}

/// Every message as JSON, and as MessagePack in hex.
fn written() -> String {
    let mut text = String::new();
    let mut line = |json: Vec<u8>, msgpack: Vec<u8>| {
        text.push_str(&String::from_utf8(json).expect("JSON is UTF-8"));
        text.push('\n');
        text.push_str(&hex(&msgpack));
        text.push('\n');
    };
    for message in server_messages() {
        line(encode(Codec::Json, &message), encode(Codec::Msgpack, &message));
    }
    for message in client_messages() {
        line(encode(Codec::Json, &message), encode(Codec::Msgpack, &message));
    }
    text
}

#[test]
fn r_frame_2_every_message_is_written_as_ever() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens.txt");
    if std::env::var_os("ROOMCAST_WRITE_GOLDENS").is_some() {
        std::fs::write(path, written()).expect("the goldens can be written");
    }
    let golden = std::fs::read_to_string(path).expect("the goldens are there");
    for (new, old) in written().lines().zip(golden.lines()) {
        assert_eq!(new, old);
    }
    assert_eq!(written().lines().count(), golden.lines().count());
}

#[test]
fn r_frame_2_both_codecs_say_the_same_to_a_client() {
    for codec in Codec::ALL {
        let fragments: Vec<Vec<u8>> =
            server_messages().iter().map(|message| encode(codec, message)).collect();
        let frame = join(codec, fragments.iter().map(Vec::as_slice));
        assert_eq!(decode_server(&frame).expect("our own frames can be read"), server_messages());
    }
}

#[test]
fn r_frame_2_both_codecs_say_the_same_to_a_server() {
    for codec in Codec::ALL {
        let fragments: Vec<Vec<u8>> =
            client_messages().iter().map(|message| encode(codec, message)).collect();
        let frame = join(codec, fragments.iter().map(Vec::as_slice));
        let read: Vec<ClientMessage> = decode_client(codec, &frame)
            .into_iter()
            .map(|message| message.expect("our own frames"))
            .collect();
        assert_eq!(read, client_messages());
    }
}

#[test]
fn r_frame_2_fields_of_a_later_version_are_ignored_both_ways() {
    let frame = Frame::Text(r#"{"t":"leave","id":1,"later":{"a":[1,{"b":null}]}}"#.into());
    assert_eq!(decode_client(Codec::Json, &frame), [Ok(ClientMessage::Leave { id: 1 })]);
    let later =
        Frame::Text("{\"t\":\"position\",\"offset\":1,\"later\":[{}]}\n{\"t\":\"invention\",\"x\":1}".into());
    assert_eq!(
        decode_server(&later).expect("known and unknown"),
        [ServerMessage::Position { offset: offset(1) }]
    );
    let bytes = b"\x83\xa1t\xa5leave\xa2id\x01\xa5later\x92\xc0\x81\xa1a\xc4\x01\x00".to_vec();
    assert_eq!(decode_client(Codec::Msgpack, &Frame::Binary(bytes)), [Ok(ClientMessage::Leave { id: 1 })]);
}

#[test]
fn r_frame_3_an_unknown_message_is_unsupported_with_its_id() {
    let frame = Frame::Text(r#"{"t":"invention","id":5}"#.into());
    let refusal = decode_client(Codec::Json, &frame).remove(0).expect_err("nobody knows it");
    assert_eq!(
        (refusal.error.code, refusal.error.id, refusal.malformed),
        (ErrorCode::Unsupported, Some(5), false)
    );
}

#[test]
fn r_frame_4_a_line_that_cannot_be_read_keeps_its_id_where_it_can() {
    for (line, id) in [
        (r#"{"t":"publish","id":9,"data":1,"tags":5}"#, Some(9)),
        (r#"{"t":"history","id":9,"before":9007199254740992}"#, Some(9)),
        (r#"{"t":"leave","id":1,"id":2}"#, None),
        (r#"{"t":"leave","id":4294967296}"#, None),
        (r#"{"t":"leave","id":1"#, None),
        (r#"{"id":3}"#, Some(3)),
        ("nonsense", None),
    ] {
        let refusal = decode_client(Codec::Json, &Frame::Text(line.into())).remove(0).expect_err(line);
        assert_eq!(
            (refusal.error.code, refusal.error.id, refusal.malformed),
            (ErrorCode::BadRequest, id, true),
            "{line}"
        );
    }
}

#[test]
fn r_frame_4_claimed_lengths_allocate_nothing_and_nesting_is_bounded() {
    let endless: [&[u8]; 4] = [
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa1t\xdb\xff\xff\xff\xff",
        b"\x82\xa1t\xa5leave\xa4tags\xdd\xff\xff\xff\xff",
        b"\x81\xa4data\xc6\xff\xff\xff\xff",
    ];
    for bytes in endless {
        let read = decode_client(Codec::Msgpack, &Frame::Binary(bytes.to_vec()));
        assert!(matches!(&read[..], [Err(refusal)] if refusal.malformed), "{bytes:?}");
    }
    let deep = [b"\x81\xa1x".as_slice(), &[0x91; 100_000]].concat();
    assert!(decode_client(Codec::Msgpack, &Frame::Binary(deep))[0].is_err());
    let deep = format!(r#"{{"t":"leave","id":1,"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(decode_client(Codec::Json, &Frame::Text(deep)).len(), 1);
}

#[test]
fn r_frame_6_bytes_are_an_object_whose_only_key_is_bin() {
    assert_eq!(json(r#"{"$bin":"AP8="}"#), Payload::Bytes(vec![0, 255]));
    assert!(matches!(json(r#"{"$bin":"AP8=","more":1}"#), Payload::Json(_)));
    assert!(Payload::from_json(r#"{"$bin":"?"}"#.into()).is_err());
}

#[test]
fn r_frame_7_a_missing_or_excessive_field_is_named() {
    for (line, path) in [
        (r#"{"t":"publish","data":1}"#, "id"),
        (r#"{"t":"publish","id":1}"#, "data"),
        (r#"{"t":"history","id":1,"limit":201}"#, "limit"),
        (r#"{"t":"history","id":1,"limit":0}"#, "limit"),
        (r#"{"t":"history","id":1,"before":2,"after":1}"#, "after"),
        (r#"{"t":"members","id":1,"limit":501}"#, "limit"),
        (r#"{"t":"hello"}"#, "session"),
        (r#"{"t":"hello","session":"session-1","rewind":201}"#, "rewind"),
        (r#"{"t":"subscribe","id":1}"#, "tags"),
        (r#"{"t":"edit","id":1,"offset":1}"#, "data"),
        (r#"{"t":"remove","id":1}"#, "offset"),
        (r#"{"t":"react","id":1,"offset":1,"name":"x"}"#, "on"),
        (r#"{"t":"state","id":1}"#, "ops"),
        (r#"{"t":"state","id":1,"ops":[{"set":"a"}]}"#, "ops[0].value"),
        (r#"{"t":"state","id":1,"ops":[{"delete":"a"},{"set":"a","delete":"b","value":1}]}"#, "ops[1]"),
        (r#"{"t":"ack"}"#, "frames"),
    ] {
        let refusal = decode_client(Codec::Json, &Frame::Text(line.into())).remove(0).expect_err(line);
        assert_eq!(refusal.error.code, ErrorCode::InvalidArgument, "{line}");
        assert_eq!(refusal.error.details[0].path, path, "{line}");
    }
}

#[test]
fn r_close_1_what_to_do_about_a_close_follows_from_its_range() {
    for (code, after) in [
        (1000, AfterClose::Reconnect),
        (1006, AfterClose::Reconnect),
        (CloseCode::SlowConsumer.code(), AfterClose::Reconnect),
        (CloseCode::Overloaded.code(), AfterClose::ReconnectSlowly),
        (CloseCode::TokenExpired.code(), AfterClose::RefetchToken),
        (3499, AfterClose::Reconnect),
        (3500, AfterClose::Stop),
        (3999, AfterClose::Stop),
        (4499, AfterClose::Reconnect),
        (4500, AfterClose::Stop),
    ] {
        assert_eq!(AfterClose::of(code), after, "{code}");
    }
}

#[test]
fn r_addr_1_names_are_what_they_must_be_and_nothing_else() {
    for good in ["chat:a", "a:~", "chat-2:A.b_c-9", &format!("c:{}", "x".repeat(128))] {
        assert!(RoomName::parse(good).is_some(), "{good}");
    }
    for bad in [
        "",
        "chat",
        "chat:",
        ":a",
        "Chat:a",
        "2chat:a",
        "chat:a:b",
        "chat:a/b",
        "chat:é",
        "chat:a b",
        "chat:%2e",
        &format!("c:{}", "x".repeat(129)),
        &format!("{}:a", "c".repeat(33)),
    ] {
        assert!(RoomName::parse(bad).is_none(), "{bad}");
    }
}

#[test]
fn r_auth_3_capabilities_are_names_and_a_star_is_all() {
    let read = |text: &str| serde_json::from_str::<Capabilities>(text);
    assert_eq!(read(r#"["*"]"#).ok(), Some(Capabilities::all()));
    assert!(read(r#"["join","fly"]"#).is_err());
}

#[test]
fn r_life_9_capabilities_are_kept_as_bits_and_read_as_names_too() {
    let kept = rmp_serde::to_vec_named(&Capabilities::all()).expect("MessagePack");
    assert_eq!(kept, [0xcd, 0x01, 0xff]);
    let read = |bytes: &[u8]| rmp_serde::from_slice::<Capabilities>(bytes).ok();
    assert_eq!(read(&kept), Some(Capabilities::all()));
    assert_eq!(read(&[0]), Some(Capabilities::NONE));
    let first_layout = rmp_serde::to_vec_named(&["join", "edit-own"]).expect("MessagePack");
    let names = |set: Capabilities| set.iter().map(schemas::Capability::as_str).collect::<Vec<_>>();
    assert_eq!(read(&first_layout).map(names), Some(vec!["join", "edit-own"]));
    assert_eq!(read(&[0xcd, 0x02, 0x00]), None, "a bit that this version does not know");
}
