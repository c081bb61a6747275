//! What users change of what is there: `amend`, and what is the room's own.

use room_core::behavior::{
    Amending, Amendment, Behavior, Context, ErrorCode, Failure, Interface, Message, Publishing, Verdict,
};
use room_testing::{Seat, TestRoom};
use schemas::{
    Capabilities, Capability, UserId,
    client_message::StateOp,
    http::{PublishCall, RoomCall},
};
use serde_json::{Value, json};

/// A board of notes, and a score that the room keeps.
struct Board;

impl Behavior for Board {
    const NAME: &'static str = "board";

    fn describe(interface: &mut Interface<Self>) {
        interface.method("amended", Self::amended);
        interface.method("kinds", Self::kinds);
        interface.event::<String>("ruling");
        interface.client_event::<String>("note");
        interface.state::<u32>("score");
        interface.client_state::<String>("title");
    }

    fn started(_: &mut Context<'_>) -> Result<Board, Failure> {
        Ok(Board)
    }

    fn publish(&mut self, ctx: &mut Context<'_>, publishing: &Publishing<'_>) -> Verdict {
        let is_service = ctx.caller().is_service();
        ctx.put("by", &(is_service, ctx.caller().capabilities.has(Capability::Moderate)));
        if publishing.kind == "score" {
            ctx.share("score", &1);
        }
        Verdict::Pass
    }

    fn amend(&mut self, ctx: &mut Context<'_>, amending: &Amending<'_>) -> Result<(), Failure> {
        let count = ctx.get::<u32>("amended").unwrap_or(0) + 1;
        ctx.put("amended", &count);
        ctx.publish(Message::new("ruling", &count));
        match amending.change {
            Amendment::Edit(_) => match amending.data::<String>()? {
                Some(text) if text.contains("spam") => {
                    Err(Failure::with_code(ErrorCode::Forbidden, "no spam"))
                }
                _ => Ok(()),
            },
            Amendment::Remove if amending.author.is_some() => Err(Failure::new("what is said is said")),
            Amendment::React { name: "no", on: true } => Err(Failure::new("be kind")),
            Amendment::Remove | Amendment::React { .. } => Ok(()),
        }
    }
}

