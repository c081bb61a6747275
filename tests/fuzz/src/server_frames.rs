//! What a server sends, as `schemas` and as the client's own decoder read it.

use client_core::{Event, Input, Output, Status};
use schemas::{Codec, Frame, ServerMessage, codec};

use crate::client::{Joined, joined};

/// Any bytes as a frame, of both codecs. What is read is what its encoding reads as, and the client, which has a
/// decoder of its own, reads it too and tells the same.
pub fn server_frames(bytes: &[u8]) {
    let mut frames = vec![Frame::Binary(bytes.to_vec())];
    frames.extend(str::from_utf8(bytes).ok().map(|text| Frame::Text(text.to_owned())));
    for frame in frames {
        let Ok(messages) = codec::decode_server(&frame) else { continue };
        // A frame of nothing but messages unknown to this version.
        if messages.is_empty() {
            continue;
        }
        let codec = if matches!(frame, Frame::Text(_)) { Codec::Json } else { Codec::Msgpack };
        assert_eq!(codec::decode_server(&encoded(codec, &messages)), Ok(messages.clone()));
        let told = codec::decode_server(&encoded(Codec::Json, &messages)).expect("can be read as JSON");
        assert_eq!(codec::decode_server(&encoded(Codec::Msgpack, &told)), Ok(told));
        check_client(&messages);
    }
    let Joined { mut client, attempt } = joined();
    drop(client.handle(1, Input::FrameReceived { attempt, frame: Frame::Binary(bytes.to_vec()) }));
}

fn encoded(codec: Codec, messages: &[ServerMessage]) -> Frame {
    let fragments: Vec<Vec<u8>> = messages.iter().map(|message| codec::encode(codec, message)).collect();
    codec::join(codec, fragments.iter().map(Vec::as_slice))
}

fn check_client(messages: &[ServerMessage]) {
    let Joined { mut client, attempt } = joined();
    let frame = encoded(Codec::Msgpack, messages);
    let outputs = client.handle(1, Input::FrameReceived { attempt, frame });
    assert_eq!(client.status(), Status::Connected, "the client cannot read what schemas can: {messages:?}");
    let told: Vec<Event> = outputs.into_iter().filter_map(plain_event).collect();
    assert_eq!(told, expected(messages));
}

/// The events that are a message and nothing else.
fn plain_event(output: Output) -> Option<Event> {
    let Output::Emit(event) = output else { return None };
    match event {
        Event::Published(_)
        | Event::Fanned(_)
        | Event::OccupancyChanged(_)
        | Event::Expiring { .. }
        | Event::Noticed { .. }
        | Event::Refused(_) => Some(event),
        _ => None,
    }
}

fn expected(messages: &[ServerMessage]) -> Vec<Event> {
    let mut position = schemas::Offset::ZERO;
    let mut events = Vec::new();
    for message in messages.iter().cloned() {
        match message {
            ServerMessage::Publication(publication) if publication.offset > position => {
                position = publication.offset;
                events.push(Event::Published(publication));
            }
            ServerMessage::Position { offset } => position = position.max(offset),
            ServerMessage::Ephemeral(ephemeral) => events.push(Event::Fanned(ephemeral)),
            ServerMessage::Occupancy(occupancy) => events.push(Event::OccupancyChanged(occupancy)),
            ServerMessage::Expiring { expires_at } => events.push(Event::Expiring { expires_at }),
            ServerMessage::Notice { code, message } => events.push(Event::Noticed { code, message }),
            ServerMessage::Error(error) if error.id.is_none() => events.push(Event::Refused(error)),
            _ => {}
        }
    }
    events
}
