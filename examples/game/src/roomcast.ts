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
  return new Roomcast({ url: GATEWAY, token: () => fetchToken(me) });
}

/**
 * The SDK calls this before each connection. Your backend knows who is logged in, and signs a token for the arenas that
 * user may enter; the one for anybody has to be told.
 */
async function fetchToken(me: Identity): Promise<string> {
  const asAnybody = {
    sub: me.user,
    rooms: { "arena:*": ["join", "publish", "presence", "call"] },
    ttl: 3600,
    info: { name: me.name },
  };
  const response = await fetch(TOKENS, {
    method: "POST",
    credentials: "include",
    headers: { "content-type": "application/json" },
    // Where the network was exchanged for another, what is asked over the old one is never answered.
    signal: AbortSignal.timeout(8_000),
    body: JSON.stringify(hasAccounts ? { kind: "arena" } : asAnybody),
  });
  // A refusal ends the attempts to connect; any other error is tried again, with backoff.
  if (response.status === 404) throw new RoomcastError("no_demo_tokens", `there is no ${TOKENS}`);
  if (response.status === 401 || response.status === 403) throw new RoomcastError("unauthorized", "nobody is logged in");
  if (!response.ok) throw new Error(`no token: HTTP ${response.status}`);
  return ((await response.json()) as { token: string }).token;
}

/** `id` is what stands behind the colon: the game `lobby` is the room `arena:lobby`. */
export function openRoom(client: Roomcast, id: string): GameRoom {
  // A reload is the same session, and so finds its seat, as long as the grace lasts.
  return client.room(`arena:${id}`, { resume: true });
}

/** What we want in one tick. The room has seen it when a frame says so; an answer that says no changes nothing. */
export function sendWish(room: GameRoom, number: number, { x, y, dash }: Wish): void {
  room.publish("input", { n: number, x, y, dash }, { ephemeral: true }).catch(() => undefined);
}

/** A frame went missing on the way, as on a connection that is too slow for all of them: asks for the whole world. */
export function askForAll(room: GameRoom): void {
  room.publish("resync", null, { ephemeral: true }).catch(() => undefined);
}
