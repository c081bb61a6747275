import type { Core } from "./core.js";
import type { Driver } from "./driver.js";
import type { RoomcastError } from "./errors.js";

interface Call {
  /** What a call of the room's logic returned last. */
  value?: unknown;
  returned: ((item: unknown) => void) | undefined;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** Requests whose outcome is awaited. The core bounds them: it settles each, at the latest when it is full. */
export class Calls {
  readonly #open = new Map<number, Call>();
  #last = 0;

  begin<Result>(
    driver: Driver,
    signal: AbortSignal | undefined,
    step: (core: Core, call: number) => Uint8Array,
    returned?: (item: unknown) => void,
  ): Promise<Result> {
    this.#last = (this.#last + 1) >>> 0;
    const call = this.#last;
    return new Promise<Result>((resolve, reject) => {
      const abort = (): void => {
        const waiting = this.#open.get(call);
        this.#open.delete(call);
        driver.run((core) => core.cancel(call));
        waiting?.reject(signal?.reason);
      };
      const end = (): void => signal?.removeEventListener("abort", abort);
      this.#open.set(call, {
        returned,
        resolve: (result) => (end(), resolve(result as Result)),
        reject: (error) => (end(), reject(error as Error)),
      });
      signal?.addEventListener("abort", abort);
      try {
        driver.run((core) => step(core, call));
      } catch (error) {
        this.reject(call, error as RoomcastError);
      }
    });
  }

  resolve(call: number, result: unknown): void {
    const waiting = this.#open.get(call);
    this.#open.delete(call);
    waiting?.resolve("value" in waiting ? waiting.value : result);
  }

  /** What it returned: one of several things where there is `more`, else what it resolves to. */
  returned(call: number, value: unknown, more: boolean): void {
    const waiting = this.#open.get(call);
    if (more) waiting?.returned?.(value);
    else if (waiting !== undefined) waiting.value = value;
  }

  reject(call: number, error: RoomcastError): void {
    const waiting = this.#open.get(call);
    this.#open.delete(call);
    waiting?.reject(error);
  }

  rejectAll(error: RoomcastError): void {
    for (const call of [...this.#open.keys()]) this.reject(call, error);
  }
}
