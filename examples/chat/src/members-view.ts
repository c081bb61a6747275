/** Who is here: one line a user, however many tabs it has; and who was, where the room remembers. */
import { arrange, byId, el, iconButton } from "./dom.js";
import type { Profile } from "./generated/chat.js";
import { showMenu } from "./menu.js";
import type { Moderation } from "./moderation.js";
import { avatar, person, type Person } from "./people.js";
import type { ChatMember, Left } from "./roomcast.js";

interface Visitor {
  person: Person;
  sessions: string[];
  since: number;
  away: boolean;
}

export interface MembersActions {
  mySession(): string | undefined;
  mention(person: Person): void;
  moderation: Moderation;
}

/** So long someone who went stays listed, with how it went. */
const FAREWELL_MS = 12_000;
const FACES_MAX = 4;
const ABSENT_MAX = 30;

export class MembersView {
  readonly #list = byId("members", HTMLUListElement);
  readonly #absentList = byId("absent", HTMLUListElement);
  readonly #count = byId("members-count", HTMLElement);
  readonly #faces = byId("faces", HTMLElement);
  readonly #user: string;
  readonly #actions: MembersActions;
  readonly #elements = new Map<string, HTMLLIElement>();
  #visitors: Visitor[] = [];
  #absent: Person[] = [];
  #typing: ReadonlySet<string> = new Set();
  readonly #gone = new Map<string, { person: Person; reason: Left["reason"]; timer: number }>();

  constructor(user: string, actions: MembersActions) {
    this.#user = user;
    this.#actions = actions;
    this.#draw();
  }

  get visitors(): readonly Visitor[] {
    return this.#visitors;
  }

  show(members: readonly ChatMember[], known: readonly Profile[]): void {
    const byUser = new Map<string, Visitor>();
    for (const { session, user, info, data, since } of members) {
      const visitor = byUser.get(user) ?? { person: person(user, info), sessions: [], since, away: true };
      visitor.sessions.push(session);
      visitor.since = Math.min(visitor.since, since);
      visitor.away &&= data?.away === true;
      byUser.set(user, visitor);
    }
    const rank = ({ person }: Visitor): number => (person.user === this.#user ? 0 : 1);
    // Who went since the room told who was here.
    const went = this.#visitors.map((visitor) => visitor.person);
    this.#visitors = [...byUser.values()].sort((a, b) => rank(a) - rank(b) || a.since - b.since);
    const others = [...went, ...this.#absent, ...known.map(({ user, info }) => person(user, info))];
    const absent = new Map(others.filter(({ user }) => !byUser.has(user)).map((one) => [one.user, one]));
    this.#absent = [...absent.values()].slice(0, ABSENT_MAX);
    for (const user of byUser.keys()) this.#forget(user);
    this.#draw();
  }

  setTyping(users: readonly string[]): void {
    this.#typing = new Set(users);
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
  }

  close(): void {
    for (const user of [...this.#gone.keys()]) this.#forget(user);
    this.#visitors = [];
    this.#absent = [];
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
      this.#line(`gone ${user}`, "member gone", person, reason === "left" ? "left" : "gone"),
    );
    const absent = this.#absent.filter(({ user }) => !this.#gone.has(user));
    arrange(this.#list, [...this.#visitors.map((visitor) => this.#member(visitor)), ...gone]);
    arrange(this.#absentList, absent.map((person) => this.#line(`absent ${person.user}`, "member gone", person, "")));
    byId("absent-part", HTMLElement).hidden = absent.length === 0;
    const drawn = new Set([...this.#list.children, ...this.#absentList.children]);
    for (const [key, element] of this.#elements) if (!drawn.has(element)) this.#elements.delete(key);
    this.#faces.replaceChildren(...this.#visitors.slice(0, FACES_MAX).map(({ person }) => avatar(person)));
    byId("pace", HTMLButtonElement).hidden = !this.#actions.moderation.isOffered;
    byId("pace", HTMLButtonElement).onclick = () => this.#actions.moderation.showPaces(byId("pace", HTMLButtonElement));
  }

  #member({ person, sessions, away }: Visitor): HTMLLIElement {
    const isTyping = this.#typing.has(person.user);
    const tabs = sessions.length > 1 ? `${sessions.length} tabs` : "";
    const element = this.#line(person.user, "member", person, isTyping ? "typing…" : away ? "away" : tabs);
    element.dataset["testid"] = "member";
    element.dataset["sessions"] = String(sessions.length);
    element.classList.toggle("typing", isTyping);
    element.classList.toggle("away", away);
    return element;
  }

  #line(key: string, className: string, of: Person, note: string): HTMLLIElement {
    let element = this.#elements.get(key);
    if (element === undefined) {
      const name = el("span", { class: "name" }, of.name);
      if (of.user === this.#user) name.append(el("span", { class: "you" }, "you"));
      element = el("li", { class: className }, avatar(of), name, el("span", { class: "note" }));
      if (of.user !== this.#user) element.append(this.#more(of));
      this.#elements.set(key, element);
    }
    const noteElement = element.querySelector(".note");
    if (noteElement && noteElement.textContent !== note) noteElement.textContent = note;
    return element;
  }

  #more(of: Person): HTMLButtonElement {
    const { mention, moderation } = this.#actions;
    const open = async (): Promise<void> => {
      const isHere = this.#visitors.some(({ person }) => person.user === of.user);
      const choices = await moderation.choices(of, isHere);
      if (more.isConnected) showMenu(more, of.name, [{ label: `Mention ${of.name}`, run: () => mention(of) }, ...choices]);
    };
    const more = iconButton("more", `More about ${of.name}`, () => void open(), "icon-button more");
    return more;
  }
}
