/**
 * Our own player, ahead of the room: each wish moves them here at once, and is sent. When the room says what became of
 * it, we begin from there and repeat what it has not granted yet. What that moves is not shown as a jump.
 */
import type { Phase, Standing } from "./frame.js";
import { STILL, TICK_MS, UNITS, isStill, step, type Body, type Wish } from "./motion.js";

/** Wishes the room has not granted; beyond it the oldest are given up. */
const PENDING_MAX = 60;
/** How fast a correction fades, in milliseconds to a third of it. */
const FADE_MS = 90;
/** From so far on we were really elsewhere, and jump. */
const JUMP = 5 * UNITS;

interface Sent {
  readonly number: number;
  readonly wish: Wish;
}

export class Prediction {
  /** Units by which what is shown differs from where we are; for those who want to see how well this works. */
  corrected = 0;
  #body: Body | undefined;
  #before: Body | undefined;
  #pending: Sent[] = [];
  #lastNumber = 0;
  #wasStill = true;
  #spare = 0;
  #offset = { x: 0, y: 0 };

  /** For a seat that was just taken: the room counts our wishes from 1 again. */
  reset(): void {
    this.#body = this.#before = undefined;
    this.#pending = [];
    this.#lastNumber = 0;
    this.#wasStill = true;
    this.#offset = { x: 0, y: 0 };
  }

  get body(): Readonly<Body> | undefined {
    return this.#body;
  }

  /** Where the room has us. */
  told({ ack, body }: Standing, phase: Phase): void {
    const shown = this.shown();
    const unseen = (this.#lastNumber - ack) & 255;
    this.#pending = unseen === 0 ? [] : this.#pending.slice(-unseen);
    this.#body = { ...body };
    this.#before = { ...body };
    for (const { wish } of this.#pending) {
      this.#before = { ...this.#body };
      step(this.#body, phase === "countdown" ? STILL : wish);
    }
    const now = this.#between();
    if (shown === undefined || now === undefined) return;
    const [x, y] = [shown.x - now.x, shown.y - now.y];
    this.corrected = Math.hypot(x - this.#offset.x, y - this.#offset.y);
    this.#offset = Math.hypot(x, y) > JUMP ? { x: 0, y: 0 } : { x, y };
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
    this.#before = { ...body };
    step(body, wanted);
    if (isStill(wanted) && this.#wasStill) return;
    this.#wasStill = isStill(wanted);
    this.#lastNumber += 1;
    this.#pending.push({ number: this.#lastNumber, wish: wanted });
    if (this.#pending.length > PENDING_MAX) this.#pending.shift();
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
