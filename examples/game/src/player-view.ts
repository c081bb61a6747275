/** A player: a drop of paint with eyes. Lengths are in device pixels. */
import { COOLDOWN_TICKS, type Body } from "./motion.js";
import { colourOf, mix } from "./palette.js";

export interface Look {
  readonly seat: number;
  readonly body: Readonly<Body>;
  readonly isMe: boolean;
  readonly name: string | undefined;
  readonly hasCrown: boolean;
}

/** Draws a player around the pen's origin. `tile` is a tile's side. */
export function drawPlayer(pen: CanvasRenderingContext2D, look: Look, tile: number, now: number): void {
  const { body, isMe } = look;
  const colour = colourOf(look.seat);
  const radius = tile * 0.86;
  pen.save();
  if (body.shield > 0) pen.globalAlpha = 0.6 + 0.35 * Math.sin(now / 45);
  pen.fillStyle = "rgb(0 0 0 / 0.22)";
  pen.beginPath();
  pen.ellipse(0, radius * 0.62, radius * 0.92, radius * 0.5, 0, 0, Math.PI * 2);
  pen.fill();
  if (isMe) drawRing(pen, body, radius, now);
  drawDrop(pen, body, colour, radius);
  if (body.stun > 0) drawStars(pen, radius, now);
  else drawEyes(pen, body, radius);
  if (look.hasCrown) drawCrown(pen, radius);
  pen.restore();
  if (look.name !== undefined) drawName(pen, look.name, radius, tile);
}

/** Longer the faster it goes. */
function drawDrop(pen: CanvasRenderingContext2D, body: Readonly<Body>, colour: string, radius: number): void {
  const speed = Math.hypot(body.vx, body.vy);
  const stretch = 1 + Math.min(0.38, speed / 900);
  pen.save();
  pen.rotate(Math.atan2(body.vy, body.vx));
  pen.scale(stretch, 1 / stretch);
  pen.beginPath();
  pen.arc(0, 0, radius, 0, Math.PI * 2);
  pen.fillStyle = mix(colour, "#ffffff", 0.16);
  pen.fill();
  pen.lineWidth = Math.max(1.5, radius * 0.2);
  pen.strokeStyle = mix(colour, "#000000", 0.5);
  pen.stroke();
  pen.restore();
  pen.fillStyle = "rgb(255 255 255 / 0.5)";
  pen.beginPath();
  pen.ellipse(-radius * 0.34, -radius * 0.48, radius * 0.24, radius * 0.14, -0.6, 0, Math.PI * 2);
  pen.fill();
}

/** Around ourselves; it fills as the next dash gets ready. */
function drawRing(pen: CanvasRenderingContext2D, body: Readonly<Body>, radius: number, now: number): void {
  const ready = 1 - body.cooldown / COOLDOWN_TICKS;
  const size = radius * (1.55 + (ready >= 1 ? 0.06 * Math.sin(now / 220) : 0));
  pen.lineWidth = Math.max(2, radius * 0.22);
  pen.strokeStyle = "rgb(0 0 0 / 0.28)";
  pen.beginPath();
  pen.arc(0, 0, size, 0, Math.PI * 2);
  pen.stroke();
  pen.strokeStyle = "#fff";
  pen.beginPath();
  pen.arc(0, 0, size, -Math.PI / 2, -Math.PI / 2 + Math.PI * 2 * ready);
  pen.stroke();
}

function drawEyes(pen: CanvasRenderingContext2D, body: Readonly<Body>, radius: number): void {
  const length = Math.max(1, Math.hypot(body.fx, body.fy));
  const [lookX, lookY] = [body.fx / length, body.fy / length];
  for (const side of [-1, 1]) {
    const x = lookX * radius * 0.3 + side * radius * 0.34;
    const y = lookY * radius * 0.26 - radius * 0.06;
    pen.fillStyle = "#fff";
    pen.beginPath();
    pen.ellipse(x, y, radius * 0.25, radius * 0.3, 0, 0, Math.PI * 2);
    pen.fill();
    pen.fillStyle = "#1a1c2b";
    pen.beginPath();
    pen.arc(x + lookX * radius * 0.1, y + lookY * radius * 0.12, radius * 0.13, 0, Math.PI * 2);
    pen.fill();
  }
}

/** What those see who were bumped. */
function drawStars(pen: CanvasRenderingContext2D, radius: number, now: number): void {
  pen.strokeStyle = "#1a1c2b";
  pen.lineWidth = Math.max(1.5, radius * 0.13);
  for (const side of [-1, 1]) {
    const [x, size] = [side * radius * 0.36, radius * 0.15];
    pen.beginPath();
    pen.moveTo(x - size, -size);
    pen.lineTo(x + size, size);
    pen.moveTo(x + size, -size);
    pen.lineTo(x - size, size);
    pen.stroke();
  }
  pen.fillStyle = "#ffe27a";
  for (let star = 0; star < 3; star += 1) {
    const angle = now / 160 + (star * Math.PI * 2) / 3;
    pen.beginPath();
    pen.arc(Math.cos(angle) * radius, -radius + Math.sin(angle) * radius * 0.3, radius * 0.16, 0, Math.PI * 2);
    pen.fill();
  }
}

function drawCrown(pen: CanvasRenderingContext2D, radius: number): void {
  const [width, top, bottom] = [radius * 0.62, -radius * 1.75, -radius * 1.08];
  pen.beginPath();
  pen.moveTo(-width, bottom);
  pen.lineTo(-width, top);
  pen.lineTo(-width / 2, (top + bottom) / 2);
  pen.lineTo(0, top - radius * 0.12);
  pen.lineTo(width / 2, (top + bottom) / 2);
  pen.lineTo(width, top);
  pen.lineTo(width, bottom);
  pen.closePath();
  pen.fillStyle = "#ffd23e";
  pen.fill();
  pen.lineWidth = Math.max(1, radius * 0.1);
  pen.strokeStyle = "#8a5a00";
  pen.stroke();
}

function drawName(pen: CanvasRenderingContext2D, name: string, radius: number, tile: number): void {
  pen.font = `700 ${Math.round(Math.max(11 * devicePixelRatio, tile * 0.72))}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.lineJoin = "round";
  pen.lineWidth = Math.max(3, tile * 0.22);
  pen.strokeStyle = "rgb(26 28 43 / 0.85)";
  pen.strokeText(name, 0, radius * 2.35);
  pen.fillStyle = "#fff";
  pen.fillText(name, 0, radius * 2.35);
}
