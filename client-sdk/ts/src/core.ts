/**
 * The Wasm core as its driver speaks to it: each method is one input, written as `client-sdk/src/lib.rs` and
 * `fields.rs` read it, and returns the block of outputs that `block.ts` reads.
 */
import type { ClientCore } from "./client_sdk.js";

/** JSON's text, or bytes. */
export type Payload = string | Uint8Array;

/** What to do about an earlier publication. */
export type Amendment = { edit: Payload } | { remove: true } | { react: string; on: boolean };

/** An operation on shared state: a deletion, where there is no value. */
export interface Operation {
  key: string;
  value: Payload | undefined;
  expected: number | undefined;
  owned: boolean;
}

/** Where a client got to; empty before its first welcome. */
export interface Position {
  epoch?: string;
  offset?: number;
}

export interface Publish {
  type: string;
  data: Payload;
  tags: readonly string[];
  to: { users: readonly string[]; sessions: readonly string[]; connections: readonly string[] } | undefined;
  ephemeral: boolean;
  echo: boolean;
  key: string | undefined;
  conflate: string | undefined;
}

const encoder = new TextEncoder();
const empty = new Uint8Array();

/** So much text needs at most so much room: a UTF-16 unit has up to three bytes of UTF-8. */
const UTF8_MAX = 3;

/** The bytes with which a block begins, and above which its memory is not kept. */
const FEW = 1024;
const MANY = 65_536;

/** A block of fields under construction: one for all, since a new one for each input costs more than the core. */
class Fields {
  #bytes = new Uint8Array(FEW);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** What was written before has been read: the core copies it. */
  begin(): this {
    this.#length = 0;
    if (this.#bytes.length > MANY) this.#hold(FEW);
    return this;
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#bytes.length) return;
    const bytes = this.#bytes;
    this.#hold(2 * (this.#length + size));
    this.#bytes.set(bytes);
  }

  #hold(size: number): void {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  number(value: number | boolean = NaN): this {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, Number(value), true);
    this.#length += 8;
    return this;
  }

  blob(value?: Payload): this {
    this.#reserve(5 + (value === undefined ? 0 : typeof value === "string" ? UTF8_MAX * value.length : value.length));
    const start = this.#length + 5;
    if (value === undefined) {
      this.#bytes[this.#length++] = 0;
      return this;
    }
    this.#bytes[this.#length] = typeof value === "string" ? 1 : 2;
    let length = value.length;
    if (typeof value === "string") length = encoder.encodeInto(value, this.#bytes.subarray(start)).written;
    else this.#bytes.set(value, start);
    this.#view.setUint32(start - 4, length, true);
    this.#length = start + length;
    return this;
  }

  blobs(values: readonly string[]): this {
    this.number(values.length);
    for (const value of values) this.blob(value);
    return this;
  }

  done(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

const shared = new Fields();
const fields = (): Fields => shared.begin();

export class Core {
  readonly #core: ClientCore;

  constructor(core: ClientCore) {
    this.#core = core;
  }

  /** Whole, rounded up, so that a timer that fires on the dot is not early by a fraction. */
  #handle(input: number, number = 0, bytes: Uint8Array | Fields = empty): Uint8Array {
    const now = Math.ceil(performance.now());
    return this.#core.handle(now, input, number, bytes instanceof Fields ? bytes.done() : bytes);
  }

  /** First, and once. */
  begin(
    seed: number,
    room: string,
    session: string,
    hasToken: boolean,
    position: Position,
    rewind: number | undefined,
    tags: readonly string[],
    presence: Payload | undefined,
    members: boolean,
    fallback: boolean,
  ): Uint8Array {
    const written = fields().number(seed).blob(room).blob(session).number(hasToken);
    written.blob(position.epoch).number(position.offset).number(rewind).blobs(tags);
    return this.#handle(0, 0, written.blob(presence).number(members).number(fallback));
  }

  timedOut(): Uint8Array {
    return this.#handle(0);
  }

  join(): Uint8Array {
    return this.#handle(1);
  }

  leave(): Uint8Array {
    return this.#handle(2);
  }

  networkLost(): Uint8Array {
    return this.#handle(3);
  }

  networkFound(): Uint8Array {
    return this.#handle(4);
  }

  visible(): Uint8Array {
    return this.#handle(5);
  }

  cancel(call: number): Uint8Array {
    return this.#handle(6, call);
  }

  tokenFetched(attempt: number, token: string): Uint8Array {
    return this.#handle(7, attempt, fields().blob(token));
  }

  tokenFailed(attempt: number): Uint8Array {
    return this.#handle(8, attempt);
  }

  tokenRefused(attempt: number, reason: string): Uint8Array {
    return this.#handle(9, attempt, fields().blob(reason));
  }

  opened(attempt: number): Uint8Array {
    return this.#handle(10, attempt);
  }

  received(attempt: number, frame: Uint8Array): Uint8Array {
    return this.#handle(11, attempt, frame);
  }

  /** A text frame: a pong. */
  receivedText(attempt: number): Uint8Array {
    return this.#handle(12, attempt);
  }

  closed(attempt: number, code: number, reason: string): Uint8Array {
    return this.#handle(13, attempt, fields().number(code).blob(reason));
  }

  /** Changes nothing. */
  position(): Uint8Array {
    return this.#handle(14);
  }

  publish(call: number, publish: Publish): Uint8Array {
    const { type, data, tags, to, ephemeral, echo, key, conflate } = publish;
    const written = fields().blob(type).blob(data).blobs(tags).number(to !== undefined);
    if (to !== undefined) written.blobs(to.users).blobs(to.sessions).blobs(to.connections);
    return this.#handle(20, call, written.number(ephemeral).number(echo).blob(key).blob(conflate));
  }

  presence(call: number, data: Payload): Uint8Array {
    return this.#handle(21, call, fields().blob(data));
  }

  history(
    call: number,
    before: number | undefined,
    after: number | undefined,
    limit: number,
    tags: readonly string[],
  ): Uint8Array {
    return this.#handle(22, call, fields().number(before).number(after).number(limit).blobs(tags));
  }

  amend(call: number, offset: number, what: Amendment): Uint8Array {
    const written = fields().number(offset);
    if ("edit" in what) return this.#handle(23, call, written.blob(what.edit));
    if ("remove" in what) return this.#handle(24, call, written);
    return this.#handle(25, call, written.blob(what.react).number(what.on));
  }

  writeState(call: number, ops: readonly Operation[]): Uint8Array {
    const written = fields().number(ops.length);
    for (const { key, value, expected, owned } of ops) written.blob(key).number(expected).number(owned).blob(value);
    return this.#handle(26, call, written);
  }

  subscribe(call: number, tags: readonly string[]): Uint8Array {
    return this.#handle(27, call, fields().blobs(tags));
  }

  unsubscribe(call: number, tags: readonly string[]): Uint8Array {
    return this.#handle(28, call, fields().blobs(tags));
  }

  invoke(call: number, method: string, args: Payload): Uint8Array {
    return this.#handle(29, call, fields().blob(method).blob(args));
  }
}
