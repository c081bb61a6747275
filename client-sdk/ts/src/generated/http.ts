// Written by `cargo xtask codegen` from the crate `schemas`. Do not edit.

import type { ConnectionId, Detail, Epoch, Occupancy, Offset, PublicSession, Published, RoomName, To, UserId } from "./wire.js";

/** One thing that a token may allow in a room. */
export type Capability = "join" | "publish" | "presence" | "history" | "state" | "call" | "edit-own" | "edit-any" | "moderate";

/** What a webhook may tell of. */
export type WebhookEventType = "room.occupied" | "room.vacated" | "room.expired" | "room.deleted" | "member.joined" | "member.left" | "message.published" | "timer.fired" | "webhook.dropped";

/**
 * Isolates everything: 1 to 64 of `[a-z0-9-]`.
 */
export type Tenant = string;

/**
 * In whose name a backend publishes.
 */
export type FromBody = { user: UserId, info?: unknown, };

/**
 * The body of `POST /v1/rooms/{room}/publish`.
 */
export type PublishBody = { data: unknown, type?: string, tags?: Array<string>, to?: To, ephemeral?: boolean, 
/**
 * As the header `Idempotency-Key`.
 */
key?: string, 
/**
 * In whose name a backend publishes; absent: no `from`.
 */
from?: FromBody, };

/**
 * RFC 9457 `application/problem+json`, with the code of [`ErrorCode`] or of the refusal.
 */
export type Problem = { type: string, title: string, status: number, code: string, details?: Array<Detail>, retry_after_ms?: number, 
/**
 * The error of a method as its behavior declares it.
 */
data?: unknown, };

/**
 * What became of one message of a batch.
 */
export type BatchResult = { error: Problem, } | Published | Record<symbol, never>;

/**
 * What `POST /v1/publish` answers.
 */
export type BatchAnswer = { 
/**
 * One for each message, in their order.
 */
results: Array<BatchResult>, };

/**
 * The body of `POST /v1/rooms/{room}/disconnect`: exactly one of `user`, `session` and `connection`.
 */
export type DisconnectBody = { user?: UserId, 
/**
 * The public one, as others see it.
 */
session?: PublicSession, connection?: ConnectionId, 
/**
 * What the client reads beside the close code: at most 123 bytes.
 */
reason?: string, 
/**
 * Seconds, or a duration such as `"10m"`; at most 365 days. 0 ends a block. In milliseconds here.
 */
block_for?: number | string, };

/**
 * The body of `POST /v1/tokens`.
 */
export type TokenBody = { sub: UserId, rooms: { [pattern in string]: Array<Capability | "*"> }, 
/**
 * Seconds, at most 24 h.
 */
ttl: number, info?: unknown, tags?: Array<string>, };

/**
 * A signed token.
 */
export type TokenAnswer = { token: string, 
/**
 * Milliseconds since 1970.
 */
expires_at: number, };

/**
 * The answer of `POST /v1/revocations`.
 */
export type RevocationAnswer = { 
/**
 * When the revocation ends, in milliseconds since 1970.
 */
until: number, 
/**
 * Live connections that were closed while this was answered.
 */
closed: number, 
/**
 * Whether every occupied room was reached; otherwise the rest follows.
 */
complete: boolean, };

/**
 * The answer of `POST /v1/users/{user}/disconnect`.
 */
export type DisconnectedAnswer = { 
/**
 * Connections that were closed while this was answered.
 */
closed: number, 
/**
 * Whether every occupied room was reached; otherwise the rest follows.
 */
complete: boolean, };

/**
 * What the rooms of one kind hold now, and what they did since the tenant's first day.
 */
