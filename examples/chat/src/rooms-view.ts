/** The rooms this browser knows, as windows of a house: the one we are in is lit. */
import { FIRST_ROOM, roomId } from "./address.js";
import { byId, el } from "./dom.js";
import type { Unread } from "./generated/chat.js";
import { hueFor } from "./people.js";

const KEY = "roomcast-chat.rooms";
const SUGGESTED = [FIRST_ROOM, "kitchen", "rooftop"];
const VISITED_MAX = 8;

export function visit(room: string): void {
  const visited = known().filter((other) => other !== room && !SUGGESTED.includes(other));
  const kept = SUGGESTED.includes(room) ? visited : [room, ...visited];
  try {
    localStorage.setItem(KEY, JSON.stringify(kept.slice(0, VISITED_MAX)));
  } catch {
    // Without storage, the list is only the suggestions and this room.
  }
}

/** The rooms of the list but the one that is shown. */
export function otherRooms(current: string): string[] {
  return [...new Set([...SUGGESTED, ...known()])].filter((room) => room !== current);
}

export function drawRooms(current: string, unread: ReadonlyMap<string, Unread>): void {
  const rooms = [...new Set([...SUGGESTED, ...known(), current])];
  const links = rooms.map((room) => {
    const name = el("span", { class: "room-label" }, room);
    const link = el("a", { href: `#${room}`, class: "room" }, el("span", { class: "window", "aria-hidden": "true" }), name);
    link.style.setProperty("--hue", String(hueFor(room)));
    if (room === current) link.setAttribute("aria-current", "page");
    const { unread: count = 0, mentions = 0 } = (room === current ? undefined : unread.get(room)) ?? {};
    link.classList.toggle("unread", count > 0);
    if (count > 0) link.append(badge(count, mentions));
    return el("li", {}, link);
  });
  byId("rooms", HTMLUListElement).replaceChildren(...links);
}

function badge(count: number, mentions: number): HTMLElement {
  const label = mentions > 0 ? `${count} unread, you are mentioned` : `${count} unread`;
  const shown = count > 99 ? "99+" : String(count);
  return el("span", { class: mentions > 0 ? "badge mention" : "badge", "aria-label": label }, mentions > 0 ? `@ ${shown}` : shown);
}

export function watchNewRoom(): void {
  const form = byId("new-room", HTMLFormElement);
  const input = byId("new-room-name", HTMLInputElement);
  input.oninput = () => input.setCustomValidity("");
  form.onsubmit = (event) => {
    event.preventDefault();
    const id = roomId(input.value);
    input.setCustomValidity(id === "" && input.value.trim() !== "" ? "A room's name is of letters a to z and digits." : "");
    if (id === "") return void input.reportValidity();
    input.value = "";
    location.hash = id;
  };
}

function known(): string[] {
  try {
    const list: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(list) ? list.filter((id): id is string => typeof id === "string" && roomId(id) !== "") : [];
  } catch {
    return [];
  }
}
