//! A core's outputs as one block of bytes.
//!
//! ```text
//! u32 length of the JSON text, little endian · the text · for each byte string: u32 length, bytes
//! { "wrong": sentence } | { "epoch": …, "offset": … } (where the client got to) | { "at": ms, "turn": bool, "do": [ {"t": "fetch" | "open" | "send" | "close" | <event>, …} ] }
//! ```
//! `wrong` says which argument was not of its shape, and that nothing was done. `at` is absent where nothing is awaited; `turn` says that it is the end of the turn. Field names are those of
//! the wire wherever the wire has them, so that the generated TypeScript types fit.

use alloc::{string::String, vec::Vec};

use client_core::{Deadline, Due, Event, Me, Outcome, Output, Outputs, Status, Transport};
use schemas::{
    Frame, Payload, Position,
    server_message::{
        Amended, Author, Edited, HistoryPage, Left, Member, NoticeCode, Occupancy, Publication, Published,
        Reaction, RecoveryFailure, RequestError, RequestResult, StateChange, StateVersion, StateWrite,
    },
};

use crate::json::Writer;

pub(crate) fn pack(outputs: Outputs, deadline: Option<Deadline>) -> Vec<u8> {
    let mut json = Writer::new();
    json.open('{');
    if let Some(Deadline { at_ms, due }) = deadline {
        json.number("at", at_ms);
        json.truth("turn", due == Due::TurnEnd);
    }
    json.list("do", outputs, output);
    json.close('}');
    block(json)
}

pub(crate) fn wrong(sentence: &str) -> Vec<u8> {
    let mut json = Writer::new();
    json.open('{');
    json.text("wrong", sentence);
    json.close('}');
    block(json)
}

pub(crate) fn position(position: Option<Position>) -> Vec<u8> {
    let mut json = Writer::new();
    json.open('{');
    if let Some(Position { epoch, offset }) = position {
        json.text("epoch", &epoch.hex());
        json.number("offset", offset.value());
    }
    json.close('}');
    block(json)
}

fn block(json: Writer) -> Vec<u8> {
    let (text, blobs) = json.finish();
    let mut block =
        Vec::with_capacity(4 + text.len() + blobs.iter().map(|blob| 4 + blob.len()).sum::<usize>());
    for part in core::iter::once(text.as_bytes()).chain(blobs.iter().map(Vec::as_slice)) {
        block.extend_from_slice(&(part.len() as u32).to_le_bytes());
        block.extend_from_slice(part);
    }
    block
}

fn output(json: &mut Writer, output: Output) {
    json.open('{');
    match output {
        Output::FetchToken { attempt } => {
            json.text("t", "fetch");
            json.number("attempt", attempt.0.into());
        }
        Output::OpenSocket { attempt, token, transport } => {
            json.text("t", "open");
            json.number("attempt", attempt.0.into());
            if let Some(token) = token {
                json.text("token", &token);
            }
            json.truth("http", transport == Transport::Http);
        }
        Output::Send { attempt, frame } => {
            json.text("t", "send");
            json.number("attempt", attempt.0.into());
            match frame {
                Frame::Text(text) => json.text("text", &text),
                Frame::Binary(bytes) => json.blob("frame", bytes),
            }
        }
        Output::CloseSocket { attempt, code } => {
            json.text("t", "close");
            json.number("attempt", attempt.0.into());
            json.number("code", code.code().into());
            json.text("reason", code.reason());
        }
        Output::Emit(emitted) => event(json, emitted),
    }
    json.close('}');
}

