/** How well frames come, for those who want to know: `?stats` shows it, and the measured test reads it. */
import type { Frame } from "./frame.js";

export class Statistics {
  frames = 0;
  /** Frames that say that something moved, was painted, or happened. */
  changed = 0;
  /** Ticks that no frame tells of: nothing happened in them. */
  skipped = 0;
  /** Times that a frame never came. */
  missing = 0;
  bytes = 0;
  /** The longest time between two frames, in milliseconds. */
  worstGap = 0;
  /** Frames in the whole seconds since the first one. */
  fewest = Infinity;
  most = 0;
  #second = 0;
  #inSecond = 0;
  #began: number | undefined;
  #last = 0;

  heard(frame: Frame, bytes: number, taken: "taken" | "known" | "missing", now: number): void {
    if (taken === "missing") this.missing += 1;
    if (taken !== "taken") return;
    if (this.#began === undefined) {
      this.#began = now;
    } else {
      this.worstGap = Math.max(this.worstGap, now - this.#last);
      this.skipped += Math.max(0, frame.since - 1);
    }
    this.#last = now;
    this.#count(now - this.#began);
    this.frames += 1;
    this.bytes += bytes;
    if (frame.players.length + frame.tiles.length + frame.bumps.length + frame.gone.length > 0) this.changed += 1;
  }

  #count(since: number): void {
    const second = Math.floor(since / 1_000);
    if (second > this.#second) {
      // A second that passed without any has none.
      this.fewest = second > this.#second + 1 ? 0 : Math.min(this.fewest, this.#inSecond);
      this.most = Math.max(this.most, this.#inSecond);
      [this.#second, this.#inSecond] = [second, 0];
    }
    this.#inSecond += 1;
  }

  /** Begins anew. */
  clear(): void {
    [this.fewest, this.most, this.#second, this.#inSecond] = [Infinity, 0, 0, 0];
    this.frames = this.changed = this.skipped = this.missing = this.bytes = this.worstGap = 0;
    this.#began = undefined;
  }

  /** Since the first frame, in milliseconds. */
  get span(): number {
    return this.#began === undefined ? 0 : this.#last - this.#began;
  }
}
