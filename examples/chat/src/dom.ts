/** The element that index.html declares under this id. */
export function byId<T extends HTMLElement>(id: string, type: abstract new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`index.html has no ${type.name} with the id "${id}"`);
  return element;
}

type Attributes = Record<string, string | boolean>;

/** An element with attributes (`true` is present without a value, `false` is absent) and children. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** A symbol of the sprite in index.html; always beside a text or a label that says the same. */
export function icon(name: string): SVGSVGElement {
  const svgNamespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(svgNamespace, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(svgNamespace, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** A button that is a picture; `label` is what it says to who cannot see it, and to the pointer that rests on it. */
export function iconButton(name: string, label: string, onClick: () => void, className = "icon-button"): HTMLButtonElement {
  const element = el("button", { type: "button", class: className, "aria-label": label, title: label }, icon(name));
  element.addEventListener("click", onClick);
  return element;
}

export function button(label: string, onClick: () => void, className = "quiet"): HTMLButtonElement {
  const element = el("button", { type: "button", class: className }, label);
  element.addEventListener("click", onClick);
  return element;
}

/** Puts exactly these children into `parent`, in this order, moving only what has to move. */
export function arrange(parent: Element, children: readonly Element[]): void {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let place = parent.firstElementChild;
  for (const child of children) {
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
}

/** Runs `draw` once at the end of this turn, however often it is asked for. */
export function onceATurn(draw: () => void): () => void {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    queueMicrotask(() => {
      asked = false;
      draw();
    });
  };
}
