/** What we know of the world: frames, put together. */
import type { Frame, Phase, Standing } from "./frame.js";
import { SIDE } from "./motion.js";

export class View {
  tick = 0;
  phase: Phase = "lobby";
  left = 0;
  buckets: readonly number[] = [];
  /** Whose paint is on each tile: a seat plus one, or 0. */
  readonly tiles = new Uint8Array(SIDE * SIDE);
  readonly players = new Map<number, Standing>();
  /** Whether all frames came since a full one. */
  isWhole = false;
  readonly #counts: number[] = [];

  /**
   * Takes in the next frame, and says what became of it: `missing` where a frame before it never came, after which
   * only a full one helps; `known` where it says nothing new.
   */
  apply(frame: Frame): "taken" | "known" | "missing" {
    if (frame.full) {
      this.tiles.fill(0);
      this.#counts.length = 0;
      this.players.clear();
      this.isWhole = true;
    } else if (!this.isWhole || this.tick + frame.since !== frame.tick) {
      if (this.isWhole && this.tick === frame.tick) return "known";
      this.isWhole = false;
      return "missing";
    }
    this.tick = frame.tick;
    this.phase = frame.phase;
    this.left = frame.left;
    this.buckets = frame.buckets;
    for (const seat of frame.gone) this.players.delete(seat);
    for (const standing of frame.players) this.players.set(standing.seat, standing);
    for (const [tile, paint] of frame.tiles) this.#paint(tile, paint);
    return "taken";
  }

  /** How many tiles a seat has. */
  tilesOf(seat: number): number {
    return this.#counts[seat + 1] ?? 0;
  }

  #paint(tile: number, paint: number): void {
    const before = this.tiles[tile] ?? 0;
    this.#counts[before] = (this.#counts[before] ?? 0) - 1;
    this.#counts[paint] = (this.#counts[paint] ?? 0) + 1;
    this.tiles[tile] = paint;
  }
}
