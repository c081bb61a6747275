/** Stick and dash: by finger, by mouse, by keys. */
import { STILL, wish, type Wish } from "./motion.js";

/** How far a finger goes for full speed, in CSS pixels. */
const REACH_PX = 44;
const DIRECTIONS: Record<string, readonly [number, number]> = {
  ArrowUp: [0, -1],
  KeyW: [0, -1],
  ArrowDown: [0, 1],
  KeyS: [0, 1],
  ArrowLeft: [-1, 0],
  KeyA: [-1, 0],
  ArrowRight: [1, 0],
  KeyD: [1, 0],
};
const DASHES = ["Space", "ShiftLeft", "ShiftRight", "Enter"];

export class Controls {
  readonly #keys = new Set<string>();
  readonly #knob: HTMLElement;
  #stick: { id: number; x: number; y: number; dx: number; dy: number } | undefined;
  #dashes = false;

  /** `ground` takes fingers anywhere on it; `knob` shows where the stick is. */
  constructor(ground: HTMLElement, knob: HTMLElement, dash: HTMLElement) {
    this.#knob = knob;
    ground.addEventListener("pointerdown", (event) => this.#down(event, ground));
    ground.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"] as const) ground.addEventListener(end, (event) => this.#up(event));
    ground.addEventListener("contextmenu", (event) => event.preventDefault());
    dash.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      event.stopPropagation();
      this.#dashes = true;
    });
    window.addEventListener("keydown", (event) => this.#key(event, true));
    window.addEventListener("keyup", (event) => this.#key(event, false));
    window.addEventListener("blur", () => this.#letGo());
    // Who clicked a button plays on with the keys; who came to it with Tab stays there.
    document.addEventListener("click", (event) => {
      if (event.detail > 0) (event.target as Element).closest("button")?.blur();
    });
  }

  /** What is wanted now. A dash is wanted once, however long it is pressed. */
  take(): Wish {
    const dash = this.#dashes;
    this.#dashes = false;
    if (this.#stick !== undefined) {
      const { dx, dy } = this.#stick;
      return wish((dx / REACH_PX) * 127, (dy / REACH_PX) * 127, dash);
    }
    let [x, y] = [0, 0];
    for (const key of this.#keys) {
      const [right, down] = DIRECTIONS[key] ?? [0, 0];
      [x, y] = [x + right, y + down];
    }
    return x === 0 && y === 0 && !dash ? STILL : wish(x * 127, y * 127, dash);
  }

  #down(event: PointerEvent, ground: HTMLElement): void {
    if ((event.target as Element).closest("button, a, input")) return;
    event.preventDefault();
    // The second finger dashes, wherever it lands.
    if (this.#stick !== undefined) {
      this.#dashes = true;
      return;
    }
    ground.setPointerCapture(event.pointerId);
    this.#stick = { id: event.pointerId, x: event.clientX, y: event.clientY, dx: 0, dy: 0 };
    this.#draw();
  }

  #move(event: PointerEvent): void {
    const stick = this.#stick;
    if (stick?.id !== event.pointerId) return;
    stick.dx = event.clientX - stick.x;
    stick.dy = event.clientY - stick.y;
    // A finger that goes on pulls the stick's middle along, so that turning back needs no long way.
    const far = Math.hypot(stick.dx, stick.dy);
    if (far > REACH_PX) {
      const back = (far - REACH_PX) / far;
      stick.x += stick.dx * back;
      stick.y += stick.dy * back;
      stick.dx -= stick.dx * back;
      stick.dy -= stick.dy * back;
    }
    this.#draw();
  }

  #up(event: PointerEvent): void {
    if (this.#stick?.id !== event.pointerId) return;
    this.#stick = undefined;
    this.#draw();
  }

  #key(event: KeyboardEvent, isDown: boolean): void {
    const isDash = DASHES.includes(event.code);
    if ((!isDash && !(event.code in DIRECTIONS)) || event.ctrlKey || event.metaKey || event.altKey) return;
    // A field has its own use for all of them, a button for those that dash.
    if (isDown && (event.target as Element).closest(isDash ? "input, button, a" : "input")) return;
    if (isDown) event.preventDefault();
    if (isDash) this.#dashes ||= isDown && !event.repeat;
    else if (isDown) this.#keys.add(event.code);
    else this.#keys.delete(event.code);
  }

  #letGo(): void {
    this.#keys.clear();
    this.#stick = undefined;
    this.#draw();
  }

  #draw(): void {
    const stick = this.#stick;
    this.#knob.hidden = stick === undefined;
    if (stick === undefined) return;
    const { x, y, dx, dy } = stick;
    this.#knob.style.setProperty("translate", `${x}px ${y}px`);
    this.#knob.style.setProperty("--dx", `${dx}px`);
    this.#knob.style.setProperty("--dy", `${dy}px`);
  }
}
