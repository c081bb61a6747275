/** One room on the page: what the room tells goes to the views, what the reader does goes to the room. */
import { announce } from "./announcer.js";
import { timeAhead } from "./clock.js";
import { Composer } from "./composer.js";
import { byId, el, onceATurn } from "./dom.js";
import type { Mention, Said } from "./generated/chat.js";
import { randomId, type Identity } from "./identity.js";
import { MembersView } from "./members-view.js";
import { confirmed } from "./menu.js";
import { MessageTools } from "./message-tools.js";
import type { MessageContext } from "./message-view.js";
import { Moderation } from "./moderation.js";
import { listNames, People, type Person } from "./people.js";
import { OwnReactions } from "./own-reactions.js";
import { loadOlder, messagesOf, openRoom, send, showTyping } from "./roomcast.js";
import type { ChatMessages, ChatRoom, Entry, MessageEntry, Roomcast, RoomStatus, SentEntry } from "./roomcast.js";
import { Rows, type Above } from "./rows.js";
import { wordsIn, wordsOf } from "./said.js";
import { drawShare } from "./share.js";
import { Standing } from "./standing.js";
import type { StatusView } from "./status-view.js";
import { ThreadView } from "./thread-view.js";
import { TimelineView } from "./timeline-view.js";
import { toast } from "./toast.js";
import { Typing, Typists } from "./typing.js";
import { whyRefused } from "./wording.js";

/** What the room takes is confirmed long before. */
const LATE_MS = 2_000;

export class Conversation {
  readonly id: string;
  readonly room: ChatRoom;
  readonly #me: Identity;
  readonly #people = new People();
  readonly #messages: ChatMessages;
  readonly #standing: Standing;
  readonly #rows = new Rows();
  readonly #reactions: OwnReactions;
  readonly #view: TimelineView;
  readonly #thread: ThreadView;
  readonly #members: MembersView;
  readonly #composer: Composer;
  readonly #status: StatusView;
  readonly #typing: Typing;
  readonly #typists: Typists;
  readonly #unseenIs: (count: number) => void;
  readonly #shown = new AbortController();
  readonly #stopped: () => void;
  /** How far was read when the reader came, for the line above what is new. */
  #readAtFirst: number | undefined;
  /** The offset of the newest that the reader could see. */
  #lookedUpTo: number | undefined;
  #unseen = 0;
  /** When the reader spoke last, for slow mode. */
  #spokeAt = 0;
  #live = false;
  #missedSome = false;
  readonly #draw = onceATurn(() => this.#drawNow());

