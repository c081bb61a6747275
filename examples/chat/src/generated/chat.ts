// Written by `cargo xtask codegen` from the Rust types of a behavior. Do not edit.

/**
 * Something on the web, by its address alone: the room never asks for it.
 */
export type Attachment = { 
/**
 * Begins with `https://`.
 */
url: string, name?: string, };

export type Block = { user: string, 
/**
 * Up to 30 days.
 */
minutes: number, reason?: string, };

/**
 * What callers get as an error's `data`, and publishers too.
 */
export type ChatError = { "reason": "muted", until: number, } | { "reason": "slow_mode", wait_ms: number, } | { "reason": "not_a_moderator" } | { "reason": "never_here" } | { "reason": "no_such_message" } | { "reason": "malformed", path: string, };

/**
 * Presence data.
 */
export type Doing = { 
/**
 * Nobody sits in front of it.
 */
away: boolean, };

export type Entered = { unread: Unread, 
/**
 * 0 where they may speak.
 */
muted_until: number, moderator: boolean, 
/**
 * Who was seen last, at most 200.
 */
people: Array<Profile>, };

/**
 * Logged, and for the mentioned users alone. The message is at the next offset.
 */
export type Mention = { 
/**
 * Who mentions; empty for a backend.
 */
by: string, 
/**
 * How the message begins.
 */
text: string, id?: string, thread?: number, };

export type Mute = { user: string, 
/**
 * Up to 30 days.
 */
minutes: number, };

export type Muted = { user: string, until: number, };

/**
 * Ephemeral, to the user in question: 0 where they may speak.
 */
export type MutedUntil = { until: number, };

/**
 * An offset of the log.
 */
export type Place = { offset: number, };

/**
 * Shared state: the pace of the room.
 */
export type Policy = { 
/**
 * Between two messages of one user; 0: any pace.
 */
slow_ms: number, };

/**
 * Somebody who was here.
 */
export type Profile = { user: string, 
/**
 * As their last token had it.
 */
info?: unknown, 
/**
 * When they came last, in milliseconds since 1970.
 */
seen: number, };

export type Reacted = { 
/**
 * How many users.
 */
count: number, 
/**
 * The first of them, at most 20.
 */
users: Array<string>, };

/**
 * A message of a thread, as edits left it.
 */
export type Reply = { offset: number, time: number, user?: string, info?: unknown, data: unknown, 
/**
 * When it was changed last, in milliseconds since 1970.
 */
edited?: number, 
/**
 * Who reacted, by the reaction's name.
 */
reactions?: { [key in string]: Reacted }, };

/**
 * A message of the log. Text and attachments are not both empty.
 */
export type Said = { 
/**
 * Up to 4,000 characters; as people write it, and shown as text.
 */
text: string, 
/**
 * The author's own name for it, by which a notice tells of it.
 */
id?: string, 
/**
 * The offset of the message that it answers; that one answers none itself.
 */
thread?: number, 
/**
 * Users who are to be told of it: at most 20.
 */
mentions?: Array<string>, 
/**
 * At most 4.
 */
attachments?: Array<Attachment>, };

export type SlowMode = { 
/**
 * Up to an hour; 0 ends it.
 */
seconds: number, };

export type Thread = { 
/**
 * Absent where it is not kept any more.
 */
parent?: Reply, 
/**
 * Ascending.
 */
replies: Array<Reply>, 
/**
 * Of all the answers that are kept.
 */
total: number, 
/**
 * The `before` of the page ahead of this one.
 */
next?: number, };

export type ThreadOf = { 
/**
 * The offset of the message that began it.
 */
parent: number, 
/**
 * Only answers before this offset.
 */
before?: number, 
/**
 * At most so many answers, 50 unless given.
 */
limit?: number, };

/**
 * Ephemeral: somebody begins, goes on or stops to write.
 */
export type Typing = { on: boolean, thread?: number, };

/**
 * What a user has not read; also told, as an ephemeral, to their other sessions when they read.
 */
export type Unread = { 
/**
 * The offset up to which they read.
 */
read: number, 
/**
 * Messages of others behind it.
 */
unread: number, 
/**
 * Notices behind it.
 */
mentions: number, };

export type Whom = { user: string, };

/** What rooms with the behavior `chat` offer. */
export interface Chat {
  events: {
    "mention": Mention;
    "message": Said;
    "muted": MutedUntil;
    "typing": Typing;
    "unread": Unread;
  };
  methods: {
    block: { args: Block; result: null; error: ChatError };
    enter: { args: null; result: Entered; error: ChatError };
    mark_read: { args: Place; result: Unread; error: ChatError };
    mute: { args: Mute; result: Muted; error: ChatError };
    muted: { args: null; result: Array<Muted>; error: ChatError };
    remove: { args: Place; result: Place; error: ChatError };
    slow_mode: { args: SlowMode; result: Policy; error: ChatError };
    thread: { args: ThreadOf; result: Thread; error: ChatError };
    unblock: { args: Whom; result: null; error: ChatError };
    unmute: { args: Whom; result: Muted; error: ChatError };
    unread: { args: null; result: Unread; error: ChatError };
  };
  services: {};
  state: {
    "policy": Policy;
  };
  streams: {};
  presence: Doing;
}