fn event(json: &mut Writer, event: Event) {
    match event {
        Event::StatusChanged(status) => {
            json.text("t", "status");
            json.text("status", status.as_str());
            if let Status::Failed(failure) = status {
                json.number("code", failure.code.into());
                json.text("reason", &failure.reason);
            }
        }
        Event::Welcomed(welcomed) => {
            json.text("t", "welcome");
            me(json, &welcomed);
        }
        Event::Gap { reason } => {
            json.text("t", "gap");
            json.text("reason", recovery_failure(reason));
        }
        Event::Published(published) => {
            json.text("t", "publication");
            json.key("message");
            publication(json, published);
        }
        Event::Fanned(ephemeral) => {
            json.text("t", "publication");
            json.key("message");
            json.open('{');
            let data = Some(ephemeral.data);
            message(json, ephemeral.time, ephemeral.from, &ephemeral.kind, data, &ephemeral.tags);
            json.close('}');
        }
        Event::PresenceChanged(diff) => {
            json.text("t", "presence");
            json.list("joined", diff.joined, member);
            json.list("left", diff.left, left);
            json.list("updated", diff.updated, member);
        }
        Event::OccupancyChanged(Occupancy { members, users }) => {
            json.text("t", "occupancy");
            json.number("members", members.into());
            json.number("users", users.into());
        }
        Event::StateChanged(StateChange { version, ops }) => {
            json.text("t", "state");
            json.number("version", version);
            json.list("ops", ops, state_write);
        }
        Event::Settled { call, outcome } => {
            json.text("t", "settled");
            json.number("call", call.0.into());
            settled(json, outcome);
        }
        Event::Returned { call, value, more } => {
            json.text("t", "returned");
            json.number("call", call.0.into());
            json.payload("value", value);
            json.truth("more", more);
        }
        other => notice(json, other),
    }
}

/// What is told as a notice.
fn notice(json: &mut Writer, event: Event) {
    json.text("t", "notice");
    match event {
        Event::Expiring { expires_at } => {
            json.text("code", "expiring");
            json.number("expires_at", expires_at);
        }
        Event::Noticed { code, message } => {
            json.text("code", notice_code(code));
            json.text("message", &message);
        }
        Event::Refused(refusal) => {
            json.text("code", refusal.code.as_str());
            json.text("message", &refusal.message);
        }
        _ => {}
    }
}

fn me(json: &mut Writer, me: &Me) {
    json.text("connection", &me.connection.hex());
    json.text("session", me.session.as_str());
    json.text("user", me.user.as_str());
    json.list("tags", &me.tags, |json, tag| json.string(tag));
    if let Some(expires_at) = me.expires_at {
        json.number("expires_at", expires_at);
    }
}

fn settled(json: &mut Writer, outcome: Outcome) {
    match outcome {
        Outcome::Acknowledged(outcome) => {
            json.key("result");
            json.open('{');
            result(json, outcome);
            json.close('}');
        }
        Outcome::Rejected(error) => {
            json.text("outcome", "rejected");
            request_error(json, error);
        }
        Outcome::Unknown(error) => {
            json.text("outcome", "unknown");
            request_error(json, error);
        }
    }
}

fn result(json: &mut Writer, result: RequestResult) {
    match result {
        RequestResult::Published(Published { epoch, offset, duplicate }) => {
            json.text("epoch", &epoch.hex());
            json.number("offset", offset.value());
            json.truth("duplicate", duplicate);
        }
        RequestResult::History(HistoryPage { epoch, messages, next }) => {
            json.text("epoch", &epoch.hex());
            json.list("messages", messages, publication);
            if let Some(next) = next {
                json.number("next", next.value());
            }
        }
        RequestResult::Amended(Amended { offset }) => json.number("offset", offset.value()),
        RequestResult::State(StateVersion { version }) => json.number("version", version),
        RequestResult::Tags(subscribed) => {
            json.list("tags", &subscribed.tags, |json, tag| json.string(tag));
            json.number("offset", subscribed.offset.value());
        }
        // Not the results of anything that can be asked for through this face.
        RequestResult::Members(_)
        | RequestResult::Room(_)
        | RequestResult::StateSnapshot(_)
        | RequestResult::Refreshed(_)
        | RequestResult::Closed(_)
        | RequestResult::Batch(_)
        | RequestResult::Called(_)
        | RequestResult::Done {} => {}
    }
}

