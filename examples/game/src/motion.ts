/**
 * How a player moves in one tick: `behavior/src/motion.rs` once more, whole numbers and all, so that our own player
 * need not wait for the room. `behavior/golden/motion.json` holds both to the same.
 */

export const SIDE = 32;
export const UNITS = 256;
export const FIELD = SIDE * UNITS;
export const RADIUS = 200;
export const BRUSH = 300;
export const DASH_BRUSH = 430;
export const COOLDOWN_TICKS = 28;
export const TICK_MS = 50;

const SPEED = 112;
const DASH_SPEED = 330;
const DASH_TICKS = 4;
const SHIELD_TICKS = 20;
const REACH = 127;

/** What a player wants in one tick: the stick, at most 127 from its middle, and whether to dash. */
export interface Wish {
  readonly x: number;
  readonly y: number;
  readonly dash: boolean;
}

export const STILL: Wish = { x: 0, y: 0, dash: false };

/** All of a player that moving depends on. Units, units a tick, and ticks left. */
export interface Body {
  x: number;
  y: number;
  vx: number;
  vy: number;
  fx: number;
  fy: number;
  dash: number;
  stun: number;
  cooldown: number;
  shield: number;
}

/** Brings the stick back within its reach. */
export function wish(x: number, y: number, dash: boolean): Wish {
  const [right, down] = [clamp(x), clamp(y)];
  const length = root(right * right + down * down);
  if (length <= REACH) return { x: right, y: down, dash };
  return { x: Math.trunc((right * REACH) / length) + 0, y: Math.trunc((down * REACH) / length) + 0, dash };
}

export function isStill({ x, y, dash }: Wish): boolean {
  return x === 0 && y === 0 && !dash;
}

/** One tick. */
export function step(body: Body, wanted: Wish): void {
  body.cooldown = Math.max(0, body.cooldown - 1);
  body.shield = Math.max(0, body.shield - 1);
  if (body.stun > 0) slide(body);
  else steer(body, wanted);
  [body.x, body.vx] = within(body.x + body.vx, body.vx);
  [body.y, body.vy] = within(body.y + body.vy, body.vy);
}

function slide(body: Body): void {
  body.stun -= 1;
  body.vx = quotient(body.vx * 7, 8);
  body.vy = quotient(body.vy * 7, 8);
  if (body.stun === 0) body.shield = SHIELD_TICKS;
}

function steer(body: Body, wanted: Wish): void {
  if (wanted.x !== 0 || wanted.y !== 0) [body.fx, body.fy] = [wanted.x, wanted.y];
  if (wanted.dash && body.dash === 0 && body.cooldown === 0) {
    const length = Math.max(1, root(body.fx * body.fx + body.fy * body.fy));
    body.vx = quotient(body.fx * DASH_SPEED, length);
    body.vy = quotient(body.fy * DASH_SPEED, length);
    body.dash = DASH_TICKS;
    body.cooldown = COOLDOWN_TICKS;
  }
  if (body.dash > 0) {
    body.dash -= 1;
  } else {
    body.vx = towards(body.vx, quotient(wanted.x * SPEED, REACH));
    body.vy = towards(body.vy, quotient(wanted.y * SPEED, REACH));
  }
}

function towards(speed: number, wanted: number): number {
  const change = quotient(wanted - speed, 3);
  return change === 0 ? wanted : speed + change;
}

function within(position: number, speed: number): [number, number] {
  if (position < RADIUS) return [RADIUS, quotient(-speed, 2)];
  if (position > FIELD - RADIUS) return [FIELD - RADIUS, quotient(-speed, 2)];
  return [position, speed];
}

/** Division as whole numbers have it; never a negative zero. */
function quotient(number: number, by: number): number {
  return Math.trunc(number / by) + 0;
}

function root(square: number): number {
  return Math.floor(Math.sqrt(square));
}

function clamp(number: number): number {
  return Math.max(-REACH, Math.min(REACH, Math.trunc(number))) + 0;
}
