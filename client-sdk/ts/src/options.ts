/** How to join. */
export interface RoomOptions<Presence = unknown> {
  /** So many newest publications at the first join, and after a gap; at most 200. */
  rewind?: number;
  /** Hear only publications that carry one of these, or no tag at all. The token's tags come on top. */
  tags?: readonly string[];
  /** This session's presence data to begin with. */
  presence?: Presence;
  /**
   * `true`: a reload of this page goes on as the same session where it was, and misses nothing. What that takes lies in
   * `sessionStorage` while the page is away; a duplicated tab is a session of its own. For one room object of a name a
   * page. Without it a page that goes leaves the room at once; with it the others see it go after the grace.
   */
  resume?: boolean;
  /** `false`: neither `members` nor `presence` events, which saves the traffic in rooms with many. */
  members?: boolean;
}

/** What can be given up. */
export interface Signalled {
  /** Aborting it ends the wait; what was not sent by then never is. */
  signal?: AbortSignal;
}

/** How to publish. */
export interface PublishOptions extends Signalled {
  /** Only those who carry one of these hear it. At most 8. */
  tags?: readonly string[];
  /** Only these hear it; connections for ephemerals alone. At most 100 together. */
  to?: { users?: readonly string[]; sessions?: readonly string[]; connections?: readonly string[] };
  /** Fanned out and never logged: for cursors and the like. Not sent later where there is no connection. */
  ephemeral?: boolean;
  /** `false`: not to this connection. */
  echo?: boolean;
  /**
   * Under the same key the room takes the same publish once, for minutes at least. So it is sent again after a lost
   * connection, and ends as unknown only where that is over. Each logged publish has a key of its own by default;
   * give one that outlives this page (at most 128 bytes) to publish the same thing once across reloads. `false`: no
   * key, and never sent twice.
   */
  key?: string | false;
  /** Of ephemerals under one name only the latest need reach the others. At most 64 bytes. */
  conflate?: string;
}

/** Which page of the log. */
export interface HistoryOptions extends Signalled {
  /** Only what is before this offset. Excludes `after`. */
  before?: number;
  /** Only what is after this offset. */
  after?: number;
  /** At most so many, 50 unless given, 200 at most. */
  limit?: number;
  tags?: readonly string[];
}

/** This session's own presence data. */
export interface RoomPresence<Presence = unknown> {
  /** What was last set. */
  readonly data: Presence | undefined;
  /**
   * Shows `data` to the others, from now on and after each reconnect. At most 2 KiB.
   *
   * @example
   * ```ts
   * await room.presence.set({ typing: true });
   * ```
   */
  set(data: Presence, options?: Signalled): Promise<void>;
}
