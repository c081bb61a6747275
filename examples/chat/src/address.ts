/** The page's address: `?name=Ada#lobby`. The hash is the room; `role=moderator` and `kind=…` are for trying things. */

const ROOM = /^[A-Za-z0-9._~-]{1,128}$/;

export const FIRST_ROOM = "lobby";

/** What people type into a room's id: "Book club!" is `book-club`. Empty where nothing is left. */
export function roomId(text: string): string {
  const id = text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9._~-]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return id.slice(0, 64);
}

export function roomInAddress(): string {
  let text = location.hash.slice(1);
  try {
    text = decodeURIComponent(text);
  } catch {
    // A stray percent sign: taken as it stands.
  }
  return ROOM.test(text) ? text : roomId(text) || FIRST_ROOM;
}

export function nameInAddress(): string {
  return new URLSearchParams(location.search).get("name") ?? "";
}

export function moderatesInAddress(): boolean {
  return new URLSearchParams(location.search).get("role") === "moderator";
}

/** Where others find this room; with a name they are in at once. */
export function linkTo(room: string, name?: string, role?: "moderator"): string {
  const url = new URL(location.pathname, location.origin);
  const kind = new URLSearchParams(location.search).get("kind");
  if (kind !== null) url.searchParams.set("kind", kind);
  if (name !== undefined) url.searchParams.set("name", name);
  if (role !== undefined) url.searchParams.set("role", role);
  url.hash = room;
  return url.href;
}

/** The address says which room is shown, whatever it said before. */
export function settleAddress(room: string): void {
  const url = new URL(location.href);
  url.hash = room;
  history.replaceState(null, "", url);
}

export function dropNameFromAddress(): void {
  const url = new URL(location.href);
  url.searchParams.delete("name");
  history.replaceState(null, "", url);
}
