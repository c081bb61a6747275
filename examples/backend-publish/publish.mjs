// A backend says something in a room, by HTTP alone: no socket, no SDK. Node 20 or later.
//
//   node publish.mjs lobby "Version 1.4.2 is live"
//
// ROOMCAST_URL and ROOMCAST_API_KEY say where; without them, the gateway of `cargo xtask dev` on this machine.
const url = process.env.ROOMCAST_URL ?? "http://127.0.0.1:8787";
const apiKey = process.env.ROOMCAST_API_KEY ?? "rk_dev_dev";
const [room, text] = process.argv.slice(2);
if (!room || !text) {
  console.error("usage: node publish.mjs <room> <text>");
  process.exit(2);
}

const response = await fetch(new URL(`/v1/rooms/${encodeURIComponent(`chat:${room}`)}/publish`, url), {
  method: "POST",
  headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
  body: JSON.stringify({
    data: { text }, // opaque to Roomcast: what your clients expect of a message
    from: { user: "releases", info: { name: "Releases", color: "#5b52d1" } }, // optional: without it, nobody said it
  }),
});

if (!response.ok) {
  // Errors are RFC 9457 problems, with the codes of the WebSocket protocol; the request id is in the gateway's log too.
  const problem = await response.json().catch(() => ({}));
  console.error(`${response.status} ${problem.code ?? ""} ${problem.detail ?? problem.title ?? ""} (${response.headers.get("x-request-id")})`);
  process.exit(1);
}
const { offset, epoch } = await response.json();
console.log(`stored for good at offset ${offset} of epoch ${epoch}`);
