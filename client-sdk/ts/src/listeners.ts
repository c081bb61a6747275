import { report } from "./errors.js";

type Listener = (event: unknown) => void;

/** Who listens for what. Those who come or go while others are told are heeded from the next event on. */
export class Listeners {
  readonly #byName = new Map<string, Set<{ listener: Listener }>>();

  add(name: string, listener: Listener, signal?: AbortSignal): () => void {
    if (signal?.aborted) return () => {};
    const listeners = this.#byName.get(name) ?? new Set();
    this.#byName.set(name, listeners);
    // An entry of its own, so that one function may be added twice and taken away once.
    const entry = { listener };
    listeners.add(entry);
    const remove = (): void => {
      listeners.delete(entry);
      signal?.removeEventListener("abort", remove);
    };
    signal?.addEventListener("abort", remove);
    return remove;
  }

  tell(name: string, event: unknown): void {
    const listeners = this.#byName.get(name);
    if (listeners === undefined || listeners.size === 0) return;
    for (const { listener } of [...listeners]) {
      try {
        listener(event);
      } catch (error) {
        report(error);
      }
    }
  }
}
