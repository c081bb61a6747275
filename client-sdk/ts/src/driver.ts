import { readBlock, type Block, type Command, type CoreEvent, type Output } from "./block.js";
import type { TokenFunction } from "./client.js";
import type { Core, Position } from "./core.js";
import { RoomcastError } from "./errors.js";
import type { StreamRoute } from "./stream_socket.js";
import type { WasmSource } from "./wasm.js";

/** What is needed of a WebSocket: the browser's, Node 22's, and npm's `ws` all have it. */
export interface WebSocketLike {
  binaryType: string;
  /** It may be sent to from now on. */
  onopen: ((event: any) => void) | null;
  /** `data` is a string or an `ArrayBuffer`. */
  onmessage: ((event: any) => void) | null;
  /** With `code` and `reason`; once, and also where it never opened. */
  onclose: ((event: any) => void) | null;
  /** Says nothing that the close does not say. */
  onerror: ((event: any) => void) | null;
  /** Sends a frame. */
  send(data: string | Uint8Array<ArrayBuffer>): void;
  /** Begins to close. */
  close(code?: number, reason?: string): void;
}

/** Makes a {@link WebSocketLike}. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

/** How a room reaches its deployment. */
export interface Route {
  address: string;
  token: TokenFunction | undefined;
  WebSocket: WebSocketConstructor | undefined;
  /** Whether HTTP is tried where WebSockets do not pass. */
  fallback: boolean;
  wasm: WasmSource | undefined;
}

/** What survives a reload of the page. */
export interface Survivor {
  /** The page is going, perhaps for good; or it stands still where it is. */
  keep(position: Position, isStill: boolean): void;
  /** It goes on after all. */
  release(): void;
}

/** Who hears of what the core tells. */
export interface Sink {
  heard(event: CoreEvent): void;
  /** The core cannot go on: its state is lost. */
  broke(error: unknown): void;
}

/** One input of the core, at a time. */
export type Step = (core: Core) => Uint8Array;

const nothing = (): void => {};

/**
 * Between the pure core and the platform: carries what happens to sockets, timers and the page in, and what the
 * core asks for out, in order. Decides nothing.
 */
export class Driver {
  readonly #core: Core;
  readonly #room: string;
  readonly #route: Route & { session: string };
  readonly #sink: Sink;
  readonly #outputs: Output[] = [];
  #applying = false;
  /** How the last socket by HTTP speaks. */
  #stream: StreamRoute | undefined;
  /** The attempt whose socket is being loaded. */
  #opening: number | undefined;
  #socket: { attempt: number; socket: WebSocketLike } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt: number | undefined;
  #turnEnds = false;
  #unlisten = nothing;
  readonly #survivor: Survivor | undefined;

  constructor(core: Core, room: string, route: Route & { session: string }, sink: Sink, survivor?: Survivor) {
    this.#survivor = survivor;
    this.#core = core;
    this.#room = room;
    this.#route = route;
    this.#sink = sink;
  }

  /** Starts to listen to the page's hints, which `rest` ends. */
  wake(): void {
    this.#unlisten();
    const survivor = this.#survivor;
    this.#unlisten = listenToHints((step) => this.run(step), {
      // A page that will not come back takes its session with it: leaving now spares the others a ghost for the grace.
      going: (forGood, isStill) => {
        if (survivor !== undefined) survivor.keep(readBlock(this.#core.position()), isStill);
        else if (forGood) this.run((core) => core.leave());
      },
      staying: () => survivor?.release(),
    });
  }

  rest(): void {
    this.#unlisten();
    this.#unlisten = nothing;
  }

