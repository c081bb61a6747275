// A Worker beside Roomcast: it opens polls, votes in them, and says so in a chat. `ROOMS` is the class `Room` of the
// Worker `roomcast`, `ROOMCAST` that Worker itself.

import { RoomcastHttpError, RoomcastServer, roomStub, type RoomNamespace } from "@roomcast/client/server";
import type { Poll } from "./generated/poll.js";

interface Env {
  ROOMS: RoomNamespace;
  ROOMCAST: { fetch: typeof fetch };
  /** A secret: `wrangler secret put ROOMCAST_API_KEY`. */
  ROOMCAST_API_KEY: string;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const [, collection, name = "", action] = new URL(request.url).pathname.split("/");
    try {
      if (request.method !== "POST" || collection !== "polls") return new Response("no such address", { status: 404 });
      const room = name === "" ? `poll:${crypto.randomUUID()}` : decodeURIComponent(name);
      const poll = roomStub<Poll>(env.ROOMS, room, { locationHint: "weur" });
      if (action === "votes") return Response.json(await poll.call("vote", await request.json()));
      const open = (await request.json()) as Poll["services"]["open"]["args"];
      await poll.call("open", open);
      await announce(env, `${open.question} Vote in ${room}.`);
      return Response.json({ room }, { status: 201 });
    } catch (error) {
      if (!(error instanceof RoomcastHttpError)) throw error;
      const { code, message, details, data, retryable } = error;
      return Response.json({ code, message, details, data, retryable }, { status: error.status ?? 503 });
    }
  },
};

/** By HTTP, through the binding: nothing leaves Cloudflare. */
async function announce(env: Env, text: string): Promise<void> {
  const ask: typeof fetch = (address, init) => env.ROOMCAST.fetch(address, init);
  const rooms = new RoomcastServer({ url: "https://roomcast", apiKey: env.ROOMCAST_API_KEY, fetch: ask });
  await rooms.room<{ message: { text: string } }>("chat:lobby").publish("message", { text });
}
