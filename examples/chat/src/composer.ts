/** Where one writes. Enter sends, Shift+Enter begins a line; on a touch keyboard Enter begins a line too. */
import { byId } from "./dom.js";

export interface ComposerActions {
  send(text: string): void;
  typed(text: string): void;
}

/** What was begun in a room waits there, while this page is open. */
const drafts = new Map<string, string>();

export class Composer {
  readonly #form = byId("compose", HTMLFormElement);
  readonly #text = byId("text", HTMLTextAreaElement);
  readonly #send = byId("send", HTMLButtonElement);
  readonly #room: string;
  readonly #actions: ComposerActions;

  constructor(room: string, actions: ComposerActions) {
    this.#room = room;
    this.#actions = actions;
    this.#text.value = drafts.get(room) ?? "";
    this.#text.placeholder = `Say something in #${room}`;
    this.#text.oninput = () => this.#changed();
    this.#text.onkeydown = (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || isTouch()) return;
      event.preventDefault();
      this.#submit();
    };
    this.#form.onsubmit = (event) => {
      event.preventDefault();
      this.#submit();
    };
    this.#fit();
  }

  /** Not where that would raise a keyboard over half of the screen. */
  focus(): void {
    if (!isTouch()) this.#text.focus({ preventScroll: true });
  }

  /** Nothing more can be sent, and no waiting would change that. */
  setClosed(closed: boolean): void {
    this.#text.disabled = closed;
    this.#fit();
  }

  /** What could not be sent is not lost, but waits here as a draft. */
  putBack(texts: readonly string[]): void {
    if (texts.length > 0) drafts.set(this.#room, [...texts, drafts.get(this.#room) ?? ""].join("\n").trim());
  }

  #submit(): void {
    const text = this.#text.value.trim();
    if (text === "" || this.#text.disabled) return;
    this.#text.value = "";
    this.#changed();
    this.#actions.send(text);
    this.#text.focus({ preventScroll: true });
  }

  #changed(): void {
    drafts.set(this.#room, this.#text.value);
    this.#fit();
    this.#actions.typed(this.#text.value);
  }

  /** As high as its text, within the limits of the style. */
  #fit(): void {
    this.#send.disabled = this.#text.disabled || this.#text.value.trim() === "";
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }
}

function isTouch(): boolean {
  return matchMedia("(hover: none) and (pointer: coarse)").matches;
}
