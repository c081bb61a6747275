/** Tells the room when we begin and stop to type: at most twice in the pause that counts as stopping. */

const PAUSE_MS = 4_000;

export class Typing {
  readonly #tell: (typing: boolean) => void;
  #timer: number | undefined;

  constructor(tell: (typing: boolean) => void) {
    this.#tell = tell;
  }

  typed(text: string): void {
    if (text.trim() === "") return this.stop();
    if (this.#timer === undefined) this.#tell(true);
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.stop(), PAUSE_MS);
  }

  stop(): void {
    if (this.#timer === undefined) return;
    window.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#tell(false);
  }
}
