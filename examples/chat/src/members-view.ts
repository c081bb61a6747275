/** Who is here: one line a user, however many tabs it has. */
import { arrange, byId, el } from "./dom.js";
import { avatar, listNames, person, type Person } from "./people.js";
import type { ChatMember, Left } from "./roomcast.js";

interface Visitor {
  person: Person;
  sessions: string[];
  since: number;
  typing: boolean;
}

/** So long someone who went stays listed, with how it went. */
const FAREWELL_MS = 12_000;
const FACES_MAX = 4;

export class MembersView {
  readonly #list = byId("members", HTMLUListElement);
  readonly #count = byId("members-count", HTMLElement);
  readonly #faces = byId("faces", HTMLElement);
  readonly #typing = byId("typing", HTMLElement);
  readonly #user: string;
  readonly #mySession: () => string | undefined;
  readonly #elements = new Map<string, HTMLLIElement>();
  #visitors: Visitor[] = [];
  readonly #gone = new Map<string, { person: Person; reason: Left["reason"]; timer: number }>();

  constructor(user: string, mySession: () => string | undefined) {
    this.#user = user;
    this.#mySession = mySession;
    this.#draw();
  }

  get visitors(): readonly Visitor[] {
    return this.#visitors;
  }

  show(members: readonly ChatMember[]): void {
    const byUser = new Map<string, Visitor>();
    for (const { session, user, info, data, since } of members) {
      const visitor = byUser.get(user) ?? { person: person(user, info), sessions: [], since, typing: false };
      visitor.sessions.push(session);
      visitor.since = Math.min(visitor.since, since);
      visitor.typing ||= data?.typing === true && session !== this.#mySession();
      byUser.set(user, visitor);
    }
    const rank = ({ person }: Visitor): number => (person.user === this.#user ? 0 : 1);
    this.#visitors = [...byUser.values()].sort((a, b) => rank(a) - rank(b) || a.since - b.since);
    for (const user of byUser.keys()) this.#forget(user);
    this.#draw();
  }

  /** Comes ahead of the list that lacks the user. */
  left({ user, session, reason }: Left): void {
    const visitor = this.#visitors.find((one) => one.person.user === user);
    if (visitor === undefined || user === this.#user) return;
    if (visitor.sessions.some((other) => other !== session)) return;
    this.#forget(user);
    const timer = window.setTimeout(() => {
      this.#forget(user);
      this.#draw();
    }, FAREWELL_MS);
    this.#gone.set(user, { person: visitor.person, reason, timer });
  }

  /** Without a connection the list is what it was. */
  setStale(stale: boolean): void {
    this.#list.toggleAttribute("data-stale", stale);
    byId("members-stale", HTMLElement).hidden = !stale || this.#visitors.length === 0;
    this.#typing.toggleAttribute("data-stale", stale);
  }

  close(): void {
    for (const user of [...this.#gone.keys()]) this.#forget(user);
    this.#visitors = [];
    this.#draw();
  }

  #forget(user: string): void {
    window.clearTimeout(this.#gone.get(user)?.timer);
    this.#gone.delete(user);
  }

  #draw(): void {
    const count = this.#visitors.length;
    this.#count.textContent = count === 0 ? "" : String(count);
    byId("drawer-count", HTMLElement).textContent = count === 1 ? "1 person here" : `${count} people here`;
    const gone = [...this.#gone].map(([user, { person, reason }]) =>
      this.#line(`gone ${user}`, "member gone", person, reason === "left" ? "left" : "connection lost"),
    );
    const here = this.#visitors.map((visitor) => this.#member(visitor));
    arrange(this.#list, [...here, ...gone]);
    const drawn = new Set([...this.#list.children]);
    for (const [key, element] of this.#elements) if (!drawn.has(element)) this.#elements.delete(key);
    this.#faces.replaceChildren(...this.#visitors.slice(0, FACES_MAX).map(({ person }) => avatar(person)));
    this.#drawTyping();
  }

  #member({ person, sessions, typing }: Visitor): HTMLLIElement {
    const tabs = sessions.length > 1 ? `${sessions.length} tabs` : "";
    const element = this.#line(person.user, "member", person, typing ? "typing…" : tabs);
    element.dataset["testid"] = "member";
    element.dataset["sessions"] = String(sessions.length);
    element.classList.toggle("typing", typing);
    return element;
  }

  #line(key: string, className: string, of: Person, note: string): HTMLLIElement {
    let element = this.#elements.get(key);
    if (element === undefined) {
      const name = el("span", { class: "name" }, of.name);
      if (of.user === this.#user) name.append(el("span", { class: "you" }, "you"));
      element = el("li", { class: className }, avatar(of), name, el("span", { class: "note" }));
      this.#elements.set(key, element);
    }
    const noteElement = element.querySelector(".note");
    if (noteElement && noteElement.textContent !== note) noteElement.textContent = note;
    return element;
  }

  #drawTyping(): void {
    const names = this.#visitors.filter(({ typing }) => typing).map(({ person }) => person.name);
    const text = names.length === 0 ? "" : `${listNames(names)} ${names.length === 1 ? "is" : "are"} typing`;
    if (this.#typing.textContent === text) return;
    this.#typing.replaceChildren(...(text ? [el("span", {}, text), el("span", { class: "dots", "aria-hidden": "true" })] : []));
  }
}