  /**
   * @throws {RoomcastError} `invalid_argument`, where the core says that an argument is not of its shape.
   */
  run(step: Step): void {
    let block: Block;
    try {
      block = readBlock(step(this.#core));
    } catch (error) {
      this.#break(error);
      return;
    }
    if (block.wrong !== undefined) throw new RoomcastError("invalid_argument", block.wrong);
    // What a listener starts is applied behind what it was told of.
    this.#outputs.push(...(block.do ?? []));
    this.#schedule(block);
    if (this.#applying) return;
    this.#applying = true;
    try {
      for (let output = this.#outputs.shift(); output !== undefined; output = this.#outputs.shift()) {
        this.#apply(output);
      }
    } finally {
      this.#applying = false;
    }
  }

  #apply(output: Output): void {
    switch (output.t) {
      case "fetch":
        void this.#fetchToken(output.attempt);
        break;
      case "open":
        this.#open(output.attempt, output.token, output.http);
        break;
      case "send":
        this.#send(output);
        break;
      case "close":
        this.#close(output.code, output.reason);
        break;
      default:
        this.#sink.heard(output);
    }
  }

  #schedule({ at, turn }: Block): void {
    if (turn) {
      if (this.#turnEnds) return;
      this.#turnEnds = true;
      queueMicrotask(() => {
        this.#turnEnds = false;
        this.run((core) => core.timedOut());
      });
      return;
    }
    if (at === this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    if (at === undefined) return;
    this.#timer = setTimeout(() => {
      this.#timerAt = undefined;
      this.run((core) => core.timedOut());
    }, Math.max(0, at - performance.now()));
  }

  async #fetchToken(attempt: number): Promise<void> {
    let token: string;
    try {
      token = (await this.#route.token?.({ room: this.#room })) ?? "";
      if (!/^[\w.-]+$/.test(token)) throw new TypeError("the token function returned no token");
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#sink.heard({ t: "notice", code: "token_failed", message });
      if (error instanceof RoomcastError && !error.retryable) {
        this.run((core) => core.tokenRefused(attempt, error.code));
      } else {
        this.run((core) => core.tokenFailed(attempt));
      }
      return;
    }
    // Each request shows the token by itself, `auth` among them.
    if (this.#stream !== undefined) this.#stream.token = token;
    this.run((core) => core.tokenFetched(attempt, token));
  }

  #open(attempt: number, token: string | undefined, http: boolean): void {
    const closed = (code: number, reason: string): void => {
      this.run((core) => core.closed(attempt, code, reason));
    };
    if (http) {
      const { address, session } = this.#route;
      const stream = { address: address.replace(/^ws/, "http").replace(/connect$/, "stream"), token, session };
      this.#stream = stream;
      this.#opening = attempt;
      // Loaded where it is needed, which is seldom.
      import("./stream_socket.js").then(
        ({ StreamSocket }) => {
          // The core may have given it up by now.
          if (this.#opening !== attempt) return;
          this.#use(attempt, new StreamSocket(stream), closed);
        },
        () => closed(1006, ""),
      );
      return;
    }
    const protocols = ["roomcast.v1.msgpack"];
    if (token !== undefined) protocols.push(`roomcast.token.${token}`);
    let socket: WebSocketLike;
    try {
      // `Room.join` has made sure that there is one.
      socket = new this.#route.WebSocket!(this.#route.address, protocols);
    } catch (error) {
      this.#sink.heard({ t: "notice", code: "no_socket", message: String(error) });
      closed(1006, "");
      return;
    }
    this.#use(attempt, socket, closed);
  }

  #use(attempt: number, socket: WebSocketLike, closed: (code: number, reason: string) => void): void {
    this.#socket = { attempt, socket };
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.run((core) => core.opened(attempt));
    socket.onmessage = ({ data }: { data: string | ArrayBuffer }) => {
      this.run((core) =>
        typeof data === "string"
          ? core.receivedText(attempt)
          : core.received(attempt, new Uint8Array(data)),
      );
    };
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => closed(code, reason);
    // A close follows, and says more; `ws` throws where nobody listens.
    socket.onerror = nothing;
  }

  #send({ attempt, text, frame }: Extract<Command, { t: "send" }>): void {
    if (this.#socket?.attempt !== attempt) return;
    try {
      this.#socket.socket.send(text ?? (frame as Uint8Array<ArrayBuffer>));
    } catch {
      // A socket on its way out: its close event tells the core.
    }
  }

  #close(code: number, reason: string): void {
    this.#opening = undefined;
    const socket = this.#socket?.socket;
    if (socket === undefined) return;
    this.#socket = undefined;
    socket.onopen = socket.onmessage = socket.onclose = null;
    try {
      socket.close(code, reason);
    } catch {
      // Closed already.
    }
  }

  #break(error: unknown): void {
    this.#close(3001, "client broke");
    clearTimeout(this.#timer);
    this.rest();
    this.#outputs.length = 0;
    this.#sink.broke(error);
  }
}

/** Tells the core when the network comes and goes, and when the page comes to the front or thaws. */
function listenToHints(
  run: (step: Step) => void,
  life: { going(forGood: boolean, isStill: boolean): void; staying(): void },
): () => void {
  const page = globalThis as Partial<Pick<typeof globalThis, "addEventListener" | "document">>;
  if (typeof page.addEventListener !== "function") return nothing;
  const listening = new AbortController();
  const { signal } = listening;
  const seen = (): void => {
    if (page.document?.visibilityState !== "hidden") run((core) => core.visible());
  };
  page.addEventListener("online", () => run((core) => core.networkFound()), { signal });
  page.addEventListener("offline", () => run((core) => core.networkLost()), { signal });
  // A page that is put aside for the back button freezes too, and its session goes on in the next page.
  let isAside = false;
  const back = (): void => {
    isAside = false;
    life.staying();
    seen();
  };
  page.addEventListener("pageshow", back, { signal });
  const goes = (event: PageTransitionEvent): void => {
    isAside = true;
    life.going(!event.persisted, false);
  };
  page.addEventListener("pagehide", goes, { signal });
  page.document?.addEventListener("freeze", () => life.going(false, !isAside), { signal });
  page.document?.addEventListener("visibilitychange", seen, { signal });
  page.document?.addEventListener("resume", back, { signal });
  return () => listening.abort();
}
