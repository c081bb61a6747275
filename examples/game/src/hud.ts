/** What stands around the arena: the clock, who has how much, what one can do now. */
import { button, byId, el } from "./dom.js";
import { invitation } from "./identity.js";
import { SIDE, TICK_MS } from "./motion.js";
import { colourOf } from "./palette.js";
import type { Seated } from "./roomcast.js";
import { leaderOf } from "./scene.js";
import type { Session } from "./session.js";
import type { Sounds } from "./sounds.js";

const SEATS = 24;
/** How many bots play with whoever is alone. */
const BOTS = 3;

export class Hud {
  readonly #session: Session;
  readonly #sounds: Sounds;
  readonly #clock = byId("clock", HTMLElement);
  readonly #bar = byId("bar", HTMLElement);
  readonly #list = byId("players", HTMLElement);
  readonly #panel = byId("panel", HTMLElement);
  readonly #callout = byId("callout", HTMLElement);
  #panelShown = "";
  #scoreShown = "";
  #calloutShown = "";
  #phase = "";

  constructor(session: Session, sounds: Sounds) {
    this.#session = session;
    this.#sounds = sounds;
  }

  /** For every frame of the screen; touches only what differs. */
  draw(): void {
    const { view, seat } = this.#session;
    const seconds = Math.ceil((view.left * TICK_MS) / 1_000);
    const time = view.phase === "playing" ? `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}` : "";
    if (this.#clock.textContent !== time) this.#clock.textContent = time;
    this.#clock.classList.toggle("late", view.phase === "playing" && seconds <= 10);
    document.body.dataset["phase"] = view.phase;
    document.body.dataset["seat"] = seat === undefined ? "" : String(seat);
    document.body.dataset["tick"] = String(view.tick);
    if (seat !== undefined) document.body.style.setProperty("--mine", colourOf(seat));
    this.#count(view.phase, seconds);
    this.#scores();
  }

  /** What a change of who sits where changes. */
  lobby(): void {
    this.#scoreShown = "";
    this.#panelDraw();
  }

  #count(phase: string, seconds: number): void {
    const isLast = phase === "playing" && seconds <= 5 && seconds > 0;
    const word = phase === "countdown" || isLast ? String(seconds) : "";
    if (phase !== this.#phase) this.#turned(phase);
    if (word === this.#calloutShown) return;
    this.#calloutShown = word;
    if (word !== "") {
      this.#say(word, isLast ? "soft" : "loud");
      this.#sounds.count();
    }
  }

  #turned(phase: string): void {
    const before = this.#phase;
    this.#phase = phase;
    if (phase === "playing" && before === "countdown") {
      this.#say("Paint!", "loud");
      this.#sounds.go();
    }
    if (phase === "finished" && before === "playing") this.#sounds.end(this.#session.lobby.winner === this.#session.seat);
    this.#panelDraw();
  }

  #say(word: string, tone: "soft" | "loud"): void {
    const shown = el("span", { class: tone }, word);
    this.#callout.replaceChildren(shown);
    shown.addEventListener("animationend", () => shown.remove());
  }

