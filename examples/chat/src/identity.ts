/** Who this browser says it is. A real application has accounts instead. */
import { moderatesInAddress } from "./address.js";
import { colorFor } from "./people.js";

export interface Identity {
  /** The token's `sub`: the same in every tab in which this browser uses this name. */
  user: string;
  name: string;
  color: string;
  /** Whether its token lets it moderate; the address says so, where anybody may sign tokens. */
  moderates: boolean;
}

const NAME_LENGTH_MAX = 40;
const LAST_NAME = "roomcast-chat.name";
const userOf = (name: string): string => `roomcast-chat.user.${name}`;
const NAME_OF_THIS_TAB = "roomcast-chat.tab";

/** Storage that may be full or forbidden, which costs only that a reload asks for the name again. */
function kept<Result>(use: () => Result): Result | undefined {
  try {
    return use();
  } catch {
    return undefined;
  }
}

export function identify(name: string): Identity {
  const user = kept(() => localStorage.getItem(userOf(name))) ?? `u-${randomId()}`;
  kept(() => localStorage.setItem(userOf(name), user));
  kept(() => localStorage.setItem(LAST_NAME, name));
  kept(() => sessionStorage.setItem(NAME_OF_THIS_TAB, name));
  return { user, name, color: colorFor(user), moderates: moderatesInAddress() };
}

export function cleanName(text: string): string {
  return text.replace(/\s+/g, " ").trim().slice(0, NAME_LENGTH_MAX).trim();
}

export function lastName(): string {
  return kept(() => localStorage.getItem(LAST_NAME)) ?? "";
}

/** Under which this tab was in a room when it was reloaded; empty where it was in none. */
export function nameOfThisTab(): string {
  return kept(() => sessionStorage.getItem(NAME_OF_THIS_TAB)) ?? "";
}

export function forgetThisTab(): void {
  kept(() => sessionStorage.removeItem(NAME_OF_THIS_TAB));
}

export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
