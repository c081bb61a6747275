import type { WebSocketConstructor } from "./driver.js";
import { RoomcastError } from "./errors.js";
import type { BehaviorTypes, EventMap, MethodMap } from "./events.js";
import type { RoomOptions } from "./options.js";
import { Room, type RoomOf } from "./room.js";
import type { WasmSource } from "./wasm.js";

/**
 * Asks your backend for a token. Called anew for each connection, and a minute before the token of a live one ends:
 * the newer one takes its place without a gap. What it throws is retried with backoff, unless it is a
 * {@link RoomcastError} that is not `retryable`: then the room fails, as soon as it has no token any more.
 */
export type TokenFunction = (request: { room: string }) => string | Promise<string>;

/** Where the rooms are, and how to get in. */
export interface RoomcastOptions {
  /** The deployment's origin: `https://rooms.example`, or with `http:`, `ws:`, `wss:`. */
  url: string | URL;
  /** Absent for kinds of rooms that are public. */
  token?: TokenFunction;
  /** `globalThis.WebSocket` unless given. Node 20 has none: pass the one of npm's `ws`. */
  WebSocket?: WebSocketConstructor;
  /**
   * `false`: rooms are reached by WebSocket or not at all. Otherwise, where two upgrades came to nothing and HTTP passes,
   * by server-sent events and requests.
   */
  fallback?: boolean;
  /** Where the Wasm module is, where it is not beside this package's JavaScript. The first room's choice counts. */
  wasm?: WasmSource;
}

/**
 * A deployment of Roomcast, as seen from here. Opens nothing by itself: rooms do, when they are joined.
 *
 * @example
 * ```ts
 * const client = new Roomcast({
 *   url: "https://rooms.example",
 *   token: async ({ room }) => (await fetch(`/token?room=${room}`)).text(),
 * });
 * ```
 *
 * @example Node 20
 * ```ts
 * import { WebSocket } from "ws";
 * const client = new Roomcast({ url: "http://127.0.0.1:8787", WebSocket });
 * ```
 */
export class Roomcast {
  readonly #options: RoomcastOptions;
  readonly #origin: string;

  constructor(options: RoomcastOptions) {
    this.#options = options;
    this.#origin = socketOrigin(options.url);
  }

  /**
   * A room by its name, not yet joined. Each call makes a session of its own, as another tab would.
   *
   * @example
   * ```ts
   * const room = client.room<{ message: { text: string } }>("chat:lobby", { rewind: 50 });
   * ```
   */
  room<Events extends EventMap = EventMap, Presence = unknown, Methods extends MethodMap = MethodMap>(
    name: string,
    options?: RoomOptions<Presence>,
  ): Room<Events, Presence, Methods>;
  /**
   * A room of a behavior, typed by what `cargo xtask codegen` writes of it.
   *
   * @example
   * ```ts
   * const room = client.room<Dice>("dice:table-1");
   * ```
   */
  room<Types extends BehaviorTypes>(name: string, options?: RoomOptions<Types["presence"]>): RoomOf<Types>;
  room(name: string, options: RoomOptions<unknown> = {}): Room {
    if (!/^[a-z][a-z0-9-]{0,31}:[A-Za-z0-9._~-]{1,128}$/.test(name)) {
      const message = "a room is kind:id, kind [a-z][a-z0-9-]{0,31}, id [A-Za-z0-9._~-]{1,128}";
      throw new RoomcastError("invalid_argument", message, { details: [{ path: "room", message }] });
    }
    return new Room(name, options, {
      address: `${this.#origin}/v1/rooms/${name}/connect`,
      token: this.#options.token,
      WebSocket: this.#options.WebSocket ?? (globalThis.WebSocket as WebSocketConstructor | undefined),
      fallback: this.#options.fallback ?? true,
      wasm: this.#options.wasm,
    });
  }
}

function socketOrigin(url: string | URL): string {
  const { protocol, host, pathname } = new URL(url);
  const scheme = { "http:": "ws:", "https:": "wss:", "ws:": "ws:", "wss:": "wss:" }[protocol];
  if (scheme === undefined) {
    throw new RoomcastError("invalid_argument", `url: ${protocol} is none of http, https, ws, wss`);
  }
  return `${scheme}//${host}${pathname.replace(/\/+$/, "")}`;
}
