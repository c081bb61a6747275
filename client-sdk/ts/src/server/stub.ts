import type { BehaviorTypes, Given, MethodMap, StreamNames } from "../events.js";
import { invalid } from "./errors.js";
import { Requests, type Signalled } from "./request.js";
import { ROOM, type ServerMethodsOf } from "./room.js";
import { read, written } from "./payload.js";

/** A binding of the class `Room`, as Workers have it by `script_name`. */
export interface RoomNamespace {
  /** The object of that name, which is made where it is not. */
  getByName(name: string, options?: { locationHint?: string }): RoomObject;
  /** The same class, within a jurisdiction. */
  jurisdiction?(name: string): RoomNamespace;
}

/** What a binding gives for a name. */
export interface RoomObject {
  /** Asks the object. */
  fetch: typeof fetch;
}

/** Which room, and where. */
export interface RoomStubOptions {
  /** Whose room it is: `default` unless given. */
  tenant?: string;
  /** Where the platform should make a room that was never used: `weur`, `enam`, …. */
  locationHint?: string;
  /**
   * Where the room runs and stores alone, such as `eu`. It is another than that of the same name outside, and the
   * gateway does not reach it.
   */
  jurisdiction?: string;
  /** How long to wait for each answer, in milliseconds; 15,000 unless given. */
  timeoutMs?: number;
}

const TENANT = /^[a-z0-9-]{1,64}$/;

/** A room, as a Worker that is bound to it calls it. Made by {@link roomStub}. */
export class RoomStub<Methods extends MethodMap = MethodMap> {
  /** `kind:id`. */
  readonly name: string;
  readonly #requests: Requests;

  /** @internal */
  constructor(name: string, requests: Requests) {
    this.name = name;
    this.#requests = requests;
  }

  /**
   * Calls a method of the room's logic as a service, and resolves with its result. Never asked twice by itself.
   *
   * @example
   * ```ts
   * const tally = await roomStub<Poll>(env.ROOMS, "poll:lunch").call("vote", { option: 1 });
   * ```
   */
  async call<Method extends keyof Methods & string>(
    method: Method,
    ...[args = null, { signal } = {}]: Given<Methods[Method]["args"], Signalled>
  ): Promise<Methods[Method]["result"]> {
    return read(await this.#requests.ask(invoked(method, args, signal)));
  }

  /**
   * Calls a method when it is first read from, and gives what it streams; its result is what the iterator returns.
   *
   * @example
   * ```ts
   * for await (const { user } of roomStub<Poll>(env.ROOMS, "poll:lunch").stream("votes")) console.log(user);
   * ```
   */
  stream<Method extends StreamNames<Methods> & string>(
    method: Method,
    ...[args = null, { signal } = {}]: Given<Methods[Method]["args"], Signalled>
  ): AsyncGenerator<Methods[Method]["item"], Methods[Method]["result"], void> {
    return this.#requests.lines(invoked(method, args, signal));
  }
}

/**
 * A room by its name, for a Worker that binds the class `Room` of a deployment (`script_name` in its
 * `wrangler.toml`). Asks nothing yet. A room of which there is one has a name that everyone knows; one that is unlike
 * all others has a random one (`poll:${crypto.randomUUID()}`).
 *
 * Errors are as {@link RoomcastHttpError} has them: `not_found` and `unsupported` where there is no such method,
 * `invalid_argument` with a path, `method_failed` with the method's own error as `data`, and `retryable` for what may
 * be tried again: `overloaded`, and `unavailable`, after which nobody knows whether the method ran.
 *
 * @example
 * ```ts
 * const poll = roomStub<Poll>(env.ROOMS, "poll:lunch");
 * await poll.call("open", { question: "Lunch?", options: ["soup", "salad"], seconds: 3_600 });
 * ```
 *
 * @throws {RoomcastHttpError} `invalid_argument`, for what is no room's or no tenant's name.
 */
export function roomStub<Types extends BehaviorTypes>(
  namespace: RoomNamespace,
  name: string,
  { tenant = "default", locationHint, jurisdiction, timeoutMs }: RoomStubOptions = {},
): RoomStub<ServerMethodsOf<Types>> {
  if (!ROOM.test(name)) throw invalid("name", "is kind:id, kind [a-z][a-z0-9-]{0,31}, id [A-Za-z0-9._~-]{1,128}");
  if (!TENANT.test(tenant)) throw invalid("tenant", "is [a-z0-9-]{1,64}");
  const within = jurisdiction === undefined ? namespace : namespace.jurisdiction?.(jurisdiction);
  if (within === undefined) throw invalid("jurisdiction", "is not of this platform");
  const object = within.getByName(`${tenant}/${name}`, ...(locationHint === undefined ? [] : [{ locationHint }]));
  const ask: typeof fetch = (address, init) => object.fetch(address, init);
  const requests = new Requests({ url: "https://room", fetch: ask, ...(timeoutMs !== undefined && { timeoutMs }) });
  return new RoomStub(name, requests);
}

function invoked(method: string, args: unknown, signal: AbortSignal | undefined): Parameters<Requests["ask"]>[0] {
  return { method: "POST", path: `/call/${method}`, body: written(args) ?? null, repeatable: false, signal };
}
