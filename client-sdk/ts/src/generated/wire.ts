// Written by `cargo xtask codegen` from the crate `schemas`. Do not edit.

export type ConnectionId = string;

export type PublicSession = string;

export type UserId = string;

export type RoomName = string;

export type Epoch = string;

export type Offset = number;

export type Position = { epoch: Epoch, offset: Offset, };

export type ErrorCode = "bad_request" | "invalid_argument" | "unauthorized" | "forbidden" | "blocked" | "not_found" | "conflict" | "rate_limited" | "too_large" | "unsupported" | "method_failed" | "invalid_transition" | "cancelled" | "overloaded" | "unavailable" | "internal";

export type To = { users?: Array<string>, sessions?: Array<string>, 
/**
 * Ephemerals only: a connection's id means nothing tomorrow.
 */
connections?: Array<string>, };

export type Author = { user: UserId, 
/**
 * Absent for what a backend published in a user's name.
 */
session?: PublicSession, info?: unknown, };

export type Edited = { offset: Offset, 
/**
 * Milliseconds since 1970.
 */
time: number, };

export type Reaction = { 
/**
 * How many users.
 */
count: number, 
/**
 * The first of them, ≤ 20.
 */
users: Array<UserId>, };

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

export type Ephemeral = { time: number, from?: Author, type: string, data: unknown, tags?: Array<string>, };

export type Member = { session: PublicSession, user: UserId, info?: unknown, data?: unknown, since: number, };

export type LeaveReason = "left" | "lost";

export type Left = { session: PublicSession, user: UserId, reason: LeaveReason, };

export type PresenceDiff = { joined: Array<Member>, left: Array<Left>, updated: Array<Member>, };

export type Occupancy = { members: number, users: number, };

export type RecoveryFailure = "too_far_behind" | "trimmed" | "epoch_changed" | "ahead" | "forbidden" | "no_log";

export type WelcomeLimits = { payload_bytes: number, presence_bytes: number, tags: number, frame_bytes: number, 
/**
 * How long a publish may be repeated under its `key`, in milliseconds.
 */
key_window_ms: number, 
/**
 * The server cannot see what is unsent: it wants `ack` every 64 frames or 256 KiB.
 */
ack?: boolean, };

export type StateEntry = { value: unknown, version: number, 
/**
 * The session whose membership the key goes with.
 */
owner?: PublicSession, };

export type StateSnapshot = { version: number, entries: { [key in string]: StateEntry }, };

export type StateWrite = { set: string, value: unknown, version: number, owner?: PublicSession, } | { delete: string, };

export type StateChange = { version: number, ops: Array<StateWrite>, };

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

export type Published = { epoch: Epoch, offset: Offset, duplicate: boolean, };

export type Amended = { offset: Offset, };

export type StateVersion = { version: number, };

export type HistoryPage = { epoch: Epoch, messages: Array<Publication>, 
/**
 * The value for the same parameter that brings the next page; absent on the last.
 */
next?: Offset, };

export type MembersPage = { members: Array<Member>, next?: string, users: number, 
/**
 * Open connections, of members and others.
 */
connections: number, };

export type Tags = { 
/**
 * The whole subscription after the change.
 */
tags: Array<string>, 
/**
 * Publications above it are filtered by that subscription.
 */
offset: Offset, };

export type Detail = { path: string, message: string, };

export type RequestError = { id?: number, code: ErrorCode, message: string, retryable: boolean, retry_after_ms?: number, details?: Array<Detail>, };

export type NoticeCode = "restarted" | "ephemerals_dropped";
