/** A thread beside the room: what began it, the answers, and where one answers. */
import { Composer } from "./composer.js";
import { byId, el } from "./dom.js";
import type { Reply, Said } from "./generated/chat.js";
import type { MessageTools } from "./message-tools.js";
import type { MessageContext } from "./message-view.js";
import { listNames, type Person } from "./people.js";
import { readAfter, showTyping, type ChatMessages, type ChatRoom, type SentEntry } from "./roomcast.js";
import { Rows } from "./rows.js";
import { wordsOf } from "./said.js";
import type { Standing } from "./standing.js";
import { TimelineView } from "./timeline-view.js";
import { Typing, Typists } from "./typing.js";

export interface ThreadActions {
  send(said: Said): boolean;
  save(offset: number, said: Said): Promise<boolean>;
  candidates(): readonly Person[];
  loadGap(key: string): void;
  closed(): void;
}

/** So many pages of answers are read; where the room has no logic that knows its threads, of all that was said. */
const PAGES_MAX = 10;
const PAGE = 200;

export class ThreadView {
  readonly #panel = byId("thread", HTMLElement);
  readonly #room: ChatRoom;
  readonly #messages: ChatMessages;
  readonly #standing: Standing;
  readonly #context: MessageContext;
  readonly #tools: MessageTools;
  readonly #actions: ThreadActions;
  readonly #typists: Typists;
  #rows = new Rows();
  #view: TimelineView | undefined;
  #composer: Composer | undefined;
  #typing: Typing | undefined;
  #closed: string | undefined;
  #parent: number | undefined;
  /** Of before what the page has of the room. */
  #older: SentEntry[] = [];
  /** How many answers there are, where the room knows. */
  #total = 0;
  #loads = 0;
  #waitUntil = 0;
  #state: "there" | "loading" | "failed" = "there";

