/**
 * Roomcast for backends: publish, read, send away and revoke over HTTP, sign tokens, verify webhooks. No Wasm, no
 * sockets, no dependencies: `fetch` and WebCrypto, as Node from 20.3, Workers, Deno and Bun have them.
 *
 * @example
 * ```ts
 * import { RoomcastServer } from "@roomcast/client/server";
 *
 * const rooms = new RoomcastServer({ url: "https://rooms.example", apiKey: process.env.ROOMCAST_API_KEY! });
 * await rooms.room("chat:lobby").publish("message", { text: "deployed" }, { from: { user: "ci" } });
 * ```
 *
 * @module
 */
export { RoomcastServer } from "./server.js";
export type { BatchOutcome, ServerUsers } from "./server.js";
export { ServerRoom } from "./room.js";
export type {
  BatchMessage,
  MessagesOptions,
  MessagesPage,
  ServerMethodsOf,
  ServerPublishOptions,
  ServerStateOp,
} from "./room.js";
export { RoomStub, roomStub } from "./stub.js";
export type { RoomNamespace, RoomObject, RoomStubOptions } from "./stub.js";
export type { RoomcastServerOptions, Signalled } from "./request.js";
export { createToken } from "./token.js";
export type { TokenClaims, TokenKey } from "./token.js";
export { verifyWebhook } from "./webhook.js";
export type { WebhookBatch, WebhookEvent, WebhookHeaders, WebhookOptions } from "./webhook.js";
export { RoomcastHttpError } from "./errors.js";
export { RoomcastError } from "../errors.js";
export type { ErrorOutcome, RoomcastErrorCode } from "../errors.js";
export type { BehaviorTypes, EventMap, Given, LoggedPublication, MethodMap, MethodsOf, StreamNames } from "../events.js";
export type {
  Capability,
  Closed,
  DisconnectBody,
  DisconnectedAnswer,
  FromBody,
  KindUsage,
  LifecycleState,
  RevocationAnswer,
  RevocationBody,
  RoomEntry,
  LogInfo,
  RoomInfo,
  StateInfo,
  TimerInfo,
  TokenAnswer,
  TokenBody,
  Usage,
  WebhookEventType,
} from "../generated/http.js";
export type {
  Amended,
  Detail,
  Member,
  MembersPage,
  Publication,
  Published,
  StateEntry,
  StateSnapshot,
  StateVersion,
  To,
} from "../generated/wire.js";
