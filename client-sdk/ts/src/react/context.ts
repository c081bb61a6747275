import {
  createContext,
  createElement,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  type Context,
  type ReactNode,
} from "react";
import type { Roomcast } from "../client.js";
import { RoomcastError } from "../errors.js";
import type { EventMap, Member, Publication, RoomStatus } from "../events.js";
import type { Occupancy, StateEntry } from "../generated/wire.js";
import type { MessagesSnapshot, RoomMessages } from "../messages.js";
import type { RoomOptions } from "../options.js";
import type { Room } from "../room.js";
import { useSelection, type Equal, type Source } from "./selection.js";
import { sourcesOf, type Sources } from "./sources.js";

/** What `useMessages` gives: the list, and what can be done with it. The functions stay the same. */
export interface Messages<Events extends EventMap>
  extends MessagesSnapshot<Events>,
    Pick<RoomMessages<Events>, "loadOlder" | "loadGap" | "publish" | "retry" | "discard"> {}

/** Sets this session's presence data, or makes it of what it was. Resolves once the room has it. */
export type SetPresence<Presence> = (data: Presence | ((before: Presence | undefined) => Presence)) => Promise<void>;

/**
 * Writes a key of the shared state, or makes its value of what it is, again where somebody else was faster;
 * `undefined` deletes it. Resolves once the room has it.
 */
export type SetShared<Value> = (
  value: Value | undefined | ((before: Value | undefined) => Value | undefined),
) => Promise<void>;

/** What a room is to its components. */
export interface RoomProviderProps<Presence = unknown> extends RoomOptions<Presence> {
  /** `kind:id`. Another name is another room: the first is left, and the other joined. */
  name: string;
  children?: ReactNode;
}

/** The hooks of one type of rooms, as {@link createRoomContext} makes them. */
export interface RoomContext<Events extends EventMap, Presence, State extends object> {
  /** Joins a room while it is mounted, and gives it to the hooks below it. */
  RoomProvider(props: RoomProviderProps<Presence>): ReactNode;
  /** The room itself. It never changes by itself: reading it does not render anything again. */
  useRoom(): Room<Events, Presence>;
  /** Where the connection is. */
  useStatus(): RoomStatus;
  /** The messages, or what `select` makes of them. */
  useMessages<Selection>(select: (messages: Messages<Events>) => Selection, isEqual?: Equal<Selection>): Selection;
  /** The messages. */
  useMessages(): Messages<Events>;
  /** Who is here, this session included, or what `select` makes of it. */
  usePresence<Selection>(
    select: (members: readonly Member<Presence>[]) => Selection,
    isEqual?: Equal<Selection>,
  ): Selection;
  /** Who is here, this session included. */
  usePresence(): readonly Member<Presence>[];
  /** Who else is here; another tab of the same user is somebody else. */
  useOthers<Selection>(
    select: (others: readonly Member<Presence>[]) => Selection,
    isEqual?: Equal<Selection>,
  ): Selection;
  /** Who else is here; another tab of the same user is somebody else. */
  useOthers(): readonly Member<Presence>[];
  /** This session's own presence data, and what sets it. */
  useMyPresence(): readonly [Presence | undefined, SetPresence<Presence>];
  /** How many are here, where a room counts and does not list. */
  useOccupancy(): Occupancy;
  /** One key of the shared state, and what writes it. */
  useSharedState<Key extends keyof State & string>(key: Key): readonly [State[Key] | undefined, SetShared<State[Key]>];
  /** What `select` makes of all of the shared state. */
  useSharedState<Selection>(
    select: (state: Readonly<Partial<State>>) => Selection,
    isEqual?: Equal<Selection>,
  ): Selection;
  /** Calls `listener`, the one of the last render, for each publication of a type, ephemerals too. Renders nothing. */
  useRoomEvent<Type extends keyof Events & string>(
    type: Type,
    listener: (publication: Publication<Events[Type], Type>) => void,
  ): void;
}

const ClientContext = /* @__PURE__ */ createContext<Roomcast | undefined>(undefined);

