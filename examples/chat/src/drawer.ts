/** On a narrow screen the rooms and members slide in from the side; on a wide one they stand there. */
import { byId } from "./dom.js";

const narrow = matchMedia("(max-width: 760px)");

export function watchDrawer(): void {
  const drawer = byId("sidebar", HTMLElement);
  const main = byId("main", HTMLElement);
  const opener = byId("drawer-open", HTMLButtonElement);
  let open = false;

  /** What cannot be seen cannot be reached by Tab or by a screen reader either. */
  const apply = (): void => {
    drawer.inert = narrow.matches && !open;
    main.inert = narrow.matches && open;
    document.body.toggleAttribute("data-drawer", narrow.matches && open);
    opener.setAttribute("aria-expanded", String(open));
  };
  const set = (wanted: boolean): void => {
    if (open === wanted) return;
    open = wanted;
    apply();
    if (open) byId("drawer-close", HTMLButtonElement).focus();
    else if (narrow.matches) opener.focus({ preventScroll: true });
  };

  opener.onclick = () => set(true);
  byId("drawer-close", HTMLButtonElement).onclick = () => set(false);
  byId("backdrop", HTMLElement).onclick = () => set(false);
  window.addEventListener("keydown", (event) => event.key === "Escape" && set(false));
  window.addEventListener("hashchange", () => set(false));
  narrow.addEventListener("change", () => {
    open = false;
    apply();
  });
  apply();
}
