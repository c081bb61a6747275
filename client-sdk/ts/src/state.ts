import type { Core, Operation } from "./core.js";
import type { StateChange, StateEntry, StateVersion } from "./generated/wire.js";
import { Listeners } from "./listeners.js";
import { payload } from "./payload.js";
import type { Signalled } from "./options.js";

/** On which condition to write a key. */
export interface StateCondition {
  /** Only while the key has this version, 0 for absent; else the write is refused as `conflict`. */
  if?: number;
}

/** How to write a key. */
export interface StateSetOptions extends StateCondition {
  /** The key is this session's alone, and goes when the session does. */
  owned?: boolean;
}

/** One operation of a batch. */
export type StateOp = ({ set: string; value: unknown } & StateSetOptions) | ({ delete: string } & StateCondition);

type Request = (
  signal: AbortSignal | undefined,
  step: (core: Core, call: number) => Uint8Array,
) => Promise<StateVersion>;

/**
 * The room's shared state: a small map that all write and see, as the room last told it. Changes come as `state`
 * events, one's own among them. Bounds: 1,000 keys, 16 KiB a value, 1 MiB together.
 *
 * @example
 * ```ts
 * room.on("state", () => render(room.state.get("topic")));
 * await room.state.set("topic", "tea");
 * await room.state.set("cursor:ada", { x, y }, { owned: true });
 * ```
 */
export class RoomState<State extends object = object> {
  readonly #entries = new Map<string, StateEntry>();
  readonly #request: Request;
  readonly #listeners = new Listeners();
  #version = 0;

  /** @internal */
  constructor(request: Request) {
    this.#request = request;
  }

  /** The room's counter, which every write moves. */
  get version(): number {
    return this.#version;
  }

  /** How many keys there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** The value under a key. */
  get<Key extends keyof State & string>(key: Key): State[Key] | undefined;
  get<Value = unknown>(key: string): Value | undefined;
  get(key: string): unknown {
    return this.#entries.get(key)?.value;
  }

  /**
   * The value under a key with its version and its owner's session.
   *
   * @example
   * ```ts
   * const lock = room.state.entry("lock");
   * if (lock === undefined) await room.state.set("lock", "mine", { if: 0, owned: true });
   * ```
   */
  entry(key: string): StateEntry | undefined {
    return this.#entries.get(key);
  }

  /**
   * Calls `listener` after each change, of any key or of one, which it is given the value of (`undefined` once it is
   * deleted). Returns what ends it.
   *
   * @example
   * ```ts
   * const off = room.state.subscribe("topic", (topic) => (heading.textContent = String(topic ?? "")));
   * room.state.subscribe(() => render(Object.fromEntries(room.state.entries())));
   * ```
   */
  subscribe(listener: () => void, options?: Signalled): () => void;
  subscribe<Key extends keyof State & string>(
    key: Key,
    listener: (value: State[Key] | undefined) => void,
    options?: Signalled,
  ): () => void;
  subscribe<Value = unknown>(
    key: string,
    listener: (value: Value | undefined) => void,
    options?: Signalled,
  ): () => void;
  subscribe(...given: unknown[]): () => void {
    if (typeof given[0] === "function") {
      const [listener, options] = given as [() => void, Signalled?];
      return this.#listeners.add("", () => listener(), options?.signal);
    }
    const [key, listener, options] = given as [string, (value: unknown) => void, Signalled?];
    return this.#listeners.add(`=${key}`, listener, options?.signal);
  }

  /** Keys and values. */
  *entries(): IterableIterator<[string, unknown]> {
    for (const [key, { value }] of this.#entries) yield [key, value];
  }

  /**
   * Writes a key. Resolves once the room has it, with the key's new version.
   *
   * @example
   * ```ts
   * const { version } = await room.state.set("topic", "tea");
   * await room.state.set("topic", "coffee", { if: version });
   * ```
   */
  set(key: string, value: unknown, { signal, ...options }: StateSetOptions & Signalled = {}): Promise<StateVersion> {
    return this.batch([{ set: key, value, ...options }], { ...(signal && { signal }) });
  }

  /**
   * Deletes a key; one that is absent already is no error.
   *
   * @example
   * ```ts
   * await room.state.delete("topic");
   * ```
   */
  delete(key: string, { signal, ...options }: StateCondition & Signalled = {}): Promise<StateVersion> {
    return this.batch([{ delete: key, ...options }], { ...(signal && { signal }) });
  }

  /**
   * Does all of the operations, in order, or none; at most 100.
   *
   * @example
   * ```ts
   * await room.state.batch([{ set: "turn", value: "bob", if: 7 }, { delete: "draft" }]);
   * ```
   */
  async batch(ops: readonly StateOp[], { signal }: Signalled = {}): Promise<StateVersion> {
    // Read now, so that a caller who changes them while the request waits changes nothing.
    const written = ops.map((op): Operation => {
      const { if: expected } = op;
      if ("delete" in op) return { key: op.delete, value: undefined, expected, owned: false };
      const { set: key, owned = false } = op;
      return { key, value: payload(op.value, "value"), expected, owned };
    });
    return this.#request(signal, (core, call) => core.writeState(call, written));
  }

  /** @internal */
  apply({ version, ops }: StateChange): void {
    this.#version = version;
    for (const op of ops) {
      if ("delete" in op) {
        this.#entries.delete(op.delete);
      } else {
        const { set, ...entry } = op;
        this.#entries.set(set, entry);
      }
    }
    for (const op of ops) {
      const key = "delete" in op ? op.delete : op.set;
      this.#listeners.tell(`=${key}`, this.get(key));
    }
    if (ops.length > 0) this.#listeners.tell("", undefined);
  }
}
