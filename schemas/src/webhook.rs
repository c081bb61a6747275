//! Webhooks: what a room tells a backend of, and how it is written.

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    ids::{PublicSession, RoomName, Tenant, UserId},
    payload::Payload,
    position::Epoch,
    server_message::{LeaveReason, Publication},
};

/// Events of one POST.
pub const BATCH_EVENTS_MAX: usize = 100;
/// Bytes of the events of one POST, unless one event alone is larger.
pub const BATCH_BYTES_MAX: usize = 256 * 1024;
/// Events that a room keeps until they are delivered.
pub const OUTBOX_EVENTS_MAX: usize = 10_000;
/// Bytes of the events that a room keeps until they are delivered.
pub const OUTBOX_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Endpoints that a deployment may name.
pub const ENDPOINTS_MAX: usize = 8;
/// A receiver that has not answered after so long has not taken it, in milliseconds.
pub const ANSWER_WITHIN_MS: u64 = 10_000;
/// After each failure the next try follows so many milliseconds later; after the last one's the batch is parked.
pub const RETRIES_MS: [u64; 8] = [1_000, 5_000, 30_000, 120_000, 600_000, 3_600_000, 21_600_000, 86_400_000];

/// Where the directory takes what could not be delivered: a POST of [`Parked`] in MessagePack.
pub const PARK_PATH: &str = "/park";

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// The first member came.
    RoomOccupied,
    /// The last member went.
    RoomVacated,
    /// Nobody came for too long: all that the room stored is gone.
    RoomExpired,
    /// A backend deleted the room.
    RoomDeleted,
    /// A membership began.
    MemberJoined,
    /// A membership ended.
    MemberLeft,
    /// Something was added to the log.
    MessagePublished,
    /// A named timer of the room's behavior was done with.
    TimerFired,
    /// Events went undelivered, because too many waited.
    WebhookDropped,
}

impl EventKind {
    pub const ALL: [EventKind; 9] = [
        EventKind::RoomOccupied,
        EventKind::RoomVacated,
        EventKind::RoomExpired,
        EventKind::RoomDeleted,
        EventKind::MemberJoined,
        EventKind::MemberLeft,
        EventKind::MessagePublished,
        EventKind::TimerFired,
        EventKind::WebhookDropped,
    ];

    /// Its `type` in an event.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::RoomOccupied => "room.occupied",
            EventKind::RoomVacated => "room.vacated",
            EventKind::RoomExpired => "room.expired",
            EventKind::RoomDeleted => "room.deleted",
            EventKind::MemberJoined => "member.joined",
            EventKind::MemberLeft => "member.left",
            EventKind::MessagePublished => "message.published",
            EventKind::TimerFired => "timer.fired",
            EventKind::WebhookDropped => "webhook.dropped",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Serialize for EventKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for EventKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        EventKind::parse(&text).ok_or_else(|| {
            let known = EventKind::ALL.map(EventKind::as_str).join(", ");
            de::Error::custom(format!("{text:?} is no event; events are {known}"))
        })
    }
}

/// A selection of events. Written as a list of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventSet(u16);

impl EventSet {
    #[must_use]
    pub fn all() -> EventSet {
        EventKind::ALL.into_iter().collect()
    }

    #[must_use]
    pub fn has(self, kind: EventKind) -> bool {
        self.0 & bit(kind) != 0
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in both.
    #[must_use]
    pub fn and(self, other: EventSet) -> EventSet {
        EventSet(self.0 & other.0)
    }

    #[must_use]
    pub fn with(self, kind: EventKind) -> EventSet {
        EventSet(self.0 | bit(kind))
    }

    #[must_use]
    pub fn without(self, kind: EventKind) -> EventSet {
        EventSet(self.0 & !bit(kind))
    }
}

fn bit(kind: EventKind) -> u16 {
    1 << (kind as u16)
}

impl FromIterator<EventKind> for EventSet {
    fn from_iter<I: IntoIterator<Item = EventKind>>(kinds: I) -> EventSet {
        kinds.into_iter().fold(EventSet::default(), EventSet::with)
    }
}

impl<'de> Deserialize<'de> for EventSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<EventKind>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// One event, as a receiver reads it.
#[derive(Debug, Serialize)]
pub struct Event<'a> {
    /// Never the same for two events; the same each time this one is sent.
    pub id: &'a str,
    #[serde(rename = "type")]
    pub event: EventKind,
    /// When it happened, in milliseconds since 1970.
    pub time: u64,
    pub tenant: &'a Tenant,
    pub room: &'a RoomName,
    /// The room's kind.
    pub kind: &'a str,
    pub epoch: Epoch,
    pub data: &'a EventData<'a>,
}

impl Event<'_> {
    /// As it is kept and sent.
    ///
    /// # Panics
    /// Never: it is plain data.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an event is plain data")
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum EventData<'a> {
    /// Of a room: its name says all.
    Room {},
    Joined {
        user: &'a UserId,
        session: &'a PublicSession,
        #[serde(skip_serializing_if = "Option::is_none")]
        info: Option<&'a Payload>,
    },
    Left {
        user: &'a UserId,
        session: &'a PublicSession,
        reason: Departure,
    },
    Published(&'a Publication),
    TimerFired {
        /// The timer's.
        name: &'a str,
        payload: &'a Payload,
        /// 1 for the first.
        attempt: u32,
    },
    Dropped {
        /// Events that were not delivered to at least one endpoint that should have got them.
        count: u64,
    },
}

/// Why a membership ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Departure {
    Member(LeaveReason),
    Room(RoomGone),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomGone {
    /// The room was deleted.
    RoomDeleted,
}

/// Takes out of a `message.published` event what a removal erases.
#[must_use]
pub fn without_data(event: &str) -> String {
    let Ok(serde_json::Value::Object(mut event)) = serde_json::from_str(event) else {
        return event.to_owned();
    };
    if let Some(serde_json::Value::Object(publication)) = event.get_mut("data") {
        publication.remove("data");
        publication.insert("removed".into(), true.into());
    }
    serde_json::Value::Object(event).to_string()
}

/// A POST's body: `{"events":[…]}`.
#[must_use]
pub fn body(events: &[String]) -> String {
    format!("{{\"events\":[{}]}}", events.join(","))
}

/// What an endpoint did not take, and the directory keeps for people to look at and to replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// The `webhook-id` of every try: parking the same again changes nothing.
    pub id: String,
    /// The endpoint's id in `ROOMCAST_WEBHOOKS`.
    pub endpoint: String,
    pub tenant: Tenant,
    pub room: RoomName,
    /// How many events the body holds.
    pub events: u32,
    /// The POST's body, byte by byte.
    pub body: String,
    pub attempts: u32,
    /// Of the last answer; `None` where there was none.
    pub last_status: Option<u16>,
    /// When it was given up, in milliseconds since 1970.
    pub parked_at: u64,
}
