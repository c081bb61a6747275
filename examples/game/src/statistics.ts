/** How well frames come, for those who want to know: `?stats` shows it, and the measured test reads it. */
import type { Frame } from "./frame.js";

export class Statistics {
  frames = 0;
  /** Frames that say that something moved, was painted, or happened. */
  changed = 0;
  /** Times that a frame never came. */
  missing = 0;
  bytes = 0;
  /** The longest time between two frames, in milliseconds. */
  worstGap = 0;
  #began: number | undefined;
  #last = 0;

  heard(frame: Frame, bytes: number, taken: "taken" | "known" | "missing", now: number): void {
    if (taken === "missing") this.missing += 1;
    if (taken !== "taken") return;
    if (this.#began === undefined) this.#began = now;
    else this.worstGap = Math.max(this.worstGap, now - this.#last);
    this.#last = now;
    this.frames += 1;
    this.bytes += bytes;
    if (frame.players.length + frame.tiles.length + frame.bumps.length + frame.gone.length > 0) this.changed += 1;
  }

  /** Begins anew. */
  clear(): void {
    this.frames = this.changed = this.missing = this.bytes = this.worstGap = 0;
    this.#began = undefined;
  }

  /** Since the first frame, in milliseconds. */
  get span(): number {
    return this.#began === undefined ? 0 : this.#last - this.#began;
  }
}
