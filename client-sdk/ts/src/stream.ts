import { RoomcastError } from "./errors.js";

/** What a method streams, and its result as what the iterator returns. */
export type Stream<Item, Result> = AsyncGenerator<Item, Result, void>;

/** So many items of a stream may wait to be read. */
const ITEMS_MAX = 1_024;

/** Begins, when it is first read from, what tells its items as they come. */
export async function* stream<Item, Result>(
  signal: AbortSignal | undefined,
  begin: (stop: AbortSignal, returned: (item: unknown) => void) => Promise<Result>,
): Stream<Item, Result> {
  signal?.throwIfAborted();
  const items: { item: unknown }[] = [];
  const stop = new AbortController();
  const abort = (): void => stop.abort(signal?.reason);
  signal?.addEventListener("abort", abort);
  let wake = (): void => {};
  let isOpen = true;
  const result = begin(stop.signal, (item) => {
    if (items.length < ITEMS_MAX) items.push({ item });
    else stop.abort(new RoomcastError("overloaded", `${ITEMS_MAX} items of the stream were not read`));
    wake();
  });
  const ended = (): void => {
    isOpen = false;
    wake();
  };
  result.then(ended, ended);
  try {
    for (;;) {
      for (let next = items.shift(); next !== undefined; next = items.shift()) yield next.item as Item;
      if (!isOpen) return await result;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    signal?.removeEventListener("abort", abort);
    stop.abort();
  }
}
