/** Who this browser says it is, and which arena its address names: `?name=Ada#lobby`, `?watch` to look on. */

export interface Identity {
  /** The token's `sub`: the same whenever this browser uses this name, so that a reload finds its seat again. */
  readonly user: string;
  readonly name: string;
}

const ROOM = /^[A-Za-z0-9._~-]{1,128}$/;
const NAME_LENGTH_MAX = 20;
const LAST_NAME = "roomcast-game.name";
const NAME_OF_THIS_TAB = "roomcast-game.tab";

/** Storage that may be full or forbidden, which costs only that the name is asked for again. */
function kept<Result>(use: () => Result): Result | undefined {
  try {
    return use();
  } catch {
    return undefined;
  }
}

export function identify(name: string): Identity {
  const key = `roomcast-game.user.${name}`;
  const user = kept(() => localStorage.getItem(key)) ?? `p-${randomId()}`;
  kept(() => localStorage.setItem(key, user));
  kept(() => localStorage.setItem(LAST_NAME, name));
  kept(() => sessionStorage.setItem(NAME_OF_THIS_TAB, name));
  return { user, name };
}

export function cleanName(text: string): string {
  return text.replace(/\s+/g, " ").trim().slice(0, NAME_LENGTH_MAX).trim();
}

export function lastName(): string {
  return kept(() => localStorage.getItem(LAST_NAME)) ?? "";
}

/** From the address, or under which this tab played when it was reloaded. */
export function nameGiven(): string {
  const asked = new URLSearchParams(location.search).get("name") ?? "";
  return cleanName(asked) || (kept(() => sessionStorage.getItem(NAME_OF_THIS_TAB)) ?? "");
}

export function wantsToWatch(): boolean {
  return new URLSearchParams(location.search).has("watch");
}

export function wantsStatistics(): boolean {
  return new URLSearchParams(location.search).has("stats");
}

/** An address without an arena gets one of its own, so that two friends who open the page meet nobody else. */
export function roomInAddress(): string {
  const named = location.hash.slice(1);
  if (ROOM.test(named)) return named;
  const url = new URL(location.href);
  url.hash = randomId().slice(0, 5);
  history.replaceState(null, "", url);
  return url.hash.slice(1);
}

/** Where others find this arena. */
export function invitation(): string {
  const url = new URL(location.pathname, location.origin);
  url.hash = roomInAddress();
  return url.href;
}

function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
