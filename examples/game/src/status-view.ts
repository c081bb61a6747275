/** The state of the connection: a lamp with a word, and a banner where a word is not enough. */
import { button, byId, el } from "./dom.js";
import { RoomcastError, type RoomStatus } from "./roomcast.js";

const WORDS: Record<RoomStatus, string> = {
  idle: "Connecting",
  connecting: "Connecting",
  connected: "Live",
  reconnecting: "Reconnecting",
  offline: "Offline",
  failed: "Closed",
  left: "Left",
};

const FAILURES: Record<string, string> = {
  no_demo_tokens: "This page may not make tokens here. Run it with cargo xtask dev, or give it a token function of your own.",
  unknown_kind: "This server has no arenas: its configuration has no kind “arena”.",
  unauthorized: "You are not logged in, or the arena did not accept your token.",
  forbidden: "You may not enter this arena.",
  blocked_or_kicked: "You were asked to leave.",
  room_full: "This arena is full, or you have too many tabs in it.",
  room_deleted: "This arena was deleted. Going in again opens a new one.",
  session_replaced: "You are connected elsewhere: a newer connection took this one's place.",
  revoked: "Your access was withdrawn.",
  rate_limited: "That was too fast: the arena closed the connection. Wait a little.",
};

/** A blink of the network is not worth a banner. */
const PATIENCE_MS = 900;
const NOTE_MS = 4_000;

export class StatusView {
  readonly #lamp = byId("status", HTMLElement);
  readonly #word = byId("status-word", HTMLElement);
  readonly #banner = byId("banner", HTMLElement);
  readonly #again: () => void;
  #timer: number | undefined;
  #isUp = false;
  #isSilent = false;

  constructor(again: () => void) {
    this.#again = again;
  }

  show(status: RoomStatus, failure: RoomcastError | undefined): void {
    window.clearTimeout(this.#timer);
    this.#isUp = status === "connected";
    document.body.dataset["status"] = status;
    this.#lamp.dataset["status"] = status === "idle" ? "connecting" : status;
    this.#word.textContent = WORDS[status];
    if (status === "connected" || status === "left") this.#banner.hidden = true;
    if (status === "connecting") this.#later("Still knocking: the server has not answered yet.");
    if (status === "reconnecting") this.#later("Connection lost. Your seat is kept for a moment.");
    if (status === "offline") this.#say("You are offline. The game goes on without you; your seat is kept for a moment.");
    if (status === "failed") {
      this.#say(FAILURES[failure?.code ?? ""] ?? failure?.message ?? "The connection was closed for good.");
      this.#banner.append(button("Go in again", this.#again, "primary"));
    }
  }

  /** The connection stands, and nothing comes over it. */
  silent(isSilent: boolean): void {
    if (isSilent === this.#isSilent) return;
    this.#isSilent = isSilent;
    document.body.toggleAttribute("data-silent", isSilent);
    if (isSilent) this.#say("The arena has gone silent. You stand still until it is heard again.");
    else if (this.#isUp) this.#banner.hidden = true;
  }

  /** Something that passes. */
  note(words: string): void {
    this.#say(words);
    this.#timer = window.setTimeout(() => (this.#banner.hidden = true), NOTE_MS);
  }

  #later(words: string): void {
    this.#timer = window.setTimeout(() => this.#isUp || this.#say(words), PATIENCE_MS);
  }

  #say(words: string): void {
    this.#banner.hidden = false;
    this.#banner.replaceChildren(el("p", {}, words));
  }
}
