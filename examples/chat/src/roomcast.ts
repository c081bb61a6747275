/**
 * Everything this chat asks of Roomcast, in one file. The others draw what comes out of here.
 *
 * 1. A client knows where the gateway is and how to get a token.
 * 2. A room is opened by name, and tells what happens in it. Connecting, reconnecting and catching up is its own work.
 * 3. We publish, show others that we type, and page back through the history.
 */
import { Roomcast, RoomcastError } from "@roomcast/client";
import type { Left, LoggedPublication, Member, Room, RoomStatus } from "@roomcast/client";
import type { Identity } from "./identity.js";

export { RoomcastError, type Roomcast };
export type { Left, RoomStatus };

/** What is published in a chat: one type of message, and its data. */
export type ChatEvents = {
  /** `id` is the author's own name for a message, by which it knows it again when the room sends it back. */
  message: { text: string; id?: string };
};

/** What everybody in the room sees of a member while it is here. Never stored. */
export type Doing = { typing: boolean };

export type ChatRoom = Room<ChatEvents, Doing>;
export type ChatMember = Member<Doing>;
export type ChatMessage = LoggedPublication<ChatEvents["message"], "message">;

export function createClient(me: Identity): Roomcast {
  return new Roomcast({ url: location.origin, token: () => fetchToken(me) });
}

/**
 * The SDK calls this before each connection. Your own backend would check who asks, and sign a token for exactly
 * the rooms that user may enter; `cargo xtask dev` has an endpoint that signs anything, so that a demo needs none.
 */
async function fetchToken(me: Identity): Promise<string> {
  const response = await fetch("/dev/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      sub: me.user,
      rooms: { "chat:*": ["*"] }, // any chat, with all capabilities
      ttl: 3600,
      info: { name: me.name, color: me.color }, // comes with each message of ours, and with us in the list of members
    }),
  });
  // A refusal ends the attempts to connect; any other error is tried again, with backoff.
  if (response.status === 404) throw new RoomcastError("no_demo_tokens", "this deployment has no /dev/token");
  if (!response.ok) throw new Error(`no token: HTTP ${response.status}`);
  return ((await response.json()) as { token: string }).token;
}

/** What the rest of the demo wants to hear of a room. */
export interface RoomListener {
  /** Caught up with or live: in the room's order, each once. */
  message(message: ChatMessage): void;
  /** The whole list, whenever somebody comes, goes, or begins to type. */
  members(members: readonly ChatMember[]): void;
  /** Who just went, and whether they said so or were lost (which shows only when their grace is over). */
  left(who: readonly Left[]): void;
  status(status: RoomStatus): void;
  /** The room could not bring all that we missed. Its newest 50 messages follow. */
  gap(reason: string): void;
}

/** `id` is what stands behind the colon: the chat `lobby` is the room `chat:lobby`. Aborting ends the listening. */
export function openRoom(client: Roomcast, id: string, listener: RoomListener, signal: AbortSignal): ChatRoom {
  const room: ChatRoom = client.room(`chat:${id}`, {
    rewind: 50, // the newest 50 messages come ahead of the live ones
    presence: { typing: false },
  });
  room.on("message", (message) => message.ephemeral || listener.message(message), { signal });
  room.on("members", (members) => listener.members(members), { signal });
  room.on("presence", ({ left }) => listener.left(left), { signal });
  room.on("status", (status) => listener.status(status), { signal });
  room.on("gap", ({ reason }) => listener.gap(reason), { signal });
  return room;
}

/**
 * Resolves with the message's place in the log once the room has stored it, from when on no restart can lose it.
 * Without a connection it waits for the next one. When the answer is lost on the way, nobody can say whether the
 * message was; the SDK does not guess and rejects with `outcome: "unknown"`, and catching up then shows us.
 */
export async function send(room: ChatRoom, id: string, text: string): Promise<number> {
  const { offset } = await room.publish("message", { text, id });
  return offset;
}

/** Presence data reaches everybody here, and is said again after a reconnect. */
export async function showTyping(room: ChatRoom, typing: boolean): Promise<void> {
  await room.presence.set({ typing });
}

export interface Page {
  messages: readonly ChatMessage[];
  /** The `before` of the page ahead of this one; absent where the log begins. */
  next: number | undefined;
}

/** At most 50 messages of the log before an offset, oldest first. */
export async function readPage(room: ChatRoom, before: number): Promise<Page> {
  const { messages, next } = await room.history({ before, limit: 50 });
  const said = messages.filter((message): message is ChatMessage => message.type === "message" && !message.removed);
  return { messages: said, next };
}
