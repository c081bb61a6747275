import { Roomcast, RoomcastError } from "@roomcast/client";
import type { Counter } from "./generated/counter.js";

/** So many lines of who added are shown. */
const LINES_MAX = 5;

/**
 * `cargo xtask dev` signs tokens for the asking. Your own backend checks who asks, and signs for the rooms that this
 * user may enter: see Roomcast's docs/GUIDE.md.
 */
async function token(): Promise<string> {
  const response = await fetch("/dev/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ sub: user(), rooms: { "counter:*": ["*"] }, ttl: 3600 }),
  });
  if (response.status === 404) throw new RoomcastError("no_dev_tokens", "this deployment signs no tokens by itself");
  if (!response.ok) throw new Error(`no token: HTTP ${response.status}`);
  return ((await response.json()) as { token: string }).token;
}

/** A guest, the same in every tab of this browser. */
function user(): string {
  const known = localStorage.getItem("user") ?? `guest-${crypto.randomUUID().slice(0, 4)}`;
  localStorage.setItem("user", known);
  return known;
}

function element<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}

const count = element("count", HTMLOutputElement);
const add = element("add", HTMLButtonElement);
const status = element("status", HTMLParagraphElement);
const added = element("added", HTMLUListElement);

const client = new Roomcast({ url: location.origin, token });
const room = client.room<Counter>("counter:lobby", { rewind: LINES_MAX });

room.state.subscribe("count", (value) => (count.value = String(value ?? 0)));
room.on("added", ({ data }) => {
  const line = document.createElement("li");
  line.textContent = `${data.user ?? "the backend"}: +${data.by}`;
  added.prepend(line);
  added.children[LINES_MAX]?.remove();
});
room.on("status", (now) => {
  add.disabled = now !== "connected";
  status.textContent = now;
  if (now === "connected") count.value = String(room.state.get("count") ?? 0);
});
add.addEventListener("click", () => {
  room.call("add", { by: 1 }).catch((error: unknown) => (status.textContent = String(error)));
});

room.join().catch((error: unknown) => (status.textContent = String(error)));
