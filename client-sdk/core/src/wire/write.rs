//! What a client writes.

use alloc::{string::String, vec::Vec};

use schemas::{
    ClientMessage, Payload,
    client_message::{Hello, Publish, StateOp, To},
};

use crate::msgpack::MapWriter;

/// One message as a fragment of a frame.
pub(crate) fn encode(message: &ClientMessage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut map = MapWriter::new(&mut bytes);
    match message {
        ClientMessage::Hello(hello) => write_hello(&mut map, hello),
        ClientMessage::Publish(publish) => write_publish(&mut map, publish),
        ClientMessage::Presence { id, data } => {
            begin(&mut map, "presence", *id);
            write_payload(&mut map, "data", data);
        }
        ClientMessage::Subscribe { id, tags } => write_tags(&mut map, "subscribe", *id, tags),
        ClientMessage::Unsubscribe { id, tags } => write_tags(&mut map, "unsubscribe", *id, tags),
        ClientMessage::History(history) => {
            begin(&mut map, "history", history.id);
            if let Some(before) = history.before {
                map.number("before", before.value());
            }
            if let Some(after) = history.after {
                map.number("after", after.value());
            }
            map.number("limit", history.limit.into());
            map.texts("tags", &history.tags, String::clone);
        }
        ClientMessage::Members(members) => {
            begin(&mut map, "members", members.id);
            if let Some(cursor) = &members.cursor {
                map.text("cursor", cursor);
            }
            map.number("limit", members.limit.into());
        }
        ClientMessage::Edit { id, offset, data } => {
            begin(&mut map, "edit", *id);
            map.number("offset", offset.value());
            write_payload(&mut map, "data", data);
        }
        ClientMessage::Remove { id, offset } => {
            begin(&mut map, "remove", *id);
            map.number("offset", offset.value());
        }
        ClientMessage::React { id, offset, name, on } => {
            begin(&mut map, "react", *id);
            map.number("offset", offset.value());
            map.text("name", name);
            map.truth("on", *on);
        }
        ClientMessage::State { id, ops } => {
            begin(&mut map, "state", *id);
            map.maps("ops", ops, write_op);
        }
        ClientMessage::Call { id, method, args } => {
            begin(&mut map, "call", *id);
            map.text("method", method);
            write_payload(&mut map, "args", args);
        }
        ClientMessage::Cancel { id } => begin(&mut map, "cancel", *id),
        ClientMessage::Auth { id, token } => {
            begin(&mut map, "auth", *id);
            map.text("token", &token.0);
        }
        ClientMessage::Ack { frames } => {
            map.text("t", "ack");
            map.number("frames", *frames);
        }
        ClientMessage::Leave { id } => begin(&mut map, "leave", *id),
    }
    bytes
}

fn begin(map: &mut MapWriter<'_>, t: &str, id: u32) {
    map.text("t", t);
    map.number("id", id.into());
}

fn write_hello(map: &mut MapWriter<'_>, hello: &Hello) {
    map.text("t", "hello");
    map.text("session", hello.session.as_str());
    if let Some(position) = hello.recover {
        let mut recover = map.map("recover");
        recover.text("epoch", &position.epoch.hex());
        recover.number("offset", position.offset.value());
    }
    if let Some(rewind) = hello.rewind {
        map.number("rewind", rewind.into());
    }
    map.texts("tags", &hello.tags, String::clone);
    if let Some(presence) = &hello.presence {
        write_payload(map, "presence", presence);
    }
    map.truth("members", hello.members);
}

fn write_publish(map: &mut MapWriter<'_>, publish: &Publish) {
    map.text("t", "publish");
    if let Some(id) = publish.id {
        map.number("id", id.into());
    }
    write_payload(map, "data", &publish.data);
    map.texts("tags", &publish.tags, String::clone);
    if let Some(To { users, sessions, connections }) = &publish.to {
        let mut to = map.map("to");
        to.texts("users", users, |user| user.as_str().into());
        to.texts("sessions", sessions, |session| session.as_str().into());
        to.texts("connections", connections, |connection| connection.hex());
    }
    if publish.ephemeral {
        map.truth("ephemeral", true);
    }
    if !publish.echo {
        map.truth("echo", false);
    }
    if let Some(kind) = &publish.kind {
        map.text("type", kind);
    }
    if let Some(key) = &publish.key {
        map.text("key", key);
    }
    if let Some(conflate) = &publish.conflate {
        map.text("conflate", conflate);
    }
}

fn write_op(map: &mut MapWriter<'_>, op: &StateOp) {
    match op {
        StateOp::Set { key, value, owned, .. } => {
            map.text("set", key);
            write_payload(map, "value", value);
            if *owned {
                map.truth("owned", true);
            }
        }
        StateOp::Delete { key, .. } => map.text("delete", key),
    }
    if let Some(expected) = op.expected() {
        map.number("if", expected);
    }
}

fn write_tags(map: &mut MapWriter<'_>, t: &str, id: u32, tags: &[String]) {
    begin(map, t, id);
    map.texts("tags", tags, String::clone);
}

fn write_payload(map: &mut MapWriter<'_>, key: &str, payload: &Payload) {
    match payload {
        Payload::Json(text) => map.text(key, text.as_str()),
        Payload::Bytes(bytes) => map.bytes(key, bytes),
    }
}
