/**
 * Everything this game asks of Roomcast, in one file.
 *
 * 1. The room's own logic (`behavior/`) runs the game. We send it what we want as ephemeral inputs, which it keeps to
 *    itself, and it sends everyone a frame a tick.
 * 2. Who sits where is shared state: every welcome brings it, and so does every change.
 * 3. Sitting down, getting up and being ready are methods, which answer or refuse.
 */
import { Roomcast, RoomcastError } from "@roomcast/client";
import type { Member, Room, RoomStatus } from "@roomcast/client";
import type { Game } from "./generated/game.js";
import type { Identity } from "./identity.js";
import type { Wish } from "./motion.js";

export { RoomcastError, type Roomcast };
export type { RoomStatus };
export type { Lobby, Score, Seated } from "./generated/game.js";

export type GameRoom = Room<Game["events"], unknown, Game["methods"]>;
export type GameMember = Member<unknown>;

export function createClient(me: Identity): Roomcast {
  return new Roomcast({ url: location.origin, token: () => fetchToken(me) });
}

/**
 * The SDK calls this before each connection. Your own backend would check who asks; `cargo xtask dev` has an endpoint
 * that signs anything, so that a demo needs none.
 */
async function fetchToken(me: Identity): Promise<string> {
  const response = await fetch("/dev/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      sub: me.user,
      rooms: { "arena:*": ["join", "publish", "presence", "call"] },
      ttl: 3600,
      info: { name: me.name },
    }),
  });
  if (response.status === 404) throw new RoomcastError("no_demo_tokens", "this deployment has no /dev/token");
  if (!response.ok) throw new Error(`no token: HTTP ${response.status}`);
  return ((await response.json()) as { token: string }).token;
}

/** `id` is what stands behind the colon: the game `lobby` is the room `arena:lobby`. */
export function openRoom(client: Roomcast, id: string): GameRoom {
  return client.room(`arena:${id}`);
}

/** What we want in one tick. The room has seen it when a frame says so; an answer that says no changes nothing. */
export function sendWish(room: GameRoom, number: number, { x, y, dash }: Wish): void {
  room.publish("input", { n: number, x, y, dash }, { ephemeral: true }).catch(() => undefined);
}

/** A frame went missing on the way, as on a connection that is too slow for all of them: asks for the whole world. */
export function askForAll(room: GameRoom): void {
  room.publish("resync", null, { ephemeral: true }).catch(() => undefined);
}
