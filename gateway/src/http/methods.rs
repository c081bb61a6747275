//! `POST /v1/rooms/{room}/call/{method}`: calling a method of the room's behavior.

use schemas::{
    Capability, Payload,
    http::{MethodCall, MethodCaller, RoomCall},
    payload::UncheckedPayload,
};
use worker::Response;

use super::messages::{BODY_SLACK_BYTES, payload, payload_bytes_max};
use crate::{
    access::{Call, Caller},
    body,
    exchange::Exchange,
    failure::Failure,
};

pub(crate) async fn call(exchange: &mut Exchange<'_>, room: &str, method: &str) -> Result<Response, Failure> {
    let call = exchange.allow(room, Capability::Call).await?;
    let body = exchange.body(payload_bytes_max(call.kind) + BODY_SLACK_BYTES).await?;
    let args = args(&body, payload_bytes_max(call.kind))?;
    let method = MethodCall { method: method.to_owned(), args, caller: caller(&call) };
    exchange.ask_as(&call, RoomCall::Method(method)).await
}

/// The body as it is; none at all is null.
fn args(body: &[u8], bytes_max: usize) -> Result<Payload, Failure> {
    if body.is_empty() {
        return Ok(Payload::of(&()));
    }
    let args: UncheckedPayload = body::parse(body).map_err(|failure| match failure {
        Failure::NotJson(message) => Failure::invalid("args", format!("are not JSON: {message}")),
        other => other,
    })?;
    payload("args", args, bytes_max)
}

fn caller(call: &Call<'_>) -> MethodCaller {
    match &call.caller {
        Caller::Service { .. } => MethodCaller::Service,
        Caller::User { user, claims } => MethodCaller::User { user: user.clone(), claims: claims.clone() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_call_13_the_body_is_the_arguments_and_none_is_null() {
        let rows = [("", "null"), ("null", "null"), (" {\"sides\": 6}\n", "{\"sides\": 6}"), ("7", "7")];
        for (body, expected) in rows {
            let Payload::Json(text) = args(body.as_bytes(), 64).expect(body) else { panic!("{body}") };
            assert_eq!(text.as_str(), expected);
        }
        assert!(matches!(args(br#"{"$bin":"AP8="}"#, 64), Ok(Payload::Bytes(bytes)) if bytes == [0, 255]));
    }

    #[test]
    fn r_call_13_what_is_no_json_or_too_long_is_refused_with_its_path() {
        let deep = "[".repeat(65) + &"]".repeat(65);
        for body in ["{", "nul", "1 2", "\u{feff}1", "{\"$bin\":\"?\"}", &deep] {
            let problem = args(body.as_bytes(), 1_000).expect_err(body).problem();
            assert_eq!((problem.status, problem.code.as_str()), (400, "invalid_argument"), "{body}");
            assert_eq!(problem.details[0].path, "args", "{body}");
        }
        let problem = args(b"\"0123\"", 5).expect_err("six bytes").problem();
        assert_eq!((problem.status, problem.code.as_str()), (413, "too_large"));
    }
}
