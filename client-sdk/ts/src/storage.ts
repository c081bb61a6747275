import type { Position } from "./core.js";

/** What a reloaded page needs to go on as the same session. */
export interface Kept extends Position {
  session: string;
}

/**
 * Takes out what the page before this one left. While a page lives nothing lies there, so that a tab that is made by
 * duplicating another (storage included) finds nothing, and is a session of its own.
 */
export function takeOut(key: string): Kept | undefined {
  try {
    const text = sessionStorage.getItem(key);
    sessionStorage.removeItem(key);
    const kept = JSON.parse(text ?? "null") as Kept | null;
    return kept !== null && /^[\w-]{8,64}$/.test(kept.session) ? kept : undefined;
  } catch {
    // There is no such storage here, or it is forbidden, or somebody else wrote there.
    return undefined;
  }
}

export function putBack(key: string, session: string, { epoch, offset }: Position): void {
  try {
    const kept = { session, epoch, offset };
    sessionStorage.setItem(key, JSON.stringify(kept));
  } catch {
    // As above, or it is full: then the next page is a new session.
  }
}
