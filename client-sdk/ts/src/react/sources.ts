import type { EventMap, Member, RoomStatus } from "../events.js";
import type { Occupancy, StateEntry } from "../generated/wire.js";
import { noMessages, RoomMessages, type MessagesSnapshot } from "../messages.js";
import type { Room } from "../room.js";
import type { Source } from "./selection.js";

/** The shared state at one moment. */
export type StateValues = Readonly<Record<string, StateEntry>>;

/** What hooks read of one room. */
export interface Sources {
  /** Made when first asked for: who never shows messages keeps none. */
  readonly messages: MessagesSource;
  readonly status: Source<RoomStatus>;
  readonly members: Source<readonly Member<any>[]>;
  readonly others: Source<readonly Member<any>[]>;
  readonly occupancy: Source<Occupancy>;
  readonly mine: Source<unknown>;
  readonly state: Source<StateValues>;
  /** After this session's own presence data was set. */
  ownDataSet(): void;
}

/** The list, and what can be done with it. */
export interface MessagesSource extends Source<MessagesSnapshot<any>> {
  readonly list: RoomMessages<any>;
}

type AnyRoom = Room<any, any>;

const NOBODY: readonly Member[] = Object.freeze([]);
const EMPTY_STATE: StateValues = Object.freeze({});
const NO_OCCUPANCY: Occupancy = Object.freeze({ members: 0, users: 0 });

/** Kept with the room: they listen to it from when the first is asked for, and go when it goes. */
const byRoom = new WeakMap<AnyRoom, Sources>();

/** The sources of a room, the same ones each time. */
export function sourcesOf(room: AnyRoom): Sources {
  const known = byRoom.get(room);
  if (known !== undefined) return known;
  const mine = new Set<() => void>();
  let messages: MessagesSource | undefined;
  const sources: Sources = {
    get messages() {
      return (messages ??= messagesOf(room));
    },
    status: { get: () => room.status, initial: "idle", subscribe: (changed) => room.on("status", changed) },
    members: { get: () => room.members, initial: NOBODY, subscribe: (changed) => room.on("members", changed) },
    others: { get: othersOf(room), initial: NOBODY, subscribe: (changed) => room.on("members", changed) },
    occupancy: {
      get: () => room.occupancy,
      initial: NO_OCCUPANCY,
      subscribe: (changed) => room.on("occupancy", changed),
    },
    mine: {
      get: () => room.presence.data as unknown,
      initial: room.presence.data,
      subscribe: (changed) => {
        mine.add(changed);
        return () => mine.delete(changed);
      },
    },
    state: stateOf(room),
    ownDataSet: () => [...mine].forEach((changed) => changed()),
  };
  byRoom.set(room, sources);
  return sources;
}

/** One list a room: who asks late finds what was said before, as far as it goes back. */
function messagesOf(room: AnyRoom): MessagesSource {
  const list = new RoomMessages<EventMap>(room);
  let isLate = room.status === "connected";
  const subscribe = (changed: () => void): (() => void) => {
    if (isLate) void list.loadOlder();
    isLate = false;
    return list.subscribe(changed);
  };
  return { list, get: () => list.snapshot, initial: noMessages(), subscribe };
}

function othersOf(room: AnyRoom): () => readonly Member[] {
  let made: { members: readonly Member[]; session: string | undefined; others: readonly Member[] } | undefined;
  return () => {
    const [members, session] = [room.members, room.me?.session];
    if (made?.members !== members || made.session !== session) {
      made = { members, session, others: Object.freeze(members.filter((member) => member.session !== session)) };
    }
    return made.others;
  };
}

function stateOf(room: AnyRoom): Source<StateValues> {
  let values: StateValues | undefined;
  room.on("state", () => (values = undefined));
  const read = (): StateValues => {
    const entries = [...room.state.entries()].map(([key]) => [key, room.state.entry(key)] as [string, StateEntry]);
    return Object.freeze(Object.fromEntries(entries));
  };
  return { get: () => (values ??= read()), initial: EMPTY_STATE, subscribe: (changed) => room.on("state", changed) };
}
