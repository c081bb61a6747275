/**
 * The others, a little late: frames come when the network likes, and are shown as they happened, two ticks behind the
 * room, with everyone on the way from one place to the next.
 */
import type { Frame, Standing } from "./frame.js";
import { TICK_MS } from "./motion.js";

/** Behind the newest that we could have heard of. */
const DELAY_TICKS = 2.2;
/** How far we go on in the same direction where nothing comes. */
const BEYOND_TICKS_MAX = 3;
const KEPT_MAX = 24;
/** So many frames are a window: the one that was least late in this and the one before says how late frames are. */
const WINDOW_FRAMES = 20;

export interface Shown {
  readonly x: number;
  readonly y: number;
  /** As they last were told of. */
  readonly standing: Standing;
}

interface Moment {
  readonly tick: number;
  readonly standing: Standing;
}

export class Timeline {
  readonly #players = new Map<number, Moment[]>();
  #tick = 0;
  /** Our clock in ticks less the room's, at its least. */
  #lag: number | undefined;
  #window = { least: Infinity, before: Infinity, frames: 0 };

  /** `now` in milliseconds of our clock. */
  take(frame: Frame, now: number): void {
    if (frame.full) this.#players.clear();
    if (frame.full && Math.abs(frame.tick - this.#tick) > 20) this.#forget();
    this.#tick = frame.tick;
    for (const seat of frame.gone) this.#players.delete(seat);
    for (const standing of frame.players) {
      const moments = this.#players.get(standing.seat) ?? [];
      // One who stood still was not spoken of: until the tick before this one they stood there.
      const last = moments.at(-1);
      if (last !== undefined && last.tick < frame.tick - 1) moments.push({ ...last, tick: frame.tick - 1 });
      moments.push({ tick: frame.tick, standing });
      if (moments.length > KEPT_MAX) moments.splice(0, moments.length - KEPT_MAX);
      this.#players.set(standing.seat, moments);
    }
    this.#late(now / TICK_MS - frame.tick);
  }

  /** At once where frames come sooner; where they come later, as after the room stood still, once none came as before. */
  #late(lag: number): void {
    const window = this.#window;
    window.least = Math.min(window.least, lag);
    const least = Math.min(window.least, window.before);
    if (this.#lag === undefined || least < this.#lag) this.#lag = least;
    else this.#lag += (least - this.#lag) * 0.2;
    window.frames += 1;
    if (window.frames === WINDOW_FRAMES) this.#window = { least: Infinity, before: window.least, frames: 0 };
  }

  #forget(): void {
    this.#lag = undefined;
    this.#window = { least: Infinity, before: Infinity, frames: 0 };
  }

  /** Everyone, as they are to be drawn now. */
  *shown(now: number): Generator<[seat: number, Shown]> {
    const at = now / TICK_MS - (this.#lag ?? 0) - DELAY_TICKS;
    for (const [seat, moments] of this.#players) {
      const shown = between(moments, at, this.#tick);
      if (shown !== undefined) yield [seat, shown];
    }
  }
}

function between(moments: readonly Moment[], at: number, newest: number): Shown | undefined {
  const next = moments.findIndex(({ tick }) => tick > at);
  const [from, to] = [moments[next < 0 ? moments.length - 1 : Math.max(0, next - 1)], moments[next]];
  if (from === undefined) return undefined;
  const { x, y, vx, vy } = from.standing.body;
  if (to === undefined) {
    // Who is spoken of in the newest frame moves on; who is not stands.
    const beyond = from.tick < newest ? 0 : Math.max(0, Math.min(at - from.tick, BEYOND_TICKS_MAX));
    return { x: x + vx * beyond, y: y + vy * beyond, standing: from.standing };
  }
  const part = to.tick === from.tick ? 1 : Math.max(0, Math.min(1, (at - from.tick) / (to.tick - from.tick)));
  const there = to.standing.body;
  return { x: x + (there.x - x) * part, y: y + (there.y - y) * part, standing: to.standing };
}
