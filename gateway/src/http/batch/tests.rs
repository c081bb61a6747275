use deployment::settings::Texts;
use serde_json::json;

use super::*;

/// SHA-256 of `rk_ci_secret`, by `sha256sum`.
const CI_SHA256: &str = "c3affaed5b7bd54f9d12cde8446958fa76b2e3c22b07b21b40c020f84136c342";

fn settings() -> Settings {
    let api_keys = json!([{ "id": "ci", "sha256": CI_SHA256 }]).to_string();
    let config =
        json!({ "kinds": { "chat": {}, "small": { "limits": { "payload_bytes": 8 } } } }).to_string();
    let texts = Texts { config: Some(config), api_keys: Some(api_keys), ..Texts::default() };
    Settings::parse(texts).expect("settings")
}

fn checked<'a>(settings: &'a Settings, message: &str) -> Result<Checked<'a>, Failure> {
    let key = settings.api_keys.authorize("rk_ci_secret", 0).expect("a key");
    let credentials = Credentials::Key(key);
    check(settings, &credentials, message).map_err(|failure| failure.within("messages[3]"))
}

#[test]
fn r_write_4_each_message_is_checked_as_a_publish_to_its_room() {
    let settings = settings();
    let good = r#"{"data":{"a":1.0},"room":"chat:a","key":"k","to":{"users":["ann"]}}"#;
    let (call, publish) = checked(&settings, good).expect("a message");
    assert_eq!((call.room.as_str(), publish.data.len()), ("chat:a", r#"{"a":1.0}"#.len()));
    assert!(publish.key.is_some() && publish.to.is_some());
    let rows = [
        ("7", "invalid_argument", "messages[3]"),
        (r#"["chat:a",1]"#, "invalid_argument", "messages[3]"),
        (r#"{"data":1}"#, "invalid_argument", "messages[3].room"),
        (r#"{"data":1,"room":7}"#, "invalid_argument", "messages[3].room"),
        (r#"{"data":1,"room":"chat"}"#, "bad_room_name", ""),
        (r#"{"data":1,"room":"none:a"}"#, "unknown_kind", ""),
        (r#"{"room":"chat:a"}"#, "invalid_argument", "messages[3]"),
        (r#"{"room":"chat:a","data":1,"tags":["a",1]}"#, "invalid_argument", "messages[3].tags[1]"),
        (r#"{"room":"chat:a","data":1,"to":[]}"#, "invalid_argument", "messages[3].to"),
        (r#"{"room":"chat:a","data":1,"type":"edit"}"#, "invalid_argument", "messages[3].type"),
        (r#"{"room":"small:a","data":"12345678"}"#, "too_large", ""),
    ];
    for (message, code, path) in rows {
        let problem = checked(&settings, message).expect_err(message).problem();
        let found = problem.details.first().map_or("", |detail| detail.path.as_str());
        assert_eq!((problem.code.as_str(), found), (code, path), "{message}: {}", problem.title);
    }
}

#[test]
fn r_write_4_messages_of_a_room_go_there_together_in_their_order() {
    let settings = settings();
    let message = |room: &str, data: u64| {
        let text = format!(r#"{{"room":"{room}","data":{data}}}"#);
        checked(&settings, &text).map_err(|failure| Box::new(failure.problem()))
    };
    let messages = vec![
        message("chat:b", 1),
        message("chat", 2),
        message("chat:a", 30),
        message("chat:b", 400),
        message("chat:a", 5000),
    ];
    let (shares, refused) = share(messages);
    assert_eq!(refused.into_keys().collect::<Vec<_>>(), [1]);
    let told = shares.iter().map(|share| match &share.call {
        RoomCall::Batch(calls) => {
            let lengths: Vec<usize> = calls.iter().map(|call| call.data.len()).collect();
            (share.room.as_str(), share.indexes.clone(), lengths)
        }
        other => panic!("{other:?}"),
    });
    let expected = [("chat:a", vec![2, 4], vec![2, 4]), ("chat:b", vec![0, 3], vec![1, 3])];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}
