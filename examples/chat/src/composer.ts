/** Where one writes. Enter sends, Shift+Enter begins a line; on a touch keyboard Enter begins a line too. */
import { el, icon, iconButton } from "./dom.js";
import type { Attachment, Said } from "./generated/chat.js";
import { MENTIONS_MAX, MentionBox } from "./mention-box.js";
import type { Person } from "./people.js";
import { ATTACHMENTS_MAX, safeAddress, wordsOf } from "./said.js";
import { toast } from "./toast.js";

export interface ComposerActions {
  /** Whether it is on its way: it stays in the field otherwise. */
  send(said: Said): boolean;
  /** What was begun as the change of an earlier message; whether the room has it. */
  save(offset: number, said: Said): Promise<boolean>;
  typed(text: string): void;
  /** The last of one's own, for ArrowUp in an empty field. */
  lastOwn(): { offset: number; data: unknown } | undefined;
  candidates(): readonly Person[];
}

interface Draft {
  text: string;
  attachments: readonly Attachment[];
  mentioned: ReadonlyMap<string, string>;
}

/** As the room counts them. */
const TEXT_MAX = 4_000;
const NOTHING: Draft = { text: "", attachments: [], mentioned: new Map() };

/** What was begun in a room or thread waits there, while this page is open. */
const drafts = new Map<string, Draft>();

export class Composer {
  readonly #form: HTMLFormElement;
  readonly #text: HTMLTextAreaElement;
  readonly #send: HTMLButtonElement;
  readonly #strip: HTMLElement;
  readonly #place: string;
  readonly #actions: ComposerActions;
  readonly #mentions: MentionBox;
  #attachments: Attachment[] = [];
  #editing: { offset: number; data: Said } | undefined;
  #closed: string | undefined;
  #isGone = false;
  #waitUntil = 0;
  #ticking: number | undefined;
  readonly #hint: string;

  /** `place` is what its draft is kept under. */
  constructor(form: HTMLFormElement, place: string, hint: string, actions: ComposerActions) {
    this.#form = form;
    this.#place = place;
    this.#hint = hint;
    this.#actions = actions;
    this.#text = part(form, "textarea", HTMLTextAreaElement);
    this.#send = part(form, ".send", HTMLButtonElement);
    this.#strip = part(form, ".strip", HTMLElement);
    this.#mentions = new MentionBox(this.#text, form, actions.candidates);
    this.#text.oninput = () => this.#changed();
    this.#text.onkeydown = (event) => this.#key(event);
    this.#text.onpaste = (event) => this.#pasted(event);
    part(form, ".attach", HTMLButtonElement).onclick = () => this.#askAddress();
    form.onsubmit = (event) => {
      event.preventDefault();
      this.#submit();
    };
    this.#take(drafts.get(place) ?? NOTHING);
  }

  /** Not where that would raise a keyboard over half of the screen. */
  focus(): void {
    if (!isTouch()) this.#text.focus({ preventScroll: true });
  }

  /** Why nothing can be sent, where no waiting in front of the page would change that. */
  setClosed(why: string | undefined): void {
    this.#closed = why;
    this.#text.disabled = why !== undefined;
    this.#drawStrip();
    this.#fit();
  }

