/**
 * What a screen reader should say. The log itself is not live: paging back, or catching up after a pause, would have
 * it read out everything at once.
 */
import { byId, el } from "./dom.js";

const KEPT_MAX = 5;

export function announce(text: string, when: "politely" | "now" = "politely"): void {
  const region = byId(when === "now" ? "said-now" : "said-politely", HTMLElement);
  region.append(el("p", {}, text));
  while (region.childElementCount > KEPT_MAX) region.firstElementChild?.remove();
}
