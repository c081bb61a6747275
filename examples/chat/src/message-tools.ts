/** What can be done with a message: one row of buttons, which goes to the message that has the pointer or the focus. */
import { el, iconButton } from "./dom.js";
import { openBeside, watchArrows } from "./menu.js";
import type { MessageEntry, SentEntry } from "./roomcast.js";
import type { MessageRow } from "./rows.js";
import { wordsOf } from "./said.js";

export interface ToolActions {
  react(message: SentEntry, name: string, on: boolean): void;
  openThread(parent: number): void;
  edit(message: SentEntry): void;
  remove(message: SentEntry): void;
  mayEdit(message: SentEntry): boolean;
  mayRemove(message: SentEntry): boolean;
}

const QUICK = ["👍", "❤️", "😂"];
const FACES = [
  "👍", "👎", "❤️", "😂", "🎉", "👀", "🙏", "🔥", "✅", "❌", "🚀", "💯", "😀", "😅", "😊", "😍", "🤔", "😮",
  "😢", "😡", "🙌", "👏", "🤝", "💪", "👋", "🤷", "🐛", "🛠️", "📌", "📎", "💡", "⏰", "☕", "🍕", "🌈", "⭐",
] as const;

export class MessageTools {
  readonly #actions: ToolActions;
  readonly #bar = el("div", { class: "tools", role: "toolbar", "aria-label": "For this message" });
  #row: MessageRow | undefined;

  constructor(actions: ToolActions) {
    this.#actions = actions;
  }

  /** Follows pointer and focus among the messages in `scroller`, until `signal` ends it. */
  serve(scroller: HTMLElement, rowOf: (element: HTMLElement) => MessageRow | undefined, signal: AbortSignal): void {
    const follow = ({ target }: Event): void => {
      const element = target instanceof Element ? target.closest<HTMLElement>("li.message") : null;
      if (element === null) return;
      if (this.#bar.parentElement !== element && !element.contains(this.#bar)) this.#show(element, rowOf(element));
    };
    scroller.addEventListener("pointerover", follow, { signal });
    scroller.addEventListener("focusin", follow, { signal });
    scroller.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget instanceof Node && !scroller.contains(relatedTarget)) this.hide();
    }, { signal });
    // A finger that is lifted leaves too, ahead of the click that it makes.
    scroller.addEventListener("pointerleave", ({ pointerType }) => {
      if (pointerType === "mouse" && !this.#bar.contains(document.activeElement)) this.hide();
    }, { signal });
  }

  hide(): void {
    this.#bar.remove();
    this.#row = undefined;
  }

  /** A key pressed on a focused message; whether it means something. */
  key(key: string, row: MessageRow, element: HTMLElement): boolean {
    const message = sent(row.message);
    if (message === undefined) return false;
    if (key === "e" && this.#actions.mayEdit(message)) this.#actions.edit(message);
    else if (key === "r") this.#pick(element, message);
    else if (key === "t" || key === "Enter") this.#actions.openThread(threadOf(message));
    else if ((key === "Delete" || key === "Backspace") && this.#actions.mayRemove(message)) this.#actions.remove(message);
    else return false;
    return true;
  }

  #show(element: HTMLElement, row: MessageRow | undefined): void {
    const message = row && sent(row.message);
    if (row === undefined || message === undefined) return this.hide();
    this.#row = row;
    const { openThread, edit, remove, mayEdit, mayRemove } = this.#actions;
    const quick = QUICK.map((name) => {
      const tool = iconButton("", `React with ${name}`, () => this.#toggle(name), "tool quick-face");
      tool.replaceChildren(name);
      return tool;
    });
    const tools = [
      ...quick,
      iconButton("face", "Add a reaction (R)", () => this.#pick(this.#bar, message), "tool"),
      iconButton("thread", "Reply in a thread (T)", () => openThread(threadOf(message)), "tool"),
    ];
    if (mayEdit(message)) tools.push(iconButton("edit", "Edit (E)", () => edit(message), "tool"));
    if (mayRemove(message)) tools.push(iconButton("bin", "Remove (Del)", () => remove(message), "tool danger"));
    this.#bar.replaceChildren(...tools);
    element.append(this.#bar);
  }

  /** On what the message is now, not on what it was when the buttons were made. */
  #toggle(name: string): void {
    const message = this.#row && sent(this.#row.message);
    if (message !== undefined) this.#actions.react(message, name, true);
  }

  #pick(at: HTMLElement, message: SentEntry): void {
    const picker = el("div", { class: "faces-picker", popover: "auto", role: "menu", "aria-label": "Reactions" });
    for (const name of FACES) {
      const face = iconButton("", `React with ${name}`, () => {
        picker.hidePopover();
        this.#actions.react(message, name, true);
      }, "face-choice");
      face.setAttribute("role", "menuitem");
      face.replaceChildren(name);
      picker.append(face);
    }
    openBeside(picker, at);
    watchArrows(picker, ".face-choice");
  }
}

function sent(message: MessageEntry): SentEntry | undefined {
  return message.kind === "message" && !message.removed ? message : undefined;
}

/** An answer belongs to the thread of what it answers. */
function threadOf(message: SentEntry): number {
  return wordsOf(message.data).thread ?? message.offset;
}
