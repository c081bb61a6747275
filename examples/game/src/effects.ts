/** What flies about for a moment: drops of paint, rings, words. Knows nothing of the game. */

interface Drop {
  x: number;
  y: number;
  vx: number;
  vy: number;
  size: number;
  age: number;
  readonly life: number;
  readonly colour: string;
}

interface Word {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly colour: string;
  age: number;
}

const DROPS_MAX = 400;
const WORD_MS = 800;

/** Places are in tiles. */
export class Effects {
  readonly #drops: Drop[] = [];
  readonly #words: Word[] = [];
  #shake = 0;

  splash(x: number, y: number, colour: string, count: number): void {
    for (let index = 0; index < count && this.#drops.length < DROPS_MAX; index += 1) {
      const [angle, speed] = [Math.random() * Math.PI * 2, 2 + Math.random() * 9];
      this.#drops.push({
        ...{ x, y, colour, age: 0, vx: Math.cos(angle) * speed, vy: Math.sin(angle) * speed },
        size: 0.1 + Math.random() * 0.28,
        life: 250 + Math.random() * 350,
      });
    }
  }

  word(x: number, y: number, text: string, colour: string): void {
    if (this.#words.length < 8) this.#words.push({ x, y, text, colour, age: 0 });
  }

  shake(): void {
    this.#shake = 1;
  }

  /** How far everything is off its place, in tiles. */
  get offset(): { x: number; y: number } {
    const far = this.#shake * 0.35;
    return { x: (Math.random() - 0.5) * far, y: (Math.random() - 0.5) * far };
  }

  pass(ms: number): void {
    this.#shake *= Math.exp(-ms / 90);
    if (this.#shake < 0.02) this.#shake = 0;
    const seconds = ms / 1_000;
    for (const drop of this.#drops) {
      drop.age += ms;
      drop.x += drop.vx * seconds;
      drop.y += drop.vy * seconds;
      drop.vx *= Math.exp(-ms / 160);
      drop.vy *= Math.exp(-ms / 160);
    }
    for (const word of this.#words) word.age += ms;
    keep(this.#drops, ({ age, life }) => age < life);
    keep(this.#words, ({ age }) => age < WORD_MS);
  }

  draw(pen: CanvasRenderingContext2D, tile: number): void {
    for (const { x, y, size, age, life, colour } of this.#drops) {
      pen.fillStyle = colour;
      pen.beginPath();
      pen.arc(x * tile, y * tile, size * tile * (1 - age / life), 0, Math.PI * 2);
      pen.fill();
    }
    for (const { x, y, text, colour, age } of this.#words) {
      const part = age / WORD_MS;
      pen.globalAlpha = 1 - part ** 3;
      pen.font = `800 ${Math.round(tile * (1.1 + 0.3 * Math.min(1, part * 6)))}px system-ui, sans-serif`;
      pen.textAlign = "center";
      pen.lineWidth = Math.max(2, tile / 5);
      pen.strokeStyle = "#fff";
      pen.strokeText(text, x * tile, (y - 1.4 - part * 1.5) * tile);
      pen.fillStyle = colour;
      pen.fillText(text, x * tile, (y - 1.4 - part * 1.5) * tile);
    }
    pen.globalAlpha = 1;
  }
}

function keep<Item>(items: Item[], wanted: (item: Item) => boolean): void {
  let kept = 0;
  for (const item of items) if (wanted(item)) items[kept++] = item;
  items.length = kept;
}
