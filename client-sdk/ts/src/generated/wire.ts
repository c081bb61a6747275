// Written by `cargo xtask codegen` from the crate `schemas`. Do not edit.

export type ConnectionId = string;

export type PublicSession = string;

export type UserId = string;

export type RoomName = string;

export type Epoch = string;

export type Offset = number;

export type Position = { epoch: Epoch, offset: Offset, };

export type ErrorCode = "bad_request" | "invalid_argument" | "unauthorized" | "forbidden" | "not_found" | "conflict" | "rate_limited" | "too_large" | "unsupported" | "method_failed" | "invalid_transition" | "cancelled" | "overloaded" | "unavailable" | "internal";

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

export type Publication = { offset: Offset, 
/**
 * When the room took it, in milliseconds since 1970.
 */
time: number, 
/**
 * Absent for what a backend published without naming anybody.
 */
from?: Author, type: string, data: unknown, tags?: Array<string>, };

export type Ephemeral = { time: number, from?: Author, type: string, data: unknown, tags?: Array<string>, };

export type Member = { session: PublicSession, user: UserId, info?: unknown, data?: unknown, since: number, };

export type LeaveReason = "left" | "lost";

export type Left = { session: PublicSession, user: UserId, reason: LeaveReason, };

export type PresenceDiff = { joined: Array<Member>, left: Array<Left>, updated: Array<Member>, };

export type Occupancy = { members: number, users: number, };

export type RecoveryFailure = "too_far_behind" | "trimmed" | "epoch_changed" | "ahead" | "forbidden" | "no_log";

export type WelcomeLimits = { payload_bytes: number, presence_bytes: number, tags: number, frame_bytes: number, };

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
members_next?: string, occupancy: Occupancy, 
/**
 * The whole subscription: the token's tags and those asked for.
 */
tags: Array<string>, limits: WelcomeLimits, server_time: number, expires_at?: number, };

export type Published = { epoch: Epoch, offset: Offset, duplicate: boolean, };

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
