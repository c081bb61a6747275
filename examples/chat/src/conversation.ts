/** One room on the page: what the room tells goes to the views, what the reader does goes to the room. */
import { announce } from "./announcer.js";
import { Composer } from "./composer.js";
import { byId, onceATurn } from "./dom.js";
import { randomId, type Identity } from "./identity.js";
import { MembersView } from "./members-view.js";
import { person } from "./people.js";
import { openRoom, readPage, send, showTyping } from "./roomcast.js";
import type { ChatMember, ChatMessage, ChatRoom, Left, Roomcast, RoomListener, RoomStatus } from "./roomcast.js";
import { drawShare } from "./share.js";
import type { StatusView } from "./status-view.js";
import { TimelineView, type Above } from "./timeline-view.js";
import { Timeline, type Arrival, type Gap } from "./timeline.js";
import { Typing } from "./typing.js";
import { LOST_ON_THE_WAY, whyUnsent } from "./wording.js";

/** More than this leave the page at its top while one reads along at its end. */
const SHOWN_MAX = 500;
const GAP_PAGES_MAX = 4;

export class Conversation {
  readonly id: string;
  readonly #me: Identity;
  readonly #room: ChatRoom;
  readonly #timeline = new Timeline();
  readonly #view: TimelineView;
  readonly #members: MembersView;
  readonly #composer: Composer;
  readonly #status: StatusView;
  readonly #typing: Typing;
  readonly #unread: () => void;
  readonly #shown = new AbortController();
  #above: Above = "unknown";
  /** Where the earlier page begins, once one was read. */
  #next: number | undefined;
  #live = false;
  /** Catching up did not bring everything. */
  #missedSome = false;
  readonly #draw = onceATurn(() => this.#drawNow());

