/** One stay in one arena: the connection, what we know of the world, our seat in it. Draws nothing. */
import { readFrame, type Frame } from "./frame.js";
import type { Wish } from "./motion.js";
import { Prediction } from "./prediction.js";
import {
  RoomcastError,
  askForAll,
  openRoom,
  sendWish,
  type GameRoom,
  type Lobby,
  type Roomcast,
  type RoomStatus,
  type Seated,
} from "./roomcast.js";
import { Statistics } from "./statistics.js";
import { Timeline } from "./timeline.js";
import { View } from "./view.js";

/** A request for the whole world is not repeated sooner. */
const ASK_AGAIN_MS = 1_000;
/** A frame comes at least each second; without any for so long, the room does not hear us either. */
const SILENT_MS = 2_500;

export interface SessionListener {
  status(status: RoomStatus, failure: RoomcastError | undefined): void;
  /** Who sits where changed, or whether we do. */
  lobby(): void;
  frame(frame: Frame, before: { readonly buckets: readonly number[] }): void;
  /** The room said no. */
  refused(why: string): void;
}

const EMPTY: Lobby = { phase: "lobby", round: 0, seats: [], scores: [], winner: null };

export class Session {
  readonly view = new View();
  readonly prediction = new Prediction();
  readonly timeline = new Timeline();
  readonly statistics = new Statistics();
  readonly #room: GameRoom;
  readonly #listener: SessionListener;
  #wantsSeat: boolean;
  #seat: number | undefined;
  #askedAt = -ASK_AGAIN_MS;
  #heardAt = 0;

  constructor(client: Roomcast, id: string, wantsSeat: boolean, listener: SessionListener) {
    this.#room = openRoom(client, id);
    this.#wantsSeat = wantsSeat;
    this.#listener = listener;
    this.#room.on("status", (status) => this.#status(status));
    this.#room.on("frame", ({ data }) => this.#frame(data));
    this.#room.on("members", () => listener.lobby());
    this.#room.state.subscribe(() => this.#lobbyChanged());
  }

  get lobby(): Lobby {
    return this.#room.state.get<Lobby>("lobby") ?? EMPTY;
  }

  /** Which of the players we are, while the room takes our wishes. */
  get seat(): number | undefined {
    return this.#seat;
  }

  get me(): Seated | undefined {
    return this.lobby.seats.find(({ session }) => session === this.#room.me?.session);
  }

  get isConnected(): boolean {
    return this.#room.status === "connected";
  }

  /** Whether nothing comes, though the connection stands. */
  get isSilent(): boolean {
    return this.isConnected && performance.now() - this.#heardAt > SILENT_MS;
  }

  /** Members who have no seat. */
  get watchers(): number {
    const seated = new Set(this.lobby.seats.map(({ session }) => session));
    return this.#room.members.filter(({ session }) => !seated.has(session)).length;
  }

  enter(): void {
    // A refusal for good is told by the status too.
    this.#room.join().catch(() => undefined);
  }

  /** Leaves the arena, and the seat with it, until `enter`, which sits down again. */
  leave(): void {
    this.#getUp();
    void this.#room.leave();
  }

  get hasLeft(): boolean {
    return this.#room.status === "left";
  }

  async sit(): Promise<void> {
    this.#wantsSeat = true;
    const taken = await this.#ask(() => this.#room.call("sit", null));
    if (taken === undefined) return;
    this.prediction.reset();
    this.#seat = taken.seat;
    const standing = this.view.players.get(taken.seat);
    if (standing !== undefined) this.prediction.told({ ...standing, ack: 0 }, this.view.phase, this.view.tick);
    this.#listener.lobby();
  }

  async stand(): Promise<void> {
    this.#wantsSeat = false;
    await this.#ask(() => this.#room.call("stand", null));
    this.#getUp();
  }

  async ready(ready: boolean): Promise<void> {
    await this.#ask(() => this.#room.call("ready", { ready }));
  }

  /** Has so many bots of the room's own play with us. */
  async bots(count: number): Promise<void> {
    await this.#ask(() => this.#room.call("bots", { count }));
  }

  /** Lets time pass for our own player, and sends what it wants. */
  pass(ms: number, want: () => Wish): void {
    if (!this.isConnected || this.isSilent || this.#seat === undefined || !this.view.isWhole) return;
    this.prediction.pass(ms, this.view.phase, want, (number, wish) => sendWish(this.#room, number, wish));
  }

  #status(status: RoomStatus): void {
    // The room counts our wishes anew once we sit again, which is the same seat while its grace runs.
    this.#getUp();
    this.#heardAt = performance.now();
    if (status !== "connected") this.view.isWhole = false;
    else if (this.#wantsSeat) void this.sit();
    this.#listener.status(status, this.#room.failure);
  }

  #getUp(): void {
    this.#seat = undefined;
    this.prediction.reset();
    this.#listener.lobby();
  }

  #lobbyChanged(): void {
    if (this.#seat !== undefined && this.isConnected && this.me === undefined) {
      if (this.#wantsSeat) this.#listener.refused("You play in another tab or window now.");
      this.#wantsSeat = false;
      this.#getUp();
    }
    this.#listener.lobby();
  }

  #frame(bytes: Uint8Array): void {
    const now = performance.now();
    const frame = readFrame(bytes);
    this.#heardAt = now;
    const before = { buckets: this.view.buckets };
    const taken = this.view.apply(frame);
    this.statistics.heard(frame, bytes.length, taken, now);
    if (taken === "missing" && now - this.#askedAt > ASK_AGAIN_MS) {
      this.#askedAt = now;
      askForAll(this.#room);
    }
    if (taken !== "taken") return;
    this.timeline.take(frame, now);
    const own = this.#seat === undefined ? undefined : frame.players.find(({ seat }) => seat === this.#seat);
    if (own !== undefined) this.prediction.told(own, frame.phase, frame.tick);
    this.#listener.frame(frame, before);
  }

  async #ask<Result>(request: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await request();
    } catch (error) {
      // What a lost connection cut off is asked again once it is back.
      if (error instanceof RoomcastError && error.code !== "unavailable") this.#listener.refused(error.message);
      return undefined;
    }
  }
}
