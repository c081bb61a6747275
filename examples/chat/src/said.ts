/** What a message says, made of what came. Whoever holds a token may publish any data: nothing about it is certain. */
import type { Attachment } from "./generated/chat.js";
import type { MessageEntry } from "./roomcast.js";

export interface Words {
  text: string;
  /** The author's own name for it. */
  id: string | undefined;
  /** The offset of the message that it answers in a thread. */
  thread: number | undefined;
  mentions: readonly string[];
  attachments: readonly Attachment[];
}

const MENTIONS_MAX = 20;
export const ATTACHMENTS_MAX = 4;

const known = new WeakMap<object, Words>();

export function wordsOf(data: unknown): Words {
  if (typeof data !== "object" || data === null) return read({ text: data });
  let words = known.get(data);
  if (words === undefined) known.set(data, (words = read(data as Record<string, unknown>)));
  return words;
}

/** Of a message that may have been taken back, and then says nothing. */
export function wordsIn(message: MessageEntry): Words {
  return wordsOf(message.removed ? null : message.data);
}

function read(data: Record<string, unknown>): Words {
  const { text, id, thread } = data;
  return {
    text: typeof text === "string" ? text : text === null ? "" : JSON.stringify(data),
    id: typeof id === "string" ? id : undefined,
    thread: typeof thread === "number" && Number.isSafeInteger(thread) && thread > 0 ? thread : undefined,
    mentions: list(data["mentions"]).filter((one) => typeof one === "string").slice(0, MENTIONS_MAX),
    attachments: list(data["attachments"]).flatMap(attachment).slice(0, ATTACHMENTS_MAX),
  };
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function attachment(value: unknown): Attachment[] {
  const { url, name } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const address = safeAddress(url);
  if (address === undefined) return [];
  return [{ url: address.href, ...(typeof name === "string" && name !== "" && { name: name.slice(0, 120) }) }];
}

/** Only addresses of the encrypted web, with nobody's password in them. */
export function safeAddress(text: unknown): URL | undefined {
  if (typeof text !== "string" || text.length > 2_000 || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  return url.protocol === "https:" && url.username === "" && url.password === "" ? url : undefined;
}

export function looksLikePicture(url: URL): boolean {
  return /\.(?:png|jpe?g|gif|webp|avif)$/i.test(url.pathname);
}
