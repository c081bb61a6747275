import type {
  AnyPublication,
  BehaviorTypes,
  EventMap,
  Given,
  LoggedPublication,
  MethodMap,
  MethodsOf,
  StreamNames,
} from "../events.js";
import type { Closed, DisconnectBody, FromBody, RoomInfo } from "../generated/http.js";
import type { Amended, Member, MembersPage, Published, StateSnapshot, StateVersion, To } from "../generated/wire.js";
import { invalid } from "./errors.js";
import { read, readIn, written } from "./payload.js";
import type { Call, Requests, Signalled } from "./request.js";

/** How a backend publishes. */
export interface ServerPublishOptions extends Signalled {
  /** In whose name; absent: in nobody's. */
  from?: FromBody;
  /** Only those who carry one of these hear it. At most 8. */
  tags?: readonly string[];
  /** Only these hear it; connections for ephemerals alone. At most 100 together. */
  to?: To;
  /** Fanned out and never logged. Such a publish is not tried again. */
  ephemeral?: boolean;
  /**
   * Under the same key the room takes the same publish once, for minutes at least. A random one unless given, so
   * that it may be tried again when an answer is lost. Give your own (an order's number, a job's id) where your own
   * program may come to the same publish twice. At most 128 bytes.
   */
  key?: string;
}

/** One message of {@link RoomcastServer.publishBatch}. */
export interface BatchMessage extends Omit<ServerPublishOptions, "signal"> {
  room: string;
  data: unknown;
  type?: string;
}

/** Which page of the log. */
export interface MessagesOptions extends Signalled {
  /** Only what is before this offset. Excludes `after`. */
  before?: number;
  /** Only what is after this offset. */
  after?: number;
  /** At most so many, 50 unless given, 200 at most. */
  limit?: number;
  /** Only what carries one of these. */
  tags?: readonly string[];
  /** The log as it is: edits, removals and reactions listed, and applied to nothing. */
  raw?: boolean;
}

/** A page of the log, ascending. */
export interface MessagesPage<Events extends EventMap = EventMap> {
  readonly epoch: string;
  readonly messages: readonly Extract<AnyPublication<Events>, { ephemeral: false }>[];
  /** The value for the same parameter that brings the next page; absent on the last. */
  readonly next?: number;
}

/** One operation on shared state. `if`: only while the key has this version, 0 for absent. */
export type ServerStateOp = { set: string; value: unknown; if?: number } | { delete: string; if?: number };

/** What a backend can ask the rooms of a behavior to do: what users can, and what is for services alone. */
export type ServerMethodsOf<Types extends BehaviorTypes> = MethodsOf<Types> &
  (Types extends { services: infer Services } ? Services : unknown);

/** @internal */
export const ROOM = /^[a-z][a-z0-9-]{0,31}:[A-Za-z0-9._~-]{1,128}$/;

/** A room, as a backend acts on it over HTTP. Made by {@link RoomcastServer.room}. */
export class ServerRoom<Events extends EventMap = EventMap, Methods extends MethodMap = MethodMap> {
  /** `kind:id`. */
  readonly name: string;
  readonly #requests: Requests;

  /** @internal */
  constructor(name: string, requests: Requests) {
    if (!ROOM.test(name)) throw invalid("room", "is kind:id, kind [a-z][a-z0-9-]{0,31}, id [A-Za-z0-9._~-]{1,128}");
    this.name = name;
    this.#requests = requests;
  }

