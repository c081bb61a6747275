/**
 * A list of which only what is near the eye is in the document, however long it is.
 *
 * Rows have heights that are known once they were drawn, and guessed before. What one reads stays where it is: a row in
 * view is the anchor, and everything that changes above it changes the space above, not its place. Only where that
 * space runs out (at the very top, or when a page was put ahead) is the scroll position itself moved, in the same frame.
 */
import { arrange, el } from "./dom.js";

export interface Drawing<Row> {
  key(row: Row): string;
  /** Pixels, until it was drawn. */
  guess(row: Row): number;
  create(row: Row): HTMLElement;
  update(element: HTMLElement, row: Row): void;
  /** Whether it keeps its place while others come: what goes with them cannot hold them. */
  anchors(row: Row): boolean;
  /** After each scroll and each drawing. */
  moved(): void;
}

interface Anchor {
  key: string;
  /** Below the upper edge of what is seen. */
  offset: number;
}

/** So far from the end still counts as reading along. */
const NEAR_END_PX = 80;
/** Rows are drawn so far beyond the edges, and anew when less than half of it is left. */
const BEYOND_PX = 1_600;
const ROWS_MIN = 120;
/** The space above may differ so much from the best guess before the scroll position is moved to match it. */
const SLACK_PX = 4_000;

export class VirtualList<Row> {
  readonly #scroller: HTMLElement;
  readonly #list: HTMLElement;
  readonly #above = el("li", { class: "spacer", role: "presentation" });
  readonly #below = el("li", { class: "spacer", role: "presentation" });
  readonly #drawing: Drawing<Row>;
  readonly #resizing: ResizeObserver;
  readonly #heights = new Map<string, number>();
  readonly #elements = new Map<string, HTMLElement>();
  readonly #drawn = new WeakMap<HTMLElement, Row>();
  readonly #indexes = new Map<string, number>();
  #rows: readonly Row[] = [];
  /** Where each row begins by what is known, and behind the last where all end. */
  #tops = new Float64Array(1);
  #first = 0;
  #last = 0;
  #space = 0;
  #width = 0;
  #following = true;

