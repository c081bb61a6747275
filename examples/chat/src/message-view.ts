/** One message as an element, which is kept and updated while the message goes its way. */
import { attachmentViews } from "./attachments.js";
import { clockTime, fullTime } from "./clock.js";
import { button, el, icon } from "./dom.js";
import { avatar, listNames, BACKEND, type People, type Person } from "./people.js";
import type { MessageEntry, SentEntry } from "./roomcast.js";
import type { MessageRow } from "./rows.js";
import { wordsIn, wordsOf } from "./said.js";
import { isFewEmoji, written } from "./text.js";
import { whyUnsent } from "./wording.js";

export interface MessageActions {
  retry(key: string): void;
  discard(key: string): void;
  react(message: SentEntry, name: string, on: boolean): void;
  /** Whether the reader's reaction of that name stands. */
  hasReacted(message: SentEntry, name: string): boolean;
  openThread(parent: number): void;
}

export interface MessageContext {
  me: Person;
  people: People;
  actions: MessageActions;
  /** How tests and styles know it. */
  testId: string;
}

/** How many of a reaction's names are told. */
const NAMES_MAX = 8;

export function messageElement(context: MessageContext): HTMLLIElement {
  return el("li", { class: "message", "data-testid": context.testId, tabindex: "-1" });
}

/** Brings the parts up to date that changed; what has the keyboard's focus keeps it. */
export function updateMessage(item: HTMLLIElement, row: MessageRow, context: MessageContext): void {
  const { message, head } = row;
  const author = authorOf(message, context);
  const isMine = author.user === context.me.user;
  item.classList.toggle("head", head);
  item.classList.toggle("own", isMine);
  item.classList.toggle("mentions-me", !message.removed && wordsOf(message.data).mentions.includes(context.me.user));
  item.dataset["state"] = message.kind === "message" ? (message.removed ? "removed" : "sent") : message.kind;
  item.dataset["key"] = message.key;
  if (message.kind === "message") item.dataset["offset"] = String(message.offset);
  item.style.setProperty("--person", author.color);
  const active = document.activeElement;
  const hadFocus = active !== item && item.contains(active);
  const part = hadFocus && active instanceof HTMLElement ? active.dataset["part"] : undefined;
  const said = el("div", { class: "said" }, byline(message, author, head), ...body(row, context));
  item.replaceChildren(head ? avatar(author) : gutterTime(message), said);
  if (!hadFocus) return;
  const same = part === undefined ? null : item.querySelector<HTMLElement>(`[data-part="${CSS.escape(part)}"]`);
  (same ?? item).focus({ preventScroll: true });
}

function authorOf(message: MessageEntry, { me, people }: MessageContext): Person {
  if (message.kind !== "message") return me;
  return message.from === undefined ? BACKEND : people.person(message.from.user, message.from.info);
}

function gutterTime(message: MessageEntry): HTMLElement {
  return el("span", { class: "gutter", "aria-hidden": "true" }, clockTime(message.time));
}

function byline(message: MessageEntry, author: Person, head: boolean): HTMLElement {
  const datetime = new Date(message.time).toISOString();
  const name = el("span", { class: "author" }, author.name);
  const time = el("time", { datetime, title: fullTime(message.time) }, clockTime(message.time));
  return el("p", { class: head ? "byline" : "byline sr-only" }, name, " ", time, head ? "" : ": ");
}

function body(row: MessageRow, context: MessageContext): Node[] {
  const { message, thread, stray } = row;
  const parts: Node[] = [];
  if (stray) parts.push(strayLine(message, context));
  if (message.removed) parts.push(el("div", { class: "words removed" }, "This message was removed."));
  else parts.push(...words(message, context));
  if (message.kind === "message" && !message.removed) parts.push(...reactions(message, context));
  if (thread !== undefined && message.kind === "message") parts.push(threadLine(row, context));
  if (message.kind !== "message") parts.push(under(message, context.actions));
  return parts;
}

function words(message: Exclude<MessageEntry, { removed: true }>, context: MessageContext): Node[] {
  const { text, mentions, attachments } = wordsOf(message.data);
  const named = mentions.map((user) => ({ name: context.people.person(user).name, isMe: user === context.me.user }));
  const element = el("div", { class: isFewEmoji(text) ? "words emoji" : "words" }, ...written(text, named));
  if (message.kind === "message" && message.edited !== undefined) {
    element.append(" ", el("span", { class: "edited", title: fullTime(message.edited.time) }, "(edited)"));
  }
  return [...(text === "" ? [] : [element]), ...attachmentViews(text, attachments)];
}

function reactions(message: SentEntry, { me, people, actions }: MessageContext): Node[] {
  const all = Object.entries(message.reactions);
  if (all.length === 0) return [];
  const chips = all.map(([name, { count, users }]) => {
    const isOn = actions.hasReacted(message, name);
    const names = users.slice(0, NAMES_MAX).map((user) => (user === me.user ? "you" : people.person(user).name));
    const others = count - names.length;
    const who = others > 0 ? `${names.join(", ")} and ${others} more` : listAll(names);
    const attributes = {
      class: "reaction",
      "data-testid": "reaction",
      "data-part": `reaction ${name}`,
      "aria-pressed": String(isOn),
      title: `${who} reacted with ${name}`,
      "aria-label": `${name} ${count}: ${who}`,
    };
    const chip = button("", () => actions.react(message, name, !actions.hasReacted(message, name)));
    for (const [key, value] of Object.entries(attributes)) chip.setAttribute(key, value);
    chip.append(el("span", { class: "face" }, name), el("span", { class: "number" }, String(count)));
    return chip;
  });
  return [el("div", { class: "reactions" }, ...chips)];
}

function listAll(names: readonly string[]): string {
  return names.length < 3 ? listNames(names) : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

function threadLine({ message, thread }: MessageRow, { people, actions }: MessageContext): Node {
  const open = button("", () => message.kind === "message" && actions.openThread(message.offset), "thread-line");
  open.dataset["part"] = "thread";
  open.dataset["testid"] = "thread-line";
  const { count = 0, last = 0, users = [], fresh = 0 } = thread ?? {};
  const faces = el("span", { class: "faces" }, ...[...users].reverse().map((user) => avatar(people.person(user))));
  const number = el("span", { class: "number" }, count === 1 ? "1 reply" : `${count} replies`);
  const when = el("span", { class: "when" }, fresh > 0 ? `${fresh} new` : `last at ${clockTime(last)}`);
  if (fresh > 0) open.classList.add("fresh");
  open.append(faces, number, when);
  return open;
}

function strayLine(message: MessageEntry, { actions }: MessageContext): Node {
  const { thread = 0 } = wordsIn(message);
  const open = button("a thread", () => actions.openThread(thread), "link");
  open.dataset["part"] = "stray";
  return el("p", { class: "stray" }, icon("thread"), "replied in ", open);
}

function under(message: Extract<MessageEntry, { kind: "pending" | "failed" }>, actions: MessageActions): Node {
  if (message.kind === "pending") {
    return el("div", { class: "under" }, el("span", { class: "sending" }, icon("clock"), el("span", { class: "sending-text" })));
  }
  const { reason, unsure } = whyUnsent(message.error);
  return el(
    "div",
    { class: "under" },
    el("span", { class: "why" }, icon("alert"), `${unsure ? "Not confirmed." : "Not sent."} ${reason}`),
    el(
      "span",
      { class: "choices" },
      button("Try again", () => actions.retry(message.key), "link"),
      button("Discard", () => actions.discard(message.key), "link"),
    ),
  );
}