  #scores(): void {
    const { view, lobby, seat: mine } = this.#session;
    const scores = lobby.seats.map((seated) => ({ seated, tiles: view.tilesOf(seated.seat) }));
    scores.sort((a, b) => b.tiles - a.tiles || a.seated.seat - b.seated.seat);
    const shown = JSON.stringify([scores.map(({ seated, tiles }) => [seated.seat, tiles]), mine, this.#session.watchers]);
    if (shown === this.#scoreShown) return;
    this.#scoreShown = shown;
    const leader = leaderOf(this.#session);
    const total = SIDE * SIDE;
    this.#bar.replaceChildren(
      ...scores.filter(({ tiles }) => tiles > 0).map(({ seated, tiles }) => {
        const part = el("i", { class: seated.seat === mine ? "mine" : "", title: seated.name });
        part.style.flexGrow = String(tiles);
        part.style.background = colourOf(seated.seat);
        return part;
      }),
      rest(total - scores.reduce((sum, { tiles }) => sum + tiles, 0)),
    );
    this.#list.replaceChildren(...scores.map(({ seated, tiles }) => this.#row(seated, tiles, seated.seat === leader)));
  }

  #row(seated: Seated, tiles: number, leads: boolean): HTMLElement {
    const isMe = seated.seat === this.#session.seat;
    const { phase } = this.#session.lobby;
    const waits = phase !== "playing";
    const dot = el("span", { class: "dot", "aria-hidden": "true" });
    dot.style.background = colourOf(seated.seat);
    const marks = [
      leads && !waits ? "♛" : "",
      seated.is_bot ? "bot" : "",
      isMe ? "you" : "",
    ].filter((mark) => mark !== "");
    const state = waits && phase !== "finished" ? (seated.is_ready ? "ready" : "") : `${((tiles / (SIDE * SIDE)) * 100).toFixed(0)}%`;
    return el(
      "li",
      { class: isMe ? "mine" : "", "data-testid": "player", "data-seat": String(seated.seat), "data-tiles": String(tiles) },
      dot,
      el("span", { class: "who" }, seated.name),
      ...marks.map((mark) => el("span", { class: "mark-word" }, mark)),
      seated.wins > 0 ? el("span", { class: "wins", title: `${seated.wins} rounds won` }, `★${seated.wins}`) : "",
      el("span", { class: "part" }, state),
    );
  }

  #panelDraw(): void {
    const { lobby, me, seat, isConnected, watchers } = this.#session;
    const shown = JSON.stringify([lobby, me, seat, isConnected, watchers, this.#session.view.phase]);
    if (shown === this.#panelShown) return;
    this.#panelShown = shown;
    this.#panel.replaceChildren(...this.#panelWords());
    byId("watchers", HTMLElement).textContent =
      watchers === 0 ? "" : `${watchers} ${watchers === 1 ? "looks" : "look"} on`;
  }

  #panelWords(): (HTMLElement | string)[] {
    const { seat, lobby, isConnected } = this.#session;
    if (!isConnected) return [];
    if (seat === undefined) return this.#watching();
    if (lobby.phase === "playing") return [];
    if (lobby.phase === "finished") return this.#result();
    if (lobby.seats.length === 1) {
      return [
        el("h2", {}, "Nobody else is here yet."),
        el("p", {}, "Send them this arena’s link, or open it on another phone. Until they come, try the floor, or play against bots."),
        actions(inviteButton("primary"), button("Play against bots", () => void this.#againstBots()), this.#standButton()),
      ];
    }
    const ready = lobby.seats.filter((one) => one.is_ready).length;
    const title = lobby.phase === "countdown" ? "Here we go." : "Ready when you are.";
    return [
      el("h2", {}, title),
      el("p", {}, `${ready} of ${lobby.seats.length} ready. Cover more of the floor than anyone else: dash into others to bump them, and grab the buckets.`),
      lobby.phase === "countdown"
        ? actions(this.#readyButton("I’m ready"), this.#standButton())
        : actions(this.#readyButton("I’m ready"), inviteButton(), this.#withoutBots(), this.#standButton()),
    ];
  }

  async #againstBots(): Promise<void> {
    await this.#session.bots(BOTS);
    await this.#session.ready(true);
  }

  /** For those who did not invite the room's own. */
  #withoutBots(): HTMLElement | string {
    const isThere = this.#session.lobby.seats.some(({ session }) => session === "");
    return isThere ? button("No bots", () => void this.#session.bots(0)) : "";
  }

  #watching(): (HTMLElement | string)[] {
    const { lobby } = this.#session;
    const isFull = lobby.seats.length >= SEATS;
    return [
      el("h2", {}, isFull ? "All seats are taken." : "You are watching."),
      el("p", {}, isFull ? "Sit down as soon as someone gets up." : "There is room for you, even in the middle of a round."),
      actions(isFull ? "" : button("Play", () => void this.#session.sit(), "primary"), inviteButton()),
      ...(lobby.phase === "finished" ? this.#podium() : []),
    ];
  }

  #result(): (HTMLElement | string)[] {
    return [...this.#podium(), actions(this.#readyButton("Rematch"), this.#withoutBots(), this.#standButton())];
  }

  #podium(): (HTMLElement | string)[] {
    const { lobby, seat } = this.#session;
    const winner = lobby.scores.find((score) => score.seat === lobby.winner);
    const words = winner === undefined ? "A draw!" : winner.seat === seat ? "You win!" : `${winner.name} wins!`;
    const title = el("h2", { class: "winner", "data-testid": "winner" }, words);
    if (winner !== undefined) title.style.setProperty("--paint", colourOf(winner.seat));
    const most = Math.max(1, lobby.scores[0]?.tiles ?? 1);
    const rows = lobby.scores.slice(0, 5).map((score) => {
      const bar = el("i", {});
      bar.style.width = `${(score.tiles / most) * 100}%`;
      bar.style.background = colourOf(score.seat);
      const name = el("span", {}, score.seat === seat ? "You" : score.name);
      return el("li", {}, name, el("span", { class: "track" }, bar), el("b", {}, String(score.tiles)));
    });
    return [title, el("ol", { class: "podium" }, ...rows)];
  }

  #readyButton(label: string): HTMLElement {
    const isReady = this.#session.me?.is_ready ?? false;
    const text = isReady ? "Not yet" : label;
    const made = button(text, () => void this.#session.ready(!isReady), isReady ? "quiet" : "primary");
    made.dataset["testid"] = "ready-button";
    return made;
  }

  #standButton(): HTMLElement {
    return button("Just watch", () => void this.#session.stand(), "quiet");
  }
}

function rest(tiles: number): HTMLElement {
  const part = el("i", { class: "bare" });
  part.style.flexGrow = String(tiles);
  return part;
}

function actions(...buttons: (HTMLElement | string)[]): HTMLElement {
  return el("div", { class: "actions" }, ...buttons);
}

function inviteButton(className = "quiet"): HTMLElement {
  const made = button("Invite", async () => {
    const url = invitation();
    try {
      if (navigator.share !== undefined && matchMedia("(pointer: coarse)").matches) await navigator.share({ url, title: "Wet Paint" });
      else await navigator.clipboard.writeText(url);
      made.textContent = "Link copied";
    } catch {
      // Neither is allowed on a page without HTTPS; the link can be copied from the address bar, and from here.
      made.replaceWith(el("input", { readonly: true, value: url, "aria-label": "Link to this arena" }));
    }
  }, className);
  return made;
}
