/** Who types: we tell the others at most so often, and forget of them what they do not repeat. */

const AGAIN_MS = 3_000;
const PAUSE_MS = 5_000;

export class Typing {
  readonly #tell: (typing: boolean) => void;
  #told = 0;
  #timer: number | undefined;

  constructor(tell: (typing: boolean) => void) {
    this.#tell = tell;
  }

  typed(text: string): void {
    if (text.trim() === "") return this.stop();
    if (Date.now() - this.#told >= AGAIN_MS) {
      this.#told = Date.now();
      this.#tell(true);
    }
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.stop(), PAUSE_MS);
  }

  stop(): void {
    window.clearTimeout(this.#timer);
    if (this.#told === 0) return;
    this.#told = 0;
    this.#tell(false);
  }
}

/** Of the others: each until it stops, says something, or does not repeat it. */
export class Typists {
  readonly #timers = new Map<string, number>();
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get users(): readonly string[] {
    return [...this.#timers.keys()];
  }

  heard(user: string, on: boolean): void {
    const isKnown = this.#timers.has(user);
    window.clearTimeout(this.#timers.get(user));
    this.#timers.delete(user);
    if (on) this.#timers.set(user, window.setTimeout(() => this.heard(user, false), AGAIN_MS + PAUSE_MS));
    if (on !== isKnown) this.#changed();
  }

  forget(): void {
    for (const timer of this.#timers.values()) window.clearTimeout(timer);
    this.#timers.clear();
    this.#changed();
  }
}