/**
 * Gives a client to the rooms below it. Make the client once, outside of components: it opens nothing by itself.
 *
 * @example
 * ```tsx
 * const client = new Roomcast({ url: "https://rooms.example", token });
 * root.render(<RoomcastProvider client={client}><App /></RoomcastProvider>);
 * ```
 */
export function RoomcastProvider({ client, children }: { client: Roomcast; children?: ReactNode }): ReactNode {
  return createElement(ClientContext.Provider, { value: client }, children);
}

/**
 * The client of the nearest {@link RoomcastProvider}.
 *
 * @example
 * ```tsx
 * const client = useRoomcast();
 * ```
 */
export function useRoomcast(): Roomcast {
  const client = useContext(ClientContext);
  if (client === undefined) throw new RoomcastError("invalid_argument", "there is no <RoomcastProvider> above");
  return client;
}

/**
 * Hooks and a provider for rooms of certain types: of publications, of presence data, and of the shared state's keys.
 * Each has rooms of its own, so that one may lie within another.
 *
 * @example
 * ```tsx
 * type Events = { message: { text: string } };
 * type Presence = { typing: boolean };
 * const { RoomProvider, useMessages, useOthers } = createRoomContext<Events, Presence>();
 *
 * function Chat() {
 *   const { entries, publish } = useMessages();
 *   const typing = useOthers((others) => others.filter(({ data }) => data?.typing).length);
 *   return <List entries={entries} typing={typing} onSend={(text) => publish("message", { text })} />;
 * }
 * root.render(<RoomProvider name="chat:lobby" rewind={50} presence={{ typing: false }}><Chat /></RoomProvider>);
 * ```
 */
export function createRoomContext<
  Events extends EventMap = EventMap,
  Presence = unknown,
  State extends object = Record<string, unknown>,
>(): RoomContext<Events, Presence, State> {
  const context = createContext<Room<Events, Presence> | undefined>(undefined);
  const useRoom = (): Room<Events, Presence> => {
    const room = useContext(context);
    if (room === undefined) throw new RoomcastError("invalid_argument", "there is no <RoomProvider> above");
    return room;
  };
  const useSources = (): Sources => sourcesOf(useRoom() as Room<any, any>);
  const useSharedState = (by: unknown, isEqual?: Equal<any>): unknown => {
    const hook = typeof by === "function" ? useStateSelection : useStateKey;
    return hook(useSources(), useRoom(), by as never, isEqual);
  };
  return {
    RoomProvider: (props) => useProvider(context, props),
    useRoom,
    useStatus: () => useSelection(useSources().status, whole),
    useMessages: (select: (messages: Messages<Events>) => any = whole, isEqual?: Equal<any>) =>
      useSelection(useListWithActions<Events>(useSources()), select, isEqual),
    usePresence: (select: (members: readonly Member<Presence>[]) => any = whole, isEqual?: Equal<any>) =>
      useSelection(useSources().members, select, isEqual),
    useOthers: (select: (others: readonly Member<Presence>[]) => any = whole, isEqual?: Equal<any>) =>
      useSelection(useSources().others, select, isEqual),
    useMyPresence: () => useMine(useRoom(), useSources()),
    useOccupancy: () => useSelection(useSources().occupancy, whole),
    useSharedState: useSharedState as RoomContext<Events, Presence, State>["useSharedState"],
    useRoomEvent: (type, listener) => useEvent(useRoom(), type, listener as (publication: never) => void),
  };
}

const whole = (value: any): any => value;

/** Leaves that are due at the end of the turn: a component that is mounted again at once goes on with its room. */
const leaving = new WeakMap<Room<any, any>, ReturnType<typeof setTimeout>>();

function useProvider<Events extends EventMap, Presence>(
  context: Context<Room<Events, Presence> | undefined>,
  { name, children, ...options }: RoomProviderProps<Presence>,
): ReactNode {
  const client = useRoomcast();
  // How to join is decided at the first render of a room.
  const room = useMemo(() => client.room<Events, Presence>(name, options), [client, name]);
  useEffect(() => {
    clearTimeout(leaving.get(room));
    // Why it fails stands in `status` and `failure`.
    if (!leaving.delete(room)) room.join().catch(() => undefined);
    return () => {
      const leave = (): void => {
        leaving.delete(room);
        void room.leave();
      };
      leaving.set(room, setTimeout(leave, 0));
    };
  }, [room]);
  return createElement(context.Provider, { value: room }, children);
}

