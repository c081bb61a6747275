//! This codec beside the one of `schemas`, message by message and cut at every byte.

use schemas::{
    ClientMessage, Codec, ConnectionId, Epoch, ErrorCode, Frame, Offset, Payload, Position, PublicSession,
    RoomName, ServerMessage, Session, UserId,
    client_message::{Hello, History, Members, Publish, To},
    codec,
    server_message::{
        Author, Ephemeral, HistoryPage, LeaveReason, Left, Member, MembersPage, NoticeCode, Occupancy,
        PresenceDiff, Publication, Published, RecoveryFailure, Reply, RequestError, RequestResult, Tags,
        Welcome, WelcomeLimits,
    },
};

fn offset(value: u64) -> Offset {
    Offset::new(value).expect("is an offset")
}

fn json(text: &str) -> Payload {
    Payload::from_json(text.into()).expect("is JSON")
}

fn user(text: &str) -> UserId {
    UserId::parse(text).expect("is a user")
}

fn session() -> PublicSession {
    PublicSession::parse("abcdefghijklmnop").expect("is a public session")
}

fn members() -> Vec<Member> {
    let plain = Member { session: session(), user: user("é"), info: None, data: None, since: 1 };
    let full = Member { info: Some(json("{}")), data: Some(Payload::Bytes(vec![0; 300])), ..plain.clone() };
    vec![plain, full]
}

fn publications() -> Vec<Publication> {
    let author = Author { user: user("ada"), session: Some(session()), info: Some(json("{\"a\":1}")) };
    let plain = Publication {
        offset: offset(1),
        time: u64::from(u32::MAX) + 1,
        from: None,
        kind: "message".into(),
        data: json("null"),
        tags: Vec::new(),
    };
    let long = Publication {
        offset: offset(70_000),
        data: json(&format!("\"{}\"", "x".repeat(70_000))),
        ..plain.clone()
    };
    let full = Publication {
        offset: offset((1 << 53) - 1),
        from: Some(author),
        data: Payload::Bytes(vec![0xc1; 70_000]),
        tags: vec!["a".into(), "b".repeat(64)],
        ..plain.clone()
    };
    vec![plain, long, full]
}

fn welcomes() -> [ServerMessage; 2] {
    let plain = Welcome {
        connection: ConnectionId::new(u64::MAX),
        session: session(),
        user: user("ada"),
        room: RoomName::parse("chat:lobby").expect("is a room"),
        kind: "chat".into(),
        epoch: Epoch::new(u64::MAX),
        offset: offset(3),
        recovered: true,
        reason: None,
        publications: Vec::new(),
        members: None,
        members_next: None,
        occupancy: Occupancy { members: 200, users: 70_000 },
        tags: Vec::new(),
        limits: WelcomeLimits { payload_bytes: 1, presence_bytes: 2, tags: 3, frame_bytes: u32::MAX },
        server_time: 1 << 40,
        expires_at: None,
    };
    let full = Welcome {
        recovered: false,
        reason: Some(RecoveryFailure::NoLog),
        publications: publications(),
        members: Some(members()),
        members_next: Some("next".into()),
        tags: vec!["a".into()],
        expires_at: Some(9),
        ..plain.clone()
    };
    [plain, full].map(|welcome| ServerMessage::Welcome(Box::new(welcome)))
}

fn server_messages() -> Vec<ServerMessage> {
    let results = [
        RequestResult::Published(Published { epoch: Epoch::new(1), offset: offset(9), duplicate: true }),
        RequestResult::History(HistoryPage {
            epoch: Epoch::new(1),
            messages: publications(),
            next: Some(offset(4)),
        }),
        RequestResult::Members(MembersPage {
            members: members(),
            next: Some("n".into()),
            users: 3,
            connections: 4,
        }),
        RequestResult::Tags(Tags { tags: vec!["a".into()], offset: offset(4) }),
        RequestResult::Done {},
    ];
    let left = Left { session: session(), user: user("bob"), reason: LeaveReason::Left };
    let lost = Left { reason: LeaveReason::Lost, ..left.clone() };
    let mut invalid = RequestError::invalid(Some(7), "data", "is missing");
    invalid.retry_after_ms = Some(1_000);
    let mut messages = welcomes().to_vec();
    messages.extend(
        results
            .into_iter()
            .enumerate()
            .map(|(id, result)| ServerMessage::Reply(Reply { id: id as u32 * 100_000, result })),
    );
    messages.extend(ErrorCode::ALL.map(|code| ServerMessage::Error(RequestError::new(None, code, "no"))));
    messages.extend(publications().into_iter().flat_map(|publication| {
        let Publication { time, from, kind, data, tags, .. } = publication.clone();
        [
            ServerMessage::Publication(publication),
            ServerMessage::Ephemeral(Ephemeral { time, from, kind, data, tags }),
        ]
    }));
    messages.extend([
        ServerMessage::Position { offset: offset(300) },
        ServerMessage::Presence(PresenceDiff {
            joined: members(),
            left: vec![left, lost],
            updated: members(),
        }),
        ServerMessage::Occupancy(Occupancy { members: 1, users: 2 }),
        ServerMessage::Error(invalid),
        ServerMessage::Expiring { expires_at: 1 << 41 },
        ServerMessage::Notice { code: NoticeCode::Restarted, message: "m".into() },
        ServerMessage::Notice { code: NoticeCode::EphemeralsDropped, message: String::new() },
    ]);
    messages
}

