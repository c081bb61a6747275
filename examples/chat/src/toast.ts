/** What went wrong, or came from elsewhere: shown for a while, and said once. */
import { announce } from "./announcer.js";
import { button, byId, el, iconButton } from "./dom.js";

const SHOWN_MS = 7_000;
const SHOWN_MAX = 3;

/** With `look`, a button leads there. */
export function toast(title: string, text: string, look?: () => void): void {
  const place = byId("toasts", HTMLElement);
  const gone = (): void => {
    window.clearTimeout(timer);
    item.remove();
  };
  const item = el("div", { class: "toast" }, el("p", {}, el("strong", {}, title), " ", text.slice(0, 200)));
  if (look !== undefined) item.append(button("Show", () => (gone(), look()), "link"));
  item.append(iconButton("close", "Close", gone, "chip-drop"));
  const timer = window.setTimeout(gone, SHOWN_MS);
  place.append(item);
  while (place.childElementCount > SHOWN_MAX) place.firstElementChild?.remove();
  announce(`${title}. ${text}`, "now");
}