  constructor(
    room: ChatRoom,
    messages: ChatMessages,
    standing: Standing,
    context: MessageContext,
    tools: MessageTools,
    actions: ThreadActions,
  ) {
    this.#room = room;
    this.#messages = messages;
    this.#standing = standing;
    this.#tools = tools;
    this.#actions = actions;
    const openThread = (): void => this.#composer?.focus();
    this.#context = { ...context, testId: "reply", actions: { ...context.actions, openThread } };
    this.#typists = new Typists(() => this.#drawTyping());
    byId("thread-close", HTMLButtonElement).onclick = () => this.close();
    // Nothing is returned: `false` would take every key from the field in it.
    this.#panel.onkeydown = (event) => {
      if (event.key === "Escape" && !event.defaultPrevented) this.close();
    };
  }

  /** The offset of the message that began the thread which is shown. */
  get parent(): number | undefined {
    return this.#parent;
  }

  open(parent: number): void {
    if (this.#parent === parent) return this.#composer?.focus();
    this.#end();
    this.#parent = parent;
    this.#rows = new Rows();
    this.#panel.hidden = false;
    document.body.toggleAttribute("data-thread", true);
    const [scroller, list] = [byId("thread-log", HTMLElement), byId("thread-messages", HTMLOListElement)];
    this.#view = new TimelineView(scroller, list, this.#context, this.#tools, {
      loadOlder: () => undefined,
      loadGap: this.#actions.loadGap,
      moved: () => undefined,
    });
    this.#typing = new Typing((on) => showTyping(this.#room, on, parent));
    this.#composer = new Composer(byId("thread-compose", HTMLFormElement), `${this.#room.name} ${parent}`, "Reply", {
      send: (said) => {
        this.#typing?.stop();
        const isTaken = this.#actions.send({ ...said, thread: parent });
        this.#view?.toEnd();
        return isTaken;
      },
      save: this.#actions.save,
      typed: (text) => this.#typing?.typed(text),
      lastOwn: () => this.#lastOwn(),
      candidates: this.#actions.candidates,
    });
    this.#composer.setClosed(this.#closed);
    this.#composer.wait(this.#waitUntil);
    this.draw();
    this.#composer.focus();
    if (!this.#has(parent)) void this.#load(parent);
  }

  close(): void {
    if (this.#parent === undefined) return;
    this.#end();
    this.#panel.hidden = true;
    document.body.removeAttribute("data-thread");
    this.#actions.closed();
  }

  /** In slow mode, as the room's own composer. */
  wait(until: number): void {
    this.#waitUntil = until;
    this.#composer?.wait(until);
  }

  /** Something was done to a message: what lies before what the page has of the room is read again. */
  changed(type: string, offset: number): void {
    if (type === "remove") this.#composer?.removed(offset);
    const parent = this.#parent;
    if (parent !== undefined && this.#older.some((one) => one.offset === offset)) void this.#load(parent);
  }

  setClosed(why: string | undefined): void {
    this.#closed = why;
    this.#composer?.setClosed(why);
  }

  edit(offset: number, data: unknown): void {
    this.#composer?.edit(offset, data);
  }

  typing(user: string, thread: number, on: boolean): void {
    if (thread === this.#parent) this.#typists.heard(user, on);
  }

  draw(): void {
    if (this.#parent === undefined || this.#view === undefined) return;
    const { entries } = this.#messages.snapshot;
    const first = entries.find((entry) => entry.kind === "message")?.offset ?? Infinity;
    const older = this.#older.filter(({ offset }) => offset < first);
    const rows = this.#rows.ofThread([...older, ...entries], this.#parent);
    const answers = rows.filter((row) => row.kind === "message").length - 1;
    const note = byId("thread-note", HTMLElement);
    const all = this.#total > answers ? `The last ${answers} of ${this.#total} replies` : `${answers} replies`;
    const words = { there: answers === 1 ? "1 reply" : answers > 0 ? all : "No reply yet", loading: "Loading…" };
    note.textContent = this.#state === "failed" ? "It could not be loaded." : words[this.#state];
    this.#view.draw(rows, false);
  }

  #end(): void {
    this.#typing?.stop();
    this.#typists.forget();
    this.#composer?.close();
    this.#view?.close();
    this.#tools.hide();
    [this.#composer, this.#view, this.#parent] = [undefined, undefined, undefined];
    this.#older = [];
    this.#total = 0;
    this.#state = "there";
  }

  #has(offset: number): boolean {
    return this.#messages.snapshot.entries.some((entry) => entry.kind === "message" && entry.offset === offset);
  }

  /** Of before what the page has: the room knows its threads; without logic, by reading on from where it began. */
  async #load(parent: number): Promise<void> {
    // Of two that are under way the later one knows more.
    const load = (this.#loads += 1);
    const isStale = (): boolean => this.#parent !== parent || this.#loads !== load;
    if (this.#older.length === 0) this.#state = "loading";
    this.draw();
    try {
      const found = this.#standing.logic === "there" ? await this.#ask(parent) : await this.#search(parent);
      if (isStale()) return;
      this.#older = found;
      this.#state = "there";
    } catch {
      if (isStale()) return;
      this.#state = "failed";
    }
    this.draw();
  }

  async #ask(parent: number): Promise<SentEntry[]> {
    let page = await this.#standing.ask("thread", { parent, limit: PAGE });
    const pages = [page.replies];
    while (page.next !== undefined && pages.length < PAGES_MAX) {
      page = await this.#standing.ask("thread", { parent, limit: PAGE, before: page.next });
      pages.unshift(page.replies);
    }
    this.#total = page.total;
    return [...(page.parent === undefined ? [] : [page.parent]), ...pages.flat()].map((one) => this.#entry(one));
  }

  #entry({ offset, time, user, info, data, edited, reactions }: Reply): SentEntry {
    return {
      kind: "message",
      key: `at ${offset}`,
      type: "message",
      offset,
      time,
      data: data as Said,
      tags: [],
      own: false,
      removed: false,
      reactions: reactions ?? {},
      ...(edited !== undefined && { edited: { offset, time: edited } }),
      ...(user !== undefined && { from: { user: this.#context.people.learn(user, info).user, session: "" } }),
    };
  }

  async #search(parent: number): Promise<SentEntry[]> {
    const found: SentEntry[] = [];
    let after: number | undefined = parent - 1;
    for (let pages = 0; after !== undefined && pages < PAGES_MAX; pages += 1) {
      const page: Awaited<ReturnType<typeof readAfter>> = await readAfter(this.#room, after);
      found.push(...page.messages.filter(({ offset, data }) => offset === parent || wordsOf(data).thread === parent));
      after = page.next;
    }
    return found;
  }

  #lastOwn(): SentEntry | undefined {
    const last = this.#messages.snapshot.entries.findLast(
      (one): one is SentEntry =>
        one.kind === "message" && !one.removed && one.from?.user === this.#context.me.user && wordsOf(one.data).thread === this.#parent,
    );
    return last;
  }

  #drawTyping(): void {
    const names = this.#typists.users.map((user) => this.#context.people.person(user).name);
    const text = names.length === 0 ? "" : `${listNames(names)} ${names.length === 1 ? "is" : "are"} typing`;
    byId("thread-typing", HTMLElement).replaceChildren(...(text ? [el("span", {}, text)] : []));
  }
}
