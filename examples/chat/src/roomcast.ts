/**
 * Everything this chat asks of Roomcast. The other modules only draw what comes out of here.
 *
 * 1. A client knows where the gateway is and how to get a token.
 * 2. A room is joined by name. It tells us what happens in it; the SDK reconnects and catches up by itself.
 * 3. We publish messages, show others what we are doing through presence, and page back through the history.
 */
import { Roomcast, RoomcastError, type Member, type Message, type Room, type Status } from "@roomcast/client";
import type { Identity } from "./identity.js";

export { RoomcastError };
export type { Member, Message, Status };

/** What is published in a chat room: one type of message, and its data. */
export interface ChatEvents {
  /** `id` is the author's own name for the message, by which it recognises it when the room sends it back. */
  message: { text: string; id?: string };
}

/** What a member shows of itself at this moment. Everyone who may see members gets it; it is never stored. */
export interface Doing {
  typing: boolean;
}

export type ChatRoom = Room<ChatEvents>;

export function createClient(me: Identity): Roomcast {
  return new Roomcast({ url: location.origin, token: () => fetchToken(me) });
}

/**
 * Your own backend would check who is asking, and sign a token for exactly the rooms that user may enter.
 * `cargo xtask dev` has an endpoint that signs anything, so that a demo needs no backend; a deployment does not.
 */
async function fetchToken(me: Identity): Promise<string> {
  const response = await fetch("/dev/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      sub: me.user,
      rooms: { "chat:*": ["*"] },
      ttl: 3600,
      info: { name: me.name, color: me.color }, // others see it beside each message and in the list of members
    }),
  });
  if (!response.ok) throw new Error(`The server gave out no token (HTTP ${response.status}).`);
  const { token } = (await response.json()) as { token: string };
  return token;
}

/** What the rest of the demo wants to hear of a room. */
export interface Listener {
  /** A message, live or caught up with; in the room's order, none twice. */
  message(message: Message<ChatEvents["message"]>): void;
  /** The whole list, whenever somebody came, went, or started to type. */
  members(members: readonly Member[]): void;
  status(status: Status): void;
  /** We were away too long for the room to say what we missed. What follows is its newest 50 messages. */
  gap(reason: string): void;
}

/** `id` is the part after the colon: the chat called `lobby` is the room `chat:lobby`. */
export function openRoom(client: Roomcast, id: string, listener: Listener): ChatRoom {
  const room = client.room<ChatEvents>(`chat:${id}`, {
    rewind: 50, // the newest 50 messages arrive with the welcome, ahead of the live ones
    presence: { typing: false } satisfies Doing, // being listed begins with some presence data
  });
  room.on("message", (message) => listener.message(message));
  room.on("members", (members) => listener.members(members));
  room.on("status", (status) => listener.status(status));
  room.on("gap", ({ reason }) => listener.gap(reason));
  return room;
}

/**
 * Resolves with the message's offset once the room has stored it: from then on a restart cannot lose it.
 * The key makes sending again safe: the room answers a repeated one with the first one's offset.
 */
export async function send(room: ChatRoom, id: string, text: string): Promise<number> {
  const { offset } = await room.publish("message", { text, id }, { key: id });
  return offset;
}

export async function showTyping(room: ChatRoom, typing: boolean): Promise<void> {
  await room.presence.set({ typing } satisfies Doing);
}

/** A page of what was said before an offset, or after one, oldest first. */
export async function page(
  room: ChatRoom,
  where: { before: number } | { after: number },
): Promise<{ messages: readonly Message<ChatEvents["message"]>[]; more: boolean }> {
  const { messages, next } = await room.history({ ...where, limit: 50 });
  return { messages: messages as readonly Message<ChatEvents["message"]>[], more: next !== undefined };
}
