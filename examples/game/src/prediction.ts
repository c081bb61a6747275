/**
 * Our own player, ahead of the room: each wish moves them here at once, and is sent. When the room says what became of
 * it, we begin from there and repeat what it has not granted yet. What that moves is not shown as a jump.
 */
import type { Phase, Standing } from "./frame.js";
import { STILL, TICK_MS, UNITS, isStill, step, type Body, type Wish } from "./motion.js";

/** Ticks that the room has not told of; beyond it the oldest are given up. */
const PENDING_MAX = 60;
/** How fast a correction fades, in milliseconds to a third of it. */
const FADE_MS = 90;
/** From so far on we were really elsewhere, and jump. */
const JUMP = 5 * UNITS;

interface Pending {
  readonly wish: Wish;
  /** Whether the room was told. Who wants nothing goes on to say nothing, and the room lets them roll on as we do. */
  readonly isSent: boolean;
}

const isSame = (one: Readonly<Body>, other: Readonly<Body>): boolean =>
  (Object.keys(one) as (keyof Body)[]).every((part) => one[part] === other[part]);

export class Prediction {
  /** Units by which what is shown differs from where we are; for those who want to see how well this works. */
  corrected = 0;
  #body: Body | undefined;
  #before: Body | undefined;
  #pending: Pending[] = [];
  #lastNumber = 0;
  /** What the room said last: which wish it had granted, and when. */
  #ack = -1;
  #ackTick = 0;
  #wasStill = true;
  #spare = 0;
  #offset = { x: 0, y: 0 };

  /** For a seat that was just taken: the room counts our wishes from 1 again. */
  reset(): void {
    this.#body = this.#before = undefined;
    this.#pending = [];
    this.#lastNumber = 0;
    this.#ack = -1;
    this.#wasStill = true;
    this.#offset = { x: 0, y: 0 };
  }

  get body(): Readonly<Body> | undefined {
    return this.#body;
  }

  /** Where the room has us after that tick. */
  told({ ack, body }: Standing, phase: Phase, tick: number): void {
    const shown = this.shown();
    this.#granted(ack, tick);
    const after = { ...body };
    let before = { ...body };
    for (const { wish } of this.#pending) {
      before = { ...after };
      step(after, phase === "countdown" ? STILL : wish);
    }
    // Where we were right, the way there is the one that is shown.
    if (this.#body === undefined || !isSame(this.#body, after)) this.#before = before;
    this.#body = after;
    const now = this.#between();
    if (shown === undefined || now === undefined) return;
    const [x, y] = [shown.x - now.x, shown.y - now.y];
    this.corrected = Math.hypot(x - this.#offset.x, y - this.#offset.y);
    this.#offset = Math.hypot(x, y) > JUMP ? { x: 0, y: 0 } : { x, y };
  }

  /** Drops what the room has done: wishes up to the last granted, and after it a tick of rolling on for each of its own. */
  #granted(ack: number, tick: number): void {
    const rolled = ack === this.#ack ? tick - this.#ackTick : 0;
    [this.#ack, this.#ackTick] = [ack, tick];
    let unseen = (this.#lastNumber - ack) & 255;
    let from = this.#pending.length;
    while (from > 0 && (unseen > 0 || this.#pending[from - 1]?.isSent === false)) {
      from -= 1;
      if (this.#pending[from]?.isSent) unseen -= 1;
    }
    let rolls = 0;
    while (rolls < rolled && this.#pending[from + rolls]?.isSent === false) rolls += 1;
    this.#pending = this.#pending.slice(from + rolls);
  }

  /**
   * Lets time pass: for each tick in it, asks for a wish, moves, and gives what is to be sent. Who wants nothing twice
   * says it once.
   */
  pass(ms: number, phase: Phase, want: () => Wish, send: (number: number, wish: Wish) => void): void {
    const fade = Math.exp(-ms / FADE_MS);
    this.#offset = { x: this.#offset.x * fade, y: this.#offset.y * fade };
    if (this.#body === undefined) return;
    // After a pause, as in a tab that was hidden, there is nothing to catch up with.
    this.#spare = Math.min(this.#spare + ms, 3 * TICK_MS);
    while (this.#spare >= TICK_MS) {
      this.#spare -= TICK_MS;
      this.#tick(this.#body, phase === "countdown" ? STILL : want(), send);
    }
  }

  #tick(body: Body, wanted: Wish, send: (number: number, wish: Wish) => void): void {
    const before = { ...body };
    step(body, wanted);
    this.#before = before;
    const isSent = !isStill(wanted) || !this.#wasStill;
    if (!isSent && isSame(before, body)) return;
    this.#wasStill = isStill(wanted);
    this.#pending.push({ wish: wanted, isSent });
    if (this.#pending.length > PENDING_MAX) this.#pending.shift();
    if (!isSent) return;
    this.#lastNumber += 1;
    send(this.#lastNumber, wanted);
  }

  /** Where to draw us. */
  shown(): { x: number; y: number } | undefined {
    const between = this.#between();
    return between && { x: between.x + this.#offset.x, y: between.y + this.#offset.y };
  }

  /** Where each wish that is not granted yet leads us: what we will have painted. */
  *ahead(phase: Phase, from: Readonly<Body>): Generator<Readonly<Body>> {
    const body = { ...from };
    for (const { wish } of this.#pending) {
      step(body, phase === "countdown" ? STILL : wish);
      yield body;
    }
  }

  #between(): { x: number; y: number } | undefined {
    const [from, to] = [this.#before, this.#body];
    if (from === undefined || to === undefined) return undefined;
    const part = this.#spare / TICK_MS;
    return { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part };
  }
}
