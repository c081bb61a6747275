//! This codec beside the one of `schemas`, message by message and cut at every byte.

use std::collections::BTreeMap;

use schemas::{
    ClientMessage, Codec, ConnectionId, Epoch, ErrorCode, Frame, Offset, Payload, Position, PublicSession,
    RoomName, ServerMessage, Session, UserId,
    client_message::{Hello, History, Members, Publish, StateOp, To},
    codec,
    server_message::{
        Amended, Author, Edited, Ephemeral, HistoryPage, LeaveReason, Left, Member, MembersPage, NoticeCode,
        Occupancy, PresenceDiff, Publication, Published, Reaction, RecoveryFailure, Refreshed, Reply,
        RequestError, RequestResult, Returned, StateChange, StateEntry, StateSnapshot, StateVersion,
        StateWrite, Tags, Welcome, WelcomeLimits,
    },
};

use crate::{client::Me, shared_state::SharedState};

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
        data: Some(json("null")),
        tags: Vec::new(),
        refers: None,
        removed: false,
        edited: None,
        reactions: BTreeMap::new(),
    };
    let long = Publication {
        offset: offset(70_000),
        data: Some(json(&format!("\"{}\"", "x".repeat(70_000)))),
        ..plain.clone()
    };
    let full = Publication {
        offset: offset((1 << 53) - 1),
        from: Some(author),
        data: Some(Payload::Bytes(vec![0xc1; 70_000])),
        tags: vec!["a".into(), "b".repeat(64)],
        ..plain.clone()
    };
    let edit = Publication { kind: "edit".into(), refers: Some(offset(1)), ..plain.clone() };
    let removed = Publication { data: None, removed: true, ..plain.clone() };
    let reaction =
        |count, users: &[&str]| Reaction { count, users: users.iter().map(|name| user(name)).collect() };
    let folded = Publication {
        edited: Some(Edited { offset: offset(300), time: 1 << 41 }),
        reactions: [("+1".into(), reaction(1_000, &["ada", "é"])), ("\"".into(), reaction(0, &[]))].into(),
        ..plain.clone()
    };
    vec![plain, long, full, edit, removed, folded]
}

fn entries() -> BTreeMap<String, StateEntry> {
    let plain = StateEntry { value: json("null"), version: 1, owner: None };
    let full = StateEntry { value: Payload::Bytes(vec![1]), version: 1 << 40, owner: Some(session()) };
    [("a".into(), plain), ("é".repeat(64), full)].into()
}

fn state_changes() -> [StateChange; 2] {
    let sets = entries().into_iter().map(|(key, StateEntry { value, version, owner })| StateWrite::Set {
        key,
        value,
        version,
        owner,
    });
    let ops = sets.chain([StateWrite::Delete { key: "a".into() }]).collect();
    [StateChange { version: 1 << 40, ops }, StateChange { version: 0, ops: Vec::new() }]
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
        state: StateSnapshot::default(),
        tags: Vec::new(),
        limits: WelcomeLimits {
            payload_bytes: 1,
            presence_bytes: 2,
            tags: 3,
            frame_bytes: u32::MAX,
            key_window_ms: 1 << 33,
            ack: false,
        },
        server_time: 1 << 40,
        expires_at: None,
    };
    let full = Welcome {
        recovered: false,
        reason: Some(RecoveryFailure::NoLog),
        publications: publications(),
        members: Some(members()),
        members_next: Some("next".into()),
        state: StateSnapshot { version: 1 << 40, entries: entries() },
        tags: vec!["a".into()],
        limits: WelcomeLimits { ack: true, ..plain.limits },
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
        RequestResult::Amended(Amended { offset: offset(4) }),
        RequestResult::State(StateVersion { version: 1 << 40 }),
        RequestResult::Refreshed(Refreshed { expires_at: 1 << 41 }),
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
        let ephemeral = data.map(|data| ServerMessage::Ephemeral(Ephemeral { time, from, kind, data, tags }));
        [ServerMessage::Publication(publication)].into_iter().chain(ephemeral)
    }));
    messages.extend(state_changes().map(ServerMessage::State));
    messages.extend([
        ServerMessage::Position { offset: offset(300) },
        ServerMessage::Presence(PresenceDiff {
            joined: members(),
            left: vec![left, lost],
            updated: members(),
        }),
        ServerMessage::Occupancy(Occupancy { members: 1, users: 2 }),
        ServerMessage::Error(RequestError { data: Some(json("[1]")), ..invalid.clone() }),
        ServerMessage::Error(invalid),
        ServerMessage::Returned(Returned { id: 9, result: json("null"), more: false }),
        ServerMessage::Returned(Returned { id: 9, result: json("{}"), more: true }),
        ServerMessage::Expiring { expires_at: 1 << 41 },
        ServerMessage::Notice { code: NoticeCode::Restarted, message: "m".into() },
        ServerMessage::Notice { code: NoticeCode::EphemeralsDropped, message: String::new() },
    ]);
    messages
}

