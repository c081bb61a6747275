// A backend says something in a room, by HTTP alone: no socket, no Wasm. Node 20.3 or later, Workers, Deno, Bun.
//
//   node publish.mjs lobby "Version 1.4.2 is live"
//
// ROOMCAST_URL and ROOMCAST_API_KEY say where; without them, the gateway of `cargo xtask dev` on this machine.
import { RoomcastHttpError, RoomcastServer } from "@roomcast/client/server";

const rooms = new RoomcastServer({
  url: process.env.ROOMCAST_URL ?? "http://127.0.0.1:8787",
  apiKey: process.env.ROOMCAST_API_KEY ?? "rk_dev_dev",
});
const [name, text] = process.argv.slice(2);
if (!name || !text) {
  console.error("usage: node publish.mjs <room> <text>");
  process.exit(2);
}

try {
  const { offset, epoch } = await rooms.room(`team:${name}`).publish(
    "message",
    { text }, // opaque to Roomcast: what your clients expect of a message
    { from: { user: "releases", info: { name: "Releases", color: "#5b52d1" } } }, // optional: without it, nobody said it
  );
  console.log(`stored for good at offset ${offset} of epoch ${epoch}`);
} catch (error) {
  if (!(error instanceof RoomcastHttpError)) throw error;
  // The codes are those of the WebSocket protocol; the request id is in the gateway's log too.
  console.error(`${error.status ?? ""} ${error.code} ${error.message} (${error.requestId ?? "no answer"})`);
  process.exit(1);
}
