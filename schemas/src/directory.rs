//! What rooms, the gateway and a tenant's directory say to one another: MessagePack between objects.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{RoomName, Tenant, UserId},
    revocation::Revocation,
    server_message::LifecycleState,
};

/// A tenant's directory is so many objects; each room belongs to one of them.
pub const SHARDS: u32 = 8;

/// The shard that a room reports to: FNV-1a of its name.
#[must_use]
pub fn shard_of(room: &RoomName) -> u32 {
    let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    room.as_str().bytes().fold(0x811c_9dc5, mix) % SHARDS
}

/// The shard that keeps what webhook endpoints did not take, of all of a tenant's rooms.
pub const PARKING_SHARD: u32 = 0;

/// The name of a shard's object.
#[must_use]
pub fn shard_name(tenant: &Tenant, shard: u32) -> String {
    format!("{tenant}/{shard}")
}

/// What was counted, by series in Prometheus' notation without prefix and kind: `appends_total`,
/// `rejections_total{code="forbidden"}`. Those at zero are absent.
pub type Counters = BTreeMap<String, u64>;

/// Which memory of a room counted. A room that left memory begins anew, under another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Random.
    pub id: u64,
    /// In milliseconds since 1970.
    pub began_at: u64,
    /// Rises with each report of the run.
    pub sequence: u64,
}

/// Where a room stands, and what it has counted since its run began: a report that comes twice changes nothing, and the
/// next one makes good for one that was lost. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub room: RoomName,
    pub run: Run,
    /// `Fresh`: nothing of it is left.
    pub lifecycle: LifecycleState,
    /// When that state began.
    pub since: u64,
    pub created_at: u64,
    /// When the room will be heard of again at the latest, if all goes well.
    pub next_by: Option<u64>,
    pub members: u32,
    pub users: u32,
    pub connections: u32,
    /// Webhook events that wait to be delivered.
    pub webhook_backlog: u32,
    /// Publications that are kept.
    pub publications: u64,
    /// Bytes of its database.
    pub stored_bytes: u64,
    pub counters: Counters,
}

/// The answer to a [`Report`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// What was revoked while the directory did not know that the room had members: nobody has told it.
    #[serde(default)]
    pub revocations: Vec<Revocation>,
}

/// What the gateway asks of one shard. Each has an answer of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DirectoryCall {
    /// [`Vec<RoomEntry>`](RoomEntry), by name: those whose name begins with `prefix` and is above `after`.
    Rooms { prefix: String, after: Option<String>, limit: u32 },
    /// [`Totals`].
    Totals,
    /// [`Pushed`], once it is stored.
    Revoke(Revocation),
    /// [`Known`]: what is revoked, unless that is known.
    Revocations { known: Option<u64> },
    /// [`Pushed`]: ends the connections of a user in every room.
    Disconnect { user: UserId, reason: Option<String> },
    /// `Vec<(u64, ParkedEntry)>`: what webhook endpoints did not take, in the order in which it came; the number is the
    /// value for `after`.
    ParkedAfter { after: Option<u64>, limit: u32 },
    /// [`Option<Parked>`](crate::webhook::Parked).
    Parked { id: String },
    /// Whether it was there: `bool`.
    Unpark { id: String },
}

/// A parked batch as it is listed: an object of `GET /v1/webhooks/parked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct ParkedEntry {
    /// The `webhook-id` of every try.
    pub id: String,
    pub endpoint: String,
    pub room: RoomName,
    /// How many events it holds.
    pub events: u32,
    pub attempts: u32,
    /// Of the last answer; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_status: Option<u16>,
    /// When it was given up, in milliseconds since 1970.
    pub parked_at: u64,
}

/// The answer of `GET /v1/webhooks/parked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct ParkedPage {
    pub parked: Vec<ParkedEntry>,
    /// The value for `cursor` that goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The answer of `POST /v1/webhooks/parked/{id}/replay`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct ReplayAnswer {
    /// Whether the endpoint took it, and it is parked no longer.
    pub delivered: bool,
    /// The endpoint's answer; absent where there was none within 10 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// A room as it is listed: an object of `GET /v1/rooms`. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct RoomEntry {
    pub room: RoomName,
    pub kind: String,
    pub lifecycle: LifecycleState,
    pub since: u64,
    pub created_at: u64,
    pub members: u32,
    pub users: u32,
    pub connections: u32,
    /// Publications that are kept.
    pub publications: u64,
    /// Bytes of its database.
    pub stored_bytes: u64,
    /// When the room last told.
    pub reported_at: u64,
}

/// The answer of `GET /v1/rooms`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct RoomsPage {
    pub rooms: Vec<RoomEntry>,
    /// The value for `cursor` that goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Of each kind, what is and what was counted, by series as in [`Counters`]. Gauges (`rooms{state="idle"}`, `members`)
/// stand among them.
pub type Totals = BTreeMap<String, BTreeMap<String, i64>>;

/// Revocations at a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Another number: something was revoked.
    pub version: u64,
    /// `None` where the asker knows this version.
    pub revocations: Option<Vec<Revocation>>,
}

/// How far a push came while its caller waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pushed {
    /// Connections that were closed.
    pub closed: u64,
    /// Whether every room was reached; otherwise the rest follows.
    pub complete: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_dir_1_the_shard_of_a_room_stays() {
        // Another answer would lose every room that is known.
        let rows = [("chat:a", 6), ("chat:lobby", 1), ("game:42", 1), ("user:ann", 3)];
        let found = rows.map(|(name, _)| (name, shard_of(&RoomName::parse(name).expect("a name"))));
        assert_eq!(found, rows);
    }

    #[test]
    fn r_dir_1_rooms_spread_over_the_shards() {
        let mut counts = [0_u32; SHARDS as usize];
        for number in 0..8_000 {
            let room = RoomName::parse(&format!("chat:room-{number}")).expect("a name");
            counts[shard_of(&room) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }
}
