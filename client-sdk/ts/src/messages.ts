import { RoomcastError } from "./errors.js";
import type { EventMap, Gap, LoggedPublication, Publication } from "./events.js";
import type { Author, Edited, Published, Reaction } from "./generated/wire.js";
import type { PublishOptions } from "./options.js";
import type { Room } from "./room.js";

interface MessageFields<Data, Type extends string> {
  /** Stays the same for as long as this entry is shown, from when it is set out to when it is removed. */
  readonly key: string;
  /** The application's own type of publication. */
  readonly type: Type;
  /** Milliseconds since 1970: the room's clock, or this one's while it is not there yet. */
  readonly time: number;
  readonly data: Data;
}

/** A publication in its place, as edits, removals and reactions left it. */
export interface SentMessage<Data = unknown, Type extends string = string> extends MessageFields<Data, Type> {
  readonly kind: "message";
  readonly offset: number;
  /** Absent for what a backend published in nobody's name. */
  readonly from?: Author;
  readonly tags: readonly string[];
  /** Whether this session published it. */
  readonly own: boolean;
  readonly removed: false;
  readonly edited?: Edited;
  /** Who reacted, by the reaction's name. */
  readonly reactions: Readonly<Record<string, Reaction>>;
}

/** A publication that was taken back: it has no data any more. */
export interface RemovedMessage<Type extends string = string>
  extends Omit<SentMessage<unknown, Type>, "data" | "removed"> {
  readonly removed: true;
}

/** One of ours that the room has not confirmed. */
export interface UnsentMessage<Data = unknown, Type extends string = string> extends MessageFields<Data, Type> {
  /** `failed`: `error` says why. It stays until it is retried or discarded. */
  readonly kind: "pending" | "failed";
  readonly removed: false;
  /**
   * Why it failed. Where its `outcome` is `unknown`, it may have been published all the same; `retry` uses the same
   * key, so that it is published once, within the room's `key_window` (5 minutes by default).
   */
  readonly error?: RoomcastError;
}

/** Publications are missing here. */
export interface GapMarker {
  readonly kind: "gap";
  readonly key: string;
  readonly reason: Gap["reason"];
  /** `open`: {@link RoomMessages.loadGap} may find some of them. `lost`: nobody can. */
  readonly state: "open" | "lost";
}

/** One line of a room's messages; `kind` tells which. */
export type MessageEntry<Events extends EventMap = EventMap> =
  | {
      [Type in keyof Events & string]:
        | SentMessage<Events[Type], Type>
        | RemovedMessage<Type>
        | UnsentMessage<Events[Type], Type>;
    }[keyof Events & string]
  | GapMarker;

/** How to keep a room's messages. */
export interface MessagesOptions {
  /** So many entries are kept, 5,000 unless given; beyond it the oldest go, and can be loaded again. */
  max?: number;
}

/** A room's messages at one moment. Another value for each change; entries that did not change stay the same. */
export interface MessagesSnapshot<Events extends EventMap = EventMap> {
  /** In the room's order; what is not confirmed stands at the end. */
  readonly entries: readonly MessageEntry<Events>[];
  /** Whether earlier ones may be loaded. */
  readonly hasOlder: boolean;
  /** Whether {@link RoomMessages.loadOlder} or {@link RoomMessages.loadGap} is under way. */
  readonly isLoading: boolean;
  /** Why the last of them failed. */
  readonly error: RoomcastError | undefined;
}

type Sent = SentMessage | RemovedMessage;
type Placed = Sent | (GapMarker & { readonly after: number });
type Unsent = UnsentMessage & { readonly options: PublishOptions };
type Logged = Omit<LoggedPublication, "ephemeral" | "tags" | "data" | "removed" | "edited"> & {
  readonly data?: unknown;
  readonly edited?: LoggedPublication["edited"] | undefined;
  readonly removed?: true | undefined;
  readonly tags?: readonly string[];
};

/** How many entries are kept unless told. */
const ENTRIES_MAX = 5_000;
const UNSENT_MAX = 256;
/** Edits, removals and reactions that came while the page with their target was under way. */
const EARLY_MAX = 1_000;

const EMPTY: MessagesSnapshot = Object.freeze({ entries: [], hasOlder: false, isLoading: false, error: undefined });

