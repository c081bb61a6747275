/** Who this browser profile says it is. A real application has accounts instead. */
import { colorFor } from "./people.js";

export interface Identity {
  /** The token's `sub`: the same in every tab where this browser uses this name. */
  user: string;
  name: string;
  color: string;
}

const NAME_KEY = "roomcast-chat.name";
const USERS_KEY = "roomcast-chat.users";
const TAB_KEY = "roomcast-chat.here";
const NAME_LENGTH_MAX = 40;

export function identify(name: string): Identity {
  const users = readUsers();
  const user = users[name] ?? `u-${randomId()}`;
  write(localStorage, USERS_KEY, JSON.stringify({ ...users, [name]: user }));
  write(localStorage, NAME_KEY, name);
  write(sessionStorage, TAB_KEY, name);
  return { user, name, color: colorFor(user) };
}

export function cleanName(text: string): string {
  return text.replace(/\s+/g, " ").trim().slice(0, NAME_LENGTH_MAX);
}

/** The name this browser used last. */
export function lastName(): string {
  return read(localStorage, NAME_KEY) ?? "";
}

/** The name under which this tab was in a room when it was reloaded. */
export function nameOfThisTab(): string {
  return read(sessionStorage, TAB_KEY) ?? "";
}

export function forgetThisTab(): void {
  try {
    sessionStorage.removeItem(TAB_KEY);
  } catch {
    // Storage is forbidden here, so nothing was kept.
  }
}

export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function readUsers(): Record<string, string> {
  try {
    const users: unknown = JSON.parse(read(localStorage, USERS_KEY) ?? "{}");
    return typeof users === "object" && users !== null ? (users as Record<string, string>) : {};
  } catch {
    return {};
  }
}

function read(storage: Storage, key: string): string | null {
  try {
    return storage.getItem(key);
  } catch {
    return null;
  }
}

function write(storage: Storage, key: string, value: string): void {
  try {
    storage.setItem(key, value);
  } catch {
    // A full or forbidden storage costs only that a reload asks for the name again.
  }
}
