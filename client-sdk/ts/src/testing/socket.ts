import type { WebSocketLike } from "../driver.js";

/** The server's side of a socket. */
export interface Line {
  /** A frame that the client sent. */
  received(frame: string | Uint8Array): void;
  /** The client has closed, with a code, or its network was lost. */
  closed(code: number): void;
}

/** A WebSocket that ends in this process. What either side does reaches the other in a microtask of its own. */
export class MemorySocket implements WebSocketLike {
  binaryType = "arraybuffer";
  onopen: ((event: object) => void) | null = null;
  onmessage: ((event: { data: string | ArrayBuffer }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: object) => void) | null = null;

  #line: Line | undefined;
  #isOver = false;

  /** Accepted: the client may send from now on. */
  open(line: Line): void {
    this.#line = line;
    this.#later(() => this.onopen?.({}));
  }

  /** As a gateway refuses what browsers could not read otherwise: accepted, and closed. */
  refuse(code: number, reason: string): void {
    this.#later(() => this.onopen?.({}));
    this.end(code, reason);
  }

  /** The server says this. */
  say(frame: string | Uint8Array): void {
    const data = typeof frame === "string" ? frame : (frame.slice().buffer as ArrayBuffer);
    this.#later(() => this.onmessage?.({ data }));
  }

  /** The server, or the network, ends it. */
  end(code: number, reason = ""): void {
    this.#later(() => {
      this.#isOver = true;
      this.onclose?.({ code, reason });
    });
  }

  send(frame: string | Uint8Array): void {
    const copy = typeof frame === "string" ? frame : frame.slice();
    this.#later(() => {
      // As the platform does, without waking anybody.
      if (copy === "ping") this.say("pong");
      else this.#line?.received(copy);
    });
  }

  close(code = 1005, reason = ""): void {
    this.#later(() => {
      this.#isOver = true;
      this.#line?.closed(code);
      this.onclose?.({ code, reason });
    });
  }

  #later(step: () => void): void {
    queueMicrotask(() => {
      if (!this.#isOver) step();
    });
  }
}