fn hellos() -> [Hello; 2] {
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
    [hello, full_hello]
}

fn publishes() -> [Publish; 3] {
    let publish = Publish {
        id: None,
        data: json("1"),
        tags: Vec::new(),
        to: None,
        ephemeral: true,
        echo: true,
        kind: None,
        key: None,
        conflate: Some("cursor".into()),
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
        key: Some("k".repeat(128)),
        conflate: None,
    };
    let to_nobody = Publish { to: Some(To::default()), ..publish.clone() };
    [publish, to_nobody, full_publish]
}

fn client_messages() -> Vec<ClientMessage> {
    let mut messages = vec![
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
        ClientMessage::Edit { id: 1, offset: offset(1 << 40), data: Payload::Bytes(vec![1]) },
        ClientMessage::Remove { id: 2, offset: offset(9) },
        ClientMessage::React { id: 3, offset: offset(9), name: "👍".into(), on: false },
        ClientMessage::State { id: 4, ops: Vec::new() },
        ClientMessage::State {
            id: 5,
            ops: vec![
                StateOp::Set { key: "a".into(), value: json("1"), expected: None, owned: false },
                StateOp::Set {
                    key: "b".into(),
                    value: Payload::Bytes(vec![2]),
                    expected: Some(0),
                    owned: true,
                },
                StateOp::Delete { key: "c".into(), expected: None },
                StateOp::Delete { key: "d".into(), expected: Some(1 << 40) },
            ],
        },
        ClientMessage::Ack { frames: 1 << 40 },
        ClientMessage::Call { id: 5, method: "roll".into(), args: json("{}") },
        ClientMessage::Cancel { id: 5 },
        ClientMessage::Leave { id: 300 },
    ];
    messages.extend(hellos().map(ClientMessage::Hello));
    messages.extend(publishes().map(ClientMessage::Publish));
    messages
}

impl From<ServerMessage> for super::Message {
    fn from(message: ServerMessage) -> super::Message {
        match message {
            ServerMessage::Welcome(welcome) => super::Message::Welcome(Box::new((*welcome).into())),
            ServerMessage::Publication(publication) => super::Message::Publication(publication),
            ServerMessage::Ephemeral(ephemeral) => super::Message::Ephemeral(ephemeral),
            ServerMessage::Position { offset } => super::Message::Position { offset },
            ServerMessage::Presence(diff) => super::Message::Presence(diff),
            ServerMessage::Occupancy(occupancy) => super::Message::Occupancy(occupancy),
            ServerMessage::State(change) => super::Message::State(change),
            ServerMessage::Reply(reply) => super::Message::Reply(reply),
            ServerMessage::Returned(Returned { id, result: value, more }) => {
                super::Message::Returned { id, value, more }
            }
            ServerMessage::Error(error) => super::Message::Error(error),
            ServerMessage::Expiring { expires_at } => super::Message::Expiring { expires_at },
            ServerMessage::Notice { code, message } => super::Message::Notice { code, message },
        }
    }
}

impl From<Welcome> for super::Welcome {
    fn from(welcome: Welcome) -> super::Welcome {
        let Welcome { connection, session, user, tags, limits, expires_at, .. } = welcome;
        let mut state = SharedState::at(welcome.state.version);
        for (key, entry) in welcome.state.entries {
            state.insert(&key, entry);
        }
        super::Welcome {
            server_time: welcome.server_time,
            me: Me { connection, session, user, tags, limits, expires_at },
            epoch: welcome.epoch,
            offset: welcome.offset,
            recovered: welcome.recovered,
            reason: welcome.reason,
            publications: welcome.publications,
            members: welcome.members.unwrap_or_default(),
            members_next: welcome.members_next,
            occupancy: welcome.occupancy,
            state,
        }
    }
}

fn as_read(messages: Vec<ServerMessage>) -> Vec<super::Message> {
    messages.into_iter().map(super::Message::from).collect()
}

#[test]
fn what_schemas_writes_is_read_as_schemas_reads_it() {
    let mut frame = Vec::new();
    for message in server_messages() {
        let bytes = codec::encode(Codec::Msgpack, &message);
        assert_eq!(super::decode(&bytes), Ok(as_read(vec![message])));
        frame.extend(bytes);
    }
    assert_eq!(super::decode(&frame), Ok(as_read(server_messages())));
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
    assert_eq!(super::decode(&bytes), Ok(vec![super::Message::Position { offset: offset(5) }]));
}

#[test]
fn nesting_and_claimed_lengths_cost_nothing() {
    assert!(super::decode(&[0x91; 100_000]).is_err());
    assert!(super::decode(&[0xdd, 0xff, 0xff, 0xff, 0xff]).is_err());
    assert!(super::decode(&[0xc6, 0xff, 0xff, 0xff, 0xff, 0]).is_err());
    assert!(super::decode(&[0xc9, 0xff, 0xff, 0xff, 0xff, 0]).is_err());
}
