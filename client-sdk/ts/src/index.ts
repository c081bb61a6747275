/**
 * Roomcast in the browser, in Node and in workers: join a room, publish, hear what others publish, see who is here.
 *
 * @example
 * ```ts
 * import { Roomcast } from "@roomcast/client";
 *
 * const client = new Roomcast({ url: "https://rooms.example", token: async ({ room }) => fetchToken(room) });
 * const room = client.room<{ message: { text: string } }>("chat:lobby", { rewind: 50 });
 * room.on("message", (message) => console.log(message.from?.user, message.data.text));
 * await room.join();
 * await room.publish("message", { text: "hi" });
 * ```
 *
 * @module
 */
export { Roomcast } from "./client.js";
export type { RoomcastOptions, TokenFunction } from "./client.js";
export { Room } from "./room.js";
export type { RoomOf } from "./room.js";
export { RoomState } from "./state.js";
export type { StateCondition, StateOp, StateSetOptions } from "./state.js";
export type { HistoryOptions, PublishOptions, RoomOptions, RoomPresence, Signalled } from "./options.js";
export type { Stream } from "./stream.js";
export type {
  AnyPublication,
  BehaviorTypes,
  EphemeralPublication,
  EventMap,
  Gap,
  Given,
  History,
  HistoryPage,
  LoggedPublication,
  Me,
  Member,
  MethodMap,
  MethodsOf,
  Notice,
  PresenceDiff,
  Publication,
  RemovedPublication,
  RoomEvents,
  RoomStatus,
  StreamNames,
} from "./events.js";
export { RoomMessages } from "./messages.js";
export type {
  GapMarker,
  MessageEntry,
  MessagesOptions,
  MessagesSnapshot,
  RemovedMessage,
  SentMessage,
  UnsentMessage,
} from "./messages.js";
export { RoomcastError } from "./errors.js";
export type { ErrorOutcome, RoomcastErrorCode } from "./errors.js";
export type { WasmSource } from "./wasm.js";
export type { WebSocketConstructor, WebSocketLike } from "./driver.js";
export type {
  Amended,
  Author,
  Detail,
  Edited,
  Left,
  LeaveReason,
  Occupancy,
  Published,
  Reaction,
  RecoveryFailure,
  StateChange,
  StateEntry,
  StateVersion,
  StateWrite,
} from "./generated/wire.js";
