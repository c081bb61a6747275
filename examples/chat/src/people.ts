/** Names and colours. What others say of themselves is not to be trusted, so it is checked here. */

export interface Person {
  user: string;
  name: string;
  color: string;
}

/** What nobody published in their own name. */
export const BACKEND: Person = { user: "", name: "Backend", color: "#5a6270" };

/** Each is dark enough for white letters (4.5:1), and is mixed with black or white where it colours text. */
const COLORS = [
  "#b3402a", "#a14a00", "#806000", "#4f7300", "#1c7a3e", "#0b7770",
  "#0a6f99", "#2f62c4", "#5b52d1", "#8543c4", "#a8359c", "#b8325f",
] as const;

/** The rooms everybody sees first should not look alike by chance. */
const HUES: Partial<Record<string, number>> = { lobby: 75, kitchen: 155, rooftop: 255 };

export function colorFor(text: string): string {
  return COLORS[hash(text) % COLORS.length] ?? COLORS[0];
}

/** Of a room, in degrees on the colour wheel: each room has a light of its own. */
export function hueFor(room: string): number {
  return (Object.hasOwn(HUES, room) ? HUES[room] : undefined) ?? hash(room) % 360;
}

/** `info` came with the author's token. Without it there is only the user's id. */
export function person(user: string, info: unknown): Person {
  const said = typeof info === "object" && info !== null ? (info as Record<string, unknown>) : {};
  const name = typeof said["name"] === "string" ? said["name"].trim().slice(0, 40) : "";
  const color = typeof said["color"] === "string" && /^#[0-9a-f]{6}$/i.test(said["color"]) ? said["color"] : "";
  return { user, name: name || user.slice(0, 12), color: color || colorFor(user) };
}

/** Who was met in a room: by its list of members, by what they said, and by what the room tells. */
export class People {
  readonly #known = new Map<string, Person>();

  learn(user: string, info: unknown): Person {
    const known = this.#known.get(user);
    // Without a profile nothing is learned about somebody who is known.
    if (known !== undefined && info === undefined) return known;
    const met = person(user, info);
    if (known?.name === met.name && known.color === met.color) return known;
    this.#known.set(user, met);
    return met;
  }

  /** Somebody of whom nothing was learned yet goes by what came with what they said. */
  person(user: string, info?: unknown): Person {
    return this.#known.get(user) ?? (info === undefined ? person(user, info) : this.learn(user, info));
  }

  get all(): Person[] {
    return [...this.#known.values()];
  }
}

export function initials(name: string): string {
  const words = name.split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : [words[0]];
  return letters.map((word) => [...(word ?? "?")][0] ?? "").join("").toUpperCase();
}

export function avatar(of: Pick<Person, "name" | "color">): HTMLSpanElement {
  const element = document.createElement("span");
  element.className = "avatar";
  element.setAttribute("aria-hidden", "true");
  element.style.setProperty("--person", of.color);
  element.textContent = initials(of.name);
  return element;
}

/** "Ada", "Ada and Grace", "Ada, Grace and 3 others". */
export function listNames(names: readonly string[]): string {
  const [first = "", second = "", ...others] = names;
  if (names.length < 2) return first;
  if (others.length === 0) return `${first} and ${second}`;
  return `${first}, ${second} and ${others.length === 1 ? others[0] : `${others.length} others`}`;
}

/** FNV-1a: small, and spreads short names well. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
