/** Names that are offered after an @, and who of them is meant in what was written. */
import { el } from "./dom.js";
import { avatar, type Person } from "./people.js";

const OFFERED_MAX = 6;
/** The room takes no more. */
export const MENTIONS_MAX = 20;

export class MentionBox {
  readonly #text: HTMLTextAreaElement;
  readonly #candidates: () => readonly Person[];
  readonly #box: HTMLUListElement;
  /** Users by name, of those who were chosen. */
  readonly #noted = new Map<string, string>();
  #offered: Person[] = [];
  #chosen = 0;

  constructor(text: HTMLTextAreaElement, form: HTMLFormElement, candidates: () => readonly Person[]) {
    this.#text = text;
    this.#candidates = candidates;
    this.#box = el("ul", { class: "mention-box", role: "listbox", "aria-label": "People", hidden: true });
    this.#box.id = `${form.id}-mentions`;
    form.append(this.#box);
    text.setAttribute("aria-controls", this.#box.id);
    text.setAttribute("aria-autocomplete", "list");
    text.addEventListener("blur", () => this.#offer([]));
  }

  get noted(): ReadonlyMap<string, string> {
    return new Map(this.#noted);
  }

  restore(noted: ReadonlyMap<string, string>): void {
    this.#noted.clear();
    for (const [name, user] of noted) this.#noted.set(name, user);
  }

  note(person: Person): void {
    this.#noted.set(person.name, person.user);
  }

  /** Who was chosen, and still stands there; and who is written in full without having been chosen. */
  mentionedIn(text: string): string[] {
    const byName = new Map<string, string[]>();
    for (const { name, user } of this.#candidates()) byName.set(name, [...(byName.get(name) ?? []), user]);
    for (const [name, user] of this.#noted) byName.set(name, [user]);
    // "@Ann Lee" means nobody who is called Ann.
    const names = [...byName.keys()].filter((name) => name !== "").sort((a, b) => b.length - a.length);
    const users = new Set<string>();
    for (const { index } of text.matchAll(/(?<![\p{L}\p{N}])@/gu)) {
      const ends = (name: string): boolean => !/[\p{L}\p{N}]/u.test(text.charAt(index + 1 + name.length));
      const meant = names.find((name) => text.startsWith(name, index + 1) && ends(name));
      for (const user of byName.get(meant ?? "") ?? []) users.add(user);
    }
    return [...users].slice(0, MENTIONS_MAX);
  }

  typed(): void {
    const asked = this.#asked();
    if (asked === undefined) return this.#offer([]);
    const starts = (name: string): boolean => name.toLowerCase().split(/\s+/).some((word) => word.startsWith(asked));
    const isWhole = (name: string): boolean => name.toLowerCase().startsWith(asked);
    this.#offer(this.#candidates().filter(({ name }) => starts(name) || isWhole(name)).slice(0, OFFERED_MAX));
  }

  /** Whether the key was for the box. */
  key(event: KeyboardEvent): boolean {
    if (this.#offered.length === 0) return false;
    const count = this.#offered.length;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      this.#chosen = (this.#chosen + (event.key === "ArrowDown" ? 1 : count - 1)) % count;
      this.#draw();
    } else if ((event.key === "Enter" && !event.shiftKey) || event.key === "Tab") {
      this.#take(this.#offered[this.#chosen]);
    } else if (event.key === "Escape") {
      this.#offer([]);
    } else {
      return false;
    }
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  close(): void {
    this.#box.remove();
  }

  /** What stands between the last @ and the cursor, in lower case. */
  #asked(): string | undefined {
    const before = this.#text.value.slice(0, this.#text.selectionStart);
    return /(?:^|[\s(])@([^\s@][^@\n]{0,30})?$/.exec(before)?.slice(1, 2).map((text) => (text ?? "").toLowerCase())[0];
  }

  #offer(people: Person[]): void {
    this.#offered = people;
    this.#chosen = 0;
    this.#draw();
  }

  #draw(): void {
    this.#box.hidden = this.#offered.length === 0;
    const items = this.#offered.map((person, index) => {
      const isChosen = index === this.#chosen;
      const item = el("li", { role: "option", id: `${this.#box.id}-${index}`, "aria-selected": String(isChosen) }, avatar(person), el("span", { class: "name" }, person.name));
      item.onpointerdown = (event) => {
        event.preventDefault();
        this.#take(person);
      };
      return item;
    });
    this.#box.replaceChildren(...items);
    if (items.length > 0) this.#text.setAttribute("aria-activedescendant", `${this.#box.id}-${this.#chosen}`);
    else this.#text.removeAttribute("aria-activedescendant");
  }

  #take(person: Person | undefined): void {
    if (person === undefined) return;
    const { selectionStart: cursor, value } = this.#text;
    const before = value.slice(0, cursor).replace(/@[^@]*$/, `@${person.name} `);
    this.note(person);
    this.#text.value = before + value.slice(cursor);
    this.#text.setSelectionRange(before.length, before.length);
    this.#text.dispatchEvent(new InputEvent("input", { bubbles: true }));
    this.#offer([]);
  }
}
