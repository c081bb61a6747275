import type {
  Author,
  Edited,
  Left,
  Member as WireMember,
  Occupancy,
  Reaction,
  RecoveryFailure,
  StateChange,
} from "./generated/wire.js";

/**
 * An application's types of publications, each with the type of its data. Data is JSON, or a `Uint8Array`.
 *
 * @example
 * ```ts
 * type Chat = { message: { text: string }; sketch: Uint8Array };
 * const room = client.room<Chat>("chat:lobby");
 * ```
 */
export type EventMap = Record<string, unknown>;

interface PublicationFields<Data, Type extends string> {
  /** The application's own type of publication. */
  readonly type: Type;
  readonly data: Data;
  /** When the room took it, in milliseconds since 1970. */
  readonly time: number;
  /** Absent for what a backend published in nobody's name. */
  readonly from?: Author;
  readonly tags: readonly string[];
}

/** One entry of the room's log. */
export interface LoggedPublication<Data = unknown, Type extends string = string>
  extends PublicationFields<Data, Type> {
  readonly ephemeral: false;
  /** Its place in the room's order. */
  readonly offset: number;
  /** The offset of the publication that an `edit`, `remove` or `react` is about. */
  readonly ref?: number;
  readonly removed?: undefined;
  /** In history: `data` is what this edit made of it. */
  readonly edited?: Edited;
  /** In history: who reacted, by the reaction's name. */
  readonly reactions?: Readonly<Record<string, Reaction>>;
}

/** An entry of the log that was taken back: what it said is erased. */
export interface RemovedPublication<Type extends string = string>
  extends Omit<LoggedPublication<undefined, Type>, "data" | "removed" | "edited"> {
  readonly data?: undefined;
  readonly edited?: undefined;
  readonly removed: true;
}

/** Seen by who was there, and never logged. */
export interface EphemeralPublication<Data = unknown, Type extends string = string>
  extends PublicationFields<Data, Type> {
  readonly ephemeral: true;
  readonly offset?: undefined;
  readonly removed?: undefined;
}

/**
 * What somebody published.
 *
 * @example
 * ```ts
 * room.on("message", (message) => {
 *   if (!message.ephemeral) lastSeen = message.offset;
 * });
 * ```
 */
export type Publication<Data = unknown, Type extends string = string> =
  | LoggedPublication<Data, Type>
  | EphemeralPublication<Data, Type>;

/**
 * A publication of any of the application's types; `type` tells which. One that was taken back by the time it is
 * heard has no `data`, and `removed` says so.
 *
 * @example
 * ```ts
 * room.on("publication", (publication) => {
 *   if (!publication.removed) console.log(publication.type, publication.data);
 * });
 * ```
 */
export type AnyPublication<Events extends EventMap> = {
  [Type in keyof Events & string]: Publication<Events[Type], Type> | RemovedPublication<Type>;
}[keyof Events & string];

/** A session in the presence set; another tab of the same user is another member. */
export interface Member<Presence = unknown> extends Omit<WireMember, "data"> {
  readonly data?: Presence;
}

/** What changed in {@link Room.members}. */
export interface PresenceDiff<Presence = unknown> {
  readonly joined: readonly Member<Presence>[];
  readonly left: readonly Left[];
  readonly updated: readonly Member<Presence>[];
}

/** Who this connection is. */
export interface Me {
  /** A new one on every reconnect. */
  readonly connection: string;
  /** This room object's public id across its reconnects: the `session` that others see. */
  readonly session: string;
  readonly user: string;
  /** The whole subscription: the token's tags and those asked for. */
  readonly tags: readonly string[];
}

/** Publications are missing between the last one heard and the next; what a `rewind` brings comes behind it. */
export interface Gap {
  readonly reason: RecoveryFailure;
}

/** Something to know of, that needs no answer. */
export interface Notice {
  /**
   * `expiring`: the token ends at `expiresAt`; the token function is asked for a newer one, which takes its place.
   * `restarted`: the room was rebuilt. `ephemerals_dropped`: this connection was too slow for them. `token_failed`:
   * the token function threw, and is asked again unless it said that there will be none. Any other: the server would
   * not take something that this client sent by itself, as a newer token of another user.
   */
  readonly code: "expiring" | "restarted" | "ephemerals_dropped" | "token_failed" | (string & {});
  readonly message: string;
  readonly expiresAt?: number;
}

