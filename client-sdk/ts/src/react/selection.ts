import { useCallback, useRef, useSyncExternalStore } from "react";

/** Something that changes, as React reads it. */
export interface Source<Value> {
  /** The same value until it changes. */
  readonly get: () => Value;
  /** What pages rendered on a server show, and the first render in the browser. */
  readonly initial: Value;
  readonly subscribe: (changed: () => void) => () => void;
}

/** Whether two selections are the same. */
export type Equal<Selection> = (before: Selection, after: Selection) => boolean;

interface Made<Value, Selection> {
  of: Value;
  by: (value: Value) => Selection;
  selection: Selection;
}

/** What `select` makes of a source: renders where that changes, and not for anything else. */
export function useSelection<Value, Selection>(
  source: Source<Value>,
  select: (value: Value) => Selection,
  isEqual: Equal<Selection> = Object.is,
): Selection {
  const last = useRef<Made<Value, Selection>>(undefined);
  const selection = (value: Value): Selection => {
    const made = last.current;
    if (made !== undefined && Object.is(made.of, value) && made.by === select) return made.selection;
    const next = select(value);
    const kept = made !== undefined && isEqual(made.selection, next) ? made.selection : next;
    last.current = { of: value, by: select, selection: kept };
    return kept;
  };
  const subscribe = useCallback((changed: () => void) => source.subscribe(changed), [source]);
  return useSyncExternalStore(
    subscribe,
    () => selection(source.get()),
    () => selection(source.initial),
  );
}

/**
 * Equal as far as their first level goes: for selectors that make a list or an object.
 *
 * @example
 * ```ts
 * const names = useOthers((others) => others.map(({ user }) => user), shallowEqual);
 * ```
 */
export function shallowEqual(before: unknown, after: unknown): boolean {
  if (Object.is(before, after)) return true;
  if (typeof before !== "object" || typeof after !== "object" || before === null || after === null) return false;
  const [ours, theirs] = [Object.entries(before), Object.entries(after)];
  const at = after as Record<string, unknown>;
  return ours.length === theirs.length && ours.every(([key, value]) => key in at && Object.is(value, at[key]));
}
