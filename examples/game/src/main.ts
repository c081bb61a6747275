/** The page: a door that asks for a name, then one arena, named by the address. */
import { Controls } from "./controls.js";
import { byId } from "./dom.js";
import { Hud } from "./hud.js";
import { cleanName, identify, lastName, nameGiven, roomInAddress, wantsStatistics, wantsToWatch } from "./identity.js";
import { createClient, hasAccounts } from "./roomcast.js";
import { Scene } from "./scene.js";
import { Session } from "./session.js";
import { Sounds } from "./sounds.js";
import { StatusView } from "./status-view.js";

/** While anyone is connected the room ticks, and stays in memory: a tab that nobody looks at for so long leaves. */
const AWAY_MS = 5 * 60_000;

let session: Session | undefined;

function play(name: string, watches: boolean): void {
  byId("door", HTMLElement).hidden = true;
  byId("game", HTMLElement).hidden = false;
  document.title = `Wet Paint · ${roomInAddress()}`;
  const sounds = new Sounds();
  const status = new StatusView(() => session?.enter());
  const controls = new Controls(byId("ground", HTMLElement), byId("knob", HTMLElement), byId("dash", HTMLElement));
  const joined: Session = new Session(createClient(identify(name)), roomInAddress(), !watches, {
    status: (now, failure) => status.show(now, failure),
    lobby: () => hud.lobby(),
    frame: (frame, before) => scene.happened(frame, before),
    refused: (why) => status.note(why),
  });
  session = joined;
  const scene = new Scene(byId("arena", HTMLCanvasElement), joined, sounds);
  const hud = new Hud(joined, sounds);
  watchSound(sounds);
  leaveWhileAway(joined);
  joined.enter();
  let before = performance.now();
  const draw = (now: number): void => {
    const ms = Math.max(0, now - before);
    before = now;
    joined.pass(ms, () => controls.take());
    scene.draw(performance.now(), ms);
    hud.draw();
    status.silent(joined.isSilent);
    byId("dash", HTMLElement).style.setProperty("--ready", String(1 - (joined.prediction.body?.cooldown ?? 0) / 28));
    requestAnimationFrame(draw);
  };
  requestAnimationFrame(draw);
  if (wantsStatistics()) showStatistics(joined);
}

/** And comes back, and sits down again, once it is looked at. */
function leaveWhileAway(joined: Session): void {
  let timer: number | undefined;
  document.addEventListener("visibilitychange", () => {
    window.clearTimeout(timer);
    if (document.hidden) timer = window.setTimeout(() => joined.leave(), AWAY_MS);
    else if (joined.hasLeft) joined.enter();
  });
}

function watchSound(sounds: Sounds): void {
  const toggle = byId("sound", HTMLButtonElement);
  const show = (): void => toggle.setAttribute("aria-pressed", String(!sounds.isSilent));
  toggle.onclick = () => {
    sounds.toggle();
    show();
  };
  show();
}

/** For `?stats`: what came in since the page asked last, as `data-` attributes and as text. */
function showStatistics(joined: Session): void {
  const place = byId("stats", HTMLElement);
  place.hidden = false;
  place.onclick = () => joined.statistics.clear();
  window.setInterval(() => {
    const { frames, changed, skipped, missing, bytes, fewest, most, worstGap, span } = joined.statistics;
    const seconds = Math.max(span, 1) / 1_000;
    Object.assign(place.dataset, { frames, changed, skipped, missing, bytes, fewest, most, worstGap, span });
    place.textContent = [
      `${(frames / seconds).toFixed(1)} frames/s`,
      `worst gap ${worstGap.toFixed(0)} ms`,
      `${(bytes / seconds / 1_000).toFixed(1)} kB/s`,
      `${missing} missing`,
      `off by ${(joined.prediction.corrected / 256).toFixed(2)} tiles`,
    ].join(" · ");
  }, 250);
}

function askName(): void {
  byId("door", HTMLElement).hidden = false;
  const field = byId("name", HTMLInputElement);
  field.value = lastName();
  // Whoever gives the tokens knows who this is.
  field.hidden = byId("name-label", HTMLElement).hidden = hasAccounts;
  field.focus();
  const enter = (watches: boolean): void => {
    const name = cleanName(field.value);
    if (name === "" && !watches && !hasAccounts) return field.focus();
    play(name || "Someone", watches);
  };
  byId("enter", HTMLFormElement).onsubmit = (event) => {
    event.preventDefault();
    enter(false);
  };
  byId("watch", HTMLButtonElement).onclick = () => enter(true);
}

// A page that goes says nothing: a reload finds its seat again, and a tab that was closed loses it after the grace.
window.addEventListener("pageshow", (event) => event.persisted && session?.enter());
window.addEventListener("hashchange", () => location.reload());

const name = nameGiven();
if (name === "") askName();
else play(name, wantsToWatch());
