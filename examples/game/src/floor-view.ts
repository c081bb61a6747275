/** The paint on the floor, drawn once and touched up where it changes: round where it ends, flat where it goes on. */
import { SIDE } from "./motion.js";
import { colourOf } from "./palette.js";

const FRESH_MS = 260;
const CORNERS = [[-1, -1], [1, -1], [1, 1], [-1, 1]] as const;

export class FloorView {
  readonly #canvas = document.createElement("canvas");
  readonly #pen: CanvasRenderingContext2D;
  readonly #shown = new Uint8Array(SIDE * SIDE);
  readonly #painted = new Float64Array(SIDE * SIDE).fill(-FRESH_MS);
  #tile = 0;
  #bare = "";
  #grain = "";

  constructor() {
    const pen = this.#canvas.getContext("2d", { alpha: false });
    if (pen === null) throw new Error("this browser has no 2D canvas");
    this.#pen = pen;
  }

  /** Draws all anew for tiles of that many device pixels, in the page's colours. */
  resize(tile: number, bare: string, grain: string): void {
    if (tile === this.#tile && bare === this.#bare) return;
    [this.#tile, this.#bare, this.#grain] = [tile, bare, grain];
    this.#canvas.width = this.#canvas.height = tile * SIDE;
    for (let index = 0; index < this.#shown.length; index += 1) this.#drawTile(index);
  }

  /** Takes over what the tiles are now. */
  update(tiles: Uint8Array, now: number): void {
    const stale = new Set<number>();
    for (let index = 0; index < tiles.length; index += 1) {
      const paint = tiles[index] ?? 0;
      if (this.#shown[index] === paint) continue;
      this.#shown[index] = paint;
      if (paint !== 0) this.#painted[index] = now;
      for (const near of around(index)) stale.add(near);
    }
    for (const index of stale) this.#drawTile(index);
  }

  drawOn(pen: CanvasRenderingContext2D, now: number): void {
    pen.drawImage(this.#canvas, 0, 0);
    const size = this.#tile;
    pen.fillStyle = "#fff";
    for (let index = 0; index < this.#painted.length; index += 1) {
      const age = now - (this.#painted[index] ?? 0);
      if (age >= FRESH_MS || this.#shown[index] === 0) continue;
      pen.globalAlpha = 0.28 * (1 - age / FRESH_MS) ** 2;
      pen.fillRect((index % SIDE) * size, Math.floor(index / SIDE) * size, size, size);
    }
    pen.globalAlpha = 1;
  }

  #drawTile(index: number): void {
    const [pen, size] = [this.#pen, this.#tile];
    if (size === 0) return;
    const [column, row] = [index % SIDE, Math.floor(index / SIDE)];
    const [x, y] = [column * size, row * size];
    const paint = this.#shown[index] ?? 0;
    pen.fillStyle = this.#colour(paint);
    pen.fillRect(x, y, size, size);
    if (paint === 0) {
      pen.fillStyle = this.#grain;
      pen.fillRect(x + size / 2 - 1, y + size / 2 - 1, 2, 2);
    }
    const round = Math.round(size * 0.48);
    for (const [dx, dy] of CORNERS) {
      const [beside, along] = [this.#at(column + dx, row), this.#at(column, row + dy)];
      if (beside === undefined || beside !== along || beside === paint) continue;
      this.#corner(x + (dx < 0 ? 0 : size), y + (dy < 0 ? 0 : size), -dx * round, -dy * round, beside);
    }
  }

  /** Where the same other paint lies on both sides of a corner, it comes around it. */
  #corner(x: number, y: number, across: number, down: number, paint: number): void {
    const pen = this.#pen;
    pen.fillStyle = this.#colour(paint);
    pen.beginPath();
    pen.moveTo(x + across, y);
    pen.lineTo(x, y);
    pen.lineTo(x, y + down);
    pen.quadraticCurveTo(x, y, x + across, y);
    pen.fill();
  }

  #colour(paint: number): string {
    return paint === 0 ? this.#bare : colourOf(paint - 1);
  }

  #at(column: number, row: number): number | undefined {
    if (column < 0 || row < 0 || column >= SIDE || row >= SIDE) return undefined;
    return this.#shown[row * SIDE + column];
  }
}

function* around(index: number): Generator<number> {
  const [column, row] = [index % SIDE, Math.floor(index / SIDE)];
  for (let y = Math.max(0, row - 1); y <= Math.min(SIDE - 1, row + 1); y += 1) {
    for (let x = Math.max(0, column - 1); x <= Math.min(SIDE - 1, column + 1); x += 1) yield y * SIDE + x;
  }
}
