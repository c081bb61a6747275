/** The state of the connection: a lamp with a word, and a banner where a word is not enough. */
import { announce } from "./announcer.js";
import { button, byId, el } from "./dom.js";
import { failureOf } from "./wording.js";
import type { RoomcastError, RoomStatus } from "./roomcast.js";

export interface StatusActions {
  again(): void;
  rename(): void;
}

const WORDS: Record<RoomStatus, string> = {
  idle: "Connecting",
  connecting: "Connecting",
  connected: "Live",
  reconnecting: "Reconnecting",
  offline: "Offline",
  failed: "Closed",
  left: "Left",
};

/** A blink of the network is not worth a banner. */
const PATIENCE_MS = 1_200;
const GOOD_NEWS_MS = 3_500;

export class StatusView {
  readonly #lamp = byId("status", HTMLElement);
  readonly #word = byId("status-word", HTMLElement);
  readonly #banner = byId("banner", HTMLElement);
  readonly #actions: StatusActions;
  #timer: number | undefined;
  #wasConnected = false;

  constructor(actions: StatusActions) {
    this.#actions = actions;
  }

  show(status: RoomStatus, failure: RoomcastError | undefined, missedSome: boolean): void {
    window.clearTimeout(this.#timer);
    this.#lamp.dataset["status"] = status === "idle" ? "connecting" : status;
    this.#word.textContent = WORDS[status];
    document.body.dataset["status"] = status;
    switch (status) {
      case "connected":
        return this.#connected(missedSome);
      case "connecting":
        if (this.#banner.dataset["tone"] === "bad") this.#hide();
        return this.#later("Still knocking", "The server has not answered yet. This page keeps trying.");
      case "reconnecting":
        return this.#later("Connection lost", "Trying to get back. What you write waits here and goes out then.");
      case "offline":
        return this.#say("waiting", "You are offline", "What you write waits here and goes out when you are back.");
      case "failed":
        return this.#failed(failure);
      case "idle":
      case "left":
        this.#hide();
    }
  }

  /** For another room. */
  reset(): void {
    this.#wasConnected = false;
    window.clearTimeout(this.#timer);
    this.#hide();
  }

  #later(title: string, text: string): void {
    if (this.#banner.dataset["tone"] === "waiting") this.#say("waiting", title, text);
    else this.#timer = window.setTimeout(() => this.#say("waiting", title, text), PATIENCE_MS);
  }

  #connected(missedSome: boolean): void {
    const isBack = this.#wasConnected && this.#banner.dataset["tone"] === "waiting";
    this.#wasConnected = true;
    if (!isBack) return this.#hide();
    this.#say("good", "Back in the room", missedSome ? "" : "You missed nothing: all that was said meanwhile is here.");
    this.#timer = window.setTimeout(() => this.#hide(), GOOD_NEWS_MS);
  }

  #failed(error: RoomcastError | undefined): void {
    const { title, text, remedy } = failureOf(error);
    this.#say("bad", title, text);
    if (remedy === "again") this.#banner.append(button("Go in again", () => this.#actions.again(), "primary"));
    if (remedy === "rename") this.#banner.append(button("Use another name", () => this.#actions.rename(), "primary"));
  }

  #say(tone: "waiting" | "good" | "bad", title: string, text: string): void {
    this.#banner.dataset["tone"] = tone;
    this.#banner.hidden = false;
    const heading = title.replace(/\.?$/, ".");
    this.#banner.replaceChildren(el("p", {}, el("strong", {}, heading), ` ${text}`));
    announce(`${heading} ${text}`, tone === "bad" ? "now" : "politely");
  }

  #hide(): void {
    this.#banner.hidden = true;
    delete this.#banner.dataset["tone"];
    this.#banner.replaceChildren();
  }
}
