use room_testing::TestRoom;
use schemas::ErrorCode;
use serde_json::json;

use super::bench::Bench;

#[test]
fn r_beh_14_a_machine_keeps_its_state_and_names_what_may_happen() {
    let mut room = TestRoom::<Bench>::new();
    let ada = room.join("ada");
    assert_eq!(room.call(ada, "door", json!({ "hand": "turn" })), Ok(json!(["locked", ["turn"]])));
    let error = room.call(ada, "door", json!({ "hand": "pull" })).expect_err("it is locked");
    assert_eq!(error.code, ErrorCode::InvalidTransition);
    let data = serde_json::to_value(error.data.expect("what may happen")).expect("JSON");
    assert_eq!(data, json!({ "state": "locked", "event": "pull", "valid_events": ["turn"] }));
    room.restart();
    let ada = room.join("ada");
    assert_eq!(room.call(ada, "door", json!({ "hand": "turn" })), Ok(json!(["shut", ["pull", "turn"]])));
    assert_eq!(room.call(ada, "door", json!({ "hand": "pull" })), Ok(json!(["open", ["push"]])));
    assert_eq!(
        room.call(ada, "door", json!({ "hand": null })),
        Ok(json!(["shut", ["pull", "turn"]])),
        "reset"
    );
}
