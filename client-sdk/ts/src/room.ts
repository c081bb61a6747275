import type { CoreEvent, Refusal } from "./block.js";
import { Calls } from "./calls.js";
import type { Amendment, Core } from "./core.js";
import { Driver, type Route } from "./driver.js";
import { RoomcastError } from "./errors.js";
import type {
  AnyPublication,
  EventMap,
  HistoryPage,
  Me,
  Member,
  Publication,
  RoomEvents,
  RoomStatus,
} from "./events.js";
import type { Amended, Occupancy, Published, StateVersion } from "./generated/wire.js";
import { Listeners } from "./listeners.js";
import { payload } from "./payload.js";
import { RoomState } from "./state.js";
import { newCore } from "./wasm.js";

/** How to join. */
export interface RoomOptions<Presence = unknown> {
  /** So many newest publications at the first join, and after a gap; at most 200. */
  rewind?: number;
  /** Hear only publications that carry one of these, or no tag at all. The token's tags come on top. */
  tags?: readonly string[];
  /** This session's presence data to begin with. */
  presence?: Presence;
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

const EARLY_MAX = 256;

/**
 * A room, and this session in it. Made by `Roomcast.room`.
 *
 * Messages come in the room's order, each once; where some are lost for good, a `gap` event stands in their place.
 * Connections come and go underneath, which `status` tells.
 *
 * @example
 * ```ts
 * const room = client.room<{ message: { text: string } }>("chat:lobby", { rewind: 50 });
 * const off = room.on("message", (message) => show(message.data.text));
 * await room.join();
 * await room.publish("message", { text: "hi" });
 * off();
 * await room.leave();
 * ```
 */
export class Room<Events extends EventMap = EventMap, Presence = unknown> {
  /** `kind:id`. */
  readonly name: string;
  /** This session's own presence data. */
  readonly presence: RoomPresence<Presence>;
  /** What all in the room share and write. */
  readonly state: RoomState;

  readonly #options: RoomOptions<Presence>;
  readonly #route: Route;
  readonly #listeners = new Listeners();
  readonly #calls = new Calls();
  #driver: Driver | undefined;
  #loading: Promise<Driver> | undefined;
  /** What the keys of this room object begin with: nobody else's do. */
  readonly #keys = random(8);
  #lastKey = 0;
  #early = 0;
  #status: RoomStatus = "idle";
  #failure: RoomcastError | undefined;
  #me: Me | undefined;
  #occupancy: Occupancy | undefined;
  readonly #roster = new Map<string, Member<Presence>>();
  #members: readonly Member<Presence>[] | undefined;
  #ownData: Presence | undefined;
  #wantsIn = false;

