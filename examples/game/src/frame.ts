/** What the room tells us each tick, read from its bytes. `behavior/src/frame.rs` has the table of what is where. */
import type { Body } from "./motion.js";

export type Phase = "lobby" | "countdown" | "playing" | "finished";

const PHASES: readonly Phase[] = ["lobby", "countdown", "playing", "finished"];

export interface Standing {
  readonly seat: number;
  /** The lowest byte of the number of the last wish that the room granted. */
  readonly ack: number;
  readonly body: Readonly<Body>;
}

export interface Frame {
  /** Says all, rather than what changed since the frame before. */
  readonly full: boolean;
  readonly tick: number;
  /** Ticks since the frame before. */
  readonly since: number;
  readonly phase: Phase;
  /** Ticks until the phase is over; 0 where it has no end. */
  readonly left: number;
  readonly players: readonly Standing[];
  readonly gone: readonly number[];
  readonly buckets: readonly number[];
  /** Tile and paint: a seat plus one, or 0. */
  readonly tiles: readonly (readonly [number, number])[];
  /** By whom, and whom. */
  readonly bumps: readonly (readonly [number, number])[];
}

/** @throws {RangeError} where the bytes are no frame. */
export function readFrame(bytes: Uint8Array): Frame {
  const reader = new Reader(bytes);
  const frame: Frame = {
    full: reader.u8() === 1,
    tick: reader.u32(),
    since: reader.u8(),
    phase: PHASES[reader.u8()] ?? fail("there is no such phase"),
    left: reader.u16(),
    players: reader.list(reader.u8(), () => reader.standing()),
    gone: reader.list(reader.u8(), () => reader.u8()),
    buckets: reader.list(reader.u8(), () => reader.u16() & 1023),
    tiles: reader.list(reader.u16(), () => reader.tile()),
    bumps: reader.list(reader.u8(), () => [reader.u8(), reader.u8()] as const),
  };
  if (!reader.isAtEnd) fail("bytes are left over");
  return frame;
}

function fail(reason: string): never {
  throw new RangeError(`no frame: ${reason}`);
}

class Reader {
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#view.byteLength;
  }

  u8(): number {
    return this.#view.getUint8(this.#skip(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#skip(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#skip(4), true);
  }

  standing(): Standing {
    const [seat, ack, x, y] = [this.u8(), this.u8(), this.u16(), this.u16()];
    const [vx, vy] = [this.#i16(), this.#i16()];
    const [fx, fy] = [this.#i8(), this.#i8()];
    const [acts, cooldown, shield] = [this.u8(), this.u8(), this.u8()];
    this.u8();
    return { seat, ack, body: { x, y, vx, vy, fx, fy, dash: acts & 15, stun: acts >> 4, cooldown, shield } };
  }

  tile(): readonly [number, number] {
    const tile = this.u16();
    return [tile & 1023, tile >> 10];
  }

  list<T>(length: number, item: () => T): T[] {
    return Array.from({ length }, item);
  }

  #i16(): number {
    return this.#view.getInt16(this.#skip(2), true);
  }

  #i8(): number {
    return this.#view.getInt8(this.#skip(1));
  }

  #skip(count: number): number {
    this.#at += count;
    return this.#at - count;
  }
}