  constructor(scroller: HTMLElement, list: HTMLElement, drawing: Drawing<Row>) {
    this.#scroller = scroller;
    this.#list = list;
    this.#drawing = drawing;
    list.replaceChildren(this.#above, this.#below);
    scroller.onscroll = () => this.#scrolled();
    // A keyboard that opens, a composer that grows or a picture that comes must not move what is read.
    this.#resizing = new ResizeObserver(() => this.#resized());
    this.#resizing.observe(scroller);
    this.#resizing.observe(list);
  }

  /** Whether the end is in view, and stays there when more comes. */
  get isFollowing(): boolean {
    return this.#following;
  }

  show(rows: readonly Row[]): void {
    const anchors = this.#following ? [] : this.#anchors();
    this.#rows = rows;
    this.#indexes.clear();
    rows.forEach((row, index) => this.#indexes.set(this.#drawing.key(row), index));
    this.#draw(anchors.find(({ key }) => this.#indexes.has(key)));
  }

  toEnd(): void {
    this.#following = true;
    this.#draw(undefined);
  }

  /** Scrolls a row to the middle of what is seen. Its element, unless there is no such row. */
  reveal(key: string): HTMLElement | undefined {
    const index = this.#indexes.get(key);
    if (index === undefined) return undefined;
    this.#following = false;
    this.#draw({ key, offset: this.#scroller.clientHeight * 0.4 });
    return this.#elements.get(key);
  }

  /** The row in an element of this list. */
  rowOf(element: HTMLElement): Row | undefined {
    return this.#drawn.get(element);
  }

  element(key: string): HTMLElement | undefined {
    return this.#elements.get(key);
  }

  close(): void {
    this.#resizing.disconnect();
    this.#scroller.onscroll = null;
    this.#list.replaceChildren();
  }

  #scrolled(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    this.#following = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    const [from, to] = [this.#space, this.#space + this.#spanned(this.#first, this.#last)];
    const lacks =
      (this.#first > 0 && scrollTop - from < BEYOND_PX / 2) ||
      (this.#last < this.#rows.length && to - scrollTop - clientHeight < BEYOND_PX / 2);
    if (lacks) this.#draw(this.#following ? undefined : this.#anchor());
    else this.#drawing.moved();
  }

  #resized(): void {
    const width = this.#scroller.clientWidth;
    if (width !== this.#width) this.#heights.clear();
    this.#width = width;
    this.#draw(this.#following ? undefined : this.#anchor());
  }

  /** The first row in view that can hold the others, and where it is. */
  #anchor(): Anchor | undefined {
    if (this.#following) return undefined;
    const [first] = this.#anchors(1);
    if (first !== undefined) return first;
    const index = this.#at(this.#scroller.scrollTop);
    const row = this.#rows[index];
    return row && { key: this.#drawing.key(row), offset: this.#place(index) - this.#scroller.scrollTop };
  }

  /** Rows that are drawn, from the first in view on: should one go, the next holds the others. */
  #anchors(count = Infinity): Anchor[] {
    const anchors: Anchor[] = [];
    const edge = this.#scroller.getBoundingClientRect().top;
    for (let index = this.#first; index < this.#last && anchors.length < count; index += 1) {
      const row = this.#rows[index];
      if (row === undefined || !this.#drawing.anchors(row)) continue;
      const key = this.#drawing.key(row);
      const rect = this.#elements.get(key)?.getBoundingClientRect();
      if (rect !== undefined && rect.bottom > edge + 1) anchors.push({ key, offset: rect.top - edge });
    }
    return anchors;
  }

  #draw(anchor: Anchor | undefined): void {
    this.#measureTops();
    const at = anchor && this.#indexes.get(anchor.key);
    this.#choose(anchor && at !== undefined ? { index: at, offset: anchor.offset } : undefined);
    this.#fill();
    this.#measure();
    if (anchor !== undefined && at !== undefined && !this.#following) this.#keep(anchor, at);
    else this.#setSpace((this.#tops[this.#first] ?? 0) - (this.#tops[0] ?? 0));
    if (this.#following) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#drawing.moved();
  }

  /** Which rows are to be in the document: those around the anchor, or the last. */
  #choose(anchor: { index: number; offset: number } | undefined): void {
    const view = this.#scroller.clientHeight;
    const count = this.#rows.length;
    if (anchor === undefined && this.#following) {
      this.#last = count;
      this.#first = Math.max(0, Math.min(count - ROWS_MIN, this.#indexAbove(count, view + BEYOND_PX)));
      return;
    }
    const index = anchor?.index ?? this.#at(this.#scroller.scrollTop);
    const offset = anchor?.offset ?? 0;
    this.#first = this.#indexAbove(index, BEYOND_PX + offset);
    const bottom = (this.#tops[index] ?? 0) - offset + view + BEYOND_PX;
    this.#last = Math.min(count, this.#indexFor(bottom) + 1);
    const lacking = ROWS_MIN - (this.#last - this.#first);
    if (lacking <= 0) return;
    this.#first = Math.max(0, this.#first - Math.ceil(lacking / 2));
    this.#last = Math.min(count, Math.max(this.#last, this.#first + ROWS_MIN));
  }

  #fill(): void {
    const shown: HTMLElement[] = [];
    const keys = new Set<string>();
    for (const row of this.#rows.slice(this.#first, this.#last)) {
      const key = this.#drawing.key(row);
      keys.add(key);
      let element = this.#elements.get(key);
      if (element === undefined) this.#elements.set(key, (element = this.#drawing.create(row)));
      if (this.#drawn.get(element) !== row) {
        this.#drawing.update(element, row);
        this.#drawn.set(element, row);
      }
      shown.push(element);
    }
    for (const key of this.#elements.keys()) if (!keys.has(key)) this.#elements.delete(key);
    arrange(this.#list, [this.#above, ...shown, this.#below]);
  }

  #measure(): void {
    let changed = false;
    for (const [key, element] of this.#elements) {
      const { height } = element.getBoundingClientRect();
      if (this.#heights.get(key) === height) continue;
      this.#heights.set(key, height);
      changed = true;
    }
    if (changed) this.#measureTops();
  }

  /** The anchor's place stays: by the space above it where that can be, else by the scroll position. */
  #keep(anchor: Anchor, index: number): void {
    const known = this.#tops[this.#first] ?? 0;
    const wanted = this.#scroller.scrollTop - this.#list.offsetTop + anchor.offset - this.#spanned(this.#first, index);
    const isOff = this.#first === 0 || wanted < 0 || Math.abs(wanted - known) > SLACK_PX;
    this.#setSpace(isOff ? known : wanted);
    const element = this.#elements.get(anchor.key);
    if (element === undefined) return;
    const now = element.getBoundingClientRect().top - this.#scroller.getBoundingClientRect().top;
    if (Math.abs(now - anchor.offset) > 0.25) this.#scroller.scrollTop += now - anchor.offset;
  }

  #setSpace(above: number): void {
    this.#space = above;
    this.#above.style.height = `${above}px`;
    this.#below.style.height = `${this.#spanned(this.#last, this.#rows.length)}px`;
  }

  #measureTops(): void {
    const count = this.#rows.length;
    if (this.#tops.length !== count + 1) this.#tops = new Float64Array(count + 1);
    let top = 0;
    for (let index = 0; index < count; index += 1) {
      const row = this.#rows[index] as Row;
      this.#tops[index] = top;
      top += this.#heights.get(this.#drawing.key(row)) ?? this.#drawing.guess(row);
    }
    this.#tops[count] = top;
  }

  #spanned(from: number, to: number): number {
    return (this.#tops[to] ?? 0) - (this.#tops[from] ?? 0);
  }

  /** Where a row begins in the scroller, the space above as it is. */
  #place(index: number): number {
    return this.#list.offsetTop + this.#space + this.#spanned(this.#first, index);
  }

  /** The row at that place of the scroller. */
  #at(place: number): number {
    return this.#indexFor(place - this.#list.offsetTop - this.#space + (this.#tops[this.#first] ?? 0));
  }

  /** The first row that begins at most `distance` above the one of that index. */
  #indexAbove(index: number, distance: number): number {
    return this.#indexFor((this.#tops[index] ?? 0) - distance);
  }

  /** The row that `top` lies in. */
  #indexFor(top: number): number {
    let [from, to] = [0, Math.max(0, this.#rows.length - 1)];
    while (from < to) {
      const middle = (from + to + 1) >>> 1;
      if ((this.#tops[middle] ?? 0) <= top) from = middle;
      else to = middle - 1;
    }
    return from;
  }
}
