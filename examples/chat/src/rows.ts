/** The lines of a room's page, made of its messages: days, what is new, threads under what began them. */
import { dayKey } from "./clock.js";
import type { Entry, GapEntry, MessageEntry } from "./roomcast.js";
import { wordsIn, wordsOf } from "./said.js";

/** What lies above the oldest message that is there. */
export type Above = "more" | "loading" | "failed" | "beginning" | "trimmed";

/** The answers to a message that are there. */
export interface ThreadSummary {
  count: number;
  last: number;
  /** The newest of them first. */
  users: readonly string[];
  fresh: number;
}

export interface MessageRow {
  kind: "message";
  key: string;
  message: MessageEntry;
  /** First of its author's in a row: with a name and a picture. */
  head: boolean;
  thread: ThreadSummary | undefined;
  /** An answer to a message that is not there. */
  stray: boolean;
}

export type Row =
  | { kind: "above"; key: string; state: Above }
  | { kind: "day"; key: string; day: string; time: number }
  | { kind: "new"; key: string }
  | { kind: "gap"; key: string; gap: GapEntry }
  | MessageRow;

/** Messages of one author that follow within this time stand together under one name. */
const GROUP_MS = 5 * 60_000;

export interface Reader {
  user: string;
  /** What is above is new; nothing is, where it is unknown. */
  read: number | undefined;
}

/** Makes rows, the same one again for what did not change, so that who draws them knows. */
export class Rows {
  #known = new Map<string, Row>();
  readonly #days = new WeakMap<object, string>();

  /** Of the room: top-level messages, with what was answered to them as numbers. */
  ofRoom(entries: readonly Entry[], above: Above | undefined, reader: Reader): Row[] {
    const summaries = summarise(entries, reader);
    const top = new Set<number>();
    const rows = this.#make(above, reader, entries, (message) => {
      if (message.kind === "message") top.add(message.offset);
      const { thread } = wordsIn(message);
      const stray = thread !== undefined && !top.has(thread);
      if (thread !== undefined && !stray) return undefined;
      if (message.removed && !summaries.has(message.offset)) return undefined;
      return { stray, thread: message.kind === "message" && !stray ? summaries.get(message.offset) : undefined };
    });
    return rows;
  }

  /** Of one thread: what began it, and the answers. */
  ofThread(entries: readonly Entry[], parent: number): Row[] {
    const nobody = { user: "", read: undefined };
    return this.#make(undefined, nobody, entries, (message) => {
      const isParent = message.kind === "message" && message.offset === parent;
      const isAnswer = wordsIn(message).thread === parent;
      return isParent || isAnswer ? { stray: false, thread: undefined } : undefined;
    });
  }

  #make(
    above: Above | undefined,
    reader: Reader,
    entries: readonly Entry[],
    choose: (message: MessageEntry) => Pick<MessageRow, "stray" | "thread"> | undefined,
  ): Row[] {
    const rows: Row[] = [];
    const before = this.#known;
    this.#known = new Map();
    const add = (row: Row): void => void rows.push(this.#same(before, row));
    if (above !== undefined) add({ kind: "above", key: "above", state: above });
    let day = "";
    let previous: MessageEntry | undefined;
    let isNew = reader.read === undefined;
    for (const entry of entries) {
      if (entry.kind === "gap") {
        previous = undefined;
        add({ kind: "gap", key: entry.key, gap: entry });
        continue;
      }
      const chosen = entry.type === "message" ? choose(entry) : undefined;
      if (chosen === undefined) continue;
      const itsDay = this.#dayOf(entry);
      if (itsDay !== day) {
        previous = undefined;
        const key = this.#known.has(`day:${itsDay}`) ? `day:${itsDay}:${entry.key}` : `day:${itsDay}`;
        add({ kind: "day", key, day: itsDay, time: entry.time });
        day = itsDay;
      }
      if (!isNew && isFresh(entry, reader)) {
        isNew = true;
        previous = undefined;
        add({ kind: "new", key: "new" });
      }
      const head = previous === undefined || !together(previous, entry);
      add({ kind: "message", key: entry.key, message: entry, head, ...chosen });
      previous = entry;
    }
    return rows;
  }

  #same(before: ReadonlyMap<string, Row>, row: Row): Row {
    const known = before.get(row.key);
    const kept = known !== undefined && isSame(known, row) ? known : row;
    this.#known.set(row.key, kept);
    return kept;
  }

  #dayOf(entry: MessageEntry): string {
    let day = this.#days.get(entry);
    if (day === undefined) this.#days.set(entry, (day = dayKey(entry.time)));
    return day;
  }
}

export function authorOf(message: MessageEntry): string | undefined {
  return message.kind === "message" ? message.from?.user : "";
}

function isFresh(entry: MessageEntry, { user, read = Infinity }: Reader): boolean {
  return entry.kind === "message" && entry.offset > read && entry.from?.user !== user;
}

function together(before: MessageEntry, after: MessageEntry): boolean {
  if (after.time - before.time >= GROUP_MS || before.removed) return false;
  // One's own that is on its way has no author yet.
  if (before.kind !== "message" || after.kind !== "message") return before.kind !== "message" || before.own;
  return before.from?.user === after.from?.user;
}

function summarise(entries: readonly Entry[], reader: Reader): Map<number, ThreadSummary> {
  const summaries = new Map<number, ThreadSummary & { users: string[] }>();
  for (const entry of entries) {
    if (entry.kind === "gap" || entry.type !== "message" || entry.removed) continue;
    const { thread } = wordsOf(entry.data);
    if (thread === undefined) continue;
    const summary = summaries.get(thread) ?? { count: 0, last: 0, users: [], fresh: 0 };
    summary.count += 1;
    summary.last = entry.time;
    if (isFresh(entry, reader)) summary.fresh += 1;
    const user = (entry.kind === "message" ? entry.from?.user : reader.user) ?? "";
    summary.users = [user, ...summary.users.filter((other) => other !== user)].slice(0, 3);
    summaries.set(thread, summary);
  }
  return summaries;
}

function isSame(a: Row, b: Row): boolean {
  if (a.kind === "message" && b.kind === "message") {
    return a.message === b.message && a.head === b.head && a.stray === b.stray && isSameThread(a.thread, b.thread);
  }
  if (a.kind === "gap" && b.kind === "gap") return a.gap === b.gap;
  if (a.kind === "above" && b.kind === "above") return a.state === b.state;
  return a.kind === b.kind;
}

function isSameThread(a: ThreadSummary | undefined, b: ThreadSummary | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.count === b.count && a.last === b.last && a.fresh === b.fresh && a.users.join() === b.users.join();
}