  /** `unseenIs` hears how much was said that the reader could not see. */
  constructor(client: Roomcast, id: string, me: Identity, status: StatusView, unseenIs: (count: number) => void) {
    this.id = id;
    this.#me = me;
    this.#status = status;
    this.#unseenIs = unseenIs;
    this.#people.learn(me.user, me);
    this.#reactions = new OwnReactions(me.user);
    this.room = openRoom(client, id);
    const { signal } = this.#shown;
    this.#messages = messagesOf(this.room);
    this.#standing = new Standing(this.room, me.user, () => this.#standingChange(), signal);
    this.#typing = new Typing((on) => showTyping(this.room, on, undefined));
    this.#typists = new Typists(() => this.#drawTyping());
    const moderation = new Moderation(this.#standing, this.#people);
    this.#members = new MembersView(me.user, {
      mySession: () => this.room.me?.session,
      mention: (person) => this.#composer.mention(person),
      moderation,
    });
    const context = this.#context();
    const tools = new MessageTools(this.#tools());
    this.#view = this.#makeView(context, tools);
    this.#composer = this.#makeComposer();
    this.#thread = new ThreadView(this.room, this.#messages, this.#standing, context, tools, {
      send: (said) => this.#say(said),
      save: (offset, said) => this.#save(offset, said),
      candidates: () => this.#candidates(),
      loadGap: (key) => void this.#messages.loadGap(key),
      closed: () => this.#composer.focus(),
    });
    this.#stopped = this.#messages.subscribe(this.#draw);
    this.#listen(signal);
    document.addEventListener("visibilitychange", () => this.#glance(), { signal });
    byId("to-end", HTMLButtonElement).onclick = () => this.#toEnd();
    this.#drawToEnd();
  }

  enter(): void {
    this.#composer.focus();
    // What goes wrong is told by the status, too.
    this.room.join().catch(() => undefined);
  }

  async leave(): Promise<void> {
    this.#typing.stop();
    await this.room.leave();
  }

  /** What was written here, and would be lost with the page. */
  get unsent(): MessageEntry[] {
    // A connection that died is not known to be dead at once.
    const isLate = ({ time }: MessageEntry): boolean => this.room.status !== "connected" || Date.now() - time > LATE_MS;
    return this.#messages.snapshot.entries.filter(
      (one): one is MessageEntry => one.kind === "failed" || (one.kind === "pending" && isLate(one)),
    );
  }

  /** Takes it off the page. */
  close(): void {
    this.#shown.abort();
    this.#stopped();
    this.#composer.close();
    this.#composer.putBack(this.unsent.map((one) => wordsIn(one).text));
    this.leave().catch(() => undefined);
    this.#typists.forget();
    this.#thread.close();
    this.#members.close();
    this.#view.close();
  }

  #context(): MessageContext {
    return {
      me: this.#me,
      people: this.#people,
      testId: "message",
      actions: {
        retry: (key) => this.#messages.retry(key),
        discard: (key) => this.#discard(key),
        react: (message, name, on) => void this.#react(message, name, on),
        hasReacted: (message, name) => this.#reactions.has(message, name),
        openThread: (parent) => this.#thread.open(parent),
      },
    };
  }

  #tools(): ConstructorParameters<typeof MessageTools>[0] {
    const isMine = (message: SentEntry): boolean => message.from?.user === this.#me.user;
    return {
      react: (message, name, on) => void this.#react(message, name, on),
      openThread: (parent) => this.#thread.open(parent),
      edit: ({ offset, data }) => {
        const isInThread = this.#thread.parent !== undefined && wordsOf(data).thread === this.#thread.parent;
        if (isInThread) this.#thread.edit(offset, data);
        else this.#composer.edit(offset, data);
      },
      remove: (message) => void this.#remove(message),
      mayEdit: isMine,
      mayRemove: (message) => isMine(message) || this.#standing.moderates,
    };
  }

  #makeView(context: MessageContext, tools: MessageTools): TimelineView {
    return new TimelineView(byId("log", HTMLElement), byId("messages", HTMLOListElement), context, tools, {
      loadOlder: () => {
        if (!this.#messages.snapshot.isLoading) void loadOlder(this.#messages);
      },
      loadGap: (key) => void this.#messages.loadGap(key),
      moved: (isFollowing) => {
        if (isFollowing) this.#lookedAt();
        this.#drawToEnd();
      },
    });
  }

  #makeComposer(): Composer {
    return new Composer(byId("compose", HTMLFormElement), this.id, `Message #${this.id}`, {
      send: (said) => this.#say(said),
      save: (offset, said) => this.#save(offset, said),
      typed: (text) => this.#typing.typed(text),
      lastOwn: () => this.#lastOwn(),
      candidates: () => this.#candidates(),
    });
  }

  #listen(signal: AbortSignal): void {
    const { room } = this;
    room.on("publication", (message) => {
      if (message.from !== undefined) this.#people.learn(message.from.user, message.from.info);
      if (!message.ephemeral && message.ref !== undefined) this.#changed(message.type, message.ref, message);
    }, { signal });
    room.on("message", (message) => message.ephemeral || this.#heard(message), { signal });
    room.on("typing", ({ from, data }) => {
      if (from === undefined || from.user === this.#me.user || !data) return;
      if (data.thread === undefined) this.#typists.heard(from.user, data.on === true);
      else this.#thread.typing(from.user, data.thread, data.on === true);
    }, { signal });
    room.on("mention", (message) => message.ephemeral || this.#mentioned(message.data), { signal });
    room.on("members", (members) => {
      for (const { user, info } of members) this.#people.learn(user, info);
      this.#members.show(members, this.#standing.people);
      drawShare(this.id, this.#me.name, this.#members.visitors.map(({ person }) => person.name));
    }, { signal });
    room.on("presence", ({ left }) => {
      for (const { user } of left) this.#typists.heard(user, false);
      // Only of those whom we saw go: not while we were away, nor when it is us who are out.
      const isUs = left.some(({ session }) => session === room.me?.session);
      if (room.status === "connected" && !isUs) for (const one of left) this.#members.left(one);
    }, { signal });
    room.on("status", (status) => this.#statusChange(status), { signal });
    room.on("gap", () => (this.#missedSome = true), { signal });
  }

  /** A message was edited, removed or reacted to. */
  #changed(type: string, ref: number, { from, data }: { from?: { user: string }; data?: unknown }): void {
    if (type === "react" && from?.user === this.#me.user) {
      const { name, on } = data as { name: string; on: boolean };
      this.#reactions.note(ref, name, on);
    }
    if (type === "remove") this.#composer.removed(ref);
    this.#thread.changed(type, ref);
  }

  #statusChange(status: RoomStatus): void {
    this.#status.show(status, this.room.failure, this.#missedSome);
    this.#members.setStale(status !== "connected");
    if (status === "connected") {
      this.#missedSome = false;
      void this.#settle();
    } else {
      this.#typists.forget();
    }
    this.#close();
    this.#draw();
  }

  /** After each welcome: what the room keeps of us. */
  async #settle(): Promise<void> {
    try {
      const read = await this.#standing.enter();
      this.#readAtFirst ??= read;
    } catch {
      // Nothing is known then, and nothing is claimed; the next welcome asks again.
    }
    for (const { user, info } of this.#standing.people) this.#people.learn(user, info);
    this.#lookedUpTo ??= this.#readAtFirst ?? this.#last();
    this.#lookedAt();
    this.#draw();
  }

  #standingChange(): void {
    byId("slow-note", HTMLElement).hidden = this.#standing.slowMs === 0;
    byId("slow-note", HTMLElement).textContent = `Slow mode: one message every ${this.#standing.slowMs / 1_000} s`;
    this.#members.show(this.room.members, this.#standing.people);
    this.#slow();
    this.#close();
    this.#draw();
  }

  /** The pace may have changed since the reader spoke. */
  #slow(): void {
    const until = this.#standing.moderates || this.#spokeAt === 0 ? 0 : this.#spokeAt + this.#standing.slowMs;
    this.#composer.wait(until);
    this.#thread.wait(until);
  }

  /** Says in the composer why nobody can write here, where that is so. */
  #close(): void {
    const until = this.#standing.mutedUntil;
    const why =
      this.room.status === "failed" ? "The room is closed"
      : until > 0 ? `A moderator muted you until ${timeAhead(until, Date.now())}`
      : undefined;
    this.#composer.setClosed(why);
    this.#thread?.setClosed(why);
  }

  #heard(message: Pick<SentEntry, "from" | "data">): void {
    // What comes before the status says "connected" was said before we came, or while we were away.
    if (this.room.status !== "connected") return;
    this.#live = true;
    const user = message.from?.user ?? "";
    this.#typists.heard(user, false);
    if (user === this.#me.user) return;
    const { text, thread } = wordsOf(message.data);
    const where = thread === undefined ? "" : " in a thread";
    announce(`${this.#people.person(user).name || "Backend"}${where}: ${text || "an attachment"}`);
  }

  #mentioned(mention: Mention): void {
    if (this.room.status !== "connected") return;
    const name = this.#people.person(mention.by).name || "Somebody";
    const isInThread = mention.thread !== undefined && mention.thread !== this.#thread.parent;
    if (!document.hidden && this.#view.isFollowing && !isInThread) return;
    toast(`${name} mentioned you`, mention.text, () => this.#showMention(mention));
  }

  #showMention({ id, thread }: Mention): void {
    if (thread !== undefined) return this.#thread.open(thread);
    const isIt = (entry: Entry): boolean => entry.kind === "message" && id !== undefined && wordsIn(entry).id === id;
    const message = this.#messages.snapshot.entries.find(isIt);
    if (message === undefined || !this.#view.reveal(message.key)) this.#toEnd();
  }

  /** What comes while nobody looks stands below a line. */
  #glance(): void {
    if (!document.hidden) return this.#lookedAt();
    this.#readAtFirst = this.#last() ?? this.#readAtFirst;
    this.#draw();
  }

  /** The offset of the newest that is there. */
  #last(): number | undefined {
    return this.#messages.snapshot.entries.findLast((entry) => entry.kind === "message")?.offset;
  }

  /** The end is in view, and somebody looks. */
  #lookedAt(): void {
    if (document.hidden || !this.#view?.isFollowing) return;
    const last = this.#last();
    if (last === undefined || this.room.status !== "connected") return;
    this.#lookedUpTo = last;
    this.#standing.seen(last);
    this.#countUnseen();
  }

  /** What others said in the room itself, and the reader could not see, here or in another tab. */
  #countUnseen(): void {
    const seen = this.#lookedUpTo === undefined ? Infinity : Math.max(this.#lookedUpTo, this.#standing.read);
    const { entries } = this.#messages.snapshot;
    let count = 0;
    for (let index = entries.length - 1; index >= 0; index -= 1) {
      const entry = entries[index];
      if (entry?.kind !== "message") continue;
      if (entry.offset <= seen) break;
      const isOthers = entry.type === "message" && !entry.removed && entry.from?.user !== this.#me.user;
      if (isOthers && wordsIn(entry).thread === undefined) count += 1;
    }
    if (count === this.#unseen) return;
    this.#unseenIs((this.#unseen = count));
    this.#drawToEnd();
  }

  #say(said: Said): boolean {
    this.#typing.stop();
    this.#live = true;
    this.#readAtFirst = undefined;
    try {
      send(this.#messages, { ...said, id: randomId() });
    } catch (error) {
      toast("Not sent", whyRefused(error));
      return false;
    }
    // What was said before there was a pace does not count.
    if (this.#standing.slowMs > 0) this.#spokeAt = Date.now();
    this.#slow();
    if (said.thread === undefined) this.#toEnd();
    return true;
  }

  #save(offset: number, said: Said): Promise<boolean> {
    return this.#tried("The change was not saved", () => this.room.edit(offset, said));
  }

  async #react(message: SentEntry, name: string, on: boolean): Promise<void> {
    const { offset } = message;
    // What changes nothing is not told: it may stand since long ago.
    const isDone = await this.#tried("The reaction did not arrive", () => this.room.react(offset, name, on));
    if (isDone) this.#reactions.note(offset, name, on);
  }

  async #remove(message: SentEntry): Promise<void> {
    const { text } = wordsOf(message.data);
    const excerpt = text.length > 140 ? `${text.slice(0, 140)}…` : text;
    if (!(await confirmed("Remove this message?", excerpt, "Remove"))) return;
    const { offset } = message;
    const remove = () => (this.#standing.logic === "there" ? this.#standing.ask("remove", { offset }) : this.room.remove(offset));
    await this.#tried("It was not removed", remove);
  }

  #discard(key: string): void {
    this.#messages.discard(key);
    this.#composer.focus();
  }

  /** Whether it was done; where not, the reader is told. */
  async #tried(failed: string, what: () => Promise<unknown>): Promise<boolean> {
    if (this.room.status !== "connected") toast("There is no connection.", "This goes out with the next one.");
    try {
      await what();
      return true;
    } catch (error) {
      if (!this.#shown.signal.aborted) toast(failed, whyRefused(error));
      return false;
    }
  }

  #lastOwn(): { offset: number; data: unknown } | undefined {
    const last = this.#messages.snapshot.entries.findLast(
      (one) =>
        one.kind === "message" && !one.removed && one.from?.user === this.#me.user && one.type === "message" && wordsIn(one).thread === undefined,
    );
    return last?.kind === "message" && !last.removed ? last : undefined;
  }

  #candidates(): readonly Person[] {
    return this.#people.all.filter(({ user }) => user !== this.#me.user && user !== "");
  }

  #above(): Above | undefined {
    const { entries, hasOlder, isLoading, error } = this.#messages.snapshot;
    const first = entries.find((entry) => entry.kind === "message");
    if (first === undefined) return undefined;
    if (isLoading) return "loading";
    if (error !== undefined) return "failed";
    if (hasOlder) return "more";
    return first.kind === "message" && first.offset === 1 ? "beginning" : "trimmed";
  }

  #drawNow(): void {
    if (this.#shown.signal.aborted) return;
    const { entries } = this.#messages.snapshot;
    const isEmpty = !entries.some((entry) => entry.kind === "gap" || entry.type === "message");
    byId("empty", HTMLElement).hidden = !isEmpty || this.room.status !== "connected";
    byId("skeleton", HTMLElement).hidden = !isEmpty || this.room.status !== "connecting";
    const reader = { user: this.#me.user, read: this.#readAtFirst };
    this.#view.draw(this.#rows.ofRoom(entries, this.#above(), reader), this.#live);
    this.#thread.draw();
    this.#live = false;
    this.#countUnseen();
  }

  #toEnd(): void {
    this.#view.toEnd();
    this.#lookedAt();
    this.#drawToEnd();
  }

  #drawToEnd(): void {
    byId("to-end", HTMLButtonElement).hidden = this.#view?.isFollowing ?? true;
    byId("to-end-label", HTMLElement).textContent = this.#unseen === 0 ? "Latest" : `${this.#unseen} new`;
  }

  #drawTyping(): void {
    const users = this.#typists.users;
    this.#members.setTyping(users);
    const line = byId("typing", HTMLElement);
    const names = users.map((user) => this.#people.person(user).name);
    const text = names.length === 0 ? "" : `${listNames(names)} ${names.length === 1 ? "is" : "are"} typing`;
    if (line.textContent === text) return;
    line.replaceChildren(...(text ? [el("span", {}, text), el("span", { class: "dots", "aria-hidden": "true" })] : []));
  }
}