function useListWithActions<Events extends EventMap>({ messages }: Sources): Source<Messages<Events>> {
  return useMemo(() => {
    const { list, initial, subscribe } = messages;
    const actions = {
      loadOlder: (limit?: number) => list.loadOlder(limit),
      loadGap: (key: string, limit?: number) => list.loadGap(key, limit),
      publish: list.publish.bind(list) as RoomMessages<Events>["publish"],
      retry: (key: string) => list.retry(key),
      discard: (key: string) => list.discard(key),
    };
    let made: { of: MessagesSnapshot<Events>; all: Messages<Events> } | undefined;
    const get = (): Messages<Events> => {
      const of = messages.get();
      if (made?.of !== of) made = { of, all: { ...of, ...actions } };
      return made.all;
    };
    return { get, initial: { ...initial, ...actions }, subscribe };
  }, [messages]);
}

function useMine<Presence>(
  room: Room<any, Presence>,
  { mine, ownDataSet }: Sources,
): readonly [Presence | undefined, SetPresence<Presence>] {
  const set = useCallback<SetPresence<Presence>>(
    (data) => {
      const next =
        typeof data === "function" ? (data as (before: Presence | undefined) => Presence)(room.presence.data) : data;
      const done = room.presence.set(next);
      ownDataSet();
      return quietly(done);
    },
    [room, ownDataSet],
  );
  return [useSelection(mine as Source<Presence | undefined>, whole), set];
}

function useStateKey(
  { state }: Sources,
  room: Room<any, any>,
  key: string,
): readonly [unknown, SetShared<unknown>] {
  const value = useSelection(state, (entries) => entries[key]?.value);
  const set = useCallback<SetShared<unknown>>(
    (next) => {
      const isChange = typeof next === "function";
      return quietly(isChange ? change(room, key, next as (before: unknown) => unknown) : write(room, key, next));
    },
    [room, key],
  );
  return [value, set];
}

function useStateSelection(
  { state }: Sources,
  _: Room<any, any>,
  select: (state: Record<string, unknown>) => unknown,
  isEqual?: Equal<unknown>,
): unknown {
  return useSelection(state, (entries) => select(valuesOf(entries)), isEqual);
}

function valuesOf(entries: Readonly<Record<string, StateEntry>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(entries).map(([key, { value }]) => [key, value]));
}

async function write(room: Room<any, any>, key: string, value: unknown, version?: number): Promise<void> {
  const condition = version === undefined ? {} : { if: version };
  if (value === undefined) await room.state.delete(key, condition);
  else await room.state.set(key, value, condition);
}

const CHANGES_MAX = 20;

/** Only of what it was made of: where somebody else was faster, it is made anew of what they wrote. */
async function change(room: Room<any, any>, key: string, make: (before: unknown) => unknown): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const version = room.state.entry(key)?.version ?? 0;
    try {
      return await write(room, key, make(room.state.get(key)), version);
    } catch (error) {
      if (!(error instanceof RoomcastError) || error.code !== "conflict" || tries >= CHANGES_MAX) throw error;
    }
    // The answer and what it is about travel together; either may be read first.
    if ((room.state.entry(key)?.version ?? 0) === version) await nextChange(room);
  }
}

function nextChange(room: Room<any, any>): Promise<void> {
  return new Promise((resolve) => {
    const off = room.on("state", () => {
      off();
      resolve();
    });
  });
}

function useEvent(room: Room<any, any>, type: string, listener: (publication: never) => void): void {
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => room.on(type as never, (publication: never) => latest.current(publication)), [room, type]);
}

/** Who does not look at the outcome has not overlooked an error: what is shown comes from the room. */
function quietly(done: Promise<void>): Promise<void> {
  done.catch(() => undefined);
  return done;
}
