use schemas::{Claims, Offset, RoomName, Tenant, UserId, http::Reader};
use serde_json::{Value, json};

use super::*;

fn service() -> Caller {
    Caller::Service { key_id: "dev".into() }
}

fn user() -> Caller {
    let user = UserId::parse("ann").expect("a user");
    let info = Payload::from_json(r#"{"name":"Ann"}"#.into()).ok();
    let claims = Claims {
        user: Some(user.clone()),
        capabilities: schemas::Capabilities::all(),
        info,
        tags: vec!["$vip".into()],
        ..Claims::default()
    };
    Caller::User { user, claims }
}

fn publish_by(caller: Caller, body: &Value) -> Result<PublishCall, Failure> {
    let kind = KindConfig::default();
    let room = RoomName::parse("chat:a").expect("a room");
    let call = Call { room, tenant: Tenant::default_tenant(), kind: &kind, caller };
    publish_call(body::parse(body.to_string().as_bytes())?, None, &call)
}

fn code(result: Result<PublishCall, Failure>) -> (u16, String, Vec<String>) {
    let problem = result.expect_err("refused").problem();
    (problem.status, problem.code, problem.details.into_iter().map(|detail| detail.path).collect())
}

#[test]
fn r_http_5_each_bound_of_a_publish_is_refused_by_one_and_served_exactly() {
    let data = |bytes: usize| json!({ "data": "x".repeat(bytes - 2) });
    let tags = |count: usize, bytes: usize| json!({ "data": 1, "tags": vec!["t".repeat(bytes); count] });
    let kind = |bytes: usize| json!({ "data": 1, "type": "k".repeat(bytes) });
    let users = |count: usize| json!({ "data": 1, "to": { "users": vec!["u"; count] } });
    let nested = |depth: usize| -> Value {
        serde_json::from_str(&format!("{{\"data\":{}{}}}", "[".repeat(depth), "]".repeat(depth)))
            .expect("JSON")
    };
    for body in [data(65_536), tags(8, 64), kind(64), kind(1), users(100), nested(64)] {
        assert!(publish_by(service(), &body).is_ok());
    }
    let too_large = (413, "too_large".to_owned(), vec![]);
    assert_eq!(code(publish_by(service(), &data(65_537))), too_large);
    let invalid = |path: &str| (400, "invalid_argument".to_owned(), vec![path.to_owned()]);
    let rows = [
        (tags(9, 1), "tags"),
        (tags(1, 65), "tags[0]"),
        (tags(1, 0), "tags[0]"),
        (json!({ "data": 1, "tags": ["a", "$vip"] }), "tags[1]"),
        (kind(65), "type"),
        (kind(0), "type"),
        (json!({ "data": 1, "type": "edit" }), "type"),
        (json!({ "data": 1, "type": "remove" }), "type"),
        (json!({ "data": 1, "type": "react" }), "type"),
        (users(101), "to"),
        (json!({ "data": 1, "to": { "connections": ["0123456789abcd"] } }), "to.connections"),
        (nested(65), "data"),
        (json!({ "data": { "$bin": "no base64!" } }), "data"),
    ];
    for (body, path) in rows {
        assert_eq!(code(publish_by(service(), &body)), invalid(path), "{body}");
    }
    let connections = json!({ "data": 1, "ephemeral": true, "to": { "connections": ["0123456789abcd"] } });
    assert!(publish_by(service(), &connections).is_ok());
}

#[test]
fn r_http_1_a_backend_names_the_author_and_a_user_is_its_own() {
    let plain = json!({ "data": 1 });
    let from = json!({ "data": 1, "from": { "user": "bot", "info": { "name": "Bot" } } });
    let author = |caller, body| publish_by(caller, body).expect("a publish").author;
    assert_eq!(author(service(), &plain), None);
    let bot = author(service(), &from).expect("an author");
    assert_eq!((bot.user.as_str(), bot.session), ("bot", None));
    assert_eq!(author(user(), &plain).map(|author| author.user), UserId::parse("ann"));
    assert_eq!(code(publish_by(user(), &from)).1, "forbidden");
    let long = json!({ "data": 1, "from": { "user": "bot", "info": "x".repeat(1023) } });
    assert_eq!(code(publish_by(service(), &long)).1, "too_large");
}

#[test]
fn r_http_2_messages_are_asked_for_before_or_after_and_by_tag() {
    let ask = |query: &str| messages_call(&Query::parse(query), &service());
    let expected = |before: Option<u64>, after: Option<u64>, limit: u32, tags: &[&str]| RoomCall::Messages {
        before: before.and_then(Offset::new),
        after: after.and_then(Offset::new),
        limit,
        tags: tags.iter().map(ToString::to_string).collect(),
        reader: Reader::Service,
    };
    let rows = [
        ("", expected(None, None, 50, &[])),
        ("after=0&limit=200", expected(None, Some(0), 200, &[])),
        ("before=7", expected(Some(7), None, 50, &[])),
        ("tags=a,b&tags=c", expected(None, None, 50, &["a", "b", "c"])),
        ("tags=a%2Cb&tags=", expected(None, None, 50, &["a", "b"])),
        ("unknown=1&raw=false", expected(None, None, 50, &[])),
    ];
    for (query, expected) in rows {
        assert_eq!(ask(query).expect(query), expected, "{query}");
    }
    let wrong =
        ["after=1&before=2", "limit=0", "limit=201", "limit=x", "after=-1", "after=1&after=2", "raw=1"];
    for query in wrong {
        assert_eq!(ask(query).expect_err(query).problem().status, 400, "{query}");
    }
    let reader = Reader::User { user: UserId::parse("ann").expect("a user"), tags: vec!["$vip".into()] };
    let asked = messages_call(&Query::parse(""), &user()).expect("a call");
    assert!(matches!(asked, RoomCall::Messages { reader: asked, .. } if asked == reader));
}

#[test]
fn r_key_1_the_header_and_the_field_are_the_same_key() {
    let key = |field: Option<&str>, header: Option<&str>, ephemeral| {
        key(field.map(str::to_owned), header.map(str::to_owned), ephemeral).map_err(|_| "refused")
    };
    assert_eq!(key(None, None, true), Ok(None));
    assert_eq!(key(Some("a"), None, false), Ok(Some("a".into())));
    assert_eq!(key(None, Some("a"), false), Ok(Some("a".into())));
    assert_eq!(key(Some("a"), Some("a"), false), Ok(Some("a".into())));
    let long = "k".repeat(129);
    for (field, header, ephemeral) in [
        (Some("a"), Some("b"), false),
        (Some("a"), None, true),
        (Some(""), None, false),
        (Some(&*long), None, false),
    ] {
        assert_eq!(key(field, header, ephemeral), Err("refused"), "{field:?} {header:?} {ephemeral}");
    }
}

#[test]
fn r_write_3_the_raw_log_is_for_api_keys() {
    let raw = |caller: &Caller| messages_call(&Query::parse("raw=true&after=3&limit=7&tags=a"), caller);
    let expected =
        RoomCall::RawMessages { before: None, after: Offset::new(3), limit: 7, tags: vec!["a".to_owned()] };
    assert_eq!(raw(&service()).expect("a page"), expected);
    assert_eq!(raw(&user()).expect_err("refused").problem().code, "forbidden");
}

#[test]
fn r_write_1_a_message_is_addressed_by_its_offset() {
    for (segment, expected) in [("1", 1), ("007", 7), ("9007199254740991", 9_007_199_254_740_991)] {
        assert_eq!(target(segment).expect(segment).value(), expected);
    }
    for segment in ["0", "", "-1", "+1", "1.0", "x", "9007199254740992", "1 "] {
        let problem = target(segment).expect_err(segment).problem();
        assert_eq!((problem.status, problem.details[0].path.as_str()), (400, "offset"), "{segment}");
    }
}

#[test]
fn r_write_1_a_user_changes_as_itself_and_a_backend_as_nobody() {
    let target = Offset::new(7).expect("an offset");
    let call = |caller: &Caller| match amend_call(target, None, caller) {
        RoomCall::Amend(call) => call,
        other => panic!("{other:?}"),
    };
    let by_service = call(&service());
    assert_eq!((by_service.reader, by_service.author), (Reader::Service, None));
    let by_user = call(&user());
    assert_eq!(by_user.author.map(|author| author.user), UserId::parse("ann"));
    assert!(matches!(by_user.reader, Reader::User { .. }));
}
