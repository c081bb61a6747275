/**
 * Everything this chat asks of Roomcast, in one file. The others draw what comes out of here.
 *
 * 1. A client knows where the gateway is and how to get a token.
 * 2. A room is opened by name, and tells what happens in it. Connecting, reconnecting and catching up is its own work.
 * 3. `RoomMessages` keeps its messages: edited, removed, reacted to, on their way or failed, and older pages.
 * 4. The room's own logic (`behavior/`) is called by methods, whose types `cargo xtask codegen` writes.
 */
import { Roomcast, RoomcastError, RoomMessages } from "@roomcast/client";
import type { Left, Member, MessageEntry as AnyEntry, RoomOf, RoomStatus } from "@roomcast/client";
import type { Chat, Said } from "./generated/chat.js";
import type { Identity } from "./identity.js";

export { RoomcastError, type Roomcast };
export type { Left, RoomStatus };

export type ChatEvents = Chat["events"];
export type ChatRoom = RoomOf<Chat>;
export type ChatMember = Member<Chat["presence"]>;
export type ChatMessages = RoomMessages<ChatEvents>;
export type Entry = AnyEntry<ChatEvents>;
export type GapEntry = Extract<Entry, { kind: "gap" }>;
export type MessageEntry = Exclude<Entry, GapEntry>;
export type SentEntry = Extract<MessageEntry, { kind: "message"; removed: false }>;
export type UnsentEntry = Extract<MessageEntry, { kind: "pending" | "failed" }>;

/** As many as a room's log keeps, and some. */
const MESSAGES_MAX = 21_000;
const PAGE = 100;

/** The kind of the rooms: one with this chat's logic, unless the address says another. */
export const KIND = /^[a-z][a-z0-9-]{0,31}$/.exec(new URLSearchParams(location.search).get("kind") ?? "")?.[0] ?? "team";

const GATEWAY = meta("roomcast-gateway") || location.origin;
const TOKENS = meta("roomcast-tokens");
/** Gives a token to anybody under any name: `cargo xtask dev` has it, so that a demo needs no accounts. */
const FOR_ANYBODY = "/dev/token";

/** Whether people have accounts, and so no say in who they are. */
export const hasAccounts = TOKENS !== FOR_ANYBODY;

function meta(name: string): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "";
}

export function createClient(me: Identity): Roomcast {
  return new Roomcast({ url: GATEWAY, token: () => fetchToken(me, true) });
}

/** For rooms that are not on the page: who watches them is not among those who are there. */
export function createWatchingClient(me: Identity): Roomcast {
  return new Roomcast({ url: GATEWAY, token: () => fetchToken(me, false) });
}

const WATCHER = ["join", "history", "call"];
const MEMBER = [...WATCHER, "publish", "presence", "edit-own"];
const MODERATOR = [...MEMBER, "edit-any", "moderate"];

/**
 * The SDK calls this before each connection. Your backend knows who is logged in, and signs a token for the rooms that
 * user may enter; the one for anybody has to be told.
 */
async function fetchToken(me: Identity | undefined, isHere: boolean): Promise<string> {
  const capabilities = me?.moderates ? MODERATOR : MEMBER;
  const asAnybody = {
    sub: me?.user,
    rooms: { [`${KIND}:*`]: isHere ? capabilities : WATCHER },
    ttl: 3600,
    info: { name: me?.name, color: me?.color }, // comes with each message of ours, and with us in the list of members
  };
  const response = await fetch(TOKENS, {
    method: "POST",
    credentials: "include",
    headers: { "content-type": "application/json" },
    // Where the network was exchanged for another, what is asked over the old one is never answered.
    signal: AbortSignal.timeout(8_000),
    body: JSON.stringify(hasAccounts ? { kind: KIND, watching: !isHere } : asAnybody),
  });
  // A refusal ends the attempts to connect; any other error is tried again, with backoff.
  if (response.status === 404) throw new RoomcastError("no_demo_tokens", `there is no ${TOKENS}`);
  if (response.status === 401 || response.status === 403) throw new RoomcastError("unauthorized", "nobody is logged in");
  if (!response.ok) throw new Error(`no token: HTTP ${response.status}`);
  return ((await response.json()) as { token: string }).token;
}

/** Who is logged in, as the token has it: nobody but the gateway checks it, and nothing here depends on it. */
export async function account(): Promise<{ user: string; info: unknown }> {
  const [, claims = ""] = (await fetchToken(undefined, true)).split(".");
  const bytes = Uint8Array.from(atob(claims.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  const { sub, info } = JSON.parse(new TextDecoder().decode(bytes)) as { sub: string; info?: unknown };
  return { user: sub, info };
}

/** `id` is what stands behind the colon: the chat `lobby` is the room `team:lobby`. */
export function openRoom(client: Roomcast, id: string): ChatRoom {
  return client.room<Chat>(`${KIND}:${id}`, {
    rewind: PAGE, // the newest messages come ahead of the live ones
    presence: { away: false },
  });
}

/** Only what is new from now on, and no members. */
export function watchRoom(client: Roomcast, id: string): ChatRoom {
  return client.room<Chat>(`${KIND}:${id}`, { members: false });
}

export function messagesOf(room: ChatRoom): ChatMessages {
  return new RoomMessages(room, { max: MESSAGES_MAX });
}

/**
 * Shows it at once, and publishes it under a key: once, however often it has to be sent. Without a connection it waits
 * for the next one; from when it is `sent`, no restart of the room can lose it.
 */
export function send(messages: ChatMessages, said: Said): void {
  messages.publish("message", said);
}

export function loadOlder(messages: ChatMessages): Promise<void> {
  return messages.loadOlder(PAGE);
}

/** Others see it while they are here; of many that are on their way to somebody slow, the last is enough. */
export function showTyping(room: ChatRoom, on: boolean, thread: number | undefined): void {
  const data = thread === undefined ? { on } : { on, thread };
  // One that is lost with its connection is made good by the next.
  room.publish("typing", data, { ephemeral: true, echo: false, conflate: "typing" }).catch(() => undefined);
}

/** Messages behind an offset, up to a page; oldest first. */
export async function readAfter(room: ChatRoom, after: number): Promise<{ messages: SentEntry[]; next: number | undefined }> {
  const { messages, next } = await room.history({ after, limit: PAGE });
  const said = messages.flatMap((message): SentEntry[] =>
    message.type !== "message" || message.removed
      ? []
      : [{ ...message, kind: "message", key: `at ${message.offset}`, own: false, removed: false, reactions: message.reactions ?? {} }],
  );
  return { messages: said, next };
}
