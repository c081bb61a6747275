import { Roomcast, type RoomcastOptions } from "../client.js";
import type { WebSocketConstructor } from "../driver.js";
import { RoomcastError } from "../errors.js";
import type { EventMap, HistoryPage, Member } from "../events.js";
import type { Published, StateEntry } from "../generated/wire.js";
import { HostedRoom, type Verdict } from "./hosted.js";
import { MemorySocket } from "./socket.js";
import { loadRooms, type MemoryRoom } from "./wasm.js";

/** How the server is to be. */
export interface MemoryServerOptions {
  /**
   * The kinds of rooms, each as `[vars.roomcast.kinds.<name>]` in a deployment's `wrangler.toml`. Unless given there
   * are `chat`, `game` (a 50 ms flush), `live` (counts members) and `user`, without rates.
   */
  kinds?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** What a token says. */
export interface TokenClaims {
  /** What its bearer may do in every room; everything unless given. */
  capabilities?: readonly string[];
  /** Tags that the connection carries and cannot drop; at most 8. */
  tags?: readonly string[];
  /** The public profile that others see; at most 1 KiB. */
  info?: unknown;
  /** Milliseconds since 1970; an hour from now unless given. */
  expiresAt?: number;
}

/** How a backend publishes. */
export interface MemoryPublishOptions {
  tags?: readonly string[];
  to?: { users?: readonly string[]; sessions?: readonly string[] };
  /** In whose name; nobody's unless given. */
  from?: { user: string; info?: unknown };
  ephemeral?: boolean;
  key?: string;
}

/** What clients of a server that was stopped are told: final, and the application's own. */
const STOPPED = [4500, "stopped"] as const;

/** Whose connections. */
export type Whom = { user: string } | { session: string } | { connection: string };

const rates = { publish: "off", request: "off" };
const kindsUnlessGiven = {
  chat: { rates },
  game: { rates, flush: "50ms" },
  live: { rates, presence: { mode: "count" } },
  user: { rates },
};

/**
 * A server in this process. Its rooms keep their promises (order, presence, history, recovery, limits), since they are
 * the rooms of a deployment over storage in memory; the network can be taken away and given back.
 *
 * Time is `Date.now` and `setTimeout`, so that a test framework's clock is the server's too.
 *
 * @example
 * ```ts
 * const server = await MemoryServer.start();
 * const room = server.client("ada").room("chat:lobby");
 * await room.join();
 * await server.publish("chat:lobby", "message", { text: "deployed" }, { from: { user: "ci" } });
 * server.goOffline(); // room.status becomes "reconnecting"
 * server.goOnline(); // … and "connected", with what was missed
 * server.stop();
 * ```
 */
export class MemoryServer {
  /** What `new Roomcast` takes as `url`, beside {@link MemoryServer.WebSocket}. */
  readonly url = "http://memory.invalid";
  /** What `new Roomcast` takes as `WebSocket`: its sockets end here. */
  readonly WebSocket: WebSocketConstructor;

  readonly #Room: typeof MemoryRoom;
  readonly #kinds: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly #rooms = new Map<string, HostedRoom>();
  #network: "there" | "gone" | "stopped" = "there";

  private constructor(Room: typeof MemoryRoom, options: MemoryServerOptions) {
    this.#Room = Room;
    this.#kinds = options.kinds ?? kindsUnlessGiven;
    const accept = (socket: MemorySocket, url: string, protocols: string[]): void =>
      this.#accept(socket, url, protocols);
    this.WebSocket = class extends MemorySocket {
      constructor(url: string, protocols: string[]) {
        super();
        accept(this, url, protocols);
      }
    };
  }

