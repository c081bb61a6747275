//! Every bound of the protocol that is not a kind's to choose, and the defaults of those that are.
//! What happens at each is a rule in docs/PROTOCOL.md.

/// One WebSocket message, after inflation. Above it the shim closes 1009 ahead of Wasm.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024 + 64 * 1024;
/// One payload by default; a kind may choose up to [`PAYLOAD_BYTES_HARD`].
pub const PAYLOAD_BYTES_DEFAULT: usize = 64 * 1024;
pub const PAYLOAD_BYTES_HARD: usize = 1024 * 1024;
/// Nesting of a payload.
pub const PAYLOAD_DEPTH_MAX: usize = 64;
/// A member's small state.
pub const PRESENCE_BYTES_MAX: usize = 2 * 1024;
/// A token's `info`.
pub const INFO_BYTES_MAX: usize = 1024;
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// A token's `jti`.
pub const JTI_BYTES_MAX: usize = 256;
/// Revocations that a tenant has at a time; beyond it those that end first are forgotten.
pub const REVOCATIONS_MAX: usize = 10_000;
/// A revocation lasts at most so long, in seconds.
pub const REVOCATION_TTL_SECONDS_MAX: u64 = 366 * 24 * 60 * 60;
/// How far the clocks of a token's issuer and ours may differ.
pub const TOKEN_LEEWAY_MS: u64 = 30_000;

pub const TAG_BYTES_MAX: usize = 64;
pub const TAGS_TOKEN_MAX: usize = 8;
pub const TAGS_SUBSCRIBED_MAX: usize = 32;
pub const TAGS_PUBLICATION_MAX: usize = 8;
/// Users, sessions and connections that one `to` may name, together.
pub const TO_MAX: usize = 100;
/// A publication's application type, in bytes.
pub const TYPE_BYTES_MAX: usize = 64;

/// A page of history, and a rewind.
pub const HISTORY_PAGE_MAX: u32 = 200;
pub const HISTORY_PAGE_DEFAULT: u32 = 50;
/// A page of members, and the list in a welcome.
pub const MEMBERS_PAGE_MAX: u32 = 500;
pub const MEMBERS_PAGE_DEFAULT: u32 = 100;

/// What one recovery may bring; more is `too_far_behind`.
pub const RECOVERY_PUBLICATIONS_MAX: usize = 1_000;
pub const RECOVERY_BYTES_MAX: usize = 1024 * 1024;

pub const CONNECTIONS_DEFAULT: u32 = 32_000;
pub const CONNECTIONS_HARD: u32 = 32_000;
pub const CONNECTIONS_USER_DEFAULT: u32 = 20;
/// Presence lists up to so many members; above it a room tells occupancy only.
pub const PRESENCE_FULL_DEFAULT: u32 = 1_000;
/// Occupancy is told at most so often, in milliseconds.
pub const OCCUPANCY_INTERVAL_MS: u64 = 1_000;

pub const LOG_COUNT_DEFAULT: u64 = 10_000;
pub const LOG_AGE_DEFAULT_MS: u64 = 7 * 24 * 60 * 60 * 1000;
pub const LOG_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;
pub const GRACE_DEFAULT_MS: u64 = 10_000;

/// A connection says hello within so long of its upgrade, or is closed 3500.
pub const HELLO_WITHIN_MS: u64 = 10_000;
/// Malformed messages within [`BAD_REQUEST_WINDOW_MS`], the last of which closes 3500.
pub const BAD_REQUESTS_MAX: u32 = 10;
pub const BAD_REQUEST_WINDOW_MS: u64 = 60_000;
/// A connection that nothing was heard of for so long, pings included, is dead.
pub const HEARTBEAT_DEAD_MS: u64 = 90_000;
/// The ghost sweep looks at most once in so long.
pub const SWEEP_INTERVAL_MS: u64 = 60_000;
/// A client pings when it has sent nothing for so long.
pub const PING_AFTER_MS: u64 = 25_000;
/// A ping unanswered, and nothing else received, for so long: dead.
pub const PONG_WITHIN_MS: u64 = 10_000;
/// A request unanswered for so long has an unknown outcome.
pub const REQUEST_TIMEOUT_MS: u64 = 10_000;
/// The server warns so long before a token expires.
pub const EXPIRING_BEFORE_MS: u64 = 60_000;
/// Expiry deadlines are rounded up to slots of so long.
pub const EXPIRY_SLOT_MS: u64 = 30_000;
/// A connection so many offsets behind the head gets `position` with its next batch.
pub const POSITION_WITH_BATCH: u64 = 256;
/// A connection that so many publications were withheld from gets `position` alone.
pub const POSITION_ALONE: u64 = 1_000;

