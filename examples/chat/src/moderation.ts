/** What a moderator can do about somebody, and about the pace of a room. The room's logic decides who may. */
import { confirmed, showMenu, type Choice } from "./menu.js";
import type { People, Person } from "./people.js";
import type { Standing } from "./standing.js";
import { toast } from "./toast.js";
import { whyRefused } from "./wording.js";

const MUTES = [
  ["Mute for 10 minutes", 10],
  ["Mute for a day", 24 * 60],
] as const;
const PACES = [
  ["Slow mode off", 0],
  ["A message every 5 s", 5],
  ["A message every 30 s", 30],
  ["A message every 5 min", 300],
] as const;
const BLOCK_MINUTES = 60;

export class Moderation {
  readonly #standing: Standing;
  readonly #people: People;

  constructor(standing: Standing, people: People) {
    this.#standing = standing;
    this.#people = people;
  }

  /** What may be done about somebody who is here or not: nothing, where the reader is no moderator. */
  async choices({ user }: Person, isHere: boolean): Promise<Choice[]> {
    if (!this.#standing.moderates) return [];
    const { name } = this.#people.person(user);
    const mutes = MUTES.map(([label, minutes]) => ({
      label,
      run: () => void this.#do(`${name} is muted`, () => this.#standing.ask("mute", { user, minutes })),
    }));
    const unmute = () => this.#do(`${name} may speak`, () => this.#standing.ask("unmute", { user }));
    const unblock = () => this.#do(`${name} may come in`, () => this.#standing.ask("unblock", { user }));
    return [
      ...((await this.#isMuted(user)) ? [{ label: "Let speak again", run: () => void unmute() }] : mutes),
      { label: "Remove for an hour", danger: true, run: () => void this.#block(user, name) },
      ...(isHere ? [] : [{ label: "Let in again", run: () => void unblock() }]),
    ];
  }

  /** Where that cannot be told, it is for the room to say. */
  async #isMuted(user: string): Promise<boolean> {
    if (!this.#standing.isConnected) return false;
    try {
      return (await this.#standing.ask("muted", null)).some((one) => one.user === user);
    } catch {
      return false;
    }
  }

  get isOffered(): boolean {
    return this.#standing.moderates;
  }

  /** The pace of the whole room. */
  showPaces(at: HTMLElement): void {
    const choices = PACES.map(([label, seconds]) => ({
      label: this.#standing.slowMs === seconds * 1_000 ? `${label} ✓` : label,
      run: () => void this.#do("The pace is set", () => this.#standing.ask("slow_mode", { seconds })),
    }));
    showMenu(at, "Pace of the room", choices);
  }

  async #block(user: string, name: string): Promise<void> {
    const text = `${name} is disconnected, and cannot come back for an hour.`;
    if (!(await confirmed(`Remove ${name} from the room?`, text, "Remove"))) return;
    await this.#do(`${name} was removed`, () => this.#standing.ask("block", { user, minutes: BLOCK_MINUTES }));
  }

  async #do(done: string, what: () => Promise<unknown>): Promise<void> {
    try {
      await what();
      toast(done, "");
    } catch (error) {
      toast("That did not work", whyRefused(error));
    }
  }
}
