/** The other rooms of the list: how much is unread in each, while they are not on the page. */
import type { Unread } from "./generated/chat.js";
import type { Identity } from "./identity.js";
import { createWatchingClient, watchRoom, type ChatRoom } from "./roomcast.js";
import { isWithoutLogic } from "./standing.js";
import { isNeverHere } from "./wording.js";

/** Beyond so many rooms nobody watches: each costs a connection. */
const WATCHED_MAX = 10;

/** What is unread, by room; and who was just mentioned where. */
type Told = (unread: ReadonlyMap<string, Unread>, mention?: { room: string; text: string }) => void;

export class Watch {
  readonly #me: Identity;
  readonly #client: ReturnType<typeof createWatchingClient>;
  readonly #changed: Told;
  readonly #rooms = new Map<string, { room: ChatRoom; ending: AbortController }>();
  readonly #unread = new Map<string, Unread>();

  constructor(me: Identity, changed: Told) {
    this.#me = me;
    this.#client = createWatchingClient(me);
    this.#changed = changed;
  }

  /** Exactly these, from now on. */
  follow(ids: readonly string[]): void {
    const wanted = ids.slice(0, WATCHED_MAX);
    for (const id of [...this.#rooms.keys()]) if (!wanted.includes(id)) this.#end(id);
    for (const id of wanted) if (!this.#rooms.has(id)) this.#begin(id);
    this.#changed(this.#unread);
  }

  close(): void {
    for (const id of [...this.#rooms.keys()]) this.#end(id);
  }

  #begin(id: string): void {
    const room = watchRoom(this.#client, id);
    const ending = new AbortController();
    const { signal } = ending;
    this.#rooms.set(id, { room, ending });
    const tell = (unread: Unread): void => {
      if (signal.aborted) return;
      this.#unread.set(id, unread);
      this.#changed(this.#unread);
    };
    const ask = (): void => {
      // Where one was never, or where there is no logic, nothing is unread, and nothing need be watched.
      room.call("unread", null).then(tell, (error) => isNothingToCount(error) && this.#drop(id));
    };
    room.on("status", (status) => status === "connected" && ask(), { signal });
    room.on("unread", ({ data }) => tell(data), { signal });
    room.on("message", (message) => {
      const known = this.#unread.get(id);
      if (known === undefined || room.status !== "connected" || message.from?.user === this.#me.user) return;
      tell({ ...known, unread: known.unread + 1 });
    }, { signal });
    room.on("mention", ({ data }) => {
      const known = this.#unread.get(id);
      if (known === undefined || room.status !== "connected") return;
      tell({ ...known, mentions: known.mentions + 1 });
      this.#changed(this.#unread, { room: id, text: data.text });
    }, { signal });
    room.join().catch(() => this.#unread.delete(id));
  }

  /** Stays in the list of the followed, so that it is not asked again. */
  #drop(id: string): void {
    this.#unread.delete(id);
    const watched = this.#rooms.get(id);
    watched?.ending.abort();
    watched?.room.leave().catch(() => undefined);
  }

  #end(id: string): void {
    this.#drop(id);
    this.#rooms.delete(id);
  }
}

function isNothingToCount(error: unknown): boolean {
  return isNeverHere(error) || isWithoutLogic(error);
}