/**
 * `idle` · `connecting` until the first welcome since joining · `connected` · `reconnecting` after that · `offline`
 * while there is no network · `failed`: stopped for good, {@link Room.failure} says why · `left`.
 */
export type RoomStatus = "idle" | "connecting" | "connected" | "reconnecting" | "offline" | "failed" | "left";

/** What a room tells of besides the application's own types. */
export interface RoomEvents<Events extends EventMap = EventMap, Presence = unknown> {
  /** Every publication, of whatever type. */
  publication: AnyPublication<Events>;
  /** What the publication at `ref` says from now on. */
  edit: LoggedPublication<Events[keyof Events & string], "edit">;
  /** The publication at `ref` was taken back. */
  remove: LoggedPublication<null, "remove">;
  /** A reaction to the publication at `ref` was added, or taken back. */
  react: LoggedPublication<{ name: string; on: boolean }, "react">;
  status: RoomStatus;
  members: readonly Member<Presence>[];
  presence: PresenceDiff<Presence>;
  /** How many are here, where a room counts and does not list. */
  occupancy: Occupancy;
  /** What became of {@link Room.state}. */
  state: StateChange;
  gap: Gap;
  notice: Notice;
}

/**
 * What the room's logic can be asked to do: each method with its arguments and its result, and what it streams before
 * that.
 *
 * @example
 * ```ts
 * type Game = { move: { args: { x: number }; result: { ok: boolean } }; replay: { args: null; result: null; item: Move } };
 * const room = client.room<Events, Presence, Game>("game:7");
 * const { ok } = await room.call("move", { x: 3 });
 * ```
 */
export type MethodMap = Record<string, { args: unknown; result: unknown; item?: unknown }>;

/**
 * What the rooms of one behavior offer, as `cargo xtask codegen` writes it from the Rust types: an interface that, given
 * to `Roomcast.room`, types `call`, `stream`, `on`, `state` and `presence`.
 *
 * @example
 * ```ts
 * import type { Dice } from "./generated/dice.js";
 *
 * const room = client.room<Dice>("dice:table-1");
 * const { total } = await room.call("roll", { sides: 6 });
 * ```
 */
export interface BehaviorTypes {
  methods: Record<string, { args: unknown; result: unknown; error: unknown }>;
  streams: Record<string, { args: unknown; item: unknown; error: unknown }>;
  /** What it publishes, and what may be published there. */
  events: EventMap;
  /** Keys of shared state that it writes. */
  state: object;
  /** Members' presence data. */
  presence: unknown;
}

/** What the rooms of a behavior can be asked to do: its methods, and those that stream. */
export type MethodsOf<Types extends BehaviorTypes> = Types["methods"] & {
  [Name in keyof Types["streams"]]: Types["streams"][Name] & { result: null };
};

/** The names of those methods that stream. */
export type StreamNames<Methods> = {
  [Name in keyof Methods]: "item" extends keyof Methods[Name] ? Name : never;
}[keyof Methods];

/** Arguments, which may be left out where a method takes none. */
export type Given<Args, Options> = null extends Args ? [args?: Args, options?: Options] : [args: Args, options?: Options];

/**
 * A page of the log, and all that lies behind it: await it, or iterate over its publications.
 *
 * @example
 * ```ts
 * for await (const message of room.history()) {
 *   if (message.time < yesterday) break;
 * }
 * ```
 */
export type History<Events extends EventMap = EventMap> = Promise<HistoryPage<Events>> &
  AsyncIterable<HistoryPage<Events>["messages"][number]>;

/** A page of the log, ascending. */
export interface HistoryPage<Events extends EventMap = EventMap> {
  readonly epoch: string;
  readonly messages: readonly Extract<AnyPublication<Events>, { ephemeral: false }>[];
  /** The value for the same parameter that brings the next page; absent on the last. */
  readonly next?: number;
}