  /**
   * Loads what a room is made of, once.
   *
   * @throws {RoomcastError} `invalid_argument` with the path of what is wrong in `kinds`.
   *
   * @example
   * ```ts
   * const server = await MemoryServer.start({ kinds: { chat: { presence: { grace: "1s" } } } });
   * ```
   */
  static async start(options: MemoryServerOptions = {}): Promise<MemoryServer> {
    const server = new MemoryServer(await loadRooms(), options);
    for (const kind of Object.keys(server.#kinds)) server.#make(`${kind}:checked`).stop(...STOPPED);
    return server;
  }

  /**
   * A client of this server, as that user.
   *
   * @example
   * ```ts
   * const reader = server.client("ada", { capabilities: ["join", "history"] });
   * ```
   */
  client(user: string, claims: TokenClaims = {}, options: Partial<RoomcastOptions> = {}): Roomcast {
    const token = (): string => this.token(user, claims);
    return new Roomcast({ url: this.url, WebSocket: this.WebSocket, fallback: false, token, ...options });
  }

  /**
   * A token that this server takes, and no other.
   *
   * @example
   * ```ts
   * const client = new Roomcast({ url: server.url, WebSocket: server.WebSocket, token: () => server.token("ada") });
   * ```
   */
  token(user: string, { capabilities = ["*"], tags = [], info, expiresAt }: TokenClaims = {}): string {
    const expires_at = expiresAt ?? Date.now() + 3_600_000;
    const claims = JSON.stringify({ user, capabilities, tags, info, expires_at, issued_at: Date.now() });
    const binary = String.fromCharCode(...new TextEncoder().encode(claims));
    return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  /**
   * Publishes as a backend does.
   *
   * @throws {RoomcastError} as the HTTP API refuses: `invalid_argument`, `too_large`, `conflict`, …
   *
   * @example
   * ```ts
   * const { offset } = await server.publish("chat:lobby", "message", { text: "hi" });
   * ```
   */
  async publish(room: string, type: string, data: unknown, options: MemoryPublishOptions = {}): Promise<Published> {
    const { tags = [], to, from, ephemeral = false, key } = options;
    const Publish = {
      data,
      kind: type,
      tags,
      to: to && { users: [], sessions: [], connections: [], ...to },
      ephemeral,
      author: from,
      key: key === undefined ? null : { scope: { ApiKey: "testing" }, key },
    };
    return this.#room(room).ask({ Publish });
  }

  /**
   * A page of a room's log, as a backend sees it: everything.
   *
   * @example
   * ```ts
   * const { messages } = await server.history("chat:lobby");
   * ```
   */
  async history<Events extends EventMap = EventMap>(
    room: string,
    options: { before?: number; after?: number; limit?: number; tags?: readonly string[] } = {},
  ): Promise<HistoryPage<Events>> {
    const { before, after, limit = 50, tags = [] } = options;
    return this.#room(room).ask({ Messages: { before, after, limit, tags, reader: "Service" } });
  }

  /**
   * Who is in a room: at most 500.
   *
   * @example
   * ```ts
   * const users = (await server.members("chat:lobby")).map(({ user }) => user);
   * ```
   */
  async members(room: string): Promise<readonly Member[]> {
    const page = await this.#room(room).ask<{ members: Member[] }>({ Members: { cursor: null, limit: 500 } });
    return page.members;
  }

  /**
   * What those in a room share.
   *
   * @example
   * ```ts
   * const { entries } = await server.state("game:1");
   * ```
   */
  async state(room: string): Promise<{ version: number; entries: Record<string, StateEntry> }> {
    return this.#room(room).ask("State");
  }

  /**
   * Ends connections for good, as a backend does, and their memberships; refuses the user for so long.
   *
   * @example
   * ```ts
   * await server.disconnect("chat:lobby", { user: "mallory" }, { reason: "enough", blockForMs: 60_000 });
   * ```
   */
  async disconnect(
    room: string,
    whom: Whom,
    { reason, blockForMs }: { reason?: string; blockForMs?: number } = {},
  ): Promise<{ closed: number }> {
    const named = Object.entries(whom).map(([key, value]) => [key[0]?.toUpperCase() + key.slice(1), value as string]);
    return this.#room(room).ask({
      Disconnect: { who: Object.fromEntries(named), reason: reason ?? null, block_ms: blockForMs ?? null },
    });
  }

  /** Deletes a room and all it stored; whoever is in it is told that it is gone. */
  async delete(room: string): Promise<void> {
    await this.#room(room).ask("Delete");
  }

  /** Every connection is lost, in one room or in all; clients come back by themselves. */
  cut(room?: string): void {
    for (const [name, hosted] of this.#rooms) {
      if (room === undefined || room === name) hosted.cut();
    }
  }

  /** The network goes: connections are lost, and no new one opens. */
  goOffline(): void {
    this.#network = "gone";
    this.cut();
  }

  /** The network is back. */
  goOnline(): void {
    this.#network = "there";
  }

  /**
   * The rooms lose their memory and are rebuilt from what they stored: as after sleep, where connections do not notice;
   * or as after a fault, where clients reconnect and are told.
   */
  restart({ afterFault = false } = {}): void {
    for (const hosted of this.#rooms.values()) hosted.restart(afterFault);
  }

  /** Ends everything: its clients fail for good, and keep no process alive. The server is of no use afterwards. */
  stop(): void {
    this.#network = "stopped";
    for (const hosted of this.#rooms.values()) hosted.stop(...STOPPED);
    this.#rooms.clear();
  }

  #room(name: string): HostedRoom {
    let hosted = this.#rooms.get(name);
    if (hosted === undefined) {
      if (this.#kindOf(name) === undefined) throw new RoomcastError("unknown_kind", `no kind of room is called so: ${name}`);
      hosted = this.#make(name);
      this.#rooms.set(name, hosted);
    }
    return hosted;
  }

  #kindOf(name: string): Readonly<Record<string, unknown>> | undefined {
    return this.#kinds[name.slice(0, name.indexOf(":"))];
  }

  #make(name: string): HostedRoom {
    const configuration = JSON.stringify({ kinds: this.#kinds });
    const seed = Math.random() * 2 ** 52;
    try {
      return new HostedRoom(new this.#Room(Date.now(), seed, name, configuration), read);
    } catch (error) {
      throw typeof error === "string" ? new RoomcastError("invalid_argument", error) : error;
    }
  }

  #accept(socket: MemorySocket, url: string, protocols: string[]): void {
    if (this.#network === "gone") return socket.end(1006);
    if (this.#network === "stopped") return socket.refuse(...STOPPED);
    const name = new URL(url).pathname.split("/")[3] ?? "";
    const kind = this.#kindOf(name);
    if (kind === undefined) return socket.refuse(3507, "unknown_kind");
    if (kind["access"] === "service") return socket.refuse(3503, "forbidden");
    const prefix = "roomcast.token.";
    const token = protocols.find((protocol) => protocol.startsWith(prefix))?.slice(prefix.length);
    const verdict = token === undefined ? withoutToken(kind) : read(token);
    if ("refusal" in verdict) {
      const isExpired = verdict.refusal === "token_expired";
      return socket.refuse(isExpired ? 3010 : 3501, verdict.refusal);
    }
    const { capabilities } = JSON.parse(verdict.claims) as { capabilities: string[] };
    if (!capabilities.includes("*") && !capabilities.includes("join")) return socket.refuse(3503, "forbidden");
    this.#room(name).connect(socket, protocols.includes("roomcast.v1.json"), verdict.claims);
  }
}

/** What a token of {@link MemoryServer.token} is worth. */
function read(token: string): Verdict {
  try {
    const binary = atob(token.replace(/-/g, "+").replace(/_/g, "/"));
    const claims = new TextDecoder().decode(Uint8Array.from(binary, (letter) => letter.charCodeAt(0)));
    const { expires_at } = JSON.parse(claims) as { expires_at: number };
    return expires_at <= Date.now() ? { refusal: "token_expired" } : { claims };
  } catch {
    return { refusal: "unauthorized" };
  }
}

function withoutToken(kind: Readonly<Record<string, unknown>>): Verdict {
  if (kind["access"] !== "public") return { refusal: "unauthorized" };
  const capabilities = kind["default_capabilities"] ?? ["join", "publish", "presence", "history"];
  return { claims: JSON.stringify({ user: null, capabilities }) };
}