  /**
   * Publishes. Resolves once the room has it for good, with its place in the log; an ephemeral, once it was fanned
   * out. A lost answer is asked for again under the publish's key, so that it is published once.
   *
   * @example
   * ```ts
   * const lobby = rooms.room<{ message: { text: string } }>("chat:lobby");
   * const { offset } = await lobby.publish("message", { text: "deployed" }, { from: { user: "ci" }, key: "deploy-7" });
   * ```
   */
  publish<Type extends keyof Events & string>(
    type: Type,
    data: Events[Type],
    options: ServerPublishOptions & { ephemeral: true },
  ): Promise<void>;
  publish<Type extends keyof Events & string>(
    type: Type,
    data: Events[Type],
    options?: ServerPublishOptions & { ephemeral?: false },
  ): Promise<Published>;
  async publish(type: string, data: unknown, options: ServerPublishOptions = {}): Promise<Published | void> {
    return publish(this.#requests, this.#path("/publish"), type, data, options);
  }

  /**
   * A page of the log, ascending: the newest, or what is before or after an offset.
   *
   * @example
   * ```ts
   * const { messages } = await rooms.room("chat:lobby").messages({ limit: 10 });
   * ```
   */
  async messages({ tags, signal, ...query }: MessagesOptions = {}): Promise<MessagesPage<Events>> {
    const page = await this.#get<MessagesPage<Events>>("/messages", { ...query, tags: tags?.join(",") }, signal);
    const messages = page.messages.map((message) => received(message as LoggedPublication));
    return { ...page, messages: messages as unknown as MessagesPage<Events>["messages"] };
  }

  /**
   * Replaces what an earlier publication says.
   *
   * @example
   * ```ts
   * await rooms.room("chat:lobby").edit(offset, { text: "deployed, and healthy" });
   * ```
   */
  edit(offset: number, data: Events[keyof Events & string], { signal }: Signalled = {}): Promise<Amended> {
    return this.#write("PATCH", `/messages/${Number(offset)}`, { data: written(data) }, signal);
  }

  /**
   * Takes back an earlier publication: what it said is erased.
   *
   * @example
   * ```ts
   * await rooms.room("chat:lobby").remove(offset);
   * ```
   */
  remove(offset: number, { signal }: Signalled = {}): Promise<Amended> {
    return this.#write("DELETE", `/messages/${Number(offset)}`, undefined, signal);
  }

  /**
   * A page of who is here.
   *
   * @example
   * ```ts
   * const { members, users } = await rooms.room("chat:lobby").members();
   * ```
   */
  async members({ signal, ...query }: { cursor?: string; limit?: number } & Signalled = {}): Promise<MembersPage> {
    const page = await this.#get<MembersPage>("/members", query, signal);
    return { ...page, members: page.members.map((member: Member) => readIn(member, "info", "data")) };
  }

  /**
   * Sends somebody away, for a while where `block_for` says so: seconds, or a duration such as `"10m"`; 0 lets a
   * user in again. Resolves with how many connections were closed.
   *
   * @example
   * ```ts
   * await rooms.room("chat:lobby").disconnect({ user: "mallory", reason: "be kind", block_for: "10m" });
   * ```
   */
  disconnect(who: DisconnectBody, { signal }: Signalled = {}): Promise<Closed> {
    return this.#requests.ask({ method: "POST", path: this.#path("/disconnect"), body: who, repeatable: true, signal });
  }

  /**
   * Calls a method of the room's logic as the backend, and resolves with its result. What it streams before that is
   * dropped: see {@link ServerRoom.stream}. Never asked twice by itself: where no answer comes, `outcome` is
   * `unknown`. What the method refuses as it declares it is the error's `data`.
   *
   * @example
   * ```ts
   * const poll = rooms.room<Poll>("poll:lunch");
   * const { votes } = await poll.call("close", { reason: "time is up" });
   * ```
   */
  async call<Method extends keyof Methods & string>(
    method: Method,
    ...[args = null, { signal } = {}]: Given<Methods[Method]["args"], Signalled>
  ): Promise<Methods[Method]["result"]> {
    return read(await this.#requests.ask(this.#invoked(method, args, signal)));
  }

  /**
   * Calls a method of the room's logic when it is first read from, and gives what it streams, line by line as it is
   * read; its result is what the iterator returns. Stopping to read tells the room to stop.
   *
   * @example
   * ```ts
   * for await (const { user } of rooms.room<Poll>("poll:lunch").stream("votes")) console.log(user);
   * ```
   */
  stream<Method extends StreamNames<Methods> & string>(
    method: Method,
    ...[args = null, { signal } = {}]: Given<Methods[Method]["args"], Signalled>
  ): AsyncGenerator<Methods[Method]["item"], Methods[Method]["result"], void> {
    return this.#requests.lines(this.#invoked(method, args, signal));
  }

  /**
   * The shared state.
   *
   * @example
   * ```ts
   * const { entries } = await rooms.room("chat:lobby").state();
   * console.log(entries["topic"]?.value);
   * ```
   */
  async state({ signal }: Signalled = {}): Promise<StateSnapshot> {
    const { version, entries } = await this.#get<StateSnapshot>("/state", {}, signal);
    const values = Object.entries(entries).map(([key, entry]) => [key, readIn(entry, "value")] as const);
    return { version, entries: Object.fromEntries(values) };
  }

  /**
   * Writes shared state: all of the operations, in order, or none; at most 100.
   *
   * @example
   * ```ts
   * await rooms.room("chat:lobby").writeState([{ set: "topic", value: "tea" }, { delete: "draft" }]);
   * ```
   */
  writeState(ops: readonly ServerStateOp[], { signal }: Signalled = {}): Promise<StateVersion> {
    const body = { ops: ops.map((op) => ("set" in op ? { ...op, value: written(op.value) } : op)) };
    return this.#write("PATCH", "/state", body, signal);
  }

  /**
   * The room's life, log, occupancy and timers. Times are milliseconds since 1970.
   *
   * @example
   * ```ts
   * const { lifecycle, occupancy } = await rooms.room("chat:lobby").info();
   * ```
   */
  info({ signal }: Signalled = {}): Promise<RoomInfo> {
    return this.#get("", {}, signal);
  }

  /**
   * Ends the room: everyone is sent away for good, and all that it stored is gone.
   *
   * @example
   * ```ts
   * await rooms.room("chat:lobby").delete();
   * ```
   */
  async delete({ signal }: Signalled = {}): Promise<void> {
    await this.#write("DELETE", "", undefined, signal);
  }

  #invoked(method: string, args: unknown, signal: AbortSignal | undefined): Call {
    const path = this.#path(`/call/${encodeURIComponent(method)}`);
    return { method: "POST", path, body: written(args) ?? null, repeatable: false, signal };
  }

  #path(rest: string): string {
    return `/v1/rooms/${encodeURIComponent(this.name)}${rest}`;
  }