/**
 * A room's messages as a list to show: what was published, in order, with edits, removals and reactions applied,
 * older pages on request, a marker where some are missing, and one's own from the moment they are set out. Knows no
 * framework: `subscribe` and `snapshot` are what stores have. Make it before the room is joined, or it begins with
 * {@link RoomMessages.loadOlder}.
 *
 * @example
 * ```ts
 * const messages = new RoomMessages(room);
 * messages.subscribe(() => render(messages.snapshot.entries));
 * await room.join();
 * messages.publish("message", { text: "hi" });
 * ```
 */
export class RoomMessages<Events extends EventMap = EventMap> {
  readonly #room: Room<Events, any, any>;
  readonly #max: number;
  readonly #listeners = new Set<() => void>();
  #snapshot: MessagesSnapshot<Events> | undefined;
  #toTell = false;
  #placed: Placed[] = [];
  #unsent: Unsent[] = [];
  #early: Logged[] = [];
  #log = 0;
  #hasOlder = true;
  #loading: Promise<void> | undefined;
  #error: RoomcastError | undefined;

  constructor(room: Room<Events, any, any>, { max = ENTRIES_MAX }: MessagesOptions = {}) {
    this.#room = room;
    this.#max = max;
    let wasLeft = false;
    room.on("publication", (message) => this.#heard(message as Publication));
    room.on("gap", ({ reason }) => this.#gap(reason));
    room.on("status", (status) => {
      // Who leaves hears nothing of what happens then, not even that the log began anew.
      if (status === "connecting" && wasLeft) this.#begin();
      wasLeft = status === "left" || status === "failed";
    });
  }

  /** What is to be shown. */
  get snapshot(): MessagesSnapshot<Events> {
    this.#snapshot ??= Object.freeze({
      entries: Object.freeze([...this.#placed, ...this.#unsent]) as unknown as readonly MessageEntry<Events>[],
      hasOlder: this.#hasOlder,
      isLoading: this.#loading !== undefined,
      error: this.#error,
    });
    return this.#snapshot;
  }

  /**
   * Calls `listener` after changes, once for all of a turn. Returns what ends it.
   *
   * @example
   * ```ts
   * const stop = messages.subscribe(() => render(messages.snapshot));
   * ```
   */
  subscribe(listener: () => void): () => void {
    const entry = (): void => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  /**
   * Loads the page before what is shown; the newest where nothing is. Never rejects: `snapshot.error` says what went
   * wrong. A second call while one is under way waits for that one.
   *
   * @example
   * ```ts
   * if (messages.snapshot.hasOlder) await messages.loadOlder(50);
   * ```
   */
  loadOlder(limit = 50): Promise<void> {
    return this.#load(async () => {
      const before = this.#oldest();
      const { messages, next } = await this.#room.history({ limit, ...(before !== undefined && { before }) });
      return () => {
        for (const message of messages) this.#place(message);
        this.#hasOlder = next !== undefined;
      };
    });
  }

  /**
   * Loads the newest page of what is missing at an open gap, whose key this is; the gap goes when nothing is missing
   * any more.
   *
   * @example
   * ```ts
   * for (const entry of messages.snapshot.entries) if (entry.kind === "gap") await messages.loadGap(entry.key);
   * ```
   */
  loadGap(key: string, limit = 50): Promise<void> {
    const gap = this.#placed.find((entry) => entry.key === key);
    if (gap?.kind !== "gap" || gap.state === "lost") return Promise.resolve();
    return this.#load(async () => {
      const at = this.#placed.indexOf(gap);
      const beyond = this.#placed.slice(at + 1).find(isSent)?.offset;
      const { messages, next } = await this.#room.history({ limit, ...(beyond !== undefined && { before: beyond }) });
      return () => {
        const first = messages[0]?.offset ?? 0;
        for (const message of messages) if (message.offset > gap.after) this.#place(message);
        if (next !== undefined && first > gap.after + 1) return;
        const trimmed = next === undefined && gap.reason === "trimmed";
        this.#placed = this.#placed.flatMap((entry) =>
          entry !== gap ? [entry] : trimmed ? [Object.freeze({ ...gap, state: "lost" as const })] : [],
        );
      };
    });
  }

  /**
   * Publishes, and shows it at once as `pending`. It takes its place when the room has it, and becomes `failed`
   * otherwise. Returns its entry's key, which is the publish's idempotency key too.
   *
   * @throws {RoomcastError} `overloaded`, where 256 are not confirmed.
   *
   * @example
   * ```ts
   * const key = messages.publish("message", { text: "hi" });
   * ```
   */
  publish<Type extends keyof Events & string>(
    type: Type,
    data: Events[Type],
    options: Omit<PublishOptions, "ephemeral" | "conflate" | "signal" | "key"> & { key?: string } = {},
  ): string {
    if (this.#unsent.length >= UNSENT_MAX) {
      throw new RoomcastError("overloaded", `${UNSENT_MAX} messages are not confirmed`, { retryable: true });
    }
    const key = options.key ?? crypto.randomUUID();
    const message: Unsent = Object.freeze({ kind: "pending", removed: false, key, type, data, time: Date.now(), options });
    this.#unsent.push(message);
    this.#changed();
    void this.#send(message);
    return key;
  }

  /**
   * Publishes a failed entry once more, under its key.
   *
   * @example
   * ```ts
   * if (entry.kind === "failed") messages.retry(entry.key);
   * ```
   */
  retry(key: string): void {
    const failed = this.#unsent.find((message) => message.key === key);
    if (failed?.kind !== "failed") return;
    const { error: _, ...message } = failed;
    void this.#send(this.#restate(failed, { ...message, kind: "pending" }));
  }

  /**
   * Takes a failed entry off the list.
   *
   * @example
   * ```ts
   * if (entry.kind === "failed") messages.discard(entry.key);
   * ```
   */
  discard(key: string): void {
    this.#unsent = this.#unsent.filter((message) => message.key !== key || message.kind !== "failed");
    this.#changed();
  }

  async #send(message: Unsent): Promise<void> {
    const { key, type, data, options } = message;
    try {
      const published = await this.#room.publish(type, data as Events[string], { ...options, key, ephemeral: false });
      this.#confirm(key, published);
    } catch (cause) {
      const waiting = this.#unsent.find((other) => other.key === key);
      if (waiting === undefined) return;
      const error =
        cause instanceof RoomcastError ? cause : new RoomcastError("internal", "the publish broke", { cause });
      this.#restate(waiting, { ...waiting, kind: "failed", error });
    }
  }

  /** The answer may come before the publication itself, behind it, or instead of it. */
  #confirm(key: string, { offset }: Published): void {
    const index = this.#unsent.findIndex((message) => message.key === key);
    const [message] = index < 0 ? [] : this.#unsent.splice(index, 1);
    if (message === undefined) return;
    if (this.#at(offset) === undefined) {
      const me = this.#room.me;
      const { type, data, time, options } = message;
      this.#insert(
        Object.freeze({
          ...{ kind: "message", key, type, data, time, offset, own: true, removed: false, reactions: {} },
          ...(me && { from: { user: me.user, session: me.session } }),
          tags: options.tags ?? [],
        }) as SentMessage,
      );
    }
    this.#changed();
  }

  #restate(message: Unsent, next: Unsent): Unsent {
    const frozen = Object.freeze(next);
    this.#unsent = this.#unsent.map((other) => (other === message ? frozen : other));
    this.#changed();
    return frozen;
  }

  #heard(message: Publication): void {
    if (message.ephemeral) return;
    if (message.ref === undefined) this.#place(message);
    else if (!this.#amend(message) && this.#loading !== undefined && this.#early.length < EARLY_MAX) {
      this.#early.push(message);
    }
    this.#changed();
  }

  /** Whether its target is shown. */
  #amend({ type, offset, ref, data, time, from }: Logged): boolean {
    const target = ref === undefined ? undefined : this.#at(ref);
    if (target === undefined) return false;
    if (target.removed) return true;
    if (type === "remove") {
      const { data: _, edited: __, ...rest } = target;
      this.#replace(target, { ...rest, removed: true, reactions: {} });
    } else if (type === "edit" && offset > (target.edited?.offset ?? 0)) {
      this.#replace(target, { ...target, data, edited: { offset, time } });
    } else if (type === "react" && from !== undefined) {
      const { name, on } = data as { name: string; on: boolean };
      this.#replace(target, { ...target, reactions: reacted(target.reactions, name, from.user, on) });
    }
    return true;
  }

  /** The same one may come live, with a page, and as the answer to its publish. */
  #place(message: Logged): void {
    const { offset, type, time, from, tags = [], removed, edited, reactions = {}, data } = message;
    const known = this.#at(offset);
    const own = from?.session !== undefined && from.session === this.#room.me?.session;
    const key = known?.key ?? (own ? this.#keyOfOwn(type, data) : undefined) ?? `${this.#log}:${offset}`;
    const placed: Sent = Object.freeze({
      ...{ kind: "message" as const, key, offset, type, time, tags, own: own || (known?.own ?? false) },
      ...(from && { from }),
      ...(removed ? { removed, reactions: {} } : { removed: false as const, data, reactions }),
      ...(edited && !removed && { edited }),
    });
    if (known === undefined) this.#insert(placed);
    else this.#replace(known, placed);
  }

  /** Which of ours this is, by what it says: equal ones may be taken for one another. */
  #keyOfOwn(type: string, data: unknown): string | undefined {
    const text = comparable(data);
    const index = this.#unsent.findIndex((message) => message.type === type && comparable(message.data) === text);
    return index < 0 ? undefined : this.#unsent.splice(index, 1)[0]?.key;
  }

  #gap(reason: Gap["reason"]): void {
    const begunAnew = reason !== "too_far_behind" && reason !== "trimmed" && reason !== "forbidden";
    const after = begunAnew ? 0 : (this.#placed.filter(isSent).at(-1)?.offset ?? 0);
    if (begunAnew) this.#begin();
    const state = begunAnew || reason === "forbidden" ? "lost" : "open";
    this.#placed.push(Object.freeze({ kind: "gap", key: `gap:${this.#log}:${after}`, reason, state, after }));
    this.#changed();
  }

  /** Offsets begin anew, and nothing that was is there any more. */
  #begin(): void {
    this.#log += 1;
    this.#placed = [];
    this.#early = [];
    this.#hasOlder = true;
    this.#error = undefined;
    this.#changed();
  }

  #load(page: () => Promise<() => void>): Promise<void> {
    if (this.#loading !== undefined) return this.#loading;
    const log = this.#log;
    const load = async (): Promise<void> => {
      try {
        const apply = await page();
        if (log !== this.#log) return;
        apply();
        this.#error = undefined;
        for (const message of this.#early) this.#amend(message);
      } catch (cause) {
        const message = "older messages could not be loaded";
        this.#error = cause instanceof RoomcastError ? cause : new RoomcastError("internal", message, { cause });
      } finally {
        this.#early = [];
        this.#loading = undefined;
        this.#changed();
      }
    };
    this.#loading = load();
    this.#changed();
    return this.#loading;
  }

  #oldest(): number | undefined {
    return this.#placed.find(isSent)?.offset;
  }

  /** Where the first entry at or above an offset is. */
  #indexOf(offset: number): number {
    let [from, to] = [0, this.#placed.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      const entry = this.#placed[middle];
      if (entry !== undefined && (isSent(entry) ? entry.offset : entry.after + 0.5) < offset) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  #at(offset: number): Sent | undefined {
    const entry = this.#placed[this.#indexOf(offset)];
    return entry !== undefined && isSent(entry) && entry.offset === offset ? entry : undefined;
  }

  #insert(message: Sent): void {
    this.#placed.splice(this.#indexOf(message.offset), 0, message);
    if (this.#oldest() === 1) this.#hasOlder = false;
    if (this.#placed.length <= this.#max || this.#loading !== undefined) return;
    this.#placed.splice(0, this.#placed.length - this.#max);
    this.#hasOlder = true;
  }

  #replace(message: Sent, next: Sent): void {
    this.#placed[this.#indexOf(message.offset)] = Object.freeze(next);
  }

  #changed(): void {
    this.#snapshot = undefined;
    if (this.#toTell) return;
    this.#toTell = true;
    queueMicrotask(() => {
      this.#toTell = false;
      for (const listener of [...this.#listeners]) listener();
    });
  }
}

/** Of a room that was not joined, or on a server that renders pages. */
export function noMessages<Events extends EventMap>(): MessagesSnapshot<Events> {
  return EMPTY as unknown as MessagesSnapshot<Events>;
}

function isSent(entry: Placed): entry is Sent {
  return entry.kind === "message";
}

function comparable(data: unknown): string {
  return data instanceof Uint8Array ? `bytes:${data.join()}` : JSON.stringify(data);
}

/** Of each name the first 20 users are known; beyond them a count must do. */
function reacted(
  reactions: Readonly<Record<string, Reaction>>,
  name: string,
  user: string,
  on: boolean,
): Readonly<Record<string, Reaction>> {
  const { [name]: { count, users } = { count: 0, users: [] }, ...others } = reactions;
  const known = users.includes(user);
  // Told twice, live and by a page.
  if (on ? known : !known && count <= users.length) return reactions;
  if (on) return { ...reactions, [name]: { count: count + 1, users: users.length < 20 ? [...users, user] : users } };
  const left = users.filter((other) => other !== user);
  return count > 1 ? { ...reactions, [name]: { count: count - 1, users: left } } : others;
}
