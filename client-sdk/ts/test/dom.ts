/** Its types are Node's, which these tests declare themselves. */
const { Window } = (await import("happy-dom" as string)) as { Window: new () => Record<string, unknown> };

/** A document for React in Node: only what it needs. The page's own events are no matter of these tests. */
export function makeDocument(): void {
  const window = new Window();
  const { document, HTMLElement, HTMLIFrameElement } = window;
  Object.assign(globalThis, { window, document, HTMLElement, HTMLIFrameElement, IS_REACT_ACT_ENVIRONMENT: true });
}
