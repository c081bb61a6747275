/** The scrolling log: draws rows, keeps one's place in it, and asks for more at its top. */
import { dayName } from "./clock.js";
import { arrange, button, byId, el } from "./dom.js";
import { messageElement, updateMessage, type MessageActions } from "./message-view.js";
import { rows, type Gap, type Row, type Timeline } from "./timeline.js";

export interface TimelineActions extends MessageActions {
  loadEarlier(): void;
  loadMissing(gap: Gap): void;
}

/** What lies above the oldest message that is shown. */
export type Above = "unknown" | "more" | "loading" | "failed" | "beginning" | "trimmed";

/** So far from the end still counts as reading along. */
const NEAR_END_PX = 80;

export class TimelineView {
  readonly #scroller = byId("log", HTMLElement);
  readonly #list = byId("messages", HTMLOListElement);
  readonly #above = byId("above", HTMLElement);
  readonly #toEnd = byId("to-end", HTMLButtonElement);
  readonly #elements = new Map<string, HTMLLIElement>();
  readonly #actions: TimelineActions;
  readonly #resizing = new ResizeObserver(() => this.#following && this.#jumpToEnd());
  readonly #reaching: IntersectionObserver;
  #aboveState: Above = "unknown";
  #following = true;
  #unseen = 0;

  constructor(actions: TimelineActions) {
    this.#actions = actions;
    this.#scroller.onscroll = () => this.#scrolled();
    this.#toEnd.onclick = () => this.toEnd();
    // A keyboard that opens, or a composer that grows, must not hide what is being read.
    this.#resizing.observe(this.#scroller);
    this.#resizing.observe(this.#list);
    const reached: IntersectionObserverCallback = ([entry]) => {
      if (entry?.isIntersecting && this.#aboveState === "more" && !this.#following) actions.loadEarlier();
    };
    this.#reaching = new IntersectionObserver(reached, { root: this.#scroller, rootMargin: "200px 0px 0px" });
    this.#reaching.observe(this.#above);
    this.#drawToEnd();
  }

  get isFollowing(): boolean {
    return this.#following;
  }

  /** `live`: somebody just said it, so it may be seen to arrive. */
  draw(timeline: Timeline, above: Above, live: boolean): void {
    const anchor = this.#firstVisible();
    const hadFocus = this.#scroller.contains(document.activeElement);
    const wanted = rows(timeline.entries);
    const keys = new Set(wanted.map((row) => row.key));
    for (const key of this.#elements.keys()) if (!keys.has(key)) this.#elements.delete(key);
    arrange(this.#list, wanted.map((row) => this.#element(row, live)));
    this.#drawAbove(above);
    if (this.#following) this.#jumpToEnd();
    else if (anchor) this.#scroller.scrollTop += anchor.element.getBoundingClientRect().bottom - anchor.bottom;
    // A button that did its work is gone, and with it the keyboard's place on the page.
    if (hadFocus && document.activeElement === document.body) this.#scroller.focus({ preventScroll: true });
  }

  /** Somebody said something while the reader was further up. */
  countUnseen(): void {
    if (this.#following) return;
    this.#unseen += 1;
    this.#drawToEnd();
  }

  toEnd(): void {
    this.#following = true;
    this.#jumpToEnd();
    this.#scrolled();
  }

  /** Leaves the page to another room's. */
  close(): void {
    this.#resizing.disconnect();
    this.#reaching.disconnect();
    this.#list.replaceChildren();
    this.#above.replaceChildren();
  }

  #element(row: Row, live: boolean): HTMLLIElement {
    let element = this.#elements.get(row.key);
    if (element === undefined) {
      element = row.kind === "message" ? messageElement(row) : el("li", { class: row.kind });
      if (live && row.kind === "message") element.classList.add("arriving");
      this.#elements.set(row.key, element);
    }
    if (row.kind === "message") {
      updateMessage(element, row, this.#actions);
    } else if (row.kind === "day") {
      const name = dayName(row.time, Date.now());
      if (element.textContent !== name) element.replaceChildren(el("span", {}, name));
    } else if (element.dataset["state"] !== row.gap.state) {
      element.dataset["state"] = row.gap.state;
      element.replaceChildren(...this.#gap(row.gap));
    }
    return element;
  }

  #gap(gap: Gap): Node[] {
    const says = el("span", {}, gapText(gap));
    if (gap.state === "lost") return [says];
    const load = button(gap.state === "loading" ? "Loading…" : "Load them", () => this.#actions.loadMissing(gap), "link");
    load.disabled = gap.state === "loading";
    return [says, load];
  }

  #drawAbove(above: Above): void {
    if (above === this.#aboveState) return;
    this.#aboveState = above;
    this.#above.dataset["state"] = above;
    const load = (label: string) => button(label, () => this.#actions.loadEarlier());
    switch (above) {
      case "unknown":
        return this.#above.replaceChildren();
      case "more":
        return this.#above.replaceChildren(load("Earlier messages"));
      case "loading":
        return this.#above.replaceChildren(el("span", { role: "status" }, "Loading earlier messages…"));
      case "failed":
        return this.#above.replaceChildren(el("span", {}, "They could not be loaded."), load("Try again"));
      case "beginning":
        return this.#above.replaceChildren(el("span", {}, "This is where it all began."));
      case "trimmed":
        return this.#above.replaceChildren(el("span", {}, "What was said before is no longer kept."));
    }
  }

  /** The first message in view and where it ends: there it stays while others come above it, and join its group. */
  #firstVisible(): { element: Element; bottom: number } | undefined {
    const edge = this.#scroller.getBoundingClientRect().top;
    for (const element of this.#list.children) {
      const { bottom } = element.getBoundingClientRect();
      if (bottom > edge && element.classList.contains("message")) return { element, bottom };
    }
    return undefined;
  }

  #scrolled(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    this.#following = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    if (this.#following) this.#unseen = 0;
    this.#drawToEnd();
  }

  #jumpToEnd(): void {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #drawToEnd(): void {
    this.#toEnd.hidden = this.#following;
    const label = byId("to-end-label", HTMLElement);
    label.textContent = this.#unseen === 0 ? "Latest" : `${this.#unseen} new`;
  }
}

function gapText({ reason, state }: Gap): string {
  if (reason === "forbidden") return "What was said while you were away is not yours to read.";
  if (reason === "trimmed" && state === "lost") return "Some of what you missed is no longer kept.";
  if (state === "lost") return "The room began anew: what was said in it before is gone.";
  if (state === "failed") return "What you missed could not be loaded.";
  return "You were away for long, and messages are missing here.";
}
