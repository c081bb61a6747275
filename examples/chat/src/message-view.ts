/** One message as an element, which is kept and updated while the message goes its way. */
import { clockTime, fullTime } from "./clock.js";
import { button, el, icon } from "./dom.js";
import { avatar, type Person } from "./people.js";
import type { Row, SentMessage, UnsentMessage } from "./timeline.js";

export interface MessageActions {
  retry(id: string): void;
  discard(id: string): void;
}

type MessageRow = Extract<Row, { kind: "message" }>;

const BACKEND: Person = { user: "", name: "Backend", color: "#5a6270" };

export function messageElement(row: MessageRow): HTMLLIElement {
  const { message } = row;
  const author = message.kind === "sent" ? (message.author ?? BACKEND) : undefined;
  const own = message.kind !== "sent" || message.own;
  const item = el("li", { class: own ? "message own" : "message", "data-testid": "message" });
  if (author !== undefined) item.style.setProperty("--person", author.color);
  const who = el("span", { class: own ? "author sr-only" : "author" }, own ? "You" : (author?.name ?? ""));
  const text = el("div", { class: "bubble" });
  text.append(...withLinks(message.text));
  if (isFewEmoji(message.text)) text.classList.add("emoji");
  item.append(
    ...(own ? [] : [avatar(author ?? BACKEND)]),
    el("div", { class: "said" }, who, el("span", { class: "sr-only" }, ": "), text),
    el("div", { class: "under" }),
  );
  return item;
}

/** Brings the parts up to date that can change. */
export function updateMessage(item: HTMLLIElement, row: MessageRow, actions: MessageActions): void {
  const { message, head, tail } = row;
  item.classList.toggle("head", head);
  item.classList.toggle("tail", tail);
  item.dataset["state"] = message.kind;
  if (message.kind === "sent") item.dataset["offset"] = String(message.offset);
  const shown = message.kind === "failed" ? `failed ${message.why.reason}` : `${message.kind} ${message.time}`;
  if (item.dataset["shown"] === shown) return;
  item.dataset["shown"] = shown;
  item.querySelector(".under")?.replaceChildren(...under(message, actions));
}

function under(message: SentMessage | UnsentMessage, actions: MessageActions): Node[] {
  switch (message.kind) {
    case "sent": {
      const datetime = new Date(message.time).toISOString();
      return [el("time", { datetime, title: fullTime(message.time) }, clockTime(message.time))];
    }
    case "pending":
      return [el("span", { class: "sending" }, icon("clock"), el("span", { class: "sending-text" }))];
    case "failed":
      return [
        el("span", { class: "why" }, icon("alert"), `${message.why.unsure ? "Not confirmed." : "Not sent."} ${message.why.reason}`),
        el(
          "span",
          { class: "choices" },
          button(message.why.unsure ? "Send again anyway" : "Try again", () => actions.retry(message.id), "link"),
          button("Discard", () => actions.discard(message.id), "link"),
        ),
      ];
  }
}

/** Text with its web addresses as links. Everything else stays text, whatever it looks like. */
function withLinks(text: string): (Node | string)[] {
  const parts: (Node | string)[] = [];
  let done = 0;
  for (const match of text.matchAll(/https?:\/\/[^\s<>"]+[^\s<>"'.,;:!?)\]}]/g)) {
    parts.push(text.slice(done, match.index));
    parts.push(el("a", { href: match[0], target: "_blank", rel: "noopener noreferrer nofollow" }, match[0]));
    done = match.index + match[0].length;
  }
  parts.push(text.slice(done));
  return parts;
}

function isFewEmoji(text: string): boolean {
  return /^(?:\p{Extended_Pictographic}[\p{Emoji_Modifier}\u200d\ufe0f]*\s*){1,3}$/u.test(text.trim());
}
