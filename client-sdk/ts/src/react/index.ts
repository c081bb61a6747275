"use client";
/**
 * Hooks for React 18 and 19, on `useSyncExternalStore`: each renders where what it reads has changed, and nowhere
 * else. They render on servers too, as a room that is not joined yet.
 *
 * @example
 * ```tsx
 * import { Roomcast } from "@roomcast/client";
 * import { createRoomContext, RoomcastProvider } from "@roomcast/client/react";
 *
 * const client = new Roomcast({ url: "https://rooms.example", token });
 * const { RoomProvider, useMessages } = createRoomContext<{ message: { text: string } }>();
 *
 * function Chat() {
 *   const { entries, publish } = useMessages();
 *   return <Transcript entries={entries} onSend={(text) => publish("message", { text })} />;
 * }
 *
 * root.render(
 *   <RoomcastProvider client={client}>
 *     <RoomProvider name="chat:lobby" rewind={50}><Chat /></RoomProvider>
 *   </RoomcastProvider>,
 * );
 * ```
 *
 * @module
 */
import { createRoomContext } from "./context.js";

export { createRoomContext, RoomcastProvider, useRoomcast } from "./context.js";
export type { Messages, RoomContext, RoomProviderProps, SetPresence, SetShared } from "./context.js";
export { shallowEqual } from "./selection.js";
export type { Equal } from "./selection.js";

const untyped = /* @__PURE__ */ createRoomContext();

/**
 * Joins a room while it is mounted, for the hooks of this module, whose data is `unknown`.
 * {@link createRoomContext} makes typed ones.
 *
 * @example
 * ```tsx
 * <RoomProvider name="chat:lobby" rewind={50}><Chat /></RoomProvider>
 * ```
 */
export const RoomProvider = untyped.RoomProvider;
/**
 * The room of the nearest provider.
 *
 * @example
 * ```tsx
 * const room = useRoom();
 * const react = (offset: number) => room.react(offset, "👍");
 * ```
 */
export const useRoom = untyped.useRoom;
/**
 * Where the connection is.
 *
 * @example
 * ```tsx
 * if (useStatus() === "reconnecting") return <p>Back in a moment …</p>;
 * ```
 */
export const useStatus = untyped.useStatus;
/**
 * The messages with edits, removals and reactions applied, or what a selector makes of them.
 *
 * @example
 * ```tsx
 * const { entries, hasOlder, loadOlder, publish, retry } = useMessages();
 * const count = useMessages(({ entries }) => entries.length);
 * ```
 */
export const useMessages = untyped.useMessages;
/**
 * Who is here, this session included.
 *
 * @example
 * ```tsx
 * const users = usePresence((members) => new Set(members.map(({ user }) => user)).size);
 * ```
 */
export const usePresence = untyped.usePresence;
/**
 * Who else is here.
 *
 * @example
 * ```tsx
 * const names = useOthers((others) => others.map(({ user }) => user), shallowEqual);
 * ```
 */
export const useOthers = untyped.useOthers;
/**
 * This session's own presence data, and what sets it.
 *
 * @example
 * ```tsx
 * const [mine, setMine] = useMyPresence();
 * <input onInput={() => setMine({ typing: true })} />
 * ```
 */
export const useMyPresence = untyped.useMyPresence;
/**
 * How many are here.
 *
 * @example
 * ```tsx
 * const { members, users } = useOccupancy();
 * ```
 */
export const useOccupancy = untyped.useOccupancy;
/**
 * One key of the shared state and what writes it, or what a selector makes of all keys.
 *
 * @example
 * ```tsx
 * const [likes, setLikes] = useSharedState("likes");
 * <button onClick={() => setLikes((before) => Number(before ?? 0) + 1)}>{String(likes ?? 0)}</button>
 * ```
 */
export const useSharedState = untyped.useSharedState;
/**
 * Calls a listener for each publication of a type, ephemerals too.
 *
 * @example
 * ```tsx
 * useRoomEvent("confetti", () => celebrate());
 * ```
 */
export const useRoomEvent = untyped.useRoomEvent;
