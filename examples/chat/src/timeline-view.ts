/** A scrolling log: draws rows, keeps one's place among them, asks for more at its top, goes by keyboard. */
import { dayName } from "./clock.js";
import { button, el } from "./dom.js";
import { messageElement, updateMessage, type MessageContext } from "./message-view.js";
import type { MessageTools } from "./message-tools.js";
import type { GapEntry } from "./roomcast.js";
import type { Above, MessageRow, Row } from "./rows.js";
import { wordsOf } from "./said.js";
import { VirtualList } from "./virtual-list.js";

export interface TimelineActions {
  loadOlder(): void;
  loadGap(key: string): void;
  /** After scrolling or drawing: whether the end is in view. */
  moved(isFollowing: boolean): void;
}

/** Older messages are asked for when so little lies above what is seen. */
const AHEAD_PX = 3_000;
const LINE_PX = 23;

export class TimelineView {
  readonly #scroller: HTMLElement;
  readonly #list: VirtualList<Row>;
  readonly #context: MessageContext;
  readonly #actions: TimelineActions;
  readonly #shown = new AbortController();
  #above: Above | undefined;
  #live = false;

  constructor(
    scroller: HTMLElement,
    list: HTMLElement,
    context: MessageContext,
    tools: MessageTools,
    actions: TimelineActions,
  ) {
    this.#scroller = scroller;
    this.#context = context;
    this.#actions = actions;
    this.#list = new VirtualList<Row>(scroller, list, {
      key: (row) => row.key,
      guess: (row) => guess(row, scroller.clientWidth),
      create: (row) => this.#create(row),
      update: (element, row) => this.#update(element as HTMLLIElement, row),
      anchors: (row) => row.kind === "message",
      moved: () => this.#moved(),
    });
    tools.serve(scroller, (element) => this.#messageOf(element), this.#shown.signal);
    scroller.onkeydown = (event) => this.#key(event, tools);
  }

  get isFollowing(): boolean {
    return this.#list.isFollowing;
  }

  /** `live`: somebody just said it, so it may be seen to arrive. */
  draw(rows: readonly Row[], live: boolean): void {
    this.#above = rows[0]?.kind === "above" ? rows[0].state : undefined;
    this.#live = live;
    const hadFocus = this.#scroller.contains(document.activeElement);
    this.#list.show(rows);
    this.#live = false;
    // What had the keyboard's place on the page may be gone.
    if (hadFocus && document.activeElement === document.body) this.#scroller.focus({ preventScroll: true });
  }

  toEnd(): void {
    this.#list.toEnd();
  }

  /** Brings a row to the eye; whether there is one. */
  reveal(key: string): boolean {
    const element = this.#list.reveal(key);
    element?.classList.remove("flash");
    // Anew, also for who asks twice.
    requestAnimationFrame(() => element?.classList.add("flash"));
    return element !== undefined;
  }

  close(): void {
    this.#shown.abort();
    this.#list.close();
    this.#scroller.onkeydown = null;
  }

  #messageOf(element: HTMLElement): MessageRow | undefined {
    const row = this.#list.rowOf(element);
    return row?.kind === "message" ? row : undefined;
  }

  #create(row: Row): HTMLElement {
    if (row.kind !== "message") return el("li", { class: row.kind });
    const element = messageElement(this.#context);
    if (this.#live && this.#list.isFollowing) element.classList.add("arriving");
    return element;
  }

  #update(element: HTMLLIElement, row: Row): void {
    switch (row.kind) {
      case "message":
        return updateMessage(element, row, this.#context);
      case "day":
        return element.replaceChildren(el("span", {}, dayName(row.time, Date.now())));
      case "new":
        return element.replaceChildren(el("span", {}, "New"));
      case "gap":
        return element.replaceChildren(...this.#gap(row.gap));
      case "above":
        element.dataset["state"] = row.state;
        return element.replaceChildren(...this.#aboveAll(row.state));
    }
  }

  #gap(gap: GapEntry): Node[] {
    const says = el("span", {}, gapText(gap));
    return gap.state === "lost" ? [says] : [says, button("Load them", () => this.#actions.loadGap(gap.key), "link")];
  }

  #aboveAll(state: Above): Node[] {
    const load = (label: string) => button(label, () => this.#actions.loadOlder(), "link");
    switch (state) {
      case "more":
        return [load("Earlier messages")];
      case "loading":
        return [el("span", { class: "spinner", "aria-hidden": "true" }), el("span", { role: "status" }, "Loading earlier messages…")];
      case "failed":
        return [el("span", {}, "They could not be loaded."), load("Try again")];
      case "beginning":
        return [el("span", {}, "This is where it all began.")];
      case "trimmed":
        return [el("span", {}, "What was said before is no longer kept.")];
    }
  }

  #moved(): void {
    this.#actions.moved(this.#list.isFollowing);
    if (this.#above === "more" && this.#scroller.scrollTop < AHEAD_PX) this.#actions.loadOlder();
  }

  /** Arrows go from message to message; letters do what the buttons at a message do. */
  #key(event: KeyboardEvent, tools: MessageTools): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const focused = document.activeElement;
    const message = focused instanceof HTMLElement ? focused.closest<HTMLElement>("li.message") : null;
    if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      const next = message === null ? this.#lastSeen() : neighbour(message, event.key === "ArrowUp");
      if (next === undefined) return;
      event.preventDefault();
      next.focus({ preventScroll: true });
      next.scrollIntoView({ block: "nearest" });
    } else if (message !== null && message === focused) {
      const row = this.#messageOf(message);
      if (row !== undefined && tools.key(event.key, row, message)) event.preventDefault();
    }
  }

  #lastSeen(): HTMLElement | undefined {
    const end = this.#scroller.getBoundingClientRect().bottom;
    const all = [...this.#scroller.querySelectorAll<HTMLElement>("li.message")];
    return all.findLast((element) => element.getBoundingClientRect().top < end - 20);
  }
}

function neighbour(message: HTMLElement, isUp: boolean): HTMLElement | undefined {
  let other: Element | null = message;
  do other = isUp ? other.previousElementSibling : other.nextElementSibling;
  while (other !== null && !other.classList.contains("message"));
  return other instanceof HTMLElement ? other : undefined;
}

/** How high a row will be, until it was drawn. */
function guess(row: Row, width: number): number {
  if (row.kind !== "message") return 44;
  const { message, head, thread } = row;
  let height = head ? 46 : 27;
  if (!message.removed) {
    const { text, attachments } = wordsOf(message.data);
    const perLine = Math.max(20, (Math.min(width, 900) - 110) / 7.6);
    const lines = text.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / perLine)), 0);
    height += (lines - 1) * LINE_PX + attachments.length * 90;
    if (message.kind === "message" && Object.keys(message.reactions).length > 0) height += 34;
  }
  return height + (thread === undefined ? 0 : 36);
}

function gapText({ reason, state }: GapEntry): string {
  if (reason === "forbidden") return "What was said while you were away is not yours to read.";
  if (reason === "trimmed" && state === "lost") return "Some of what you missed is no longer kept.";
  if (state === "lost") return "The room began anew: what was said in it before is gone.";
  return "You were away for long, and messages are missing here.";
}
