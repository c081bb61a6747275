use room_testing::TestRoom;
use schemas::{Capability, ErrorCode};
use serde_json::json;

use super::bench::Bench;

fn bench() -> TestRoom<Bench> {
    TestRoom::new()
}

#[test]
fn r_call_1_a_method_returns_its_result_to_whoever_called() {
    let mut room = bench();
    let ada = room.join("ada");
    assert_eq!(room.call(ada, "who", json!(null)), Ok(json!("ada")));
    assert_eq!(room.service("who", &json!(null)), Ok(json!(null)));
}

#[test]
fn r_call_2_arguments_have_defaults() {
    let mut room = bench();
    let ada = room.join("ada");
    let six = json!({ "sides": 6, "labels": [] });
    assert_eq!(room.call(ada, "roll", json!({})), Ok(six.clone()));
    assert_eq!(room.call(ada, "roll", json!(null)), Ok(six), "none at all is an object without fields");
}

#[test]
fn r_call_2_each_argument_that_is_wrong_is_named_before_the_method_runs() {
    let mut room = bench();
    let ada = room.join("ada");
    let cases = [
        (json!({ "sides": "six" }), vec!["sides"]),
        (json!({ "sides": 1 }), vec!["sides"]),
        (json!({ "sides": 1, "labels": ["a", "", "c", "d"] }), vec!["sides", "labels", "labels[1]"]),
        (json!({ "labels": [1] }), vec!["labels[0]"]),
        (json!({ "colour": "red" }), vec!["colour"]),
        (json!([]), vec!["args"]),
    ];
    for (args, paths) in cases {
        let error = room.call(ada, "roll", args.clone()).expect_err("it is refused");
        assert_eq!(error.code, ErrorCode::InvalidArgument, "{args}");
        let mut found: Vec<&str> = error.details.iter().map(|detail| detail.path.as_str()).collect();
        found.sort_unstable();
        let mut paths = paths;
        paths.sort_unstable();
        assert_eq!(found, paths, "{args}: {error:?}");
        assert!(error.details.iter().all(|detail| !detail.message.is_empty()));
    }
    let error = room.call(ada, "get", json!({})).expect_err("it is refused");
    assert_eq!(error.details[0].path, "name", "{error:?}");
}

#[test]
fn r_call_3_a_methods_own_error_comes_with_its_data() {
    let mut room = bench();
    let ada = room.join("ada");
    let error = room.call(ada, "roll", json!({ "sides": 13 })).expect_err("no luck");
    assert_eq!((error.code, error.message.as_str()), (ErrorCode::MethodFailed, "out of luck"));
    let data = error.data.expect("its own error");
    assert_eq!(serde_json::to_value(&data).expect("JSON"), json!({ "reason": "out_of", "what": "luck" }));
}

#[test]
fn r_call_4_what_is_not_in_the_table_cannot_be_reached() {
    let mut room = bench();
    let ada = room.join("ada");
    for name in ["started", "six", "nothing", "Roll"] {
        let error = room.call(ada, name, json!(null)).expect_err("it is no method");
        assert_eq!(error.code, ErrorCode::NotFound, "{name}");
    }
    let error = room.call(ada, "", json!(null)).expect_err("it is no name");
    assert_eq!((error.code, error.details[0].path.as_str()), (ErrorCode::InvalidArgument, "method"));
}

#[test]
fn r_call_4_a_services_method_is_not_for_users() {
    let mut room = bench();
    let ada = room.join("ada");
    assert_eq!(room.call(ada, "secret", json!(null)).expect_err("no service").code, ErrorCode::Forbidden);
    assert_eq!(room.service("secret", &json!(null)), Ok(json!(true)));
}

#[test]
fn r_call_5_a_call_needs_the_capability() {
    let mut room = bench();
    let capabilities = [Capability::Join, Capability::Publish].into_iter().collect();
    let bob = room.try_join("bob", capabilities).expect("bob may join");
    assert_eq!(room.call(bob, "who", json!(null)).expect_err("not allowed").code, ErrorCode::Forbidden);
}

#[test]
fn r_call_6_arguments_are_bounded_as_payloads_are() {
    let mut room = bench();
    let ada = room.join("ada");
    let args = json!({ "labels": ["x".repeat(70_000)] });
    assert_eq!(room.call(ada, "roll", args).expect_err("too large").code, ErrorCode::TooLarge);
}

#[test]
fn r_call_7_calls_run_in_the_order_in_which_they_came_and_see_what_was_before() {
    let mut room = bench();
    let ada = room.join("ada");
    let put = |id: u32, value: u32| {
        format!(r#"{{"t":"call","id":{id},"method":"put","args":{{"key":"k","value":{value}}}}}"#)
    };
    let get = |id: u32| format!(r#"{{"t":"call","id":{id},"method":"get","args":{{"name":"k"}}}}"#);
    let lines = [put(1, 1), get(2), put(3, 2), get(4)].join("\n");
    room.inbox(ada);
    room.say(ada, &lines);
    let returned: Vec<_> = room
        .inbox(ada)
        .into_iter()
        .filter_map(|message| match message {
            schemas::ServerMessage::Returned(returned) => {
                Some((returned.id, serde_json::to_value(&returned.result).expect("JSON")))
            }
            _ => None,
        })
        .collect();
    assert_eq!(returned, [(1, json!(null)), (2, json!(1)), (3, json!(null)), (4, json!(2))]);
}
