import type { Position } from "./core.js";
import type { Survivor } from "./driver.js";

/** What a reloaded page needs to go on as the same session. */
export interface Kept extends Position {
  session: string;
}

const lockOf = (session: string): string => `roomcast:${session}`;

/** Absent in older browsers and pages without TLS: there a copied session is taken over. */
const locks = (): LockManager | undefined => globalThis.navigator?.locks;

/**
 * Takes out what the page before this one left. While a page lives nothing lies there, so that a tab that is made by
 * duplicating another (storage included) finds nothing, and is a session of its own. A page that stands still leaves
 * something, but holds on to it, so that its duplicate is another too.
 */
export async function takeOut(key: string): Promise<Kept | undefined> {
  try {
    const text = sessionStorage.getItem(key);
    sessionStorage.removeItem(key);
    const kept = JSON.parse(text ?? "null") as Kept | null;
    if (kept === null || !/^[\w-]{8,64}$/.test(kept.session)) return undefined;
    const isHeld = await locks()?.request(lockOf(kept.session), { ifAvailable: true }, (lock) => lock === null);
    return isHeld ? undefined : kept;
  } catch {
    // There is no such storage here, or it is forbidden, or somebody else wrote there.
    return undefined;
  }
}

/** Leaves `session` and where it got to for the next page, whenever this one may not come back. */
export function survivor(key: string, session: string): Survivor {
  let letGo = (): void => {};
  return {
    keep({ epoch, offset }, isStill) {
      letGo();
      // A page that is discarded lets go by itself.
      const end = new Promise<void>((resolve) => (letGo = resolve));
      if (isStill) locks()?.request(lockOf(session), () => end).catch(() => {});
      try {
        sessionStorage.setItem(key, JSON.stringify({ session, epoch, offset }));
      } catch {
        // As above, or it is full: then the next page is a new session.
      }
    },
    release() {
      letGo();
      try {
        sessionStorage.removeItem(key);
      } catch {
        // As above.
      }
    },
  };
}