fn client_messages() -> Vec<ClientMessage> {
    let hello = Hello {
        session: Session::parse("a-secret-session").expect("is a session"),
        recover: None,
        rewind: None,
        tags: Vec::new(),
        presence: None,
        members: false,
    };
    let full_hello = Hello {
        recover: Some(Position { epoch: Epoch::new(0xabc), offset: offset(1 << 40) }),
        rewind: Some(200),
        tags: vec!["a".into(), "é".repeat(20)],
        presence: Some(Payload::Bytes(vec![1, 2])),
        members: true,
        ..hello.clone()
    };
    let publish = Publish {
        id: None,
        data: json("1"),
        tags: Vec::new(),
        to: None,
        ephemeral: true,
        echo: true,
        kind: None,
    };
    let to =
        To { users: vec![user("ada")], sessions: vec![session()], connections: vec![ConnectionId::new(3)] };
    let full_publish = Publish {
        id: Some(u32::MAX),
        data: json(&format!("\"{}\"", "x".repeat(300))),
        tags: vec!["t".into()],
        to: Some(to),
        ephemeral: false,
        echo: false,
        kind: Some("sketch".into()),
    };
    vec![
        ClientMessage::Hello(hello),
        ClientMessage::Hello(full_hello),
        ClientMessage::Publish(Publish { to: Some(To::default()), ..publish.clone() }),
        ClientMessage::Publish(publish),
        ClientMessage::Publish(full_publish),
        ClientMessage::Presence { id: 128, data: json("{}") },
        ClientMessage::Subscribe { id: 1, tags: vec!["a".into()] },
        ClientMessage::Unsubscribe { id: 1, tags: vec!["a".into()] },
        ClientMessage::History(History {
            id: 1,
            before: Some(offset(9)),
            after: None,
            limit: 200,
            tags: vec![],
        }),
        ClientMessage::History(History {
            id: 1,
            before: None,
            after: Some(offset(0)),
            limit: 1,
            tags: vec!["a".into()],
        }),
        ClientMessage::Members(Members { id: 1, cursor: Some("c".into()), limit: 500 }),
        ClientMessage::Members(Members { id: 1, cursor: None, limit: 1 }),
        ClientMessage::Leave { id: 300 },
    ]
}

#[test]
fn what_schemas_writes_is_read_as_schemas_reads_it() {
    let mut frame = Vec::new();
    for message in server_messages() {
        let bytes = codec::encode(Codec::Msgpack, &message);
        assert_eq!(super::decode(&bytes), Ok(vec![message.clone()]));
        frame.extend(bytes);
    }
    assert_eq!(super::decode(&frame).as_ref(), Ok(&server_messages()));
    assert_eq!(codec::decode_server(&Frame::Binary(frame)), Ok(server_messages()));
}

#[test]
fn what_this_writes_is_read_by_schemas() {
    for message in client_messages() {
        let frame = Frame::Binary(super::encode(&message));
        assert_eq!(codec::decode_client(Codec::Msgpack, &frame), [Ok(message)]);
    }
}

#[test]
fn a_message_cut_anywhere_is_unreadable() {
    for message in server_messages() {
        let bytes = codec::encode(Codec::Msgpack, &message);
        for end in (1..bytes.len()).filter(|end| *end < 2_000) {
            assert!(super::decode(&bytes[..end]).is_err(), "{message:?} cut at {end}");
        }
    }
}

#[test]
fn unknown_messages_and_fields_are_skipped() {
    // {t: "new", x: [nil, -1, 1.5, ext]}, then {t: "position", offset: 5, more: {1: 2}}
    let mut bytes = vec![0x82, 0xa1, b't', 0xa3, b'n', b'e', b'w', 0xa1, b'x', 0x94, 0xc0, 0xff, 0xcb];
    bytes.extend(1.5f64.to_be_bytes());
    bytes.extend([0xd4, 1, 2]);
    bytes.extend([0x83, 0xa1, b't', 0xa8]);
    bytes.extend(b"position");
    bytes.push(0xa6);
    bytes.extend(b"offset");
    bytes.extend([0xd0, 5, 0xa4]);
    bytes.extend(b"more");
    bytes.extend([0x81, 1, 2]);
    assert_eq!(super::decode(&bytes), Ok(vec![ServerMessage::Position { offset: offset(5) }]));
}

#[test]
fn nesting_and_claimed_lengths_cost_nothing() {
    assert!(super::decode(&[0x91; 100_000]).is_err());
    assert!(super::decode(&[0xdd, 0xff, 0xff, 0xff, 0xff]).is_err());
    assert!(super::decode(&[0xc6, 0xff, 0xff, 0xff, 0xff, 0]).is_err());
    assert!(super::decode(&[0xc9, 0xff, 0xff, 0xff, 0xff, 0]).is_err());
}
