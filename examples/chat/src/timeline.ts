/**
 * What a room's page shows, as a value: what was said, where something is missing, and what of ours is on its way.
 *
 * Messages stand at their offsets. What is on its way stands at the end, until the room has given it its place.
 */
import { dayKey } from "./clock.js";
import type { Person } from "./people.js";

export interface SentMessage {
  kind: "sent";
  key: string;
  offset: number;
  time: number;
  author: Person | undefined;
  text: string;
  own: boolean;
}

export interface UnsentMessage {
  kind: "pending" | "failed";
  key: string;
  id: string;
  time: number;
  text: string;
  /** Why it failed; while nobody can say whether it did, `unsure`. */
  why: Unsent;
}

export interface Unsent {
  reason: string;
  unsure: boolean;
}

/** A hole in what is shown, behind the offset `after`. */
export interface Gap {
  kind: "gap";
  key: string;
  after: number;
  reason: string;
  /** `lost` has nothing that could be loaded any more. */
  state: "open" | "loading" | "failed" | "lost";
}

export type Entry = SentMessage | UnsentMessage | Gap;

/** A message as it arrives; `id` where its author named it. */
export type Arrival = Pick<SentMessage, "offset" | "time" | "author" | "text" | "own"> & { id: string | undefined };

const NOTHING_WRONG: Unsent = { reason: "", unsure: false };

export class Timeline {
  #placed: (SentMessage | Gap)[] = [];
  #unsent: UnsentMessage[] = [];
  /** Each time the log begins anew, since its offsets do too. */
  #logs = 0;

  get entries(): readonly Entry[] {
    return [...this.#placed, ...this.#unsent];
  }

  /** The lowest offset shown, behind which earlier pages lie. */
  get oldest(): number | undefined {
    return this.#sent()[0]?.offset;
  }

  /** Whether it is new here: the same one may come live, with a page, and as the answer to its publish. */
  add({ id, ...message }: Arrival): boolean {
    const waiting = id !== undefined && message.own ? this.#take(id) : undefined;
    const place = this.#placeOf(message.offset);
    const before = this.#placed[place - 1];
    if (before?.kind === "sent" && before.offset === message.offset) {
      Object.assign(before, message);
      return false;
    }
    const key = waiting?.key ?? `${this.#logs}:${message.offset}`;
    this.#placed.splice(place, 0, { kind: "sent", key, ...message });
    return true;
  }

  /** One of ours sets out. */
  begin(id: string, text: string, time: number): void {
    this.#unsent.push({ kind: "pending", key: `own:${id}`, id, time, text, why: NOTHING_WRONG });
  }

  /** The room has given one of ours its place. */
  arrived(id: string, offset: number, author: Person): void {
    const message = this.#unsent.find((one) => one.id === id);
    if (message !== undefined) this.add({ ...message, offset, author, own: true });
  }

  fail(id: string, why: Unsent): void {
    const message = this.#unsent.find((one) => one.id === id);
    if (message !== undefined) Object.assign(message, { kind: "failed", why });
  }

  /** We caught up with everything: what is not among it did not arrive. */
  caughtUp(why: Unsent): void {
    for (const message of this.#unsent) if (message.kind === "failed" && message.why.unsure) message.why = why;
  }

  /** Takes a message that failed off the page; its text. */
  discard(id: string): string | undefined {
    return this.#take(id)?.text;
  }

  /** What comes next does not follow on what is shown. A log that begins anew leaves nothing of the old one. */
  gap(reason: string): void {
    const begunAnew = !["too_far_behind", "trimmed", "forbidden"].includes(reason);
    const after = begunAnew ? 0 : (this.#sent().at(-1)?.offset ?? 0);
    if (begunAnew) {
      this.#logs += 1;
      this.#placed = [];
    }
    const state = begunAnew || reason === "forbidden" ? "lost" : "open";
    this.#placed.push({ kind: "gap", key: `gap:${this.#logs}:${after}`, after, reason, state });
  }

  setGap(key: string, state: Gap["state"]): void {
    const gap = this.#placed.find((one) => one.key === key);
    if (gap?.kind === "gap") gap.state = state;
  }

  closeGap(key: string): void {
    this.#placed = this.#placed.filter((one) => one.key !== key);
  }

  /** The first offset shown beyond a gap. */
  beyond(gap: Gap): number | undefined {
    return this.#sent().find(({ offset }) => offset > gap.after)?.offset;
  }

  /** Lets go of the oldest beyond `count`; earlier pages bring them back. Whether there were any. */
  trim(count: number): boolean {
    return this.#placed.splice(0, Math.max(0, this.#placed.length - count)).length > 0;
  }

  #sent(): SentMessage[] {
    return this.#placed.filter((one) => one.kind === "sent");
  }

  #take(id: string): UnsentMessage | undefined {
    const index = this.#unsent.findIndex((one) => one.id === id);
    return index < 0 ? undefined : this.#unsent.splice(index, 1)[0];
  }

  /** Behind everything that is not above `offset`: almost always the end. */
  #placeOf(offset: number): number {
    const isAbove = (one: SentMessage | Gap): boolean =>
      one.kind === "sent" ? one.offset > offset : one.after >= offset;
    return this.#placed.findLastIndex((one) => !isAbove(one)) + 1;
  }
}

/** One line of the page. */
export type Row =
  | { kind: "day"; key: string; time: number }
  | { kind: "gap"; key: string; gap: Gap }
  | { kind: "message"; key: string; message: SentMessage | UnsentMessage; head: boolean; tail: boolean };

/** Messages of one author that follow within this time stand together under one name. */
const GROUP_MS = 5 * 60_000;

/** Entries with the days between them; consecutive messages of one author grouped. */
export function rows(entries: readonly Entry[]): Row[] {
  const result: Row[] = [];
  let day = "";
  for (const entry of entries) {
    if (entry.kind === "gap") {
      result.push({ kind: "gap", key: entry.key, gap: entry });
      continue;
    }
    const entryDay = dayKey(entry.time);
    if (entryDay !== day) {
      result.push({ kind: "day", key: `day:${entryDay}:${entry.key}`, time: entry.time });
      day = entryDay;
    }
    const previous = result.at(-1);
    const head = previous?.kind !== "message" || !together(previous.message, entry);
    if (!head) previous.tail = false;
    result.push({ kind: "message", key: entry.key, message: entry, head, tail: true });
  }
  return result;
}

function together(before: SentMessage | UnsentMessage, after: SentMessage | UnsentMessage): boolean {
  return authorKey(before) === authorKey(after) && after.time - before.time < GROUP_MS;
}

function authorKey(message: SentMessage | UnsentMessage): string {
  if (message.kind !== "sent" || message.own) return "own";
  return message.author === undefined ? "nobody" : `user:${message.author.user}`;
}