  /** In slow mode: not before then. 0: at once. */
  wait(until: number): void {
    this.#waitUntil = until;
    window.clearInterval(this.#ticking);
    this.#ticking = window.setInterval(() => this.#fit(), 500);
    this.#fit();
  }

  /** What could not be sent is not lost, but waits here as a draft. */
  putBack(texts: readonly string[]): void {
    const draft = drafts.get(this.#place) ?? NOTHING;
    if (texts.length === 0) return;
    const next = { ...draft, text: [...texts, draft.text].join("\n").trim() };
    drafts.set(this.#place, next);
    if (!this.#isGone && this.#editing === undefined) this.#take(next);
  }

  /** A message was removed. Who was changing it keeps what they wrote, as a draft. */
  removed(offset: number): void {
    if (this.#editing?.offset !== offset) return;
    const text = this.#text.value;
    this.#endEditing();
    this.putBack([text]);
    toast("The message was removed", "What you wrote is still here, as a draft.");
  }

  edit(offset: number, data: unknown): void {
    const { text, attachments, ...said } = wordsOf(data);
    this.#editing = { offset, data: { text, attachments: [...attachments], ...clean(said) } };
    this.#attachments = [...attachments];
    this.#text.value = text;
    this.#changed();
    this.#text.focus({ preventScroll: true });
    this.#text.setSelectionRange(text.length, text.length);
  }

  mention(person: Person): void {
    const before = this.#text.value;
    const space = before === "" || /\s$/.test(before) ? "" : " ";
    this.#text.value = `${before}${space}@${person.name} `;
    this.#mentions.note(person);
    this.#changed();
    this.#text.focus();
  }

  close(): void {
    this.#isGone = true;
    window.clearInterval(this.#ticking);
    this.#mentions.close();
  }

  #key(event: KeyboardEvent): void {
    if (this.#mentions.key(event)) return;
    if (event.key === "Escape" && this.#editing !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      return this.#endEditing();
    }
    if (event.key === "ArrowUp" && this.#text.value === "" && this.#editing === undefined) {
      const last = this.#actions.lastOwn();
      if (last === undefined) return;
      event.preventDefault();
      return this.edit(last.offset, last.data);
    }
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || isTouch()) return;
    event.preventDefault();
    this.#submit();
  }

  #submit(): void {
    const text = this.#text.value.trim();
    if ((text === "" && this.#attachments.length === 0) || this.#text.disabled || this.#waiting() > 0 || this.#tooMany() > 0) return;
    const mentions = this.#mentions.mentionedIn(text);
    const attachments = this.#attachments;
    const said: Said = { text, ...(mentions.length > 0 && { mentions }), ...(attachments.length > 0 && { attachments }) };
    const editing = this.#editing;
    if (editing === undefined) {
      if (!this.#actions.send(said)) return;
      this.#take(NOTHING);
    } else {
      const { text: _, attachments: __, mentions: before = [], ...rest } = editing.data;
      const kept = [...new Set([...before, ...mentions])].slice(0, MENTIONS_MAX);
      this.#endEditing();
      void this.#save(editing.offset, { ...rest, ...said, ...(kept.length > 0 && { mentions: kept }) });
    }
    this.#text.focus({ preventScroll: true });
  }

  /** A change that the room does not have stands in the field again. */
  async #save(offset: number, said: Said): Promise<void> {
    if (await this.#actions.save(offset, said)) return;
    const isFree = this.#editing === undefined && this.#text.value === "" && this.#attachments.length === 0;
    if (isFree && !this.#isGone) this.edit(offset, said);
    else this.putBack([said.text]);
  }

  #endEditing(): void {
    this.#editing = undefined;
    this.#take(drafts.get(this.#place) ?? NOTHING);
  }

  #take({ text, attachments, mentioned }: Draft): void {
    this.#text.value = text;
    this.#attachments = [...attachments];
    this.#mentions.restore(mentioned);
    this.#changed();
  }

  #changed(): void {
    if (this.#editing === undefined) {
      const draft = { text: this.#text.value, attachments: this.#attachments, mentioned: this.#mentions.noted };
      drafts.set(this.#place, draft);
      this.#actions.typed(this.#text.value);
    }
    this.#mentions.typed();
    this.#drawStrip();
    this.#fit();
  }

  /** What goes with the text, and what becomes of it. */
  #drawStrip(): void {
    const chips = this.#attachments.map((attachment, index) => {
      const drop = (): void => {
        this.#attachments.splice(index, 1);
        this.#changed();
      };
      const name = attachment.name ?? new URL(attachment.url).host;
      return el("span", { class: "chip", title: attachment.url }, name, iconButton("close", `Without ${name}`, drop, "chip-drop"));
    });
    const editing = this.#editing && [
      el("strong", {}, "Editing a message"),
      el("span", { class: "hint" }, "Escape leaves it as it was"),
      iconButton("close", "Leave it as it was", () => this.#endEditing(), "chip-drop"),
    ];
    const closed = this.#closed === undefined ? [] : [el("span", { class: "why" }, icon("alert"), `${this.#closed}.`)];
    const tooMany = this.#tooMany();
    const long = tooMany === 0 ? [] : [el("span", { class: "why", role: "status" }, icon("alert"), `Too long by ${tooMany} ${tooMany === 1 ? "character" : "characters"}.`)];
    this.#strip.replaceChildren(...closed, ...long, ...(editing ?? []), ...chips);
    this.#strip.hidden = this.#strip.childElementCount === 0;
    this.#form.classList.toggle("editing", this.#editing !== undefined);
  }

  /** An address that is pasted alone becomes a picture or a card. */
  #pasted(event: ClipboardEvent): void {
    const text = event.clipboardData?.getData("text/plain").trim() ?? "";
    if (/\s/.test(text) || this.#text.value !== "" || !this.#attach(text)) return;
    event.preventDefault();
  }

  #attach(address: string): boolean {
    const url = safeAddress(address);
    if (url === undefined || this.#attachments.length >= ATTACHMENTS_MAX) return false;
    this.#attachments.push({ url: url.href });
    this.#changed();
    return true;
  }

  #askAddress(): void {
    const dialog = el("dialog", { class: "dialog", "aria-label": "Attach by address" });
    const input = el("input", { type: "url", placeholder: "https://…", required: true, "aria-label": "Address", maxlength: "2000" });
    const form = el(
      "form",
      { method: "dialog" },
      el("h2", {}, "Attach by address"),
      el("p", {}, "A picture is shown, anything else becomes a card. Nothing is uploaded: it stays where it is."),
      input,
      el(
        "div",
        { class: "dialog-buttons" },
        el("button", { class: "quiet", type: "button" }, "Cancel"),
        el("button", { class: "primary" }, "Attach"),
      ),
    );
    part(form, ".quiet", HTMLButtonElement).onclick = () => dialog.close();
    input.oninput = () => input.setCustomValidity("");
    form.onsubmit = (event) => {
      if (this.#attach(input.value.trim())) return;
      event.preventDefault();
      const isFull = this.#attachments.length >= ATTACHMENTS_MAX;
      input.setCustomValidity(isFull ? `At most ${ATTACHMENTS_MAX}.` : "An address that begins with https://, please.");
      input.reportValidity();
    };
    dialog.append(form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      this.focus();
    });
    document.body.append(dialog);
    dialog.showModal();
  }

  /** How far beyond what the room takes. */
  #tooMany(): number {
    return Math.max(0, [...this.#text.value.trim()].length - TEXT_MAX);
  }

  #waiting(): number {
    return this.#editing === undefined ? Math.max(0, this.#waitUntil - Date.now()) : 0;
  }

  /** As high as its text, within the limits of the style. */
  #fit(): void {
    const waiting = Math.ceil(this.#waiting() / 1_000);
    if (this.#waiting() === 0) window.clearInterval(this.#ticking);
    const isEmpty = this.#text.value.trim() === "" && this.#attachments.length === 0;
    this.#send.disabled = this.#text.disabled || isEmpty || waiting > 0 || this.#tooMany() > 0;
    this.#send.dataset["wait"] = waiting > 0 ? String(waiting) : "";
    this.#text.placeholder = this.#closed !== undefined ? "" : waiting > 0 ? `Slow mode: ${waiting} s` : this.#hint;
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }
}

/** Without what is not there: the room takes no empty fields. */
function clean({ id, thread, mentions }: { id: string | undefined; thread: number | undefined; mentions: readonly string[] }): Partial<Said> {
  return {
    ...(id !== undefined && { id }),
    ...(thread !== undefined && { thread }),
    ...(mentions.length > 0 && { mentions: [...mentions] }),
  };
}

function part<T extends HTMLElement>(of: HTMLElement, selector: string, type: abstract new () => T): T {
  const element = of.querySelector(selector);
  if (!(element instanceof type)) throw new Error(`there is no ${selector} in #${of.id}`);
  return element;
}

export function isTouch(): boolean {
  return matchMedia("(hover: none) and (pointer: coarse)").matches;
}
