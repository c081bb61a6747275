/** Bringing others in: the link, and other tabs to try it with. */
import { linkTo } from "./address.js";
import { announce } from "./announcer.js";
import { byId } from "./dom.js";
import { hasAccounts } from "./roomcast.js";

const GUESTS = ["Grace", "Alan", "Hedy", "Edsger", "Radia", "Linus", "Margaret", "Dennis", "Barbara", "Ken"];

/** `taken` are the names of those who are here. */
export function drawShare(room: string, me: string, taken: readonly string[]): void {
  // With accounts nobody is another by opening a tab.
  for (const doors of document.querySelectorAll<HTMLElement>("[data-trial]")) doors.hidden = hasAccounts;
  const guest = GUESTS.find((name) => !taken.includes(name)) ?? "Guest";
  byId("share-link", HTMLInputElement).value = linkTo(room);
  for (const link of document.querySelectorAll<HTMLAnchorElement>("[data-open=me]")) link.href = linkTo(room, me);
  for (const link of document.querySelectorAll<HTMLAnchorElement>("[data-open=moderator]")) {
    link.href = linkTo(room, "Mod", "moderator");
  }
  for (const link of document.querySelectorAll<HTMLAnchorElement>("[data-open=guest]")) {
    link.href = linkTo(room, guest);
    const name = link.querySelector(".guest");
    if (name) name.textContent = guest;
  }
}

export function watchShare(): void {
  const copy = byId("share-copy", HTMLButtonElement);
  const link = byId("share-link", HTMLInputElement);
  const label = copy.textContent ?? "";
  let timer: number | undefined;
  link.onfocus = () => link.select();
  copy.onclick = async () => {
    const copied = await copyText(link);
    copy.textContent = copied ? "Copied" : "Press Ctrl+C";
    announce(copied ? "Link copied" : "The link is selected: copy it with your keyboard");
    window.clearTimeout(timer);
    timer = window.setTimeout(() => (copy.textContent = label), 2_000);
  };
}

/** The clipboard is closed to pages that are neither HTTPS nor localhost, such as a phone that tries this one. */
async function copyText(link: HTMLInputElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(link.value);
    return true;
  } catch {
    link.select();
    return false;
  }
}
