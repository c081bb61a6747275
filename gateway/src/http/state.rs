//! `GET` and `PATCH /v1/rooms/{room}/state`: the room's shared state.

use schemas::{
    Capability,
    client_message::StateOp,
    http::{RoomCall, StateBody, StateOpBody},
    limits,
};
use worker::Response;

use crate::{body, exchange::Exchange, failure::Failure};

/// The most that the operations of one request can hold, and the words around them.
const BODY_BYTES_MAX: usize =
    limits::STATE_OPS_MAX * (limits::STATE_VALUE_BYTES_MAX + limits::STATE_KEY_BYTES_MAX + 1024);

pub(crate) async fn read(exchange: &Exchange<'_>, room: &str) -> Result<Response, Failure> {
    let call = exchange.allow(room, Capability::Join).await?;
    exchange.ask_as(&call, RoomCall::State).await
}

pub(crate) async fn write(exchange: &mut Exchange<'_>, room: &str) -> Result<Response, Failure> {
    let call = exchange.allow(room, Capability::State).await?;
    let ops = ops(&exchange.body(BODY_BYTES_MAX).await?)?;
    let moderates = call.caller.capabilities().has(Capability::Moderate);
    exchange.ask_as(&call, RoomCall::WriteState { ops, moderates }).await
}

/// Their bounds are the room's to check.
fn ops(body: &[u8]) -> Result<Vec<StateOp>, Failure> {
    let body: StateBody = body::parse_object(body, &[])?;
    let ops = body.ops.iter().enumerate().map(|(index, op)| {
        let parsed = body::parse_object(op.get().as_bytes(), &[]).and_then(op_of);
        parsed.map_err(|failure| failure.within(&format!("ops[{index}]")))
    });
    ops.collect()
}

fn op_of(body: StateOpBody) -> Result<StateOp, Failure> {
    match body {
        StateOpBody { owned: true, .. } => Err(Failure::invalid("owned", "only a session can own a key")),
        StateOpBody { set: Some(key), delete: None, value: Some(value), expected, .. } => {
            let value = value.check().map_err(|error| Failure::invalid("value", error.to_string()))?;
            Ok(StateOp::Set { key, value, expected, owned: false })
        }
        StateOpBody { set: Some(_), delete: None, value: None, .. } => {
            Err(Failure::invalid("value", "is missing"))
        }
        StateOpBody { set: None, delete: Some(key), value: None, expected, .. } => {
            Ok(StateOp::Delete { key, expected })
        }
        StateOpBody { set: None, delete: Some(_), .. } => Err(Failure::invalid("value", "is for `set`")),
        _ => Err(Failure::invalid(".", "has one of `set` and `delete`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_write_2_an_operation_sets_or_deletes_and_owns_nothing() {
        let ops = |text: &str| ops(format!("{{\"ops\":{text}}}").as_bytes());
        let read =
            ops(r#"[{"set":"a","value":null,"if":0},{"delete":"b"},{"set":"c","value":[1],"owned":false}]"#);
        let read = read.expect("operations");
        assert_eq!(read.iter().map(StateOp::key).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(read.iter().map(StateOp::expected).collect::<Vec<_>>(), [Some(0), None, None]);
        let wrong = [
            ("7", "ops"),
            ("[7]", "ops[0]"),
            (r#"[["a","b"]]"#, "ops[0]"),
            ("[{}]", "ops[0]"),
            (r#"[{"delete":"a"},{"set":"a","delete":"a","value":1}]"#, "ops[1]"),
            (r#"[{"set":"a"}]"#, "ops[0].value"),
            (r#"[{"delete":"a","value":1}]"#, "ops[0].value"),
            (r#"[{"set":"a","value":1,"owned":true}]"#, "ops[0].owned"),
            (r#"[{"set":"a","value":1,"if":-1}]"#, "ops[0].if"),
            (r#"[{"set":1,"value":1}]"#, "ops[0].set"),
            (r#"[{"set":"a","value":{"$bin":"?"}}]"#, "ops[0].value"),
            (r#"[{"set":"a","value":1,"ttl":1}]"#, "ops[0].ttl"),
        ];
        for (text, path) in wrong {
            let problem = ops(text).expect_err(text).problem();
            assert_eq!(problem.code, "invalid_argument", "{text}");
            assert_eq!(problem.details[0].path, path, "{text}: {}", problem.title);
        }
    }
}
