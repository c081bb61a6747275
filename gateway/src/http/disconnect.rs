//! `POST /v1/rooms/{room}/disconnect`: somebody is sent away, and may be kept out for a time.

use schemas::{
    Capability,
    http::{DisconnectBody, DisconnectCall, RoomCall, Who},
    limits,
};
use worker::Response;

use crate::{body, exchange::Exchange, failure::Failure};

const BODY_BYTES_MAX: usize = 4 * 1024;

pub(crate) async fn answer(exchange: &mut Exchange<'_>, room: &str) -> Result<Response, Failure> {
    let call = exchange.allow(room, Capability::Moderate).await?;
    let body = body::parse_object(&exchange.body(BODY_BYTES_MAX).await?, &[])?;
    exchange.ask_as(&call, RoomCall::Disconnect(disconnect_call(body)?)).await
}

fn disconnect_call(body: DisconnectBody) -> Result<DisconnectCall, Failure> {
    let DisconnectBody { user, session, connection, reason, block_ms } = body;
    let named = [
        user.map(|user| ("user", Who::User(user))),
        session.map(|session| ("session", Who::Session(session))),
        connection.map(|connection| ("connection", Who::Connection(connection))),
    ];
    let mut named = named.into_iter().flatten();
    let who = match (named.next(), named.next()) {
        (Some((_, who)), None) => who,
        (None, _) => return Err(Failure::invalid("user", "is needed, or session, or connection")),
        (Some((first, _)), Some((second, _))) => {
            return Err(Failure::invalid(second, format!("does not stand beside {first}")));
        }
    };
    if reason.as_ref().is_some_and(|reason| reason.len() > limits::CLOSE_REASON_BYTES_MAX) {
        let message = format!("is at most {} bytes", limits::CLOSE_REASON_BYTES_MAX);
        return Err(Failure::invalid("reason", message));
    }
    Ok(DisconnectCall { who, reason, block_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(text: &str) -> Result<DisconnectCall, Failure> {
        disconnect_call(body::parse_object(text.as_bytes(), &[])?)
    }

    #[test]
    fn r_block_1_one_thing_is_named_and_a_reason_fits_a_close() {
        let named = |text: &str| call(text).expect(text).who;
        assert!(matches!(named(r#"{"user":"ann"}"#), Who::User(user) if user.as_str() == "ann"));
        assert!(matches!(named(r#"{"session":"0123456789abcdef"}"#), Who::Session(_)));
        assert!(matches!(named(r#"{"connection":"00000000000001"}"#), Who::Connection(_)));
        let reason = |bytes: usize| format!(r#"{{"user":"a","reason":"{}"}}"#, "\u{e9}".repeat(bytes / 2));
        assert!(call(&reason(122)).is_ok_and(|call| call.reason.is_some_and(|reason| reason.len() == 122)));
        let wrong = [
            ("{}", "user"),
            (r#"{"user":"a","session":"0123456789abcdef"}"#, "session"),
            (r#"{"user":"a","connection":"00000000000001"}"#, "connection"),
            (r#"{"user":""}"#, "user"),
            (r#"{"session":"session-1"}"#, "session"),
            (r#"{"connection":1}"#, "connection"),
            (r#"{"user":"a","reason":1}"#, "reason"),
            (r#"{"user":"a","until":1}"#, "until"),
            (&reason(124), "reason"),
        ];
        for (text, path) in wrong {
            let problem = call(text).expect_err(text).problem();
            assert_eq!((problem.code.as_str(), problem.details[0].path.as_str()), ("invalid_argument", path));
        }
    }

    #[test]
    fn r_block_2_a_block_is_seconds_or_a_duration_of_at_most_a_year() {
        let block = |value: &str| call(&format!(r#"{{"user":"a","block_for":{value}}}"#));
        let rows = [
            ("0", Some(0)),
            ("60", Some(60_000)),
            ("\"10m\"", Some(600_000)),
            ("\"0s\"", Some(0)),
            ("\"250ms\"", Some(250)),
            ("31536000", Some(limits::BLOCK_MAX_MS)),
            ("\"365d\"", Some(limits::BLOCK_MAX_MS)),
            ("null", None),
        ];
        for (value, expected) in rows {
            assert_eq!(block(value).expect(value).block_ms, expected, "{value}");
        }
        for value in ["31536001", "\"366d\"", "-1", "1.5", "\"soon\"", "\"60\"", "[]", "{}", "true", "\"\""] {
            let problem = block(value).expect_err(value).problem();
            assert_eq!((problem.status, problem.details[0].path.as_str()), (400, "block_for"), "{value}");
        }
    }
}
