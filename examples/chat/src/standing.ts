/**
 * What the room's logic keeps of the reader: how far it read, what is unread, whether it is muted. A room without that
 * logic answers `unsupported`; this browser then remembers by itself how far it read, and the rest is not offered.
 */
import type { Chat, Entered, Unread } from "./generated/chat.js";
import { RoomcastError, type ChatRoom } from "./roomcast.js";

const TELL_MS = 1_500;
/** No timer goes further. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export class Standing {
  readonly #room: ChatRoom;
  readonly #user: string;
  readonly #changed: () => void;
  #kept: Entered | undefined;
  #logic: "unknown" | "there" | "none" = "unknown";
  #told = 0;
  #head = 0;
  #timer: number | undefined;
  #unmuting: number | undefined;

  constructor(room: ChatRoom, user: string, changed: () => void, signal: AbortSignal) {
    this.#room = room;
    this.#user = user;
    this.#changed = changed;
    room.on("unread", ({ data }) => this.#unread(data), { signal });
    room.on("muted", ({ data }) => this.#muted(data.until), { signal });
    room.on("state", changed, { signal });
    signal.addEventListener("abort", () => {
      window.clearTimeout(this.#timer);
      window.clearTimeout(this.#unmuting);
    });
  }

  /** Whether the room has logic; unknown before it was asked. */
  get logic(): "unknown" | "there" | "none" {
    return this.#logic;
  }

  get isConnected(): boolean {
    return this.#room.status === "connected";
  }

  /** Up to where this user has read, in whatever tab; as it was last told. */
  get read(): number {
    return this.#kept?.unread.read ?? 0;
  }

  get people(): Entered["people"] {
    return this.#kept?.people ?? [];
  }

  get moderates(): boolean {
    return this.#kept?.moderator === true;
  }

  /** Of this user, by the room's clock; 0 where it may speak. */
  get mutedUntil(): number {
    const until = this.#kept?.muted_until ?? 0;
    return until > Date.now() ? until : 0;
  }

  get slowMs(): number {
    return this.#room.state.get("policy")?.slow_ms ?? 0;
  }

  /** After each welcome. How far the reader had read, where that is known. */
  async enter(): Promise<number | undefined> {
    try {
      this.#kept = await this.#room.call("enter", null);
      this.#logic = "there";
      this.#told = this.#kept.unread.read;
      // What was not told before the connection broke is to be told again.
      this.#head = Math.min(this.#head, this.#told);
      this.#muted(this.#kept.muted_until);
      return this.#told;
    } catch (error) {
      if (!isWithoutLogic(error)) throw error;
      this.#logic = "none";
      this.#changed();
      return this.#remembered();
    }
  }

  /** The reader has seen what is at that offset. Told soon, and once for many. */
  seen(offset: number): void {
    if (offset <= this.#head || offset <= this.#told) return;
    this.#head = offset;
    this.#timer ??= window.setTimeout(() => this.#tell(), TELL_MS);
  }

  #tell(): void {
    this.#timer = undefined;
    this.#told = this.#head;
    if (this.#logic === "none") return this.#remember(this.#head);
    // What is lost with its connection is told after the next welcome.
    this.#room.call("mark_read", { offset: this.#head }).catch(() => undefined);
  }

  /** Another tab or device of this user has read. */
  #unread(unread: Unread): void {
    if (this.#kept === undefined) return;
    this.#kept = { ...this.#kept, unread };
    this.#told = Math.max(this.#told, unread.read);
    this.#changed();
  }

  #muted(until: number): void {
    if (this.#kept !== undefined) this.#kept = { ...this.#kept, muted_until: until };
    window.clearTimeout(this.#unmuting);
    const left = until - Date.now();
    if (left > 0) this.#unmuting = window.setTimeout(() => this.#muted(until), Math.min(left, TIMER_MAX_MS));
    this.#changed();
  }

  /** Calls a method of the room's logic; what went wrong is thrown as something to read. */
  async ask<Method extends keyof Chat["methods"]>(
    method: Method,
    args: Chat["methods"][Method]["args"],
  ): Promise<Chat["methods"][Method]["result"]> {
    return this.#room.call(method, args);
  }

  #key(): string {
    return `roomcast-chat.read.${this.#user}.${this.#room.name}`;
  }

  #remembered(): number | undefined {
    try {
      const [offset] = JSON.parse(localStorage.getItem(this.#key()) ?? "[]") as unknown[];
      return typeof offset === "number" ? offset : undefined;
    } catch {
      return undefined;
    }
  }

  #remember(offset: number): void {
    try {
      localStorage.setItem(this.#key(), JSON.stringify([offset]));
    } catch {
      // Then the next visit does not know what is new.
    }
  }
}

export function isWithoutLogic(error: unknown): boolean {
  return error instanceof RoomcastError && (error.code === "unsupported" || error.code === "forbidden");
}
