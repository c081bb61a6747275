import type { WebSocketLike } from "./driver.js";

/** Where a room is spoken to by HTTP alone, and as whom. */
export interface StreamRoute {
  /** `https://host/v1/rooms/{room}/stream`. */
  address: string;
  /** The newest there is: what is said later is said with it. */
  token: string | undefined;
  /** The secret one of the client's hello. */
  session: string;
}

/** A comment comes every 15 s: a stream that brought nothing for longer may be dead. */
const SILENCE_MS = 17_000;

/** What was not heard by then was not: those behind it shall not wait for ever. */
const SAID_WITHIN_MS = 15_000;

/** The close codes of refusals, as an upgrade would have had them. */
const closeCodes: Readonly<Record<string, number>> = {
  bad_room_name: 3500,
  unauthorized: 3501,
  forbidden: 3503,
  revoked: 3504,
  blocked: 3505,
  room_full: 3506,
  unknown_kind: 3507,
  token_expired: 3010,
  rate_limited: 3004,
  overloaded: 3004,
  unavailable: 3004,
};

/**
 * What a client uses where WebSockets do not pass: frames come as server-sent events, and go as requests, one after
 * another. Has the face of a WebSocket, so that the core need not know.
 */
export class StreamSocket implements WebSocketLike {
  binaryType = "arraybuffer";
  onopen: ((event: object) => void) | null = null;
  onmessage: ((event: { data: string | ArrayBuffer }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: object) => void) | null = null;

  readonly #route: StreamRoute;
  readonly #ending = new AbortController();
  readonly #waiting: Uint8Array[] = [];
  #connection: string | undefined;
  #isOpening = false;
  #isSaying = false;
  #isOver = false;
  #heardAt = 0;

  constructor(route: StreamRoute) {
    this.#route = route;
    queueMicrotask(() => {
      if (!this.#isOver) this.onopen?.({});
    });
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (typeof data !== "string") {
      this.#waiting.push(data.slice());
      void this.#proceed();
    } else if (performance.now() - this.#heardAt < SILENCE_MS) {
      // A ping: the gateway asks the room itself, and says every 15 s that it is there.
      queueMicrotask(() => this.#hear("pong"));
    }
  }

  /** Ends the stream. What was said before, a `leave` above all, still goes out. */
  close(): void {
    this.#isOver = true;
    this.#ending.abort();
  }

  async #proceed(): Promise<void> {
    if (this.#isSaying) return;
    if (this.#connection === undefined) {
      if (!this.#isOpening) await this.#open();
      return;
    }
    this.#isSaying = true;
    try {
      while (this.#waiting.length > 0) {
        const more = { connection: this.#connection, session: this.#route.session };
        const said = await this.#post(more, AbortSignal.timeout(SAID_WITHIN_MS));
        await said.arrayBuffer();
        if (!said.ok) return this.#end(1006, "");
      }
    } catch {
      this.#end(1006, "");
    } finally {
      this.#isSaying = false;
    }
  }

  async #open(): Promise<void> {
    this.#isOpening = true;
    try {
      const answer = await this.#post({}, this.#ending.signal);
      if (!answer.ok || answer.body === null) {
        const { code = "" } = (await answer.json()) as { code?: string };
        return this.#end(closeCodes[code] ?? 1006, code);
      }
      const reader = answer.body.getReader();
      const decoder = new TextDecoder();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        this.#heardAt = performance.now();
        const blocks = (text + decoder.decode(value, { stream: true })).split("\n\n");
        text = blocks.pop() ?? "";
        for (const block of blocks) this.#event(block);
      }
    } catch {
      // Said below.
    }
    this.#end(1006, "");
  }

  /** Everything that waits goes as one frame: its messages are values one after another. */
  #post(more: { connection?: string; session?: string }, signal: AbortSignal): Promise<Response> {
    const frames = this.#waiting.splice(0);
    let binary = "";
    for (const frame of frames) for (const byte of frame) binary += String.fromCharCode(byte);
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (this.#route.token !== undefined) headers["authorization"] = `Bearer ${this.#route.token}`;
    const body = JSON.stringify({ frame: btoa(binary), ...more });
    return fetch(this.#route.address, { method: "POST", headers, body, signal });
  }

  #event(block: string): void {
    const name = /^event: (.*)$/m.exec(block)?.[1];
    const data = /^data: (.*)$/m.exec(block)?.[1] ?? "";
    if (name === "frame") {
      this.#hear(Uint8Array.from(atob(JSON.parse(data) as string), (letter) => letter.charCodeAt(0)).buffer);
    } else if (name === "open") {
      this.#connection = (JSON.parse(data) as { connection: string }).connection;
      void this.#proceed();
    } else if (name === "close") {
      const { code, reason } = JSON.parse(data) as { code: number; reason: string };
      this.#end(code, reason);
    }
  }

  #hear(data: string | ArrayBuffer): void {
    if (!this.#isOver) this.onmessage?.({ data });
  }

  #end(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ending.abort();
    this.onclose?.({ code, reason });
  }
}
