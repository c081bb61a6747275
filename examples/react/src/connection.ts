/** Where the rooms are and who is here, from the page's address: `?url=…&room=lobby&name=ada`. */
import { Roomcast } from "@roomcast/client";

const asked = new URLSearchParams(location.search);
const url = asked.get("url") ?? "http://127.0.0.1:8787";
const guest = `guest-${crypto.randomUUID().slice(0, 4)}`;

export const room = `chat:${asked.get("room") ?? "lobby"}`;
export const name = asked.get("name") ?? sessionStorage.getItem("name") ?? guest;
sessionStorage.setItem("name", name);

/** Of the development server, which gives anybody any token. In earnest your backend signs one for who is logged in. */
async function token(): Promise<string> {
  const rooms = { [room]: ["join", "publish", "presence", "history", "edit-own"] };
  const body = JSON.stringify({ sub: name, rooms, ttl: 3600 });
  const answer = await fetch(new URL("/dev/token", url), { method: "POST", body });
  if (!answer.ok) throw new Error(`no token: ${answer.status}`);
  return ((await answer.json()) as { token: string }).token;
}

export const client = new Roomcast({ url, token });
