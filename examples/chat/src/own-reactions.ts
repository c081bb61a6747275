/**
 * Which reactions are the reader's own, also where so many reacted that the room no longer names each of them
 * (20 users a reaction).
 */
import type { SentEntry } from "./roomcast.js";

const KEPT_MAX = 1_000;

export class OwnReactions {
  readonly #user: string;
  /** By offset and name: what the reader did last. */
  readonly #known = new Map<string, boolean>();

  constructor(user: string) {
    this.#user = user;
  }

  has({ offset, reactions }: SentEntry, name: string): boolean {
    const { count, users } = (Object.hasOwn(reactions, name) ? reactions[name] : undefined) ?? { count: 0, users: [] };
    if (users.includes(this.#user)) return true;
    return count > users.length && this.#known.get(keyOf(offset, name)) === true;
  }

  note(offset: number, name: string, on: boolean): void {
    const key = keyOf(offset, name);
    this.#known.delete(key);
    this.#known.set(key, on);
    const [oldest] = this.#known.keys();
    if (this.#known.size > KEPT_MAX && oldest !== undefined) this.#known.delete(oldest);
  }
}

function keyOf(offset: number, name: string): string {
  return `${offset} ${name}`;
}
