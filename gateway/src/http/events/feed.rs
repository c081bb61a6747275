//! From a room's frames to server-sent events. Pure.

use std::fmt::Write as _;

use schemas::{
    CloseCode, Epoch, Frame, Offset, Position, ServerMessage,
    codec::{self, ServerDecodeError},
    codes::AfterClose,
    limits::{ACK_BYTES, ACK_FRAMES},
    server_message::{Publication, Welcome},
};
use serde::Serialize;
use serde_json::json;

use crate::{failure::Failure, http::following::Carry};

/// The header that a browser repeats the last event's id in.
pub(super) const LAST_EVENT_ID: &str = "last-event-id";

/// The id of the last event of a stream that is over for good begins so.
const CLOSED: &str = "closed:";

/// Where a reader wants to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// With what is published from now on.
    Live,
    After(Position),
    /// In the epoch that is the room's now.
    AfterOffset(Offset),
    /// Nowhere: it was told that the stream is over for good.
    Over,
}

impl Start {
    /// Reads the header and the parameter; the header wins, since a browser that comes back repeats the parameter.
    ///
    /// # Errors
    /// `invalid_argument` where the one that counts is neither `epoch:offset` nor, as parameter, an offset.
    pub(super) fn read(last_event_id: Option<&str>, after: Option<&str>) -> Result<Start, Failure> {
        if let Some(id) = last_event_id.filter(|id| !id.is_empty()) {
            if id.strip_prefix(CLOSED).is_some_and(|code| code.parse::<u16>().is_ok()) {
                return Ok(Start::Over);
            }
            let position = position(id).map(Start::After);
            return position
                .ok_or_else(|| Failure::invalid(LAST_EVENT_ID, "is the id of an event: epoch:offset"));
        }
        let Some(after) = after else { return Ok(Start::Live) };
        let start = position(after).map(Start::After).or_else(|| offset(after).map(Start::AfterOffset));
        start.ok_or_else(|| Failure::invalid("after", "is epoch:offset, or an offset"))
    }
}

fn position(text: &str) -> Option<Position> {
    let (epoch, offset) = text.split_once(':')?;
    Some(Position { epoch: Epoch::parse(epoch)?, offset: self::offset(offset)? })
}

fn offset(text: &str) -> Option<Offset> {
    let digits = (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().and_then(Offset::new)
}

/// One reader's stream: what its connection to the room hears goes in, events come out as text.
#[derive(Debug)]
pub(super) struct Feed {
    asked_to_recover: bool,
    epoch: Option<Epoch>,
    /// Counts what the room wants acknowledged, where it does.
    acks: Option<Acks>,
}

#[derive(Debug, Default)]
struct Acks {
    frames: u64,
    acknowledged: u64,
    bytes: u64,
}

impl Feed {
    pub(super) fn new(asked_to_recover: bool) -> Feed {
        Feed { asked_to_recover, epoch: None, acks: None }
    }

    fn message(&mut self, message: ServerMessage, events: &mut String) {
        match message {
            ServerMessage::Welcome(welcome) => self.welcome(*welcome, events),
            ServerMessage::Publication(publication) => self.publication(&publication, events),
            ServerMessage::Ephemeral(ephemeral) => events.push_str(&event("ephemeral", None, &ephemeral)),
            ServerMessage::Position { offset } => self.position(offset, events),
            _ => {}
        }
    }

    fn welcome(&mut self, welcome: Welcome, events: &mut String) {
        self.epoch = Some(welcome.epoch);
        self.acks = welcome.limits.ack.then(Acks::default);
        if self.asked_to_recover && !welcome.recovered {
            let gap = json!({ "reason": welcome.reason, "epoch": welcome.epoch, "offset": welcome.offset });
            events.push_str(&event("gap", None, &gap));
        }
        for publication in &welcome.publications {
            self.publication(publication, events);
        }
        self.position(welcome.offset, events);
    }

    fn publication(&self, publication: &Publication, events: &mut String) {
        events.push_str(&event("publication", self.id(publication.offset).as_deref(), publication));
    }

    fn position(&self, offset: Offset, events: &mut String) {
        let data = json!({ "epoch": self.epoch, "offset": offset });
        events.push_str(&event("position", self.id(offset).as_deref(), &data));
    }

    fn id(&self, offset: Offset) -> Option<String> {
        self.epoch.map(|epoch| format!("{epoch}:{offset}"))
    }
}

impl Carry for Feed {
    const PARTING: CloseCode = CloseCode::Normal;

    fn is_welcomed(&self) -> bool {
        self.epoch.is_some()
    }

    /// None for what a reader does not follow.
    fn frame(&mut self, frame: Frame) -> Result<String, ServerDecodeError> {
        let bytes = frame.len() as u64;
        let mut events = String::new();
        for message in codec::decode_server(&frame)? {
            self.message(message, &mut events);
        }
        if let Some(acks) = &mut self.acks {
            acks.frames += 1;
            acks.bytes += bytes;
        }
        Ok(events)
    }

    fn ack(&mut self) -> Option<Frame> {
        let acks = self.acks.as_mut()?;
        if acks.frames - acks.acknowledged < ACK_FRAMES && acks.bytes < ACK_BYTES {
            return None;
        }
        (acks.acknowledged, acks.bytes) = (acks.frames, 0);
        Some(Frame::Text(json!({ "t": "ack", "frames": acks.frames }).to_string()))
    }

    /// Where the room closed for good: its id makes a browser's next try a 204, which ends its tries. A temporary
    /// close has none, and the browser comes back by itself.
    fn closed(code: u16, reason: &str) -> String {
        if AfterClose::of(code) != AfterClose::Stop {
            return String::new();
        }
        event("close", Some(&format!("{CLOSED}{code}")), &json!({ "code": code, "reason": reason }))
    }
}

/// JSON has its line breaks escaped, and payloads lost theirs on entry: data is one line.
pub(crate) fn event<T: Serialize>(name: &str, id: Option<&str>, data: &T) -> String {
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".into());
    let mut text = String::with_capacity(data.len() + 64);
    let _ = writeln!(text, "event: {name}");
    if let Some(id) = id {
        let _ = writeln!(text, "id: {id}");
    }
    let _ = write!(text, "data: {data}\n\n");
    text
}

#[cfg(test)]
mod tests;