  constructor(client: Roomcast, id: string, me: Identity, status: StatusView, unread: () => void) {
    this.id = id;
    this.#me = me;
    this.#status = status;
    this.#unread = unread;
    this.#view = new TimelineView({
      retry: (messageId) => this.#retry(messageId),
      discard: (messageId) => this.#discard(messageId),
      loadEarlier: () => void this.#loadEarlier(),
      loadMissing: (gap) => void this.#loadMissing(gap),
    });
    const listener: RoomListener = {
      message: (message) => this.#heard(message),
      members: (members) => this.#memberChange(members),
      left: (who) => this.#farewell(who),
      status: (now) => this.#statusChange(now),
      gap: (reason) => this.#missed(reason),
    };
    this.#room = openRoom(client, id, listener, this.#shown.signal);
    this.#members = new MembersView(me.user, () => this.#room.me?.session);
    // A presence update that is lost with its connection is made good by the next.
    this.#typing = new Typing((typing) => void showTyping(this.#room, typing).catch(() => undefined));
    this.#composer = new Composer(id, {
      send: (text) => this.#say(text),
      typed: (text) => this.#typing.typed(text),
    });
  }

  enter(): void {
    this.#composer.focus();
    // What goes wrong is told by the status, too.
    this.#room.join().catch(() => undefined);
  }

  async leave(): Promise<void> {
    this.#typing.stop();
    await this.#room.leave();
  }

  /** Takes it off the page. */
  close(): void {
    this.#shown.abort();
    const isConnected = this.#room.status === "connected";
    const unsent = this.#timeline.entries.filter((one) => one.kind === "failed" || (one.kind === "pending" && !isConnected));
    this.#composer.putBack(unsent.map((one) => ("text" in one ? one.text : "")));
    this.leave().catch(() => undefined);
    this.#members.close();
    this.#view.close();
  }

  #statusChange(status: RoomStatus): void {
    this.#status.show(status, this.#room.failure, this.#missedSome);
    this.#members.setStale(status !== "connected");
    this.#composer.setClosed(status === "failed");
    if (status === "connected") {
      if (!this.#missedSome) this.#timeline.caughtUp(LOST_ON_THE_WAY);
      this.#missedSome = false;
      this.#lookAbove();
    }
    this.#draw();
  }

  #missed(reason: string): void {
    this.#timeline.gap(reason);
    this.#missedSome = true;
    this.#above = "unknown";
    this.#next = undefined;
    this.#draw();
  }

  #heard(message: ChatMessage): void {
    const isNew = this.#timeline.add(this.#arrival(message));
    // What comes before the status says "connected" was said before we came, or while we were away.
    const live = this.#room.status === "connected";
    if (isNew && live) {
      this.#live = true;
      if (message.from?.user !== this.#me.user) this.#toldByOthers(message);
    }
    this.#draw();
  }

  #toldByOthers(message: ChatMessage): void {
    const { author, text } = this.#arrival(message);
    announce(`${author?.name ?? "Backend"}: ${text}`);
    this.#view.countUnseen();
    if (document.hidden) this.#unread();
  }

  #arrival({ offset, time, from, data }: ChatMessage): Arrival {
    const author = from && person(from.user, from.info);
    // Whoever holds a token may publish any data: nothing about it is certain.
    const said = typeof data === "object" && data !== null ? data : { text: data };
    const text = typeof said.text === "string" ? said.text : JSON.stringify(data);
    const id = "id" in said && typeof said.id === "string" ? said.id : undefined;
    return { offset, time, author, text, id, own: from?.user === this.#me.user };
  }

  #memberChange(members: readonly ChatMember[]): void {
    this.#members.show(members);
    this.#shareLinks();
    this.#draw();
  }

  /** Only of those whom we saw go: not while we were away, nor when it is us who are out. */
  #farewell(who: readonly Left[]): void {
    const isUs = who.some(({ session }) => session === this.#room.me?.session);
    if (this.#room.status === "connected" && !isUs) for (const one of who) this.#members.left(one);
  }

  #say(text: string): void {
    this.#typing.stop();
    const id = randomId();
    this.#timeline.begin(id, text, Date.now());
    this.#live = true;
    this.#view.toEnd();
    this.#draw();
    void this.#deliver(id, text);
  }

  async #deliver(id: string, text: string): Promise<void> {
    try {
      this.#timeline.arrived(id, await send(this.#room, id, text), this.#me);
    } catch (error) {
      this.#timeline.fail(id, whyUnsent(error));
      if (!this.#shown.signal.aborted) announce("A message was not sent", "now");
    }
    this.#draw();
  }

  /** Under the same id: should the first have arrived after all, it takes this one's place when it shows up. */
  #retry(id: string): void {
    const text = this.#timeline.discard(id);
    if (text === undefined) return;
    this.#timeline.begin(id, text, Date.now());
    this.#draw();
    this.#composer.focus();
    void this.#deliver(id, text);
  }

  #discard(id: string): void {
    this.#timeline.discard(id);
    this.#draw();
    this.#composer.focus();
  }

  async #loadEarlier(): Promise<void> {
    const before = this.#next ?? this.#timeline.oldest;
    if (before === undefined || this.#above === "loading") return;
    this.#above = "loading";
    this.#draw();
    try {
      const { messages, next } = await readPage(this.#room, before);
      for (const message of messages) this.#timeline.add(this.#arrival(message));
      this.#next = next;
      this.#lookAbove(next !== undefined);
    } catch {
      this.#above = "failed";
    }
    this.#draw();
  }

  async #loadMissing(gap: Gap): Promise<void> {
    this.#timeline.setGap(gap.key, "loading");
    this.#draw();
    try {
      let before = this.#timeline.beyond(gap);
      for (let pages = 0; before !== undefined && pages < GAP_PAGES_MAX; pages += 1) {
        const { messages, next } = await readPage(this.#room, before);
        for (const message of messages) this.#timeline.add(this.#arrival(message));
        before = next !== undefined && next > gap.after + 1 ? next : undefined;
      }
      if (before !== undefined) this.#timeline.setGap(gap.key, "open");
      else if (gap.reason === "trimmed") this.#timeline.setGap(gap.key, "lost");
      else this.#timeline.closeGap(gap.key);
    } catch {
      this.#timeline.setGap(gap.key, "failed");
    }
    this.#draw();
  }

  /** Offset 1 is where a log begins; a log that begins later has been trimmed. */
  #lookAbove(more = true): void {
    const oldest = this.#timeline.oldest;
    if (oldest === undefined) this.#above = "unknown";
    else if (oldest === 1) this.#above = "beginning";
    else this.#above = more ? "more" : "trimmed";
  }

  #drawNow(): void {
    if (this.#shown.signal.aborted) return;
    if (this.#above === "unknown" && this.#room.status === "connected") this.#lookAbove();
    if (this.#view.isFollowing && this.#timeline.trim(SHOWN_MAX)) {
      this.#next = undefined;
      this.#lookAbove();
    }
    const isEmpty = this.#timeline.entries.length === 0;
    byId("empty", HTMLElement).hidden = !isEmpty || this.#room.status !== "connected";
    byId("skeleton", HTMLElement).hidden = !isEmpty || this.#room.status !== "connecting";
    this.#view.draw(this.#timeline, this.#above, this.#live);
    this.#live = false;
  }

  #shareLinks(): void {
    drawShare(this.id, this.#me.name, this.#members.visitors.map((visitor) => visitor.person.name));
  }
}