  /** @internal */
  constructor(name: string, options: RoomOptions<Presence>, route: Route) {
    this.name = name;
    this.#options = options;
    this.#route = route;
    this.#ownData = options.presence;
    const ownData = (): Presence | undefined => this.#ownData;
    this.presence = {
      get data() {
        return ownData();
      },
      set: (data, more = {}) => this.#setPresence(data, more),
    };
    this.state = new RoomState((signal, step) => this.#request<StateVersion>(signal, step));
  }

  /** Where the connection is. A value of its own for each change, as `on("status")` tells them. */
  get status(): RoomStatus {
    return this.#status;
  }

  /** Why the status is `failed`. */
  get failure(): RoomcastError | undefined {
    return this.#failure;
  }

  /** Who this connection is, once welcomed. */
  get me(): Me | undefined {
    return this.#me;
  }

  /** Who is here, this session included. The same array until somebody comes, goes or changes. */
  get members(): readonly Member<Presence>[] {
    this.#members ??= Object.freeze([...this.#roster.values()]);
    return this.#members;
  }

  /** How many are here, whether members are listed or only counted. */
  get occupancy(): Occupancy {
    this.#occupancy ??= { members: this.#roster.size, users: new Set(this.members.map(({ user }) => user)).size };
    return this.#occupancy;
  }

  /**
   * Calls `listener` for each publication of that type (ephemerals are flagged), or for what the room itself tells:
   * `publication` (of any type), `edit`, `remove` and `react`, `status`, `members`, `presence`, `occupancy`, `state`,
   * `gap`, `notice`. A publication whose data was removed by the time it is heard comes as `publication` alone.
   * Returns what ends it. A listener that throws is reported as an uncaught error, and disturbs no other.
   *
   * @example
   * ```ts
   * const off = room.on("message", (message) => show(message.data.text));
   * room.on("status", (status) => badge.textContent = status);
   * room.on("gap", ({ reason }) => clearAndExplain(reason));
   * ```
   */
  on<Name extends keyof RoomEvents<Events, Presence>>(
    name: Name,
    listener: (event: RoomEvents<Events, Presence>[Name]) => void,
    options?: Signalled,
  ): () => void;
  on<Type extends keyof Events & string>(
    type: Type,
    listener: (publication: Publication<Events[Type], Type>) => void,
    options?: Signalled,
  ): () => void;
  on(name: string, listener: (event: never) => void, options: Signalled = {}): () => void {
    return this.#listeners.add(name, listener as (event: unknown) => void, options.signal);
  }

  /**
   * Joins, and resolves when connected. Keeps trying until then: rejects where the room refuses for good, and when
   * `signal` is aborted, which also leaves.
   *
   * @example
   * ```ts
   * await room.join({ signal: AbortSignal.timeout(10_000) });
   * ```
   */
  async join({ signal }: Signalled = {}): Promise<void> {
    signal?.throwIfAborted();
    if (this.#status === "connected" && this.#wantsIn) return;
    if (this.#route.WebSocket === undefined) {
      throw new RoomcastError("unsupported", "there is no WebSocket here: pass one as `WebSocket` to `new Roomcast`");
    }
    this.#wantsIn = true;
    const joined = this.#until((status) => {
      if (status === "connected") return true;
      if (status === "failed") throw this.#failure;
      if (status === "left") throw new RoomcastError("cancelled", "the room was left");
      return false;
    }, signal);
    if (this.#status !== "connecting") this.#begin();
    try {
      await joined;
    } catch (error) {
      if (signal?.aborted) void this.leave();
      throw error;
    }
  }

  /**
   * Leaves at once, without the grace that a lost connection gets, and resolves when that is done. What was
   * published before still goes out. A later `join` begins anew.
   *
   * @example
   * ```ts
   * await room.leave();
   * ```
   */
  async leave(): Promise<void> {
    this.#wantsIn = false;
    if (this.#status === "idle" || this.#status === "left") return;
    if (this.#driver === undefined) {
      this.#setStatus("left");
      return;
    }
    const left = this.#until((status) => status !== "connected");
    this.#driver.run((core) => core.leave());
    await left;
  }

  /**
   * Publishes. Resolves once the room has it for good, with its place in the log; an ephemeral, once it was fanned
   * out. What is published in one turn of the event loop travels together. Without a connection it waits for the
   * next one, in a queue of at most 256.
   *
   * @example
   * ```ts
   * const { offset } = await room.publish("message", { text: "hi" });
   * await room.publish("cursor", { x, y }, { ephemeral: true, echo: false });
   * await room.publish("whisper", { text: "psst" }, { to: { users: ["ada"] } });
   * await room.publish("order", { tea: 1 }, { key: crypto.randomUUID() });
   * ```
   */
  publish<Type extends keyof Events & string>(
    type: Type,
    data: Events[Type],
    options: PublishOptions & { ephemeral: true },
  ): Promise<void>;
  publish<Type extends keyof Events & string>(
    type: Type,
    data: Events[Type],
    options?: PublishOptions & { ephemeral?: false },
  ): Promise<Published>;
  publish<Type extends keyof Events & string>(
    type: Type,
    data: Events[Type],
    options?: PublishOptions,
  ): Promise<Published | void>;
  async publish(type: string, data: unknown, options: PublishOptions = {}): Promise<Published | void> {
    const { tags = [], to, ephemeral = false, echo = true, conflate, signal } = options;
    const { key = ephemeral ? undefined : `${this.#keys}${(this.#lastKey += 1).toString(36)}` } = options;
    const { users = [], sessions = [], connections = [] } = to ?? {};
    // Copied, so that a caller who changes a list while the request waits changes nothing.
    const wanted = {
      type,
      data: payload(data),
      tags: [...tags],
      to: to && { users: [...users], sessions: [...sessions], connections: [...connections] },
      ephemeral,
      echo,
      key: key || undefined,
      conflate,
    };
    return this.#request<Published | void>(signal, (core, call) => core.publish(call, wanted));
  }

  /**
   * Replaces what an earlier publication says. The others hear of it as `edit`, with that publication as `ref`; in
   * history it is as edited. Resolves with the edit's own place in the log.
   *
   * @example
   * ```ts
   * const { offset } = await room.publish("message", { text: "helo" });
   * await room.edit(offset, { text: "hello" });
   * ```
   */
  async edit(offset: number, data: Events[keyof Events & string], { signal }: Signalled = {}): Promise<Amended> {
    return this.#amend(signal, offset, { edit: payload(data) });
  }

  /**
   * Takes back an earlier publication: what it said is erased. The others hear of it as `remove`.
   *
   * @example
   * ```ts
   * await room.remove(offset);
   * ```
   */
  async remove(offset: number, { signal }: Signalled = {}): Promise<Amended> {
    return this.#amend(signal, offset, { remove: true });
  }

  /**
   * Adds this user's reaction to an earlier publication, or takes it back. The others hear of it as `react`. A name
   * has at most 32 bytes.
   *
   * @example
   * ```ts
   * await room.react(offset, "👍");
   * await room.react(offset, "👍", false);
   * ```
   */
  async react(offset: number, name: string, on = true, { signal }: Signalled = {}): Promise<Amended> {
    return this.#amend(signal, offset, { react: name, on });
  }

  #amend(signal: AbortSignal | undefined, offset: number, what: Amendment): Promise<Amended> {
    return this.#request(signal, (core, call) => core.amend(call, offset, what));
  }

  /**
   * A page of the log, ascending: the newest, or what is before or after an offset.
   *
   * @example
   * ```ts
   * let page = await room.history({ limit: 50 });
   * while (page.next !== undefined) page = await room.history({ limit: 50, before: page.next });
   * ```
   */
  async history(options: HistoryOptions = {}): Promise<HistoryPage<Events>> {
    const { before, after, limit = 50, tags = [], signal } = options;
    const wanted = [...tags];
    return this.#request<HistoryPage<Events>>(signal, (core, call) =>
      core.history(call, before, after, limit, wanted),
    );
  }