export type KindUsage = { 
/**
 * Rooms that are occupied or have stored data.
 */
rooms: number, members: number, connections: number, connections_opened: number, 
/**
 * Protocol messages.
 */
messages_in: number, 
/**
 * Protocol messages, for each connection.
 */
messages_out: number, bytes_in: number, bytes_out: number, 
/**
 * Publications that are kept.
 */
publications: number, 
/**
 * Bytes of the rooms' databases.
 */
stored_bytes: number, };

/**
 * The answer of `GET /v1/usage`.
 */
export type Usage = { tenant: Tenant, kinds: { [key in string]: KindUsage }, 
/**
 * All kinds together.
 */
total: KindUsage, };

/**
 * The body of `POST /v1/revocations`: `user` or `jti`, or `issued_before` alone for the whole tenant.
 */
export type RevocationBody = { user?: UserId, 
/**
 * At most 256 bytes.
 */
jti?: string, 
/**
 * Milliseconds since 1970. With `user`, now where it is absent.
 */
issued_before?: number, 
/**
 * Seconds, at most a year: as long as the tokens would live.
 */
ttl: number, };

/**
 * How many connections a backend's `disconnect` closed.
 */
export type Closed = { closed: number, };

/**
 * Where a room stands in its life.
 */
export type LifecycleState = "fresh" | "occupied" | "vacant" | "idle";

/**
 * The log of a room: its bounds and its size.
 */
export type LogInfo = { 
/**
 * Absent until the room is first used.
 */
epoch?: Epoch, 
/**
 * Recovery and history reach back to what is above it.
 */
floor: Offset, head: Offset, bytes: number, };

/**
 * The shared state of a room: its size.
 */
export type StateInfo = { version: number, keys: number, bytes: number, };

/**
 * What a room waits for.
 */
export type TimerInfo = { name: string, at: number, };

/**
 * A room as a backend sees it. Times in milliseconds since 1970.
 */
export type RoomInfo = { room: RoomName, kind: string, lifecycle: LifecycleState, 
/**
 * When that state began; absent while fresh, as are the two below.
 */
since?: number, created_at?: number, 
/**
 * When it was last written to while vacant, or last vacated: to the minute.
 */
active_at?: number, occupancy: Occupancy, connections: number, 
/**
 * Absent where no log is kept.
 */
log?: LogInfo, state: StateInfo, 
/**
 * What the room waits for, and when.
 */
timers: Array<TimerInfo>, };

/**
 * A room as it is listed: an object of `GET /v1/rooms`. Times are milliseconds since 1970.
 */
export type RoomEntry = { room: RoomName, kind: string, lifecycle: LifecycleState, since: number, created_at: number, members: number, users: number, connections: number, 
/**
 * Publications that are kept.
 */
publications: number, 
/**
 * Bytes of its database.
 */
stored_bytes: number, 
/**
 * When the room last told.
 */
reported_at: number, };

/**
 * The answer of `GET /v1/rooms`.
 */
export type RoomsPage = { rooms: Array<RoomEntry>, 
/**
 * The value for `cursor` that goes on.
 */
next?: string, };

/**
 * A parked batch as it is listed: an object of `GET /v1/webhooks/parked`.
 */
export type ParkedEntry = { 
/**
 * The `webhook-id` of every try.
 */
id: string, endpoint: string, room: RoomName, 
/**
 * How many events it holds.
 */
events: number, attempts: number, 
/**
 * Of the last answer; absent where there was none.
 */
last_status?: number, 
/**
 * When it was given up, in milliseconds since 1970.
 */
parked_at: number, };

/**
 * The answer of `GET /v1/webhooks/parked`.
 */
export type ParkedPage = { parked: Array<ParkedEntry>, 
/**
 * The value for `cursor` that goes on.
 */
next?: string, };

/**
 * The answer of `POST /v1/webhooks/parked/{id}/replay`.
 */
export type ReplayAnswer = { 
/**
 * Whether the endpoint took it, and it is parked no longer.
 */
delivered: boolean, 
/**
 * The endpoint's answer; absent where there was none within 10 s.
 */
status?: number, };
