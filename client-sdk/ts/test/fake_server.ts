import assert from "node:assert/strict";
import { Roomcast, type Room, type RoomcastOptions } from "@roomcast/client";
import { decodeAll, encode } from "./msgpack.js";

type Message = Record<string, unknown>;

/** A WebSocket whose other end is the test. */
export class FakeSocket {
  static opened: FakeSocket[] = [];

  binaryType = "blob";
  onopen: ((event: object) => void) | null = null;
  onmessage: ((event: { data: string | ArrayBuffer }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: object) => void) | null = null;
  readonly frames: (string | Uint8Array)[] = [];
  closed: { code: number | undefined; reason: string | undefined } | undefined;

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {
    FakeSocket.opened.push(this);
  }

  send(frame: string | Uint8Array): void {
    this.frames.push(typeof frame === "string" ? frame : frame.slice());
  }

  close(code?: number, reason?: string): void {
    this.closed = { code, reason };
  }

  open(): void {
    this.onopen?.({});
  }

  /** Says several messages in one frame. */
  say(...messages: Message[]): void {
    const parts = messages.map((message) => encode(message));
    const frame = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      frame.set(part, at);
      at += part.length;
    }
    this.onmessage?.({ data: frame.buffer });
  }

  end(code: number, reason = ""): void {
    this.onclose?.({ code, reason });
  }

  /** What the client said since last asked. */
  heard(): Message[] {
    const frames = this.frames.splice(0);
    return frames.flatMap((frame) => (typeof frame === "string" ? [] : decodeAll(frame)));
  }
}

/** Waits until `condition` holds, and no longer than a deadline. */
export async function until<Value>(condition: () => Value | undefined | false): Promise<Value> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const value = condition();
    if (value !== undefined && value !== false) return value;
    assert(performance.now() < deadline, `never came: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

export function client(options: Partial<RoomcastOptions> = {}): Roomcast {
  FakeSocket.opened = [];
  return new Roomcast({ url: "https://rooms.example", WebSocket: FakeSocket, fallback: false, ...options });
}

export async function nextSocket(): Promise<FakeSocket> {
  return until(() => FakeSocket.opened.shift());
}

export const epoch = "00000000000000ab";

export function welcome(more: Message = {}): Message {
  return {
    t: "welcome",
    connection: "00000000000abc",
    session: "abcdefghijklmnop",
    user: "ada",
    room: "chat:lobby",
    kind: "chat",
    epoch,
    offset: 10,
    recovered: false,
    publications: [],
    occupancy: { members: 1, users: 1 },
    tags: [],
    state: { version: 0, entries: {} },
    limits: { payload_bytes: 65536, presence_bytes: 2048, tags: 32, frame_bytes: 1114112, key_window_ms: 300000 },
    server_time: 1,
    ...more,
  };
}

export function publication(offset: number, data: unknown = '{"text":"x"}', more: Message = {}): Message {
  return { t: "publication", offset, time: 5, type: "message", data, ...more };
}

const joinedRooms: { leave(): Promise<void> }[] = [];

/** Joins with the server's help, and gives the socket; `hello` is taken from it. */
export async function join(room: Room<any, any>, more: Message = {}): Promise<FakeSocket> {
  joinedRooms.push(room);
  const joined = room.join();
  const socket = await nextSocket();
  socket.open();
  socket.say(welcome(more));
  await joined;
  socket.heard();
  return socket;
}

/** Ends what would keep the process alive. */
export function endAll(): void {
  for (const room of joinedRooms.splice(0)) void room.leave();
}
