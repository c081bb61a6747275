import type { CoreEvent } from "./block.js";
import { Calls } from "./calls.js";
import type { Amendment, Core } from "./core.js";
import { Driver, type Route } from "./driver.js";
import { RoomcastError, failure, refusal } from "./errors.js";
import type {
  AnyPublication,
  BehaviorTypes,
  EventMap,
  Given,
  History,
  HistoryPage,
  Me,
  Member,
  MethodMap,
  MethodsOf,
  Publication,
  RoomEvents,
  RoomStatus,
  StreamNames,
} from "./events.js";
import type { Amended, Occupancy, Published, StateVersion, Tags } from "./generated/wire.js";
import { Listeners } from "./listeners.js";
import type { HistoryOptions, PublishOptions, RoomOptions, RoomPresence, Signalled } from "./options.js";
import { payload } from "./payload.js";
import { RoomState } from "./state.js";
import { random, seed } from "./random.js";
import { survivor, takeOut } from "./storage.js";
import { stream, type Stream } from "./stream.js";
import { newCore } from "./wasm.js";

const EARLY_MAX = 256;

/** A room of a behavior, typed by what `cargo xtask codegen` writes. */
export type RoomOf<Types extends BehaviorTypes> = Room<
  Types["events"],
  Types["presence"],
  MethodsOf<Types>,
  Types["state"]
>;

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
export class Room<
  Events extends EventMap = EventMap,
  Presence = unknown,
  Methods extends MethodMap = MethodMap,
  State extends object = object,
> {
  /** `kind:id`. */
  readonly name: string;
  /** This session's own presence data. */
  readonly presence: RoomPresence<Presence>;
  /** What all in the room share and write. */
  readonly state: RoomState<State>;

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
    this.state = new RoomState<State>((signal, step) => this.#request<StateVersion>(signal, step));
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
  async leave({ signal }: Signalled = {}): Promise<void> {
    signal?.throwIfAborted();
    this.#wantsIn = false;
    if (this.#status === "idle" || this.#status === "left") return;
    if (this.#driver === undefined) {
      this.#setStatus("left");
      return;
    }
    const left = this.#until((status) => status !== "connected", signal);
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
   * Calls a method of the room's logic, and resolves with its result. What it streams before that is dropped: see
   * {@link Room.stream}. Aborting the signal tells the room to stop.
   *
   * @example
   * ```ts
   * const { ok } = await room.call("move", { x: 3 }, { signal: AbortSignal.timeout(2_000) });
   * ```
   */
  async call<Method extends keyof Methods & string>(
    method: Method,
    ...[args = null, { signal } = {}]: Given<Methods[Method]["args"], Signalled>
  ): Promise<Methods[Method]["result"]> {
    const written = payload(args, "args");
    return this.#request<Methods[Method]["result"]>(signal, (core, call) => core.invoke(call, method, written));
  }

  /**
   * Calls a method of the room's logic when it is first read from, and gives what it streams; its result is what the
   * iterator returns. Breaking off, as aborting the signal, tells the room to stop. At most 1,024 items wait to be
   * read; a stream that is read more slowly than that ends as `overloaded`.
   *
   * @example
   * ```ts
   * for await (const move of room.stream("replay")) show(move);
   * ```
   */
  stream<Method extends StreamNames<Methods> & string>(
    method: Method,
    ...[args = null, { signal } = {}]: Given<Methods[Method]["args"], Signalled>
  ): Stream<Methods[Method]["item"], Methods[Method]["result"]> {
    return stream(signal, (stop, returned) => {
      const written = payload(args, "args");
      return this.#request(stop, (core, call) => core.invoke(call, method, written), returned);
    });
  }

  /**
   * Hears what carries one of these tags too, from now on and after each reconnect. Resolves with the whole
   * subscription. At most 32 tags.
   *
   * @example
   * ```ts
   * await room.subscribe(["north"]);
   * ```
   */
  subscribe(tags: readonly string[], { signal }: Signalled = {}): Promise<readonly string[]> {
    return this.#retag(signal, (core, call) => core.subscribe(call, tags));
  }

  /**
   * Hears no more of what carries these tags alone. Resolves with the whole subscription; the token's tags stay.
   *
   * @example
   * ```ts
   * await room.unsubscribe(["north"]);
   * ```
   */
  unsubscribe(tags: readonly string[], { signal }: Signalled = {}): Promise<readonly string[]> {
    return this.#retag(signal, (core, call) => core.unsubscribe(call, tags));
  }

  async #retag(
    signal: AbortSignal | undefined,
    step: (core: Core, call: number) => Uint8Array,
  ): Promise<readonly string[]> {
    const { tags } = await this.#request<Tags>(signal, step);
    if (this.#me !== undefined) this.#me = { ...this.#me, tags };
    return tags;
  }

  /**
   * A page of the log, ascending: the newest, or what is before or after an offset. Iterated over, it goes on from
   * page to page: back from the newest publication or from `before`, forth from `after`.
   *
   * @example
   * ```ts
   * const { messages, next } = await room.history({ limit: 50 });
   * for await (const message of room.history({ after: lastSeen })) show(message);
   * ```
   */
  history(options: HistoryOptions = {}): History<Events> {
    const first = this.#page(options);
    return Object.assign(first, { [Symbol.asyncIterator]: () => this.#walk(first, options) });
  }

  async *#walk(
    first: Promise<HistoryPage<Events>>,
    options: HistoryOptions,
  ): AsyncGenerator<HistoryPage<Events>["messages"][number], void, void> {
    const isForth = options.after !== undefined;
    for (let page = await first; ; ) {
      yield* isForth ? page.messages : [...page.messages].reverse();
      if (page.next === undefined) return;
      page = await this.#page({ ...options, [isForth ? "after" : "before"]: page.next });
    }
  }

  async #page(options: HistoryOptions): Promise<HistoryPage<Events>> {
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
    const { address, fallback } = this.#route;
    const key = `roomcast:${address}`;
    const kept = this.#options.resume ? await takeOut(key) : undefined;
    const { session = random(16), ...position } = kept ?? {};
    const driver = new Driver(core, this.name, { ...this.#route, session }, {
      heard: (event) => this.#heard(event),
      broke: (error) => {
        this.#driver = this.#loading = undefined;
        this.#fail(new RoomcastError("internal", "the client broke", { cause: error }));
      },
    }, this.#options.resume ? survivor(key, session) : undefined);
    driver.run((core) =>
      // prettier-ignore
      core.begin(seed(), this.name, session, hasToken, position, rewind, tags, presence, members, fallback),
    );
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
    returned?: (item: unknown) => void,
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
    return this.#calls.begin<Result>(driver, signal, step, returned);
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
      case "returned":
        this.#calls.returned(event.call, event.value, event.more);
        break;
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