impl Board {
    fn amended(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<u32, Failure> {
        Ok(ctx.get("amended").unwrap_or(0))
    }

    /// Whether the last publish was a service's, and a moderator's.
    fn kinds(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<(bool, bool), Failure> {
        Ok(ctx.get("by").unwrap_or_default())
    }
}

fn board() -> (TestRoom<Board>, Seat, Seat) {
    let mut room = TestRoom::new();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    room.publish(ada, "note", json!("hello")).expect("a note");
    room.inbox(bob);
    (room, ada, bob)
}

fn edit(offset: u64, data: &Value) -> Value {
    json!({ "t": "edit", "offset": offset, "data": data })
}

fn code(answer: Result<Value, schemas::server_message::RequestError>) -> ErrorCode {
    answer.expect_err("it is refused").code
}

#[test]
fn r_beh_23_amend_sees_edits_removals_and_reactions_and_may_refuse_them() {
    let (mut room, ada, bob) = board();
    assert_eq!(room.request(ada, edit(1, &json!("good day"))), Ok(json!({ "offset": 3 })));
    let ruled = |count: u32| ("ruling".to_owned(), json!(count));
    assert_eq!(
        room.heard(bob),
        [ruled(1), ("edit".to_owned(), json!("good day"))],
        "with what the hook says"
    );
    assert_eq!(code(room.request(ada, edit(1, &json!("spam")))), ErrorCode::Forbidden);
    let malformed = room.request(ada, edit(1, &json!(7))).expect_err("no text");
    assert_eq!((malformed.code, malformed.details[0].path.as_str()), (ErrorCode::InvalidArgument, "data"));
    let refused = room.request(ada, json!({ "t": "remove", "offset": 1 })).expect_err("it stays");
    assert_eq!(refused.message, "what is said is said");
    let react = |name: &str| json!({ "t": "react", "offset": 1, "name": name, "on": true });
    assert_eq!(code(room.request(bob, react("no"))), ErrorCode::MethodFailed);
    assert_eq!(room.head().value(), 3, "what is refused keeps nothing");
    room.request(bob, react("yes")).expect("a reaction");
    assert_eq!(room.call(ada, "amended", json!(null)), Ok(json!(2)));
}

#[test]
fn r_beh_23_what_the_protocol_refuses_keeps_nothing_of_the_hook() {
    let (mut room, ada, bob) = board();
    assert_eq!(code(room.request(ada, edit(99, &json!("nowhere")))), ErrorCode::NotFound);
    let only_own = [Capability::Join, Capability::Publish, Capability::EditOwn].into_iter().collect();
    let eve = room.try_join("eve", only_own).expect("eve joins");
    assert_eq!(code(room.request(eve, edit(1, &json!("mine now")))), ErrorCode::Forbidden);
    assert_eq!((room.head().value(), room.heard(bob)), (1, vec![]));
    assert_eq!(room.call(ada, "amended", json!(null)), Ok(json!(0)));
    room.sleep();
    room.request(ada, edit(1, &json!("still here"))).expect("an edit");
}

#[test]
fn r_beh_24_events_that_the_room_tells_are_not_the_users_to_publish() {
    let (mut room, ada, bob) = board();
    let refused = room.publish(ada, "ruling", json!("I win")).expect_err("the room's own");
    assert_eq!((refused.code, refused.details[0].path.as_str()), (ErrorCode::Forbidden, "type"));
    assert_eq!(code(room.send(ada, "ruling", json!("I win"))), ErrorCode::Forbidden);
    let call = PublishCall {
        data: schemas::Payload::of(&"I win"),
        kind: Some("ruling".to_owned()),
        tags: Vec::new(),
        to: None,
        ephemeral: false,
        author: None,
        key: None,
    };
    let by_user = |call: PublishCall| RoomCall::ByUser {
        user: UserId::parse("ada").expect("a user"),
        capabilities: [Capability::Publish, Capability::Moderate].into_iter().collect(),
        call: Box::new(RoomCall::Publish(call)),
    };
    let refused = room.backend(by_user(call.clone())).expect_err("by HTTP neither");
    assert_eq!(refused.code, ErrorCode::Forbidden);
    assert_eq!(room.heard(bob), []);
    room.backend(RoomCall::Publish(call.clone())).expect("a backend may");
    assert_eq!(room.call(ada, "kinds", json!(null)), Ok(json!([true, false])));
    room.backend(by_user(PublishCall { kind: Some("note".to_owned()), ..call })).expect("a note");
    assert_eq!(room.call(ada, "kinds", json!(null)), Ok(json!([false, true])), "the token's capabilities");
}

#[test]
fn r_beh_24_state_that_the_room_keeps_is_not_the_users_to_write() {
    let (mut room, ada, _) = board();
    room.publish(ada, "score", json!(null)).expect("a score");
    let set = |key: &str| json!({ "set": key, "value": "mine" });
    let write = |ops: Vec<Value>| json!({ "t": "state", "ops": ops });
    let refused = room.request(ada, write(vec![set("title"), set("score")])).expect_err("the room's own");
    assert_eq!((refused.code, refused.details[0].path.as_str()), (ErrorCode::Forbidden, "ops[1]"));
    assert_eq!(code(room.request(ada, write(vec![json!({ "delete": "score" })]))), ErrorCode::Forbidden);
    assert_eq!((room.state("score"), room.state("title")), (Some(json!(1)), None), "all or nothing");
    room.request(ada, write(vec![set("title"), set("undeclared")])).expect("these are anybody's");
    let ops = vec![StateOp::Delete { key: "score".to_owned(), expected: None }];
    let write = RoomCall::WriteState { ops, moderates: false };
    let by_ada = RoomCall::ByUser {
        user: UserId::parse("ada").expect("a user"),
        capabilities: Capabilities::all(),
        call: Box::new(write.clone()),
    };
    assert_eq!(room.backend(by_ada).expect_err("by HTTP neither").code, ErrorCode::Forbidden);
    room.backend(write).expect("a backend may");
    assert_eq!(room.state("score"), None);
}
