//! `POST /v1/rooms/{room}/stream`: the WebSocket protocol for a client that can open none. What the room says comes as
//! server-sent events, what the client says as further requests.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemas::{
    CloseCode, ConnectionId, Frame, ServerMessage,
    codec::{self, ServerDecodeError},
    http::{RoomCall, StreamBody},
    limits::FRAME_BYTES_MAX,
};
use serde_json::json;
use worker::Response;

use super::{
    events::event,
    following::{self, Carry},
};
use crate::{access::Connection, body, exchange::Exchange, failure::Failure};

/// A frame in base64, and the words around it.
const BODY_BYTES_MAX: usize = FRAME_BYTES_MAX / 3 * 4 + 1024;

pub(crate) async fn answer(exchange: &mut Exchange<'_>, room: &str) -> Result<Response, Failure> {
    let admitted = exchange.admit(room).await?;
    let body: StreamBody = body::parse_object(&exchange.body(BODY_BYTES_MAX).await?, &[])?;
    let frame = STANDARD.decode(&body.frame).map_err(|_| Failure::invalid("frame", "is base64"))?;
    match (body.connection, body.session) {
        (Some(connection), Some(session)) => {
            let Connection { room, tenant, claims, .. } = admitted;
            let call = RoomCall::Say { connection, session, user: claims.user, frame };
            exchange.ask(&room, &tenant, &call).await
        }
        (None, None) => {
            exchange.spend_of_connection(&admitted).await?;
            following::follow(exchange, &admitted, &Frame::Binary(frame), Carried::default()).await
        }
        (None, Some(_)) => Err(Failure::invalid("connection", "is missing")),
        (Some(_), None) => Err(Failure::invalid("session", "is missing")),
    }
}

/// `event: open {connection}` once the room has said welcome, `event: frame` for each frame in base64, `event: close
/// {code, reason}` at the end.
#[derive(Debug, Default)]
struct Carried {
    is_welcomed: bool,
}

impl Carry for Carried {
    /// A client that says nothing of leaving comes back: its membership has its grace.
    const PARTING: CloseCode = CloseCode::GoingAway;

    fn is_welcomed(&self) -> bool {
        self.is_welcomed
    }

    fn frame(&mut self, frame: Frame) -> Result<String, ServerDecodeError> {
        let mut events = String::new();
        if !self.is_welcomed {
            let connection = codec::decode_server(&frame)?.into_iter().find_map(welcomed);
            if let Some(connection) = connection {
                self.is_welcomed = true;
                events += &event("open", None, &json!({ "connection": connection }));
            }
        }
        if let Frame::Binary(bytes) = frame {
            events += &event("frame", None, &STANDARD.encode(bytes));
        }
        Ok(events)
    }

    /// The client counts what it was given, and says so itself.
    fn ack(&mut self) -> Option<Frame> {
        None
    }

    fn closed(code: u16, reason: &str) -> String {
        event("close", None, &json!({ "code": code, "reason": reason }))
    }
}

fn welcomed(message: ServerMessage) -> Option<ConnectionId> {
    match message {
        ServerMessage::Welcome(welcome) => Some(welcome.connection),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_stream_2_a_close_is_the_last_event_whatever_its_code() {
        let temporary = Carried::closed(3003, "slow_consumer");
        assert_eq!(temporary, "event: close\ndata: {\"code\":3003,\"reason\":\"slow_consumer\"}\n\n");
        assert!(Carried::closed(3510, "room_deleted").contains("3510"));
    }

    #[test]
    fn r_stream_2_a_frame_is_carried_as_it_is() {
        let mut carried = Carried { is_welcomed: true };
        let events = carried.frame(Frame::Binary(vec![0, 255])).expect("it is not looked at");
        assert_eq!(events, "event: frame\ndata: \"AP8=\"\n\n");
        let mut fresh = Carried::default();
        assert!(fresh.frame(Frame::Binary(vec![0xc1])).is_err(), "before the welcome it is");
        assert!(!fresh.is_welcomed());
    }
}