  async #setPresence(data: Presence, { signal }: Signalled): Promise<void> {
    const written = payload(data);
    this.#ownData = data;
    return this.#request<void>(signal, (core, call) => core.presence(call, written));
  }

  #begin(): void {
    this.#failure = undefined;
    if (this.#driver !== undefined) {
      this.#join(this.#driver);
      return;
    }
    this.#setStatus("connecting");
    this.#loading ??= this.#load();
    this.#loading.then(
      (driver) => {
        if (this.#wantsIn) this.#join(driver);
      },
      (error: unknown) => {
        this.#loading = undefined;
        const message = "the Wasm module could not be loaded";
        const unloaded = new RoomcastError("unavailable", message, { retryable: true, cause: error });
        this.#fail(error instanceof RoomcastError ? error : unloaded);
      },
    );
  }

  async #load(): Promise<Driver> {
    const core = await newCore(this.#route.wasm);
    const { rewind, tags = [], members = true } = this.#options;
    const presence = this.#ownData === undefined ? undefined : payload(this.#ownData);
    const hasToken = this.#route.token !== undefined;
    const driver = new Driver(core, this.name, this.#route, {
      heard: (event) => this.#heard(event),
      broke: (error) => {
        this.#driver = this.#loading = undefined;
        this.#fail(new RoomcastError("internal", "the client broke", { cause: error }));
      },
    });
    driver.run((core) => core.begin(seed(), this.name, random(16), hasToken, rewind, tags, presence, members));
    this.#driver = driver;
    return driver;
  }

  #join(driver: Driver): void {
    driver.wake();
    driver.run((core) => core.join());
  }

  /** Until the module is there, requests wait for it, in their order. */
  async #request<Result>(
    signal: AbortSignal | undefined,
    step: (core: Core, call: number) => Uint8Array,
  ): Promise<Result> {
    signal?.throwIfAborted();
    if (this.#driver === undefined && this.#wantsIn && this.#loading !== undefined) {
      if (this.#early >= EARLY_MAX) {
        throw new RoomcastError("overloaded", "too many requests wait to be sent", { retryable: true });
      }
      this.#early += 1;
      await this.#loading.catch(() => undefined).finally(() => (this.#early -= 1));
      signal?.throwIfAborted();
    }
    const driver = this.#driver;
    if (driver === undefined) {
      throw this.#failure ?? new RoomcastError("unavailable", "the room is not joined", { retryable: true });
    }
    return this.#calls.begin<Result>(driver, signal, step);
  }

  #heard(event: CoreEvent): void {
    switch (event.t) {
      case "status":
        if (event.status === "failed") {
          this.#fail(failure(event.code ?? 0, event.reason ?? ""));
        } else {
          this.#setStatus(event.status);
        }
        break;
      case "welcome": {
        const { connection, session, user, tags } = event;
        this.#me = { connection, session, user, tags };
        break;
      }
      case "publication": {
        const message = event.message as unknown as AnyPublication<Events>;
        if (!reserved.has(message.type) && !event.message.removed) this.#listeners.tell(message.type, message);
        this.#listeners.tell("publication", message);
        break;
      }
      case "presence":
        this.#changeRoster(event.joined, event.left, event.updated);
        break;
      case "occupancy":
        this.#occupancy = { members: event.members, users: event.users };
        this.#listeners.tell("occupancy", this.occupancy);
        break;
      case "state": {
        const { version, ops } = event;
        this.state.apply({ version, ops });
        if (ops.length > 0) this.#listeners.tell("state", { version, ops });
        break;
      }
      case "gap":
        this.#listeners.tell("gap", { reason: event.reason });
        break;
      case "notice": {
        const { code, message = "", expires_at } = event;
        this.#listeners.tell("notice", { code, message, ...(expires_at && { expiresAt: expires_at }) });
        break;
      }
      case "settled":
        if ("result" in event) this.#calls.resolve(event.call, event.result);
        else this.#calls.reject(event.call, refusal(event));
        break;
    }
  }

  #changeRoster(joined: Member[], left: RoomEvents["presence"]["left"], updated: Member[]): void {
    for (const member of [...joined, ...updated] as Member<Presence>[]) this.#roster.set(member.session, member);
    for (const { session } of left) this.#roster.delete(session);
    // Where members are listed, the room counts no further.
    this.#members = this.#occupancy = undefined;
    this.#listeners.tell("presence", { joined, left, updated });
    this.#listeners.tell("members", this.members);
    this.#listeners.tell("occupancy", this.occupancy);
  }

  #setStatus(status: RoomStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    if (status === "left" || status === "failed") {
      this.#wantsIn = false;
      this.#driver?.rest();
    }
    this.#listeners.tell("status", status);
  }

  #fail(error: RoomcastError): void {
    this.#failure = error;
    this.#calls.rejectAll(error);
    this.#setStatus("failed");
  }

  /** Resolves when `reached` says so of a status to come. */
  #until(reached: (status: RoomStatus) => boolean, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (status: RoomStatus): void => {
        try {
          if (!reached(status)) return;
          resolve();
        } catch (error) {
          reject(error as Error);
        }
        end();
      };
      const off = this.#listeners.add("status", look as (event: unknown) => void);
      const abort = (): void => {
        reject(signal?.reason as Error);
        end();
      };
      const end = (): void => {
        off();
        signal?.removeEventListener("abort", abort);
      };
      signal?.addEventListener("abort", abort);
    });
  }
}

/** What the room itself tells; an application's types of these names are heard through `publication`. */
const reserved: ReadonlySet<string> = new Set<keyof RoomEvents>([
  "publication",
  "status",
  "members",
  "presence",
  "occupancy",
  "state",
  "gap",
  "notice",
]);

function refusal(event: Refusal): RoomcastError {
  const { code, message, retryable, outcome, details, retry_after_ms } = event;
  return new RoomcastError(code, message, { retryable, outcome, details, retryAfterMs: retry_after_ms });
}

/** A final close's reason is its code's name, or a sentence of whoever closed. */
function failure(closeCode: number, reason: string): RoomcastError {
  const code = /^[a-z_]+$/.test(reason) ? reason : "closed";
  return new RoomcastError(code, `the room ended the connection for good: ${closeCode} ${reason}`, { closeCode });
}

function seed(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return high * 2 ** 20 + low / 2 ** 12;
}

/** So many random bytes as base64url. */
function random(bytes: number): string {
  const binary = String.fromCharCode(...crypto.getRandomValues(new Uint8Array(bytes)));
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
