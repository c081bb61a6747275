import type { BehaviorTypes, EventMap, MethodMap } from "../events.js";
import type {
  BatchAnswer,
  DisconnectedAnswer,
  Problem,
  RevocationAnswer,
  RevocationBody,
  RoomEntry,
  RoomsPage,
  TokenAnswer,
  TokenBody,
  Usage,
} from "../generated/http.js";
import type { Published } from "../generated/wire.js";
import { invalid, refused, type RoomcastHttpError } from "./errors.js";
import { Requests, type RoomcastServerOptions, type Signalled } from "./request.js";
import { publish, publishBody, ServerRoom, type BatchMessage, type ServerMethodsOf, type ServerPublishOptions } from "./room.js";

/** What became of one message of a batch; `published` is absent for an ephemeral. */
export type BatchOutcome = { ok: true; published?: Published } | { ok: false; error: RoomcastHttpError };

/** What a backend does to a user, wherever the user is. */
export interface ServerUsers {
  /**
   * Publishes into the room `user:<id>`, which that user alone may join.
   *
   * @example
   * ```ts
   * await rooms.users.publish("ada", "mail", { subject: "tea?" });
   * ```
   */
  publish(user: string, type: string, data: unknown, options?: ServerPublishOptions): Promise<Published | void>;
  /**
   * Sends the user away from every room of the tenant. The user may come back: see {@link RoomcastServer.revoke}.
   *
   * @example
   * ```ts
   * const { closed } = await rooms.users.disconnect("ada", { reason: "signed out" });
   * ```
   */
  disconnect(user: string, options?: { reason?: string } & Signalled): Promise<DisconnectedAnswer>;
}

/**
 * A deployment of Roomcast, as a backend with an API key sees it. Needs `fetch` and nothing else: Node from 20.3,
 * Workers, Deno, Bun. Bodies and answers have the names of the HTTP API.
 *
 * What may be asked twice without harm (reading, publishing under a key, sending away, revoking) is asked again when
 * the network fails or the gateway says 503; anything else fails with `outcome: "unknown"`.
 *
 * @example
 * ```ts
 * import { RoomcastServer } from "@roomcast/client/server";
 *
 * const rooms = new RoomcastServer({ url: "https://rooms.example", apiKey: process.env.ROOMCAST_API_KEY! });
 * await rooms.room("chat:lobby").publish("message", { text: "deployed" }, { from: { user: "ci" } });
 * ```
 */
export class RoomcastServer {
  /** What concerns a user rather than a room. */
  readonly users: ServerUsers;
  readonly #requests: Requests;

  /** @throws {RoomcastHttpError} `invalid_argument`, where `url` or `apiKey` cannot be one. */
  constructor(options: RoomcastServerOptions) {
    if (!/^https?:$/.test(protocolOf(options.url))) throw invalid("url", "is an http: or https: address");
    if (!/^rk_[^_\s]+_\S+$/.test(options.apiKey)) throw invalid("apiKey", "is rk_<id>_<secret>");
    const requests = new Requests(options);
    this.#requests = requests;
    this.users = {
      publish: (user, type, data, more = {}) =>
        publish(requests, `/v1/users/${encodeURIComponent(user)}/publish`, type, data, more),
      disconnect: (user, { signal, ...body } = {}) => {
        const path = `/v1/users/${encodeURIComponent(user)}/disconnect`;
        return requests.ask({ method: "POST", path, body, repeatable: true, signal });
      },
    };
  }