fn request_error(json: &mut Writer, error: RequestError) {
    json.text("code", error.code.as_str());
    json.text("message", &error.message);
    json.truth("retryable", error.retryable);
    if let Some(milliseconds) = error.retry_after_ms {
        json.number("retry_after_ms", milliseconds);
    }
    json.list("details", &error.details, |json, detail| {
        json.open('{');
        json.text("path", &detail.path);
        json.text("message", &detail.message);
        json.close('}');
    });
    if let Some(data) = error.data {
        json.payload("data", data);
    }
}

fn publication(json: &mut Writer, publication: Publication) {
    json.open('{');
    json.number("offset", publication.offset.value());
    message(json, publication.time, publication.from, &publication.kind, publication.data, &publication.tags);
    if let Some(refers) = publication.refers {
        json.number("ref", refers.value());
    }
    if publication.removed {
        json.truth("removed", true);
    }
    if let Some(Edited { offset, time }) = publication.edited {
        json.key("edited");
        json.open('{');
        json.number("offset", offset.value());
        json.number("time", time);
        json.close('}');
    }
    if !publication.reactions.is_empty() {
        json.key("reactions");
        json.open('{');
        for (name, Reaction { count, users }) in &publication.reactions {
            json.name(name);
            json.open('{');
            json.number("count", (*count).into());
            json.list("users", users, |json, user| json.string(user.as_str()));
            json.close('}');
        }
        json.close('}');
    }
    json.close('}');
}

fn state_write(json: &mut Writer, write: StateWrite) {
    json.open('{');
    match write {
        StateWrite::Set { key, value, version, owner } => {
            json.text("set", &key);
            json.payload("value", value);
            json.number("version", version);
            if let Some(owner) = owner {
                json.text("owner", owner.as_str());
            }
        }
        StateWrite::Delete { key } => json.text("delete", &key),
    }
    json.close('}');
}

fn message(
    json: &mut Writer,
    time: u64,
    from: Option<Author>,
    kind: &str,
    data: Option<Payload>,
    tags: &[String],
) {
    json.number("time", time);
    if let Some(author) = from {
        json.key("from");
        json.open('{');
        json.text("user", author.user.as_str());
        if let Some(session) = author.session {
            json.text("session", session.as_str());
        }
        if let Some(info) = author.info {
            json.payload("info", info);
        }
        json.close('}');
    }
    json.text("type", kind);
    if let Some(data) = data {
        json.payload("data", data);
    }
    json.list("tags", tags, |json, tag| json.string(tag));
}

fn member(json: &mut Writer, member: Member) {
    json.open('{');
    json.text("session", member.session.as_str());
    json.text("user", member.user.as_str());
    if let Some(info) = member.info {
        json.payload("info", info);
    }
    if let Some(data) = member.data {
        json.payload("data", data);
    }
    json.number("since", member.since);
    json.close('}');
}

fn left(json: &mut Writer, left: Left) {
    json.open('{');
    json.text("session", left.session.as_str());
    json.text("user", left.user.as_str());
    json.text("reason", leave_reason(left.reason));
    json.close('}');
}

fn recovery_failure(reason: RecoveryFailure) -> &'static str {
    match reason {
        RecoveryFailure::TooFarBehind => "too_far_behind",
        RecoveryFailure::Trimmed => "trimmed",
        RecoveryFailure::EpochChanged => "epoch_changed",
        RecoveryFailure::Ahead => "ahead",
        RecoveryFailure::Forbidden => "forbidden",
        RecoveryFailure::NoLog => "no_log",
    }
}

fn leave_reason(reason: schemas::server_message::LeaveReason) -> &'static str {
    match reason {
        schemas::server_message::LeaveReason::Left => "left",
        schemas::server_message::LeaveReason::Lost => "lost",
    }
}

fn notice_code(code: NoticeCode) -> &'static str {
    match code {
        NoticeCode::Restarted => "restarted",
        NoticeCode::EphemeralsDropped => "ephemerals_dropped",
    }
}
