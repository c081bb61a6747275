/** The arena on its canvas, drawn for every frame of the screen. */
import { Effects } from "./effects.js";
import { FloorView } from "./floor-view.js";
import type { Frame } from "./frame.js";
import { BRUSH, DASH_BRUSH, SIDE, UNITS, type Body } from "./motion.js";
import { colourOf } from "./palette.js";
import { drawPlayer, type Look } from "./player-view.js";
import type { Session } from "./session.js";
import type { Sounds } from "./sounds.js";

/** With more players than this, only the leader and we have names. */
const NAMES_MAX = 8;

export class Scene {
  readonly #canvas: HTMLCanvasElement;
  readonly #pen: CanvasRenderingContext2D;
  readonly #floor = new FloorView();
  readonly #effects = new Effects();
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");
  readonly #session: Session;
  readonly #sounds: Sounds;
  readonly #target = new Uint8Array(SIDE * SIDE);
  #wasDashing = false;

  constructor(canvas: HTMLCanvasElement, session: Session, sounds: Sounds) {
    const pen = canvas.getContext("2d");
    if (pen === null) throw new Error("this browser has no 2D canvas");
    [this.#canvas, this.#pen, this.#session, this.#sounds] = [canvas, pen, session, sounds];
  }

  /** What a frame tells of that is over at once. */
  happened(frame: Frame, before: { readonly buckets: readonly number[] }): void {
    const me = this.#session.seat;
    for (const [by, who] of frame.bumps) {
      const at = this.#session.view.players.get(who)?.body;
      if (at === undefined) continue;
      this.#effects.splash(at.x / UNITS, at.y / UNITS, colourOf(by), 26);
      if (by === me) this.#effects.word(at.x / UNITS, at.y / UNITS, "BUMP!", colourOf(by));
      if (who === me) this.#hit();
      this.#sounds.bump(by === me || who === me);
    }
    if (frame.full || frame.phase !== "playing") return;
    for (const tile of before.buckets.filter((bucket) => !frame.buckets.includes(bucket))) {
      const paint = this.#session.view.tiles[tile] ?? 0;
      const [x, y] = middleOf(tile);
      this.#effects.splash(x, y, paint === 0 ? "#ffffff" : colourOf(paint - 1), 44);
      this.#sounds.bucket();
    }
  }

  draw(now: number, ms: number): void {
    const tile = this.#fit();
    const { view } = this.#session;
    const pen = this.#pen;
    this.#effects.pass(ms);
    this.#aim();
    this.#floor.update(this.#target, now);
    const { x, y } = this.#calm.matches ? { x: 0, y: 0 } : this.#effects.offset;
    pen.setTransform(1, 0, 0, 1, x * tile, y * tile);
    this.#floor.drawOn(pen, now);
    for (const bucket of view.buckets) drawBucket(pen, bucket, tile, now);
    this.#players(tile, now);
    this.#effects.draw(pen, tile);
  }

  /** The floor as it will be once the room has granted what we want. */
  #aim(): void {
    const { view, prediction, seat } = this.#session;
    this.#target.set(view.tiles);
    const standing = seat === undefined ? undefined : view.players.get(seat);
    const dashes = (prediction.body?.dash ?? 0) > 0;
    if (dashes && !this.#wasDashing) this.#sounds.dash();
    this.#wasDashing = dashes;
    if (standing === undefined || (view.phase !== "lobby" && view.phase !== "playing")) return;
    for (const body of prediction.ahead(view.phase, standing.body)) {
      if (body.stun === 0) splash(this.#target, body, body.dash > 0 ? DASH_BRUSH : BRUSH, standing.seat + 1);
    }
  }

  #players(tile: number, now: number): void {
    const { view, prediction, timeline, lobby, seat } = this.#session;
    const leader = view.phase === "playing" || view.phase === "finished" ? leaderOf(this.#session) : undefined;
    const isCrowded = lobby.seats.length > NAMES_MAX;
    const draw = (at: { x: number; y: number }, body: Readonly<Body>, of: number): void => {
      const seated = lobby.seats.find((one) => one.seat === of);
      const isMe = of === seat;
      const look: Look = {
        ...{ seat: of, body, isMe, hasCrown: of === leader },
        name: isMe || (isCrowded && of !== leader) ? undefined : seated?.name,
      };
      this.#pen.save();
      this.#pen.translate((at.x / UNITS) * tile, (at.y / UNITS) * tile);
      drawPlayer(this.#pen, look, tile, now);
      this.#pen.restore();
    };
    for (const [of, shown] of timeline.shown(now)) {
      if (of !== seat || prediction.body === undefined) draw(shown, shown.standing.body, of);
    }
    const own = prediction.shown();
    if (seat !== undefined && own !== undefined && prediction.body !== undefined) draw(own, prediction.body, seat);
  }

  #hit(): void {
    this.#effects.shake();
    // Phones shake, once they were touched.
    if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(40);
  }

  /** As many device pixels as whole tiles need; returns a tile's. */
  #fit(): number {
    const wanted = this.#canvas.clientWidth * devicePixelRatio;
    const tile = Math.max(4, Math.round(wanted / SIDE));
    if (this.#canvas.width !== tile * SIDE) this.#canvas.width = this.#canvas.height = tile * SIDE;
    const style = getComputedStyle(this.#canvas);
    this.#floor.resize(tile, style.getPropertyValue("--bare"), style.getPropertyValue("--grain"));
    return tile;
  }
}

/** Who has the most tiles, where anyone has. */
export function leaderOf(session: Session): number | undefined {
  let best: number | undefined;
  for (const { seat } of session.lobby.seats) {
    const tiles = session.view.tilesOf(seat);
    if (tiles > 0 && (best === undefined || tiles > session.view.tilesOf(best))) best = seat;
  }
  return best;
}

/** As the room does it (`Floor::splash`). */
function splash(tiles: Uint8Array, { x, y }: Readonly<Body>, radius: number, paint: number): void {
  const edge = (at: number): number => Math.max(0, Math.min(SIDE - 1, Math.trunc(at / UNITS)));
  for (let row = edge(y - radius); row <= edge(y + radius); row += 1) {
    for (let column = edge(x - radius); column <= edge(x + radius); column += 1) {
      const across = column * UNITS + UNITS / 2 - x;
      const down = row * UNITS + UNITS / 2 - y;
      if (across * across + down * down <= radius * radius) tiles[row * SIDE + column] = paint;
    }
  }
}

function middleOf(tile: number): [number, number] {
  return [(tile % SIDE) + 0.5, Math.floor(tile / SIDE) + 0.5];
}

function drawBucket(pen: CanvasRenderingContext2D, bucket: number, tile: number, now: number): void {
  const [x, y] = middleOf(bucket);
  const size = tile * (0.95 + 0.08 * Math.sin(now / 180 + bucket));
  pen.save();
  pen.translate(x * tile, y * tile);
  pen.fillStyle = "rgb(255 255 255 / 0.35)";
  pen.beginPath();
  pen.arc(0, 0, size * 1.5, 0, Math.PI * 2);
  pen.fill();
  pen.fillStyle = "#e9ecf5";
  pen.strokeStyle = "#2a2e45";
  pen.lineWidth = Math.max(1.5, tile * 0.13);
  pen.beginPath();
  pen.moveTo(-size * 0.7, -size * 0.5);
  pen.lineTo(-size * 0.5, size * 0.75);
  pen.lineTo(size * 0.5, size * 0.75);
  pen.lineTo(size * 0.7, -size * 0.5);
  pen.closePath();
  pen.fill();
  pen.stroke();
  pen.fillStyle = `hsl(${(now / 8) % 360} 90% 60%)`;
  pen.beginPath();
  pen.ellipse(0, -size * 0.5, size * 0.72, size * 0.26, 0, 0, Math.PI * 2);
  pen.fill();
  pen.stroke();
  pen.restore();
}
