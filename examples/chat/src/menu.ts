/** A menu beside what opened it, or a question in the middle of the page. */
import { button, el } from "./dom.js";

export interface Choice {
  label: string;
  run(): void;
  danger?: boolean;
}

/** Shows choices at a place; Escape or a click elsewhere closes them. */
export function showMenu(at: HTMLElement, label: string, choices: readonly Choice[], className = "menu"): void {
  const menu = el("div", { class: className, popover: "auto", role: "menu", "aria-label": label });
  for (const { label, run, danger } of choices) {
    const choose = (): void => {
      menu.hidePopover();
      run();
    };
    const item = button(label, choose, danger ? "menu-item danger" : "menu-item");
    item.setAttribute("role", "menuitem");
    menu.append(item);
  }
  openBeside(menu, at);
  watchArrows(menu, ".menu-item");
}

/** Opens it below or above `at`, whole on the page; it goes when it is closed, and the focus back. */
export function openBeside(menu: HTMLElement, at: HTMLElement): void {
  document.body.append(menu);
  // What it stands beside may have no place for the focus, or be gone by then.
  const message = at.closest<HTMLElement>("li.message");
  menu.addEventListener("toggle", (event) => {
    if ((event as ToggleEvent).newState !== "closed") return;
    const hadFocus = menu.contains(document.activeElement) || document.activeElement === document.body;
    menu.remove();
    if (hadFocus) (at instanceof HTMLButtonElement && at.isConnected ? at : message)?.focus({ preventScroll: true });
  });
  menu.showPopover();
  const [from, size] = [at.getBoundingClientRect(), menu.getBoundingClientRect()];
  const below = from.bottom + 6;
  const top = below + size.height > innerHeight - 8 ? from.top - size.height - 6 : below;
  menu.style.top = `${Math.max(8, top)}px`;
  menu.style.left = `${Math.max(8, Math.min(from.right - size.width, innerWidth - size.width - 8))}px`;
  menu.querySelector<HTMLElement>("button, input")?.focus();
}

/** The arrow keys go from one to the next. */
export function watchArrows(menu: HTMLElement, selector: string): void {
  menu.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const items = [...menu.querySelectorAll<HTMLElement>(selector)];
    const index = items.findIndex((item) => item === document.activeElement);
    items[(index + step + items.length) % items.length]?.focus();
  });
}

/** Asks before something that cannot be undone. */
export function confirmed(title: string, text: string, yes: string): Promise<boolean> {
  const dialog = el("dialog", { class: "dialog", "aria-label": title });
  return new Promise((resolve) => {
    const answer = (isYes: boolean): void => {
      resolve(isYes);
      dialog.close();
    };
    const no = button("Cancel", () => answer(false));
    const go = button(yes, () => answer(true), "primary danger");
    dialog.append(el("h2", {}, title), el("p", {}, text), el("div", { class: "dialog-buttons" }, no, go));
    dialog.addEventListener("close", () => {
      resolve(false);
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
    go.focus();
  });
}