  #get<Answer>(
    rest: string,
    query: Record<string, string | number | boolean | undefined>,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    return this.#requests.ask({ method: "GET", path: this.#path(rest), query, repeatable: true, signal });
  }

  /** What would say something else the second time. */
  #write<Answer>(
    method: "PATCH" | "DELETE",
    rest: string,
    body: unknown,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    return this.#requests.ask({ method, path: this.#path(rest), body, repeatable: false, signal });
  }
}

/** @internal */
export async function publish(
  requests: Requests,
  path: string,
  type: string,
  data: unknown,
  { signal, ...options }: ServerPublishOptions,
): Promise<Published | void> {
  const body = publishBody({ type, data, ...options });
  const answer = await requests.ask<Published>({ method: "POST", path, body, repeatable: "key" in body, signal });
  return options.ephemeral === true ? undefined : answer;
}

/** @internal */
export function publishBody(message: Omit<BatchMessage, "room">): Record<string, unknown> {
  const { data, from, key, ...rest } = message;
  if (data === undefined) throw invalid("data", "is neither JSON nor a Uint8Array");
  const named = message.ephemeral === true ? key : (key ?? crypto.randomUUID());
  return {
    ...rest,
    data: written(data),
    ...(from && { from: "info" in from ? { ...from, info: written(from.info) } : from }),
    ...(named !== undefined && { key: named }),
  };
}

/** A publication as the client has it. */
function received(message: LoggedPublication): LoggedPublication {
  const from = message.from && readIn(message.from, "info");
  return { ...readIn(message, "data"), tags: message.tags ?? [], ephemeral: false, ...(from && { from }) };
}
