// Written by `cargo xtask codegen` from the crate `schemas`. Do not edit.

/**
 * One WebSocket; a new one on every reconnect. Random, below 2^53 so that a JavaScript number holds it; shown as
 * 14 hex digits.
 */
export type ConnectionId = string;

/**
 * What others see of a session: the first 16 characters of base64url(SHA-256(session)).
 */
export type PublicSession = string;

/**
 * The token's `sub`: 1 to 128 bytes.
 */
export type UserId = string;

/**
 * `kind:id`, compared byte by byte; id `[A-Za-z0-9._~-]{1,128}`.
 */
export type RoomName = string;

/**
 * The identity of a log: 16 hex digits. A new log is a new epoch.
 */
export type Epoch = string;

/**
 * A publication's place in its room's order: rises by one a publication, the first is 1, below 2^53 so that
 * every JavaScript number holds it. 0 stands for "before the first".
 */
export type Offset = number;

/**
 * What a client has of a log: everything it may see up to and including `offset`.
 */
export type Position = { epoch: Epoch, offset: Offset, };

/**
 * Why a request is refused. One more, `bad_room_name` and its like, exist in HTTP only ([`crate::http`]).
 */
export type ErrorCode = "bad_request" | "invalid_argument" | "unauthorized" | "forbidden" | "blocked" | "not_found" | "conflict" | "rate_limited" | "too_large" | "unsupported" | "method_failed" | "invalid_transition" | "cancelled" | "overloaded" | "unavailable" | "internal";

/**
 * Names those who may see a publication: the union, ≤ 100 together, unknown ones ignored.
 */
export type To = { users?: Array<string>, sessions?: Array<string>, 
/**
 * Ephemerals only: a connection's id means nothing tomorrow.
 */
connections?: Array<string>, };

/**
 * Who published.
 */
export type Author = { user: UserId, 
/**
 * Absent for what a backend published in a user's name.
 */
session?: PublicSession, info?: unknown, };

/**
 * The last edit of a publication.
 */
export type Edited = { offset: Offset, 
/**
 * Milliseconds since 1970.
 */
time: number, };

/**
 * One reaction to a publication.
 */
export type Reaction = { 
/**
 * How many users.
 */
count: number, 
/**
 * The first of them, ≤ 20.
 */
users: Array<UserId>, };

/**
 * One entry of the log. In history it is folded: publications that refer to it are applied to it, and not listed.
 */
export type Publication = { offset: Offset, 
/**
 * When the room took it, in milliseconds since 1970.
 */
time: number, 
/**
 * Absent for what a backend published without naming anybody.
 */
from?: Author, 
/**
 * `message`, `edit`, `remove`, `react`, or the application's own.
 */
type: string, 
/**
 * Absent where it was erased. Of a `remove` it is `null`, of a `react` `{name, on}`.
 */
data?: unknown, tags?: Array<string>, 
/**
 * The publication that an `edit`, `remove` or `react` is about.
 */
ref?: Offset, 
/**
 * What it said was taken back and erased.
 */
removed?: boolean, 
/**
 * In history: `data` is what this edit made of it.
 */
edited?: Edited, 
/**
 * In history: who reacted, by the reaction's name.
 */
reactions?: { [key in string]: Reaction }, };

/**
 * Fanned out, never logged.
 */
export type Ephemeral = { time: number, from?: Author, type: string, data: unknown, tags?: Array<string>, };

/**
 * A session in the presence set.
 */
export type Member = { session: PublicSession, user: UserId, info?: unknown, data?: unknown, since: number, };

/**
 * How a membership ended.
 */
export type LeaveReason = "left" | "lost";

/**
 * A membership that ended.
 */
export type Left = { session: PublicSession, user: UserId, reason: LeaveReason, };

/**
 * What changed in the presence set since the snapshot or diff before.
 */
export type PresenceDiff = { joined: Array<Member>, left: Array<Left>, updated: Array<Member>, };

/**
 * How many are in a room.
 */
export type Occupancy = { members: number, users: number, };

/**
 * Why a client was not given what it missed.
 */
export type RecoveryFailure = "too_far_behind" | "trimmed" | "epoch_changed" | "ahead" | "forbidden" | "no_log";

/**
 * The bounds that a client should know of, so that it need not run into them.
 */
export type WelcomeLimits = { payload_bytes: number, presence_bytes: number, tags: number, frame_bytes: number, 
/**
 * How long a publish may be repeated under its `key`, in milliseconds.
 */
key_window_ms: number, 
/**
 * The server cannot see what is unsent: it wants `ack` every 64 frames or 256 KiB.
 */
ack?: boolean, };

/**
 * A key of the shared state.
 */
export type StateEntry = { value: unknown, version: number, 
/**
 * The session whose membership the key goes with.
 */
owner?: PublicSession, };

/**
 * Shared state as it stands: one counter a room, which every write moves; a key's version is the counter after its
 * last write.
 */
export type StateSnapshot = { version: number, entries: { [key in string]: StateEntry }, };

/**
 * What became of a key of the shared state.
 */
export type StateWrite = { set: string, value: unknown, version: number, owner?: PublicSession, } | { delete: string, };

/**
 * What became of shared state: the last write of each key since the snapshot or change before, by version.
 */
export type StateChange = { version: number, ops: Array<StateWrite>, };

/**
 * The answer to hello. What is at or below `offset` is in `publications` or is not sent; what is above comes live.
 */
export type Welcome = { connection: ConnectionId, session: PublicSession, user: UserId, room: RoomName, kind: string, epoch: Epoch, offset: Offset, recovered: boolean, 
/**
 * Why a `recover` was not served.
 */
reason?: RecoveryFailure, publications: Array<Publication>, 
/**
 * The first page of members; absent for those who see none.
 */
members?: Array<Member>, 
/**
 * The cursor of the next page.
 */
members_next?: string, occupancy: Occupancy, state: StateSnapshot, 
/**
 * The whole subscription: the token's tags and those asked for.
 */
tags: Array<string>, limits: WelcomeLimits, server_time: number, expires_at?: number, };

/**
 * A publication's place in the log.
 */
export type Published = { epoch: Epoch, offset: Offset, duplicate: boolean, };

/**
 * What `edit`, `remove` and `react` return: the offset of the publication that says so.
 */
export type Amended = { offset: Offset, };

/**
 * What `state` returns: the room's counter after the request's last operation.
 */
export type StateVersion = { version: number, };

/**
 * Ascending, whichever way it was asked for.
 */
export type HistoryPage = { epoch: Epoch, messages: Array<Publication>, 
/**
 * The value for the same parameter that brings the next page; absent on the last.
 */
next?: Offset, };

/**
 * A page of the presence set.
 */
export type MembersPage = { members: Array<Member>, next?: string, users: number, 
/**
 * Open connections, of members and others.
 */
connections: number, };

/**
 * A connection's whole subscription.
 */
export type Tags = { 
/**
 * The whole subscription after the change.
 */
tags: Array<string>, 
/**
 * Publications above it are filtered by that subscription.
 */
offset: Offset, };

/**
 * Which field was wrong, and how.
 */
export type Detail = { path: string, message: string, };

/**
 * A refused request, or (without `id`) a message that could not be read.
 */
export type RequestError = { id?: number, code: ErrorCode, message: string, retryable: boolean, retry_after_ms?: number, details?: Array<Detail>, 
/**
 * The error of a method as its behavior declares it.
 */
data?: unknown, };

/**
 * What a notice tells of.
 */
export type NoticeCode = "restarted" | "ephemerals_dropped";