/// A publish's `key`, in bytes.
pub const KEY_BYTES_MAX: usize = 128;
/// How long a key is remembered, by default.
pub const KEY_WINDOW_DEFAULT_MS: u64 = 5 * 60 * 1000;
pub const KEY_WINDOW_HARD_MS: u64 = 24 * 60 * 60 * 1000;
/// Keys that a room remembers; beyond it the oldest are forgotten.
pub const KEYS_MAX: u64 = 100_000;
/// An ephemeral's `conflate`, in bytes.
pub const CONFLATE_BYTES_MAX: usize = 64;
/// A reaction's name, in bytes.
pub const REACTION_BYTES_MAX: usize = 32;
/// Different reactions to one publication.
pub const REACTIONS_MAX: usize = 64;
/// Users listed with a reaction.
pub const REACTION_USERS_MAX: u32 = 20;

pub const STATE_KEY_BYTES_MAX: usize = 128;
pub const STATE_VALUE_BYTES_MAX: usize = 16 * 1024;
/// Keys of a room's shared state.
pub const STATE_KEYS_MAX: usize = 1_000;
/// Keys and values of a room's shared state, together.
pub const STATE_BYTES_MAX: usize = 1024 * 1024;
/// Operations in one request.
pub const STATE_OPS_MAX: usize = 100;

/// Publishes (edits, removals and reactions among them) a second and connection, and the burst.
pub const PUBLISH_RATE_DEFAULT: (u32, u32) = (50, 100);
/// Other requests a second and connection, and the burst.
pub const REQUEST_RATE_DEFAULT: (u32, u32) = (20, 40);
/// Connections and calls a second of one user, and of one address, and the burst.
pub const CALLER_RATE_DEFAULT: (u32, u32) = (100, 500);
/// A room is put to sleep after so long without an event.
pub const SLEEPS_AFTER_MS: u64 = 10_000;
/// Refusals for their rate within [`RATE_REFUSALS_WINDOW_MS`], the last of which closes 3509.
pub const RATE_REFUSALS_MAX: u32 = 100;
pub const RATE_REFUSALS_WINDOW_MS: u64 = 10_000;

/// A connection with so many unsent bytes gets no ephemerals.
pub const UNSENT_DROP_BYTES: u64 = 1024 * 1024;
/// One with so many is closed 3003.
pub const UNSENT_CLOSE_BYTES: u64 = 4 * 1024 * 1024;
/// Where acks are asked for, one is sent after so many frames, or so many bytes.
pub const ACK_FRAMES: u64 = 64;
pub const ACK_BYTES: u64 = 256 * 1024;

/// A vacant room that nothing touched for so long is idle, by default; and goes after so long.
pub const IDLE_AFTER_DEFAULT_MS: u64 = 60 * 60 * 1000;
pub const EXPIRE_AFTER_DEFAULT_MS: u64 = 90 * 24 * 60 * 60 * 1000;

/// Messages of one `POST /v1/publish`, and its body's bytes.
pub const BATCH_MAX: usize = 100;
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A close's reason, as RFC 6455 bounds it.
pub const CLOSE_REASON_BYTES_MAX: usize = 123;
/// The longest block.
pub const BLOCK_MAX_MS: u64 = 365 * 24 * 60 * 60 * 1000;
/// Blocked users that a room remembers; beyond it the block that ends first goes.
pub const BLOCKS_MAX: usize = 10_000;
/// Tokens refused on one connection within [`BAD_REQUEST_WINDOW_MS`], the last of which closes 3501.
pub const REFRESHES_REFUSED_MAX: u32 = 10;
