import { RoomcastError } from "../errors.js";
import type { ErrorCode } from "../generated/wire.js";
import type { MemorySocket } from "./socket.js";
import type { MemoryRoom } from "./wasm.js";

/** What the room wants done: see the crate `client-testing`. */
type Told =
  | ["send", string[], string | Uint8Array]
  | ["close", string, number, string]
  | ["answer", number, string | null, string | null]
  | ["verify", string, number, string];

interface Waiting {
  resolve(result: unknown): void;
  reject(error: RoomcastError): void;
}

/** Claims in one room as JSON, or why there are none. */
export type Verdict = { claims: string } | { refusal: string };

/** A room, its sockets and its timer: what the platform is to a room of a deployment. */
export class HostedRoom {
  readonly #room: MemoryRoom;
  readonly #verify: (token: string) => Verdict;
  readonly #sockets = new Map<string, MemorySocket>();
  readonly #waiting = new Map<number, Waiting>();
  #requests = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(room: MemoryRoom, verify: (token: string) => Verdict) {
    this.#room = room;
    this.#verify = verify;
  }

  connect(socket: MemorySocket, isJson: boolean, claims: string): void {
    // 14 hex digits below 2^53.
    const connection = Math.floor(Math.random() * 2 ** 53).toString(16).padStart(14, "0");
    this.#sockets.set(connection, socket);
    socket.open({
      received: (frame) => {
        if (!this.#sockets.has(connection)) return;
        this.#step((room, now) =>
          typeof frame === "string"
            ? room.receive_text(now, connection, frame)
            : room.receive(now, connection, frame),
        );
      },
      closed: (code) => this.#lose(connection, code),
    });
    this.#step((room, now) => room.open(now, connection, isJson, claims));
  }

  /** Asks as a backend does; `call` is the Rust crate's `RoomCall`. */
  ask<Result>(call: unknown): Promise<Result> {
    const request = ++this.#requests;
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.set(request, { resolve: resolve as (result: unknown) => void, reject });
      this.#step((room, now) => room.ask(now, request, JSON.stringify(call)));
    });
  }

  /** Each connection is lost, as by a network that went. */
  cut(): void {
    for (const [connection, socket] of [...this.#sockets]) {
      socket.end(1006);
      this.#lose(connection, 1006);
    }
  }

  restart(afterFault: boolean): void {
    this.#step((room, now) => room.restart(now, afterFault));
  }

  /** For good, with this code. */
  stop(code: number, reason: string): void {
    for (const socket of this.#sockets.values()) socket.end(code, reason);
    this.#sockets.clear();
    clearTimeout(this.#timer);
    this.#room.free();
  }

  #lose(connection: string, code: number): void {
    if (!this.#sockets.delete(connection)) return;
    this.#step((room, now) => room.closed(now, connection, code));
  }

  #step(step: (room: MemoryRoom, now: number) => unknown[]): void {
    const told = step(this.#room, Date.now()) as Told[];
    for (const one of told) this.#apply(one);
    this.#schedule();
  }

  #apply(told: Told): void {
    switch (told[0]) {
      case "send":
        for (const connection of told[1]) this.#sockets.get(connection)?.say(told[2]);
        break;
      case "close":
        this.#sockets.get(told[1])?.end(told[2], told[3]);
        this.#sockets.delete(told[1]);
        break;
      case "answer":
        this.#answer(told[1], told[2], told[3]);
        break;
      case "verify": {
        const [, connection, request, token] = told;
        const verdict = this.#verify(token);
        const [claims, refusal] = "claims" in verdict ? [verdict.claims, ""] : [undefined, verdict.refusal];
        this.#step((room, now) => room.verified(now, connection, request, claims, refusal));
      }
    }
  }

  #answer(request: number, result: string | null, error: string | null): void {
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    if (error === null) {
      waiting?.resolve(JSON.parse(result ?? "null"));
    } else {
      const { code, message } = JSON.parse(error) as { code: ErrorCode; message: string };
      waiting?.reject(new RoomcastError(code, message));
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const due = this.#room.due();
    if (due === undefined) return;
    // A room may sleep for days, and `setTimeout` counts no further than 2^31.
    const wait = Math.min(Math.max(0, due - Date.now()), 2 ** 31 - 1);
    this.#timer = setTimeout(() => this.#step((room, now) => room.wake(now)), wait);
    // Where there is such a thing (Node), a room that waits keeps no process alive.
    (this.#timer as { unref?: () => void }).unref?.();
  }
}