  /**
   * A room by its name. Asks nothing yet.
   *
   * @example
   * ```ts
   * const lobby = rooms.room<{ message: { text: string } }>("chat:lobby");
   * ```
   */
  room<Events extends EventMap = EventMap, Methods extends MethodMap = MethodMap>(
    name: string,
  ): ServerRoom<Events, Methods>;
  /**
   * A room of a behavior, typed by what `cargo xtask codegen` writes of it.
   *
   * @example
   * ```ts
   * const { votes } = await rooms.room<Poll>("poll:lunch").call("close", { reason: "time is up" });
   * ```
   */
  room<Types extends BehaviorTypes>(name: string): ServerRoom<Types["events"], ServerMethodsOf<Types>>;
  room(name: string): ServerRoom {
    return new ServerRoom(name, this.#requests);
  }

  /**
   * Publishes 1 to 100 messages at once, into any rooms. Resolves with an outcome for each, in their order: one that
   * fails keeps none from being published. Those of one room keep their order.
   *
   * @example
   * ```ts
   * const outcomes = await rooms.publishBatch([
   *   { room: "chat:a", data: { text: "hello" } },
   *   { room: "chat:b", data: { text: "hello" }, from: { user: "ci" } },
   * ]);
   * for (const outcome of outcomes) if (!outcome.ok) console.error(outcome.error.code);
   * ```
   */
  async publishBatch(messages: readonly BatchMessage[], { signal }: Signalled = {}): Promise<BatchOutcome[]> {
    const body = { messages: messages.map(({ room, ...message }) => ({ room, ...publishBody(message) })) };
    const repeatable = body.messages.every((message) => "key" in message);
    const { results } = await this.#requests.ask<BatchAnswer>({
      method: "POST",
      path: "/v1/publish",
      body,
      repeatable,
      signal,
    });
    return results.map((result) => {
      if ("error" in result) return { ok: false, error: refused(result.error as Problem, undefined) };
      return "offset" in result ? { ok: true, published: result as Published } : { ok: true };
    });
  }

  /**
   * The rooms that are occupied or have stored data, by name; pages are fetched as they are needed.
   *
   * @example
   * ```ts
   * for await (const { room, members } of rooms.rooms({ prefix: "chat:" })) console.log(room, members);
   * ```
   */
  async *rooms({ signal, ...query }: { prefix?: string; limit?: number } & Signalled = {}): AsyncGenerator<RoomEntry> {
    let cursor: string | undefined;
    do {
      const page: RoomsPage = await this.#requests.ask({
        method: "GET",
        path: "/v1/rooms",
        query: { ...query, cursor },
        repeatable: true,
        signal,
      });
      yield* page.rooms;
      cursor = page.next;
    } while (cursor !== undefined);
  }

  /**
   * Revokes tokens for `ttl` seconds: a user's, one by its `jti`, or with `issued_before` alone all of the tenant.
   * Live connections are closed; new ones and calls are refused.
   *
   * @example
   * ```ts
   * await rooms.revoke({ user: "mallory", ttl: 86_400 });
   * ```
   */
  revoke(tokens: RevocationBody, { signal }: Signalled = {}): Promise<RevocationAnswer> {
    return this.#requests.ask({ method: "POST", path: "/v1/revocations", body: tokens, repeatable: true, signal });
  }

  /**
   * A token for a user, signed by the gateway's own key and good for `ttl` seconds. A backend that has a token key
   * signs with {@link createToken} instead, which asks nobody.
   *
   * @example
   * ```ts
   * const { token } = await rooms.issueToken({ sub: "ada", rooms: { "chat:*": ["join", "publish"] }, ttl: 3_600 });
   * ```
   */
  issueToken(claims: TokenBody, { signal }: Signalled = {}): Promise<TokenAnswer> {
    return this.#requests.ask({ method: "POST", path: "/v1/tokens", body: claims, repeatable: true, signal });
  }

  /**
   * What the tenant uses, of each kind and together.
   *
   * @example
   * ```ts
   * const { total } = await rooms.usage();
   * console.log(total.connections, total.stored_bytes);
   * ```
   */
  usage({ signal }: Signalled = {}): Promise<Usage> {
    return this.#requests.ask({ method: "GET", path: "/v1/usage", repeatable: true, signal });
  }
}

function protocolOf(url: string | URL): string {
  try {
    return new URL(url).protocol;
  } catch {
    return "";
  }
}
